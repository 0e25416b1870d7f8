//! Jobs on one machine: child processes that outlive whoever started them.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::trial::Trials;
use ports::jobs::check_name;
use ports::{Blobs, Error, ErrorKind, JobSpec, JobState, JobStatus, Jobs, Result, Started};
use serde_json::Value;

use crate::bound::JOB_GRACE;
use crate::running::Running;
use crate::spec::{Begun, DONE, Done, Job, OUTPUT_LOG, SPEC, STARTED, STOP, TRIALS, Task};
use crate::stage::disk;
use crate::{Clock, clock, lock, log, record};

/// Is given an event in EventBridge's shape when a job or endpoint has changed its state. It is
/// called on a thread of its own, at least once, and the state can be read by then.
pub type OnChange = Arc<dyn Fn(Value) + Send + Sync>;

/// What running jobs needs.
#[derive(Clone)]
pub struct ProcessOptions {
    /// Where each job has a directory of its name; nobody else writes there.
    pub directory: PathBuf,
    /// Where inputs come from, and where artifacts and outputs go.
    pub blobs: Arc<dyn Blobs>,
    /// The command that calls [`crate::supervise`] with the path appended to its words.
    pub supervise: Vec<OsString>,
    /// The command of Boost, to which `train` or `serve` is appended.
    pub boost: Vec<OsString>,
    /// Is told when a job ends.
    pub on_change: OnChange,
    /// Tells the time that the events carry.
    pub clock: Clock,
    /// How many jobs work at once; the others wait in the order of their starts.
    pub at_once: usize,
    /// From asking a program to end to making it.
    pub grace: Duration,
}

impl ProcessOptions {
    /// As many jobs at once as the machine has cores, SageMaker's two minutes of grace, and
    /// nobody to tell.
    pub fn new(
        directory: impl Into<PathBuf>,
        blobs: Arc<dyn Blobs>,
        supervise: Vec<OsString>,
        boost: Vec<OsString>,
        clock: Clock,
    ) -> ProcessOptions {
        ProcessOptions {
            directory: directory.into(),
            blobs,
            supervise,
            boost,
            on_change: Arc::new(|_| {}),
            clock,
            at_once: std::thread::available_parallelism().map_or(1, usize::from),
            grace: JOB_GRACE,
        }
    }
}

impl fmt::Debug for ProcessOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessOptions").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Jobs as supervised child processes.
///
/// Dropping it stops nothing: what works goes on, and is found again by the next
/// [`Processes::open`] of the same directory.
#[derive(Debug)]
pub struct Processes {
    running: Arc<Running>,
}

impl Processes {
    /// Opens a directory of jobs, which is created where there is none, and goes on with the
    /// jobs that are not over: what works is waited for, what has ended is collected, and what
    /// neither works nor has ended (a machine that went down) is started again, at most three
    /// times.
    ///
    /// # Errors
    /// `Conflict` where another process has the directory open; `Invalid` where a word of a
    /// command is not UTF-8; `Unavailable` where the directory cannot be read or written.
    pub fn open(mut options: ProcessOptions) -> Result<Processes> {
        let (directory, owner) = own(&options.directory, "jobs")?;
        options.directory = directory;
        let running = Running::open(options, owner)?;
        running.adopt().map_err(disk)?;
        Ok(Processes { running })
    }

    fn directory(&self, name: &str) -> Result<PathBuf> {
        let unknown = || Error::new(ErrorKind::NotFound, format!("job {name}: never started"));
        // A name that is none cannot have been started, and must not lead out of the directory.
        check_name(name).map_err(|_| unknown())?;
        let directory = self.running.directory(name);
        if directory.join(SPEC).exists() { Ok(directory) } else { Err(unknown()) }
    }
}

/// Takes a directory for this process alone, and answers its whole path and the lock.
pub(crate) fn own(directory: &Path, what: &str) -> Result<(PathBuf, std::fs::File)> {
    let failed = |error: std::io::Error| disk(format!("open {}: {error}", directory.display()));
    std::fs::create_dir_all(directory).map_err(failed)?;
    let directory = directory.canonicalize().map_err(failed)?;
    match lock::take(&directory).map_err(disk)? {
        Some(owner) => Ok((directory, owner)),
        None => {
            let what = format!("open {}: another process has these {what} open", directory.display());
            Err(Error::new(ErrorKind::Conflict, what))
        }
    }
}

/// The words of a command as text.
pub(crate) fn words(command: &[OsString]) -> Result<Vec<String>> {
    let text = |word: &OsString| {
        word.clone().into_string().map_err(|word| {
            Error::new(ErrorKind::Invalid, format!("command {}: not UTF-8", word.to_string_lossy()))
        })
    };
    command.iter().map(text).collect()
}

#[async_trait]
impl Jobs for Processes {
    async fn start(&self, job: &JobSpec) -> Result<Started> {
        check_name(&job.name)?;
        if self.running.directory(&job.name).join(SPEC).exists() {
            return Ok(Started::Before);
        }
        let job = Job::of(job, self.running.next_order())?;
        let name = job.name.clone();
        let fresh = self.running.fresh_directory(&name);
        let built = std::fs::create_dir(&fresh)
            .map_err(record::at("create", &fresh))
            .and_then(|()| record::write(&fresh.join(SPEC), &Task::Job(job)));
        // Renaming onto a directory that holds something fails: of many starts one succeeds.
        let renamed = built.map(|()| std::fs::rename(&fresh, self.running.directory(&name)));
        match renamed {
            Ok(Ok(())) => {
                record::sync_directory(&self.running.options.directory).map_err(disk)?;
                self.running.enqueue(&name);
                Ok(Started::Now)
            }
            Ok(Err(error)) => {
                record::remove(&fresh).map_err(disk)?;
                match self.running.directory(&name).join(SPEC).exists() {
                    true => Ok(Started::Before),
                    false => Err(disk(format!("start {name}: {error}"))),
                }
            }
            Err(what) => {
                record::remove(&fresh).map_err(disk)?;
                Err(disk(what))
            }
        }
    }

    async fn status(&self, name: &str) -> Result<JobStatus> {
        let directory = self.directory(name)?;
        let record = record::read::<Trials>(&directory.join(TRIALS)).map_err(disk)?;
        let progress = match &record {
            Some(record) => Some(record.progress()),
            None => log::last_objective(&directory.join(OUTPUT_LOG)),
        };
        let trials = record.map(|record| record.trials).unwrap_or_default();
        if let Some(done) = record::read::<Done>(&directory.join(DONE)).map_err(disk)? {
            let state = done.exit.outcome.state();
            return Ok(JobStatus { state, seconds: done.exit.seconds, progress, trials });
        }
        let begun = record::read::<Begun>(&directory.join(STARTED)).map_err(disk)?;
        let seconds = begun.map_or(0, |begun| clock::wall_millis().saturating_sub(begun.wall_ms) / 1_000);
        Ok(JobStatus { state: JobState::Running, seconds, progress, trials })
    }

    async fn stop(&self, name: &str) -> Result<()> {
        let directory = self.directory(name)?;
        if directory.join(DONE).exists() {
            return Ok(());
        }
        let path = directory.join(STOP);
        std::fs::File::create(&path).map_err(record::at("write", &path)).map_err(disk)?;
        record::sync_directory(&directory).map_err(disk)?;
        self.running.hurry(name);
        Ok(())
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.running.close();
    }
}
