//! Which jobs work, which wait, and what is next for each? One thread a working job.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use domain::BlobPath;
use ports::{Error, ErrorKind, Result};
use serde_json::json;
use tracing::{error, info};

use crate::bound::{ATTEMPTS_MAX, LOOK, PAUSE, SEARCH_ATTEMPTS_MAX};
use crate::gather::Shown;
use crate::jobs::{ProcessOptions, words};
use crate::place::Place;
use crate::record::{need, read, remove, write};
use crate::spec::{
    ATTEMPTS, Asked, DONE, Done, EXIT, Exit, Job, LAUNCH, Launch, Outcome, SPEC, STARTED, STOP,
    SUPERVISOR_LOG, TOLD, Task,
};
use crate::stage::{disk, fetch, lay_code};
use crate::{lock, log, predict};

/// The jobs of one directory.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) options: ProcessOptions,
    launch: Launch,
    state: Mutex<State>,
    wake: Condvar,
    orders: AtomicU64,
    _owner: File,
}

#[derive(Debug, Default)]
struct State {
    closing: Closing,
    queue: VecDeque<String>,
    working: usize,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    #[default]
    No,
    Yes,
}

/// What is next for a job.
enum Step {
    /// Look again at once.
    Again,
    /// Look again after a while.
    Wait(Duration),
    /// Nothing: it is over, and that was told.
    Over,
}

impl Running {
    pub(crate) fn open(options: ProcessOptions, owner: File) -> Result<Arc<Running>> {
        let launch = Launch {
            supervise: words(&options.supervise)?,
            boost: words(&options.boost)?,
            grace_ms: u64::try_from(options.grace.as_millis()).unwrap_or(u64::MAX),
        };
        Ok(Arc::new(Running {
            options,
            launch,
            state: Mutex::default(),
            wake: Condvar::new(),
            orders: AtomicU64::new(1),
            _owner: owner,
        }))
    }

    /// The directory of a job.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.options.directory.join(name)
    }

    /// A directory beside the jobs', which no job can be named like.
    pub(crate) fn fresh_directory(&self, name: &str) -> PathBuf {
        self.options.directory.join(format!(".new-{name}-{}", self.next_order()))
    }

    pub(crate) fn next_order(&self) -> u64 {
        self.orders.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the jobs that are not over and goes on with them.
    pub(crate) fn adopt(self: &Arc<Self>) -> std::result::Result<(), String> {
        let root = &self.options.directory;
        let mut waiting = Vec::new();
        let mut under_way = Vec::new();
        for entry in std::fs::read_dir(root).map_err(crate::record::at("read", root))? {
            let directory = entry.map_err(crate::record::at("read", root))?.path();
            let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(".new-") {
                // A start that did not come to its end, and was not acknowledged.
                remove(&directory)?;
                continue;
            }
            if !directory.join(SPEC).exists() || directory.join(TOLD).exists() {
                continue;
            }
            let lives = lock::is_held(&directory)? || directory.join(EXIT).exists();
            match need::<Task>(&directory.join(SPEC)) {
                Ok(Task::Job(job)) if lives => under_way.push((job.order, name)),
                Ok(Task::Job(job)) => waiting.push((job.order, name)),
                Ok(Task::Program(_)) => error!(job = %name, "a job's directory holds something else"),
                Err(reason) => error!(job = %name, reason, "a job cannot be read"),
            }
        }
        waiting.sort();
        let last = waiting.iter().chain(&under_way).map(|(order, _)| *order).max().unwrap_or_default();
        self.orders.store(last + 1, Ordering::Relaxed);
        let mut state = self.lock();
        for (_, name) in under_way {
            info!(job = %name, "going on with a job");
            self.work(&mut state, name);
        }
        state.queue.extend(waiting.into_iter().map(|(_, name)| name));
        self.pump(&mut state);
        Ok(())
    }

    /// Puts a new job behind those that wait.
    pub(crate) fn enqueue(self: &Arc<Self>, name: &str) {
        let mut state = self.lock();
        state.queue.push_back(name.to_owned());
        self.pump(&mut state);
    }

    /// A job that waits need not wait in order to be stopped.
    pub(crate) fn hurry(self: &Arc<Self>, name: &str) {
        let mut state = self.lock();
        if let Some(place) = state.queue.iter().position(|waiting| waiting == name) {
            state.queue.remove(place);
            self.work(&mut state, name.to_owned());
        }
    }

    /// Stops looking after jobs; the jobs go on.
    pub(crate) fn close(&self) {
        let threads = {
            let mut state = self.lock();
            state.closing = Closing::Yes;
            self.wake.notify_all();
            std::mem::take(&mut state.threads)
        };
        for thread in threads {
            // Whoever is told of a change may be the one who closes.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }

    fn pump(self: &Arc<Self>, state: &mut State) {
        while state.working < self.options.at_once.max(1) {
            let Some(name) = state.queue.pop_front() else { return };
            self.work(state, name);
        }
    }

    fn work(self: &Arc<Self>, state: &mut State, name: String) {
        if state.closing == Closing::Yes {
            return;
        }
        state.working += 1;
        state.threads.retain(|thread| !thread.is_finished());
        let running = self.clone();
        state.threads.push(std::thread::spawn(move || {
            running.look_after(&name);
            let mut state = running.lock();
            state.working -= 1;
            running.pump(&mut state);
        }));
    }

    /// Waits before the next look; `Yes` where there will be none.
    fn pause(&self, duration: Duration) -> Closing {
        let state = self.lock();
        let closing = |state: &mut State| state.closing == Closing::No;
        let waited = self.wake.wait_timeout_while(state, duration, closing);
        waited.unwrap_or_else(PoisonError::into_inner).0.closing
    }

    pub(crate) fn go_on(&self) -> Result<()> {
        match self.lock().closing {
            Closing::No => Ok(()),
            Closing::Yes => Err(Error::new(ErrorKind::Unavailable, "look after a job: closing")),
        }
    }

    fn look_after(&self, name: &str) {
        let mut supervisor = None;
        let mut shown = Shown::default();
        loop {
            self.show(name, &mut shown);
            let wait = match self.step(name, &mut supervisor) {
                Ok(Step::Over) => return,
                Ok(Step::Again) => Duration::ZERO,
                Ok(Step::Wait(duration)) => duration,
                Err(error) => {
                    if self.go_on().is_ok() {
                        error!(job = name, %error, "a job waits for what may pass");
                    }
                    PAUSE
                }
            };
            if self.pause(wait) == Closing::Yes {
                return;
            }
        }
    }

    fn step(&self, name: &str, supervisor: &mut Option<Child>) -> Result<Step> {
        let directory = self.directory(name);
        if let Some(done) = read::<Done>(&directory.join(DONE)).map_err(disk)? {
            self.tell(&directory, &done)?;
            return Ok(Step::Over);
        }
        if let Some(exit) = read::<Exit>(&directory.join(EXIT)).map_err(disk)? {
            if let Some(mut child) = supervisor.take() {
                // It has nothing left to do but to end.
                let _ = child.wait();
            }
            self.conclude(&directory, exit)?;
            return Ok(Step::Again);
        }
        if let Some(child) = supervisor {
            if matches!(child.try_wait(), Ok(None)) {
                return Ok(Step::Wait(LOOK));
            }
            *supervisor = None;
            return Ok(Step::Again);
        }
        if lock::is_held(&directory).map_err(disk)? {
            return Ok(Step::Wait(LOOK));
        }
        // It may have ended since the first look; now that nothing lives the answer is final.
        if directory.join(EXIT).exists() {
            return Ok(Step::Again);
        }
        if directory.join(STOP).exists() {
            let exit = Exit::unworked(Outcome::asked_to_stop());
            write(&directory.join(EXIT), &exit).map_err(disk)?;
            return Ok(Step::Again);
        }
        self.launch(name, &directory, supervisor)
    }

    /// Begins an attempt, if there is one left.
    fn launch(&self, name: &str, directory: &Path, supervisor: &mut Option<Child>) -> Result<Step> {
        let attempts: u32 = read(&directory.join(ATTEMPTS)).map_err(disk)?.unwrap_or_default();
        let give_up = |reason: String| {
            write(&directory.join(EXIT), &Exit::unworked(Outcome::failed(reason))).map_err(disk)?;
            Ok(Step::Again)
        };
        let job = match need(&directory.join(SPEC)) {
            Ok(Task::Job(job)) => job,
            Ok(Task::Program(_)) => return give_up("its specification is of something else".into()),
            Err(reason) => return give_up(reason),
        };
        let attempts_max = match job.work {
            Asked::Tune(_) => SEARCH_ATTEMPTS_MAX,
            Asked::Train { .. } | Asked::Predict { .. } => ATTEMPTS_MAX,
        };
        if attempts >= attempts_max {
            let said = log::last_line(&directory.join(SUPERVISOR_LOG));
            let said = said.map(|line| format!(": {line}")).unwrap_or_default();
            let times = if attempts == 1 { "once".to_owned() } else { format!("{attempts} times") };
            return give_up(format!("its supervisor ended {times} without a result{said}"));
        }
        match self.stage(directory, &job) {
            Err(error) if !error.may_pass() => return give_up(error.to_string()),
            staged => staged?,
        }
        remove(&directory.join(STARTED)).map_err(disk)?;
        write(&directory.join(LAUNCH), &self.launch).map_err(disk)?;
        write(&directory.join(ATTEMPTS), &(attempts + 1)).map_err(disk)?;
        match self.spawn(directory) {
            Ok(child) => {
                info!(job = name, attempt = attempts + 1, "a job begins");
                *supervisor = Some(child);
                Ok(Step::Wait(LOOK))
            }
            Err(reason) if attempts + 1 >= attempts_max => give_up(reason),
            Err(reason) => Err(disk(reason)),
        }
    }

    /// Lays everything the program is promised into the job's directory, from the beginning.
    fn stage(&self, directory: &Path, job: &Job) -> Result<()> {
        let place = Place::within(directory);
        remove(place.base()).map_err(disk)?;
        let (blobs, go_on) = (&*self.options.blobs, &|| self.go_on());
        let get = |path: &BlobPath, file: &Path| fetch(blobs, path, file, go_on);
        let lay = |channels: &BTreeMap<String, BlobPath>| {
            channels.iter().try_for_each(|(channel, path)| get(path, &place.channel_file(channel, path)))
        };
        match &job.work {
            Asked::Train { channels, .. } => lay(channels)?,
            Asked::Tune(search) => lay(&search.channels)?,
            Asked::Predict { artifact, input, .. } => {
                get(artifact, &directory.join(predict::MODEL))?;
                get(input, &directory.join(predict::INPUT))?;
            }
        }
        lay_code(blobs, &job.program, &place, go_on)
    }

    fn spawn(&self, directory: &Path) -> std::result::Result<Child, String> {
        let (first, rest) = self.launch.supervise.split_first().ok_or("start a supervisor: no words")?;
        let path = directory.join(SUPERVISOR_LOG);
        let complaints = File::options().create(true).append(true).open(&path);
        let complaints = complaints.map_err(crate::record::at("write", &path))?;
        let mut command = Command::new(first);
        command.args(rest).arg(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(complaints);
        // What is typed at the owner's terminal is not for it: it outlives its owner.
        let child = command.process_group(0).spawn();
        child.map_err(|error| format!("start a supervisor: {first}: {error}"))
    }

    /// Tells that a job is over, once more where it is not known that it was told.
    fn tell(&self, directory: &Path, done: &Done) -> Result<()> {
        let told = directory.join(TOLD);
        if !told.exists() {
            if let Task::Job(job) = need(&directory.join(SPEC)).map_err(disk)? {
                info!(job = %job.name, outcome = ?done.exit.outcome, seconds = done.exit.seconds, "a job is over");
                (self.options.on_change)(event(&job, done));
            }
            write(&told, &json!({})).map_err(disk)?;
        }
        Ok(())
    }
}

/// The change as EventBridge carries it.
fn event(job: &Job, done: &Done) -> serde_json::Value {
    let (kind, name, status) = match job.work {
        Asked::Train { .. } => ("Training", "TrainingJobName", "TrainingJobStatus"),
        Asked::Tune(_) => {
            ("HyperParameter Tuning", "HyperParameterTuningJobName", "HyperParameterTuningJobStatus")
        }
        Asked::Predict { .. } => ("Transform", "TransformJobName", "TransformJobStatus"),
    };
    let (state, reason) = match &done.exit.outcome {
        Outcome::Completed => ("Completed", ""),
        Outcome::Failed(reason) => ("Failed", reason.as_str()),
        Outcome::Stopped(reason) => ("Stopped", reason.as_str()),
    };
    json!({
        "version": "0",
        "source": "aws.sagemaker",
        "detail-type": format!("SageMaker {kind} Job State Change"),
        "time": done.at.to_string(),
        "detail": {
            name: job.name,
            status: state,
            "FailureReason": reason,
            "LastModifiedTime": done.at.millis().to_string(),
        },
    })
}
