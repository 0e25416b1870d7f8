//! Relay: carries every event from the ledger to the bus, in order, at least once.
//!
//! It reads the cursor of a pipeline and the sealed events after it, publishes them in batches,
//! and commits the cursor. The table's stream wakes it; its own tick finds what the stream forgot.
//! Nothing is published that is not in the ledger, and the cursor never passes an event that was
//! not taken: a crash in between publishes again, which is harmless.

pub mod rewind;

use std::sync::Arc;

use async_trait::async_trait;
use domain::key::prefix;
use domain::{Envelope, Input, Key, PipelineName};
use ports::handler::Plan;
use ports::{
    Bus, Committed, Cx, Error, ErrorKind, Fault, Handler, Records, RecordsExt, Result, Version, Write,
};
use ports::{ledger, records};
use serde::{Deserialize, Serialize};
use tracing::{error, info};

/// Events in one call of the bus: EventBridge's PutEvents takes 10.
const BATCH_MAX: usize = 10;

/// Events of one pipeline that one handling carries: some minutes of publishing, so that a
/// handling that finds a long backlog ends within its time. The next tick goes on.
const HANDLING_EVENTS_MAX: u64 = 5_000;

/// How often the cursor is read again because another handling moved it, before the rest is left
/// to the next delivery.
const ATTEMPTS_MAX: usize = domain::limit::CONFLICT_ATTEMPTS_MAX;

/// The function.
#[derive(Debug)]
pub struct Relay {
    /// The table.
    pub records: Arc<dyn Records>,
    /// The bus.
    pub bus: Arc<dyn Bus>,
}

/// How far a pipeline's events have been published (`cursor/relay`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The last event published; 0 before the first.
    pub sequence: u64,
}

/// Where the cursor stands.
pub fn cursor_key(pipeline: &PipelineName) -> Key {
    Key::named(pipeline, prefix::CURSOR, "relay")
}

#[async_trait]
impl Handler for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> std::result::Result<(), Fault> {
        match input {
            Input::Event(envelope) => self.catch_up(cx, input, &envelope.pipeline, envelope.sequence).await,
            Input::Tick { .. } => {
                let mut first = Ok(());
                for pipeline in self.records.pipelines().await? {
                    if let Err(fault) = self.catch_up(cx, input, &pipeline, u64::MAX).await {
                        info!(pipeline = %pipeline, fault = %fault, "events could not be published");
                        first = first.and(Err(fault));
                    }
                }
                first
            }
            Input::ObjectCreated(_) | Input::JobChanged(_) | Input::EndpointChanged(_) => Ok(()),
        }
    }
}

/// Events to publish, and why there are not more of them.
struct Backlog {
    events: Vec<Envelope>,
    /// What stands after them and cannot be published.
    broken: Option<Error>,
    /// Whether the listing ended with them.
    is_whole: bool,
}

impl Relay {
    /// Publishes everything after the cursor, unless event `wanted` was published already.
    async fn catch_up(
        &self,
        cx: &Cx,
        input: &Input,
        pipeline: &PipelineName,
        wanted: u64,
    ) -> std::result::Result<(), Fault> {
        let mut carried = 0;
        let mut attempt = 0;
        let (mut version, mut cursor) = self.cursor(pipeline).await?;
        while cursor.sequence < wanted && carried < HANDLING_EVENTS_MAX {
            let backlog = self.backlog(pipeline, cursor.sequence).await?;
            let (published, refused) = self.publish(&backlog.events).await;
            let mut is_settled = true;
            if let Some(last) = published.checked_sub(1) {
                let to = Cursor { sequence: backlog.events[last].sequence };
                match self.advance(cx, input, pipeline, version, to, attempt).await {
                    Ok(Committed::Now) => carried += published as u64,
                    // Another handling carried the same events, or the cursor was lost since
                    // this very delivery first moved it: the row says which.
                    Ok(Committed::Before) => is_settled = false,
                    Err(error) if error.kind() == ErrorKind::Conflict => is_settled = false,
                    Err(error) => return Err(error.into()),
                }
                attempt += usize::from(!is_settled);
                if attempt == ATTEMPTS_MAX {
                    let what = format!("advance the cursor of {pipeline}: moved by others {attempt} times");
                    return Err(Fault::Retry(Error::new(ErrorKind::Conflict, what)));
                }
            }
            if let Some(error) = refused.or(backlog.broken) {
                return Err(error.into());
            }
            if backlog.is_whole && is_settled {
                break;
            }
            (version, cursor) = self.cursor(pipeline).await?;
        }
        if carried > 0 {
            info!(pipeline = %pipeline, events = carried, "published {carried} events of {pipeline}");
        }
        Ok(())
    }

    async fn cursor(&self, pipeline: &PipelineName) -> Result<(Option<Version>, Cursor)> {
        let row = self.records.read::<Cursor>(&cursor_key(pipeline)).await?;
        Ok(row.map_or((None, Cursor::default()), |row| (Some(row.version), row.value)))
    }

    /// A page of events after a sequence, as far as they follow on each other.
    async fn backlog(&self, pipeline: &PipelineName, after: u64) -> Result<Backlog> {
        let sort = ledger::event_key(pipeline, after).sort;
        let page = self.records.list(&Key::partition(pipeline), prefix::EVENT, Some(&sort)).await?;
        let mut backlog = Backlog { events: Vec::new(), broken: None, is_whole: page.next.is_none() };
        for (record, expected) in page.records.into_iter().zip(after + 1..) {
            match envelope(record, expected) {
                Ok(event) => backlog.events.push(event),
                Err(error) => {
                    backlog.broken = Some(error);
                    break;
                }
            }
        }
        Ok(backlog)
    }

    /// Publishes events in order, up to the first that is not taken: how many were, and why not
    /// more. Some after it may have gone out with its batch; they will again.
    async fn publish(&self, events: &[Envelope]) -> (usize, Option<Error>) {
        let mut published = 0;
        for batch in events.chunks(BATCH_MAX) {
            let outcomes = match self.bus.publish(batch).await {
                Ok(outcomes) => outcomes,
                Err(error) => return (published, Some(error)),
            };
            let mut outcomes = outcomes.into_iter();
            for event in batch {
                match outcomes.next() {
                    Some(Ok(())) => published += 1,
                    Some(Err(error)) => return (published, Some(error)),
                    None => {
                        let what = format!("publish {}: the bus does not say what became of it", event.id);
                        return (published, Some(Error::new(ErrorKind::Unavailable, what)));
                    }
                }
            }
        }
        (published, None)
    }

    async fn advance(
        &self,
        cx: &Cx,
        input: &Input,
        pipeline: &PipelineName,
        version: Option<Version>,
        to: Cursor,
        attempt: usize,
    ) -> Result<Committed> {
        // No two advances may have one id: the second would pass for done. Both ends tell them
        // apart, and the attempt where a lost cursor makes a delivery go the same way again.
        let step = format!("{}-{}-{attempt}", version.unwrap_or(0), to.sequence);
        let mut plan = Plan::new("relay", cx, input, pipeline, &step);
        plan.write(Write::put(cursor_key(pipeline), version, &to));
        plan.commit(&*self.records).await
    }
}

/// The event of a row, which must be the expected one: a gap is never passed in silence.
fn envelope(record: records::Record, expected: u64) -> Result<Envelope> {
    let Key { partition, sort } = record.key;
    let wrong = |why: String| Error::new(ErrorKind::Invalid, format!("publish {partition}/{sort}: {why}"));
    let event: Envelope = serde_json::from_value(record.value).map_err(|error| wrong(error.to_string()))?;
    if event.sequence != expected {
        error!(invariant = "I-7", partition = %partition, expected, found = event.sequence, "an event of the chain is missing");
        return Err(wrong(format!("event {expected} should be next, it is event {}", event.sequence)));
    }
    Ok(event)
}

#[cfg(test)]
mod tests;
