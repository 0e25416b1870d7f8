//! The one shape of a handler: read, decide, commit.

use std::fmt;

use async_trait::async_trait;
use domain::time::ClockKind;
use domain::{Actor, Digest, Draft, Event, Input, PipelineName, Time};

use crate::{Commit, Committed, Error, ErrorKind, Records, Result, Write};

/// What an invocation is given besides its input. Time and identity are arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cx {
    /// Now.
    pub now: Time,
    /// By when the invocation must be over.
    pub deadline: Time,
    /// The tracing id of the invocation.
    pub trace: Option<String>,
    /// Whose time `now` is.
    pub clock: ClockKind,
}

/// Why a handling did not succeed.
#[derive(Debug)]
pub enum Fault {
    /// It may succeed within minutes: deliver again.
    Retry(Error),
    /// It never will: put it aside where a person can see it and redrive it.
    Reject(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Retry(error) => write!(f, "{error}"),
            Fault::Reject(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        if error.may_pass() { Fault::Retry(error) } else { Fault::Reject(error.to_string()) }
    }
}

/// One of our functions.
#[async_trait]
pub trait Handler: Send + Sync {
    /// The function's name, as in the template.
    fn name(&self) -> &'static str;

    /// Handles an input, which may come late, twice, or out of order.
    async fn handle(&self, cx: &Cx, input: &Input) -> std::result::Result<(), Fault>;
}

/// One handling: what a function was given, and which pipeline it is about.
#[derive(Clone, Copy, Debug)]
pub struct Handling<'a> {
    /// What the invocation was given besides its input.
    pub cx: &'a Cx,
    /// The input.
    pub input: &'a Input,
    /// The pipeline. One input may concern several, each in a handling of its own.
    pub pipeline: &'a PipelineName,
}

impl Handling<'_> {
    /// A plan of this handling; see [`Plan::new`].
    pub fn plan(&self, function: &'static str, step: &str) -> Plan {
        Plan::new(function, self.cx, self.input, self.pipeline, step)
    }
}

/// Builds the commit of one handling: ids, cause and times are the same on every redelivery.
#[derive(Clone, Debug)]
pub struct Plan {
    function: &'static str,
    cause: String,
    correlation: String,
    cx: Cx,
    commit: Commit,
}

impl Plan {
    /// A plan for a function handling an input that concerns a pipeline. `step` tells apart
    /// several commits of one handling (several pipelines of one tick, say); else it is empty.
    pub fn new(function: &'static str, cx: &Cx, input: &Input, pipeline: &PipelineName, step: &str) -> Plan {
        let cause = input.id();
        let correlation = match input {
            Input::Event(envelope) => envelope.correlation.clone(),
            _ => cause.clone(),
        };
        Plan { correlation, ..Plan::caused(function, cx, &cause, pipeline, step) }
    }

    /// A plan for a function whose cause is known by its id alone: a person's request.
    pub fn caused(function: &'static str, cx: &Cx, cause: &str, pipeline: &PipelineName, step: &str) -> Plan {
        let id = Digest::of_parts(&[function, cause, pipeline.as_str(), step]).hex();
        let commit =
            Commit { id, pipeline: pipeline.clone(), at: cx.now, writes: Vec::new(), events: Vec::new() };
        let cause = cause.to_owned();
        Plan { function, correlation: cause.clone(), cause, cx: cx.clone(), commit }
    }

    /// Goes on with the story of an earlier event rather than starting one.
    pub fn correlate(&mut self, correlation: &str) {
        self.correlation = correlation.to_owned();
    }

    /// Adds a row.
    pub fn write(&mut self, write: Write) {
        self.commit.writes.push(write);
    }

    /// Adds an event by this function.
    pub fn emit(&mut self, event: Event) {
        let actor = Actor::function(self.function);
        self.emit_as(event, actor, None);
    }

    /// Adds an event by someone, with its business time.
    pub fn emit_as(&mut self, event: Event, actor: Actor, as_of: Option<Time>) {
        let place = self.commit.events.len().to_string();
        let id = Digest::of_parts(&["event", &self.commit.id, event.kind(), &place]).hex();
        self.commit.events.push(Draft {
            id,
            event,
            at: self.cx.now,
            as_of,
            actor,
            cause: self.cause.clone(),
            correlation: self.correlation.clone(),
            trace: self.cx.trace.clone(),
            clock: self.cx.clock,
        });
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.commit.writes.is_empty() && self.commit.events.is_empty()
    }

    /// The commit.
    pub fn into_commit(self) -> Commit {
        self.commit
    }

    /// Commits everything at once.
    pub async fn commit(self, records: &dyn Records) -> Result<Committed> {
        records.commit(&self.commit).await
    }
}

/// A deterministic id of something made for a cause: 12 hexadecimal digits.
pub fn id_of(cause: &str, purpose: &str) -> String {
    Digest::of_parts(&["id", cause, purpose]).short()
}

/// Whether a conflict should be answered by reading and deciding again: yes, up to
/// [`domain::limit::CONFLICT_ATTEMPTS_MAX`] attempts.
pub fn decide_again(error: &Error, attempt: usize) -> bool {
    error.kind() == ErrorKind::Conflict && attempt + 1 < domain::limit::CONFLICT_ATTEMPTS_MAX
}
