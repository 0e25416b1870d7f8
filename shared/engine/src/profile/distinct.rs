//! Which different values has a column, and how often does each occur?
//!
//! Up to [`limit::DISTINCT_MAX`] values are kept; further ones are passed over, so the counts of
//! those kept stay exact. Values are counted as they are held and written only at the end: to
//! write each cell of a large file took longer than everything else about it. The maps are keyed
//! at random, since a file may come from somebody who would like them slow; what they hold is
//! sorted before anybody sees it.

use std::collections::HashMap;
use std::hash::Hash;

use domain::{Time, limit};

use crate::table::{Column, Kind};

/// Different values with their counts.
#[derive(Debug)]
pub(super) struct Distinct {
    kind: Kind,
    texts: HashMap<String, u64>,
    /// Everything but texts, by [`bits`].
    others: HashMap<i64, u64>,
    exact: bool,
}

impl Distinct {
    /// No value yet.
    pub(super) fn of(kind: Kind) -> Distinct {
        Distinct { kind, texts: HashMap::new(), others: HashMap::new(), exact: true }
    }

    /// Counts the present values of a column.
    pub(super) fn push(&mut self, column: &Column) {
        let Distinct { texts, others, exact, .. } = self;
        match column {
            Column::Text(values) => {
                for text in values.iter().flatten() {
                    if let Some(count) = texts.get_mut(text) {
                        *count += 1;
                    } else {
                        take_in(texts, exact, || text.clone());
                    }
                }
            }
            Column::Boolean(values) => count(others, exact, values, i64::from),
            Column::Integer(values) => count(others, exact, values, |whole| whole),
            Column::Number(values) => count(others, exact, values, bits),
            Column::Date(values) => count(others, exact, values, i64::from),
            // Moments beyond those that can be written are written as the nearest that can.
            Column::Timestamp(values) => {
                count(others, exact, values, |millis| Time::from_millis(millis).millis());
            }
        }
    }

    /// How many values were kept.
    pub(super) fn len(&self) -> usize {
        self.texts.len() + self.others.len()
    }

    /// Whether every value was kept.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// The values as they are written, with their counts, in the order of their bytes.
    pub(super) fn finish(self) -> Vec<(String, u64)> {
        let kind = self.kind;
        let others = self.others.into_iter().map(|(value, count)| (written(kind, value), count));
        let mut values: Vec<(String, u64)> = self.texts.into_iter().chain(others).collect();
        values.sort_unstable();
        values
    }
}

fn count<T: Copy>(
    values: &mut HashMap<i64, u64>,
    exact: &mut bool,
    cells: &[Option<T>],
    bits: impl Fn(T) -> i64,
) {
    for cell in cells.iter().flatten() {
        let value = bits(*cell);
        if let Some(count) = values.get_mut(&value) {
            *count += 1;
        } else {
            take_in(values, exact, || value);
        }
    }
}

/// Takes in a value that is new, if there is room.
fn take_in<K: Hash + Eq>(values: &mut HashMap<K, u64>, exact: &mut bool, value: impl FnOnce() -> K) {
    if values.len() < limit::DISTINCT_MAX {
        values.insert(value(), 1);
    } else {
        *exact = false;
    }
}

/// A float's bits: two floats that are written alike have the same.
fn bits(number: f64) -> i64 {
    let number = if number.is_nan() { f64::NAN } else { number };
    number.to_bits().cast_signed()
}

fn written(kind: Kind, value: i64) -> String {
    let column = match kind {
        Kind::Boolean => Column::Boolean(vec![Some(value != 0)]),
        Kind::Integer => Column::Integer(vec![Some(value)]),
        Kind::Number => Column::Number(vec![Some(f64::from_bits(value.cast_unsigned()))]),
        Kind::Date => Column::Date(vec![i32::try_from(value).ok()]),
        Kind::Timestamp => Column::Timestamp(vec![Some(value)]),
        Kind::Text => unreachable!("texts are counted as they are"),
    };
    column.written(0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_as_they_are_written_in_the_order_of_their_bytes() {
        for (column, expected) in [
            (Column::Boolean(vec![Some(true), None, Some(false), Some(true)]), "false 1,true 2"),
            (Column::Integer(vec![Some(10), Some(-2), Some(9)]), "-2 1,10 1,9 1"),
            (Column::Number(vec![Some(0.5), Some(-0.0), Some(0.0), Some(0.5)]), "-0 1,0 1,0.5 2"),
            (Column::Date(vec![Some(1), Some(0)]), "1970-01-01 1,1970-01-02 1"),
            (Column::Timestamp(vec![Some(1)]), "1970-01-01T00:00:00.001Z 1"),
            (Column::Timestamp(vec![Some(i64::MAX), Some(i64::MAX - 1)]), "9999-12-30T21:59:59.999Z 2"),
            (Column::Text(vec![Some("b".into()), Some("a".into()), Some("b".into())]), "a 1,b 2"),
        ] {
            let mut distinct = Distinct::of(column.kind());
            distinct.push(&column);
            let told: Vec<String> =
                distinct.finish().into_iter().map(|(value, count)| format!("{value} {count}")).collect();
            assert_eq!(told.join(","), expected);
        }
    }
}
