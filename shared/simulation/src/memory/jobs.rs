//! Jobs that only a test brings to their end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use ports::jobs::check_name;
use ports::{Error, ErrorKind, JobSpec, JobState, JobStatus, Jobs, Result, Started, Work};

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

    /// Ends a job well after a minute: the bytes become its artifact (train) or output (predict).
    ///
    /// # Panics
    /// Where no such job was started.
    pub fn complete(&self, name: &str, bytes: impl Into<Bytes>) {
        let path = match self.spec(name).work {
            Work::Train { artifact, .. } => artifact,
            Work::Predict { output, .. } => output,
        };
        self.blobs.insert(&path, bytes);
        self.end(name, JobState::Completed);
    }

    /// Ends a job badly after a minute.
    ///
    /// # Panics
    /// Where no such job was started.
    pub fn fail(&self, name: &str, reason: &str) {
        self.end(name, JobState::Failed { reason: reason.to_owned() });
    }

    /// Ends a job before its end, after a minute. What it had made by then is there, or nothing.
    ///
    /// # Panics
    /// Where no such job was started.
    pub fn cut_short(&self, name: &str, made: Option<Bytes>, reason: &str) {
        if let (Some(bytes), Work::Train { artifact, .. }) = (made, self.spec(name).work) {
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
        let status = JobStatus { state: JobState::Running, seconds: 0, progress: None };
        jobs.insert(job.name.clone(), (job.clone(), status));
        Ok(Started::Now)
    }

    async fn status(&self, name: &str) -> Result<JobStatus> {
        let jobs = lock(&self.jobs);
        jobs.get(name).map(|(_, status)| status.clone()).ok_or_else(|| unknown(name))
    }

    async fn stop(&self, name: &str) -> Result<()> {
        let mut jobs = lock(&self.jobs);
        let (_, status) = jobs.get_mut(name).ok_or_else(|| unknown(name))?;
        if status.state == JobState::Running {
            status.state = JobState::Stopped { reason: "asked to stop".into() };
        }
        Ok(())
    }
}
