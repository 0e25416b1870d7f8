//! `millrace drift PIPELINE`: the checks of a pipeline's traffic, and a check now.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use domain::PipelineName;
use domain::row::Check;

use super::Waiting;
use super::ask::Asked;
use crate::client::{CheckStory, Client, Place, items};
use crate::data::has_drifted;
use crate::output::{self, Done, Form};

/// The options of `drift` that concern a pipeline.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Ask for a check of the pipeline's traffic now.
    #[arg(long, conflicts_with = "current", help_heading = "A pipeline's traffic")]
    pub(crate) check: bool,
    #[command(flatten, next_help_heading = "A pipeline's traffic")]
    pub(crate) waiting: Waiting,
}

/// Lists the checks of a pipeline, or asks for one.
pub(crate) fn drift(named: &Path, arguments: &CheckArguments, place: &Place, form: Form) -> Done {
    let name = named.to_str().and_then(|name| name.parse::<PipelineName>().ok());
    let pipeline = match name {
        Some(name) if !named.is_file() => name,
        _ => {
            let told = format!(
                "{} is a file's name and not a pipeline's: to compare files, name two of them",
                engine::text::terminal(&named.display().to_string())
            );
            return crate::arguments::wrong("drift", &told);
        }
    };
    if arguments.waiting.wait && !arguments.check {
        return crate::arguments::wrong("drift", "--wait needs --check: there is nothing to wait for");
    }
    let client = Client::open(&place.data, place.person.as_deref())?;
    if arguments.check {
        let waiting = arguments.waiting;
        let asked = Asked { pipeline: &pipeline, waiting, done: format!("{pipeline}: asked for a check") };
        let mut story = CheckStory::default();
        return asked.and_followed(&client, form, || client.check(&pipeline), |event| story.see(event));
    }
    let listing = client.get(&Client::at(&pipeline, "checks"))?;
    let checks: Vec<Check> = items(&listing)?;
    match form {
        Form::Json => output::json(&listing),
        Form::Text => output::table(
            &["at", "version", "verdict", "rows", "labelled", "columns", "summary"],
            checks.iter().map(row).collect(),
            &format!("no checks of {pipeline} yet"),
        ),
    }
    let drifted = checks.last().is_some_and(|check| has_drifted(check.verdict));
    Ok(ExitCode::from(if drifted { output::NOT_WELL } else { output::OK }))
}

fn row(check: &Check) -> Vec<String> {
    vec![
        check.at.to_string(),
        check.version.to_string(),
        check.verdict.to_string(),
        engine::text::count(check.rows),
        engine::text::count(check.labelled),
        check.columns.join(", "),
        check.summary.clone(),
    ]
}
