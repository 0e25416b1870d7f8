//! How is it to be learned: SageMaker's `hyperparameters.json`, whose values are all texts.

use std::collections::BTreeMap;
use std::str::FromStr;

use domain::Problem;
use domain::pipeline::ProblemType;
use serde_json::Value;

/// Most rounds of one training; a validation channel stops far earlier.
const ROUNDS_MAX: u32 = 100_000;

/// The settings of one training. Names and meanings are XGBoost's.
#[derive(Clone, Debug, PartialEq)]
pub struct Hyperparameters {
    /// `problem`: regression, binary or multiclass; by default what the target's kind suggests.
    pub problem: Option<ProblemType>,
    /// Most boosting rounds.
    pub num_round: u32,
    /// The share of each tree that is added.
    pub eta: f64,
    /// Deepest tree.
    pub max_depth: u32,
    /// Least sum of second derivatives in a leaf.
    pub min_child_weight: f64,
    /// Share of rows drawn for each tree.
    pub subsample: f64,
    /// Share of features drawn for each tree.
    pub colsample_bytree: f64,
    /// L2 penalty on leaves.
    pub lambda: f64,
    /// L1 penalty on leaves.
    pub alpha: f64,
    /// Least gain of a split.
    pub gamma: f64,
    /// Rounds without a better validation loss before it stops; 0 never stops early.
    pub early_stopping_rounds: u32,
    /// Where the drawing of rows and features begins.
    pub seed: u64,
    /// Threads; 0 takes every core. The model does not depend on it.
    pub nthread: usize,
}

impl Default for Hyperparameters {
    fn default() -> Hyperparameters {
        Hyperparameters {
            problem: None,
            num_round: 300,
            eta: 0.1,
            max_depth: 6,
            min_child_weight: 1.0,
            subsample: 1.0,
            colsample_bytree: 1.0,
            lambda: 1.0,
            alpha: 0.0,
            gamma: 0.0,
            early_stopping_rounds: 20,
            seed: 0,
            nthread: 0,
        }
    }
}

const NAMES: &str = "problem, num_round, eta, max_depth, min_child_weight, subsample, colsample_bytree, lambda, alpha, \
                     gamma, early_stopping_rounds, seed, nthread";

impl Hyperparameters {
    /// Reads the file's bytes. Names that the platform adds (`_tuning_objective_metric`,
    /// `sagemaker_…`) are passed over; any other unknown name is refused.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn from_json(bytes: &[u8]) -> Result<Hyperparameters, Vec<Problem>> {
        let written: BTreeMap<String, Value> = serde_json::from_slice(bytes).map_err(|fault| {
            vec![problem("not hyperparameters").found(&fault).expected("an object whose values are texts")]
        })?;
        let mut settings = Hyperparameters::default();
        let mut problems = Vec::new();
        for (name, value) in &written {
            if name.starts_with('_') || name.starts_with("sagemaker_") {
                continue;
            }
            let text = match value {
                // Some clients write the text as JSON inside the text: "\"binary\"".
                Value::String(text) => text.trim().trim_matches('"').to_owned(),
                other => other.to_string(),
            };
            if let Err(problem) = settings.set(name, &text) {
                problems.push(problem.field(name));
            }
        }
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), Problem> {
        match name {
            "problem" => {
                let problem_type = match text {
                    "regression" => ProblemType::Regression,
                    "binary" => ProblemType::Binary,
                    "multiclass" => ProblemType::Multiclass,
                    _ => {
                        return Err(problem("unknown problem")
                            .found(text)
                            .expected("regression, binary or multiclass"));
                    }
                };
                self.problem = Some(problem_type);
            }
            "num_round" => self.num_round = number(text, |n| (1..=ROUNDS_MAX).contains(n), "1 to 100000")?,
            "eta" => self.eta = number(text, |n| *n > 0.0 && *n <= 1.0, "above 0, at most 1")?,
            "max_depth" => self.max_depth = number(text, |n| (1..=16).contains(n), "1 to 16")?,
            "min_child_weight" => self.min_child_weight = at_least_zero(text)?,
            "subsample" => self.subsample = number(text, |n| *n > 0.0 && *n <= 1.0, "above 0, at most 1")?,
            "colsample_bytree" => {
                self.colsample_bytree = number(text, |n| *n > 0.0 && *n <= 1.0, "above 0, at most 1")?;
            }
            "lambda" => self.lambda = at_least_zero(text)?,
            "alpha" => self.alpha = at_least_zero(text)?,
            "gamma" => self.gamma = at_least_zero(text)?,
            "early_stopping_rounds" => {
                self.early_stopping_rounds = number(text, |n| *n <= ROUNDS_MAX, "0 (never) to 100000")?;
            }
            "seed" => self.seed = number(text, |n| i64::try_from(*n).is_ok(), "0 to 9223372036854775807")?,
            "nthread" => self.nthread = number(text, |n| *n <= 1_024, "0 (every core) to 1024")?,
            _ => {
                return Err(problem("unknown hyperparameter")
                    .found(name)
                    .expected(format!("one of {NAMES}")));
            }
        }
        Ok(())
    }
}

fn problem(rule: &str) -> Problem {
    Problem::new("hyperparameters.json", rule)
}

fn number<T: FromStr>(text: &str, fits: impl Fn(&T) -> bool, expected: &str) -> Result<T, Problem> {
    match text.parse::<T>() {
        Ok(value) if fits(&value) => Ok(value),
        _ => Err(problem("out of range").found(text).expected(expected)),
    }
}

fn at_least_zero(text: &str) -> Result<f64, Problem> {
    number(text, |n: &f64| *n >= 0.0 && n.is_finite(), "0 or more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_from_texts_and_the_platforms_names_are_passed_over() {
        let text = br#"{"eta": "0.3", "num_round": "12", "problem": "\"binary\"", "seed": 7,
                        "_tuning_objective_metric": "x", "sagemaker_program": "y"}"#;
        let expected = Hyperparameters {
            eta: 0.3,
            num_round: 12,
            problem: Some(ProblemType::Binary),
            seed: 7,
            ..Default::default()
        };
        assert_eq!(Hyperparameters::from_json(text).unwrap(), expected);
    }

    #[test]
    fn unknown_names_and_bad_values_are_refused_together() {
        let text = br#"{"learning_rate": "0.3", "eta": "NaN", "max_depth": "-1", "lambda": "inf", "problem": "rank"}"#;
        let problems = Hyperparameters::from_json(text).unwrap_err();
        let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.field.as_deref()).collect();
        assert_eq!(fields, ["eta", "lambda", "learning_rate", "max_depth", "problem"]);
        assert!(Hyperparameters::from_json(b"[1]").is_err());
    }
}
