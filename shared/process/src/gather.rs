//! How does what a job made come to where it is to be read?

use std::path::Path;

use ports::{Error, ErrorKind, Result};

use crate::bound::RECORD_PAUSE;
use crate::record::{need, remove, write};
use crate::running::Running;
use crate::spec::{Asked, DONE, Done, EXIT, Exit, Job, Outcome, SPEC, Search, TRIALS, Task};
use crate::stage::{disk, store};
use crate::{clock, predict, train, tune};

/// Which state of a search's trials was copied last, and when.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    changed: Option<std::time::SystemTime>,
    at: Option<std::time::Instant>,
}

impl Running {
    /// Brings what was made to where it is to be read, and only then says that the job is over.
    pub(crate) fn conclude(&self, directory: &Path, exit: Exit) -> Result<()> {
        let mut exit = exit;
        match self.collect(directory, &exit.outcome) {
            Err(error) if !error.may_pass() => exit.outcome = Outcome::failed(error.to_string()),
            collected => collected?,
        }
        let done = Done { exit, at: (self.options.clock)() };
        write(&directory.join(DONE), &done).map_err(disk)?;
        for leftover in ["base", "guard", train::ARTIFACT, predict::MODEL, predict::INPUT, predict::OUTPUT] {
            remove(&directory.join(leftover)).map_err(disk)?;
        }
        Ok(())
    }

    fn collect(&self, directory: &Path, outcome: &Outcome) -> Result<()> {
        let job = match need(&directory.join(SPEC)) {
            Ok(Task::Job(job)) => job,
            // That it cannot be read is what it failed of.
            _ if *outcome != Outcome::Completed => return Ok(()),
            Ok(Task::Program(_)) => {
                return Err(Error::new(ErrorKind::Invalid, "its specification is of something else"));
            }
            Err(reason) => return Err(disk(reason)),
        };
        let keep =
            |file: &str, path| store(&*self.options.blobs, &directory.join(file), path, &|| self.go_on());
        match &job.work {
            Asked::Tune(search) => self.collect_search(directory, search, outcome),
            _ if *outcome != Outcome::Completed => Ok(()),
            Asked::Train { artifact, .. } => keep(train::ARTIFACT, artifact),
            Asked::Predict { output, .. } => keep(predict::OUTPUT, output),
        }
    }

    /// The record of a search is kept however it ended, its best model unless it failed.
    fn collect_search(&self, directory: &Path, search: &Search, outcome: &Outcome) -> Result<()> {
        tune::conclude(directory, search, outcome).map_err(disk)?;
        let (blobs, go_on) = (&*self.options.blobs, &|| self.go_on());
        let model = directory.join(train::ARTIFACT);
        let is_wanted = match outcome {
            Outcome::Completed => true,
            Outcome::Stopped(_) => model.exists(),
            Outcome::Failed(_) => false,
        };
        if is_wanted {
            store(blobs, &model, &search.artifact, go_on)?;
        }
        store(blobs, &directory.join(TRIALS), &search.trials, go_on)
    }

    /// Copies the trials of a search under way to where people look, when they have changed. That
    /// it fails now and then is no matter: its end copies them for good.
    pub(crate) fn show(&self, name: &str, shown: &mut Shown) {
        let directory = self.directory(name);
        let Ok(changed) = std::fs::metadata(directory.join(TRIALS)).and_then(|file| file.modified()) else {
            return;
        };
        let is_early = shown.at.is_some_and(|at| at.elapsed() < RECORD_PAUSE);
        if is_early || shown.changed == Some(changed) || directory.join(EXIT).exists() {
            return;
        }
        *shown = Shown { changed: Some(changed), at: Some(clock::now()) };
        if let Ok(Task::Job(Job { work: Asked::Tune(search), .. })) = need(&directory.join(SPEC)) {
            let go_on = || self.go_on();
            let _ = store(&*self.options.blobs, &directory.join(TRIALS), &search.trials, &go_on);
        }
    }
}
