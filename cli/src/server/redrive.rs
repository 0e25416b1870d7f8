//! `millrace redrive`: what a function could not handle, delivered once more.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::ledger::word;
use crate::client::{Client, items};
use crate::output::{self, Done, Form};

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false)]
pub(crate) struct RedriveArguments {
    /// The id of one, as `--list` shows it.
    #[arg(group = "what")]
    pub(crate) id: Option<String>,
    /// Everything that was put aside.
    #[arg(long, group = "what")]
    pub(crate) all: bool,
    /// Only list what was put aside, and why.
    #[arg(long, group = "what")]
    pub(crate) list: bool,
}

/// Something that was put aside.
#[derive(Debug, Deserialize)]
struct Letter {
    id: Value,
    function: String,
    at: String,
    attempts: u64,
    error: String,
}

pub(super) fn redrive(client: &Client, arguments: &RedriveArguments, form: Form) -> Done {
    if arguments.list {
        let listing = client.get("/api/dead-letters")?;
        match form {
            Form::Json => output::json(&listing),
            Form::Text => output::table(
                &["id", "function", "at", "attempts", "why"],
                items::<Letter>(&listing)?.into_iter().map(row).collect(),
                "nothing was put aside",
            ),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let answer = client.redrive(arguments.id.as_deref())?;
    match form {
        Form::Json => output::json(&answer),
        Form::Text => {
            let redriven = answer["redriven"].as_u64().unwrap_or(0);
            output::line(&format!("delivered {} once more", engine::text::counted(redriven, "input")));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(letter: Letter) -> Vec<String> {
    vec![word(&letter.id), letter.function, letter.at, letter.attempts.to_string(), letter.error]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_put_aside_is_told_with_its_reason() {
        let listing = json!({ "items": [{
            "id": 17, "function": "train", "at": "2026-01-01T00:00:00.000Z", "attempts": 3,
            "error": "start job: no space", "event": { "kind": "PartAccepted" },
        }]});
        let rows: Vec<_> = items::<Letter>(&listing).unwrap().into_iter().map(row).collect();
        assert_eq!(rows, [["17", "train", "2026-01-01T00:00:00.000Z", "3", "start job: no space"]]);
    }
}
