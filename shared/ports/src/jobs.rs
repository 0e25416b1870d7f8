//! Remote or slow work: trainings, searches over hyperparameters and batch predictions, started
//! under a name derived from their cause and found again by that name.
//!
//! Adapters: supervised child processes on one machine, memory in tests, SageMaker on AWS.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::BlobPath;
use domain::pipeline::Program;
use domain::row::File;
use domain::trial::Trial;
use domain::tuning::Tuning;

use crate::{Error, ErrorKind, Result};

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// Derived from the cause: letters, digits and hyphens, at most 63. It is the idempotency key.
    pub name: String,
    /// The program, following SageMaker's container contract.
    pub program: ProgramSpec,
    /// Train, tune or predict.
    pub work: Work,
    /// A job that runs longer is stopped.
    pub timeout_seconds: u64,
}

/// Longest name of a job or endpoint: SageMaker's limit.
pub const NAME_MAX: usize = 63;

/// Checks the name of a job or endpoint, which becomes part of paths and addresses:
/// letters, digits and inner hyphens, at most [`NAME_MAX`]; else `Invalid`.
pub fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty()
        || name.len() > NAME_MAX
        || !name.chars().all(fine)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        let what = format!(
            "name {name:?}: expected letters, digits and inner hyphens, at most {NAME_MAX} characters"
        );
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    Ok(())
}

/// A program that is called with `train` and with `serve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramSpec {
    /// Millrace's own gradient boosting.
    Boost,
    /// A command with its files, which are laid into its working directory by name.
    Command {
        /// The command's words.
        run: Vec<String>,
        /// Its files.
        files: BTreeMap<String, BlobPath>,
    },
}

impl ProgramSpec {
    /// A declared program with its recorded files.
    pub fn of(program: &Program, files: &BTreeMap<String, File>) -> ProgramSpec {
        match program {
            Program::Boost => ProgramSpec::Boost,
            Program::Command { run, .. } => ProgramSpec::Command {
                run: run.clone(),
                files: files.iter().map(|(name, file)| (name.clone(), file.path.clone())).collect(),
            },
        }
    }
}

/// Train, tune or predict.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Learn a model from channels.
    Train {
        /// All values are text, as SageMaker hands them over.
        hyperparameters: BTreeMap<String, String>,
        /// One file for each channel, laid at `/opt/ml/input/data/<channel>/<file name>`.
        channels: BTreeMap<String, BlobPath>,
        /// Where `model.tar.gz` goes.
        artifact: BlobPath,
    },
    /// Learn models from channels with hyperparameters that are searched for, and keep the best.
    Tune {
        /// The search. It holds: whoever starts a job has checked it.
        tuning: Box<Tuning>,
        /// Those that every trial is given beside its own; all values are text.
        hyperparameters: BTreeMap<String, String>,
        /// One file for each channel, as every trial finds it.
        channels: BTreeMap<String, BlobPath>,
        /// Where the best trial's `model.tar.gz` goes.
        artifact: BlobPath,
        /// Where the record of all trials goes: [`domain::trial::Trials`] in JSON. It is there when
        /// the job is over, however it ended, and may be replaced by a newer one until then.
        trials: BlobPath,
        /// A trial that runs longer has failed; [`JobSpec::timeout_seconds`] is the search's, and
        /// what was found by then counts.
        trial_seconds: u64,
    },
    /// Let a model predict rows.
    Predict {
        /// The model, `model.tar.gz`.
        artifact: BlobPath,
        /// CSV without header.
        input: BlobPath,
        /// One prediction a line, in the input's order.
        output: BlobPath,
    },
}

/// Whether a start started anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// The job was started.
    Now,
    /// A job of this name is there already, running or over.
    Before,
}

/// How a job stands.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStatus {
    /// How far it has come.
    pub state: JobState,
    /// Its duration so far, in seconds.
    pub seconds: u64,
    /// The last objective line it printed, for people.
    pub progress: Option<String>,
    /// The trials of a search so far, in order of their numbers; none for other work.
    pub trials: Vec<Trial>,
}

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits or works.
    Running,
    /// Its artifact or output is there.
    Completed,
    /// It ended without.
    Failed {
        /// What it said, at most 1024 characters.
        reason: String,
    },
    /// It was stopped, by us or by its time limit.
    Stopped {
        /// Why.
        reason: String,
    },
}

/// Remote or slow work.
#[async_trait]
pub trait Jobs: std::fmt::Debug + Send + Sync {
    /// Starts a job, unless one of its name is there. Atomic: a job either is there or is not.
    async fn start(&self, job: &JobSpec) -> Result<Started>;

    /// How a job stands. `NotFound` where there never was one of this name.
    /// `Completed` is answered only when its artifact or output can be read.
    async fn status(&self, name: &str) -> Result<JobStatus>;

    /// Asks a job to stop; no error where it is over. `NotFound` where there never was one.
    async fn stop(&self, name: &str) -> Result<()>;
}
