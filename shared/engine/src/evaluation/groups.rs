//! In which range of predictions is a model right on average?

use serde::{Deserialize, Serialize};

use crate::metrics::truth::likeliest;
use crate::metrics::{Prediction, Truth};

/// Groups of a calibration plot.
const GROUPS: usize = 10;

/// Rows of neighbouring predictions: their mean prediction and what happened on average. For a
/// number that is the number; for yes or no the probability and the share of yes; for several
/// classes the probability of the likeliest class and the share of rows where it was right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Rows in the group.
    pub rows: u64,
    /// Mean of what was predicted.
    pub predicted: f64,
    /// Mean of what happened.
    pub actual: f64,
    /// The middle four fifths of what happened, where it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<[f64; 2]>,
}

/// Up to ten groups of nearly equal size, by prediction. Rows of equal predictions stay in the
/// order given.
pub(super) fn groups(truth: &Truth, prediction: &Prediction) -> Vec<Group> {
    let flag = |flag: bool| f64::from(u8::from(flag));
    let mut pairs: Vec<(f64, f64)> = match (truth, prediction) {
        (Truth::Numbers(truth), Prediction::Numbers(found)) => {
            found.iter().copied().zip(truth.iter().copied()).collect()
        }
        (Truth::Binary(truth), Prediction::Probabilities(found)) => {
            found.iter().copied().zip(truth.iter().map(|truth| flag(*truth))).collect()
        }
        (Truth::Classes { values: truth, .. }, Prediction::Distributions { classes, values }) => values
            .chunks((*classes).max(1))
            .zip(truth)
            .map(|(shares, truth)| {
                let called = likeliest(shares);
                (shares[called], flag(called == *truth))
            })
            .collect(),
        _ => Vec::new(),
    };
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = GROUPS.min(pairs.len() / 5).max(usize::from(!pairs.is_empty()));
    let numeric = matches!(truth, Truth::Numbers(_));
    let bounds = |group: usize| group * pairs.len() / count;
    let group = |index: usize| summary(&pairs[bounds(index)..bounds(index + 1)], numeric);
    let groups = (0..count).map(group);
    groups.filter(|group| group.predicted.is_finite() && group.actual.is_finite()).collect()
}

fn summary(pairs: &[(f64, f64)], numeric: bool) -> Group {
    let rows = pairs.len() as f64;
    let spread = || {
        let mut actual: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
        actual.sort_unstable_by(f64::total_cmp);
        [0.1, 0.9].map(|share| crate::statistics::bootstrap::quantile_sorted(&actual, share))
    };
    Group {
        rows: pairs.len() as u64,
        predicted: pairs.iter().map(|pair| pair.0).sum::<f64>() / rows,
        actual: pairs.iter().map(|pair| pair.1).sum::<f64>() / rows,
        spread: numeric.then(spread),
    }
}
