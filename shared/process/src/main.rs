//! The command `supervise DIRECTORY`: a supervisor as a process of its own, for this crate's tests.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        let _ = writeln!(io::stderr(), "usage: supervise DIRECTORY");
        return ExitCode::FAILURE;
    };
    match process::supervise(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "supervise: {reason}");
            ExitCode::FAILURE
        }
    }
}
