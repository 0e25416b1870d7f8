//! What can be typed after `millrace`, with an example for each: the commands that need no server.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::data;
#[cfg(feature = "server")]
use crate::demo;
use crate::output::{Done, Form};
#[cfg(feature = "server")]
use crate::{client, server};

/// What stands below every command's list.
#[cfg(not(feature = "server"))]
const AFTER_HELP: &str = "\
Exit codes: 0 done · 1 it could not be done · 2 wrong command line · 3 done, and what was looked
at is not well (a file that breaks its contract, drift)

A first minute:
  millrace profile quotes.csv
  millrace validate quotes.csv --contract contract.yaml
  millrace drift january.csv april.csv";

/// What stands below every command's list.
#[cfg(feature = "server")]
const AFTER_HELP: &str = "\
Exit codes: 0 done · 1 it could not be done · 2 wrong command line · 3 done, and what was looked
at is not well (a file that breaks its contract, a run without a model, drift)

A first minute, on any file:
  millrace profile quotes.csv
  millrace validate quotes.csv --contract contract.yaml
  millrace drift january.csv april.csv

A first hour, with a running Millrace:
  millrace demo
  millrace up
  millrace apply pipeline.yaml
  millrace upload home-insurance quotes.csv --wait
  millrace train home-insurance --reason 'a first model' --wait
  millrace status";

/// The life of a machine-learning model: data contracts, training, approval, serving, drift.
#[derive(Debug, Parser)]
#[command(
    name = "millrace",
    version,
    about,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(crate) struct Arguments {
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[cfg(feature = "server")]
    #[command(flatten)]
    place: client::Place,
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
    #[cfg_attr(
        not(feature = "server"),
        doc = "Compare two files: has what they hold drifted?",
        command(after_help = "Example:\n  millrace drift january.csv april.csv --contract contract.yaml")
    )]
    #[cfg_attr(
        feature = "server",
        doc = "Compare two files, or list the checks of a pipeline's traffic: has it drifted?",
        command(after_help = "\
Examples:
  millrace drift january.csv april.csv --contract contract.yaml
  millrace drift home-insurance                  # the checks of its traffic, newest last
  millrace drift home-insurance --check --wait   # check now; exit code 3 where it drifted")
    )]
    Drift(data::DriftArguments),
    /// Play one model's whole life on generated data, on a server of its own.
    #[cfg(feature = "server")]
    #[command(after_help = "Example:\n  millrace demo --seed 7 --into demo-data")]
    Demo(demo::DemoArguments),
    #[cfg(feature = "server")]
    #[command(flatten)]
    Server(Box<server::Command>),
    /// What a job or endpoint runs under; `millrace up` starts it.
    #[cfg(feature = "server")]
    #[command(hide = true)]
    Supervise {
        /// Where the job stands.
        directory: std::path::PathBuf,
    },
    /// Millrace's own training and serving program, as SageMaker calls a container.
    #[cfg(feature = "server")]
    #[command(hide = true)]
    Boost {
        /// `train` or `serve`.
        word: String,
    },
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
        let form = if self.json { Form::Json } else { Form::Text };
        match self.command {
            Command::Profile(arguments) => data::profile(&arguments, form),
            Command::Validate(arguments) => data::validate(&arguments, form),
            Command::Drift(arguments) => match &arguments.current {
                Some(current) => data::drift(&arguments, current, form),
                #[cfg(feature = "server")]
                None => server::drift(&arguments.reference, &arguments.watched, &self.place, form),
                #[cfg(not(feature = "server"))]
                None => unreachable!("the command line was refused without a second file"),
            },
            #[cfg(feature = "server")]
            Command::Demo(arguments) => demo::demo(&arguments),
            #[cfg(feature = "server")]
            Command::Server(command) => command.run(&self.place, form),
            #[cfg(feature = "server")]
            Command::Supervise { directory } => {
                process::supervise(&directory)?;
                Ok(ExitCode::SUCCESS)
            }
            #[cfg(feature = "server")]
            Command::Boost { word } => Ok(boost::command::run(Some(&word))),
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Arguments::command(), "millrace", &mut std::io::stdout());
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Says that a command line is wrong, as the parser says it.
#[cfg(feature = "server")]
pub(crate) fn wrong(subcommand: &str, message: &str) -> Done {
    let mut command = Arguments::command();
    command.build();
    let command = command.find_subcommand_mut(subcommand).expect("the subcommand is declared above");
    // Where even the complaint cannot be written, the exit code still tells.
    let _ = command.error(clap::error::ErrorKind::MissingRequiredArgument, message).print();
    Ok(ExitCode::from(crate::output::WRONG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
