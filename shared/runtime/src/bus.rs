//! Who gets an event: the rules of the template, applied to everything that is published.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use async_trait::async_trait;
use domain::Envelope;
use ports::{Bus, Error, ErrorKind, Outcome, Result};
use serde_json::{Value, json};
use wiring::Wiring;

use crate::machine;
use crate::queue::Queue;

/// Most events of one call, as on EventBridge.
const BATCH_MAX: usize = 10;

/// Wakes the workers when there is something to do.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    condition: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_all();
    }

    /// Waits until the bell was rung since the last wait, or some milliseconds have passed.
    pub(crate) fn wait(&self, millis: u64) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = std::time::Duration::from_millis(millis);
        let waited = self.condition.wait_timeout_while(rung, patience, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// Both buses of the template: the one that S3 and SageMaker publish to, and ours.
#[derive(Debug)]
pub struct Buses {
    pub(crate) queue: Arc<Queue>,
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) bell: Bell,
}

impl Buses {
    /// Buses that queue what the wiring's rules let through.
    pub fn new(queue: Arc<Queue>, wiring: Arc<Wiring>) -> Buses {
        Buses { queue, wiring, bell: Bell::default() }
    }

    /// Publishes an event as S3 and SageMaker do. It is durable when this returns.
    ///
    /// # Errors
    /// Where the queue cannot be written.
    pub fn publish_default(&self, event: &Value) -> Result<()> {
        self.route(wiring::Bus::Default, event)
    }

    fn route(&self, bus: wiring::Bus, event: &Value) -> Result<()> {
        let listeners = self.wiring.listeners(bus, event);
        let functions: Vec<&str> = listeners.iter().map(|(function, _)| function.name.as_str()).collect();
        if !functions.is_empty() {
            self.queue.push(event, &functions, None, machine::now_ms())?;
            self.bell.ring();
        }
        Ok(())
    }
}

/// An envelope as EventBridge would carry it.
fn carried(envelope: &Envelope) -> Value {
    json!({
        "version": "0",
        "id": envelope.id,
        "source": "millrace",
        "detail-type": envelope.event.kind(),
        "account": crate::ACCOUNT,
        "region": crate::REGION,
        "time": envelope.at,
        "resources": [],
        "detail": envelope,
    })
}

#[async_trait]
impl Bus for Buses {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<Outcome>> {
        if events.len() > BATCH_MAX {
            let what = format!("publish {} events: at most {BATCH_MAX}", events.len());
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        Ok(events.iter().map(|event| self.route(wiring::Bus::Own, &carried(event))).collect())
    }
}
