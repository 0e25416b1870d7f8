//! How events become a chain, and how a chain is checked afterwards.
//!
//! The chain of a pipeline stands in its partition: one row `head` and one row for each event.
//! Every adapter of [`crate::Records`] seals with [`seal`], so all chains look alike.

mod verify;

use std::collections::BTreeMap;

use domain::key::prefix;
use domain::{Digest, Envelope, Key, PipelineName};
use serde::{Deserialize, Serialize};

use crate::Commit;

pub use verify::{Finding, Verification, verify};

/// The end of a chain, as the row `head` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The place of the last event, from 1.
    pub sequence: u64,
    /// The hash of the last event.
    pub hash: Digest,
}

impl Head {
    /// The head after an event.
    pub fn of(event: &Envelope) -> Head {
        Head { sequence: event.sequence, hash: event.hash() }
    }
}

/// Where the head of a pipeline's chain stands.
pub fn head_key(pipeline: &PipelineName) -> Key {
    Key::of(pipeline, prefix::HEAD)
}

/// Where an event stands: its value is the [`Envelope`] in JSON.
pub fn event_key(pipeline: &PipelineName, sequence: u64) -> Key {
    Key::numbered(pipeline, prefix::EVENT, sequence)
}

/// Where the mark of a handled commit stands: its value is a [`Mark`].
pub fn handled_key(pipeline: &PipelineName, commit: &str) -> Key {
    Key::named(pipeline, prefix::HANDLED, commit)
}

/// What the mark of a handled commit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When it was committed: after [`domain::limit::HANDLED_DAYS`] the mark may go.
    pub at: domain::Time,
}

/// What a commit adds to its chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The events, in order: each stands at its [`event_key`].
    pub events: Vec<Envelope>,
    /// The new head; none where the commit has no events, and then the head is not touched.
    pub head: Option<Head>,
}

/// Seals the drafts of a commit after the head that was read, none for an empty chain.
/// The first event vouches for every fact row that the commit writes or removes.
pub fn seal(head: Option<Head>, commit: &Commit) -> Sealed {
    let mut rows: BTreeMap<String, Option<Digest>> = commit
        .writes
        .iter()
        .filter(|write| write.key.is_fact())
        .map(|write| (write.key.sort.clone(), write.value.as_ref().map(Digest::of_json)))
        .collect();
    let mut last = head;
    let mut events = Vec::with_capacity(commit.events.len());
    for draft in &commit.events {
        let sequence = last.map_or(0, |head| head.sequence) + 1;
        let previous = last.map(|head| head.hash);
        // Taking leaves the map empty, so only the first event carries the digests.
        let event = Envelope::seal(draft, &commit.pipeline, sequence, previous, std::mem::take(&mut rows));
        last = Some(Head::of(&event));
        events.push(event);
    }
    let head = if events.is_empty() { None } else { last };
    Sealed { events, head }
}
