//! What the ledger tells: events, lineage, and whether it is whole.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use domain::{Digest, PipelineName};
use serde_json::{Value, json};

use super::look::approval;
use super::trials::found;
use super::version::version;
use crate::client::{Client, Failure, Recorded, items, pause, segment};
use crate::output::{self, Done, Error, Form, say};

/// Events asked for at a time.
const PAGE: u64 = 500;

/// The pause between two looks for later events.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// Begin after this place in the ledger.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) after: u64,
    /// Begin with the last so many events.
    #[arg(long, value_name = "N", conflicts_with = "after")]
    pub(crate) last: Option<u64>,
    /// Go on as events happen, until Ctrl-C; with --json, one event a line.
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LineageArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// The version.
    #[arg(value_parser = version)]
    pub(crate) version: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check every event, every link between them and every row against them.
    #[command(after_help = "\
Examples:
  millrace audit verify home-insurance
  millrace audit verify home-insurance --head 120:sha256:…

The head that it prints is worth keeping elsewhere: whoever owns the data directory could rewrite
the whole ledger, and only a head kept elsewhere finds that. Exit code 3 where something is wrong.")]
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// A head that was kept elsewhere.
    #[arg(long, value_name = "PLACE:sha256:HEX")]
    pub(crate) head: Option<Head>,
}

/// A place in a ledger, and the hash of the event there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    sequence: u64,
    hash: Digest,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

impl std::str::FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Head, String> {
        let parts = text.split_once(':').and_then(|(sequence, hash)| {
            Some(Head { sequence: sequence.parse().ok()?, hash: hash.parse().ok()? })
        });
        match parts {
            Some(head) if head.sequence > 0 => Ok(head),
            _ => Err(format!("expected PLACE:sha256:HEX with a place from 1, found {text:?}")),
        }
    }
}

pub(super) fn events(client: &Client, arguments: &EventsArguments, form: Form) -> Done {
    let EventsArguments { pipeline, follow, .. } = arguments;
    let mut after = match arguments.last {
        Some(last) => client.last_event(pipeline)?.saturating_sub(last),
        None => arguments.after,
    };
    let mut kept = Vec::new();
    loop {
        let page = client.event_page(pipeline, after, PAGE)?;
        let recorded: Vec<Recorded> = items(&page)?;
        if let Some(last) = recorded.last() {
            after = last.envelope.sequence;
        }
        match (form, follow) {
            (Form::Json, false) => kept.extend(items::<Value>(&page)?),
            (Form::Json, true) => {
                for item in items::<Value>(&page)? {
                    if output::try_say(&item.to_string()).is_err() {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
            }
            (Form::Text, _) => {
                for event in &recorded {
                    if output::try_say(&engine::text::terminal(&told(event))).is_err() {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
            }
        }
        match (recorded.is_empty(), follow) {
            (false, _) => {}
            (true, true) => pause(PAUSE),
            (true, false) => break,
        }
    }
    match form {
        Form::Json => output::json(&json!({ "items": kept })),
        Form::Text if after == 0 => say("nothing has happened yet"),
        Form::Text => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn told(event: &Recorded) -> String {
    format!("{:>5}  {}  {}", event.envelope.sequence, event.envelope.at, event.line)
}

pub(super) fn lineage(client: &Client, arguments: &LineageArguments, form: Form) -> Done {
    let LineageArguments { pipeline, version } = arguments;
    let lineage = client.get(&Client::at(pipeline, &format!("lineage/{version}")))?;
    if form == Form::Json {
        output::json(&lineage);
        return Ok(ExitCode::SUCCESS);
    }
    output::facts(&lineage_facts(&lineage)?);
    say("");
    let headers = ["part", "file", "by", "of", "rows", "digest"];
    output::table(&headers, part_rows(&lineage), "the version was learned from no parts");
    Ok(ExitCode::SUCCESS)
}

fn lineage_facts(lineage: &Value) -> Result<Vec<(&'static str, String)>, Failure> {
    let approved = serde_json::from_value(lineage["approval"].clone())
        .map_err(|error| Failure::Unreadable(format!("read the lineage's approval: {error}")))?;
    let run = &lineage["run"];
    let mut facts = vec![
        ("version", word(&lineage["version"])),
        ("approval", approval(&approved)),
        ("binding", word(&lineage["binding"])),
        ("run", format!("{} ({})", word(&run["number"]), word(&run["id"]))),
        ("asked for by", format!("{} at {}", person(&run["by"]), word(&run["at"]))),
        ("why", word(&run["reason"])),
        ("report page", word(&lineage["report"]["path"])),
    ];
    if let Ok(searched) = serde_json::from_value(lineage["lineage"]["hyperparameters"].clone()) {
        facts.push(("found", found(&searched)));
    }
    // In the order in which each is made of those before it.
    for name in
        ["pipeline", "contract", "features", "program", "selection", "artifact", "evaluation", "report"]
    {
        facts.push((name, word(&lineage["lineage"][name])));
    }
    Ok(facts)
}

fn part_rows(lineage: &Value) -> Vec<Vec<String>> {
    let Some(parts) = lineage["parts"].as_array() else { return Vec::new() };
    let date = |part: &Value| word(&part["as_of"]).chars().take(10).collect();
    let row = |part: &Value| {
        vec![
            word(&part["number"]),
            word(&part["file"]),
            person(&part["by"]),
            date(part),
            word(&part["rows"]),
            word(&part["digest"]).trim_start_matches("sha256:").chars().take(12).collect(),
        ]
    };
    parts.iter().map(row).collect()
}

/// A value as a person reads it.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".into(),
        other => other.to_string(),
    }
}

fn person(value: &Value) -> String {
    let text = word(value);
    text.strip_prefix("person:").unwrap_or(&text).to_owned()
}

pub(super) fn verify(client: &Client, arguments: &VerifyArguments, form: Form) -> Done {
    let VerifyArguments { pipeline, head } = arguments;
    let path = match head {
        Some(head) => format!("verify?head={}", segment(&head.to_string())),
        None => "verify".to_owned(),
    };
    let verification = client.get(&Client::at(pipeline, &path))?;
    let findings = findings(&verification)?;
    match form {
        Form::Json => output::json(&verification),
        Form::Text => {
            for finding in &findings {
                output::line(&format!("✕ {finding}"));
            }
            for line in verified(pipeline, &verification, findings.len()) {
                output::line(&line);
            }
        }
    }
    Ok(ExitCode::from(if findings.is_empty() { output::OK } else { output::NOT_WELL }))
}

/// What is wrong, a line each. An answer without findings is no proof of anything.
fn findings(verification: &Value) -> Result<Vec<String>, Error> {
    let Some(findings) = verification["findings"].as_array() else {
        return output::error("the server's answer says nothing about findings");
    };
    let line = |finding: &Value| format!("{}: {}", word(&finding["place"]), word(&finding["what"]));
    Ok(findings.iter().map(line).collect())
}

fn verified(pipeline: &PipelineName, verification: &Value, findings: usize) -> Vec<String> {
    let counted =
        |name: &str, noun: &str| engine::text::counted(verification[name].as_u64().unwrap_or(0), noun);
    let read = format!("{} and {}", counted("events", "event"), counted("rows", "row"));
    let verdict = match findings {
        0 => format!("{pipeline}: {read} hold"),
        n => format!("{pipeline}: {}, {read} hold", engine::text::counted(n as u64, "finding")),
    };
    let head = &verification["head"];
    match head.is_null() {
        true => vec![verdict],
        false => vec![verdict, format!("head: {}:{}", word(&head["sequence"]), word(&head["hash"]))],
    }
}

#[cfg(test)]
mod tests;
