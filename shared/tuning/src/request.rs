//! A search as SageMaker is asked for it: `HyperParameterTuningJobConfig`.

use domain::tuning::{Direction, EarlyStopping, Scaling, Strategy, Tuning, text_of};
use serde_json::{Value, json};

use crate::metric;

/// The `HyperParameterTuningJobConfig` of `CreateHyperParameterTuningJob`. Nothing that is
/// declared is left out but the metrics, which stand with the program ([`metric_definitions`]).
pub fn config(tuning: &Tuning) -> Value {
    let mut config = json!({
        "Strategy": match tuning.strategy {
            Strategy::Random => "Random",
            Strategy::Bayesian => "Bayesian",
            Strategy::Hyperband => "Hyperband",
            Strategy::Grid => "Grid",
        },
        "HyperParameterTuningJobObjective": {
            "Type": match tuning.objective.direction {
                Direction::Minimize => "Minimize",
                Direction::Maximize => "Maximize",
            },
            "MetricName": tuning.objective.metric,
        },
        "ResourceLimits": {"MaxParallelTrainingJobs": tuning.limits.max_parallel},
        "ParameterRanges": ranges(tuning),
        "TrainingJobEarlyStoppingType": match tuning.early_stopping {
            EarlyStopping::Off => "Off",
            EarlyStopping::Auto => "Auto",
        },
        "RandomSeed": tuning.seed,
    });
    if let Some(trials) = tuning.limits.max_trials {
        config["ResourceLimits"]["MaxNumberOfTrainingJobs"] = json!(trials);
    }
    if let Some(seconds) = tuning.limits.max_runtime_seconds {
        config["ResourceLimits"]["MaxRuntimeInSeconds"] = json!(seconds);
    }
    if let Some(band) = tuning.hyperband {
        let band = json!({"MinResource": band.min_resource, "MaxResource": band.max_resource});
        config["StrategyConfig"] = json!({ "HyperbandStrategyConfig": band });
    }
    if let Some(target) = tuning.completion.target {
        config["TuningJobCompletionCriteria"]["TargetObjectiveMetricValue"] = json!(target);
    }
    if let Some(trials) = tuning.completion.not_improving {
        config["TuningJobCompletionCriteria"]["BestObjectiveNotImproving"] =
            json!({"MaxNumberOfTrainingJobsNotImproving": trials});
    }
    config
}

/// The `MetricDefinitions` of the training jobs' `AlgorithmSpecification`: those declared, and the
/// objective's as it is understood where none is declared.
pub fn metric_definitions(tuning: &Tuning) -> Value {
    let mut metrics = tuning.metrics.clone();
    metrics.insert(tuning.objective.metric.clone(), metric::pattern(tuning));
    metrics.iter().map(|(name, regex)| json!({"Name": name, "Regex": regex})).collect()
}

fn ranges(tuning: &Tuning) -> Value {
    let scaling = |scaling| match scaling {
        Scaling::Auto => "Auto",
        Scaling::Linear => "Linear",
        Scaling::Logarithmic => "Logarithmic",
        Scaling::ReverseLogarithmic => "ReverseLogarithmic",
    };
    // SageMaker takes the ends of a range as texts.
    let range = |name: &str, min: String, max: String, scale| json!({"Name": name, "MinValue": min, "MaxValue": max, "ScalingType": scaling(scale)});
    let ranges = &tuning.ranges;
    let integer = ranges.integer.iter();
    let integer = integer.map(|(name, it)| range(name, it.min.to_string(), it.max.to_string(), it.scaling));
    let continuous = ranges.continuous.iter();
    let continuous =
        continuous.map(|(name, it)| range(name, it.min.to_string(), it.max.to_string(), it.scaling));
    let categorical = ranges.categorical.iter().map(
        |(name, choices)| json!({"Name": name, "Values": choices.iter().map(text_of).collect::<Vec<_>>()}),
    );
    json!({
        "IntegerParameterRanges": integer.collect::<Vec<_>>(),
        "ContinuousParameterRanges": continuous.collect::<Vec<_>>(),
        "CategoricalParameterRanges": categorical.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_asked_for_in_sagemakers_words() {
        let declared = json!({
            "strategy": "hyperband", "objective": {"metric": "validation:auc", "type": "maximize"},
            "ranges": {
                "integer": {"max_depth": {"min": 2, "max": 10}},
                "continuous": {"eta": {"min": 0.001, "max": 0.5, "scaling": "logarithmic"}},
                "categorical": {"booster": ["gbtree", "dart"], "flag": [true]},
            },
            "limits": {"max_trials": 40, "max_parallel": 2, "max_runtime_seconds": 3600},
            "hyperband": {"min_resource": 5, "max_resource": 200},
            "completion": {"target": 0.95, "not_improving": 10},
            "metrics": {"other": "other=(.*)"},
            "seed": 7,
        });
        let tuning: Tuning = serde_json::from_value(declared).unwrap();
        // The shape of botocore's service model of sagemaker 2017-07-24.
        let expected = json!({
            "Strategy": "Hyperband",
            "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 5, "MaxResource": 200}},
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:auc"},
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": 40, "MaxParallelTrainingJobs": 2, "MaxRuntimeInSeconds": 3600,
            },
            "ParameterRanges": {
                "IntegerParameterRanges": [
                    {"Name": "max_depth", "MinValue": "2", "MaxValue": "10", "ScalingType": "Auto"},
                ],
                "ContinuousParameterRanges": [
                    {"Name": "eta", "MinValue": "0.001", "MaxValue": "0.5", "ScalingType": "Logarithmic"},
                ],
                "CategoricalParameterRanges": [
                    {"Name": "booster", "Values": ["gbtree", "dart"]}, {"Name": "flag", "Values": ["true"]},
                ],
            },
            "TrainingJobEarlyStoppingType": "Off",
            "TuningJobCompletionCriteria": {
                "TargetObjectiveMetricValue": 0.95,
                "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 10},
            },
            "RandomSeed": 7,
        });
        assert_eq!(config(&tuning), expected);
        let definitions = metric_definitions(&tuning);
        assert_eq!(definitions[0], json!({"Name": "other", "Regex": "other=(.*)"}));
        assert_eq!(definitions[1]["Name"], "validation:auc");
    }
}
