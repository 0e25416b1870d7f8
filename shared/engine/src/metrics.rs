//! How good are predictions, now that the truth is known?
//!
//! Definitions are scikit-learn's, so that anybody can check a number: `log_loss` clips
//! probabilities at the machine epsilon, `pr_auc` is the average precision (no interpolation),
//! classes are called at one half or by the largest probability, `macro_…` averages over the
//! classes that occur and `weighted_…` weighs them by their rows. What a metric cannot say of the
//! rows at hand (the area under a curve with one class only) is undefined, never a number.

pub mod binary;
pub mod confusion;
pub mod curve;
pub mod multiclass;
pub mod regression;
pub mod reliability;
pub mod truth;

use std::borrow::Cow;
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

/// A number about predictions; in files by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Metric {
    /// Root mean squared error, in the target's unit.
    Rmse,
    /// Mean absolute error, in the target's unit.
    Mae,
    /// Share of the target's variance explained; undefined where the target is constant.
    R2,
    /// Mean absolute percentage error, as a share; undefined where a target is zero.
    Mape,
    /// Median absolute error, in the target's unit.
    MedianAe,
    /// Mean pinball loss of a declared quantile, in the target's unit: what predictions of that
    /// quantile make smallest (Koenker and Bassett 1978).
    Pinball(Quantile),
    /// Mean log loss, natural logarithm.
    LogLoss,
    /// Area under the ROC curve; undefined with one class only. With several classes the mean of
    /// each against the rest; undefined where one does not occur, or for too many.
    RocAuc,
    /// Average precision; undefined without positives. With several classes as [`Metric::RocAuc`].
    PrAuc,
    /// Share of rows whose likeliest class is right.
    Accuracy,
    /// Mean of the classes' recalls; undefined where a class of two does not occur.
    BalancedAccuracy,
    /// Share of rows called yes that are; undefined where none is called so.
    Precision,
    /// Share of the positives called yes; undefined without positives.
    Recall,
    /// Harmonic mean of precision and recall at one half; undefined without positives.
    F1,
    /// Mean squared error of the probabilities: of the second class for two, summed over all
    /// classes for several.
    Brier,
    /// Expected calibration error over ten bins of equal width: the mean distance, weighed by
    /// rows, between the probability and what happened (of the likeliest class for several).
    CalibrationError,
    /// Mean of the classes' precisions; one that is never called has 0.
    MacroPrecision,
    /// Mean of the classes' recalls; one that is called and never happens has 0.
    MacroRecall,
    /// Mean of the classes' F1.
    MacroF1,
    /// The classes' precisions, weighed by their rows.
    WeightedPrecision,
    /// The classes' F1, weighed by their rows.
    WeightedF1,
}

/// A quantile in thousandths, 1 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantile(u16);

impl Quantile {
    /// A share from 0.001 to 0.999 with three decimals at most; nothing otherwise.
    pub fn new(share: f64) -> Option<Quantile> {
        let thousandths = (share * 1_000.0).round();
        let is_whole = (share * 1_000.0 - thousandths).abs() < 1e-9;
        // The cast is exact within the range that is asked for first.
        ((1.0..=999.0).contains(&thousandths) && is_whole).then_some(Quantile(thousandths as u16))
    }

    /// The share.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }
}

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The smaller the better.
    Lower,
    /// The larger the better.
    Higher,
}

const REGRESSION: [Metric; 5] = [Metric::Rmse, Metric::Mae, Metric::R2, Metric::Mape, Metric::MedianAe];

const BINARY: [Metric; 10] = [
    Metric::LogLoss,
    Metric::RocAuc,
    Metric::PrAuc,
    Metric::Accuracy,
    Metric::F1,
    Metric::Brier,
    Metric::BalancedAccuracy,
    Metric::Precision,
    Metric::Recall,
    Metric::CalibrationError,
];

const MULTICLASS: [Metric; 12] = [
    Metric::LogLoss,
    Metric::Accuracy,
    Metric::MacroF1,
    Metric::BalancedAccuracy,
    Metric::MacroPrecision,
    Metric::MacroRecall,
    Metric::WeightedPrecision,
    Metric::WeightedF1,
    Metric::Brier,
    Metric::CalibrationError,
    Metric::RocAuc,
    Metric::PrAuc,
];

impl Metric {
    /// The metrics of a problem type that need no declaration; the first is the headline.
    pub fn of(problem: ProblemType) -> &'static [Metric] {
        match problem {
            ProblemType::Regression => &REGRESSION,
            ProblemType::Binary => &BINARY,
            ProblemType::Multiclass => &MULTICLASS,
        }
    }

    /// The name in files: `rmse`, `roc_auc`, `pinball_0.9`.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Metric::Rmse => "rmse",
            Metric::Mae => "mae",
            Metric::R2 => "r2",
            Metric::Mape => "mape",
            Metric::MedianAe => "median_ae",
            Metric::Pinball(quantile) => return Cow::Owned(format!("pinball_{}", quantile.share())),
            Metric::LogLoss => "log_loss",
            Metric::RocAuc => "roc_auc",
            Metric::PrAuc => "pr_auc",
            Metric::Accuracy => "accuracy",
            Metric::BalancedAccuracy => "balanced_accuracy",
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::F1 => "f1",
            Metric::Brier => "brier",
            Metric::CalibrationError => "calibration_error",
            Metric::MacroPrecision => "macro_precision",
            Metric::MacroRecall => "macro_recall",
            Metric::MacroF1 => "macro_f1",
            Metric::WeightedPrecision => "weighted_precision",
            Metric::WeightedF1 => "weighted_f1",
        })
    }

    /// The metric of this name among those of a problem type; of a regression also any pinball
    /// loss.
    pub fn named(name: &str, problem: ProblemType) -> Option<Metric> {
        if let (Some(share), ProblemType::Regression) = (name.strip_prefix("pinball_"), problem) {
            return share.parse().ok().and_then(Quantile::new).map(Metric::Pinball);
        }
        Metric::of(problem).iter().copied().find(|metric| metric.name() == name)
    }

    /// Which way it improves.
    pub fn better(self) -> Better {
        match self {
            Metric::Rmse
            | Metric::Mae
            | Metric::Mape
            | Metric::MedianAe
            | Metric::Pinball(_)
            | Metric::LogLoss
            | Metric::Brier
            | Metric::CalibrationError => Better::Lower,
            _ => Better::Higher,
        }
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> String {
        metric.name().into_owned()
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(name: String) -> Result<Metric, String> {
        let problems = [ProblemType::Regression, ProblemType::Binary, ProblemType::Multiclass];
        let found = problems.into_iter().find_map(|problem| Metric::named(&name, problem));
        found.ok_or_else(|| format!("unknown metric {name:?}"))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
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
    metrics: Vec<Metric>,
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
        Ok(Outcomes { problem, metrics: Metric::of(problem).to_vec(), rows: truth.rows(), scores })
    }

    /// Adds the pinball losses of these quantiles to a regression's metrics.
    #[must_use]
    pub fn with_quantiles(mut self, quantiles: &[Quantile]) -> Outcomes {
        if let Scores::Regression(scores) = &mut self.scores {
            scores.add_quantiles(quantiles);
            self.metrics.extend(quantiles.iter().copied().map(Metric::Pinball));
        }
        self
    }

    /// Which problem type they belong to.
    pub fn problem(&self) -> ProblemType {
        self.problem
    }

    /// What [`Outcomes::measure`] measures, in its order; the headline first.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
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

    /// The [`Outcomes::metrics`], in their order, on a resample; NaN where one is undefined.
    pub fn measure(&self, resample: &Resample, slots: &mut [f64]) {
        match &self.scores {
            Scores::Regression(scores) => scores.measure(resample, slots),
            Scores::Binary(scores) => scores.measure(resample, slots),
            Scores::Multiclass(scores) => scores.measure(resample, slots),
        }
    }

    /// The metrics of all rows; NaN where one is undefined.
    pub fn values(&self) -> Vec<f64> {
        let mut slots = vec![f64::NAN; self.metrics.len()];
        self.measure(&Resample::whole(self.rows), &mut slots);
        slots
    }
}

#[cfg(test)]
mod tests;
