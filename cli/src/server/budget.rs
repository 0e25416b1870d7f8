//! What runs may take, and who lets them take more.

use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use domain::budget::Budget;
use domain::{Actor, PipelineName, Time};
use engine::text::count;
use serde::Deserialize;

use super::look::{PipelineArguments, moment, read};
use crate::client::Client;
use crate::output::{self, Done, Form, say};

#[derive(Debug, Args)]
pub(crate) struct LiftArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// Why, for the ledger.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
}

/// The budget of a month as the console tells it.
#[derive(Debug, Deserialize)]
struct Month {
    month: String,
    declared: Budget,
    taken: Taken,
    runs: Vec<Line>,
    held: Vec<Held>,
}

#[derive(Debug, Deserialize)]
struct Taken {
    seconds: u64,
    money: f64,
}

#[derive(Debug, Deserialize)]
struct Line {
    run: u64,
    state: String,
    over: bool,
    takes: Taken,
    lifted: Option<Actor>,
}

#[derive(Debug, Deserialize)]
struct Held {
    by: Actor,
    at: Time,
    reason: String,
    waits: String,
}

pub(super) fn budget(client: &Client, arguments: &PipelineArguments, form: Form) -> Done {
    let value = client.get(&Client::at(&arguments.pipeline, "budget"))?;
    if form == Form::Json {
        output::json(&value);
        return Ok(ExitCode::SUCCESS);
    }
    let month: Month = read(&value)?;
    let Budget { per_run, per_month, prices } = month.declared;
    let of = |taken: String, most: Option<String>| match most {
        Some(most) => format!("{taken} of {most}"),
        None => format!("{taken}, without a bound"),
    };
    let money = |amount: f64| format!("{amount:.2}");
    let mut facts = vec![
        ("month", month.month.clone()),
        ("job-seconds", of(count(month.taken.seconds), per_month.seconds.map(count))),
    ];
    if !prices.are_unknown() {
        facts.push(("money", of(money(month.taken.money), per_month.money.map(money))));
    }
    if let Some(most) = per_run.seconds {
        facts.push(("of one run", format!("at most {} job-seconds", count(most))));
    }
    if let Some(most) = per_run.money {
        facts.push(("cost of one run", format!("at most {}", money(most))));
    }
    output::facts(&facts);
    say("");
    let row = |line: &Line| {
        vec![
            line.run.to_string(),
            line.state.clone(),
            if line.over { "used" } else { "reserved" }.to_owned(),
            count(line.takes.seconds),
            money(line.takes.money),
            line.lifted.as_ref().map_or("–".into(), |by| format!("let by {by}")),
        ]
    };
    output::table(
        &["run", "state", "takes", "job-seconds", "money", "over the budget"],
        month.runs.iter().map(row).collect(),
        &format!("no run was planned in {}", month.month),
    );
    if !month.held.is_empty() {
        say("");
        let row =
            |held: &Held| vec![moment(held.at), held.by.to_string(), held.reason.clone(), held.waits.clone()];
        output::table(
            &["held since", "asked by", "why", "held because"],
            month.held.iter().map(row).collect(),
            "",
        );
        output::line(&format!(
            "an approver lets them with `millrace lift {} --reason …`",
            arguments.pipeline
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn lift(client: &Client, arguments: &LiftArguments, form: Form) -> Done {
    let LiftArguments { pipeline, reason } = arguments;
    let answer = client.lift(pipeline, reason)?;
    match form {
        Form::Json => output::json(&answer),
        Form::Text => output::line(&format!("{pipeline}: let what is held go over the budget")),
    }
    Ok(ExitCode::SUCCESS)
}
