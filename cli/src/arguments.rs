//! What can be typed after `millrace`, with an example for each.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::output::Done;
use crate::{data, demo};

/// Data contracts, profiles and drift, on any file.
#[derive(Debug, Parser)]
#[command(
    name = "millrace",
    version,
    about,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done · 1 it could not be done · 2 wrong command line · 3 done, and what was looked
at is not well (a file that breaks its contract, drift)

A first minute:
  millrace profile quotes.csv
  millrace validate quotes.csv --contract contract.yaml
  millrace drift january.csv april.csv
  millrace demo"
)]
pub(crate) struct Arguments {
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Describe every column of a file.
    #[command(after_help = "Example:\n  millrace profile quotes.csv --html quotes.html")]
    Profile(data::ProfileArguments),
    /// Hold a file against a data contract (Open Data Contract Standard v3.1).
    #[command(after_help = "\
Examples:
  millrace validate quotes.csv --contract contract.yaml
  millrace validate quotes.csv --contract contract.yaml --html report.html --quarantine bad.parquet")]
    Validate(data::ValidateArguments),
    /// Compare two files: has what they hold drifted?
    #[command(after_help = "Example:\n  millrace drift january.csv april.csv --contract contract.yaml")]
    Drift(data::DriftArguments),
    /// Play the home-insurance story on generated data.
    #[command(after_help = "Example:\n  millrace demo --seed 7 --into demo-data")]
    Demo(demo::DemoArguments),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  millrace completions bash > ~/.local/share/bash-completion/completions/millrace"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Arguments {
    /// Does what was asked.
    pub(crate) fn run(self) -> Done {
        match self.command {
            Command::Profile(arguments) => data::profile(&arguments, self.json),
            Command::Validate(arguments) => data::validate(&arguments, self.json),
            Command::Drift(arguments) => data::drift(&arguments, self.json),
            Command::Demo(arguments) => demo::demo(&arguments),
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Arguments::command(), "millrace", &mut std::io::stdout());
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
