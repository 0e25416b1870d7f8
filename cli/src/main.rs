//! The `millrace` command: everything a person does, as a table of contents.

mod arguments;
mod data;
mod output;
#[cfg(feature = "server")]
mod ask;
#[cfg(feature = "server")]
mod client;
#[cfg(feature = "server")]
mod look;
#[cfg(feature = "server")]
mod story;
#[cfg(feature = "server")]
mod up;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match arguments.run() {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(output::FAILED)
        }
    }
}
