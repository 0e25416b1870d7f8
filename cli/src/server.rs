//! The commands that ask a running Millrace: their table of contents.

mod apply;
mod ask;
mod budget;
mod clock;
mod invoke;
mod ledger;
mod look;
mod redrive;
mod trials;
mod upload;
mod version;
mod watch;

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::client::{Client, Ending, Patience, Place};
use crate::output::{self, Done, Form};
use crate::up;

pub(crate) use watch::{CheckArguments, drift};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a data directory on this machine, until it is stopped with Ctrl-C.
    #[command(after_help = "\
Examples:
  millrace up
  millrace up --data /srv/millrace --port 7420
  millrace up --data replay --virtual-clock 2026-01-01 --demo")]
    Up(up::UpArguments),
    /// Declare a pipeline, or change it.
    #[command(after_help = "\
Example:
  millrace apply pipeline.yaml

The contract that it names and the program's files are read from the same folder.")]
    Apply(apply::ApplyArguments),
    /// Upload files to a pipeline.
    #[command(after_help = "\
Examples:
  millrace upload home-insurance quotes.csv --wait
  millrace upload home-insurance 2026-*.csv
  millrace upload home-insurance january.csv --as-of 2026-01-31

Safe to repeat: the same bytes are accepted once. With --wait, exit code 3 where a file was rejected.")]
    Upload(upload::UploadArguments),
    /// Everything at a glance.
    #[command(after_help = "Examples:\n  millrace status\n  millrace status --json")]
    Status,
    /// What was uploaded, and what became of it.
    #[command(after_help = "Example:\n  millrace datasets home-insurance")]
    Datasets(look::PipelineArguments),
    /// The runs of a pipeline, or one of them.
    #[command(after_help = "Examples:\n  millrace runs home-insurance\n  millrace runs home-insurance 3")]
    Runs(look::RunsArguments),
    /// The trials of a run that searches for hyperparameters, best first.
    #[command(
        after_help = "Examples:\n  millrace trials home-insurance      # the newest run, also while it works\n  millrace trials home-insurance 3 --json"
    )]
    Trials(trials::TrialsArguments),
    /// The model versions of a pipeline, or one of them.
    #[command(after_help = "Examples:\n  millrace models home-insurance\n  millrace models home-insurance 2")]
    Models(look::ModelsArguments),
    /// Ask for a run.
    #[command(after_help = "\
Example:
  millrace train home-insurance --reason 'new tariff' --wait

With --wait, exit code 3 where the run ends without a version.")]
    Train(ask::TrainArguments),
    /// What runs may take this month, what they took, and which are held.
    #[command(after_help = "Example:\n  millrace budget home-insurance")]
    Budget(look::PipelineArguments),
    /// Let the runs that are held go over their budget.
    #[command(after_help = "\
Example:
  millrace lift home-insurance --reason 'the tariff changes on Monday'

Only an approver of the pipeline can, and it lets only the runs that are held now.")]
    Lift(budget::LiftArguments),
    /// Let a version into production.
    #[command(after_help = "\
Examples:
  millrace approve home-insurance 2 --reason 'better in every region' --wait
  millrace approve home-insurance 2 --binding sha256:…   # exactly what `millrace models` showed

With --wait, exit code 3 where the version was kept from its endpoint.")]
    Approve(ask::ApproveArguments),
    /// Turn a version down.
    #[command(after_help = "Example:\n  millrace reject home-insurance 2 --reason 'worse in the north'")]
    Reject(ask::RejectArguments),
    /// Let an approved version serve again.
    #[command(after_help = "\
Examples:
  millrace rollback home-insurance --reason 'complaints' --wait
  millrace rollback home-insurance --to 1

With --wait, exit code 3 where the version was kept from its endpoint.")]
    Rollback(ask::RollbackArguments),
    /// Ask an endpoint for predictions.
    #[command(after_help = "\
Examples:
  millrace invoke home-insurance quotes.csv
  echo '210000,85,1990' | millrace invoke home-insurance - --inference-id quote-17

The rows carry the serving columns without a header; labels find a prediction by its inference id.")]
    Invoke(invoke::InvokeArguments),
    /// Send the truth about earlier predictions.
    #[command(after_help = "\
Example:
  millrace labels home-insurance claims.csv

The file is CSV with the header inference_id,label. Safe to repeat.")]
    Labels(invoke::LabelsArguments),
    /// What happened, from the ledger.
    #[command(after_help = "\
Examples:
  millrace events home-insurance
  millrace events home-insurance --last 20 --follow
  millrace events home-insurance --after 120 --json")]
    Events(ledger::EventsArguments),
    /// Everything that a version is made of; or what came of a part, or what is behind an answer.
    #[command(after_help = "\
Examples:
  millrace lineage home-insurance 2
  millrace lineage home-insurance --part 3
  millrace lineage home-insurance --prediction 5d0c8a5e-…")]
    Lineage(ledger::LineageArguments),
    /// Hold the ledger against itself, or against a head that was kept elsewhere.
    #[command(subcommand)]
    Audit(ledger::Audit),
    /// Deliver once more what a function could not handle.
    #[command(after_help = "\
Examples:
  millrace redrive --list
  millrace redrive 17
  millrace redrive --all")]
    Redrive(redrive::RedriveArguments),
    /// Write a report or another recorded file.
    #[command(
        after_help = "Example:\n  millrace fetch parts/home-insurance/1f0c5a/report.html --into report.html"
    )]
    Fetch(look::FetchArguments),
    /// Tell the server's time, or move the clock of a virtual directory.
    #[command(after_help = "Examples:\n  millrace clock\n  millrace clock 2026-02-01")]
    Clock(clock::ClockArguments),
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(self, place: &Place, form: Form) -> Done {
        if let Command::Up(arguments) = &self {
            return up::up(arguments, place);
        }
        // What is wrong with a file of this machine is told without a server.
        if let Command::Apply(arguments) = &self {
            return apply::apply(arguments, place, form);
        }
        let client = Client::open(&place.data, place.person.as_deref())?;
        match &self {
            Command::Up(_) | Command::Apply(_) => unreachable!("done above"),
            Command::Upload(arguments) => upload::upload(&client, arguments, form),
            Command::Status => look::status(&client, form),
            Command::Datasets(arguments) => look::datasets(&client, arguments, form),
            Command::Runs(arguments) => look::runs(&client, arguments, form),
            Command::Trials(arguments) => trials::trials(&client, arguments, form),
            Command::Models(arguments) => look::models(&client, arguments, form),
            Command::Train(arguments) => ask::train(&client, arguments, form),
            Command::Budget(arguments) => budget::budget(&client, arguments, form),
            Command::Lift(arguments) => budget::lift(&client, arguments, form),
            Command::Approve(arguments) => ask::approve(&client, arguments, form),
            Command::Reject(arguments) => ask::reject(&client, arguments, form),
            Command::Rollback(arguments) => ask::rollback(&client, arguments, form),
            Command::Invoke(arguments) => invoke::invoke(&client, arguments, form),
            Command::Labels(arguments) => invoke::labels(&client, arguments, form),
            Command::Events(arguments) => ledger::events(&client, arguments, form),
            Command::Lineage(arguments) => ledger::lineage(&client, arguments, form),
            Command::Audit(ledger::Audit::Verify(arguments)) => ledger::verify(&client, arguments, form),
            Command::Redrive(arguments) => redrive::redrive(&client, arguments, form),
            Command::Fetch(arguments) => look::fetch(&client, arguments),
            Command::Clock(arguments) => clock::clock(&client, arguments, form),
        }
    }
}

/// Whether a command waits for what it began.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Waiting {
    /// Wait for the end.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Wait no longer than this; the work goes on without us.
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    pub(crate) timeout: Option<u64>,
}

impl Waiting {
    /// How long to wait.
    pub(crate) fn patience(&self) -> Patience {
        Patience(self.timeout.map(Duration::from_secs))
    }
}

/// Tells how something ended: exit code 3 where it ended badly.
fn ended(ending: &Ending, form: Form) -> Done {
    let (word, outcome) = match ending {
        Ending::Well(outcome) => ("well", outcome),
        Ending::Badly(outcome) => ("badly", outcome),
    };
    match form {
        Form::Text => output::line(&outcome.line),
        Form::Json => output::json(&serde_json::json!({
            "ended": word, "kind": outcome.kind, "version": outcome.version, "line": outcome.line,
        })),
    }
    Ok(std::process::ExitCode::from(match ending {
        Ending::Well(_) => output::OK,
        Ending::Badly(_) => output::NOT_WELL,
    }))
}
