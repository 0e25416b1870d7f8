//! A `millrace up` of a test's own: started, asked, killed, started again, and gone afterwards.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
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
    clock: String,
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
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let mut server = Server { data, clock: clock.to_owned(), running: None, _place: Some(place) };
        server.start();
        server
    }

    /// A server over a directory that a demonstration left.
    pub(crate) fn over(data: &Path, clock: &str) -> Server {
        let mut server =
            Server { data: data.to_owned(), clock: clock.to_owned(), running: None, _place: None };
        server.start();
        server
    }

    /// Starts it, and answers when it listens.
    pub(crate) fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut child = Command::new(command::millrace())
            .args(["up", "--port", "0", "--demo", "--virtual-clock", &self.clock, "--data"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
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
            let _ = child.wait();
            panic!("the server ended before it listened: {}", self.complaints());
        };
        let announced: Value =
            serde_json::from_slice(&std::fs::read(self.data.join("server.json")).unwrap()).unwrap();
        assert_eq!(announced["address"], address.host, "the announcement is there before it is said");
        self.running = Some(Running { child, says, address });
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
