//! Under which name is a value counted as a category, and which categories deserve a name?

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::{Digest, limit};

use crate::table::Column;

/// Distinct values of one column counted at a time while a baseline is gathered.
pub const TRACKED_MAX: usize = 10_000;

/// Longest value, in bytes, that is its own name.
const NAME_BYTES_MAX: usize = 64;

/// The name under which a text is counted: itself; its beginning and digest when long; its digest
/// alone when hidden.
pub fn name(text: &str, hidden: bool) -> Cow<'_, str> {
    if hidden {
        return Cow::Owned(format!("hidden {}", Digest::of(text.as_bytes()).short()));
    }
    if text.len() <= NAME_BYTES_MAX {
        return Cow::Borrowed(text);
    }
    let beginning: String = text.chars().take(24).collect();
    Cow::Owned(format!("{beginning}… {}", Digest::of(text.as_bytes()).short()))
}

/// The name of a column's value in a row; `None` is missing. Equal numbers have one name whether
/// they were read as integers or floats.
pub fn name_at(column: &Column, row: usize, hidden: bool) -> Option<Cow<'_, str>> {
    match column {
        Column::Text(values) => values[row].as_deref().map(|text| name(text, hidden)),
        Column::Number(values) => {
            values[row].map(|number| Cow::Owned(name(&(number + 0.0).to_string(), hidden).into_owned()))
        }
        other => other.written(row).map(|text| Cow::Owned(name(&text, hidden).into_owned())),
    }
}

/// Counts values by name. Up to [`TRACKED_MAX`] distinct names every count is exact; when one
/// more comes, the rarer half is dropped and from then on no new name is taken in, so that the
/// counts of the names kept stay exact and all others are exactly the rest.
#[derive(Clone, Debug, Default)]
pub struct Categories {
    counts: BTreeMap<String, u64>,
    full: bool,
    total: u64,
}

impl Categories {
    /// Counts a name.
    pub fn push(&mut self, name: &str) {
        self.total += 1;
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else if !self.full {
            self.counts.insert(name.to_owned(), 1);
            if self.counts.len() > TRACKED_MAX {
                let kept = ranked(std::mem::take(&mut self.counts)).into_iter().take(TRACKED_MAX / 2);
                self.counts = kept.collect();
                self.full = true;
            }
        }
    }

    /// The most frequent names that occur more than once, at most
    /// [`limit::CATEGORIES_MAX`], with their counts; and the count of all others.
    pub fn finish(self) -> (Vec<(String, u64)>, u64) {
        let mut named = ranked(self.counts);
        named.retain(|(_, count)| *count > 1);
        named.truncate(limit::CATEGORIES_MAX);
        let others = self.total - named.iter().map(|(_, count)| count).sum::<u64>();
        (named, others)
    }
}

/// The most frequent first, equal ones by name.
fn ranked(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut ranked: Vec<(String, u64)> = counts.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_counts_are_exact_even_when_there_are_too_many_values() {
        let mut categories = Categories::default();
        for row in 0..40_000_u32 {
            categories.push(&format!("id {row}"));
            categories.push(if row % 2 == 0 { "even" } else { "odd" });
        }
        let (named, others) = categories.finish();
        assert_eq!(named, [("even".to_owned(), 20_000), ("odd".to_owned(), 20_000)]);
        assert_eq!(others, 40_000);
    }

    #[test]
    fn long_values_have_short_names_and_hidden_ones_say_nothing() {
        let long = "ä".repeat(100);
        assert!(name(&long, false).len() < 80);
        assert_ne!(name(&long, false), name(&"ä".repeat(101), false));
        assert_eq!(name("Ada", false), "Ada");
        assert!(!name("Ada", true).contains("Ada"));
    }

    #[test]
    fn integers_and_floats_share_names() {
        let whole = Column::Integer(vec![Some(3), None]);
        let float = Column::Number(vec![Some(3.0), Some(-0.0)]);
        assert_eq!(name_at(&whole, 0, false), name_at(&float, 0, false));
        assert_eq!(name_at(&whole, 1, false), None);
        assert_eq!(name_at(&float, 1, false).unwrap(), "0");
    }
}
