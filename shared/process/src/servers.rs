//! Endpoints on one machine: servers as child processes that live and die with their owner.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::BlobPath;
use ports::jobs::check_name;
use ports::{Blobs, EndpointSpec, EndpointStatus, Endpoints, Error, ErrorKind, Reply, Result};
use tracing::error;

use crate::bound::{INVOCATION_TIMEOUT, PING_DEADLINE, PING_EVERY, SILENCE_MAX};
use crate::http::{Caller, Request};
use crate::invocation::{Answer, Invocation, VARIANT, capture_line, capture_path, mint};
use crate::jobs::{OnChange, own, words};
use crate::keeper::Endpoint;
use crate::server::Server;
use crate::stage::disk;
use crate::standing::{Captured, Change, Fate, Kept, Put};
use crate::{Clock, record};

/// Appends a line to a capture.
pub type Capturing = Arc<dyn Fn(&BlobPath, &[u8]) -> Result<()> + Send + Sync>;

/// What letting models answer needs.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where it is written what serves; nobody else writes there.
    pub directory: PathBuf,
    /// Where models come from.
    pub blobs: Arc<dyn Blobs>,
    /// The command that calls [`crate::supervise`] with the path appended to its words.
    pub supervise: Vec<OsString>,
    /// The command of Boost, to which `serve` is appended.
    pub boost: Vec<OsString>,
    /// Is told when an endpoint comes into service or fails.
    pub on_change: OnChange,
    /// Tells the time that events and captures carry.
    pub clock: Clock,
    /// Takes what is captured.
    pub capture: Capturing,
    /// Longest start of a server before its configuration counts as failed.
    pub ping_deadline: Duration,
    /// How often a server that serves is asked whether it is there.
    pub ping_every: Duration,
    /// How long a server may answer nothing, neither a ping nor a request, before it is ended and
    /// started again.
    pub silence_max: Duration,
}

impl ServerOptions {
    /// A minute for a server to start, a minute and a half of silence before it counts as hung,
    /// and nobody to tell.
    pub fn new(
        directory: impl Into<PathBuf>,
        blobs: Arc<dyn Blobs>,
        supervise: Vec<OsString>,
        boost: Vec<OsString>,
        clock: Clock,
        capture: Capturing,
    ) -> ServerOptions {
        ServerOptions {
            directory: directory.into(),
            blobs,
            supervise,
            boost,
            on_change: Arc::new(|_| {}),
            clock,
            capture,
            ping_deadline: PING_DEADLINE,
            ping_every: PING_EVERY,
            silence_max: SILENCE_MAX,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Models that answer, each in a child process. Dropping it ends them; the next
/// [`Servers::open`] of the same directory brings them up again.
#[derive(Debug)]
pub struct Servers {
    shared: Arc<Shared>,
}

/// What endpoints share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: ServerOptions,
    pub(crate) supervise: Vec<String>,
    pub(crate) boost: Vec<String>,
    pub(crate) caller: Caller,
    endpoints: Mutex<BTreeMap<String, Arc<Endpoint>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closing: AtomicBool,
    started: AtomicU64,
    _owner: File,
}

const ENDING: &str = ".json";

impl Servers {
    /// Opens a directory of endpoints, which is created where there is none, and begins to bring
    /// up all that served. Answers at once.
    ///
    /// # Errors
    /// `Conflict` where another process has the directory open; `Invalid` where a word of a
    /// command is not UTF-8; `Unavailable` where the directory cannot be read or written.
    pub fn open(mut options: ServerOptions) -> Result<Servers> {
        let (directory, owner) = own(&options.directory, "endpoints")?;
        options.directory = directory;
        let shared = Arc::new(Shared {
            supervise: words(&options.supervise)?,
            boost: words(&options.boost)?,
            caller: Caller::new(INVOCATION_TIMEOUT),
            endpoints: Mutex::default(),
            threads: Mutex::default(),
            closing: AtomicBool::new(false),
            started: AtomicU64::new(0),
            options,
            _owner: owner,
        });
        // Servers do not outlive their owner, so nothing of theirs is in use.
        record::remove(&shared.work()).map_err(disk)?;
        shared.adopt().map_err(disk)?;
        Ok(Servers { shared })
    }

    /// Asks a model as SageMaker's `InvokeEndpoint` does: minted id, forwarded headers, capture
    /// where the configuration asks for it. An answer with a status of failure is an answer.
    /// That a capture could not be written is logged and keeps no answer back.
    ///
    /// # Errors
    /// `NotFound` where there is no endpoint, `Unavailable` where none answers (yet),
    /// `TooLarge` over [`domain::limit::INVOCATION_BYTES_MAX`], `Invalid` where an id or attribute
    /// cannot be sent.
    pub fn answer(&self, request: Invocation) -> Result<Answer> {
        request.check()?;
        let (server, put) = self.shared.serving(&request.name)?;
        let id = match &request.inference_id {
            Some(id) => id.clone(),
            None => mint()?,
        };
        let asked = Request {
            content_type: &request.content_type,
            accept: request.accept.as_deref(),
            inference_id: Some(&id),
            custom_attributes: request.custom_attributes.as_deref(),
            body: &request.body,
        };
        let reply = self.shared.invoke(&request.name, &server, &asked)?;
        if put.capture == Captured::All && (200..300).contains(&reply.status) {
            if let Err(error) = self.shared.capture(&request, &put, &reply, &id) {
                error!(endpoint = %request.name, %error, "a request could not be captured");
            }
        }
        let Reply { status, content_type, body } = reply;
        Ok(Answer { status, content_type, body, inference_id: id, variant: VARIANT })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Endpoint>>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> PathBuf {
        self.options.directory.join("work")
    }

    /// A directory of a new server.
    pub(crate) fn fresh_directory(&self) -> PathBuf {
        self.work().join(self.started.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Where it is written how an endpoint stands.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.options.directory.join(format!("{name}{ENDING}"))
    }

    /// Where it is kept what an endpoint's servers print.
    pub(crate) fn logs(&self, name: &str) -> PathBuf {
        self.options.directory.join("logs").join(name)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Runs something until it ends or the owner closes.
    pub(crate) fn spawn(&self, run: impl FnOnce() + Send + 'static) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(std::thread::spawn(run));
    }

    fn adopt(self: &Arc<Self>) -> std::result::Result<(), String> {
        let root = &self.options.directory;
        let mut endpoints = self.lock();
        for entry in fs::read_dir(root).map_err(record::at("read", root))? {
            let path = entry.map_err(record::at("read", root))?.path();
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(name) = file.strip_suffix(ENDING).filter(|name| check_name(name).is_ok()) else {
                continue;
            };
            let kept = record::need(&path)?;
            let endpoint = self.begin(name, kept);
            endpoints.insert(name.to_owned(), endpoint);
        }
        Ok(())
    }

    fn begin(self: &Arc<Self>, name: &str, kept: Kept) -> Arc<Endpoint> {
        let endpoint = Endpoint::new(name, kept);
        let (kept, shared) = (endpoint.clone(), self.clone());
        self.spawn(move || kept.keep(&shared));
        endpoint
    }

    fn put(self: &Arc<Self>, name: &str, put: Put) -> Result<()> {
        let mut endpoints = self.lock();
        let Some(endpoint) = endpoints.get(name) else {
            let kept = Kept { wanted: put, serving: None, failed: None };
            record::write(&self.file(name), &kept).map_err(disk)?;
            let endpoint = self.begin(name, kept);
            endpoints.insert(name.to_owned(), endpoint);
            return Ok(());
        };
        let endpoint = endpoint.clone();
        let mut standing = endpoint.standing();
        let change = standing.put(put);
        record::write(&self.file(name), &standing.kept()).map_err(disk)?;
        drop(standing);
        drop(endpoints);
        endpoint.wake();
        if change != Change::None {
            // Whoever is told may be slow, or ask for something: not on the caller's thread.
            let shared = self.clone();
            self.spawn(move || endpoint.tell(&shared, change));
        }
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<()> {
        let mut endpoints = self.lock();
        if let Some(endpoint) = endpoints.remove(name) {
            endpoint.leave(Fate::Deleted);
            record::remove(&self.file(name)).map_err(disk)?;
            record::sync_directory(&self.options.directory).map_err(disk)?;
            self.forget_logs(name).map_err(disk)?;
        }
        Ok(())
    }

    /// Removes what an endpoint's servers printed. One of them may be printing still, and would
    /// fill the directory while it is emptied, so it is taken out of their reach first.
    fn forget_logs(&self, name: &str) -> std::result::Result<(), String> {
        let (logs, aside) = (self.logs(name), self.fresh_directory());
        let work = self.work();
        fs::create_dir_all(&work).map_err(record::at("create", &work))?;
        match fs::rename(&logs, &aside) {
            // What is left of it is cleared by the next opening.
            Ok(()) => drop(record::remove(&aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(record::at("remove", &logs)(error)),
        }
        Ok(())
    }

    fn serving(&self, name: &str) -> Result<(Arc<Server>, Put)> {
        let endpoint = self.lock().get(name).cloned();
        let missing = || Error::new(ErrorKind::NotFound, format!("invoke {name}: no such endpoint"));
        let endpoint = endpoint.ok_or_else(missing)?;
        let standing = endpoint.standing();
        match (&standing.server, &standing.serving) {
            (Some(server), Some(put)) => Ok((server.clone(), put.clone())),
            _ => {
                let what = format!("invoke {name}: nothing answers yet");
                Err(Error::new(ErrorKind::Unavailable, what))
            }
        }
    }

    fn invoke(&self, name: &str, server: &Server, request: &Request<'_>) -> Result<Reply> {
        let reply = self.caller.invoke(server.port, request);
        if reply.is_ok() {
            server.heard();
        }
        reply.map_err(|error| Error::new(error.kind(), format!("endpoint {name}")).because(error))
    }

    fn capture(&self, request: &Invocation, put: &Put, reply: &Reply, id: &str) -> Result<()> {
        let now = (self.options.clock)();
        let path = capture_path(&request.name, &put.config, now)?;
        (self.options.capture)(&path, &capture_line(request, reply, id, &mint()?, now))
    }
}

#[async_trait]
impl Endpoints for Servers {
    async fn put(&self, spec: &EndpointSpec) -> Result<()> {
        let put = Put::of(spec)?;
        self.shared.put(&spec.name, put)
    }

    async fn status(&self, name: &str) -> Result<Option<EndpointStatus>> {
        let endpoint = self.shared.lock().get(name).cloned();
        Ok(endpoint.map(|endpoint| endpoint.standing().status()))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.shared.delete(name)
    }

    async fn invoke(&self, name: &str, content_type: &str, body: Bytes) -> Result<Reply> {
        let (server, _) = self.shared.serving(name)?;
        let request =
            Request { content_type, accept: None, inference_id: None, custom_attributes: None, body: &body };
        self.shared.invoke(name, &server, &request)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        for endpoint in self.shared.lock().values() {
            endpoint.leave(Fate::Closing);
        }
        let threads = {
            let mut threads = self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *threads)
        };
        for thread in threads {
            // Whoever is told of a change may be the one who closes.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
