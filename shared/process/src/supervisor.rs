//! How does one job run to its end, whoever started it?

use std::path::Path;
use std::time::{Duration, Instant};

use crate::bound::LOOK;
use crate::guard::Ended;
use crate::guarded::Guarded;
use crate::place::Place;
use crate::record::{need, read, write};
use crate::spec::{
    Asked, Begun, EXIT, Exit, Job, LAUNCH, Launch, OUTPUT_LOG, Outcome, STARTED, STOP, shortened,
};
use crate::{clock, lock, log, predict, train, tune};

/// What every kind of work needs.
pub(crate) struct Working<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) place: Place,
    pub(crate) job: &'a Job,
    pub(crate) launch: Launch,
    begun: Instant,
}

/// Runs the job of a directory under its lock, and writes down how it ended. Where another
/// supervisor has done so meanwhile, nothing is left to do.
pub(crate) fn run(directory: &Path, job: &Job) -> Result<(), String> {
    let _lock = lock::take_with_children(directory)?;
    if read::<Exit>(&directory.join(EXIT))?.is_some() {
        return Ok(());
    }
    let launch = need(&directory.join(LAUNCH))?;
    write(&directory.join(STARTED), &Begun { wall_ms: clock::wall_millis() })?;
    let place = Place::within(directory);
    let working = Working { directory, place, job, launch, begun: clock::now() };
    let outcome = match working.cut() {
        Some(outcome) => outcome,
        None => working.work(),
    };
    write(&directory.join(EXIT), &Exit { outcome, seconds: clock::begun_seconds(working.begun.elapsed()) })
}

impl Working<'_> {
    fn work(&self) -> Outcome {
        let worked = match &self.job.work {
            Asked::Train { hyperparameters, channels, .. } => train::run(self, hyperparameters, channels),
            Asked::Tune(search) => tune::run(self, search),
            Asked::Predict { .. } => predict::run(self),
        };
        worked.unwrap_or_else(Outcome::failed)
    }

    /// Whether the job must end before its work does, and how that is told.
    pub(crate) fn cut(&self) -> Option<Outcome> {
        if self.directory.join(STOP).exists() {
            return Some(Outcome::asked_to_stop());
        }
        let limit = self.job.timeout_seconds;
        let late = self.begun.elapsed() >= Duration::from_secs(limit);
        late.then(|| Outcome::Stopped(format!("ran longer than its {limit} seconds")))
    }

    /// Looks until the program ends or `other` has something, or the job is cut: then the program
    /// is ended, in its time.
    pub(crate) fn watch<T>(
        &self,
        program: &Guarded,
        mut other: impl FnMut() -> Option<T>,
    ) -> Result<Seen<T>, Outcome> {
        loop {
            if let Some(ended) = program.ended() {
                return Ok(Seen::Ended(ended));
            }
            if let Some(found) = other() {
                return Ok(Seen::Other(found));
            }
            if let Some(outcome) = self.cut() {
                program.end(Duration::from_millis(self.launch.grace_ms));
                return Err(outcome);
            }
            clock::pause(LOOK);
        }
    }

    /// Why the job's own program failed.
    pub(crate) fn failure(&self, ended: &Ended) -> String {
        failure(&self.place, self.directory, ended)
    }
}

/// Why a program failed: what it wrote down, else how it ended and what it printed last into the
/// log of its directory.
pub(crate) fn failure(place: &Place, directory: &Path, ended: &Ended) -> String {
    let mut written = Vec::new();
    if let Ok(file) = std::fs::File::open(place.failure()) {
        // Four bytes hold any character. An unreadable reason is none.
        let most = 4 * crate::bound::REASON_CHARS_MAX as u64;
        let _ = std::io::Read::read_to_end(&mut std::io::Read::take(file, most), &mut written);
    }
    let written = shortened(&String::from_utf8_lossy(&written));
    if !written.is_empty() {
        return written;
    }
    let told = ended.told();
    match log::last_line(&directory.join(OUTPUT_LOG)) {
        Some(line) if *ended != Ended::Unguarded => format!("{told}: {line}"),
        _ => told,
    }
}

/// What was seen first.
pub(crate) enum Seen<T> {
    /// The program ended.
    Ended(Ended),
    /// Something else.
    Other(T),
}
