//! The simulation is tested: functions broken on purpose, each in one way, by ports and handlers
//! that do not do what they say. Every one must be found out within a few seeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use domain::pipeline::Channel;
use domain::{BlobPath, Envelope, Input, Key};
use ports::blobs::PutExpect;
use ports::{
    BlobInfo, BlobWriter, Blobs, Bus, Commit, Committed, Cx, EndpointSpec, EndpointStatus, Endpoints, Expect,
    Fault, Handler, JobSpec, JobStatus, Jobs, Notice, Notices, Outcome, Page, Record, Records, Reply, Result,
    Started,
};
use serde_json::json;
use simulation::check::invariant::{
    APPROVED, ASKS, BUDGET, CAUSED, ENDS, FILES, FROZEN, Invariant, JOBS_OWNED, NOTICES, NUMBERS, ONCE,
    PUBLISHED, ROWS, SERVES, UPLOADS,
};
use simulation::deployment::{Compose, Functions, Ports};

use crate::seeds::play;
use crate::whole;

/// Seeds within which a broken variant must be found out.
const SEEDS_MAX: u64 = 600;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// Writes whatever stands there.
    ConditionsDropped,
    /// Every commit passes for a new one.
    MarkDropped,
    /// Events do not say why.
    CauseForgotten,
    /// Bad rows are not counted.
    BadRowsForgotten,
    /// A run goes on with other rows than it was planned with.
    SelectionUnfrozen,
    /// A number is left out.
    NumberSkipped,
    /// The policy is not asked.
    AnyoneApproves,
    /// The budget is not asked.
    BudgetForgotten,
    /// A run keeps nothing free for its jobs.
    NothingReserved,
    /// Facts change without an event.
    EventsDropped,
    /// A page is named and not written.
    PageUnwritten,
    /// Other bytes are written than were digested.
    BytesChanged,
    /// A job is named anew every time.
    JobNamedAnew,
    /// A job is said to be started.
    JobForgotten,
    /// What was tried stays.
    StagingLeft,
    /// Another model is served than was approved.
    ModelSwapped,
    /// A notice is said to be sent.
    NoticeSwallowed,
    /// The bus is said to take what it did not.
    PublishSwallowed,
    /// A function does not look by itself.
    TickOff(&'static str),
    /// A function says that it is done when it is not.
    FaultSwallowed(&'static str),
    /// What was uploaded is removed.
    UploadRemoved,
}

/// Every way, and by which invariants it may show.
fn ways() -> Vec<(Break, Vec<Invariant>)> {
    vec![
        (Break::ConditionsDropped, vec![ONCE, NUMBERS, FROZEN, ENDS]),
        (Break::MarkDropped, vec![ONCE, NUMBERS, FROZEN, ENDS]),
        (Break::CauseForgotten, vec![CAUSED]),
        (Break::BadRowsForgotten, vec![ROWS]),
        (Break::SelectionUnfrozen, vec![FROZEN]),
        (Break::NumberSkipped, vec![NUMBERS]),
        (Break::AnyoneApproves, vec![APPROVED, BUDGET]),
        (Break::BudgetForgotten, vec![BUDGET]),
        (Break::NothingReserved, vec![BUDGET]),
        (Break::EventsDropped, vec![CAUSED, ENDS]),
        (Break::PageUnwritten, vec![FILES]),
        (Break::BytesChanged, vec![FILES]),
        (Break::JobNamedAnew, vec![JOBS_OWNED]),
        (Break::JobForgotten, vec![ENDS]),
        (Break::StagingLeft, vec![SERVES]),
        (Break::ModelSwapped, vec![APPROVED]),
        (Break::NoticeSwallowed, vec![NOTICES]),
        (Break::PublishSwallowed, vec![PUBLISHED]),
        (Break::TickOff("ingest"), vec![UPLOADS]),
        (Break::TickOff("train"), vec![ENDS, JOBS_OWNED, ASKS]),
        (Break::TickOff("register"), vec![ENDS]),
        (Break::TickOff("deploy"), vec![ENDS]),
        (Break::TickOff("relay"), vec![PUBLISHED]),
        (Break::TickOff("notify"), vec![NOTICES]),
        (Break::FaultSwallowed("ingest"), vec![UPLOADS]),
        (Break::FaultSwallowed("register"), vec![ENDS]),
        (Break::FaultSwallowed("train"), vec![ENDS, ASKS]),
        (Break::UploadRemoved, vec![UPLOADS]),
    ]
}

/// Plays seeds until a variant is found out; what is wrong with that, if anything.
fn survives(how: Break, invariants: &[Invariant]) -> Option<String> {
    let found = (0..SEEDS_MAX).find_map(|seed| {
        let played = play(seed, broken(how), 0);
        played.violation.map(|violation| (seed, violation))
    });
    match found {
        Some((seed, violation)) if !invariants.contains(&violation.invariant) => {
            Some(format!("{how:?} shows in seed {seed} as {violation}"))
        }
        Some(_) => None,
        None => Some(format!("{how:?} survived {SEEDS_MAX} seeds")),
    }
}

#[test]
fn every_broken_variant_is_found_out() {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let ways = ways();
    let of_thread = |first: usize| {
        let ways = ways.iter().skip(first).step_by(threads);
        ways.filter_map(|(how, invariants)| survives(*how, invariants)).collect::<Vec<String>>()
    };
    let survived: Vec<String> = std::thread::scope(|scope| {
        let of_thread = &of_thread;
        let handles: Vec<_> = (0..threads).map(|first| scope.spawn(move || of_thread(first))).collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    assert!(survived.is_empty(), "{survived:#?}");
}

/// The real functions over broken ports, or broken themselves.
fn broken(how: Break) -> Compose {
    Arc::new(move |ports: &Ports| {
        let count = Arc::new(AtomicU64::new(0));
        let ports = Ports {
            records: Arc::new(BrokenRecords {
                inner: Arc::clone(&ports.records),
                how,
                count: Arc::clone(&count),
            }),
            blobs: Arc::new(BrokenBlobs { inner: Arc::clone(&ports.blobs), how }),
            incoming: Arc::clone(&ports.incoming),
            jobs: Arc::new(BrokenJobs { inner: Arc::clone(&ports.jobs), how, count }),
            endpoints: Arc::new(BrokenEndpoints { inner: Arc::clone(&ports.endpoints), how }),
            notices: Arc::new(BrokenNotices { inner: Arc::clone(&ports.notices), how }),
            bus: Arc::new(BrokenBus { inner: Arc::clone(&ports.bus), how }),
        };
        let Functions { handlers, console } = whole::functions(&ports);
        let wrap = |inner: Arc<dyn Handler>| -> Arc<dyn Handler> {
            Arc::new(BrokenHandler { inner, how, incoming: Arc::clone(&ports.incoming) })
        };
        Functions { handlers: handlers.into_iter().map(wrap).collect(), console }
    })
}

struct BrokenHandler {
    inner: Arc<dyn Handler>,
    how: Break,
    incoming: Arc<dyn Blobs>,
}

#[async_trait]
impl Handler for BrokenHandler {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> std::result::Result<(), Fault> {
        if self.how == Break::TickOff(self.name()) && matches!(input, Input::Tick { .. }) {
            return Ok(());
        }
        let done = self.inner.handle(cx, input).await;
        match (self.how, input, done) {
            (Break::FaultSwallowed(name), _, Err(Fault::Retry(_))) if name == self.name() => Ok(()),
            (Break::UploadRemoved, Input::ObjectCreated(object), Ok(())) => {
                let path = BlobPath::parse(&object.key).map_err(Fault::Reject)?;
                Ok(self.incoming.delete(&path).await?)
            }
            (_, _, done) => done,
        }
    }
}

#[derive(Debug)]
struct BrokenRecords {
    inner: Arc<dyn Records>,
    how: Break,
    count: Arc<AtomicU64>,
}

impl BrokenRecords {
    async fn spoil(&self, mut commit: Commit) -> Result<Commit> {
        match self.how {
            Break::MarkDropped => {
                commit.id = format!("{}-{}", commit.id, self.count.fetch_add(1, Ordering::SeqCst));
            }
            Break::CauseForgotten => commit.events.iter_mut().for_each(|draft| draft.cause = "?".into()),
            Break::ConditionsDropped => {
                for write in &mut commit.writes {
                    let now = self.inner.get(&write.key).await?;
                    write.expect = now.map_or(Expect::Absent, |row| Expect::Version(row.version));
                }
                commit.writes.retain(|write| write.value.is_some() || write.expect != Expect::Absent);
            }
            Break::EventsDropped => {
                let is_fact = |write: &ports::Write| write.key.is_fact();
                if commit.writes.len() > 1 {
                    commit.events.clear();
                    commit.writes.retain(|write| !is_fact(write));
                }
            }
            _ => {}
        }
        for write in &mut commit.writes {
            let Some(value) = &mut write.value else { continue };
            match self.how {
                Break::BadRowsForgotten if write.key.sort.starts_with("upload/") => {
                    value["rows_bad"] = json!(0)
                }
                Break::SelectionUnfrozen
                    if write.key.sort.starts_with("run/") && write.expect != Expect::Absent =>
                {
                    value["parts"] = json!([]);
                }
                Break::NothingReserved if write.key.sort.starts_with("run/") => {
                    value["spend"]["reserved"] = json!({ "training": 0, "prediction": 0 });
                }
                Break::NumberSkipped if write.key.sort == "counts" => {
                    value["runs"] = json!(value["runs"].as_u64().unwrap_or(0) + 1);
                }
                _ => {}
            }
        }
        Ok(commit)
    }
}

#[async_trait]
impl Records for BrokenRecords {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let mut found = self.inner.get(key).await?;
        if key.sort == "pipeline"
            && let Some(record) = &mut found
        {
            let spec = &mut record.value["spec"];
            match self.how {
                Break::AnyoneApproves => {
                    spec["approval"] =
                        json!({ "approvers": ["ana", "bianca", "carlos", "dora"], "four_eyes": false });
                }
                Break::BudgetForgotten => spec["budget"] = json!({}),
                _ => {}
            }
        }
        Ok(found)
    }

    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> Result<Page> {
        self.inner.list(partition, prefix, after).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed> {
        let spoilt = self.spoil(commit.clone()).await?;
        self.inner.commit(&spoilt).await
    }
}

#[derive(Debug)]
struct BrokenBlobs {
    inner: Arc<dyn Blobs>,
    how: Break,
}

#[async_trait]
impl Blobs for BrokenBlobs {
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobInfo>> {
        self.inner.head(path).await
    }

    async fn range(&self, path: &BlobPath, from: u64, length: u64) -> Result<Bytes> {
        self.inner.range(path, from, length).await
    }

    async fn range_of(&self, path: &BlobPath, version: &str, from: u64, length: u64) -> Result<Bytes> {
        self.inner.range_of(path, version, from, length).await
    }

    async fn writer(&self, path: &BlobPath, expect: PutExpect) -> Result<Box<dyn BlobWriter>> {
        let inner = self.inner.writer(path, expect).await?;
        Ok(Box::new(BrokenWriter { inner, how: self.how, name: path.file_name().to_owned() }))
    }

    async fn list(&self, prefix: &str, after: Option<&BlobPath>) -> Result<Vec<BlobInfo>> {
        self.inner.list(prefix, after).await
    }

    async fn delete(&self, path: &BlobPath) -> Result<()> {
        self.inner.delete(path).await
    }
}

#[derive(Debug)]
struct BrokenWriter {
    inner: Box<dyn BlobWriter>,
    how: Break,
    name: String,
}

#[async_trait]
impl BlobWriter for BrokenWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.write(bytes).await
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        match self.how {
            Break::PageUnwritten if self.name == "report.html" => return Ok(()),
            Break::BytesChanged if self.name == "baseline.json" => self.inner.write(b" ").await?,
            _ => {}
        }
        self.inner.finish().await
    }
}

#[derive(Debug)]
struct BrokenJobs {
    inner: Arc<dyn Jobs>,
    how: Break,
    count: Arc<AtomicU64>,
}

#[async_trait]
impl Jobs for BrokenJobs {
    async fn start(&self, job: &JobSpec) -> Result<Started> {
        match self.how {
            Break::JobForgotten => Ok(Started::Now),
            Break::JobNamedAnew => {
                let name = format!("{}-{}", job.name, self.count.fetch_add(1, Ordering::SeqCst));
                self.inner.start(&JobSpec { name, ..job.clone() }).await
            }
            _ => self.inner.start(job).await,
        }
    }

    async fn status(&self, name: &str) -> Result<JobStatus> {
        self.inner.status(name).await
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.inner.stop(name).await
    }
}

#[derive(Debug)]
struct BrokenEndpoints {
    inner: Arc<dyn Endpoints>,
    how: Break,
}

#[async_trait]
impl Endpoints for BrokenEndpoints {
    async fn put(&self, spec: &EndpointSpec) -> Result<()> {
        let mut spec = spec.clone();
        if self.how == Break::ModelSwapped {
            spec.artifact = BlobPath::parse("elsewhere/model.tar.gz").unwrap();
        }
        self.inner.put(&spec).await
    }

    async fn status(&self, name: &str) -> Result<Option<EndpointStatus>> {
        self.inner.status(name).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        match self.how {
            Break::StagingLeft => Ok(()),
            _ => self.inner.delete(name).await,
        }
    }

    async fn invoke(&self, name: &str, content_type: &str, body: Bytes) -> Result<Reply> {
        self.inner.invoke(name, content_type, body).await
    }
}

#[derive(Debug)]
struct BrokenNotices {
    inner: Arc<dyn Notices>,
    how: Break,
}

#[async_trait]
impl Notices for BrokenNotices {
    async fn send(&self, channel: &Channel, notice: &Notice) -> Result<()> {
        let sent = self.inner.send(channel, notice).await;
        if self.how == Break::NoticeSwallowed { Ok(()) } else { sent }
    }
}

#[derive(Debug)]
struct BrokenBus {
    inner: Arc<dyn Bus>,
    how: Break,
}

#[async_trait]
impl Bus for BrokenBus {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<Outcome>> {
        let outcomes = self.inner.publish(events).await?;
        if self.how != Break::PublishSwallowed {
            return Ok(outcomes);
        }
        Ok(outcomes.into_iter().map(|_| Ok(())).collect())
    }
}
