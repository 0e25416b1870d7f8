//! How hyperparameters are to be searched for: what a person declares under `training.tuning`.
//!
//! It is SageMaker's `HyperParameterTuningJobConfig` in the words of our file: every field has one
//! there, and [the crate `tuning`] makes that JSON, checks what is declared, and searches.
//!
//! [the crate `tuning`]: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperParameterTuningJobConfig.html

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A search over hyperparameters (`HyperParameterTuningJobConfig`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// How the next trial is chosen (`Strategy`).
    #[serde(default)]
    pub strategy: Strategy,
    /// What is made small or large (`HyperParameterTuningJobObjective`).
    pub objective: Objective,
    /// What is searched (`ParameterRanges`).
    pub ranges: Ranges,
    /// How much may be spent (`ResourceLimits`).
    pub limits: Limits,
    /// Whether trials that fall behind are stopped (`TrainingJobEarlyStoppingType`).
    #[serde(default)]
    pub early_stopping: EarlyStopping,
    /// What the strategy `hyperband` must know (`StrategyConfig.HyperbandStrategyConfig`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hyperband: Option<Hyperband>,
    /// When it is enough before the limits are reached (`TuningJobCompletionCriteria`).
    #[serde(default, skip_serializing_if = "Completion::is_empty")]
    pub completion: Completion,
    /// How metrics are found in what a program prints: regular expressions by metric, whose first
    /// group is the number (`MetricDefinitions`). Where the objective has none, both
    /// `validation:rmse=0.3` and XGBoost's `validation-rmse:0.3` are understood.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, String>,
    /// Where the drawing begins (`RandomSeed`): an equal seed gives equal trials.
    #[serde(default)]
    pub seed: u32,
}

/// How the next trial is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Evenly over the ranges.
    Random,
    /// By what the trials so far have shown: a tree-structured Parzen estimator.
    #[default]
    Bayesian,
    /// Evenly over the ranges, and only the best third goes on from each rung of rounds (ASHA).
    Hyperband,
    /// Every combination of categories.
    Grid,
}

/// What is made small or large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// The metric (`MetricName`), as `validation:rmse`.
    pub metric: String,
    /// Which way is better (`Type`).
    #[serde(rename = "type")]
    pub direction: Direction,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Small is good.
    Minimize,
    /// Large is good.
    Maximize,
}

impl Direction {
    /// Whether the first value is better than the second. Neither may be NaN.
    pub fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            Direction::Minimize => value < than,
            Direction::Maximize => value > than,
        }
    }

    /// The value as something to be made small.
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Direction::Minimize => value,
            Direction::Maximize => -value,
        }
    }
}

/// What is searched: ranges by the hyperparameter's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ranges {
    /// Whole numbers (`IntegerParameterRanges`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub integer: BTreeMap<String, IntegerRange>,
    /// Numbers (`ContinuousParameterRanges`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub continuous: BTreeMap<String, ContinuousRange>,
    /// Choices without an order (`CategoricalParameterRanges`): texts, numbers or truth values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub categorical: BTreeMap<String, Vec<Value>>,
}

/// Whole numbers from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegerRange {
    /// The least.
    pub min: i64,
    /// The greatest.
    pub max: i64,
    /// How they are spread.
    #[serde(default)]
    pub scaling: Scaling,
}

/// Numbers from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContinuousRange {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How they are spread.
    #[serde(default)]
    pub scaling: Scaling,
}

/// How the values of a range are spread (`ScalingType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// Logarithmic where the range is above 0 and spans a factor of 100 or more, else linear.
    #[default]
    Auto,
    /// Evenly.
    Linear,
    /// Evenly over the logarithm: from 0.001 to 0.01 as much as from 0.01 to 0.1.
    Logarithmic,
    /// Evenly over the logarithm of the distance from 1, for what lies close below 1.
    ReverseLogarithmic,
}

/// How much may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most trials (`MaxNumberOfTrainingJobs`); for the strategy `grid`, all combinations where
    /// nothing is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_trials: Option<u32>,
    /// Most trials at once (`MaxParallelTrainingJobs`).
    #[serde(default = "one")]
    pub max_parallel: u32,
    /// Longest search in seconds (`MaxRuntimeInSeconds`); what was found by then counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runtime_seconds: Option<u64>,
}

fn one() -> u32 {
    1
}

/// Whether trials that fall behind are stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EarlyStopping {
    /// Every trial runs to its end.
    #[default]
    Off,
    /// A trial that is worse than the median of the earlier ones at the same point is stopped.
    Auto,
}

/// What the strategy `hyperband` must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hyperband {
    /// Rounds (epochs) that every trial gets (`MinResource`).
    pub min_resource: u32,
    /// Rounds (epochs) of a whole trial (`MaxResource`).
    pub max_resource: u32,
}

/// When it is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Completion {
    /// A value that is good enough (`TargetObjectiveMetricValue`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// So many trials one after the other that found nothing better
    /// (`BestObjectiveNotImproving.MaxNumberOfTrainingJobsNotImproving`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_improving: Option<u32>,
}

impl Completion {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        *self == Completion::default()
    }
}

/// A declared value as the text a program is given.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
