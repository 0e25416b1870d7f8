//! What does a plain linear model make of the same features: the baseline that anything learned
//! has to be worth more than.
//!
//! Numbers and truth values are standardised, missing ones stand at their mean with a mark of
//! their own, texts become one column for each of their most frequent values. A number is learned
//! by ridge regression, two classes by logistic regression, several by one logistic regression for
//! each against the rest, made to sum to one. Penalties are scikit-learn's defaults: `Ridge` with
//! `alpha=1`, `LogisticRegression` with `C=1`; the intercept is free.

mod design;
mod solve;

use domain::pipeline::ProblemType;

use crate::metrics::{Prediction, Truth};
use crate::table::Batch;
use design::Design;

pub use design::WIDTH_MAX;

/// Weight of the squared coefficients in what is made small.
const PENALTY: f64 = 1.0;

/// Steps of Newton's method at most; it converges within a dozen.
const STEPS_MAX: usize = 50;

/// A linear model.
#[derive(Clone, Debug)]
pub struct Linear {
    design: Design,
    problem: ProblemType,
    /// One list of coefficients, the intercept first; one for each class of several.
    coefficients: Vec<Vec<f64>>,
}

impl Linear {
    /// Learns from features and what happened, row by row. None where there is nothing to learn
    /// from: no rows, or no feature that varies.
    pub fn fit(features: &Batch, truth: &Truth) -> Option<Linear> {
        let rows = truth.rows();
        if rows == 0 || features.rows() != rows {
            return None;
        }
        let design = Design::of(features);
        if design.width() == 0 {
            return None;
        }
        let matrix = design.matrix(features);
        let width = design.width();
        let flag = |flag: bool| f64::from(u8::from(flag));
        let coefficients = match truth {
            Truth::Numbers(values) => vec![solve::ridge(&matrix, width, values, PENALTY)?],
            Truth::Binary(values) => {
                let values: Vec<f64> = values.iter().map(|value| flag(*value)).collect();
                vec![solve::logistic(&matrix, width, &values, PENALTY, STEPS_MAX)?]
            }
            Truth::Classes { count, values } => {
                let against_the_rest = |class: usize| {
                    let values: Vec<f64> = values.iter().map(|value| flag(*value == class)).collect();
                    solve::logistic(&matrix, width, &values, PENALTY, STEPS_MAX)
                };
                (0..*count).map(against_the_rest).collect::<Option<_>>()?
            }
        };
        Some(Linear { design, problem: truth.problem(), coefficients })
    }

    /// Features that found no place among the [`WIDTH_MAX`] columns a model has at most.
    pub fn left_out(&self) -> &[String] {
        self.design.left_out()
    }

    /// Predicts the rows of a batch with the features it was learned from.
    pub fn predict(&self, features: &Batch) -> Prediction {
        let matrix = self.design.matrix(features);
        let width = self.design.width();
        let margin = |row: &[f64], coefficients: &[f64]| {
            coefficients[0] + row.iter().zip(&coefficients[1..]).map(|(x, w)| x * w).sum::<f64>()
        };
        let rows = matrix.chunks(width);
        match self.problem {
            ProblemType::Regression => {
                Prediction::Numbers(rows.map(|row| margin(row, &self.coefficients[0])).collect())
            }
            ProblemType::Binary => Prediction::Probabilities(
                rows.map(|row| solve::logistic_of(margin(row, &self.coefficients[0]))).collect(),
            ),
            ProblemType::Multiclass => {
                let classes = self.coefficients.len();
                let mut values = Vec::with_capacity(features.rows() * classes);
                for row in rows {
                    let from = values.len();
                    values.extend(self.coefficients.iter().map(|own| solve::logistic_of(margin(row, own))));
                    let sum: f64 = values[from..].iter().sum();
                    for value in &mut values[from..] {
                        *value = if sum > 0.0 { *value / sum } else { 1.0 / classes as f64 };
                    }
                }
                Prediction::Distributions { classes, values }
            }
        }
    }
}

#[cfg(test)]
mod tests;
