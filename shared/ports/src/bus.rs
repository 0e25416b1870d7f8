//! Carrying events from the ledger to whoever listens. Only `relay` holds it.
//!
//! Adapters: a durable queue on one machine, memory in tests, EventBridge on AWS.

use async_trait::async_trait;
use domain::Envelope;

use crate::{Error, Result};

/// What became of one event of a batch.
pub type Outcome = std::result::Result<(), Error>;

/// The bus.
#[async_trait]
pub trait Bus: std::fmt::Debug + Send + Sync {
    /// Publishes events, at most 10. The outcomes stand in the events' order: some may have
    /// failed while others were published. An event may be delivered more than once.
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<Outcome>>;
}
