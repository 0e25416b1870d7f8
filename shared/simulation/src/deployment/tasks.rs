//! How a function runs: call by call, to its end, its failure or its death.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use domain::time::ClockKind;
use domain::{Input, Time};
use ports::http::Response;
use ports::{Cx, Fault};

use super::Deployment;
use crate::delivery::{self, DeadLetter, Delivery, Source};
use crate::gate::{Moment, TaskId, Verdict};
use crate::gated::Seen;
use crate::memory::lock;

/// How it ended.
pub(super) enum Ended {
    Handled(Result<(), Fault>),
    Answered(Response),
}

/// A function that runs.
pub(super) struct Task {
    pub(super) name: String,
    pub(super) work: Doing,
    pub(super) deadline: Time,
    pub(super) future: Pin<Box<dyn Future<Output = Ended> + Send>>,
}

/// What it does.
#[derive(Clone)]
pub(super) enum Doing {
    Delivery(u64),
    Request(String),
}

impl Deployment {
    /// A delivery begins; answers its task, none where it ended without a call.
    pub fn start(&mut self, id: u64) -> Option<TaskId> {
        let delivery = self.deliveries.get_mut(&id).expect("a delivery that is ready is there");
        delivery.is_taken = true;
        let (function, attempt) = (delivery.function.clone(), delivery.attempts + 1);
        let decoded = Input::decode(&delivery.event);
        let input = match decoded {
            Ok(input) => input,
            Err(reason) => {
                self.give_up(id, reason, true);
                return None;
            }
        };
        self.causes.insert(input.id());
        self.tell(format!("{function} gets delivery {id}, attempt {attempt}: {}", shown(&input)));
        let handler = Arc::clone(self.handlers.get(function.as_str()).expect("the template's functions"));
        let cx = self.cx(&function);
        let deadline = cx.deadline;
        let future = Box::pin(async move { Ended::Handled(handler.handle(&cx, &input).await) });
        let task = self.id();
        self.begin(task, Task { name: function, work: Doing::Delivery(id), deadline, future });
        self.tasks.contains_key(&task).then_some(task)
    }

    pub(super) fn begin(&mut self, id: TaskId, task: Task) {
        self.tasks.insert(id, task);
        self.poll(id);
    }

    /// The call at which a task is held goes on.
    pub fn resume(&mut self, task: TaskId, verdict: Verdict) {
        let call = self.held(task);
        let name = self.tasks[&task].name.clone();
        let moment = match call.moment {
            Moment::Before => "",
            Moment::After => " (done)",
        };
        self.tell(format!("{name} {task}: {} {}{moment} {}", call.name, call.what, verdict.word()));
        self.gate.tell(task, verdict);
        self.poll(task);
    }

    /// A task is no more: whatever it had not done yet, it never does.
    pub fn crash(&mut self, id: TaskId) {
        let Some(task) = self.tasks.remove(&id) else { return };
        self.gate.forget(id);
        self.tell(format!("{} {id} dies", task.name));
        drop(task.future);
        match task.work {
            Doing::Delivery(delivery) => self.failed(delivery, "it died".into()),
            Doing::Request(_) => {}
        }
    }

    fn poll(&mut self, id: TaskId) {
        let task = self.tasks.get_mut(&id).expect("a task in flight");
        self.gate.enter(Some(id));
        let mut context = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| task.future.as_mut().poll(&mut context)));
        self.gate.enter(None);
        self.absorb();
        let ended = match polled {
            Ok(Poll::Pending) => {
                assert!(self.gate.held(id).is_some(), "a function waits for something that is no port");
                return;
            }
            Ok(Poll::Ready(ended)) => ended,
            Err(_) => {
                self.gate.forget(id);
                let task = self.tasks.remove(&id).expect("it was polled");
                self.panics.push(format!("{} {id} panicked", task.name));
                if let Doing::Delivery(delivery) = task.work {
                    self.failed(delivery, "it panicked".into());
                }
                return;
            }
        };
        let task = self.tasks.remove(&id).expect("it was polled");
        match (ended, task.work) {
            (Ended::Handled(Ok(())), Doing::Delivery(delivery)) => {
                self.tell(format!("{} {id} is done", task.name));
                self.deliveries.remove(&delivery);
            }
            (Ended::Handled(Err(Fault::Retry(error))), Doing::Delivery(delivery)) => {
                self.tell(format!("{} {id} is to try again: {error}", task.name));
                self.failed(delivery, error.to_string());
            }
            (Ended::Handled(Err(Fault::Reject(reason))), Doing::Delivery(delivery)) => {
                self.tell(format!("{} {id} gives up: {reason}", task.name));
                self.give_up(delivery, reason, true);
            }
            (Ended::Answered(response), Doing::Request(request)) => {
                let body = String::from_utf8_lossy(&response.body).into_owned();
                self.tell(format!("console answers {request}: {} {body}", response.status));
                self.answers.insert(request, response);
            }
            _ => unreachable!("deliveries are handled and requests answered"),
        }
    }

    fn failed(&mut self, id: u64, reason: String) {
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        delivery.is_taken = false;
        delivery.attempts += 1;
        delivery.due = self.now.plus(delivery::retry_wait(delivery.attempts));
        let retries = match delivery.source {
            Source::Stream => delivery::STREAM_ATTEMPTS_MAX - 1,
            _ => self.wiring.function(&delivery.function).map_or(0, |declared| declared.retries_max),
        };
        if delivery.attempts > retries {
            self.give_up(id, reason, false);
        }
    }

    fn give_up(&mut self, id: u64, reason: String, is_rejected: bool) {
        let Some(Delivery { function, event, source, .. }) = self.deliveries.remove(&id) else { return };
        self.tell(format!("delivery {id} to {function} is given up: {reason}"));
        // A record of the stream is not kept: the relay's schedule finds its event.
        if source != Source::Stream {
            self.dead.insert(id, DeadLetter { function, event, reason, is_rejected });
        }
    }

    /// What took effect goes on its way.
    fn absorb(&mut self) {
        let effects = std::mem::take(&mut *lock(&self.effects));
        for seen in effects {
            match &seen {
                Seen::Committed { events, .. } => {
                    let wiring = Arc::clone(&self.wiring);
                    for event in events {
                        let record = delivery::inserted(event);
                        for function in &wiring.functions {
                            if function.streams.iter().any(|stream| stream.pattern.matches(&record)) {
                                self.push(&function.name, delivery::carried(event), Source::Stream);
                            }
                        }
                    }
                }
                Seen::Published(event) => self.route(wiring::Bus::Own, &delivery::carried(event)),
                _ => {}
            }
            self.history.push(Arc::new(seen));
        }
    }

    /// A delivery that failed is tried again without waiting, so that its time is the same.
    pub fn hurry(&mut self, id: u64) {
        if let Some(delivery) = self.deliveries.get_mut(&id) {
            delivery.due = self.now;
        }
    }

    pub(super) fn cx(&self, function: &str) -> Cx {
        let seconds = self.wiring.function(function).map_or(300, |declared| declared.timeout_seconds);
        let deadline = self.now.plus(seconds as i64 * Time::SECOND);
        Cx { now: self.now, deadline, trace: None, clock: ClockKind::Real }
    }
}

fn shown(input: &Input) -> String {
    match input {
        Input::Event(event) => format!("{} {}", event.event.kind(), event.sequence),
        Input::ObjectCreated(object) => format!("object {}", object.key),
        Input::JobChanged(changed) => format!("job {} {}", changed.name, changed.status),
        Input::EndpointChanged(changed) => format!("endpoint {} {}", changed.name, changed.status),
        Input::Tick { at } => format!("tick {at}"),
    }
}
