//! What a person looks at: status, datasets, runs, models, recorded files.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use domain::row::{ApprovalState, CheckVerdict, Model, Part, Run, RunState, Upload};
use domain::{PipelineName, Time};
use engine::text::{count, number};
use serde::Deserialize;
use serde_json::{Value, json};

use super::trials::found;
use super::upload::fate;
use super::version::version;
use crate::client::{Client, Failure, items, segment};
use crate::files;
use crate::output::{self, Done, Form, say};

#[derive(Debug, Args)]
pub(crate) struct PipelineArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// One run, by number or id.
    pub(crate) run: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// One version.
    #[arg(value_parser = version)]
    pub(crate) version: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct FetchArguments {
    /// The file's path, as other commands show it.
    pub(crate) path: String,
    /// Where to write it; its own name here, where nothing is given.
    #[arg(long, value_name = "FILE")]
    pub(crate) into: Option<PathBuf>,
}

/// A pipeline at a glance.
#[derive(Debug, Deserialize)]
struct Summary {
    name: String,
    revision: u32,
    parts: u64,
    runs: u64,
    versions: u32,
    champion: Option<u32>,
    pending: Vec<u32>,
    busy: Vec<Busy>,
    #[serde(default)]
    held: u64,
    last_check: Option<LastCheck>,
}

#[derive(Debug, Deserialize)]
struct Busy {
    number: u64,
    state: String,
    #[serde(default)]
    progress: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LastCheck {
    verdict: CheckVerdict,
    at: String,
}

pub(super) fn status(client: &Client, form: Form) -> Done {
    let status = client.get("/api/status")?;
    // A stack that has no runtime of its own has no such path.
    let runtime = match client.runtime() {
        Err(failure) if failure.status() == Some(404) => Value::Null,
        other => other?,
    };
    if form == Form::Json {
        output::json(&json!({ "now": status["now"], "pipelines": status["pipelines"], "runtime": runtime }));
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&running(&client.address("/"), &status["now"], &runtime));
    let pipelines: Vec<Summary> = items(&json!({ "items": status["pipelines"] }))?;
    if !pipelines.is_empty() {
        say("");
    }
    output::table(
        &["pipeline", "revision", "parts", "runs", "versions", "serves", "to approve", "last check"],
        pipelines.iter().map(summary_row).collect(),
        "no pipelines yet: declare one with `millrace apply pipeline.yaml`",
    );
    Ok(ExitCode::SUCCESS)
}

/// The server in one line.
fn running(address: &str, now: &Value, runtime: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
    let mut line = format!("{address} · {}", word(now));
    if runtime.is_null() {
        return line;
    }
    if runtime["clock"] == "virtual" {
        line.push_str(" (virtual clock)");
    }
    let waiting = runtime["waiting"].as_u64().unwrap_or(0) + runtime["working"].as_u64().unwrap_or(0);
    line.push_str(&match waiting {
        0 => " · at rest".to_owned(),
        n => format!(" · {} to handle", engine::text::counted(n, "input")),
    });
    match runtime["dead"].as_u64() {
        None | Some(0) => {}
        Some(dead) => line.push_str(&format!(" · {} put aside: see `millrace redrive --list`", count(dead))),
    }
    line
}

fn summary_row(summary: &Summary) -> Vec<String> {
    let busy = |run: &Busy| match &run.progress {
        Some(progress) => format!("{} {}, {progress}", run.number, run.state),
        None => format!("{} {}", run.number, run.state),
    };
    let mut busy: Vec<String> = summary.busy.iter().map(busy).collect();
    if summary.held > 0 {
        busy.push(format!("{} held: see `millrace budget`", count(summary.held)));
    }
    let runs = match busy.is_empty() {
        true => count(summary.runs),
        false => format!("{} ({})", count(summary.runs), busy.join(", ")),
    };
    let check = summary.last_check.as_ref();
    vec![
        summary.name.clone(),
        summary.revision.to_string(),
        count(summary.parts),
        runs,
        summary.versions.to_string(),
        summary.champion.map_or("–".into(), |version| format!("version {version}")),
        list(&summary.pending),
        check.map_or("–".into(), |check| format!("{} ({})", check.verdict, check.at)),
    ]
}

fn list<T: ToString>(things: &[T]) -> String {
    match things {
        [] => "–".into(),
        some => some.iter().map(T::to_string).collect::<Vec<_>>().join(", "),
    }
}

pub(super) fn datasets(client: &Client, arguments: &PipelineArguments, form: Form) -> Done {
    let PipelineArguments { pipeline } = arguments;
    let uploads = client.get(&Client::at(pipeline, "uploads"))?;
    let parts = client.get(&Client::at(pipeline, "parts"))?;
    if form == Form::Json {
        output::json(&json!({ "uploads": uploads["items"], "parts": parts["items"] }));
        return Ok(ExitCode::SUCCESS);
    }
    let nothing = format!("nothing was uploaded to {pipeline} yet");
    let uploads: Vec<Upload> = items(&uploads)?;
    output::table(
        &["uploaded", "by", "file", "fate", "rows", "bad", "upload"],
        uploads.iter().map(upload_row).collect(),
        &nothing,
    );
    if uploads.iter().any(|upload| upload.report.is_some()) {
        say("");
        say("reports, for `millrace fetch PATH`:");
    }
    for upload in &uploads {
        if let Some(report) = &upload.report {
            // Whole and on one line, so that it can be copied.
            output::line(&format!("  {}  {}", upload.id, report.path));
        }
    }
    let parts: Vec<Part> = items(&parts)?;
    if !parts.is_empty() {
        say("");
        let headers = ["part", "of", "rows", "bad", "digest", "upload"];
        output::table(&headers, parts.iter().map(part_row).collect(), "");
    }
    Ok(ExitCode::SUCCESS)
}

fn upload_row(upload: &Upload) -> Vec<String> {
    vec![
        moment(upload.at),
        upload.by.to_string(),
        upload.file.clone(),
        fate(&upload.fate),
        count(upload.rows_read),
        count(upload.rows_bad),
        upload.id.clone(),
    ]
}

/// A moment as tables show it: to the second; the whole one is in `--json`.
pub(super) fn moment(at: Time) -> String {
    at.to_string()[..19].replace('T', " ")
}

fn part_row(part: &Part) -> Vec<String> {
    vec![
        part.number.to_string(),
        part.as_of.date(),
        count(part.rows),
        count(part.rows_bad),
        part.digest.short(),
        part.upload.clone(),
    ]
}

pub(super) fn runs(client: &Client, arguments: &RunsArguments, form: Form) -> Done {
    let RunsArguments { pipeline, run } = arguments;
    let Some(run) = run else {
        let listing = client.get(&Client::at(pipeline, "runs"))?;
        match form {
            Form::Json => output::json(&listing),
            Form::Text => output::table(
                &["run", "at", "state", "by", "why", "parts", "rows"],
                items(&listing)?.iter().map(run_row).collect(),
                &format!("no runs of {pipeline} yet"),
            ),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let value = client.get(&Client::at(pipeline, &format!("runs/{}", segment(run))))?;
    match form {
        Form::Json => output::json(&value),
        Form::Text => output::facts(&run_facts(&read(&value)?)),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn read<'a, T: Deserialize<'a>>(value: &'a Value) -> Result<T, Failure> {
    T::deserialize(value)
        .map_err(|error| Failure::Unreadable(format!("the server's answer is not of this version: {error}")))
}

fn run_row(run: &Run) -> Vec<String> {
    vec![
        run.number.to_string(),
        moment(run.at),
        run_state(&run.state),
        run.by.to_string(),
        run.reason.clone(),
        list(&run.parts),
        count(run.rows),
    ]
}

fn run_state(state: &RunState) -> String {
    match state {
        RunState::Registered { version } => format!("registered as version {version}"),
        RunState::Rejected { reason } | RunState::Failed { reason } => format!("{}: {reason}", state.word()),
        _ => state.word().to_owned(),
    }
}

fn run_facts(run: &Run) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("run", format!("{} ({})", run.number, run.id)),
        ("state", run_state(&run.state)),
        ("planned", run.at.to_string()),
        ("by", run.by.to_string()),
        ("why", run.reason.clone()),
        ("parts", list(&run.parts)),
        ("rows", count(run.rows)),
    ];
    if let Some(prepared) = &run.prepared {
        facts.push(("train rows", count(prepared.train_rows)));
        facts.push(("validation rows", count(prepared.validation_rows)));
        facts.push(("test rows", count(prepared.test_rows)));
    }
    if run.seconds > 0 {
        facts.push(("trained", format!("in {} s", count(run.seconds))));
    }
    let (word, seconds) = match run.state.is_over() {
        true => ("used", run.takes().total()),
        false => ("reserved", run.takes().total()),
    };
    facts.push((word, format!("{} job-seconds", count(seconds))));
    if let Some(tuned) = &run.tuned {
        facts.push((
            "best trial",
            format!("{} of {}: {} {}", tuned.best, tuned.trials, tuned.metric, tuned.value),
        ));
        facts.push(("found", found(&tuned.hyperparameters)));
        facts.push(("trials", tuned.record.path.to_string()));
    }
    if let Some(champion) = run.champion {
        facts.push(("compared with", format!("version {champion}")));
    }
    let named = [("artifact", &run.artifact), ("evaluation", &run.evaluation), ("report", &run.report)];
    facts.extend(named.into_iter().filter_map(|(name, file)| Some((name, file.as_ref()?.path.to_string()))));
    facts
}

pub(super) fn models(client: &Client, arguments: &ModelsArguments, form: Form) -> Done {
    let ModelsArguments { pipeline, version } = arguments;
    let Some(version) = version else {
        let listing = client.get(&Client::at(pipeline, "models"))?;
        match form {
            Form::Json => output::json(&listing),
            Form::Text => output::table(
                &["version", "at", "approval", "asked for by", "compared with", "metrics", "binding"],
                items(&listing)?.iter().map(model_row).collect(),
                &format!("no versions of {pipeline} yet"),
            ),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let value = client.get(&Client::at(pipeline, &format!("models/{version}")))?;
    match form {
        Form::Json => output::json(&value),
        Form::Text => output::facts(&model_facts(&read(&value)?)),
    }
    Ok(ExitCode::SUCCESS)
}

fn model_row(model: &Model) -> Vec<String> {
    vec![
        model.version.to_string(),
        moment(model.at),
        approval(&model.approval),
        model.requested_by.to_string(),
        model.champion.map_or("–".into(), |champion| format!("version {champion}")),
        metrics(model),
        model.binding.short(),
    ]
}

pub(super) fn approval(state: &ApprovalState) -> String {
    match state {
        ApprovalState::Pending => "pending".into(),
        ApprovalState::Approved { by, .. } => format!("approved by {by}"),
        ApprovalState::Rejected { by, reason, .. } => format!("rejected by {by}: {reason}"),
    }
}

fn metrics(model: &Model) -> String {
    let shown = model.metrics.iter().map(|(name, value)| format!("{name} {}", number(*value)));
    shown.collect::<Vec<_>>().join(", ")
}

fn model_facts(model: &Model) -> Vec<(&'static str, String)> {
    vec![
        ("version", model.version.to_string()),
        ("approval", approval(&model.approval)),
        ("binding", model.binding.to_string()),
        ("registered", model.at.to_string()),
        ("run", model.run.clone()),
        ("asked for by", model.requested_by.to_string()),
        ("newest data", model.newest.to_string()),
        ("compared with", model.champion.map_or("–".into(), |champion| format!("version {champion}"))),
        ("metrics", metrics(model)),
        ("report", model.report.path.to_string()),
        ("artifact", model.artifact.path.to_string()),
    ]
}

pub(super) fn fetch(client: &Client, arguments: &FetchArguments) -> Done {
    let bytes = client.blob(&arguments.path)?;
    let name = arguments.path.rsplit('/').next().unwrap_or_default();
    let into = arguments.into.clone().unwrap_or_else(|| PathBuf::from(name));
    files::write(&into, &bytes)?;
    output::line(&format!("{}: {}", into.display(), engine::text::bytes(bytes.len() as u64)));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
