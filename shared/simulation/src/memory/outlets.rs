//! Where notices and events go out: lists that a test can read.

use std::sync::Mutex;

use async_trait::async_trait;
use domain::Envelope;
use domain::pipeline::Channel;
use ports::{Bus, Error, ErrorKind, Notice, Notices, Outcome, Result};

use super::lock;

/// Notices in a list.
#[derive(Debug, Default)]
pub struct MemoryNotices {
    state: Mutex<Sending>,
}

#[derive(Debug, Default)]
struct Sending {
    sent: Vec<(Channel, Notice)>,
    refusals: usize,
    closed: Vec<(Channel, ErrorKind)>,
}

impl MemoryNotices {
    /// A copy with a life of its own.
    pub fn fork(&self) -> MemoryNotices {
        let Sending { sent, refusals, closed } = &*lock(&self.state);
        let copy = Sending { sent: sent.clone(), refusals: *refusals, closed: closed.clone() };
        MemoryNotices { state: Mutex::new(copy) }
    }

    /// Everything that was sent, in order, repeats included.
    pub fn sent(&self) -> Vec<(Channel, Notice)> {
        lock(&self.state).sent.clone()
    }

    /// The next `count` notices do not get through.
    pub fn refuse(&self, count: usize) {
        lock(&self.state).refusals = count;
    }

    /// Notices to a channel fail like this, until [`MemoryNotices::open`].
    pub fn close(&self, channel: &Channel, kind: ErrorKind) {
        self.open(channel);
        lock(&self.state).closed.push((channel.clone(), kind));
    }

    /// Notices to a channel get through again.
    pub fn open(&self, channel: &Channel) {
        lock(&self.state).closed.retain(|(closed, _)| closed != channel);
    }
}

#[async_trait]
impl Notices for MemoryNotices {
    async fn send(&self, channel: &Channel, notice: &Notice) -> Result<()> {
        let mut state = lock(&self.state);
        if state.refusals > 0 {
            state.refusals -= 1;
            let what = format!("send notice {}: did not get through", notice.id);
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        if let Some((_, kind)) = state.closed.iter().find(|(closed, _)| closed == channel) {
            return Err(Error::new(*kind, format!("send notice {}: the channel is closed", notice.id)));
        }
        state.sent.push((channel.clone(), notice.clone()));
        Ok(())
    }
}

/// Published events in a list.
#[derive(Debug, Default)]
pub struct MemoryBus {
    state: Mutex<Publishing>,
}

#[derive(Debug, Default)]
struct Publishing {
    published: Vec<Envelope>,
    refusals: usize,
}

impl MemoryBus {
    /// Most events of one call, as on EventBridge.
    pub const BATCH_MAX: usize = 10;

    /// Everything that was published, in order, repeats included.
    pub fn published(&self) -> Vec<Envelope> {
        lock(&self.state).published.clone()
    }

    /// The next `count` events are not taken, while others of their batch are.
    pub fn refuse(&self, count: usize) {
        lock(&self.state).refusals = count;
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<Outcome>> {
        if events.len() > MemoryBus::BATCH_MAX {
            let what = format!("publish {} events: at most {}", events.len(), MemoryBus::BATCH_MAX);
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        let mut state = lock(&self.state);
        let mut outcomes = Vec::with_capacity(events.len());
        for event in events {
            if state.refusals > 0 {
                state.refusals -= 1;
                let what = format!("publish {}: not taken", event.id);
                outcomes.push(Err(Error::new(ErrorKind::Throttled, what)));
            } else {
                state.published.push(event.clone());
                outcomes.push(Ok(()));
            }
        }
        Ok(outcomes)
    }
}
