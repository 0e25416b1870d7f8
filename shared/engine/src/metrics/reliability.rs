//! Does what is said to happen in so many of a hundred cases happen in so many?

use serde::{Deserialize, Serialize};

use super::truth::likeliest;
use super::{Prediction, Truth};
use crate::statistics::bootstrap::Resample;

/// Bins of equal width between 0 and 1, each closed on its right, the first on both sides.
pub const BINS: usize = 10;

/// Rows whose probabilities fall into one bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Rows.
    pub rows: u64,
    /// Mean probability.
    pub predicted: f64,
    /// Share in which it happened.
    pub actual: f64,
}

/// The reliability curve: the bins that hold rows, by probability; empty for numbers. For several
/// classes it is about the likeliest one.
pub fn reliability(truth: &Truth, prediction: &Prediction) -> Vec<Bin> {
    let pairs = pairs(truth, prediction);
    let mut sums = [(0_u64, 0.0, 0.0); BINS];
    for (probability, happened) in pairs {
        let sum = &mut sums[bin(probability)];
        *sum = (sum.0 + 1, sum.1 + probability, sum.2 + happened);
    }
    let mean = |(rows, predicted, actual): &(u64, f64, f64)| Bin {
        rows: *rows,
        predicted: predicted / *rows as f64,
        actual: actual / *rows as f64,
    };
    sums.iter().filter(|sum| sum.0 > 0).map(mean).collect()
}

/// Each row's probability, and 1 where it happened: of the second of two classes, of the likeliest
/// of several.
pub(crate) fn pairs(truth: &Truth, prediction: &Prediction) -> Vec<(f64, f64)> {
    let flag = |flag: bool| f64::from(u8::from(flag));
    match (truth, prediction) {
        (Truth::Binary(truth), Prediction::Probabilities(found)) => {
            found.iter().copied().zip(truth.iter().map(|truth| flag(*truth))).collect()
        }
        (Truth::Classes { values: truth, .. }, Prediction::Distributions { classes, values }) => {
            let row = |(shares, truth): (&[f64], &usize)| {
                let called = likeliest(shares);
                (shares[called], flag(called == *truth))
            };
            values.chunks((*classes).max(1)).zip(truth).map(row).collect()
        }
        _ => Vec::new(),
    }
}

fn bin(probability: f64) -> usize {
    (1..BINS).filter(|edge| *edge as f64 * (1.0 / BINS as f64) < probability).count()
}

/// Each row's bin, and how far its probability is from what happened.
#[derive(Clone, Debug)]
pub(super) struct Bins(Vec<(usize, f64)>);

impl Bins {
    pub(super) fn new(pairs: impl Iterator<Item = (f64, f64)>) -> Bins {
        Bins(pairs.map(|(probability, happened)| (bin(probability), probability - happened)).collect())
    }

    /// The expected calibration error (Naeini, Cooper and Hauskrecht 2015), in [0, 1].
    pub(super) fn error(&self, resample: &Resample) -> f64 {
        let (mut gaps, mut weight) = ([0.0; BINS], 0.0);
        for (row, times) in resample.weighted() {
            let (bin, gap) = self.0[row];
            gaps[bin] += times * gap;
            weight += times;
        }
        gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / weight
    }
}
