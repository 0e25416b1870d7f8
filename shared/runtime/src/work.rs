//! Deliveries are handled: each by its function on a thread of its own, retried, given up at last.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Input;
use futures::executor::block_on;
use local::Clock;
use ports::{Cx, Fault, Handler};
use serde_json::Value;
use tracing::{debug, error, info, warn};

use crate::bus::{Bell, Buses};
use crate::machine;
use crate::queue::Delivery;

/// How many deliveries one function handles at a time: two, so that a large file does not keep a
/// small one waiting; more would only compete for the cores that the jobs need.
const CONCURRENCY: usize = 2;

/// Waits before the first, second, … repeat. On AWS it is one minute, then two; here what passes
/// passes sooner.
const RETRY_WAITS_MS: [i64; 3] = [1_000, 5_000, 20_000];

/// The wait before a delivery is made again whose end could not be written.
const UNWRITTEN_WAIT_MS: u64 = 1_000;

/// The longest wait for the bell: due times are looked at again at least this often.
const LOOK_MS: u64 = 1_000;

/// The functions by name, and the work they have at hand.
pub(crate) struct Workers {
    buses: Arc<Buses>,
    handlers: BTreeMap<&'static str, Arc<dyn Handler>>,
    clock: Arc<Clock>,
    at_hand: Mutex<AtHand>,
    stopping: AtomicBool,
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").field("functions", &self.handlers.keys()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct AtHand {
    deliveries: BTreeSet<i64>,
    of_function: BTreeMap<String, usize>,
}

/// How a handling ended.
enum Ended {
    Well,
    Retry(String),
    Never(String),
}

impl Workers {
    /// Workers for these functions.
    pub(crate) fn new(buses: Arc<Buses>, handlers: Vec<Arc<dyn Handler>>, clock: Arc<Clock>) -> Workers {
        let handlers = handlers.into_iter().map(|handler| (handler.name(), handler)).collect();
        Workers { buses, handlers, clock, at_hand: Mutex::default(), stopping: AtomicBool::new(false) }
    }

    /// A function by name.
    pub(crate) fn handler(&self, name: &str) -> Option<Arc<dyn Handler>> {
        self.handlers.get(name).cloned()
    }

    /// How many deliveries are being handled.
    pub(crate) fn working(&self) -> usize {
        self.lock().deliveries.len()
    }

    /// Nothing new is begun; what is at hand goes on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.buses.bell.ring();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// What an invocation is given beside its input.
    pub(crate) fn cx(&self, function: &str, trace: Option<String>) -> Cx {
        let seconds = self.buses.wiring.function(function).map_or(300, |declared| declared.timeout_seconds);
        let now = self.clock.now();
        Cx { now, deadline: now.plus(seconds as i64 * 1_000), trace, clock: self.clock.kind() }
    }

    /// Hands out deliveries until told to stop.
    pub(crate) fn run(self: &Arc<Workers>) {
        while !self.is_stopping() {
            let now = machine::now_ms();
            match self.begin_ready(now) {
                Ok(()) => {
                    let due = self.buses.queue.next_due(now).ok().flatten();
                    let wait = due.map_or(LOOK_MS, |due| (due - now).clamp(1, LOOK_MS as i64) as u64);
                    self.buses.bell.wait(wait);
                }
                Err(error) => {
                    error!(error = %error, "the queue could not be read: {error}");
                    self.buses.bell.wait(LOOK_MS);
                }
            }
        }
    }

    fn begin_ready(self: &Arc<Workers>, now: i64) -> ports::Result<()> {
        for function in self.buses.queue.functions()? {
            let (free, taken) = {
                let at_hand = self.lock();
                let busy = at_hand.of_function.get(&function).copied().unwrap_or_default();
                (CONCURRENCY.saturating_sub(busy), at_hand.deliveries.clone())
            };
            if free == 0 {
                continue;
            }
            for delivery in self.buses.queue.ready(&function, now, free, &|id| taken.contains(&id))? {
                self.begin(delivery);
            }
        }
        Ok(())
    }

    fn begin(self: &Arc<Workers>, delivery: Delivery) {
        let mut at_hand = self.lock();
        *at_hand.of_function.entry(delivery.function.clone()).or_default() += 1;
        at_hand.deliveries.insert(delivery.id);
        drop(at_hand);
        let (workers, id, function) = (Arc::clone(self), delivery.id, delivery.function.clone());
        let spawned = std::thread::Builder::new()
            .name(delivery.function.clone())
            .spawn(move || workers.deliver(&delivery));
        if let Err(error) = spawned {
            error!(error = %error, "no thread for a delivery: {error}");
            self.put_down(id, &function);
        }
    }

    fn deliver(&self, delivery: &Delivery) {
        let ended = self.handle(delivery);
        if let Err(error) = self.settle(delivery, ended) {
            // It stays in the queue and is delivered again, though not at once: a full disk is still
            // full then.
            error!(delivery = delivery.id, error = %error, "how a delivery ended could not be written: {error}");
            Bell::default().wait(UNWRITTEN_WAIT_MS);
        }
        self.put_down(delivery.id, &delivery.function);
        self.buses.bell.ring();
    }

    /// A delivery is no longer at hand.
    fn put_down(&self, id: i64, function: &str) {
        let mut at_hand = self.lock();
        at_hand.deliveries.remove(&id);
        if let Some(busy) = at_hand.of_function.get_mut(function) {
            *busy -= 1;
        }
    }

    fn handle(&self, delivery: &Delivery) -> Ended {
        let Some(handler) = self.handler(&delivery.function) else {
            return Ended::Never(format!("there is no function {}", delivery.function));
        };
        let input = match Input::decode(&delivery.event) {
            Ok(input) => input,
            Err(reason) => return Ended::Never(reason),
        };
        self.invoke(&*handler, &input, Some(format!("delivery-{}", delivery.id)))
    }

    /// Runs a handler to its end on this thread.
    fn invoke(&self, handler: &dyn Handler, input: &Input, trace: Option<String>) -> Ended {
        let cx = self.cx(handler.name(), trace);
        let began = machine::now_ms();
        let run = || block_on(handler.handle(&cx, input));
        let outcome = catch_unwind(AssertUnwindSafe(run));
        let took = machine::now_ms() - began;
        let function = handler.name();
        debug!(function, took_ms = took, "{function} ran for {took} ms");
        if took > cx.deadline.millis() - cx.now.millis() {
            warn!(function, took_ms = took, "{function} ran longer than the template allows");
        }
        match outcome {
            Ok(Ok(())) => Ended::Well,
            Ok(Err(Fault::Retry(error))) => Ended::Retry(error.to_string()),
            Ok(Err(Fault::Reject(reason))) => Ended::Never(reason),
            Err(panic) => {
                let what = panic_text(&*panic);
                error!(invariant = "I-19", function, "{function} panicked: {what}");
                Ended::Retry(format!("{function} panicked: {what}"))
            }
        }
    }

    fn settle(&self, delivery: &Delivery, ended: Ended) -> ports::Result<()> {
        let queue = &self.buses.queue;
        let now = machine::now_ms();
        let function = &delivery.function;
        let retries = self.buses.wiring.function(function).map_or(0, |declared| declared.retries_max);
        match ended {
            Ended::Well => queue.handled(delivery.id),
            Ended::Retry(reason) if delivery.attempts < retries => {
                let wait = RETRY_WAITS_MS[(delivery.attempts as usize).min(RETRY_WAITS_MS.len() - 1)];
                info!(function, reason, "{function} is to try again: {reason}");
                queue.again(delivery.id, now + wait, &reason)
            }
            Ended::Retry(reason) | Ended::Never(reason) => {
                warn!(function, reason, "{function} gave up an event: {reason}");
                queue.give_up(delivery.id, now, &reason)
            }
        }
    }

    /// Delivers an event of the table's stream: not queued, since the relay's schedule finds what
    /// a crash lost. Answers whether it was handled.
    pub(crate) fn stream(&self, function: &str, input: &Input) -> bool {
        let Some(handler) = self.handler(function) else { return true };
        match self.invoke(&*handler, input, None) {
            Ended::Well => true,
            Ended::Retry(reason) | Ended::Never(reason) => {
                info!(function, reason, "{function} did not take an event of the stream: {reason}");
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, AtHand> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "for no stated reason".into())
}

/// A tick as EventBridge Scheduler delivers it.
pub(crate) fn tick(rule: &str, at: domain::Time) -> Value {
    serde_json::json!({
        "version": "0",
        "id": format!("{rule}-{at}"),
        "source": "aws.scheduler",
        "detail-type": "Scheduled Event",
        "account": crate::ACCOUNT,
        "region": crate::REGION,
        "time": at,
        "resources": [],
        "detail": {},
    })
}
