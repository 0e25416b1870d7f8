//! What must hold of every deployment: the invariants by their ids, and who checks them.
//!
//! [`Checker`] follows what takes effect, commit by commit, and never looks at a function's code:
//! it knows the rows and events alone. [`rest::at_rest`] looks at the whole once nothing moves.

mod facts;
pub mod invariant;
pub mod rest;

use std::collections::BTreeMap;
use std::fmt;

use domain::{BlobPath, Digest, Envelope, PipelineName};
use ports::{Commit, JobSpec, Work};

use crate::deployment::Deployment;
use crate::gated::Seen;
pub use facts::Facts;
pub use invariant::Invariant;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was found instead.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not hold ({}): {}", self.invariant.id, self.invariant.says, self.found)
    }
}

/// Whether something holds.
pub type Holds = Result<(), Violation>;

/// Answers a violation where a condition does not hold.
pub(crate) fn hold(
    condition: impl Into<Option<()>>,
    invariant: Invariant,
    found: impl FnOnce() -> String,
) -> Holds {
    match condition.into() {
        Some(()) => Ok(()),
        None => Err(Violation { invariant, found: found() }),
    }
}

/// Whether, as something [`hold`] reads.
pub(crate) fn when(condition: bool) -> Option<()> {
    condition.then_some(())
}

/// Follows what takes effect.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    /// What is known of each pipeline.
    pub facts: BTreeMap<PipelineName, Facts>,
    /// Notices that got through, by id.
    pub sent: BTreeMap<String, u64>,
    /// Events that the bus took, by id.
    pub published: BTreeMap<String, u64>,
    /// Files that rows and events name, with the digests they name them by.
    named: BTreeMap<BlobPath, Digest>,
    place: usize,
}

impl Checker {
    /// Looks at everything that took effect since the last look.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn look(&mut self, deployment: &Deployment) -> Holds {
        if let Some(panic) = deployment.panics.first() {
            return Err(Violation { invariant: invariant::NO_PANIC, found: panic.clone() });
        }
        while let Some(seen) = deployment.history.get(self.place) {
            self.place += 1;
            match &**seen {
                Seen::Committed { commit, events } => {
                    let facts = self.facts.entry(commit.pipeline.clone()).or_default();
                    facts.committed(deployment, commit, events)?;
                    self.names(deployment, commit, events)?;
                }
                Seen::Written(path, digest) => self.written(path, digest)?,
                Seen::Started(job) => self.started(job)?,
                Seen::Put(spec) => {
                    let mut known = self.facts.values();
                    let found = known.find(|facts| facts.deployments.contains_key(&spec.config));
                    let allowed = found.is_some_and(|facts| facts.may_serve(spec));
                    hold(when(allowed), invariant::APPROVED, || {
                        format!("{} was asked to serve {}, which nobody approved", spec.name, spec.config)
                    })?;
                }
                Seen::Sent(_, notice) => *self.sent.entry(notice.id.clone()).or_default() += 1,
                Seen::Published(event) => *self.published.entry(event.id.clone()).or_default() += 1,
            }
        }
        Ok(())
    }

    /// Every file that a commit names is there, by the digest that others name it by.
    fn names(&mut self, deployment: &Deployment, commit: &Commit, events: &[Envelope]) -> Holds {
        let mut found = Vec::new();
        for write in &commit.writes {
            if let Some(value) = &write.value {
                facts::files(&write.key.sort, value, &mut found);
            }
        }
        for event in events {
            let value = serde_json::to_value(&event.event).expect("events serialise to JSON");
            facts::files(event.event.kind(), &value, &mut found);
        }
        for (who, file) in found {
            facts::there(&deployment.blobs, &who, &file)?;
            let before = self.named.insert(file.path.clone(), file.digest);
            hold(when(before.is_none_or(|before| before == file.digest)), invariant::FILES, || {
                format!("{who} names {} by another digest than something before", file.path)
            })?;
        }
        Ok(())
    }

    /// What is named is never written over by anything else.
    fn written(&self, path: &BlobPath, digest: &Digest) -> Holds {
        let same = self.named.get(path).is_none_or(|named| named == digest);
        hold(when(same), invariant::FILES, || format!("{path} was written over while something names it"))
    }

    /// Money is spent: a run must own the job.
    fn started(&mut self, job: &JobSpec) -> Holds {
        let owner = |purpose: &str| {
            let (pipeline, id) = job.name.rsplit_once(purpose)?;
            Some((self.facts.get(&pipeline.parse::<PipelineName>().ok()?)?, id))
        };
        let nobody = || format!("job {} was started and no run owns it", job.name);
        let facts = match job.work {
            Work::Train { .. } => owner("-train-"),
            // A search's name has no room for a pipeline's.
            Work::Tune { .. } => job
                .name
                .strip_prefix("tune-")
                .and_then(|id| Some((self.facts.values().find(|facts| facts.runs.contains_key(id))?, id))),
            Work::Predict { .. } => owner("-predict-"),
        };
        let Some((facts, id)) = facts else {
            return Err(Violation { invariant: invariant::JOBS_OWNED, found: nobody() });
        };
        let owned = match job.work {
            Work::Train { .. } | Work::Tune { .. } => facts.awaits_training(id, &job.name),
            Work::Predict { .. } => facts.awaits_predictions(),
        };
        hold(when(owned), invariant::JOBS_OWNED, nobody)?;
        // A search takes what all its trials take that may run at once.
        let side_by_side = match &job.work {
            Work::Tune { tuning, .. } => u64::from(tuning.limits.max_parallel),
            Work::Train { .. } | Work::Predict { .. } => 1,
        };
        let reserved = facts.runs.get(id).map(|run| run.spend.reserved.training);
        let covered = reserved.is_none_or(|reserved| job.timeout_seconds * side_by_side <= reserved);
        hold(when(covered), invariant::BUDGET, || {
            format!("job {} may take {} s, {reserved:?} are reserved", job.name, job.timeout_seconds)
        })
    }
}
