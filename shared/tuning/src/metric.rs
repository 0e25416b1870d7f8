//! What a line that a program printed says of the objective.

use domain::tuning::Tuning;
use regex::Regex;

/// How the objective is found in what a program prints.
#[derive(Clone, Debug)]
pub struct Metric {
    value: Regex,
    resource: Regex,
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// After how many rounds, where the line says so.
    pub resource: Option<u64>,
    /// The objective; it may be infinite or no number at all.
    pub value: f64,
}

/// A number as programs print it.
const NUMBER: &str = r"([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[nN]a[nN]|inf(?:inity)?))";

/// `#round=7`, `[7]` at the beginning as XGBoost and LightGBM print it, `epoch 7`, `step: 7`.
const RESOURCE: &str = r"(?:^\[|(?i:\b(?:round|epoch|iteration|iter|step))\s*[=:#]?\s*)(\d+)";

impl Metric {
    /// The objective's own definition, or what is understood where there is none.
    ///
    /// # Errors
    /// Where the definition is no regular expression with a group, and why.
    pub fn of(tuning: &Tuning) -> Result<Metric, String> {
        let resource = Regex::new(RESOURCE).unwrap_or_else(|_| unreachable!("a test compiles it"));
        Ok(Metric { value: compiled(&pattern(tuning))?, resource })
    }

    /// What a line says of the objective, if anything; of several times in a line the first.
    pub fn read(&self, line: &str) -> Option<Reading> {
        let value = self.value.captures(line)?.get(1)?.as_str().trim().parse().ok()?;
        let resource = self.resource.captures(line).and_then(|found| found.get(1)?.as_str().parse().ok());
        Some(Reading { resource, value })
    }
}

/// The regular expression of the objective.
pub(crate) fn pattern(tuning: &Tuning) -> String {
    let metric = &tuning.objective.metric;
    tuning.metrics.get(metric).cloned().unwrap_or_else(|| {
        // A channel and a loss are joined by a colon or, as XGBoost prints them, by a hyphen.
        let name = metric.split(':').map(regex::escape).collect::<Vec<_>>().join("[:-]");
        format!(r"(?:^|[^\w:.-]){name}\s*[=:]\s*{NUMBER}")
    })
}

/// A regular expression with a group for the number.
pub(crate) fn compiled(pattern: &str) -> Result<Regex, String> {
    let regex = Regex::new(pattern).map_err(|error| {
        // The last line says what is wrong; those before draw where.
        error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })?;
    if regex.captures_len() < 2 {
        return Err("it has no group `(…)` for the number".into());
    }
    Ok(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, pattern: Option<&str>) -> Metric {
        let mut tuning: Tuning = serde_json::from_value(serde_json::json!({
            "objective": {"metric": name, "type": "minimize"}, "ranges": {}, "limits": {},
        }))
        .unwrap();
        tuning.metrics.extend(pattern.map(|pattern| (name.to_owned(), pattern.to_owned())));
        Metric::of(&tuning).unwrap()
    }

    #[test]
    fn what_trainers_print_is_understood() {
        let loss = metric("validation:rmse", None);
        for (line, resource, value) in [
            // Our own, XGBoost's, LightGBM's shape, Keras', a last line without a round.
            ("#round=12 train:rmse=0.31 validation:rmse=0.33", Some(12), 0.33),
            ("[5]\ttrain-rmse:0.20\tvalidation-rmse:0.3", Some(5), 0.3),
            ("[5]\tvalidation:rmse: 1e-05", Some(5), 1e-5),
            ("Epoch 3/20 - validation:rmse: .5 - 3s", Some(3), 0.5),
            ("kept 12 rounds of 32: validation:rmse=0.33", None, 0.33),
            ("step=100 validation:rmse = -2.", Some(100), -2.0),
            ("validation:rmse=inf", None, f64::INFINITY),
        ] {
            assert_eq!(loss.read(line), Some(Reading { resource, value }), "{line}");
        }
        assert!(loss.read("validation:rmse=nan").unwrap().value.is_nan());
        for line in [
            "",
            "validation:rmse",
            "validation:rmse=",
            "validation:rmse=fine",
            "my-validation:rmse=1",
            "validation:rmsee=1",
            "train:rmse=1",
            "validation:rmse=.",
        ] {
            assert_eq!(loss.read(line), None, "{line}");
        }
        let plain = metric("rmse", None);
        assert_eq!(plain.read("train:rmse=1 validation:rmse=2"), None, "another's metric of that name");
        assert_eq!(plain.read("rmse=2").unwrap().value, 2.0);
    }

    #[test]
    fn a_definition_of_ones_own_comes_first() {
        let auc = metric("auc", Some(r"AUC on fold \d+ is ([0-9.]+)"));
        assert_eq!(auc.read("AUC on fold 3 is 0.91").unwrap().value, 0.91);
        assert_eq!(auc.read("auc=0.5"), None);
        assert_eq!(auc.read("AUC on fold 3 is ..."), None, "no number");
        assert_eq!(compiled("auc=").unwrap_err(), "it has no group `(…)` for the number");
        assert_eq!(compiled("auc=(").unwrap_err(), "unclosed group");
    }
}
