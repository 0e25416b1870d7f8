//! A `millrace up` of a test's own: started, asked, killed, started again, and gone afterwards.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use crate::command::{self, Ran};
use crate::http::{Address, Caller};
use crate::remnants;

/// How long a look back waits for the server to say something first.
const MOMENT: Duration = Duration::from_millis(20);

/// How often something is looked for before it counts as never coming: a minute of silence.
const LOOKS_MAX: usize = 3_000;

/// A server over a directory. Dropping it ends the server and every program that it started.
pub(crate) struct Server {
    data: PathBuf,
    /// Where a virtual clock begins; the machine's clock where none is named.
    clock: Option<String>,
    /// What its environment holds beside the test's.
    pub(crate) environment: BTreeMap<&'static str, OsString>,
    /// The system's user that it runs as; the test's own where none is named.
    user: Option<u32>,
    running: Option<Running>,
    /// Holds the directory's place, where the server made it.
    _place: Option<tempfile::TempDir>,
}

struct Running {
    child: Child,
    says: Receiver<String>,
    address: Address,
}

impl Server {
    /// A server over a fresh directory of a demonstration, on a virtual clock.
    pub(crate) fn fresh(clock: &str) -> Server {
        let mut server = Server::unborn();
        server.clock = Some(clock.to_owned());
        server.start();
        server
    }

    /// A server over a directory that is yet to be made, on the machine's clock, not started yet.
    pub(crate) fn unborn() -> Server {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let environment = BTreeMap::new();
        Server { data, clock: None, environment, user: None, running: None, _place: Some(place) }
    }

    /// A server over a directory that a demonstration left.
    pub(crate) fn over(data: &Path, clock: &str) -> Server {
        let mut server = Server::unborn();
        (server.data, server.clock) = (data.to_owned(), Some(clock.to_owned()));
        server.start();
        server
    }

    /// From its next start on it runs as a user of the system.
    pub(crate) fn run_as(&mut self, user: u32) {
        self.user = Some(user);
    }

    /// Starts it, and answers when it listens.
    pub(crate) fn start(&mut self) {
        if let Err(complaints) = self.try_start() {
            panic!("the server ended before it listened: {complaints}");
        }
    }

    /// Starts it: an error with what it said where it ends before it listens.
    pub(crate) fn try_start(&mut self) -> Result<(), String> {
        assert!(self.running.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let before = log.metadata().unwrap().len() as usize;
        let mut command = Command::new(command::millrace());
        command.args(["up", "--port", "0", "--demo", "--data"]).arg(&self.data);
        if let Some(clock) = &self.clock {
            command.args(["--virtual-clock", clock]);
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.envs(&self.environment).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (said, says) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        // The file of an earlier start may still be there, so what is said counts.
        let address = says.iter().find_map(|line| Address::said(&line));
        let Some(address) = address else {
            child.wait().unwrap();
            let text = std::fs::read_to_string(self.log()).unwrap_or_default();
            return Err(text[before.min(text.len())..].to_owned());
        };
        let announced: Value =
            serde_json::from_slice(&std::fs::read(self.data.join("server.json")).unwrap()).unwrap();
        assert_eq!(announced["address"], address.host, "the announcement is there before it is said");
        self.running = Some(Running { child, says, address });
        Ok(())
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }

    /// Where it listens, and what it wants to see.
    pub(crate) fn address(&self) -> Address {
        self.running().address.clone()
    }

    /// Its directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Asks it over HTTP, as nobody in particular.
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = Caller::new().get(&self.address(), path);
        answer.unwrap_or_else(|why| panic!("GET {path}: {why}\n{}", self.complaints()))
    }

    /// Runs the command against it, as someone.
    pub(crate) fn ask(&self, person: &str, arguments: &[&str]) -> Ran {
        let data = self.data.to_string_lossy();
        let mut all = vec!["--data", &data, "--as", person];
        all.extend(arguments);
        command::run(self.data.parent().unwrap(), &all)
    }

    /// Runs the command, which must succeed, and reads its JSON.
    pub(crate) fn json(&self, person: &str, arguments: &[&str]) -> Value {
        let ran = self.ask(person, &[arguments, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{arguments:?}: {}", ran.out))
    }

    /// Lets it work until it says something, or for a moment.
    pub(crate) fn moment(&self) {
        match self.running().says.recv_timeout(MOMENT) {
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the server ended: {}", self.complaints()),
        }
    }

    /// Looks again and again until there is something to see.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        for _ in 0..LOOKS_MAX {
            if let Some(found) = look() {
                return found;
            }
            self.moment();
        }
        let runtime = self.get("/api/runtime");
        let status = self.get("/api/status");
        panic!("{what} did not come; {runtime:#}\n{status:#}\n{}", self.complaints());
    }

    /// What it logged, the end of it.
    pub(crate) fn complaints(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
        // Jobs outlive their server.
        remnants::end(&self.data);
    }
}
