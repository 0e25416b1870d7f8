//! The bus on AWS: a custom bus of EventBridge.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use domain::Envelope;
use ports::{Bus, Error, ErrorKind, Outcome, Result};

use crate::error;

/// Entries in one call: PutEvents takes 10.
const ENTRIES_MAX: usize = 10;

/// Bytes of all entries of one call: PutEvents takes 256 KB, counted as [`entry_bytes`] does.
const CALL_BYTES_MAX: usize = 256 * 1024;

/// Where all our events come from, as rules match it.
const SOURCE: &str = "millrace";

/// Events on a bus of EventBridge: `source` is `millrace`, `detail-type` the kind, `detail` the
/// envelope.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: Client,
    bus: String,
}

impl EventBus {
    /// The bus of a name.
    pub fn new(client: Client, bus: String) -> EventBus {
        EventBus { client, bus }
    }

    /// Publishes what fits in one call.
    async fn put(&self, entries: &[(&Envelope, String)]) -> Vec<Outcome> {
        let entry = |(event, detail): &(&Envelope, String)| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.bus)
                .source(SOURCE)
                .detail_type(event.event.kind())
                .detail(detail)
                .build()
        };
        let entries_sent = entries.iter().map(entry).collect();
        let sent = self.client.put_events().set_entries(Some(entries_sent)).send().await;
        match sent {
            Ok(answer) => {
                let mut results = answer.entries().iter();
                entries.iter().map(|(event, _)| outcome(event, results.next())).collect()
            }
            Err(refused) => {
                let failed = |(event, _): &(&Envelope, String)| {
                    Err(error::of(format!("publish {}", event.id), &refused))
                };
                entries.iter().map(failed).collect()
            }
        }
    }
}

#[async_trait]
impl Bus for EventBus {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<Outcome>> {
        if events.len() > ENTRIES_MAX {
            let what = format!("publish {} events: at most {ENTRIES_MAX}", events.len());
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        let mut outcomes = Vec::with_capacity(events.len());
        let mut call: Vec<(&Envelope, String)> = Vec::new();
        let mut bytes = 0;
        for event in events {
            let detail = domain::digest::canonical(event);
            let own = entry_bytes(event, &detail);
            if !call.is_empty() && bytes + own > CALL_BYTES_MAX {
                outcomes.append(&mut self.put(&call).await);
                call.clear();
                bytes = 0;
            }
            bytes += own;
            call.push((event, detail));
        }
        if !call.is_empty() {
            outcomes.append(&mut self.put(&call).await);
        }
        Ok(outcomes)
    }
}

/// The size of an entry, as EventBridge counts it.
fn entry_bytes(event: &Envelope, detail: &str) -> usize {
    SOURCE.len() + event.event.kind().len() + detail.len()
}

/// What became of an event: the answer as a whole may be good while entries failed.
fn outcome(event: &Envelope, result: Option<&PutEventsResultEntry>) -> Outcome {
    let failed = |kind, why: &str| Err(Error::new(kind, format!("publish {}: {why}", event.id)));
    let Some(result) = result else {
        return failed(ErrorKind::Unavailable, "the bus does not say what became of it");
    };
    match result.error_code() {
        None => Ok(()),
        Some(code) => {
            let kind = error::of_code(code).unwrap_or(ErrorKind::Invalid);
            failed(kind, &format!("{code} {}", result.error_message().unwrap_or_default()))
        }
    }
}
