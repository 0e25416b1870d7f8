//! Into which few groups do a column's values fall? Taken from training rows, so that the groups
//! do not depend on what is judged.

use std::collections::BTreeMap;

use crate::statistics::bootstrap::quantile_sorted;
use crate::table::{Column, Kind};
use crate::text;

/// Groups of numbers: quarters.
const QUANTILES: usize = 4;

/// Values that get a group of their own; the rest together are `other`.
const VALUES_MAX: usize = 20;

/// The groups of a column.
#[derive(Clone, Debug)]
pub struct Bins {
    name: String,
    kind: Kind,
    masked: bool,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Numbers below the first edge, from each edge to the next, from the last on.
    Edges(Vec<f64>),
    /// Single values, the most frequent first.
    Values(BTreeMap<String, u8>),
}

impl Bins {
    /// The groups of a column's values: its most frequent values, or quarters of numbers with many.
    /// Of a masked column no value is shown.
    pub fn of(name: &str, column: &Column, masked: bool) -> Bins {
        let form = match column {
            Column::Text(_) | Column::Boolean(_) => values(column),
            Column::Integer(_) | Column::Number(_) => match values(column) {
                Form::Values(few) if few.len() < VALUES_MAX => Form::Values(few),
                _ => edges(column),
            },
            Column::Date(_) | Column::Timestamp(_) => edges(column),
        };
        Bins { name: name.to_owned(), kind: column.kind(), masked, form }
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many groups there are, `other` and `missing` included.
    pub fn count(&self) -> usize {
        self.known() + 2
    }

    fn known(&self) -> usize {
        match &self.form {
            Form::Edges(edges) => edges.len() + 1,
            Form::Values(values) => values.len(),
        }
    }

    /// The group of each row.
    pub fn codes(&self, column: &Column) -> Vec<u8> {
        let code = |group: usize| u8::try_from(group).expect("a few groups");
        let (other, missing) = (code(self.known()), code(self.known() + 1));
        let of = |row: usize| match &self.form {
            Form::Edges(edges) => match column.number(row).filter(|value| !value.is_nan()) {
                Some(value) => code(edges.partition_point(|edge| *edge <= value)),
                None => missing,
            },
            Form::Values(values) => match column.written(row) {
                Some(value) => values.get(&value).copied().unwrap_or(other),
                None => missing,
            },
        };
        (0..column.len()).map(of).collect()
    }

    /// What a group is called.
    pub fn label(&self, code: u8) -> String {
        let group = usize::from(code);
        match group.checked_sub(self.known()) {
            Some(0) => return "other".to_owned(),
            Some(_) => return "missing".to_owned(),
            None if self.masked => return format!("group {} (masked)", group + 1),
            None => {}
        }
        match &self.form {
            Form::Values(values) => {
                let value = values.iter().find(|(_, own)| **own == code).map_or("", |(value, _)| value);
                text::cut(value, text::SHOWN_CHARS_MAX).into_owned()
            }
            Form::Edges(edges) if edges.is_empty() => "any".to_owned(),
            Form::Edges(edges) => match (group.checked_sub(1).map(|below| edges[below]), edges.get(group)) {
                (None, Some(to)) => format!("below {}", self.shown(*to)),
                (Some(from), Some(to)) => format!("{} to {}", self.shown(from), self.shown(*to)),
                (Some(from), None) => format!("{} and above", self.shown(from)),
                (None, None) => "any".to_owned(),
            },
        }
    }

    fn shown(&self, value: f64) -> String {
        let written = match self.kind {
            // Truncation is what a date or moment within a day or millisecond asks for.
            Kind::Date => Column::Date(vec![Some(value as i32)]).written(0),
            Kind::Timestamp => Column::Timestamp(vec![Some(value as i64)]).written(0),
            _ => None,
        };
        written.unwrap_or_else(|| text::number(value))
    }
}

fn values(column: &Column) -> Form {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in 0..column.len() {
        if let Some(value) = column.written(row) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(VALUES_MAX);
    let places = (0_u8..).zip(counts);
    Form::Values(places.map(|(place, (value, _))| (value, place)).collect())
}

fn edges(column: &Column) -> Form {
    let known = (0..column.len()).filter_map(|row| column.number(row)).filter(|value| value.is_finite());
    let mut known: Vec<f64> = known.collect();
    if known.is_empty() {
        return Form::Edges(Vec::new());
    }
    known.sort_unstable_by(f64::total_cmp);
    let mut edges: Vec<f64> =
        (1..QUANTILES).map(|part| quantile_sorted(&known, part as f64 / QUANTILES as f64)).collect();
    edges.dedup();
    // An edge at the least value would leave nothing below it.
    edges.retain(|edge| *edge > known[0]);
    Form::Edges(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(bins: &Bins, column: &Column) -> Vec<String> {
        bins.codes(column).into_iter().map(|code| bins.label(code)).collect()
    }

    #[test]
    fn numbers_fall_into_quarters_of_the_training_rows() {
        let train = Column::Number((0..101).map(|n| Some(f64::from(n))).collect());
        let bins = Bins::of("x", &train, false);
        let rows =
            Column::Number([Some(-1.0), Some(25.0), Some(74.9), Some(1e9), None, Some(f64::NAN)].into());
        assert_eq!(
            labels(&bins, &rows),
            ["below 25", "25 to 50", "50 to 75", "75 and above", "missing", "missing"]
        );
        let constant = Bins::of("x", &Column::Number(vec![Some(1.0); 5]), false);
        assert_eq!(labels(&constant, &Column::Number(vec![Some(1.0), Some(2.0)])), ["1", "other"]);
    }

    #[test]
    fn texts_and_few_numbers_fall_into_their_values() {
        let text = |values: &[&str]| Column::Text(values.iter().map(|v| Some((*v).to_owned())).collect());
        let bins = Bins::of("c", &text(&["a", "b", "b"]), false);
        assert_eq!(
            (bins.count(), labels(&bins, &text(&["b", "a", "z"]))),
            (4, ["b", "a", "other"].map(String::from).into())
        );
        let hidden = Bins::of("c", &text(&["a", "b", "b"]), true);
        assert_eq!(labels(&hidden, &text(&["b", "a"])), ["group 1 (masked)", "group 2 (masked)"]);
        let whole = Column::Integer(vec![Some(1), Some(2), None]);
        assert_eq!(labels(&Bins::of("n", &whole, false), &whole), ["1", "2", "missing"]);
    }
}
