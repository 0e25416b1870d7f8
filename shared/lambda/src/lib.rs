//! Lambda: how one of our handlers is a Lambda function. The only user of `lambda_runtime`.

mod answer;
mod stream;
mod telemetry;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::ClockKind;
use domain::{Input, Time};
use lambda_runtime::{Context, LambdaEvent, service_fn};
use ports::{Cx, Handler};
use serde_json::{Value, json};
use tracing::{Instrument as _, info_span};

use answer::{Failure, told};

pub use telemetry::telemetry;

/// Why a function could not start or stopped asking for events.
pub type Error = lambda_runtime::Error;

/// Asks Lambda for events and hands them to a handler, one after the other, for as long as the
/// sandbox lives. Takes what EventBridge and the scheduler deliver, and batches of the table's
/// stream, of which each record is answered for itself.
///
/// A fault is answered as an error whose type is `Retry` or `Reject`, an event that cannot be
/// understood as one of type `Malformed`: Lambda delivers again and then puts the request aside
/// in the function's dead letters.
///
/// # Errors
/// Only where the Runtime API itself cannot be talked to.
pub async fn run(handler: impl Handler + 'static) -> Result<(), Error> {
    let handler = Arc::new(handler);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let handler = handler.clone();
        async move { invoke(&*handler, &event.payload, &event.context).await }
    }))
    .await
}

async fn invoke(handler: &dyn Handler, payload: &Value, context: &Context) -> Result<Value, Failure> {
    let cx = cx(context);
    if let Some(records) = stream::records(payload) {
        return Ok(stream::handle(handler, &cx, records, &context.request_id).await);
    }
    let input = match Input::decode(payload) {
        Ok(input) => input,
        Err(why) => return Err(told(handler.name(), &context.request_id, Failure::malformed(&why))),
    };
    match deliver(handler, &cx, &input, &context.request_id).await {
        Ok(()) => Ok(json!({})),
        Err(failure) => Err(told(handler.name(), &context.request_id, failure)),
    }
}

/// Hands one input over, in a span of its own.
async fn deliver(handler: &dyn Handler, cx: &Cx, input: &Input, request: &str) -> Result<(), Failure> {
    let (kind, pipeline, correlation) = match input {
        Input::Event(event) => {
            (event.event.kind(), event.pipeline.as_str(), Some(event.correlation.as_str()))
        }
        Input::ObjectCreated(_) => ("ObjectCreated", "", None),
        Input::JobChanged(_) => ("JobChanged", "", None),
        Input::EndpointChanged(_) => ("EndpointChanged", "", None),
        Input::Tick { .. } => ("Tick", "", None),
    };
    let span = info_span!(
        "event", function = handler.name(), request, event = %input.id(), kind, pipeline, correlation
    );
    handler.handle(cx, input).instrument(span).await.map_err(Failure::from)
}

#[expect(clippy::disallowed_methods, reason = "this is the edge at which time becomes an argument")]
fn cx(context: &Context) -> Cx {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Cx {
        now: Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        deadline: Time::from_millis(i64::try_from(context.deadline).unwrap_or(i64::MAX)),
        trace: context.xray_trace_id.clone(),
        clock: ClockKind::Real,
    }
}

#[cfg(test)]
mod tests;
