//! A calm deployment in memory: nothing fails, and every delivery comes twice.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use domain::key::prefix;
use domain::time::ClockKind;
use domain::{Actor, BlobPath, Digest, Draft, Envelope, Event, Input, Key, PipelineName, Time};
use ports::{
    Commit, Committed, Cx, EndpointSpec, EndpointStatus, Fault, Handler, JobSpec, JobStatus, Records,
    RecordsExt, Version, Write,
};
use serde::de::DeserializeOwned;

use crate::memory::{MemoryBlobs, MemoryBus, MemoryEndpoints, MemoryJobs, MemoryNotices, MemoryRecords};

/// The world's clock: it moves only when a test moves it.
#[derive(Debug)]
pub struct Clock(AtomicI64);

impl Clock {
    /// Now.
    pub fn now(&self) -> Time {
        Time::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves on by some milliseconds and answers the new time.
    pub fn advance(&self, millis: i64) -> Time {
        self.set(self.now().plus(millis))
    }

    /// Moves to a time, and answers it.
    pub fn set(&self, time: Time) -> Time {
        self.0.store(time.millis(), Ordering::SeqCst);
        time
    }
}

/// A whole deployment in memory. Hand its ports to handlers (`world.records.clone()`), deliver
/// inputs with [`World::twice`], and play the rest of the world through the adapters:
/// `world.jobs.complete(…)`, `world.endpoints.settle()`, `world.clock.advance(…)`.
///
/// Everything is runtime-free: `futures::executor::block_on` runs a test.
#[derive(Debug)]
pub struct World {
    /// The table.
    pub records: Arc<MemoryRecords>,
    /// The bucket of our own files.
    pub blobs: Arc<MemoryBlobs>,
    /// The bucket that uploads land in.
    pub incoming: Arc<MemoryBlobs>,
    /// Jobs; what they make goes to `blobs`.
    pub jobs: Arc<MemoryJobs>,
    /// Endpoints.
    pub endpoints: Arc<MemoryEndpoints>,
    /// Notices.
    pub notices: Arc<MemoryNotices>,
    /// The bus.
    pub bus: Arc<MemoryBus>,
    /// The clock, at first 2026-01-05T09:00:00Z, a Monday.
    pub clock: Clock,
    given: AtomicU64,
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

/// Everything a second delivery must leave as it is.
#[derive(Debug, PartialEq)]
struct Snapshot {
    rows: BTreeMap<Key, (Version, String)>,
    blobs: BTreeMap<BlobPath, Digest>,
    incoming: BTreeMap<BlobPath, Digest>,
    jobs: BTreeMap<String, (JobSpec, JobStatus)>,
    endpoints: BTreeMap<String, (EndpointSpec, EndpointStatus)>,
}

impl World {
    /// An empty deployment.
    pub fn new() -> World {
        let blobs = MemoryBlobs::default();
        World {
            records: Arc::default(),
            jobs: Arc::new(MemoryJobs::new(blobs.clone())),
            blobs: Arc::new(blobs),
            incoming: Arc::default(),
            endpoints: Arc::default(),
            notices: Arc::default(),
            bus: Arc::default(),
            clock: Clock(AtomicI64::new(1_767_603_600_000)),
            given: AtomicU64::new(0),
        }
    }

    /// The context of an invocation at a time, with five minutes to go.
    pub fn cx(&self, now: Time) -> Cx {
        Cx { now, deadline: now.plus(300 * Time::SECOND), trace: None, clock: ClockKind::Real }
    }

    /// A tick for now.
    pub fn tick(&self) -> Input {
        Input::Tick { at: self.clock.now() }
    }

    /// Delivers an input once, now.
    pub async fn deliver(&self, handler: &dyn Handler, input: impl Borrow<Input>) -> Result<(), Fault> {
        handler.handle(&self.cx(self.clock.now()), input.borrow()).await
    }

    /// Delivers an input, and delivers it again a minute later: the second delivery must end
    /// like the first and change nothing, be it rows, events, blobs, jobs or endpoints. (Notices
    /// and the bus are at-least-once, so they may see something again.)
    ///
    /// Answers how the first delivery ended. After [`Fault::Retry`] there is no second one: it
    /// may rightly end otherwise.
    ///
    /// # Panics
    /// Where the second delivery changed something or ended otherwise: the message names what.
    pub async fn twice(&self, handler: &dyn Handler, input: impl Borrow<Input>) -> Result<(), Fault> {
        let input = input.borrow();
        let first = self.deliver(handler, input).await;
        if matches!(first, Err(Fault::Retry(_))) {
            return first;
        }
        let before = self.snapshot();
        // A minute later, so that a time of the delivery that was stored is found out.
        let later = self.cx(self.clock.now().plus(60 * Time::SECOND));
        let second = handler.handle(&later, input).await;
        let name = handler.name();
        match (&first, &second) {
            (Ok(()), Ok(())) | (Err(Fault::Reject(_)), Err(Fault::Reject(_))) => {}
            _ => panic!("{name}: the first delivery ended with {first:?}, the second with {second:?}"),
        }
        before.compare(&self.snapshot(), name);
        first
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            rows: self.records.dump(),
            blobs: self.blobs.dump(),
            incoming: self.incoming.dump(),
            jobs: self.jobs.dump(),
            endpoints: self.endpoints.dump(),
        }
    }

    /// Makes something so, as if it had happened before the test began: commits rows and events
    /// (recorded by the person `tester`, now) and answers the sealed events.
    ///
    /// # Panics
    /// Where the commit is refused.
    pub async fn given(
        &self,
        pipeline: &PipelineName,
        writes: Vec<Write>,
        events: Vec<Event>,
    ) -> Vec<Envelope> {
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        let at = self.clock.now();
        let draft = |(place, event): (usize, Event)| Draft {
            id: format!("given-{number}-{place}"),
            event,
            at,
            as_of: None,
            actor: Actor::person("tester"),
            cause: format!("given-{number}"),
            correlation: format!("given-{number}"),
            trace: None,
            clock: ClockKind::Real,
        };
        let events: Vec<Draft> = events.into_iter().enumerate().map(draft).collect();
        let count = events.len();
        let commit = Commit { id: format!("given-{number}"), pipeline: pipeline.clone(), at, writes, events };
        match self.records.commit(&commit).await {
            Ok(Committed::Now) => {}
            refused => panic!("what was given could not be committed: {refused:?}"),
        }
        let mut all = self.events(pipeline).await;
        all.split_off(all.len() - count)
    }

    /// The input of an event that happened before the test began; see [`World::given`].
    ///
    /// # Panics
    /// Where the commit is refused.
    pub async fn given_event(&self, pipeline: &PipelineName, event: Event) -> Input {
        let mut events = self.given(pipeline, Vec::new(), vec![event]).await;
        Input::Event(Box::new(events.remove(0)))
    }

    /// All events of a pipeline, in order.
    ///
    /// # Panics
    /// Where an event cannot be read.
    pub async fn events(&self, pipeline: &PipelineName) -> Vec<Envelope> {
        let partition = Key::partition(pipeline);
        let rows = self.records.all::<Envelope>(&partition, prefix::EVENT).await;
        let rows = rows.unwrap_or_else(|error| panic!("events of {pipeline}: {error}"));
        rows.into_iter().map(|(_, event)| event.value).collect()
    }

    /// The kinds of all events of a pipeline, in order.
    ///
    /// # Panics
    /// Where an event cannot be read.
    pub async fn kinds(&self, pipeline: &PipelineName) -> Vec<&'static str> {
        self.events(pipeline).await.iter().map(|event| event.event.kind()).collect()
    }

    /// The last event of a pipeline, as the input of a handler.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn last(&self, pipeline: &PipelineName) -> Input {
        match self.events(pipeline).await.pop() {
            Some(event) => Input::Event(Box::new(event)),
            None => panic!("nothing has happened to {pipeline}"),
        }
    }

    /// A row of a type; none where there is none.
    ///
    /// # Panics
    /// Where the row is not of the type.
    pub async fn row<T: DeserializeOwned + Send>(&self, key: &Key) -> Option<T> {
        let row = self.records.read::<T>(key).await;
        row.unwrap_or_else(|error| panic!("{error}")).map(|row| row.value)
    }

    /// All rows of a type under a prefix, in order.
    ///
    /// # Panics
    /// Where a row is not of the type.
    pub async fn rows<T: DeserializeOwned + Send>(&self, pipeline: &PipelineName, prefix: &str) -> Vec<T> {
        let rows = self.records.all::<T>(&Key::partition(pipeline), prefix).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}"));
        rows.into_iter().map(|(_, row)| row.value).collect()
    }
}

impl Snapshot {
    /// Panics where the other snapshot differs, naming what does.
    fn compare(&self, after: &Snapshot, handler: &str) {
        same(handler, "row", &self.rows, &after.rows);
        same(handler, "blob", &self.blobs, &after.blobs);
        same(handler, "incoming blob", &self.incoming, &after.incoming);
        same(handler, "job", &self.jobs, &after.jobs);
        same(handler, "endpoint", &self.endpoints, &after.endpoints);
    }
}

fn same<K, V>(handler: &str, what: &str, before: &BTreeMap<K, V>, after: &BTreeMap<K, V>)
where
    K: Ord + std::fmt::Debug,
    V: PartialEq + std::fmt::Debug,
{
    let keys: std::collections::BTreeSet<&K> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (before, after) = (before.get(key), after.get(key));
        assert!(
            before == after,
            "{handler}: the second delivery changed the {what} {key:?}\nbefore: {before:?}\nafter:  {after:?}"
        );
    }
}
