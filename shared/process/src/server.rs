//! How does one server of one model come up, and how does it go?

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ports::Blobs;

use crate::archive::unpack;
use crate::bound::{LOOK, SERVER_GRACE};
use crate::guarded::Guarded;
use crate::http::{Caller, free_port};
use crate::place::{Place, Verb};
use crate::stage::{fetch, lay_code};
use crate::standing::Put;
use crate::{clock, log, record};

/// A server that has answered a ping. Dropping it ends it and removes its directory.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    guarded: Guarded,
    directory: PathBuf,
    begun: Instant,
    hearing: Mutex<Hearing>,
}

/// What was last heard of a server.
#[derive(Clone, Copy, Debug)]
struct Hearing {
    /// When it last answered anything.
    answered: Instant,
    /// When it was last asked whether it is there.
    pinged: Instant,
    /// Whether it was ended because it answered nothing: for how long.
    hung: Option<Duration>,
}

/// What bringing up a server needs.
pub(crate) struct BringUp<'a> {
    pub(crate) blobs: &'a dyn Blobs,
    pub(crate) supervise: &'a [String],
    pub(crate) boost: &'a [String],
    pub(crate) caller: &'a Caller,
    pub(crate) ping_deadline: Duration,
    /// Is its own: it is created and removed.
    pub(crate) directory: PathBuf,
    pub(crate) log: PathBuf,
    /// Whether it is still wanted.
    pub(crate) wanted: &'a dyn Fn() -> bool,
}

impl BringUp<'_> {
    /// Fetches the model, starts the program and waits for its first answer to a ping.
    pub(crate) fn run(self, put: &Put) -> Result<Server, String> {
        let server = self.start(put);
        if server.is_err() {
            // Not worth hiding the reason for; the next opening clears what is left.
            let _ = record::remove(&self.directory);
        }
        let server = server?;
        let begun = clock::now();
        loop {
            if let Some(ended) = server.guarded.ended() {
                return Err(self.with_last_line(&ended.told()));
            }
            if !(self.wanted)() {
                return Err("no longer wanted".into());
            }
            // The second look tells the program's answer from that of another on its port.
            if self.caller.ping(server.port) && server.guarded.ended().is_none() {
                return Ok(server);
            }
            if begun.elapsed() >= self.ping_deadline {
                let seconds = self.ping_deadline.as_secs();
                return Err(self.with_last_line(&format!("no answer to /ping within {seconds} seconds")));
            }
            clock::pause(LOOK);
        }
    }

    fn start(&self, put: &Put) -> Result<Server, String> {
        let place = Place::within(&self.directory);
        record::remove(&self.directory)?;
        place.create()?;
        if let Some(logs) = self.log.parent() {
            std::fs::create_dir_all(logs).map_err(record::at("create", logs))?;
        }
        let go_on = || match (self.wanted)() {
            true => Ok(()),
            false => Err(ports::Error::new(ports::ErrorKind::Unavailable, "bring up: no longer wanted")),
        };
        let archive = self.directory.join("model.tar.gz");
        let fetched = fetch(self.blobs, &put.artifact, &archive, &go_on)
            .and_then(|()| lay_code(self.blobs, &put.program, &place, &go_on));
        fetched.map_err(|error| error.to_string())?;
        unpack(&archive, &place.model())?;
        record::remove(&archive)?;
        let port = free_port()?;
        let program = place.program(&put.program, self.boost, Verb::Serve, place.serve_environment(port));
        let guarded = Guarded::start(self.supervise, &self.directory.join("guard"), program, &self.log)?;
        let begun = clock::now();
        let hearing = Mutex::new(Hearing { answered: begun, pinged: begun, hung: None });
        Ok(Server { port, guarded, directory: self.directory.clone(), begun, hearing })
    }

    fn with_last_line(&self, reason: &str) -> String {
        match log::last_line(&self.log) {
            Some(line) => format!("{reason}: {line}"),
            None => reason.to_owned(),
        }
    }
}

impl Server {
    /// It has answered something.
    pub(crate) fn heard(&self) {
        self.hearing().answered = clock::now();
    }

    /// Asks whether it is there, where it is time to, and ends it where it has answered nothing
    /// for too long: a program that hangs without dying would keep its endpoint silent for ever.
    pub(crate) fn listen(&self, caller: &Caller, every: Duration, silence_max: Duration) {
        {
            let mut hearing = self.hearing();
            if hearing.pinged.elapsed() < every || hearing.hung.is_some() {
                return;
            }
            hearing.pinged = clock::now();
        }
        if caller.ping(self.port) {
            return self.heard();
        }
        let silence = self.hearing().answered.elapsed();
        if silence >= silence_max {
            self.hearing().hung = Some(silence);
            self.guarded.kill();
        }
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it ended, in a sentence; none while it lives.
    pub(crate) fn ended(&self, log: &Path) -> Option<String> {
        let told = self.guarded.ended()?.told();
        let told = match self.hearing().hung {
            Some(silence) => format!("answered nothing for {} seconds, and was ended", silence.as_secs()),
            None => told,
        };
        Some(match log::last_line(log) {
            Some(line) => format!("{told}: {line}"),
            None => told,
        })
    }

    /// How long it has lived.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Lets the requests end that it is answering, then asks it to end, and makes it after a
    /// while; at once where `in_a_hurry` says so.
    pub(crate) fn retire(self: Arc<Self>, in_a_hurry: &dyn Fn() -> bool) {
        let begun = clock::now();
        let most = crate::bound::INVOCATION_TIMEOUT + LOOK;
        while Arc::strong_count(&self) > 1 && begun.elapsed() < most && !in_a_hurry() {
            clock::pause(LOOK);
        }
        let begun = clock::now();
        self.guarded.terminate();
        while self.guarded.ended().is_none() && begun.elapsed() < SERVER_GRACE && !in_a_hurry() {
            clock::pause(LOOK);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.guarded.kill();
        // What is left is cleared by the next opening.
        let _ = record::remove(&self.directory);
    }
}
