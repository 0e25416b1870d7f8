//! The ports of a simulated deployment: memory adapters whose every call can be held, refused,
//! left without an answer, or never come back. What takes effect is noted.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use domain::key::prefix;
use domain::pipeline::Channel;
use domain::{BlobPath, Envelope, Key};
use ports::blobs::PutExpect;
use ports::ledger::{self, Head};
use ports::{
    BlobInfo, BlobWriter, Blobs, Bus, Commit, Committed, EndpointSpec, EndpointStatus, Endpoints, Error,
    ErrorKind, JobSpec, JobStatus, Jobs, Notice, Notices, Outcome, Page, Record, Records, RecordsExt as _,
    Reply, Result, Started,
};

use crate::gate::Gate;
use crate::memory::{MemoryBlobs, MemoryEndpoints, MemoryJobs, MemoryNotices, MemoryRecords, lock};

/// Something that took effect.
#[derive(Clone, Debug)]
pub enum Seen {
    /// Rows and events were written at once.
    Committed {
        /// What was asked.
        commit: Commit,
        /// Its events as they were sealed.
        events: Vec<Envelope>,
    },
    /// A job was started that was not there.
    Started(JobSpec),
    /// An endpoint was asked to serve something.
    Put(EndpointSpec),
    /// A notice got through.
    Sent(Channel, Notice),
    /// The bus took an event.
    Published(Box<Envelope>),
}

/// What took effect since somebody looked.
pub type Effects = Arc<Mutex<Vec<Seen>>>;

/// What every port of a deployment shares.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) gate: Arc<Gate>,
    pub(crate) effects: Effects,
}

impl Shared {
    fn see(&self, seen: Seen) {
        lock(&self.effects).push(seen);
    }
}

/// A table.
#[derive(Debug)]
pub(crate) struct GatedRecords {
    pub(crate) inner: Arc<MemoryRecords>,
    pub(crate) shared: Shared,
}

fn place(key: &Key) -> String {
    format!("{}/{}", key.partition, key.sort)
}

#[async_trait]
impl Records for GatedRecords {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.shared.gate.before("records.get", place(key)).await?;
        self.inner.get(key).await
    }

    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> Result<Page> {
        self.shared.gate.before("records.list", format!("{partition}/{prefix}")).await?;
        self.inner.list(partition, prefix, after).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed> {
        let kinds: Vec<&str> = commit.events.iter().map(|draft| draft.event.kind()).collect();
        let rows: Vec<&str> = commit.writes.iter().map(|write| write.key.sort.as_str()).collect();
        let what = format!("[{}] {}", kinds.join(" "), rows.join(" "));
        self.shared.gate.before("records.commit", &what).await?;
        let key = ledger::head_key(&commit.pipeline);
        let before = self.inner.read::<Head>(&key).await?.map_or(0, |head| head.value.sequence);
        let done = self.inner.commit(commit).await;
        if matches!(done, Ok(Committed::Now)) {
            let from = ledger::event_key(&commit.pipeline, before).sort;
            let page = self.inner.list(&key.partition, prefix::EVENT, Some(&from)).await?;
            let sealed = |record: Record| {
                serde_json::from_value(record.value)
                    .map_err(|error| Error::new(ErrorKind::Invalid, "read a sealed event").because(error))
            };
            let events = page.records.into_iter().map(sealed).collect::<Result<Vec<Envelope>>>()?;
            self.shared.see(Seen::Committed { commit: commit.clone(), events });
        }
        self.shared.gate.after("records.commit", &what).await?;
        done
    }
}

/// A bucket.
#[derive(Debug)]
pub(crate) struct GatedBlobs {
    pub(crate) inner: Arc<MemoryBlobs>,
    pub(crate) shared: Shared,
}

#[async_trait]
impl Blobs for GatedBlobs {
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobInfo>> {
        self.shared.gate.before("blobs.head", path).await?;
        self.inner.head(path).await
    }

    async fn range(&self, path: &BlobPath, from: u64, length: u64) -> Result<Bytes> {
        self.shared.gate.before("blobs.range", path).await?;
        self.inner.range(path, from, length).await
    }

    async fn range_of(&self, path: &BlobPath, version: &str, from: u64, length: u64) -> Result<Bytes> {
        self.shared.gate.before("blobs.range", path).await?;
        self.inner.range_of(path, version, from, length).await
    }

    async fn writer(&self, path: &BlobPath, expect: PutExpect) -> Result<Box<dyn BlobWriter>> {
        self.shared.gate.before("blobs.writer", path).await?;
        let inner = self.inner.writer(path, expect).await?;
        Ok(Box::new(GatedWriter { inner, path: path.clone(), shared: self.shared.clone() }))
    }

    async fn list(&self, prefix: &str, after: Option<&BlobPath>) -> Result<Vec<BlobInfo>> {
        self.shared.gate.before("blobs.list", prefix).await?;
        self.inner.list(prefix, after).await
    }

    async fn delete(&self, path: &BlobPath) -> Result<()> {
        self.shared.gate.before("blobs.delete", path).await?;
        self.inner.delete(path).await?;
        self.shared.gate.after("blobs.delete", path).await
    }
}

#[derive(Debug)]
struct GatedWriter {
    inner: Box<dyn BlobWriter>,
    path: BlobPath,
    shared: Shared,
}

#[async_trait]
impl BlobWriter for GatedWriter {
    /// Nothing of it can be seen before the end, so there is nothing to hold.
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let GatedWriter { inner, path, shared } = *self;
        shared.gate.before("blobs.finish", &path).await?;
        let done = inner.finish().await;
        shared.gate.after("blobs.finish", &path).await?;
        done
    }
}

/// Jobs.
#[derive(Debug)]
pub(crate) struct GatedJobs {
    pub(crate) inner: Arc<MemoryJobs>,
    pub(crate) shared: Shared,
}

#[async_trait]
impl Jobs for GatedJobs {
    async fn start(&self, job: &JobSpec) -> Result<Started> {
        self.shared.gate.before("jobs.start", &job.name).await?;
        let done = self.inner.start(job).await;
        if matches!(done, Ok(Started::Now)) {
            self.shared.see(Seen::Started(job.clone()));
        }
        self.shared.gate.after("jobs.start", &job.name).await?;
        done
    }

    async fn status(&self, name: &str) -> Result<JobStatus> {
        self.shared.gate.before("jobs.status", name).await?;
        self.inner.status(name).await
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.shared.gate.before("jobs.stop", name).await?;
        let done = self.inner.stop(name).await;
        self.shared.gate.after("jobs.stop", name).await?;
        done
    }
}

/// Endpoints.
#[derive(Debug)]
pub(crate) struct GatedEndpoints {
    pub(crate) inner: Arc<MemoryEndpoints>,
    pub(crate) shared: Shared,
}

#[async_trait]
impl Endpoints for GatedEndpoints {
    async fn put(&self, spec: &EndpointSpec) -> Result<()> {
        let what = format!("{} {}", spec.name, spec.config);
        self.shared.gate.before("endpoints.put", &what).await?;
        let done = self.inner.put(spec).await;
        if done.is_ok() {
            self.shared.see(Seen::Put(spec.clone()));
        }
        self.shared.gate.after("endpoints.put", &what).await?;
        done
    }

    async fn status(&self, name: &str) -> Result<Option<EndpointStatus>> {
        self.shared.gate.before("endpoints.status", name).await?;
        self.inner.status(name).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.shared.gate.before("endpoints.delete", name).await?;
        self.inner.delete(name).await?;
        self.shared.gate.after("endpoints.delete", name).await
    }

    async fn invoke(&self, name: &str, content_type: &str, body: Bytes) -> Result<Reply> {
        self.shared.gate.before("endpoints.invoke", name).await?;
        self.inner.invoke(name, content_type, body).await
    }
}

/// Notices.
#[derive(Debug)]
pub(crate) struct GatedNotices {
    pub(crate) inner: Arc<MemoryNotices>,
    pub(crate) shared: Shared,
}

#[async_trait]
impl Notices for GatedNotices {
    async fn send(&self, channel: &Channel, notice: &Notice) -> Result<()> {
        let what = format!("{} {}", notice.kind, notice.sequence);
        self.shared.gate.before("notices.send", &what).await?;
        self.inner.send(channel, notice).await?;
        self.shared.see(Seen::Sent(channel.clone(), notice.clone()));
        self.shared.gate.after("notices.send", &what).await
    }
}

/// The bus: it only notes what it takes; the deployment carries it on.
#[derive(Debug)]
pub(crate) struct GatedBus {
    pub(crate) shared: Shared,
}

#[async_trait]
impl Bus for GatedBus {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<Outcome>> {
        let range = match events {
            [] => "nothing".to_owned(),
            [first, .., last] => format!("{}–{}", first.sequence, last.sequence),
            [only] => only.sequence.to_string(),
        };
        let refused = self.shared.gate.each("bus.publish", &range, events.len()).await?;
        let mut outcomes = Vec::with_capacity(events.len());
        for (place, event) in events.iter().enumerate() {
            if place < 32 && refused & (1 << place) != 0 {
                let what = format!("publish {}: not taken", event.id);
                outcomes.push(Err(Error::new(ErrorKind::Throttled, what)));
            } else {
                self.shared.see(Seen::Published(Box::new(event.clone())));
                outcomes.push(Ok(()));
            }
        }
        self.shared.gate.after("bus.publish", &range).await?;
        Ok(outcomes)
    }
}
