//! What is wrong with a declared evaluation: names that are no metric, columns that are not served.

use std::collections::BTreeMap;

use domain::Problem;
use domain::pipeline::{Gates, ProblemType};

use super::fairness::Fairness;
use crate::metrics::{Metric, Quantile};
use crate::table::{Kind, Schema};

/// Columns of slices or groups at most: each is measured on its own.
const COLUMNS_MAX: usize = 16;

/// Every problem of the section `evaluation`, each with its field; `serving` are the columns that
/// requests carry.
pub fn problems(file: &str, gates: &Gates, problem: ProblemType, serving: &Schema) -> Vec<Problem> {
    let mut found = Vec::new();
    let metrics: Vec<String> = Metric::of(problem).iter().map(|metric| metric.name().into_owned()).collect();
    let is_metric = |name: &str| {
        let metric = Metric::named(name, problem);
        let is_declared = |metric: Metric| match metric {
            Metric::Pinball(quantile) => {
                gates.quantiles.iter().any(|own| Quantile::new(*own) == Some(quantile))
            }
            _ => true,
        };
        metric.is_some_and(is_declared)
    };
    let measures: Vec<String> =
        Fairness::of(problem).iter().map(|measure| measure.name().to_owned()).collect();
    let is_measure = |name: &str| Fairness::named(name, problem).is_some();
    let mut bounds =
        |section: &str, bounds: &BTreeMap<String, f64>, is_known: &dyn Fn(&str) -> bool, known: &[String]| {
            for (name, bound) in bounds {
                let field = format!("{section}.{name}");
                if !is_known(name) {
                    let mut fault =
                        Problem::new(file, "unknown metric").field(field).found(format!("{name:?}"));
                    fault = fault.expected(format!("one of {}", known.join(", ")));
                    if name.starts_with("pinball_") && problem == ProblemType::Regression {
                        fault = fault.hint("declare its quantile in `evaluation.quantiles`");
                    }
                    found.push(fault);
                } else if !bound.is_finite() {
                    let fault = Problem::new(file, "out of range").field(field).found(bound);
                    found.push(fault.expected("a finite number"));
                }
            }
        };
    bounds("evaluation.maximum", &gates.maximum, &is_metric, &metrics);
    bounds("evaluation.minimum", &gates.minimum, &is_metric, &metrics);
    for (place, slice) in gates.slices.iter().enumerate() {
        bounds(&format!("evaluation.slices.{place}.maximum"), &slice.maximum, &is_metric, &metrics);
        bounds(&format!("evaluation.slices.{place}.minimum"), &slice.minimum, &is_metric, &metrics);
    }
    for (place, group) in gates.fairness.iter().enumerate() {
        bounds(&format!("evaluation.fairness.{place}.maximum"), &group.maximum, &is_measure, &measures);
        bounds(&format!("evaluation.fairness.{place}.minimum"), &group.minimum, &is_measure, &measures);
    }
    for (section, columns) in [("slices", &gates.slices), ("fairness", &gates.fairness)] {
        if columns.len() > COLUMNS_MAX {
            let fault = Problem::new(file, "too many columns").field(format!("evaluation.{section}"));
            found.push(fault.found(columns.len()).expected(format!("at most {COLUMNS_MAX}")));
        }
        for (place, declared) in columns.iter().enumerate() {
            let field = format!("evaluation.{section}.{place}.column");
            let name = &declared.column;
            let fault = |rule: &str| Problem::new(file, rule).field(field.clone()).found(format!("{name:?}"));
            let column = serving.fields.iter().find(|field| field.name == *name);
            if columns[..place].iter().any(|before| before.column == *name) {
                found.push(fault("column listed twice"));
            }
            match column {
                None => {
                    let known: Vec<&str> = serving.fields.iter().map(|field| field.name.as_str()).collect();
                    found.push(
                        fault("not a column that requests carry")
                            .expected(format!("one of {}", known.join(", ")))
                            .hint("a column in `drop` is carried and not seen by the model"),
                    );
                }
                Some(column)
                    if section == "fairness" && matches!(column.kind, Kind::Date | Kind::Timestamp) =>
                {
                    found.push(fault("kind of a group").expected("a text, a truth value or a number"));
                }
                Some(_) => {}
            }
        }
    }
    for (place, share) in gates.quantiles.iter().enumerate() {
        let field = format!("evaluation.quantiles.{place}");
        if problem != ProblemType::Regression {
            let fault = Problem::new(file, "quantiles of classes").field(field);
            found.push(fault.found(share).expected("no quantiles: the problem is no regression"));
        } else if Quantile::new(*share).is_none() {
            let fault = Problem::new(file, "out of range").field(field).found(share);
            found.push(fault.expected("0.001 to 0.999, with three decimals at most"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(declared: serde_json::Value, problem: ProblemType) -> Vec<String> {
        let gates: Gates = serde_json::from_value(declared).unwrap();
        let serving = Schema::of([("region", Kind::Text), ("at", Kind::Date)]);
        problems("p.yaml", &gates, problem, &serving).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn what_is_declared_soundly_has_no_problem() {
        let sound = serde_json::json!({
            "maximum": {"rmse": 3.0, "pinball_0.9": 1.0}, "quantiles": [0.1, 0.9],
            "slices": [{"column": "region", "maximum": {"mae": 4.0}}, {"column": "at"}],
            "fairness": [{"column": "region", "minimum": {"loss_ratio": 0.8}}],
        });
        assert_eq!(told(sound, ProblemType::Regression), [""; 0]);
    }

    #[test]
    fn mistakes_are_named_by_field() {
        let wrong = serde_json::json!({
            "maximum": {"rmsee": 3.0}, "minimum": {"pinball_0.9": 1.0}, "quantiles": [0.0, 0.5],
            "slices": [{"column": "regoin"}, {"column": "region", "minimum": {"f1": 0.5}}],
            "fairness": [{"column": "at", "maximum": {"equalized_odds_difference": 0.1}}, {"column": "at"}],
        });
        let told = told(wrong, ProblemType::Regression);
        for (told, expected) in told.iter().zip([
            "p.yaml: evaluation.maximum.rmsee: unknown metric: found \"rmsee\", expected one of rmse, mae, r2",
            "p.yaml: evaluation.minimum.pinball_0.9: unknown metric",
            "p.yaml: evaluation.slices.1.minimum.f1: unknown metric",
            "p.yaml: evaluation.fairness.0.maximum.equalized_odds_difference: unknown metric: found \"equalized_odds_difference\", expected one of loss_difference, loss_ratio",
            "p.yaml: evaluation.slices.0.column: not a column that requests carry: found \"regoin\", expected one of region, at",
            "p.yaml: evaluation.fairness.0.column: kind of a group",
            "p.yaml: evaluation.fairness.1.column: column listed twice",
            "p.yaml: evaluation.fairness.1.column: kind of a group",
            "p.yaml: evaluation.quantiles.0: out of range: found 0, expected 0.001 to 0.999",
        ]) {
            assert!(told.starts_with(expected), "{told}");
        }
        assert_eq!(told.len(), 9, "{told:#?}");
        let classes = self::told(serde_json::json!({"quantiles": [0.5]}), ProblemType::Binary);
        assert!(classes[0].contains("no quantiles"), "{classes:?}");
    }
}
