//! What surrounds every event: who, when, why, and its place in the chain.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::ClockKind;
use crate::{Digest, Event, PipelineName, Time};

/// Who did it: `person:alice`, `function:train`, `s3:<requester>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// A person, by the name the edge has authenticated.
    pub fn person(name: &str) -> Actor {
        Actor(format!("person:{name}"))
    }

    /// One of our functions.
    pub fn function(name: &str) -> Actor {
        Actor(format!("function:{name}"))
    }

    /// Someone who put an object straight into the incoming bucket.
    pub fn storage(requester: &str) -> Actor {
        Actor(format!("s3:{requester}"))
    }

    /// The person's name, if it was a person.
    pub fn name(&self) -> Option<&str> {
        self.0.strip_prefix("person:")
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or(&self.0))
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event before the adapter has sealed it into its chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Derived from the cause, so that a redelivery makes the same id.
    pub id: String,
    /// What happened.
    pub event: Event,
    /// When it is recorded.
    pub at: Time,
    /// The business time it speaks of.
    pub as_of: Option<Time>,
    /// Who did it.
    pub actor: Actor,
    /// The id of the input that made us record it.
    pub cause: String,
    /// The id of the first input of the whole story.
    pub correlation: String,
    /// The tracing id of the invocation.
    pub trace: Option<String>,
    /// Whose time `at` is.
    pub clock: ClockKind,
}

/// An event in its chain, as the ledger keeps it and the bus carries it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The format's version.
    pub v: u32,
    /// Derived from the cause.
    pub id: String,
    /// What happened: `kind` and `data`.
    #[serde(flatten)]
    pub event: Event,
    /// The pipeline, and so the chain.
    pub pipeline: PipelineName,
    /// Place in the chain, from 1, without gaps.
    pub sequence: u64,
    /// The hash of the event before; none for the first.
    pub previous: Option<Digest>,
    /// When it was recorded.
    pub at: Time,
    /// The business time it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Time>,
    /// Who did it.
    pub actor: Actor,
    /// The id of the input that made us record it.
    pub cause: String,
    /// The id of the first input of the whole story.
    pub correlation: String,
    /// The tracing id of the invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Whose time `at` is; the machine's where nothing is said.
    #[serde(default, skip_serializing_if = "ClockKind::is_real")]
    pub clock: ClockKind,
    /// Digests of the fact rows written in the same commit, by sort key; null is a removed row.
    /// Only the commit's first event carries them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, Option<Digest>>,
}

impl Envelope {
    /// The format's version.
    pub const VERSION: u32 = 1;

    /// Seals a draft as event `sequence` after `previous`.
    pub fn seal(
        draft: &Draft,
        pipeline: &PipelineName,
        sequence: u64,
        previous: Option<Digest>,
        rows: BTreeMap<String, Option<Digest>>,
    ) -> Envelope {
        Envelope {
            v: Envelope::VERSION,
            id: draft.id.clone(),
            event: draft.event.clone(),
            pipeline: pipeline.clone(),
            sequence,
            previous,
            at: draft.at,
            as_of: draft.as_of,
            actor: draft.actor.clone(),
            cause: draft.cause.clone(),
            correlation: draft.correlation.clone(),
            trace: draft.trace.clone(),
            clock: draft.clock,
            rows,
        }
    }

    /// The hash that the next event names as its `previous`: of the canonical JSON.
    pub fn hash(&self) -> Digest {
        Digest::of_json(self)
    }
}
