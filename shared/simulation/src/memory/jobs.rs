//! Jobs that only a test brings to their end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use domain::tuning::Tuning;
use ports::jobs::check_name;
use ports::{Error, ErrorKind, JobSpec, JobState, JobStatus, Jobs, Result, Started, Work};
use tuning::{Asked, Ended, Tuner};

use super::{MemoryBlobs, lock};

/// Jobs in a map. A started job runs until the test says how it ends.
#[derive(Debug, Default)]
pub struct MemoryJobs {
    blobs: MemoryBlobs,
    jobs: Mutex<BTreeMap<String, (JobSpec, JobStatus)>>,
}

impl MemoryJobs {
    /// Jobs whose artifacts and outputs go to these blobs.
    pub fn new(blobs: MemoryBlobs) -> MemoryJobs {
        MemoryJobs { blobs, jobs: Mutex::default() }
    }

    /// A copy with a life of its own, whose artifacts and outputs go to these blobs.
    pub fn fork(&self, blobs: MemoryBlobs) -> MemoryJobs {
        MemoryJobs { blobs, jobs: Mutex::new(lock(&self.jobs).clone()) }
    }

    /// Every job that was ever started, by name.
    pub fn started(&self) -> Vec<JobSpec> {
        lock(&self.jobs).values().map(|(spec, _)| spec.clone()).collect()
    }

    /// Names of the jobs that run.
    pub fn running(&self) -> Vec<String> {
        let jobs = lock(&self.jobs);
        let running = jobs.iter().filter(|(_, (_, status))| status.state == JobState::Running);
        running.map(|(name, _)| name.clone()).collect()
    }

    /// What a job was asked to do.
    ///
    /// # Panics
    /// Where no such job was started.
    pub fn spec(&self, name: &str) -> JobSpec {
        match lock(&self.jobs).get(name) {
            Some((spec, _)) => spec.clone(),
            None => panic!("no job {name:?} was started"),
        }
    }

    /// Ends a job well after a minute: the bytes become its artifact (train, tune) or output
    /// (predict). A search has made one trial, whose objective is 0.5.
    ///
    /// # Panics
    /// Where no such job was started.
    pub fn complete(&self, name: &str, bytes: impl Into<Bytes>) {
        let path = match self.spec(name).work {
            Work::Train { artifact, .. } | Work::Tune { artifact, .. } => artifact,
            Work::Predict { output, .. } => output,
        };
        self.blobs.insert(&path, bytes);
        self.searched(name, Ended::Well, "all was tried");
        self.end(name, JobState::Completed);
    }

    /// Ends a job badly after a minute.
    ///
    /// # Panics
    /// Where no such job was started.
    pub fn fail(&self, name: &str, reason: &str) {
        self.searched(name, Ended::Badly(reason.to_owned()), reason);
        self.end(name, JobState::Failed { reason: reason.to_owned() });
    }

    /// Ends a job before its end, after a minute. What it had made by then is there, or nothing.
    ///
    /// # Panics
    /// Where no such job was started.
    pub fn cut_short(&self, name: &str, made: Option<Bytes>, reason: &str) {
        let ended = if made.is_some() { Ended::Well } else { Ended::Short(reason.to_owned()) };
        self.searched(name, ended, reason);
        if let (Some(bytes), Work::Train { artifact, .. } | Work::Tune { artifact, .. }) =
            (made, self.spec(name).work)
        {
            self.blobs.insert(&artifact, bytes);
        }
        self.end(name, JobState::Stopped { reason: reason.to_owned() });
    }

    /// The last objective line a job printed.
    ///
    /// # Panics
    /// Where no such job was started.
    pub fn progress(&self, name: &str, line: &str) {
        self.change(name, |status| status.progress = Some(line.to_owned()));
    }

    /// Leaves the record of a search of one trial; nothing where the job is none.
    fn searched(&self, name: &str, ended: Ended, reason: &str) {
        let Work::Tune { tuning, trials, .. } = self.spec(name).work else { return };
        let record = record(&tuning, ended, reason);
        let bytes = serde_json::to_vec(&record).expect("records serialise to JSON");
        self.blobs.insert(&trials, bytes);
        self.change(name, |status| status.trials = record.trials);
    }

    fn end(&self, name: &str, state: JobState) {
        self.change(name, |status| {
            status.state = state;
            status.seconds = 60;
        });
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut JobStatus)) {
        match lock(&self.jobs).get_mut(name) {
            Some((_, status)) => change(status),
            None => panic!("no job {name:?} was started"),
        }
    }

    /// Every job with its status: equal dumps mean that nothing has changed.
    pub fn dump(&self) -> BTreeMap<String, (JobSpec, JobStatus)> {
        lock(&self.jobs).clone()
    }
}

fn record(tuning: &Tuning, ended: Ended, reason: &str) -> domain::trial::Trials {
    let mut tuner = Tuner::new(tuning);
    if let Asked::Begin(trial) = tuner.ask() {
        tuner.tell(trial.number, Some(1), 0.5);
        tuner.finish(trial.number, ended, 60);
    }
    tuner.end(reason);
    tuner.record()
}

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("job {name}: never started"))
}

#[async_trait]
impl Jobs for MemoryJobs {
    async fn start(&self, job: &JobSpec) -> Result<Started> {
        check_name(&job.name)?;
        let mut jobs = lock(&self.jobs);
        if jobs.contains_key(&job.name) {
            return Ok(Started::Before);
        }
        let status = JobStatus { state: JobState::Running, seconds: 0, progress: None, trials: Vec::new() };
        jobs.insert(job.name.clone(), (job.clone(), status));
        Ok(Started::Now)
    }

    async fn status(&self, name: &str) -> Result<JobStatus> {
        let jobs = lock(&self.jobs);
        jobs.get(name).map(|(_, status)| status.clone()).ok_or_else(|| unknown(name))
    }

    async fn stop(&self, name: &str) -> Result<()> {
        let running = self.status(name).await?.state == JobState::Running;
        if running {
            let reason = "asked to stop";
            self.searched(name, Ended::Short(reason.to_owned()), reason);
            self.change(name, |status| status.state = JobState::Stopped { reason: reason.to_owned() });
        }
        Ok(())
    }
}
