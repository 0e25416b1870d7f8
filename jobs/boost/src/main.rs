//! The program `boost train | serve`.

use std::process::ExitCode;

fn main() -> ExitCode {
    boost::command::run(std::env::args().nth(1).as_deref())
}
