//! How much worse does a model answer when one column is shuffled: permutation importance
//! (Breiman 2001; Fisher, Rudin and Dominici 2019).
//!
//! For each column there is a block of the same withheld rows in which that column alone stands in
//! another order. All blocks are predicted together, so that any program is asked once and needs to
//! know nothing of it.

use serde::{Deserialize, Serialize};

use crate::statistics::Interval;
use crate::statistics::bootstrap::{Bootstrap, Units};
use crate::statistics::random::Random;
use crate::table::Batch;

/// Rows of a block at most: the mean of a thousand differences is known to a few percent.
pub const ROWS_MAX: u64 = 1_000;

/// Columns shuffled at most, the first ones: with the rows, what one job predicts in seconds.
pub const COLUMNS_MAX: usize = 40;

/// Fewer rows than this say nothing.
pub const ROWS_MIN: usize = 30;

/// How much a model needs a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The column.
    pub column: String,
    /// Mean loss with the column shuffled less mean loss without; near 0 or below the model does
    /// not need it.
    pub increase: f64,
    /// Its bootstrap interval over the rows (BCa).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// Every how many of the withheld rows one is taken into the blocks.
pub fn step(rows: u64) -> u64 {
    rows.div_ceil(ROWS_MAX).max(1)
}

/// The blocks of some rows, one after another, in the order of the columns. Equal rows and seeds
/// give equal blocks.
pub fn shuffled(rows: &Batch, seed: u64) -> Vec<Batch> {
    let mut random = Random::new(seed);
    let block = |place: usize| {
        let mut order: Vec<usize> = (0..rows.rows()).collect();
        // Fisher and Yates's shuffle, from the end.
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last + 1));
        }
        let mut columns = rows.columns().to_vec();
        columns[place] = columns[place].taken(&order);
        Batch::new(rows.schema().clone(), columns)
    };
    (0..rows.columns().len().min(COLUMNS_MAX)).map(block).collect()
}

/// The importances, the greatest first: `plain` are the losses of the rows as they are, `shuffled`
/// those of the blocks.
pub fn importances(
    columns: &[String],
    plain: &[f64],
    shuffled: &[f64],
    bootstrap: Bootstrap,
) -> Vec<Importance> {
    if plain.is_empty() {
        return Vec::new();
    }
    let units = Units::rows(plain.len());
    let one = |(column, block): (&String, &[f64])| {
        let values: Vec<f64> = block.iter().zip(plain).map(|(shuffled, plain)| shuffled - plain).collect();
        let increase = values.iter().sum::<f64>() / values.len() as f64;
        let mut samples =
            bootstrap.samples(&units, &[increase], |resample, slots| slots[0] = resample.mean(&values));
        Importance {
            column: column.clone(),
            increase: super::finite(increase),
            interval: bootstrap.accelerated(&units, &values, samples.remove(0)),
        }
    };
    let blocks = shuffled.chunks_exact(plain.len());
    let mut found: Vec<Importance> = columns.iter().zip(blocks).map(one).collect();
    found.sort_by(|a, b| b.increase.total_cmp(&a.increase).then_with(|| a.column.cmp(&b.column)));
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::table::{Column, Kind, Schema};

    fn rows(count: usize) -> Batch {
        let mut random = Random::new(2);
        let mut column = || Column::Number((0..count).map(|_| Some(random.normal())).collect());
        let columns = vec![column(), column(), column()];
        let schema = Schema::of([("a", Kind::Number), ("b", Kind::Number), ("idle", Kind::Number)]);
        Batch::new(Arc::new(schema), columns)
    }

    #[test]
    fn a_block_moves_one_column_and_keeps_its_values() {
        let rows = rows(50);
        let blocks = shuffled(&rows, 7);
        assert_eq!(blocks.len(), 3);
        assert_eq!(blocks, shuffled(&rows, 7));
        for (place, block) in blocks.iter().enumerate() {
            for other in 0..3 {
                assert_eq!(block.columns()[other] == rows.columns()[other], other != place);
            }
            let sorted = |batch: &Batch| {
                let column = &batch.columns()[place];
                let mut values: Vec<f64> = (0..50).map(|row| column.number(row).unwrap()).collect();
                values.sort_by(f64::total_cmp);
                values
            };
            assert_eq!(sorted(block), sorted(&rows));
        }
    }

    #[test]
    fn what_a_linear_model_needs_weighs_twice_the_square_of_its_coefficient() {
        // y = 2a + b, predicted exactly: with a column of unit variance shuffled the squared error
        // is coefficient² · E (x − x')² = 2 · coefficient², and 0 for a column that is not read.
        let rows = rows(1_000);
        let predicted = |batch: &Batch| -> Vec<f64> {
            let value = |place: usize, row: usize| batch.columns()[place].number(row).unwrap();
            (0..batch.rows()).map(|row| 2.0 * value(0, row) + value(1, row)).collect()
        };
        let truth = predicted(&rows);
        let losses = |found: Vec<f64>| {
            found.into_iter().zip(&truth).map(|(found, truth)| (found - truth).powi(2)).collect::<Vec<f64>>()
        };
        let shuffled: Vec<f64> =
            shuffled(&rows, 3).iter().flat_map(|block| losses(predicted(block))).collect();
        let columns = ["a", "b", "idle"].map(String::from);
        let bootstrap = Bootstrap { resamples: 200, seed: 1, confidence: 0.95 };
        let found = importances(&columns, &losses(truth.clone()), &shuffled, bootstrap);
        let names: Vec<&str> = found.iter().map(|one| one.column.as_str()).collect();
        assert_eq!(names, ["a", "b", "idle"]);
        for (one, expected) in found.iter().zip([8.0, 2.0, 0.0]) {
            assert!((one.increase - expected).abs() <= 0.15 * expected, "{one:?}");
            let interval = one.interval.unwrap();
            assert!(interval.low <= one.increase && one.increase <= interval.high);
        }
    }
}
