//! A whole deployment in memory whose every step somebody else decides: functions run by the
//! template's wiring, one call at a time, several in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use domain::time::ClockKind;
use domain::{Actor, BlobPath, Input, Time};
use ports::http::{Answer, Request, Response};
use ports::{
    Blobs, Bus, Cx, EndpointSpec, EndpointState, Endpoints, Fault, Handler, JobSpec, JobState, Jobs, Notices,
    Records, Reply, Work,
};
use serde_json::Value;
use wiring::Wiring;

use crate::delivery::{self, DeadLetter, Delivery, Source};
use crate::gate::{Call, Gate, TaskId, Verdict};
use crate::gated::{
    Effects, GatedBlobs, GatedBus, GatedEndpoints, GatedJobs, GatedNotices, GatedRecords, Seen, Shared,
};
use crate::memory::{MemoryBlobs, MemoryEndpoints, MemoryJobs, MemoryNotices, MemoryRecords, lock};
use crate::story::Story;

/// The ports that functions are given.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The table.
    pub records: Arc<dyn Records>,
    /// The bucket of our own files.
    pub blobs: Arc<dyn Blobs>,
    /// The bucket that uploads land in.
    pub incoming: Arc<dyn Blobs>,
    /// Jobs.
    pub jobs: Arc<dyn Jobs>,
    /// Endpoints.
    pub endpoints: Arc<dyn Endpoints>,
    /// Notices.
    pub notices: Arc<dyn Notices>,
    /// The bus.
    pub bus: Arc<dyn Bus>,
}

/// What runs on the ports.
pub struct Functions {
    /// The functions that events reach.
    pub handlers: Vec<Arc<dyn Handler>>,
    /// The function that answers people.
    pub console: Arc<dyn Answer>,
}

/// Makes functions over ports.
pub type Compose = Arc<dyn Fn(&Ports) -> Functions + Send + Sync>;

/// The programs that jobs and endpoints run: functions of the files alone.
pub trait Programs: Send + Sync {
    /// The model of a training; `skill` tells better ones from worse.
    fn trained(&self, blobs: &MemoryBlobs, job: &JobSpec, skill: usize) -> Bytes;
    /// What a model predicts for the rows of a job.
    fn predicted(&self, blobs: &MemoryBlobs, job: &JobSpec) -> Bytes;
    /// What a model answers.
    fn answered(&self, blobs: &MemoryBlobs, spec: &EndpointSpec, body: &[u8]) -> Reply;
}

/// How a job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// With a model of this skill, or with predictions.
    Well(usize),
    /// Badly.
    Badly,
    /// Stopped before its end, with a model that can be used.
    Short(usize),
    /// Stopped before its end, with nothing.
    Stopped,
}

/// Whether the world tells of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Once.
    Told,
    /// Twice.
    Twice,
    /// Never: somebody has to look.
    Lost,
}

enum Ended {
    Handled(Result<(), Fault>),
    Answered(Response),
}

struct Task {
    name: String,
    work: Doing,
    deadline: Time,
    future: Pin<Box<dyn Future<Output = Ended> + Send>>,
}

#[derive(Clone)]
enum Doing {
    Delivery(u64),
    Request(String),
}

/// A deployment.
pub struct Deployment {
    /// The table, not gated.
    pub records: Arc<MemoryRecords>,
    /// Our own files, not gated.
    pub blobs: Arc<MemoryBlobs>,
    /// Where uploads land, not gated.
    pub incoming: Arc<MemoryBlobs>,
    /// Jobs, not gated.
    pub jobs: Arc<MemoryJobs>,
    /// Endpoints, not gated.
    pub endpoints: Arc<MemoryEndpoints>,
    /// Notices, not gated.
    pub notices: Arc<MemoryNotices>,
    /// Everything that took effect and that nobody has taken yet, in order.
    pub history: Vec<Seen>,
    /// What was told.
    pub story: Story,
    /// Answers to people, by the request's id. A request that died has none.
    pub answers: BTreeMap<String, Response>,
    /// Ids of everything that can be a cause: inputs and requests.
    pub causes: BTreeSet<String>,
    /// What a function died of that no function may die of.
    pub panics: Vec<String>,
    wiring: Arc<Wiring>,
    compose: Compose,
    programs: Arc<dyn Programs>,
    handlers: BTreeMap<&'static str, Arc<dyn Handler>>,
    console: Arc<dyn Answer>,
    gate: Arc<Gate>,
    effects: Effects,
    now: Time,
    deliveries: BTreeMap<u64, Delivery>,
    dead: BTreeMap<u64, DeadLetter>,
    tasks: BTreeMap<TaskId, Task>,
    ticked: BTreeMap<(String, String), Time>,
    given: u64,
}

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment")
            .field("now", &self.now)
            .field("deliveries", &self.deliveries)
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

/// The adapters of a deployment.
#[derive(Default)]
struct Adapters {
    records: Arc<MemoryRecords>,
    blobs: Arc<MemoryBlobs>,
    incoming: Arc<MemoryBlobs>,
    jobs: Arc<MemoryJobs>,
    endpoints: Arc<MemoryEndpoints>,
    notices: Arc<MemoryNotices>,
}

impl Deployment {
    /// An empty deployment at 2026-01-05T09:00:00Z, a Monday, of whose story the last `keep` lines
    /// are kept.
    pub fn new(
        wiring: Arc<Wiring>,
        compose: Compose,
        programs: Arc<dyn Programs>,
        keep: usize,
    ) -> Deployment {
        let blobs = MemoryBlobs::default();
        let adapters = Adapters {
            jobs: Arc::new(MemoryJobs::new(blobs.clone())),
            blobs: Arc::new(blobs),
            ..Adapters::default()
        };
        Deployment::over(adapters, wiring, compose, programs, Story::new(keep))
    }

    fn over(
        adapters: Adapters,
        wiring: Arc<Wiring>,
        compose: Compose,
        programs: Arc<dyn Programs>,
        story: Story,
    ) -> Deployment {
        let Adapters { records, blobs, incoming, jobs, endpoints, notices } = adapters;
        let effects = Effects::default();
        let gate = Arc::new(Gate::default());
        let shared = Shared { gate: Arc::clone(&gate), effects: Arc::clone(&effects) };
        let (files, answering) = ((*blobs).clone(), Arc::clone(&programs));
        endpoints.answer(move |spec, body| answering.answered(&files, spec, body));
        let ports = Ports {
            records: Arc::new(GatedRecords { inner: Arc::clone(&records), shared: shared.clone() }),
            blobs: Arc::new(GatedBlobs { inner: Arc::clone(&blobs), shared: shared.clone() }),
            incoming: Arc::new(GatedBlobs { inner: Arc::clone(&incoming), shared: shared.clone() }),
            jobs: Arc::new(GatedJobs { inner: Arc::clone(&jobs), shared: shared.clone() }),
            endpoints: Arc::new(GatedEndpoints { inner: Arc::clone(&endpoints), shared: shared.clone() }),
            notices: Arc::new(GatedNotices { inner: Arc::clone(&notices), shared: shared.clone() }),
            bus: Arc::new(GatedBus { shared }),
        };
        let functions = compose(&ports);
        Deployment {
            records,
            blobs,
            incoming,
            jobs,
            endpoints,
            notices,
            history: Vec::new(),
            story,
            answers: BTreeMap::new(),
            causes: BTreeSet::new(),
            panics: Vec::new(),
            wiring,
            compose,
            programs,
            handlers: functions.handlers.into_iter().map(|handler| (handler.name(), handler)).collect(),
            console: functions.console,
            gate,
            effects,
            now: Time::from_millis(1_767_603_600_000),
            deliveries: BTreeMap::new(),
            dead: BTreeMap::new(),
            tasks: BTreeMap::new(),
            ticked: BTreeMap::new(),
            given: 0,
        }
    }

    /// A copy with a life of its own.
    ///
    /// # Panics
    /// Where a task is in flight: half a function cannot be copied.
    pub fn fork(&self) -> Deployment {
        assert!(self.tasks.is_empty(), "a deployment is copied between two tasks");
        let blobs = self.blobs.fork();
        let adapters = Adapters {
            records: Arc::new(self.records.fork()),
            jobs: Arc::new(self.jobs.fork(blobs.clone())),
            blobs: Arc::new(blobs),
            incoming: Arc::new(self.incoming.fork()),
            endpoints: Arc::new(self.endpoints.fork()),
            notices: Arc::new(self.notices.fork()),
        };
        let parts = (Arc::clone(&self.wiring), Arc::clone(&self.compose), Arc::clone(&self.programs));
        let mut copy = Deployment::over(adapters, parts.0, parts.1, parts.2, self.story.clone());
        copy.history = self.history.clone();
        copy.answers = self.answers.clone();
        copy.causes = self.causes.clone();
        copy.now = self.now;
        copy.deliveries = self.deliveries.clone();
        copy.dead = self.dead.clone();
        copy.ticked = self.ticked.clone();
        copy.given = self.given;
        copy
    }

    /// Now.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Adds a line to the story.
    pub fn tell(&mut self, line: impl AsRef<str>) {
        self.story.tell(self.now, line);
    }

    fn id(&mut self) -> u64 {
        self.given += 1;
        self.given
    }

    // What can happen.

    /// Deliveries that can begin.
    pub fn ready(&self) -> Vec<u64> {
        let ready = self.deliveries.iter().filter(|(_, it)| !it.is_taken && it.due <= self.now);
        ready.map(|(id, _)| *id).collect()
    }

    /// Tasks in flight: each is held at a call.
    pub fn tasks(&self) -> Vec<TaskId> {
        self.tasks.keys().copied().collect()
    }

    /// The call that a task is held at.
    ///
    /// # Panics
    /// Where there is no such task.
    pub fn held(&self, task: TaskId) -> Call {
        self.gate.held(task).expect("every task in flight is held at a call")
    }

    /// Endpoints that are coming up.
    pub fn coming_up(&self) -> Vec<String> {
        let dump = self.endpoints.dump();
        let coming = dump.into_iter().filter(|(_, (_, status))| status.state == EndpointState::Updating);
        coming.map(|(name, _)| name).collect()
    }

    /// What was given up.
    pub fn dead(&self) -> &BTreeMap<u64, DeadLetter> {
        &self.dead
    }

    /// A delivery that waits or is being handled.
    pub fn delivery(&self, id: u64) -> Option<&Delivery> {
        self.deliveries.get(&id)
    }

    /// Whether a request is being answered.
    pub fn is_asking(&self, id: &str) -> bool {
        self.tasks.values().any(|task| matches!(&task.work, Doing::Request(request) if request == id))
    }

    /// How many deliveries wait or are being handled.
    pub fn waiting(&self) -> usize {
        self.deliveries.len()
    }

    // People and the world.

    /// A person asks the console; the answer stands in [`Deployment::answers`].
    pub fn ask(&mut self, who: &str, method: &str, path: &str, id: &str, body: &Value) {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: BTreeMap::new(),
            body: if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) },
            actor: Actor::person(who),
            id: id.to_owned(),
        };
        self.post(request);
    }

    /// A request reaches the console.
    pub fn post(&mut self, request: Request) {
        let task = self.id();
        self.tell(format!("{} asks {} {} ({})", request.actor, request.method, request.path, request.id));
        self.causes.insert(request.id.clone());
        let cx = self.cx("console");
        let console = Arc::clone(&self.console);
        let id = request.id.clone();
        let deadline = cx.deadline;
        let future = Box::pin(async move { Ended::Answered(console.answer(&cx, request).await) });
        self.begin(task, Task { name: "console".into(), work: Doing::Request(id), deadline, future });
    }

    /// Bytes land in the incoming bucket.
    pub fn land(&mut self, path: &BlobPath, bytes: &[u8], who: &str, news: News) {
        self.tell(format!("{} bytes land at {path} ({news:?})", bytes.len()));
        let version = self.incoming.insert(path, bytes.to_vec());
        let bucket = self.wiring.buckets.get("IncomingBucket").cloned().unwrap_or_default();
        let (size, at) = (bytes.len() as u64, self.now);
        let event = delivery::object_created(&bucket, path.as_str(), size, &version, who, at);
        self.announce(&event, news);
    }

    /// A job ends.
    pub fn end_job(&mut self, name: &str, how: JobEnd, news: News) {
        let job = self.jobs.spec(name);
        self.tell(format!("job {name} ends: {how:?} ({news:?})"));
        let made = |skill| match job.work {
            Work::Train { .. } | Work::Tune { .. } => self.programs.trained(&self.blobs, &job, skill),
            Work::Predict { .. } => self.programs.predicted(&self.blobs, &job),
        };
        match how {
            JobEnd::Well(skill) => self.jobs.complete(name, made(skill)),
            JobEnd::Badly => self.jobs.fail(name, "the instance was lost"),
            JobEnd::Short(skill) => self.jobs.cut_short(name, Some(made(skill)), "the time limit"),
            JobEnd::Stopped => self.jobs.cut_short(name, None, "somebody stopped it"),
        }
        let status = match how {
            JobEnd::Well(_) => "Completed",
            JobEnd::Badly => "Failed",
            JobEnd::Short(_) | JobEnd::Stopped => "Stopped",
        };
        self.announce(&delivery::job_changed(&job, status, self.now), news);
    }

    /// An endpoint's new configuration comes up.
    pub fn bring_up(&mut self, name: &str, news: News) {
        self.tell(format!("endpoint {name} is in service ({news:?})"));
        self.endpoints.bring_up(name);
        self.announce(&delivery::endpoint_changed(name, "IN_SERVICE", self.now), news);
    }

    /// An endpoint's new configuration cannot be brought up; the one before goes on.
    pub fn fail_endpoint(&mut self, name: &str, news: News) {
        self.tell(format!("endpoint {name} fails ({news:?})"));
        self.endpoints.fail(name, "no capacity");
        self.announce(&delivery::endpoint_changed(name, "FAILED", self.now), news);
    }

    fn announce(&mut self, event: &Value, news: News) {
        let times = match news {
            News::Told => 1,
            News::Twice => 2,
            News::Lost => 0,
        };
        for _ in 0..times {
            self.route(wiring::Bus::Default, event);
        }
    }

    fn route(&mut self, bus: wiring::Bus, event: &Value) {
        let wiring = Arc::clone(&self.wiring);
        for (function, _) in wiring.listeners(bus, event) {
            self.push(&function.name, event.clone(), Source::Bus);
        }
    }

    fn push(&mut self, function: &str, event: Value, source: Source) -> u64 {
        let id = self.id();
        let due = self.now;
        let function = function.to_owned();
        self.deliveries.insert(id, Delivery { function, event, source, attempts: 0, due, is_taken: false });
        id
    }

    /// A copy of a delivery: what is delivered at least once is delivered twice at times.
    pub fn double(&mut self, id: u64) {
        let Some(delivery) = self.deliveries.get(&id).cloned() else { return };
        self.tell(format!("delivery {id} to {} comes twice", delivery.function));
        let copy = self.push(&delivery.function.clone(), delivery.event, delivery.source);
        self.tell(format!("delivery {copy} is the second"));
    }

    /// A delivery is never made: of what is sent at best, or of what a schedule makes up for.
    pub fn lose(&mut self, id: u64) {
        if let Some(delivery) = self.deliveries.remove(&id) {
            self.tell(format!("delivery {id} to {} is lost", delivery.function));
        }
    }

    /// A person has what was given up delivered again.
    pub fn redrive(&mut self, id: u64) {
        if let Some(letter) = self.dead.remove(&id) {
            self.tell(format!("dead letter {id} to {} is redriven", letter.function));
            self.push(&letter.function, letter.event, Source::Bus);
        }
    }

    // Time.

    /// When something is due next: a delivery to be tried again, or a tick.
    pub fn next_time(&self) -> Time {
        let later = |due: &Time| *due > self.now;
        let retries = self.deliveries.values().filter(|it| !it.is_taken).map(|it| it.due).filter(later);
        let every = self.wiring.functions.iter().flat_map(|function| &function.schedules);
        let ticks = every.map(|schedule| {
            let every = schedule.every_millis.max(1);
            Time::from_millis((self.now.millis().div_euclid(every) + 1) * every)
        });
        retries.chain(ticks).min().unwrap_or(self.now.plus(Time::HOUR))
    }

    /// Lets time pass. Schedules tick, once each however much has passed, and what runs longer
    /// than its function may is killed.
    pub fn advance(&mut self, to: Time) {
        self.now = self.now.max(to);
        self.tell("time passes");
        let late = self.tasks.iter().filter(|(_, task)| task.deadline <= self.now);
        for task in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.crash(task);
        }
        let wiring = Arc::clone(&self.wiring);
        for function in &wiring.functions {
            for schedule in &function.schedules {
                let every = schedule.every_millis.max(1);
                let due = Time::from_millis(self.now.millis().div_euclid(every) * every);
                let source = Source::Schedule(schedule.name.clone());
                let piles_up =
                    self.deliveries.values().any(|it| it.function == function.name && it.source == source);
                let key = (function.name.clone(), schedule.name.clone());
                if self.ticked.get(&key) == Some(&due) || piles_up {
                    continue;
                }
                self.ticked.insert(key, due);
                self.push(&function.name, delivery::tick(&schedule.name, due), source);
            }
        }
    }

    fn cx(&self, function: &str) -> Cx {
        let seconds = self.wiring.function(function).map_or(300, |declared| declared.timeout_seconds);
        let deadline = self.now.plus(seconds as i64 * Time::SECOND);
        Cx { now: self.now, deadline, trace: None, clock: ClockKind::Real }
    }

    /// A delivery that failed is tried again without waiting, so that its time is the same.
    pub fn hurry(&mut self, id: u64) {
        if let Some(delivery) = self.deliveries.get_mut(&id) {
            delivery.due = self.now;
        }
    }

    // Tasks.

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

    fn begin(&mut self, id: TaskId, task: Task) {
        self.tasks.insert(id, task);
        self.poll(id);
    }

    /// The call at which a task is held goes on.
    pub fn resume(&mut self, task: TaskId, verdict: Verdict) {
        let call = self.held(task);
        let name = self.tasks[&task].name.clone();
        let moment = match call.moment {
            crate::gate::Moment::Before => "",
            crate::gate::Moment::After => " (done)",
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
            self.history.push(seen);
        }
    }

    /// Names of the jobs that run.
    pub fn running(&self) -> Vec<String> {
        let jobs = self.jobs.dump();
        let running = jobs.into_iter().filter(|(_, (_, status))| status.state == JobState::Running);
        running.map(|(name, _)| name).collect()
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
