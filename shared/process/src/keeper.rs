//! Who looks after an endpoint? One thread, from put to delete.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tracing::{error, info, warn};

use crate::bound::LOOK;
use crate::record;
use crate::server::{BringUp, Server};
use crate::servers::Shared;
use crate::standing::{Change, Fate, Kept, Next, Put, Standing};

/// An endpoint and how it stands.
#[derive(Debug)]
pub(crate) struct Endpoint {
    name: String,
    standing: Mutex<Standing>,
    changed: Condvar,
}

impl Endpoint {
    pub(crate) fn new(name: &str, kept: Kept) -> Arc<Endpoint> {
        let standing = Mutex::new(Standing::new(kept));
        Arc::new(Endpoint { name: name.to_owned(), standing, changed: Condvar::new() })
    }

    pub(crate) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the keeper look at once.
    pub(crate) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Ends the keeper's work.
    pub(crate) fn leave(&self, fate: Fate) {
        self.standing().fate = fate;
        self.wake();
    }

    /// The keeper's thread.
    pub(crate) fn keep(self: &Arc<Self>, shared: &Arc<Shared>) {
        loop {
            self.listen(shared);
            let next = {
                let mut standing = self.standing();
                let log = self.log(shared, standing.serving.as_ref());
                let (next, change) = standing.next(&log);
                self.record(shared, &standing, change);
                drop(standing);
                self.tell(shared, change);
                next
            };
            match next {
                Next::Leave => break,
                Next::Wait => self.pause(LOOK),
                Next::Restore(put) => self.restore(shared, &put),
                Next::BringUp(put) => self.bring_up(shared, &put),
            }
        }
        // The last one who answers a request ends the server.
        let server = self.standing().server.take();
        drop(server);
    }

    /// Notices a server that hangs.
    fn listen(&self, shared: &Shared) {
        // Asking may take seconds, in which nobody must be kept from the standing.
        let server = self.standing().server.clone();
        if let Some(server) = server {
            server.listen(&shared.caller, shared.options.ping_every, shared.options.silence_max);
        }
    }

    fn restore(&self, shared: &Arc<Shared>, put: &Put) {
        let restarts = self.standing().restarts;
        if restarts > 0 {
            warn!(endpoint = %self.name, config = %put.config, restarts, "starting a server again");
            // A tenth of a second, then twice as long each time.
            self.pause(Duration::from_millis(50 << restarts.min(8)));
        }
        let wanted = || self.standing().fate == Fate::Kept;
        let server = self.start(shared, put, &wanted);
        let mut standing = self.standing();
        if standing.fate != Fate::Kept {
            return;
        }
        let change = standing.restored(server);
        self.record(shared, &standing, change);
        drop(standing);
        self.tell(shared, change);
    }

    fn bring_up(self: &Arc<Self>, shared: &Arc<Shared>, put: &Put) {
        let wanted = || {
            let standing = self.standing();
            standing.fate == Fate::Kept && standing.wanted.config == put.config
        };
        let server = self.start(shared, put, &wanted);
        let mut standing = self.standing();
        if standing.fate != Fate::Kept || standing.wanted.config != put.config {
            return;
        }
        if let Err(reason) = &server {
            warn!(endpoint = %self.name, config = %put.config, reason, "a configuration could not be brought up");
        }
        let (change, before) = standing.brought_up(server);
        self.record(shared, &standing, change);
        drop(standing);
        if let Some(before) = before {
            let retiring = shared.clone();
            shared.spawn(move || before.retire(&|| retiring.is_closing()));
        }
        self.tell(shared, change);
    }

    fn start(
        &self,
        shared: &Arc<Shared>,
        put: &Put,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Arc<Server>, String> {
        let bring_up = BringUp {
            blobs: &*shared.options.blobs,
            supervise: &shared.supervise,
            boost: &shared.boost,
            caller: &shared.caller,
            ping_deadline: shared.options.ping_deadline,
            directory: shared.fresh_directory(),
            log: self.log(shared, Some(put)),
            wanted,
        };
        bring_up.run(put).map(Arc::new)
    }

    fn log(&self, shared: &Shared, put: Option<&Put>) -> PathBuf {
        let config = put.map_or("none", |put| put.config.as_str());
        shared.logs(&self.name).join(format!("{config}.log"))
    }

    /// Writes down what outlives the owner; called under the lock, so that nothing is written
    /// after a deletion.
    fn record(&self, shared: &Shared, standing: &Standing, change: Change) {
        if change == Change::None || standing.fate != Fate::Kept {
            return;
        }
        if let Err(reason) = record::write(&shared.file(&self.name), &standing.kept()) {
            error!(endpoint = %self.name, reason, "how an endpoint stands could not be written");
        }
    }

    pub(crate) fn tell(&self, shared: &Shared, change: Change) {
        let status = match change {
            Change::None => return,
            Change::InService => "IN_SERVICE",
            Change::Failed => "FAILED",
        };
        info!(endpoint = %self.name, status, "an endpoint has changed");
        (shared.options.on_change)(event(&self.name, status, (shared.options.clock)()));
    }

    fn pause(&self, at_most: Duration) {
        let standing = self.standing();
        if standing.fate == Fate::Kept {
            let waited = self.changed.wait_timeout(standing, at_most);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// The change as EventBridge carries it.
fn event(name: &str, status: &str, at: domain::Time) -> Value {
    json!({
        "version": "0",
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Endpoint State Change",
        "time": at.to_string(),
        "detail": {
            "EndpointName": name,
            "EndpointStatus": status,
            "LastModifiedTime": at.millis().to_string(),
        },
    })
}
