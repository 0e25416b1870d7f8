//! What can be typed after `millrace`, with an example for each.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::data;
use crate::output::Done;
#[cfg(feature = "server")]
use crate::{ask, client::Client, look, story, up};

/// The life of a model, from events alone.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, about, max_term_width = 100, after_help = "\
Exit codes: 0 done · 1 it could not be done · 2 wrong command line · 3 done, and what was looked
at is not well (a file that breaks its contract, drift, a ledger that does not verify)

A first minute:
  millrace profile quotes.csv
  millrace validate quotes.csv --contract contract.yaml
  millrace drift january.csv april.csv
  millrace demo")]
pub(crate) struct Arguments {
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    /// The data directory of `millrace up`.
    #[arg(long, global = true, env = "MILLRACE_DATA", default_value = ".millrace", value_name = "DIR")]
    data: PathBuf,
    /// Act as this person; only in a demo directory.
    #[arg(long = "as", global = true, value_name = "NAME", env = "MILLRACE_AS", hide_env = true)]
    acting_as: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Describe every column of a file.
    #[command(after_help = "Example:\n  millrace profile quotes.csv --html quotes.html")]
    Profile(data::ProfileArguments),
    /// Hold a file against a data contract (Open Data Contract Standard v3.1).
    #[command(after_help = "Example:\n  millrace validate quotes.csv --contract contract.yaml --html report.html")]
    Validate(data::ValidateArguments),
    /// Compare two files, or show what a pipeline's drift checks found.
    #[command(after_help = "\
Examples:
  millrace drift january.csv april.csv          two files; nothing needs to run
  millrace drift home-insurance                 the checks made so far
  millrace drift home-insurance --check         check now")]
    Drift(data::DriftArguments),
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  millrace completions bash > ~/.local/share/bash-completion/completions/millrace")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    #[cfg(feature = "server")]
    #[command(flatten)]
    Server(Server),
}

#[cfg(feature = "server")]
#[derive(Debug, Subcommand)]
enum Server {
    /// Run Millrace on this machine.
    #[command(after_help = "Example:\n  millrace up --data ~/millrace --port 7700")]
    Up(up::UpArguments),
    /// Play a model's whole life and show it as it happens.
    #[command(after_help = "Example:\n  millrace demo --seed 7")]
    Demo(story::DemoArguments),
    /// Declare a pipeline, or change it.
    #[command(after_help = "Example:\n  millrace apply examples/home-insurance/pipeline.yaml")]
    Apply(ask::ApplyArguments),
    /// Upload files and wait for their fate.
    #[command(after_help = "Example:\n  millrace upload home-insurance quotes-2026-01.csv --as-of 2026-01-31")]
    Upload(ask::UploadArguments),
    /// Everything at a glance.
    #[command(after_help = "Example:\n  millrace status")]
    Status,
    /// The uploads of a pipeline and what became of them.
    #[command(after_help = "Example:\n  millrace datasets home-insurance")]
    Datasets(look::Listing),
    /// The runs of a pipeline; `--request` asks for one.
    #[command(after_help = "Examples:\n  millrace runs home-insurance\n  millrace runs home-insurance --request 'prices moved'")]
    Runs(look::RunsArguments),
    /// The model versions of a pipeline.
    #[command(after_help = "Examples:\n  millrace models home-insurance\n  millrace models home-insurance 2")]
    Models(look::Listing),
    /// Let a version into production.
    #[command(after_help = "Example:\n  millrace approve home-insurance 1 --reason 'error halved, report read'")]
    Approve(ask::VerdictArguments),
    /// Turn a version down.
    #[command(after_help = "Example:\n  millrace reject home-insurance 2 --reason 'worse in the north'")]
    Reject(ask::VerdictArguments),
    /// Let an earlier approved version serve again.
    #[command(after_help = "Example:\n  millrace rollback home-insurance --to 1 --reason 'complaints'")]
    Rollback(ask::RollbackArguments),
    /// Ask a model.
    #[command(after_help = "Example:\n  echo '82.5,1931,brick,N1' | millrace invoke home-insurance -")]
    Invoke(ask::InvokeArguments),
    /// Send the truth about earlier predictions (CSV: inference_id,label).
    #[command(after_help = "Example:\n  millrace labels home-insurance labels.csv")]
    Labels(ask::LabelsArguments),
    /// The ledger of a pipeline.
    #[command(after_help = "Example:\n  millrace events home-insurance --after 20")]
    Events(look::EventsArguments),
    /// Everything a version is made of.
    #[command(after_help = "Example:\n  millrace lineage home-insurance 1")]
    Lineage(look::LineageArguments),
    /// Check the ledger.
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// Show what could not be handled, or handle it again.
    #[command(after_help = "Examples:\n  millrace redrive\n  millrace redrive 3\n  millrace redrive --all")]
    Redrive(ask::RedriveArguments),
    /// Show the clock; in a demo directory, move it forward.
    #[command(after_help = "Example:\n  millrace clock --to 2026-04-30")]
    Clock(ask::ClockArguments),
    /// Runs one job (started by `millrace up`).
    #[command(name = "__supervise", hide = true)]
    Supervise {
        /// The job's directory.
        directory: PathBuf,
    },
    /// Keeps one model process (started by `millrace up`).
    #[command(name = "__serve", hide = true)]
    Serve {
        /// The endpoint's directory.
        directory: PathBuf,
    },
}

#[cfg(feature = "server")]
#[derive(Debug, Subcommand)]
enum Audit {
    /// Walk the chain and hold every row against it.
    #[command(after_help = "\
Examples:
  millrace audit verify home-insurance
  millrace audit verify home-insurance --head 42:sha256:…     a head you kept finds a rewritten chain")]
    Verify(look::VerifyArguments),
}

impl Arguments {
    /// Does what was asked.
    pub(crate) fn run(self) -> Done {
        match self.command {
            Command::Profile(arguments) => data::profile(&arguments, self.json),
            Command::Validate(arguments) => data::validate(&arguments, self.json),
            Command::Drift(arguments) => match &arguments.current {
                Some(current) => data::drift(&arguments, current, self.json),
                #[cfg(feature = "server")]
                None => look::drift(&client(&self.data, self.acting_as)?, &arguments, self.json),
                #[cfg(not(feature = "server"))]
                None => crate::output::error("name two files: millrace drift REFERENCE CURRENT"),
            },
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Arguments::command(), "millrace", &mut std::io::stdout());
                Ok(ExitCode::SUCCESS)
            }
            #[cfg(feature = "server")]
            Command::Server(command) => command.run(self.data, self.acting_as, self.json),
        }
    }
}

#[cfg(feature = "server")]
fn client(data: &std::path::Path, acting_as: Option<String>) -> Result<Client, crate::output::Error> {
    Client::find(data, acting_as)
}

#[cfg(feature = "server")]
impl Server {
    fn run(self, data: PathBuf, acting_as: Option<String>, json: bool) -> Done {
        match self {
            Server::Up(arguments) => return up::up(&data, &arguments),
            Server::Demo(arguments) => return story::demo(&arguments),
            Server::Supervise { directory } => return Ok(local::supervise::supervise(&directory)),
            Server::Serve { directory } => return Ok(local::supervise::serve(&directory)),
            _ => {}
        }
        let client = client(&data, acting_as)?;
        match self {
            Server::Apply(arguments) => ask::apply(&client, &arguments, json),
            Server::Upload(arguments) => ask::upload(&client, &arguments, json),
            Server::Status => look::status(&client, json),
            Server::Datasets(arguments) => look::datasets(&client, &arguments, json),
            Server::Runs(arguments) => look::runs(&client, &arguments, json),
            Server::Models(arguments) => look::models(&client, &arguments, json),
            Server::Approve(arguments) => ask::verdict(&client, "approve", &arguments, json),
            Server::Reject(arguments) => ask::verdict(&client, "reject", &arguments, json),
            Server::Rollback(arguments) => ask::rollback(&client, &arguments, json),
            Server::Invoke(arguments) => ask::invoke(&client, &arguments, json),
            Server::Labels(arguments) => ask::labels(&client, &arguments, json),
            Server::Events(arguments) => look::events(&client, &arguments, json),
            Server::Lineage(arguments) => look::lineage(&client, &arguments, json),
            Server::Audit { command: Audit::Verify(arguments) } => look::verify(&client, &arguments, json),
            Server::Redrive(arguments) => ask::redrive(&client, &arguments, json),
            Server::Clock(arguments) => ask::clock(&client, &arguments, json),
            Server::Up(_) | Server::Demo(_) | Server::Supervise { .. } | Server::Serve { .. } => {
                unreachable!("handled above")
            }
        }
    }
}
