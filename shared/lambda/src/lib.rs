//! Lambda: how one of our handlers is a Lambda function. The only user of `lambda_runtime`.

mod answer;
mod stream;
mod telemetry;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::time::ClockKind;
use domain::{Input, Time};
use lambda_runtime::{Context, LambdaEvent, service_fn};
use ports::{Cx, Handler};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, info_span};

use answer::{Failure, told};

pub use telemetry::telemetry;

/// Why a function could not start or stopped asking for events.
pub type Error = lambda_runtime::Error;

/// Kept back of a function's time, in milliseconds, to log and answer: the Runtime API is in the
/// same sandbox.
const ANSWER_MS: i64 = 500;

/// Asks Lambda for events and hands them to a handler, one after the other, for as long as the
/// sandbox lives. Takes what EventBridge and the scheduler deliver, and batches of the table's
/// stream, of which each record is answered for itself.
///
/// A fault is answered as an error whose type is `Retry` or `Reject`, an event that cannot be
/// understood as one of type `Malformed`, and one whose handling would outlast the function's
/// time as one of type `Deadline`: Lambda delivers again and then puts the request aside in the
/// function's dead letters.
///
/// # Errors
/// Only where the Runtime API itself cannot be talked to.
pub async fn run(handler: impl Handler + 'static) -> Result<(), Error> {
    let handler = Arc::new(handler);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let handler = handler.clone();
        async move { Invocation::new(&*handler, &event.context).answer(&event.payload).await }
    }))
    .await
}

/// One call of a function, and what is the same for all that it delivers.
struct Invocation<'a> {
    handler: &'a dyn Handler,
    request: &'a str,
    cx: Cx,
    /// When whatever is still under way is let go. Cut off between two calls, a handling is one
    /// that crashed, and the next delivery finishes it.
    end: Instant,
}

impl<'a> Invocation<'a> {
    fn new(handler: &'a dyn Handler, context: &'a Context) -> Invocation<'a> {
        let cx = Cx {
            now: now(),
            deadline: Time::from_millis(i64::try_from(context.deadline).unwrap_or(i64::MAX)),
            trace: context.xray_trace_id.clone(),
            clock: ClockKind::Real,
        };
        let left = cx.deadline.millis().saturating_sub(cx.now.millis()).saturating_sub(ANSWER_MS);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        Invocation { handler, request: &context.request_id, cx, end: Instant::now() + left }
    }

    async fn answer(&self, payload: &Value) -> Result<Value, Failure> {
        if let Some(records) = stream::records(payload) {
            return Ok(stream::handle(self, records).await);
        }
        let input = match Input::decode(payload) {
            Ok(input) => input,
            Err(why) => return Err(self.told(Failure::malformed(&why))),
        };
        match self.deliver(&input).await {
            Ok(()) => Ok(json!({})),
            Err(failure) => Err(self.told(failure)),
        }
    }

    /// Hands one input over, in a span of its own.
    async fn deliver(&self, input: &Input) -> Result<(), Failure> {
        let Invocation { handler, request, cx, end } = self;
        let (kind, pipeline, correlation) = match input {
            Input::Event(event) => {
                (event.event.kind(), event.pipeline.as_str(), Some(event.correlation.as_str()))
            }
            Input::ObjectCreated(_) => ("ObjectCreated", "", None),
            Input::JobChanged(_) => ("JobChanged", "", None),
            Input::EndpointChanged(_) => ("EndpointChanged", "", None),
            Input::Tick { .. } => ("Tick", "", None),
        };
        // What cannot end in time does not begin: a batch may have used it up.
        if Instant::now() >= *end {
            return Err(Failure::late());
        }
        let span = info_span!(
            "event", function = handler.name(), request, event = %input.id(), kind, pipeline, correlation
        );
        match timeout_at(*end, handler.handle(cx, input).instrument(span)).await {
            Ok(handled) => handled.map_err(Failure::from),
            Err(_) => Err(Failure::late()),
        }
    }

    /// Logs a failure that is to be answered.
    fn told(&self, failure: Failure) -> Failure {
        told(self.handler.name(), self.request, failure)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the edge at which time becomes an argument")]
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
