//! Process: jobs and endpoints as supervised child processes.
//!
//! Programs follow SageMaker's container contract, with a directory in the place of `/opt/ml`.
//! A job belongs to its directory, not to whoever started it: a small supervisor holds a lock in
//! it and leaves an exit record there, so a job outlives its owner and is found again by its
//! lock, never by a process id. An endpoint's server lives and dies with its owner.
//!
//! ```text
//! Processes ──► supervisor ──► guard ──► train | serve        Servers ──► guard ──► serve
//! ```
//!
//! The guard is a process that does nothing but end its program, and all that the program
//! started, when whoever started the guard is gone.

mod bound;
mod clock;
mod lock;
mod record;
mod spec;

mod archive;
mod log;
mod place;

mod guard;
mod guarded;
mod supervisor;

mod chunk;
mod http;
mod predict;
mod train;
mod tune;

mod gather;
mod running;
mod stage;

mod invocation;
mod jobs;
mod keeper;
mod server;
mod servers;
mod standing;

use std::path::Path;

pub use invocation::{Answer, Invocation};
pub use jobs::{OnChange, ProcessOptions, Processes};
pub use servers::{Capturing, ServerOptions, Servers};

/// Tells the moment it is; jobs and endpoints stamp their events with it.
pub type Clock = std::sync::Arc<dyn Fn() -> domain::Time + Send + Sync>;

/// Does what the file `spec.json` of a directory says, as a process of its own: runs a job under
/// its lock and its time limit, or guards one program. Answers when that is over.
///
/// It is what the commands given as `supervise` to [`ProcessOptions`] and [`ServerOptions`] are
/// to call, with the path that is appended to their words.
///
/// # Errors
/// Where the directory says nothing that can be done, or the record of how it ended cannot be
/// written. How the program itself ended is not an error: it stands in the record.
pub fn supervise(directory: &Path) -> Result<(), String> {
    match record::need(&directory.join(spec::SPEC))? {
        spec::Task::Job(job) => supervisor::run(directory, &job),
        spec::Task::Program(program) => guard::run(directory, &program),
    }
}
