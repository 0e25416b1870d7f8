//! How do features become the numbers a booster reads: texts by a dictionary learned in training.

use std::collections::BTreeMap;

use domain::limit::CATEGORIES_MAX;
use engine::table::{Batch, Column, Kind, Schema};

use crate::trainer::Matrix;

/// For each text feature the categories it had in training; a category's number is its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoding {
    categories: BTreeMap<String, Vec<String>>,
    /// The same the other way round.
    numbers: BTreeMap<String, BTreeMap<String, f32>>,
}

impl Encoding {
    /// Learns the categories of the text features: the most frequent first, equals by name, at
    /// most [`CATEGORIES_MAX`]. The rest, and what was never seen, is missing.
    pub fn learn(batch: &Batch) -> Encoding {
        let mut categories = BTreeMap::new();
        for (field, column) in batch.schema().fields.iter().zip(batch.columns()) {
            if let Column::Text(values) = column {
                let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
                for value in values.iter().flatten() {
                    *counts.entry(value).or_default() += 1;
                }
                let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
                // Stable, so equals stay in the order of their names.
                ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
                let kept = ranked.into_iter().take(CATEGORIES_MAX).map(|(name, _)| name.to_owned());
                categories.insert(field.name.clone(), kept.collect());
            }
        }
        Encoding::of(categories)
    }

    /// An encoding of known categories.
    pub fn of(categories: BTreeMap<String, Vec<String>>) -> Encoding {
        let number = |names: &Vec<String>| {
            names.iter().enumerate().map(|(number, name)| (name.clone(), number as f32)).collect()
        };
        let numbers = categories.iter().map(|(feature, names)| (feature.clone(), number(names))).collect();
        Encoding { categories, numbers }
    }

    /// The categories by feature.
    pub fn categories(&self) -> &BTreeMap<String, Vec<String>> {
        &self.categories
    }

    /// Whether it has the categories of exactly the text features of a schema, none twice.
    pub fn fits(&self, features: &Schema) -> bool {
        let texts = features.fields.iter().filter(|field| field.kind == Kind::Text);
        texts.clone().count() == self.categories.len()
            && texts.clone().all(|field| self.categories.contains_key(&field.name))
            && self.categories.iter().all(|(feature, names)| {
                names.len() <= CATEGORIES_MAX
                    && self.numbers.get(feature).is_some_and(|n| n.len() == names.len())
            })
    }

    /// Encodes rows of features.
    pub fn encode(&self, batch: &Batch) -> Matrix {
        let width = batch.columns().len();
        let mut values = vec![f32::NAN; batch.rows() * width];
        let mut categorical = Vec::with_capacity(width);
        for (position, (field, column)) in batch.schema().fields.iter().zip(batch.columns()).enumerate() {
            categorical.push(column.kind() == Kind::Text);
            let cells = values.iter_mut().skip(position).step_by(width);
            match column {
                Column::Text(texts) => {
                    let Some(numbers) = self.numbers.get(&field.name) else { continue };
                    for (cell, text) in cells.zip(texts) {
                        let number = text.as_ref().and_then(|text| numbers.get(text));
                        *cell = number.copied().unwrap_or(f32::NAN);
                    }
                }
                other => {
                    for (row, cell) in cells.enumerate() {
                        *cell = other.number(row).map_or(f32::NAN, narrowed);
                    }
                }
            }
        }
        Matrix { values, rows: batch.rows(), categorical }
    }
}

/// A number as the booster's 32-bit float; beyond its range the largest it has, so order is kept.
fn narrowed(number: f64) -> f32 {
    (number as f32).clamp(f32::MIN, f32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn texts(values: &[Option<&str>]) -> Batch {
        let values = values.iter().map(|value| value.map(str::to_owned)).collect();
        Batch::new(Arc::new(Schema::of([("t", Kind::Text)])), vec![Column::Text(values)])
    }

    #[test]
    fn categories_are_ranked_by_frequency_then_name_and_the_unseen_is_missing() {
        let encoding = Encoding::learn(&texts(&[Some("b"), Some("c"), Some("a"), Some("c"), None]));
        assert_eq!(encoding.categories()["t"], ["c", "a", "b"]);
        let matrix = encoding.encode(&texts(&[Some("a"), Some("c"), Some("new"), None]));
        assert_eq!(matrix.values[..2], [1.0, 0.0]);
        assert!(matrix.values[2].is_nan() && matrix.values[3].is_nan());
        assert_eq!(matrix.categorical, [true]);
    }

    #[test]
    fn more_categories_than_the_bound_are_cut() {
        let names: Vec<String> = (0..CATEGORIES_MAX + 9).map(|number| format!("{number:03}")).collect();
        let values: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
        let encoding = Encoding::learn(&texts(&values));
        assert_eq!(encoding.categories()["t"].len(), CATEGORIES_MAX);
        assert_eq!(encoding.categories()["t"][1], "001");
    }

    #[test]
    fn every_kind_becomes_a_finite_number_or_missing() {
        let schema = Schema::of([("n", Kind::Number), ("i", Kind::Integer), ("b", Kind::Boolean)]);
        let columns = vec![
            Column::Number(vec![Some(1e300), Some(-1e300), None]),
            Column::Integer(vec![Some(3), Some(i64::MAX), None]),
            Column::Boolean(vec![Some(true), Some(false), None]),
        ];
        let matrix = Encoding::default().encode(&Batch::new(Arc::new(schema), columns));
        assert_eq!(matrix.values[..6], [f32::MAX, 3.0, 1.0, f32::MIN, 9_223_372_036_854_775_807.0, 0.0]);
        assert!(matrix.values[6..].iter().all(|value| value.is_nan()));
    }
}
