//! A whole deployment in memory whose every step somebody else decides: functions run by the
//! template's wiring, one call at a time, several in flight.

mod tasks;
mod time;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use domain::Time;
use ports::http::{Answer, Response};
use ports::{Blobs, Bus, EndpointSpec, Endpoints, Handler, JobSpec, Jobs, Notices, Records, Reply};
use wiring::Wiring;

use crate::delivery::{DeadLetter, Delivery};
use crate::gate::{Call, Gate, TaskId};
use crate::gated::{
    Effects, GatedBlobs, GatedBus, GatedEndpoints, GatedJobs, GatedNotices, GatedRecords, Seen, Shared,
};
use crate::memory::{MemoryBlobs, MemoryEndpoints, MemoryJobs, MemoryNotices, MemoryRecords};
use crate::story::Story;
use tasks::{Doing, Task};

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
    pub history: Vec<Arc<Seen>>,
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
        self.endpoints.coming_up()
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

    /// Deliveries to a function of events of a kind, as EventBridge names it, in order.
    pub fn deliveries_of(&self, function: &str, kind: &str) -> Vec<u64> {
        let of = self
            .deliveries
            .iter()
            .filter(|(_, it)| it.function == function && it.event["detail-type"] == kind);
        of.map(|(id, _)| *id).collect()
    }

    /// Names of the jobs that run.
    pub fn running(&self) -> Vec<String> {
        self.jobs.running()
    }
}
