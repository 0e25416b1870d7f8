//! The table's stream: every sealed event goes to the functions that follow the table.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use domain::{Envelope, Input};
use local::SqliteRecords;
use ports::ledger::event_key;
use serde_json::json;

use crate::bus::Bell;
use crate::work::Workers;

/// How often an event of the stream is tried before the schedule has to find it: the template
/// says the same of the stream on AWS.
const ATTEMPTS_MAX: usize = 10;

/// Waits between two attempts.
const RETRY_WAIT_MS: u64 = 500;

/// Listens to a table; [`Stream::run`] carries what it hears.
pub(crate) struct Stream {
    events: Receiver<Vec<Envelope>>,
}

impl Stream {
    /// Hears every event that is committed from now on. `seen` is told of each as well.
    pub(crate) fn of(records: &SqliteRecords, seen: Arc<dyn Fn(&Envelope) + Send + Sync>) -> Stream {
        let (sender, events): (Sender<Vec<Envelope>>, _) = channel();
        let sender = std::sync::Mutex::new(sender);
        records.listen(Arc::new(move |_, sealed: &[Envelope]| {
            sealed.iter().for_each(|event| seen(event));
            let sender = sender.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // Nobody listens while the machine stops; the schedule finds it at the next start.
            let _ = sender.send(sealed.to_vec());
        }));
        Stream { events }
    }

    /// Carries events to the functions until the table is closed or the workers stop.
    pub(crate) fn run(&self, workers: &Workers, wiring: &wiring::Wiring) {
        let pause = Bell::default();
        while let Ok(events) = self.events.recv() {
            for event in events {
                let record = inserted(&event);
                for function in &wiring.functions {
                    if !function.streams.iter().any(|stream| stream.pattern.matches(&record)) {
                        continue;
                    }
                    let input = Input::Event(Box::new(event.clone()));
                    for _ in 0..ATTEMPTS_MAX {
                        if workers.is_stopping() || workers.stream(&function.name, &input) {
                            break;
                        }
                        pause.wait(RETRY_WAIT_MS);
                    }
                }
            }
        }
    }
}

/// A sealed event as the record of a DynamoDB stream, as far as a filter can ask for it.
fn inserted(event: &Envelope) -> serde_json::Value {
    let key = event_key(&event.pipeline, event.sequence);
    json!({
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": { "Keys": { "partition": { "S": key.partition }, "sort": { "S": key.sort } } },
    })
}
