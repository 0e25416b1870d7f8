//! What do the records in a job's or a program's directory say?

use std::collections::BTreeMap;

use domain::tuning::Tuning;
use domain::{BlobPath, Time};
use ports::{Error, ErrorKind, JobSpec, JobState, ProgramSpec, Work};
use serde::{Deserialize, Serialize};

use crate::bound::REASON_CHARS_MAX;

/// What is to be done: written before the directory can be seen.
pub(crate) const SPEC: &str = "spec.json";
/// How the next attempt is launched: rewritten before each.
pub(crate) const LAUNCH: &str = "launch.json";
/// How many attempts there were.
pub(crate) const ATTEMPTS: &str = "attempts.json";
/// When the attempt at hand began.
pub(crate) const STARTED: &str = "started.json";
/// Its being there asks the job to stop.
pub(crate) const STOP: &str = "stop";
/// The trials of a search so far.
pub(crate) const TRIALS: &str = "trials.json";
/// How the work ended: from here on no attempt begins.
pub(crate) const EXIT: &str = "exit.json";
/// How the job ended: from here on its artifact or output can be read.
pub(crate) const DONE: &str = "done.json";
/// Its being there says that the end was told.
pub(crate) const TOLD: &str = "told";
/// What the program printed.
pub(crate) const OUTPUT_LOG: &str = "output.log";
/// What the supervisor complained about.
pub(crate) const SUPERVISOR_LOG: &str = "supervisor.log";
/// How a guarded program ended.
pub(crate) const ENDED: &str = "ended.json";

/// What a directory asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub(crate) enum Task {
    /// A job, to be supervised.
    Job(Job),
    /// A program, to be guarded.
    Program(Program),
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) name: String,
    /// Its place in the order of starts.
    pub(crate) order: u64,
    pub(crate) program: Called,
    pub(crate) work: Asked,
    pub(crate) timeout_seconds: u64,
}

/// What a job is asked to do: [`Work`] as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    Train {
        hyperparameters: BTreeMap<String, String>,
        channels: BTreeMap<String, BlobPath>,
        artifact: BlobPath,
    },
    Tune(Box<Search>),
    Predict {
        artifact: BlobPath,
        input: BlobPath,
        output: BlobPath,
    },
}

/// A search over hyperparameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) tuning: Tuning,
    pub(crate) hyperparameters: BTreeMap<String, String>,
    pub(crate) channels: BTreeMap<String, BlobPath>,
    pub(crate) artifact: BlobPath,
    pub(crate) trials: BlobPath,
    pub(crate) trial_seconds: u64,
}

/// Which program is called: [`ProgramSpec`] as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Called {
    Boost,
    Command { run: Vec<String>, files: BTreeMap<String, BlobPath> },
}

/// How an attempt is launched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// The command of supervisors and guards.
    pub(crate) supervise: Vec<String>,
    /// The command of Boost.
    pub(crate) boost: Vec<String>,
    /// From asking a program to end to making it.
    pub(crate) grace_ms: u64,
}

/// A program that is guarded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) words: Vec<String>,
    pub(crate) directory: std::path::PathBuf,
    /// All of its environment.
    pub(crate) environment: BTreeMap<String, String>,
}

/// When an attempt began.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) wall_ms: u64,
}

/// How work ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub(crate) outcome: Outcome,
    pub(crate) seconds: u64,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub(crate) enum Outcome {
    Completed,
    Failed(String),
    Stopped(String),
}

/// How a job ended, and when that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) exit: Exit,
    pub(crate) at: Time,
}

impl Exit {
    /// An end before anything was worked.
    pub(crate) fn unworked(outcome: Outcome) -> Exit {
        Exit { outcome, seconds: 0 }
    }
}

impl Outcome {
    /// A failure whose reason fits.
    pub(crate) fn failed(reason: impl AsRef<str>) -> Outcome {
        Outcome::Failed(shortened(reason.as_ref()))
    }

    /// The end that somebody asked for.
    pub(crate) fn asked_to_stop() -> Outcome {
        Outcome::Stopped("asked to stop".into())
    }

    pub(crate) fn state(&self) -> JobState {
        match self.clone() {
            Outcome::Completed => JobState::Completed,
            Outcome::Failed(reason) => JobState::Failed { reason },
            Outcome::Stopped(reason) => JobState::Stopped { reason },
        }
    }
}

/// As much of a reason as fits.
pub(crate) fn shortened(reason: &str) -> String {
    reason.trim().chars().take(REASON_CHARS_MAX).collect()
}

impl Job {
    /// A job as it is written, or `Invalid` where a name in it would lead out of its directory.
    pub(crate) fn of(spec: &JobSpec, order: u64) -> Result<Job, Error> {
        ports::jobs::check_name(&spec.name)?;
        let work = match spec.work.clone() {
            Work::Train { hyperparameters, channels, artifact } => {
                check_channels(&spec.name, &channels)?;
                Asked::Train { hyperparameters, channels, artifact }
            }
            Work::Tune { tuning, hyperparameters, channels, artifact, trials, trial_seconds } => {
                check_channels(&spec.name, &channels)?;
                // It would else be found by a supervisor, which has nobody to tell.
                tuning::Metric::of(&tuning).map_err(|what| invalid(&spec.name, &what))?;
                let tuning = *tuning;
                let search = Search { tuning, hyperparameters, channels, artifact, trials, trial_seconds };
                Asked::Tune(Box::new(search))
            }
            Work::Predict { artifact, input, output } => Asked::Predict { artifact, input, output },
        };
        let program = Called::of(&spec.program).map_err(|what| invalid(&spec.name, &what))?;
        Ok(Job { name: spec.name.clone(), order, program, work, timeout_seconds: spec.timeout_seconds })
    }
}

impl Called {
    /// A program as it is written, or what is wrong with it.
    pub(crate) fn of(program: &ProgramSpec) -> Result<Called, String> {
        let ProgramSpec::Command { run, files } = program else { return Ok(Called::Boost) };
        if run.first().is_none_or(|word| word.is_empty()) {
            return Err("its program: expected the words of a command, found none".into());
        }
        for name in files.keys() {
            BlobPath::parse(name).map_err(|what| format!("its program's file: {what}"))?;
        }
        Ok(Called::Command { run: run.clone(), files: files.clone() })
    }
}

/// An `Invalid` error about a job or endpoint.
pub(crate) fn invalid(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("start {name}: {what}"))
}

fn check_channels(job: &str, channels: &BTreeMap<String, BlobPath>) -> Result<(), Error> {
    channels.keys().try_for_each(|channel| check_channel(channel)).map_err(|what| invalid(job, &what))
}

fn check_channel(name: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // SageMaker's rule, and no way out of the directory of channels.
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) || name.starts_with('.') {
        return Err(format!("channel {name:?}: expected letters, digits, '-', '_' and '.', at most 64"));
    }
    Ok(())
}
