//! What does a guess answer that knows no row?

use serde::{Deserialize, Serialize};

use crate::metrics::truth::likeliest;
use crate::metrics::{Prediction, Truth};

/// What a model that knows no row would answer: taken from the training target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naive {
    /// Regression: the mean.
    Mean(f64),
    /// Binary: the share of the second class.
    Share(f64),
    /// Multiclass: the share of each class.
    Shares(Vec<f64>),
}

impl Naive {
    /// The answers of the naive baseline for the rows of a truth of its type.
    pub fn prediction(&self, rows: usize) -> Prediction {
        match self {
            Naive::Mean(mean) => Prediction::Numbers(vec![*mean; rows]),
            Naive::Share(share) => Prediction::Probabilities(vec![*share; rows]),
            Naive::Shares(shares) => {
                Prediction::Distributions { classes: shares.len(), values: shares.repeat(rows) }
            }
        }
    }

    /// Who always answers the class most frequent among the training rows, and is sure of it; of
    /// a number the same guess.
    #[must_use]
    pub fn majority(&self) -> Naive {
        match self {
            Naive::Mean(mean) => Naive::Mean(*mean),
            Naive::Share(share) => Naive::Share(if *share > 0.5 { 1.0 } else { 0.0 }),
            Naive::Shares(shares) => {
                let most = likeliest(shares);
                let sure = |place: usize| if place == most { 1.0 } else { 0.0 };
                Naive::Shares((0..shares.len()).map(sure).collect())
            }
        }
    }

    /// The naive baseline of training targets.
    pub fn of(truth: &Truth) -> Naive {
        let rows = truth.rows().max(1) as f64;
        match truth {
            Truth::Numbers(values) => Naive::Mean(values.iter().sum::<f64>() / rows),
            Truth::Binary(values) => {
                Naive::Share(values.iter().filter(|value| **value).count() as f64 / rows)
            }
            Truth::Classes { count, values } => {
                let mut shares = vec![0.0; *count];
                for class in values {
                    if let Some(share) = shares.get_mut(*class) {
                        *share += 1.0 / rows;
                    }
                }
                Naive::Shares(shares)
            }
        }
    }
}
