//! How long something is waited for, and when it has ended.

use std::time::Duration;

use domain::{Envelope, Event, PipelineName, row};

use super::{Client, Failure, Recorded};
use crate::data::has_drifted;

/// The shortest pause between two looks.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A pause is this part of what was waited already: what has ended is seen soon after, however
/// long it took.
const PAUSE_SHARE: u32 = 50;

/// How long to wait; for ever where nothing is said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience(pub(crate) Option<Duration>);

/// How something that was asked for ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it was meant.
    Well(Outcome),
    /// Otherwise.
    Badly(Outcome),
}

/// What an ending left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The event that ended it.
    pub(crate) kind: &'static str,
    /// In one line.
    pub(crate) line: String,
    /// The version it is about, where it is about one.
    pub(crate) version: Option<u32>,
}

impl Outcome {
    fn of(envelope: &Envelope, version: Option<u32>) -> Outcome {
        Outcome { kind: envelope.event.kind(), line: envelope.event.line(&envelope.actor), version }
    }
}

/// Follows the run that was asked for with a reason, from the asking to a version or to none.
/// Give it every event after the asking, in order.
#[derive(Clone, Debug)]
pub(crate) struct RunStory {
    reason: String,
    correlation: Option<String>,
    run: Option<String>,
}

impl RunStory {
    /// The run that will be asked for with this reason.
    pub(crate) fn asked_with(reason: &str) -> RunStory {
        RunStory { reason: reason.to_owned(), correlation: None, run: None }
    }

    /// The ending, once it is there.
    pub(crate) fn see(&mut self, envelope: &Envelope) -> Option<Ending> {
        let ours = self.correlation.as_deref() == Some(&envelope.correlation);
        match &envelope.event {
            Event::RetrainingRequested { reason } if self.correlation.is_none() && *reason == self.reason => {
                self.correlation = Some(envelope.correlation.clone());
            }
            Event::TrainingRequested { run, .. } if ours && self.run.is_none() => {
                self.run = Some(run.clone())
            }
            // It goes on once somebody lets it, which may be never.
            Event::RunHeld { .. } if ours && self.run.is_none() => {
                return Some(Ending::Badly(Outcome::of(envelope, None)));
            }
            Event::ModelRegistered { run, version, .. } if self.is(run, ours) => {
                return Some(Ending::Well(Outcome::of(envelope, Some(*version))));
            }
            Event::ModelRejected { run, version: None, .. } | Event::TrainingFailed { run, .. }
                if self.is(run, ours) =>
            {
                return Some(Ending::Badly(Outcome::of(envelope, None)));
            }
            _ => {}
        }
        None
    }

    fn is(&self, run: &str, ours: bool) -> bool {
        match &self.run {
            Some(known) => known == run,
            // It can fail before it was planned.
            None => ours,
        }
    }
}

/// Follows a version to its endpoint, after its approval or a way back to it.
/// Give it every event from the asking on, in order.
#[derive(Clone, Debug)]
pub(crate) struct DeploymentStory {
    version: Option<u32>,
}

impl DeploymentStory {
    /// This version, or the one that a person's next request to go back names.
    pub(crate) fn of(version: Option<u32>) -> DeploymentStory {
        DeploymentStory { version }
    }

    /// The ending, once it is there.
    pub(crate) fn see(&mut self, envelope: &Envelope) -> Option<Ending> {
        let ended = match &envelope.event {
            Event::RollbackRequested { version, .. } if self.version.is_none() => {
                self.version = Some(*version);
                return None;
            }
            Event::ModelDeployed { version, .. } => (version, Ending::Well as fn(Outcome) -> Ending),
            Event::DeploymentFailed { version, .. } | Event::DeploymentSuperseded { version, .. } => {
                (version, Ending::Badly as fn(Outcome) -> Ending)
            }
            _ => return None,
        };
        let (version, ending) = ended;
        if self.version != Some(*version) {
            return None;
        }
        Some(ending(Outcome::of(envelope, Some(*version))))
    }
}

/// Follows a check that a person asked for to its verdict.
/// Give it every event from the asking on, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckStory {
    asked: bool,
}

impl CheckStory {
    /// The ending, once it is there: badly where the check found drift.
    pub(crate) fn see(&mut self, envelope: &Envelope) -> Option<Ending> {
        match &envelope.event {
            Event::DriftCheckRequested {} => self.asked = true,
            Event::DriftChecked { verdict, version, .. } if self.asked => {
                let outcome = Outcome::of(envelope, Some(*version));
                return Some(if has_drifted(*verdict) {
                    Ending::Badly(outcome)
                } else {
                    Ending::Well(outcome)
                });
            }
            _ => {}
        }
        None
    }
}

impl Client {
    /// Looks again and again until there is something to see, less often as time goes by.
    /// `Overdue` where patience ends first; what is waited for goes on without us.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        patience: Patience,
        mut look: impl FnMut() -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let begun = begun();
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            if let Some(most) = patience.0
                && begun.elapsed() >= most
            {
                let seconds = most.as_secs();
                return Err(Failure::Overdue(format!(
                    "waited {seconds} s for {what}, in vain; it goes on without this command"
                )));
            }
            pause((begun.elapsed() / PAUSE_SHARE).clamp(PAUSE_MIN, PAUSE_MAX));
        }
    }

    /// Waits until an upload has its fate.
    pub(crate) fn wait_for_upload(
        &self,
        pipeline: &PipelineName,
        upload: &str,
        patience: Patience,
    ) -> Result<row::Upload, Failure> {
        self.wait(&format!("upload {upload}"), patience, || self.fate(pipeline, upload))
    }

    /// Waits for an event after a place in the ledger that answers what is asked of each:
    /// `|recorded| story.see(&recorded.envelope)`, for example. `after` moves on, so that a
    /// later call goes on where this one ended.
    pub(crate) fn wait_for_event<T>(
        &self,
        what: &str,
        pipeline: &PipelineName,
        after: &mut u64,
        patience: Patience,
        mut see: impl FnMut(&Recorded) -> Option<T>,
    ) -> Result<T, Failure> {
        self.wait(what, patience, || {
            loop {
                let page = self.events(pipeline, *after)?;
                if page.is_empty() {
                    return Ok(None);
                }
                for recorded in page {
                    *after = recorded.envelope.sequence;
                    if let Some(found) = see(&recorded) {
                        return Ok(Some(found));
                    }
                }
            }
        })
    }
}

/// Lets some time pass.
#[expect(clippy::disallowed_methods, reason = "a person's command waits for a server; nothing waits for it")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[expect(clippy::disallowed_methods, reason = "a person's patience is measured on this machine's clock")]
fn begun() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests;
