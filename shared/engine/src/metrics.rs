//! How good are predictions, now that the truth is known?
//!
//! Definitions are scikit-learn's, so that anybody can check a number: `log_loss` clips
//! probabilities at the machine epsilon, `pr_auc` is the average precision (no interpolation),
//! `accuracy` and `f1` cut at one half, `macro_f1` averages over the classes that occur.

pub mod binary;
pub mod multiclass;
pub mod regression;
pub mod truth;

use std::fmt;

use domain::Problem;
use domain::pipeline::ProblemType;
use serde::{Deserialize, Serialize};

use crate::statistics::Interval;
use crate::statistics::bootstrap::Resample;

pub use truth::{Prediction, Truth};

/// A loss that each row has by itself: what paired comparisons and drift of the error rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// (prediction − truth)².
    SquaredError,
    /// −ln of the probability given to what happened.
    LogLoss,
}

impl Loss {
    /// The loss of a problem type.
    pub fn of(problem: ProblemType) -> Loss {
        match problem {
            ProblemType::Regression => Loss::SquaredError,
            ProblemType::Binary | ProblemType::Multiclass => Loss::LogLoss,
        }
    }

    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Loss::SquaredError => "squared error",
            Loss::LogLoss => "log loss",
        }
    }
}

/// A number about predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Root mean squared error, in the target's unit.
    Rmse,
    /// Mean absolute error, in the target's unit.
    Mae,
    /// Share of the target's variance explained; undefined where the target is constant.
    R2,
    /// Mean absolute percentage error, as a share; undefined where a target is zero.
    Mape,
    /// Mean log loss, natural logarithm.
    LogLoss,
    /// Area under the ROC curve; undefined with one class only.
    RocAuc,
    /// Average precision; undefined without positives.
    PrAuc,
    /// Share of rows whose likeliest class is right.
    Accuracy,
    /// Harmonic mean of precision and recall at one half; undefined without positives.
    F1,
    /// Mean squared error of the probability.
    Brier,
    /// Mean of the classes' F1.
    MacroF1,
}

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The smaller the better.
    Lower,
    /// The larger the better.
    Higher,
}

impl Metric {
    /// The metrics of a problem type; the first is the headline.
    pub fn of(problem: ProblemType) -> &'static [Metric] {
        match problem {
            ProblemType::Regression => &[Metric::Rmse, Metric::Mae, Metric::R2, Metric::Mape],
            ProblemType::Binary => {
                &[Metric::LogLoss, Metric::RocAuc, Metric::PrAuc, Metric::Accuracy, Metric::F1, Metric::Brier]
            }
            ProblemType::Multiclass => &[Metric::LogLoss, Metric::Accuracy, Metric::MacroF1],
        }
    }

    /// The name in files: `rmse`, `roc_auc`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Rmse => "rmse",
            Metric::Mae => "mae",
            Metric::R2 => "r2",
            Metric::Mape => "mape",
            Metric::LogLoss => "log_loss",
            Metric::RocAuc => "roc_auc",
            Metric::PrAuc => "pr_auc",
            Metric::Accuracy => "accuracy",
            Metric::F1 => "f1",
            Metric::Brier => "brier",
            Metric::MacroF1 => "macro_f1",
        }
    }

    /// The metric of this name among those of a problem type.
    pub fn named(name: &str, problem: ProblemType) -> Option<Metric> {
        Metric::of(problem).iter().copied().find(|metric| metric.name() == name)
    }

    /// Which way it improves.
    pub fn better(self) -> Better {
        match self {
            Metric::Rmse | Metric::Mae | Metric::Mape | Metric::LogLoss | Metric::Brier => Better::Lower,
            Metric::R2 | Metric::RocAuc | Metric::PrAuc | Metric::Accuracy | Metric::F1 | Metric::MacroF1 => {
                Better::Higher
            }
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A metric's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Which metric.
    pub metric: Metric,
    /// The value; absent where it is undefined.
    pub value: Option<f64>,
    /// Its bootstrap percentile interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// Predictions beside the truth, checked and prepared to be measured many times.
#[derive(Clone, Debug)]
pub struct Outcomes {
    problem: ProblemType,
    rows: usize,
    scores: Scores,
}

#[derive(Clone, Debug)]
enum Scores {
    Regression(regression::Scores),
    Binary(binary::Scores),
    Multiclass(multiclass::Scores),
}

impl Outcomes {
    /// Joins truth and prediction row by row. `file` is what errors name; they say which row.
    pub fn new(file: &str, truth: &Truth, prediction: &Prediction) -> Result<Outcomes, Problem> {
        truth::fit(file, truth, prediction)?;
        let (problem, scores) = match (truth, prediction) {
            (Truth::Numbers(truth), Prediction::Numbers(found)) => {
                (ProblemType::Regression, Scores::Regression(regression::Scores::new(truth, found)))
            }
            (Truth::Binary(truth), Prediction::Probabilities(found)) => {
                (ProblemType::Binary, Scores::Binary(binary::Scores::new(truth, found)))
            }
            (Truth::Classes { count, values }, Prediction::Distributions { values: found, .. }) => {
                (ProblemType::Multiclass, Scores::Multiclass(multiclass::Scores::new(*count, values, found)))
            }
            _ => unreachable!("fit refuses predictions of another problem type"),
        };
        Ok(Outcomes { problem, rows: truth.rows(), scores })
    }

    /// Which problem type they belong to.
    pub fn problem(&self) -> ProblemType {
        self.problem
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The loss of each row.
    pub fn losses(&self) -> &[f64] {
        match &self.scores {
            Scores::Regression(scores) => scores.losses(),
            Scores::Binary(scores) => scores.losses(),
            Scores::Multiclass(scores) => scores.losses(),
        }
    }

    /// The metrics of [`Metric::of`] the problem type, in that order, on a resample; NaN where
    /// one is undefined.
    pub fn measure(&self, resample: &Resample, slots: &mut [f64]) {
        match &self.scores {
            Scores::Regression(scores) => scores.measure(resample, slots),
            Scores::Binary(scores) => scores.measure(resample, slots),
            Scores::Multiclass(scores) => scores.measure(resample, slots),
        }
    }

    /// The metrics of all rows; NaN where one is undefined.
    pub fn values(&self) -> Vec<f64> {
        let mut slots = vec![f64::NAN; Metric::of(self.problem).len()];
        self.measure(&Resample::whole(self.rows), &mut slots);
        slots
    }
}

#[cfg(test)]
mod tests;
