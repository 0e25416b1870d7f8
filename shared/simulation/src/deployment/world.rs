//! What people and the world do to a deployment: they ask, upload, redrive; jobs end, endpoints
//! move, deliveries come twice or never.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::{Actor, BlobPath, Digest};
use ports::http::Request;
use ports::{Cx, Work};
use serde_json::Value;

use super::tasks::{Doing, Ended, Task};
use super::{Deployment, JobEnd, News};
use crate::delivery::{self, Delivery, Source};
use crate::memory::MemoryRecords;

impl Deployment {
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
        self.incoming.insert(path, bytes.to_vec());
        let event = self.created(path, bytes, who);
        self.announce(&event, news);
    }

    fn created(&self, path: &BlobPath, bytes: &[u8], who: &str) -> Value {
        let bucket = self.wiring.buckets.get("IncomingBucket").cloned().unwrap_or_default();
        let (size, version) = (bytes.len() as u64, Digest::of(bytes).short());
        delivery::object_created(&bucket, path.as_str(), size, &version, who, self.now)
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

    /// An endpoint's new configuration answers for a moment, and is taken back: the one before is in
    /// service again. Where there was none, it fails.
    pub fn roll_back(&mut self, name: &str, news: News) {
        if self.endpoints.serving(name).is_none() {
            return self.fail_endpoint(name, news);
        }
        self.tell(format!("endpoint {name} is rolled back ({news:?})"));
        self.endpoints.roll_back(name);
        self.announce(&delivery::endpoint_changed(name, "IN_SERVICE", self.now), news);
    }

    /// Everything that was to be delivered is lost, with what was given up, as where a machine's
    /// queue is damaged. Whoever starts it again lets the relay publish again (`rewind` moves its
    /// cursors), and announces every object again.
    pub fn lose_queue(&mut self, rewind: impl FnOnce(&MemoryRecords, Cx)) {
        self.tell(format!(
            "{} deliveries and {} dead letters are lost",
            self.deliveries.len(),
            self.dead.len()
        ));
        for task in self.tasks() {
            self.crash(task);
        }
        self.deliveries.clear();
        self.dead.clear();
        self.ticked.clear();
        rewind(&self.records, self.cx("relay"));
        for path in self.incoming.paths() {
            let bytes = self.incoming.read(&path).unwrap_or_default();
            let event = self.created(&path, &bytes, "unknown");
            self.announce(&event, News::Told);
        }
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

    pub(super) fn route(&mut self, bus: wiring::Bus, event: &Value) {
        let wiring = Arc::clone(&self.wiring);
        for (function, _) in wiring.listeners(bus, event) {
            self.push(&function.name, event.clone(), Source::Bus);
        }
    }

    pub(super) fn push(&mut self, function: &str, event: Value, source: Source) -> u64 {
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
}
