//! The trials of a run's search, best first, also while it goes on.

use std::process::ExitCode;

use clap::Args;
use domain::row::{Run, Tuned};
use domain::trial::{Trial, Trials};
use domain::{BlobPath, PipelineName};
use engine::text::{count, number};
use serde_json::Value;

use crate::client::{Client, Failure, items};
use crate::output::{self, Done, Form, say};

#[derive(Debug, Args)]
pub(crate) struct TrialsArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// A run, by number or id; the newest one where none is named.
    pub(crate) run: Option<String>,
}

pub(super) fn trials(client: &Client, arguments: &TrialsArguments, form: Form) -> Done {
    let TrialsArguments { pipeline, run } = arguments;
    let run: Run = match run {
        Some(run) => client.row(pipeline, "runs", run)?,
        None => {
            let runs: Vec<Run> = items(&client.get(&Client::at(pipeline, "runs"))?)?;
            match runs.into_iter().last() {
                Some(run) => run,
                None => return output::error(format!("no runs of {pipeline} yet")),
            }
        }
    };
    let path = BlobPath::run(pipeline, &run.id, Tuned::FILE);
    let bytes = match client.blob(path.as_str()) {
        Err(failure) if failure.status() == Some(404) => {
            let why = "nothing is searched for it (see training.tuning), or its search has not begun";
            return output::error(format!("run {} of {pipeline} has no trials: {why}", run.number));
        }
        other => other?,
    };
    let unreadable = |error| Failure::Unreadable(format!("{path}: not the record of a search: {error}"));
    if form == Form::Json {
        output::json(&serde_json::from_slice::<Value>(&bytes).map_err(unreadable)?);
        return Ok(ExitCode::SUCCESS);
    }
    let trials: Trials = serde_json::from_slice(&bytes).map_err(unreadable)?;
    output::line(&summary(&run, &trials));
    say("");
    let headers = ["trial", "state", &trials.objective.metric, "rounds", "seconds", "hyperparameters", "why"];
    let rows = trials.ranked().into_iter().map(row).collect();
    output::table(&headers, rows, "no trial has begun yet");
    Ok(ExitCode::SUCCESS)
}

fn summary(run: &Run, trials: &Trials) -> String {
    let ended = trials.ended.as_ref().map(|reason| format!("; ended: {reason}")).unwrap_or_default();
    format!("run {}: {}{ended}", run.number, trials.progress())
}

fn row(trial: &Trial) -> Vec<String> {
    let rounds = trial.curve.last().map_or("–".into(), |point| count(point.resource));
    vec![
        trial.number.to_string(),
        trial.state.word().to_owned(),
        trial.value.map_or("–".into(), number),
        rounds,
        count(trial.seconds),
        found(&trial.hyperparameters),
        trial.state.reason().unwrap_or("–").to_owned(),
    ]
}

/// Hyperparameters in a few words; whole numbers and words as they are, others shortened.
pub(super) fn found(hyperparameters: &std::collections::BTreeMap<String, String>) -> String {
    let value = |text: &str| match text.parse::<f64>() {
        Ok(value) if text.contains('.') => number(value),
        _ => text.to_owned(),
    };
    let told: Vec<String> =
        hyperparameters.iter().map(|(name, text)| format!("{name} {}", value(text))).collect();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_told_in_a_row() {
        let trial: Trial = serde_json::from_value(serde_json::json!({
            "number": 7, "state": "stopped", "reason": "behind", "value": 0.25, "seconds": 1200,
            "hyperparameters": {"booster": "dart", "eta": "0.123456789", "max_depth": "12"},
            "curve": [{"resource": 1, "value": 0.5}, {"resource": 30, "value": 0.25}],
        }))
        .unwrap();
        let told = "booster dart, eta 0.12346, max_depth 12";
        assert_eq!(row(&trial), ["7", "stopped", "0.25", "30", "1,200", told, "behind"]);
    }
}
