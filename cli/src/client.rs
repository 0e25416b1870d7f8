//! The connection to a running Millrace: who is asked, as whom, and what a lost answer costs.

mod encode;
mod failure;
mod requests;
mod wait;

use std::cell::Cell;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use domain::Digest;
use serde::Deserialize;
use serde_json::Value;
use ureq::SendBody;
use ureq::http::request::Builder;
use ureq::http::{HeaderMap, Method, Request};

pub(crate) use encode::segment;
pub(crate) use failure::{Failure, Refusal};
pub(crate) use requests::{Invocation, Prediction, Recorded, Ticket, Upload, items};
pub(crate) use wait::{CheckStory, DeploymentStory, Ending, Patience, RunStory, pause};

/// How often a request is sent before nobody is believed to be there.
const ATTEMPTS_MAX: u32 = 4;

/// The pause before the second attempt; each further one is three times as long.
const PAUSE: Duration = Duration::from_millis(100);

/// Longest wait for an answer to begin: the verification of a long ledger takes a while.
const ANSWER_MAX: Duration = Duration::from_secs(600);

/// Largest answer that is read: the largest blob that the server gives in one piece, and room.
const ANSWER_BYTES_MAX: u64 = 80 * 1024 * 1024;

/// Which Millrace is asked, and as whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The data directory of the Millrace that is asked.
    #[arg(
        long,
        global = true,
        env = "MILLRACE_DATA",
        default_value = "millrace-data",
        value_name = "DIR",
        help_heading = "Server"
    )]
    pub(crate) data: PathBuf,
    /// Act as this person; only a demo's directory allows it.
    #[arg(long = "as", global = true, value_name = "NAME", help_heading = "Server")]
    pub(crate) person: Option<String>,
}

/// What a server writes into its data directory at start.
#[derive(Debug, Deserialize)]
struct Announcement {
    address: String,
}

/// A connection to the Millrace that serves a data directory.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    address: SocketAddr,
    data: PathBuf,
    token: String,
    person: Option<String>,
    /// Names this command among all; each request adds its place.
    command: String,
    asked: Cell<u32>,
}

/// What a request carries.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// Nothing.
    Nothing,
    /// These bytes.
    Bytes(&'a [u8]),
    /// A file, streamed. `sent` is told how many bytes have gone, anew with each attempt.
    File {
        /// Where it is.
        path: &'a Path,
        /// Told how many bytes have gone.
        sent: &'a dyn Fn(u64),
    },
}

/// What is sent, but for its bytes.
struct Outgoing<'a> {
    method: Method,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    content: Content<'a>,
    repeat: Repeat,
}

/// Whether a request may be sent again when its answer is lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// The server does the same thing once, however often it is asked.
    Harmless,
    /// Each sending counts.
    Counts,
}

/// A whole answer.
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Finds the server of a data directory. `person` is whom to act as, which only a demo's
    /// directory allows; the operating system's user where nobody is named.
    ///
    /// `Here` where nothing serves the directory, or its token cannot be read. Nothing is sent.
    pub(crate) fn open(data: &Path, person: Option<&str>) -> Result<Client, Failure> {
        let shown = data.display();
        let announced = match std::fs::read(data.join("server.json")) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Failure::Here(no_server(data)));
            }
            Err(error) => return Err(Failure::Here(format!("read {shown}/server.json: {error}"))),
        };
        let address = announced_address(&announced)
            .map_err(|why| Failure::Here(format!("read {shown}/server.json: {why}")))?;
        let token = std::fs::read_to_string(data.join("token"))
            .map_err(|error| Failure::Here(format!("read {shown}/token: {error}")))?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // Whatever proxy the environment names, the server is on this machine.
            .proxy(None)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_recv_response(Some(ANSWER_MAX))
            .build();
        let client = Client {
            agent: config.new_agent(),
            address,
            data: data.to_owned(),
            token: token.trim().to_owned(),
            person: None,
            command: minted(),
            asked: Cell::new(0),
        };
        match person {
            Some(name) => client.acting_as(name),
            None => Ok(client),
        }
    }

    /// The same server, asked by someone else; only a demo's directory allows it.
    pub(crate) fn acting_as(&self, person: &str) -> Result<Client, Failure> {
        let fine = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if person.trim().is_empty() || person.trim() != person || !person.bytes().all(fine) {
            let why = format!("--as: expected a person's name in plain letters, found {person:?}");
            return Err(Failure::Here(why));
        }
        let person = Some(person.to_owned());
        Ok(Client { person, command: minted(), asked: Cell::new(0), ..self.clone() })
    }

    /// The same client under an id of the caller's: whoever does everything again under the same
    /// ids causes the same things.
    pub(crate) fn named(self, command: &str) -> Client {
        let command = Digest::of_parts(&["command", command]).hex()[..32].to_owned();
        Client { command, asked: Cell::new(0), ..self }
    }

    /// Where a page or a recorded file can be opened.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks for what is at a path, in JSON.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        let answer = self.call(&Outgoing {
            method: Method::GET,
            path,
            headers: &[],
            content: Content::Nothing,
            repeat: Repeat::Harmless,
        })?;
        answer.json(path)
    }

    /// Sends JSON. A lost answer is asked for again under the same id, so that the server does
    /// once what was asked once.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.post_bytes(path, "application/json", body.to_string().as_bytes())
    }

    /// Sends bytes of some type, as [`Client::post`] does.
    pub(crate) fn post_bytes(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Value, Failure> {
        let id = self.next_id();
        let answer = self.call(&Outgoing {
            method: Method::POST,
            path,
            headers: &[("content-type", content_type), ("x-millrace-request", &id)],
            content: Content::Bytes(body),
            repeat: Repeat::Harmless,
        })?;
        answer.json(path)
    }

    /// Puts bytes in their place, whole or not at all.
    pub(crate) fn put(&self, path: &str, content: Content<'_>) -> Result<Value, Failure> {
        let id = self.next_id();
        let answer = self.call(&Outgoing {
            method: Method::PUT,
            path,
            headers: &[("content-type", "application/octet-stream"), ("x-millrace-request", &id)],
            content,
            repeat: Repeat::Harmless,
        })?;
        answer.json(path)
    }

    /// Sends bytes once: where the answer is lost, nobody knows whether they arrived.
    pub(crate) fn send_once(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Failure> {
        self.call(&Outgoing {
            method: Method::POST,
            path,
            headers,
            content: Content::Bytes(body),
            repeat: Repeat::Counts,
        })
    }

    /// The bytes at a path.
    pub(crate) fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let answer = self.call(&Outgoing {
            method: Method::GET,
            path,
            headers: &[],
            content: Content::Nothing,
            repeat: Repeat::Harmless,
        })?;
        Ok(answer.body)
    }

    /// The id of this command's next request.
    fn next_id(&self) -> String {
        self.asked.set(self.asked.get() + 1);
        format!("{}-{}", self.command, self.asked.get())
    }

    /// Sends a request, and again where nobody answered and that is harmless; a refusal is a
    /// failure.
    fn call(&self, outgoing: &Outgoing<'_>) -> Result<Answer, Failure> {
        let attempts_max = match outgoing.repeat {
            Repeat::Harmless => ATTEMPTS_MAX,
            Repeat::Counts => 1,
        };
        let mut attempt = 1;
        let mut pause = PAUSE;
        loop {
            match self.attempt(outgoing)? {
                Ok(answer) if answer.status < 400 => return Ok(answer),
                // It is there and cannot just now.
                Ok(answer) if answer.status == 503 && attempt < attempts_max => {}
                Ok(answer) => return Err(Failure::Refused(Refusal::read(answer.status, &answer.body))),
                Err(_) if attempt < attempts_max => {}
                Err(error) => return Err(self.unreachable(&error)),
            }
            wait::pause(pause);
            pause *= 3;
            attempt += 1;
        }
    }

    /// Sends a request once. The outer error is this machine's own, which no repeat mends.
    fn attempt(&self, outgoing: &Outgoing<'_>) -> Result<Result<Answer, ureq::Error>, Failure> {
        let mut request = Request::builder()
            .method(outgoing.method.clone())
            .uri(self.address(outgoing.path))
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(person) = &self.person {
            request = request.header("x-millrace-as", person);
        }
        for (name, value) in outgoing.headers {
            request = request.header(*name, *value);
        }
        let shown = |path: &Path, error| Failure::Here(format!("read {}: {error}", path.display()));
        Ok(match outgoing.content {
            Content::Nothing => self.run(request, SendBody::none()),
            Content::Bytes(mut bytes) => {
                let request = request.header("content-length", bytes.len());
                self.run(request, SendBody::from_reader(&mut bytes))
            }
            Content::File { path, sent } => {
                let file = File::open(path).map_err(|error| shown(path, error))?;
                let length = file.metadata().map_err(|error| shown(path, error))?.len();
                // A file that grows meanwhile is sent as it was when it was opened.
                let mut counted = Counted { from: file.take(length), gone: 0, sent };
                let request = request.header("content-length", length);
                self.run(request, SendBody::from_reader(&mut counted))
            }
        })
    }

    fn run(&self, request: Builder, body: SendBody<'_>) -> Result<Answer, ureq::Error> {
        let mut response = self.agent.run(request.body(body)?)?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let refused = matches!(error, ureq::Error::ConnectionFailed)
            || matches!(error, ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused);
        Failure::Unreachable(match refused {
            true => format!(
                "nobody answers at {}, where {}/server.json says a Millrace is; it may have been killed. \
                 {}",
                self.address,
                self.data.display(),
                how_to_start(&self.data)
            ),
            false => format!("ask {}: {error}", self.address),
        })
    }
}

impl Answer {
    fn json(&self, path: &str) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::Unreadable(format!("read the answer of {path}: {error}")))
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }
}

/// A file that tells how much of it has been read.
struct Counted<'a, R> {
    from: R,
    gone: u64,
    sent: &'a dyn Fn(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.gone += read as u64;
        (self.sent)(self.gone);
        Ok(read)
    }
}

/// Where a server said it listens: on this machine, since the token goes there unencrypted.
fn announced_address(announced: &[u8]) -> Result<SocketAddr, String> {
    let announcement: Announcement = serde_json::from_slice(announced).map_err(|error| error.to_string())?;
    match announcement.address.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        _ => Err(format!(
            "address: expected one of this machine (127.0.0.1:7420), found {:?}",
            announcement.address
        )),
    }
}

fn no_server(data: &Path) -> String {
    format!("no Millrace serves {}. {}", data.display(), how_to_start(data))
}

fn how_to_start(data: &Path) -> String {
    format!("Start one with `millrace up --data {}`", data.display())
}

/// An id that no other command has.
#[expect(clippy::disallowed_methods, reason = "a request's id is minted where the request is made")]
fn minted() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_nanos()).to_string();
    let process = std::process::id().to_string();
    // Each state is keyed by the operating system's randomness.
    let random = |purpose: &str| RandomState::new().hash_one(purpose).to_string();
    Digest::of_parts(&[&now, &process, &random("first"), &random("second")]).hex()[..32].to_owned()
}

#[cfg(test)]
mod tests;
