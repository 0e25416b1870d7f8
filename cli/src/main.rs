//! The `millrace` command: what can be done, as a table of contents.

#[cfg(feature = "server")]
mod acts;
mod arguments;
#[cfg(feature = "server")]
mod client;
mod data;
#[cfg(feature = "server")]
mod demo;
mod files;
#[cfg(feature = "server")]
mod machine;
mod output;
#[cfg(feature = "server")]
mod recovery;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod story;
#[cfg(feature = "server")]
mod taxi;
#[cfg(feature = "server")]
mod up;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match arguments::Arguments::parse().run() {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(output::FAILED)
        }
    }
}
