//! Telling people.
//!
//! Adapters: a file and signed webhooks on one machine, memory in tests, SNS on AWS.

use async_trait::async_trait;
use domain::pipeline::Channel;
use domain::{Digest, PipelineName, Time};
use serde::{Deserialize, Serialize};

use crate::Result;

/// What people are told. It carries the chain's head, so that whoever keeps notices can later
/// prove that the ledger was not rewritten before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Of event and channel: receivers may see it again and can tell.
    pub id: String,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The event's kind.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// One readable line.
    pub text: String,
    /// When it happened.
    pub at: Time,
    /// The event's place in the chain.
    pub sequence: u64,
    /// The event's hash: an anchor of the ledger outside the ledger.
    pub head: Digest,
}

/// Telling people.
#[async_trait]
pub trait Notices: std::fmt::Debug + Send + Sync {
    /// Sends a notice, at least once. `Unavailable` where it did not get through: send again.
    async fn send(&self, channel: &Channel, notice: &Notice) -> Result<()>;
}
