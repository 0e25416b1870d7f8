//! What is wrong with a declared search, before anything is spent on it.
//!
//! Where SageMaker has a rule or a bound it is the same here, so that what runs on one machine is
//! accepted there.

use std::collections::{BTreeMap, BTreeSet};

use domain::pipeline::{ProblemType, Program};
use domain::tuning::{
    ContinuousRange, Direction, EarlyStopping, IntegerRange, Scaling, Strategy, Tuning, text_of,
};
use domain::{Pipeline, Problem, limit};
use serde_json::Value;

use crate::metric;
use crate::space::Space;

/// Longest name of a hyperparameter or metric, and longest choice, in characters: SageMaker's.
const NAME_CHARS_MAX: usize = 255;

/// Whole numbers beyond are not told apart as 64-bit floats, on which the search works.
const WHOLE_MAX: i64 = 1 << 53;

/// Everything that is wrong with a pipeline's search; nothing where none is declared.
pub fn problems(pipeline: &Pipeline, file: &str) -> Vec<Problem> {
    let Some(tuning) = &pipeline.training.tuning else { return Vec::new() };
    let mut check = Check { file, tuning, found: Vec::new() };
    check.ranges(pipeline);
    check.limits();
    check.strategy();
    check.completion();
    check.metrics();
    if pipeline.training.program == Program::Boost {
        check.boost(pipeline);
    }
    check.found
}

struct Check<'a> {
    file: &'a str,
    tuning: &'a Tuning,
    found: Vec<Problem>,
}

/// The name of the loss that our own program prints.
fn loss(problem: ProblemType) -> &'static str {
    match problem {
        ProblemType::Regression => "rmse",
        ProblemType::Binary => "logloss",
        ProblemType::Multiclass => "mlogloss",
    }
}

impl Check<'_> {
    fn refuse(&mut self, field: &str, rule: &str, found: impl ToString, expected: impl ToString) {
        let problem = Problem::new(self.file, rule).field(format!("training.tuning.{field}"));
        self.found.push(problem.found(found.to_string()).expected(expected.to_string()));
    }

    fn ranges(&mut self, pipeline: &Pipeline) {
        let ranges = &self.tuning.ranges;
        let counts = [
            ("ranges.integer", ranges.integer.len()),
            ("ranges.continuous", ranges.continuous.len()),
            ("ranges.categorical", ranges.categorical.len()),
        ];
        if counts.iter().all(|(_, count)| *count == 0) {
            self.refuse(
                "ranges",
                "nothing to search",
                "no range",
                "an integer, continuous or categorical one",
            );
        }
        for (field, count) in counts {
            if count > limit::RANGES_MAX {
                self.refuse(field, "too many", count, format!("at most {}", limit::RANGES_MAX));
            }
        }
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        let kinds = [("integer", keys(&ranges.integer)), ("continuous", keys(&ranges.continuous))];
        for (kind, names) in kinds.into_iter().chain([("categorical", keys(&ranges.categorical))]) {
            for name in names {
                let field = format!("ranges.{kind}.{name}");
                if let Some(other) = known.insert(name, kind) {
                    self.refuse(
                        &field,
                        "declared twice",
                        format!("a range that is {other} too"),
                        "one range",
                    );
                }
                if pipeline.training.hyperparameters.contains_key(name) {
                    let found = "a value in training.hyperparameters too";
                    self.refuse(&field, "declared twice", found, "either a value or a range");
                }
                self.name(&field, name);
            }
        }
        for (name, range) in &ranges.integer {
            self.integer(&format!("ranges.integer.{name}"), *range);
        }
        for (name, range) in &ranges.continuous {
            self.continuous(&format!("ranges.continuous.{name}"), *range);
        }
        for (name, choices) in &ranges.categorical {
            self.categorical(&format!("ranges.categorical.{name}"), choices);
        }
    }

    fn name(&mut self, field: &str, name: &str) {
        let chars = name.chars().count();
        if !(1..=NAME_CHARS_MAX).contains(&chars) || name.chars().any(char::is_control) {
            self.refuse(
                field,
                "name",
                format!("{name:?}"),
                format!("1 to {NAME_CHARS_MAX} printable characters"),
            );
        }
    }

    fn integer(&mut self, field: &str, IntegerRange { min, max, scaling }: IntegerRange) {
        if min >= max {
            self.refuse(field, "empty range", format!("{min} to {max}"), "min below max");
        }
        if min < -WHOLE_MAX || max > WHOLE_MAX {
            self.refuse(field, "out of range", format!("{min} to {max}"), format!("within ±{WHOLE_MAX}"));
        }
        match scaling {
            Scaling::Logarithmic if min < 1 => {
                self.refuse(&format!("{field}.min"), "logarithmic", min, "1 or more");
            }
            Scaling::ReverseLogarithmic => {
                let field = format!("{field}.scaling");
                self.refuse(
                    &field,
                    "scaling",
                    "reverse_logarithmic",
                    "auto, linear or logarithmic for integers",
                );
            }
            _ => {}
        }
    }

    fn continuous(&mut self, field: &str, ContinuousRange { min, max, scaling }: ContinuousRange) {
        if !min.is_finite() || !max.is_finite() || !(max - min).is_finite() {
            return self.refuse(field, "out of range", format!("{min} to {max}"), "finite numbers");
        }
        if min >= max {
            self.refuse(field, "empty range", format!("{min} to {max}"), "min below max");
        }
        match scaling {
            Scaling::Logarithmic if min <= 0.0 => {
                self.refuse(&format!("{field}.min"), "logarithmic", min, "above 0");
            }
            Scaling::ReverseLogarithmic if min < 0.0 || max >= 1.0 => {
                self.refuse(field, "reverse_logarithmic", format!("{min} to {max}"), "from 0, and below 1");
            }
            _ => {}
        }
    }

    fn categorical(&mut self, field: &str, choices: &[Value]) {
        if !(1..=limit::CHOICES_MAX).contains(&choices.len()) {
            let expected = format!("1 to {} choices", limit::CHOICES_MAX);
            self.refuse(field, "choices", choices.len(), expected);
        }
        let mut known = BTreeSet::new();
        for choice in choices {
            let text = text_of(choice);
            if choice.is_array() || choice.is_object() || choice.is_null() {
                self.refuse(field, "choice", text, "a number, a text or a truth value");
            } else if text.chars().count() > NAME_CHARS_MAX {
                self.refuse(field, "choice", "a long text", format!("at most {NAME_CHARS_MAX} characters"));
            } else if !known.insert(text.clone()) {
                self.refuse(field, "choice", format!("{text:?} twice"), "each choice once");
            }
        }
    }

    fn limits(&mut self) {
        let limits = self.tuning.limits;
        let most = limit::TRIALS_MAX;
        match limits.max_trials {
            Some(trials) if !(1..=most).contains(&trials) => {
                self.refuse("limits.max_trials", "out of range", trials, format!("1 to {most}"));
            }
            None if self.tuning.strategy != Strategy::Grid => {
                self.refuse("limits.max_trials", "missing field", "nothing", format!("1 to {most}"));
            }
            _ => {}
        }
        let most = limit::TRIALS_PARALLEL_MAX;
        if !(1..=most).contains(&limits.max_parallel) {
            self.refuse("limits.max_parallel", "out of range", limits.max_parallel, format!("1 to {most}"));
        } else if limits.max_trials.is_some_and(|trials| (1..limits.max_parallel).contains(&trials)) {
            self.refuse("limits.max_parallel", "out of range", limits.max_parallel, "at most max_trials");
        }
        if let Some(seconds) = limits.max_runtime_seconds
            && !limit::SEARCH_SECONDS.contains(&seconds)
        {
            let (least, most) = (limit::SEARCH_SECONDS.start(), limit::SEARCH_SECONDS.end());
            let expected = format!("{least} to {most} seconds");
            self.refuse("limits.max_runtime_seconds", "out of range", seconds, expected);
        }
    }

    fn strategy(&mut self) {
        let tuning = self.tuning;
        match (tuning.strategy, tuning.hyperband) {
            (Strategy::Hyperband, None) => {
                let expected = "`hyperband: {min_resource: …, max_resource: …}` in rounds (epochs)";
                self.refuse("hyperband", "missing field", "nothing", expected);
            }
            (Strategy::Hyperband, Some(band)) => {
                if band.min_resource < 1 || band.min_resource > band.max_resource {
                    let expected = "1 or more, at most max_resource";
                    self.refuse("hyperband.min_resource", "out of range", band.min_resource, expected);
                }
                if band.max_resource > limit::RESOURCE_MAX {
                    let expected = format!("at most {} rounds", limit::RESOURCE_MAX);
                    self.refuse("hyperband.max_resource", "out of range", band.max_resource, expected);
                }
            }
            (_, Some(_)) => {
                self.refuse("hyperband", "not used", "it", "`strategy: hyperband`, or nothing here")
            }
            (_, None) => {}
        }
        if tuning.strategy == Strategy::Hyperband && tuning.early_stopping == EarlyStopping::Auto {
            self.refuse("early_stopping", "not used", "auto", "off: hyperband stops trials by its own rule");
        }
        if tuning.strategy == Strategy::Grid {
            let most = limit::TRIALS_MAX;
            match Space::of(&tuning.ranges).combinations() {
                None => self.refuse("ranges", "grid", "a range of numbers", "categorical ranges alone"),
                Some(all) if all > most.into() && tuning.limits.max_trials.is_none() => {
                    self.refuse("ranges", "grid", format!("{all} combinations"), format!("at most {most}"));
                }
                Some(_) => {}
            }
        }
    }

    fn completion(&mut self) {
        let completion = self.tuning.completion;
        if let Some(target) = completion.target.filter(|target| !target.is_finite()) {
            self.refuse("completion.target", "out of range", target, "a finite number");
        }
        if let Some(trials) = completion.not_improving.filter(|trials| *trials < limit::NOT_IMPROVING_MIN) {
            let expected = format!("{} trials or more", limit::NOT_IMPROVING_MIN);
            self.refuse("completion.not_improving", "out of range", trials, expected);
        }
    }

    fn metrics(&mut self) {
        self.name("objective.metric", &self.tuning.objective.metric);
        let metrics = &self.tuning.metrics;
        if metrics.len() > limit::METRICS_MAX {
            self.refuse("metrics", "too many", metrics.len(), format!("at most {}", limit::METRICS_MAX));
        }
        for (name, pattern) in metrics {
            let field = format!("metrics.{name}");
            self.name(&field, name);
            let chars = pattern.chars().count();
            if chars > limit::METRIC_REGEX_CHARS_MAX {
                let expected = format!("at most {} characters", limit::METRIC_REGEX_CHARS_MAX);
                self.refuse(&field, "regular expression", format!("{chars} characters"), expected);
            } else if let Err(reason) = metric::compiled(pattern) {
                let expected = format!("a regular expression whose first group is the number: {reason}");
                self.refuse(&field, "regular expression", format!("{pattern:?}"), expected);
            }
        }
    }

    /// What is known of our own program alone: what it prints, and from which rows.
    fn boost(&mut self, pipeline: &Pipeline) {
        let objective = &self.tuning.objective;
        let loss = loss(pipeline.problem);
        let (validation, train) = (format!("validation:{loss}"), format!("train:{loss}"));
        if objective.metric != validation && objective.metric != train {
            let expected = format!("{validation} or {train}, which boost prints");
            self.refuse("objective.metric", "unknown metric", format!("{:?}", objective.metric), expected);
        } else if objective.metric == validation && pipeline.split.validation <= 0.0 {
            self.refuse(
                "objective.metric",
                "no validation rows",
                &objective.metric,
                "split.validation above 0",
            );
        }
        if objective.direction == Direction::Maximize {
            self.refuse("objective.type", "direction", "maximize", "minimize: what boost prints is a loss");
        }
    }
}

fn keys<T>(map: &BTreeMap<String, T>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(changes: &[(&str, Value)]) -> Vec<String> {
        let mut pipeline = json!({
            "name": "taxi", "contract": "contract.yaml", "target": "fare", "problem": "regression",
            "approval": {"approvers": ["alice"]},
            "training": {"hyperparameters": {"seed": 7}, "tuning": {
                "objective": {"metric": "validation:rmse", "type": "minimize"},
                "ranges": {"continuous": {"eta": {"min": 0.01, "max": 0.3}}},
                "limits": {"max_trials": 20, "max_parallel": 2},
            }},
        });
        for (pointer, value) in changes {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            pipeline.pointer_mut(parent).unwrap()[name] = value.clone();
        }
        let pipeline: Pipeline = serde_json::from_value(pipeline).unwrap();
        let told = problems(&pipeline, "p.yaml").into_iter().map(|problem| problem.to_string());
        told.map(|problem| problem.trim_start_matches("p.yaml: training.tuning.").to_owned()).collect()
    }

    const T: &str = "/training/tuning";

    #[test]
    fn a_search_that_holds_has_no_problems() {
        assert_eq!(told(&[]), [""; 0]);
        assert_eq!(told(&[("/training/tuning", Value::Null)]), [""; 0]);
        let grid = json!({"categorical": {"max_depth": [4, 6], "booster": ["a"]}});
        let at = |field: &str| format!("{T}/{field}");
        assert_eq!(
            told(&[(&at("strategy"), json!("grid")), (&at("ranges"), grid), (&at("limits"), json!({}))]),
            [""; 0]
        );
        let band = json!({"min_resource": 5, "max_resource": 200});
        assert_eq!(told(&[(&at("strategy"), json!("hyperband")), (&at("hyperband"), band)]), [""; 0]);
    }

    #[test]
    fn every_mistake_is_named() {
        let continuous = |min: f64, max: f64, scaling: &str| json!({"continuous": {"eta": {"min": min, "max": max, "scaling": scaling}}});
        let integer = |min: i64, max: i64, scaling: &str| json!({"integer": {"n": {"min": min, "max": max, "scaling": scaling}}});
        let long = "x".repeat(501);
        let wide: Vec<u32> = (0..31).collect();
        for (field, value, expected) in [
            (
                "ranges",
                json!({}),
                "ranges: nothing to search: found no range, expected an integer, continuous or categorical one",
            ),
            (
                "ranges",
                continuous(0.3, 0.3, "auto"),
                "ranges.continuous.eta: empty range: found 0.3 to 0.3, expected min below max",
            ),
            (
                "ranges",
                continuous(0.0, 0.3, "logarithmic"),
                "ranges.continuous.eta.min: logarithmic: found 0, expected above 0",
            ),
            (
                "ranges",
                continuous(0.5, 1.0, "reverse_logarithmic"),
                "ranges.continuous.eta: reverse_logarithmic: found 0.5 to 1, expected from 0, and below 1",
            ),
            ("ranges", continuous(-1.7e308, 1.7e308, "auto"), "ranges.continuous.eta: out of range"),
            (
                "ranges",
                integer(4, 2, "auto"),
                "ranges.integer.n: empty range: found 4 to 2, expected min below max",
            ),
            (
                "ranges",
                integer(0, 2, "logarithmic"),
                "ranges.integer.n.min: logarithmic: found 0, expected 1 or more",
            ),
            (
                "ranges",
                integer(1, 2, "reverse_logarithmic"),
                "ranges.integer.n.scaling: scaling: found reverse_logarithmic, expected auto, linear or logarithmic for integers",
            ),
            (
                "ranges",
                integer(0, i64::MAX, "auto"),
                "ranges.integer.n: out of range: found 0 to 9223372036854775807, expected within ±9007199254740992",
            ),
            (
                "ranges",
                json!({"integer": {"a": {"min": 1, "max": 2}}, "categorical": {"a": [1]}}),
                "ranges.categorical.a: declared twice: found a range that is integer too, expected one range",
            ),
            (
                "ranges",
                json!({"integer": {"seed": {"min": 1, "max": 2}}}),
                "ranges.integer.seed: declared twice: found a value in training.hyperparameters too, expected either a value or a range",
            ),
            (
                "ranges",
                json!({"categorical": {"a": []}}),
                "ranges.categorical.a: choices: found 0, expected 1 to 30 choices",
            ),
            (
                "ranges",
                json!({"categorical": {"a": wide}}),
                "ranges.categorical.a: choices: found 31, expected 1 to 30 choices",
            ),
            (
                "ranges",
                json!({"categorical": {"a": ["1", 1]}}),
                "ranges.categorical.a: choice: found \"1\" twice, expected each choice once",
            ),
            (
                "ranges",
                json!({"categorical": {"a": [[1]]}}),
                "ranges.categorical.a: choice: found [1], expected a number, a text or a truth value",
            ),
            ("limits", json!({}), "limits.max_trials: missing field: found nothing, expected 1 to 750"),
            (
                "limits",
                json!({"max_trials": 0}),
                "limits.max_trials: out of range: found 0, expected 1 to 750",
            ),
            (
                "limits",
                json!({"max_trials": 751}),
                "limits.max_trials: out of range: found 751, expected 1 to 750",
            ),
            (
                "limits",
                json!({"max_trials": 3, "max_parallel": 4}),
                "limits.max_parallel: out of range: found 4, expected at most max_trials",
            ),
            (
                "limits",
                json!({"max_trials": 3, "max_parallel": 0}),
                "limits.max_parallel: out of range: found 0, expected 1 to 100",
            ),
            (
                "limits",
                json!({"max_trials": 3, "max_runtime_seconds": 60}),
                "limits.max_runtime_seconds: out of range: found 60, expected 120 to 15768000 seconds",
            ),
            (
                "strategy",
                json!("hyperband"),
                "hyperband: missing field: found nothing, expected `hyperband: {min_resource: …, max_resource: …}` in rounds (epochs)",
            ),
            (
                "strategy",
                json!("grid"),
                "ranges: grid: found a range of numbers, expected categorical ranges alone",
            ),
            (
                "hyperband",
                json!({"min_resource": 1, "max_resource": 9}),
                "hyperband: not used: found it, expected `strategy: hyperband`, or nothing here",
            ),
            (
                "completion",
                json!({"not_improving": 2}),
                "completion.not_improving: out of range: found 2, expected 3 trials or more",
            ),
            (
                "metrics",
                json!({"auc": "auc=("}),
                "metrics.auc: regular expression: found \"auc=(\", expected a regular expression whose first group is the number: unclosed group",
            ),
            (
                "metrics",
                json!({"auc": "auc"}),
                "metrics.auc: regular expression: found \"auc\", expected a regular expression whose first group is the number: it has no group `(…)` for the number",
            ),
            (
                "metrics",
                json!({"auc": long}),
                "metrics.auc: regular expression: found 501 characters, expected at most 500 characters",
            ),
            (
                "objective",
                json!({"metric": "auc", "type": "minimize"}),
                "objective.metric: unknown metric: found \"auc\", expected validation:rmse or train:rmse, which boost prints",
            ),
            (
                "objective",
                json!({"metric": "train:rmse", "type": "maximize"}),
                "objective.type: direction: found maximize, expected minimize: what boost prints is a loss",
            ),
        ] {
            let found = told(&[(&format!("{T}/{field}"), value)]);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{field}: {found:?}");
        }
        let band = |min: u32, max: u32| {
            let band = json!({"min_resource": min, "max_resource": max});
            told(&[(&format!("{T}/strategy"), json!("hyperband")), (&format!("{T}/hyperband"), band)])
        };
        assert_eq!(
            band(9, 3),
            ["hyperband.min_resource: out of range: found 9, expected 1 or more, at most max_resource"]
        );
        assert_eq!(
            band(1, 20_001),
            ["hyperband.max_resource: out of range: found 20001, expected at most 20000 rounds"]
        );
        let found = told(&[("/split", json!({"validation": 0.0}))]);
        assert_eq!(
            found,
            [
                "objective.metric: no validation rows: found validation:rmse, expected split.validation above 0"
            ]
        );
    }

    #[test]
    fn the_metrics_of_another_program_are_its_own() {
        let program = json!({"command": {"run": ["python3", "train.py"], "files": []}});
        let objective = json!({"metric": "auc", "type": "maximize"});
        let changes = [("/training/program", program), ("/training/tuning/objective", objective)];
        assert_eq!(told(&changes), [""; 0]);
    }
}
