//! Runtime: executes the template on one machine: queue, schedules, dead letters, HTTP.
//!
//! What EventBridge, Lambda and API Gateway do on AWS by reading `infra/template.yaml`, this does
//! by reading the same file. Functions are given to it; it knows none of them.

mod access;
mod bus;
mod connection;
mod machine;
mod queue;
mod schedule;
mod server;
mod stream;
mod work;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use axum::body::Body;
use axum::http::HeaderValue;
use bytes::BytesMut;
use domain::digest::Hasher;
use domain::{Actor, BlobPath, Digest, Envelope, Time};
use futures::StreamExt as _;
use local::{Clock, Directory, SqliteRecords};
use ports::blobs::PutExpect;
use ports::http::Answer;
use ports::{Blobs, BlobsExt as _, Error, ErrorKind, Handler, Result};
use process::Servers;
use serde_json::json;
use wiring::Wiring;

pub use access::{Access, Speaking};
pub use bus::Buses;
pub use queue::{DeadLetter, Delivery, Depth, Queue};

use crate::schedule::Schedules;
use crate::work::Workers;

/// The account that events of one machine name.
pub const ACCOUNT: &str = "000000000000";

/// The region that events of one machine name.
pub const REGION: &str = "local";

/// An upload's bytes are written in pieces of about this many: a few hundred uploads at once fit
/// into memory.
const UPLOAD_PIECE_BYTES: usize = 256 * 1024;

/// How often the schedules are looked at.
const SCHEDULE_LOOK_MS: u64 = 1_000;

/// Everything a machine is made of.
pub struct Parts {
    /// Who gets what.
    pub buses: Arc<Buses>,
    /// The functions.
    pub handlers: Vec<Arc<dyn Handler>>,
    /// What answers people.
    pub console: Arc<dyn Answer>,
    /// The table.
    pub records: Arc<SqliteRecords>,
    /// The bucket that uploads land in.
    pub incoming: Arc<Directory>,
    /// Its name, as the template's rules know it.
    pub incoming_bucket: String,
    /// Models that answer.
    pub servers: Arc<Servers>,
    /// The clock that events are recorded by.
    pub clock: Arc<Clock>,
    /// Who may ask.
    pub access: Access,
    /// Is told of every event as it is committed.
    pub seen: Arc<dyn Fn(&Envelope) + Send + Sync>,
}

/// A running machine.
pub struct Runtime {
    pub(crate) buses: Arc<Buses>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) console: Arc<dyn Answer>,
    pub(crate) servers: Arc<Servers>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) access: Access,
    records: Arc<SqliteRecords>,
    incoming: Arc<Directory>,
    incoming_bucket: String,
    schedules: Schedules,
    port: AtomicU16,
    requests: AtomicU64,
    started: String,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("workers", &self.workers).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts handling: what the queue still holds, every schedule once, and whatever comes.
    ///
    /// # Errors
    /// A function of the template that was not given, or the queue cannot be written.
    pub fn start(parts: Parts) -> Result<Arc<Runtime>> {
        let Parts {
            buses,
            handlers,
            console,
            records,
            incoming,
            incoming_bucket,
            servers,
            clock,
            access,
            seen,
        } = parts;
        let workers = Arc::new(Workers::new(Arc::clone(&buses), handlers, Arc::clone(&clock)));
        for function in &buses.wiring.functions {
            let is_event_driven = !function.rules.is_empty() || !function.schedules.is_empty();
            if is_event_driven && workers.handler(&function.name).is_none() {
                let what =
                    format!("start: the template names a function {:?} that is not there", function.name);
                return Err(Error::new(ErrorKind::Invalid, what));
            }
        }
        let stream = stream::Stream::of(&records, seen);
        let started = format!("{:x}", machine::now_ms());
        let runtime = Arc::new(Runtime {
            buses,
            workers,
            console,
            servers,
            clock,
            access,
            records,
            incoming,
            incoming_bucket,
            schedules: Schedules::default(),
            port: AtomicU16::new(0),
            requests: AtomicU64::new(0),
            started,
        });
        runtime.look_at_schedules()?;
        let (workers, wiring) = (Arc::clone(&runtime.workers), Arc::clone(&runtime.buses.wiring));
        thread("stream", move || stream.run(&workers, &wiring))?;
        let workers = Arc::clone(&runtime.workers);
        thread("workers", move || workers.run())?;
        let scheduled = Arc::clone(&runtime);
        thread("schedules", move || scheduled.keep_schedules())?;
        Ok(runtime)
    }

    /// Answers HTTP on a bound loopback listener until `stopped`, then begins nothing more and
    /// waits for what is at hand.
    ///
    /// # Errors
    /// What the listener fails with.
    pub async fn serve(
        self: &Arc<Runtime>,
        listener: tokio::net::TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let address: SocketAddr = listener.local_addr()?;
        self.port.store(address.port(), Ordering::SeqCst);
        let bounds = connection::Bounds::default();
        connection::serve(listener, server::router(Arc::clone(self), bounds), bounds, stopped).await;
        self.workers.stop();
        Ok(())
    }

    /// How many deliveries are being handled.
    pub fn working(&self) -> usize {
        self.workers.working()
    }

    pub(crate) fn wiring(&self) -> &Wiring {
        &self.buses.wiring
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.load(Ordering::SeqCst)
    }

    pub(crate) fn look_at_schedules(&self) -> Result<()> {
        self.schedules.look(&self.buses, self.clock.now())
    }

    fn keep_schedules(&self) {
        let pause = bus::Bell::default();
        let mut day = None;
        while !self.workers.is_stopping() {
            if let Err(error) = self.look_at_schedules() {
                tracing::error!(error = %error, "the schedules could not be kept: {error}");
            }
            let today = Some(self.clock.now().millis().div_euclid(Time::DAY));
            if today != day {
                day = today;
                if let Err(error) = self.records.forget_handled(self.clock.now()) {
                    tracing::warn!(error = %error, "old handled marks were kept: {error}");
                }
            }
            pause.wait(SCHEDULE_LOOK_MS);
        }
    }

    pub(crate) fn request_id(&self, actor: &Actor, given: Option<&HeaderValue>) -> String {
        let count = self.requests.fetch_add(1, Ordering::SeqCst);
        let minted = Digest::of_parts(&["request", &self.started, &count.to_string()]).hex();
        server::request_id(actor, given, minted)
    }

    /// Takes an upload's bytes. A repeat with the same bytes is harmless; with others it is a
    /// conflict, since what was uploaded never changes.
    pub(crate) async fn receive(&self, path: &str, actor: &Actor, body: Body) -> Result<u64> {
        let path = BlobPath::parse(path)
            .map_err(|reason| Error::new(ErrorKind::Invalid, format!("upload: {reason}")))?;
        let mut writer = self.incoming.writer(&path, PutExpect::Absent).await?;
        let mut hasher = Hasher::default();
        let mut bytes = 0;
        let mut chunks = body.into_data_stream();
        let mut gathered = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| {
                Error::new(ErrorKind::Unavailable, format!("upload {path}: the connection broke off"))
                    .because(error)
            })?;
            hasher.update(&chunk);
            bytes += chunk.len() as u64;
            gathered.extend_from_slice(&chunk);
            // A file that drips in takes a thread once a piece, not once a drop.
            if gathered.len() >= UPLOAD_PIECE_BYTES {
                let piece = gathered.split();
                tokio::task::block_in_place(|| futures::executor::block_on(writer.write(&piece)))?;
            }
        }
        let content = hasher.finish();
        let finished = tokio::task::block_in_place(|| {
            futures::executor::block_on(async {
                writer.write(&gathered).await?;
                writer.finish().await
            })
        });
        match finished {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let standing =
                    tokio::task::block_in_place(|| futures::executor::block_on(self.incoming.digest(&path)))?;
                if standing.1 != content {
                    let what = format!(
                        "upload {path}: other bytes stand there, and what was uploaded never changes"
                    );
                    return Err(Error::new(ErrorKind::Conflict, what));
                }
            }
            Err(error) => return Err(error),
        }
        self.announce(&path, bytes, content, actor)?;
        Ok(bytes)
    }

    /// Says that an object was created, as S3 says it.
    fn announce(&self, path: &BlobPath, bytes: u64, content: Digest, actor: &Actor) -> Result<()> {
        self.buses.publish_default(&json!({
            "version": "0",
            "id": Digest::of_parts(&["created", path.as_str(), &content.hex()]).short(),
            "source": "aws.s3",
            "detail-type": "Object Created",
            "account": ACCOUNT,
            "region": REGION,
            "time": self.clock.now(),
            "resources": [format!("arn:aws:s3:::{}", self.incoming_bucket)],
            "detail": {
                "version": "0",
                "bucket": { "name": self.incoming_bucket },
                // As of a bucket without versions: a path is written once, so its content tells all.
                "object": { "key": path, "size": bytes, "etag": content.short() },
                "requester": actor.to_string(),
                "reason": "PutObject",
            },
        }))
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(|_| ()).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("start the thread {name}")).because(error)
    })
}
