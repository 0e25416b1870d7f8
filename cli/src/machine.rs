//! One machine, composed: every adapter, every function, and the runtime that executes the
//! template over a data directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::{BlobPath, Envelope, Time};
use local::{Clock, Directory, Outlet};
use ports::{Blobs, Bus, Endpoints, Handler, Jobs, Notices, Records};
use process::{ProcessOptions, Processes, ServerOptions, Servers};
use runtime::{Access, Buses, Parts, Runtime, Speaking};
use wiring::Wiring;

use crate::client::pause;
use crate::output::{self, Error};
use crate::recovery::{self, Held};

/// The wiring that deploys, carried within the command so that it can be executed anywhere.
const TEMPLATE: &str = include_str!("../../infra/template.yaml");

/// The template's name in messages.
const TEMPLATE_FILE: &str = "infra/template.yaml";

/// How a machine is to run.
pub(crate) struct Options<'a> {
    /// Where everything is kept.
    pub(crate) data: &'a Path,
    /// The moment at which a virtual clock begins; the machine's clock where none is named.
    pub(crate) clock: Option<Time>,
    /// Whether a person may speak for another.
    pub(crate) speaking: Speaking,
    /// Is told of every event as it is committed.
    pub(crate) seen: Arc<dyn Fn(&Envelope) + Send + Sync>,
}

/// A machine that runs. Dropping it lets another one serve the directory.
pub(crate) struct Machine {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) token: String,
    pub(crate) speaking: Speaking,
    pub(crate) clock: Clock,
    pub(crate) wiring: Arc<Wiring>,
    _lock: File,
}

/// Starts a machine over a data directory, which is made where it is missing.
///
/// Errors: another machine serves the directory; the directory's clock or kind is another than
/// what is asked for; something in it cannot be read or written.
pub(crate) fn start(options: Options<'_>) -> Result<Machine, Error> {
    let data = options.data;
    let failed = |what: &str| {
        let place = data.display().to_string();
        let what = what.to_owned();
        move |error: std::io::Error| -> Error { format!("{what} {place}: {error}").into() }
    };
    // Rows of people's data lie in it: a directory that is made here is its owner's alone.
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed("make"))?;
    let data = &data.canonicalize().map_err(failed("find"))?;
    let lock = locked(data)?;
    let is_new = !data.join("ledger.db").exists();
    let speaking = speaking(data, options.speaking, is_new)?;
    let clock = clock(data, options.clock, is_new)?;
    let token = token(data)?;
    let wiring = Arc::new(wiring()?);

    let records = Arc::new(recovery::ledger(data)?);
    recovery::keep_order(&records, &clock)?;
    let blobs = Arc::new(Directory::open(&data.join("blobs"))?);
    let incoming = Arc::new(Directory::open(&data.join("incoming"))?);
    let (queue, held) = recovery::queue(data, is_new)?;
    let buses = Arc::new(Buses::new(Arc::new(queue), Arc::clone(&wiring)));
    let notices = Arc::new(Outlet::new(&data.join("notices.jsonl"), Clock::real(), environment));
    let itself = std::env::current_exe().map_err(failed("find the program that serves"))?;
    let words = |word: &str| -> Vec<OsString> { vec![itself.clone().into(), word.into()] };
    let changed: Arc<dyn Fn(serde_json::Value) + Send + Sync> = {
        let buses = Arc::clone(&buses);
        Arc::new(move |event| {
            if let Err(error) = buses.publish_default(&event) {
                // The functions' ticks find what no event told.
                tracing::error!(error = %error, "an event of a job or endpoint was lost: {error}");
            }
        })
    };
    let now: Arc<dyn Fn() -> Time + Send + Sync> = {
        let clock = clock.clone();
        Arc::new(move || clock.now())
    };
    let capture: Arc<dyn Fn(&BlobPath, &[u8]) -> ports::Result<()> + Send + Sync> = {
        let blobs = Arc::clone(&blobs);
        // A captured line comes with its line break, and is appended with one.
        Arc::new(move |path, line| blobs.append(path, line.strip_suffix(b"\n").unwrap_or(line)))
    };
    let bucket = || Arc::clone(&blobs) as Arc<dyn Blobs>;
    let (supervise, boost) = (words("supervise"), words("boost"));
    let jobs = Arc::new(Processes::open(ProcessOptions {
        on_change: Arc::clone(&changed),
        ..ProcessOptions::new(data.join("jobs"), bucket(), supervise.clone(), boost.clone(), Arc::clone(&now))
    })?);
    let servers = Arc::new(Servers::open(ServerOptions {
        on_change: changed,
        ..ServerOptions::new(data.join("endpoints"), bucket(), supervise, boost, now, capture)
    })?);
    let world = World {
        records: Arc::clone(&records) as Arc<dyn Records>,
        blobs: Arc::clone(&blobs) as Arc<dyn Blobs>,
        incoming: Arc::clone(&incoming) as Arc<dyn Blobs>,
        jobs,
        endpoints: Arc::clone(&servers) as Arc<dyn Endpoints>,
        notices,
        bus: Arc::clone(&buses) as Arc<dyn Bus>,
    };
    let incoming_bucket = wiring.buckets.get("IncomingBucket").cloned().unwrap_or_default();
    let again = match held {
        Held::All => 0,
        Held::Nothing => recovery::say_again(&records, &clock)?,
    };
    let runtime = Runtime::start(Parts {
        buses,
        handlers: world.handlers(),
        console: Arc::new(world.console()),
        records,
        incoming,
        incoming_bucket,
        servers,
        clock: Arc::new(clock.clone()),
        access: Access { token: token.clone(), user: user(), speaking },
        seen: options.seen,
    })?;
    if held == Held::Nothing {
        let objects = runtime.announce_all()?;
        recovery::said_again(data)?;
        tracing::warn!(
            "the queue is new: {again} events and {objects} uploads are said again; who knows them passes them over"
        );
    }
    Ok(Machine { runtime, token, speaking, clock, wiring, _lock: lock })
}

/// The ports that functions are given.
struct World {
    records: Arc<dyn Records>,
    blobs: Arc<dyn Blobs>,
    incoming: Arc<dyn Blobs>,
    jobs: Arc<dyn Jobs>,
    endpoints: Arc<dyn Endpoints>,
    notices: Arc<dyn Notices>,
    bus: Arc<dyn Bus>,
}

impl World {
    /// Every function that events reach, each with the ports it uses and no other.
    fn handlers(&self) -> Vec<Arc<dyn Handler>> {
        let records = || Arc::clone(&self.records);
        let blobs = || Arc::clone(&self.blobs);
        let jobs = || Arc::clone(&self.jobs);
        vec![
            Arc::new(ingest::Ingest {
                records: records(),
                blobs: blobs(),
                incoming: Arc::clone(&self.incoming),
            }),
            Arc::new(train::Train { records: records(), blobs: blobs(), jobs: jobs() }),
            Arc::new(register::Register { records: records(), blobs: blobs(), jobs: jobs() }),
            Arc::new(deploy::Deploy {
                records: records(),
                blobs: blobs(),
                endpoints: Arc::clone(&self.endpoints),
            }),
            Arc::new(drift::Drift { records: records(), blobs: blobs() }),
            Arc::new(notify::Notify { records: records(), notices: Arc::clone(&self.notices) }),
            Arc::new(relay::Relay { records: records(), bus: Arc::clone(&self.bus) }),
        ]
    }

    fn console(&self) -> console::Console {
        console::Console { records: Arc::clone(&self.records), blobs: Arc::clone(&self.blobs) }
    }
}

fn wiring() -> Result<Wiring, Error> {
    let read = Wiring::read(TEMPLATE_FILE, TEMPLATE, &BTreeMap::new(), runtime::ACCOUNT, runtime::REGION);
    read.map_err(|problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n       ").into()
    })
}

/// What a person can do about a directory that a machine cannot write.
fn unwritable(data: &Path, error: &std::io::Error) -> String {
    let place = data.display();
    format!("{place} cannot be written by {}: {error}; give it to them, or name another with --data", user())
}

/// How often the lock of a directory is asked for, and the pause between.
const LOCK_LOOKS: (usize, Duration) = (100, Duration::from_millis(20));

/// Takes the directory for this process; the lock goes with it, however it ends. A server that was
/// killed while it began a program leaves the lock with that for some milliseconds, until it is
/// the other program: so a lock that is held is asked for again before it is believed.
fn locked(data: &Path) -> Result<File, Error> {
    let path = data.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| unwritable(data, &error))?;
    let (looks, between) = LOCK_LOOKS;
    for _ in 0..looks {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => pause(between),
            Err(fs::TryLockError::Error(error)) => {
                return output::error(format!("lock {}: {error}", path.display()));
            }
        }
    }
    output::error(format!("another `millrace up` serves {} already", data.display()))
}

/// Whether a person may speak for another is settled when a directory is made, so that nobody
/// turns a team's ledger into a demonstration later.
fn speaking(data: &Path, asked: Speaking, is_new: bool) -> Result<Speaking, Error> {
    let mark = data.join("demo");
    if is_new && asked == Speaking::ForAnyone {
        fs::write(&mark, "whoever has the token may speak for anyone\n")
            .map_err(|error| format!("write {}: {error}", mark.display()))?;
    }
    match (asked, mark.exists()) {
        (_, true) => Ok(Speaking::ForAnyone),
        (Speaking::ForOneself, false) => Ok(Speaking::ForOneself),
        (Speaking::ForAnyone, false) => {
            let why = "was made without --demo, so that its people can only speak for themselves";
            output::error(format!("{} {why}; use a new directory", data.display()))
        }
    }
}

/// Whose time is told is settled when a directory is made as well.
fn clock(data: &Path, asked: Option<Time>, is_new: bool) -> Result<Clock, Error> {
    match asked {
        Some(time) if is_new => Ok(Clock::virtual_from(data, time)?),
        asked => {
            let clock = Clock::open(data)?;
            if asked.is_some() && clock.kind().is_real() {
                let why = "keeps the machine's time, and its ledger with it";
                return output::error(format!("{} {why}; use a new directory", data.display()));
            }
            Ok(clock)
        }
    }
}

/// The secret by which this machine's people are known: made once, readable by its owner alone.
fn token(data: &Path) -> Result<String, Error> {
    let path = data.join("token");
    let failed = |error: std::io::Error| -> Error { format!("token {}: {error}", path.display()).into() };
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= 32 => return Ok(text.trim().to_owned()),
        Ok(_) => return output::error(format!("token {}: too short; remove the file", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut random = [0_u8; 32];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random)).map_err(failed)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let beside = data.join("token.next");
    let _ = fs::remove_file(&beside);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(failed)?;
    file.write_all(token.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, &path).map_err(failed)?;
    Ok(token)
}

#[expect(clippy::disallowed_methods, reason = "secrets that a declaration names stand in the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The operating system's user, as events name who asked.
///
/// The system is asked, not the environment, which anybody may set, and which services lack.
fn user() -> String {
    let asked = std::process::Command::new("id").arg("-un").stdin(std::process::Stdio::null()).output();
    let told = asked.ok().filter(|answer| answer.status.success());
    let name = told.map(|answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".into())
}
