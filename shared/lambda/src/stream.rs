//! How a batch of the table's stream is handled: each new event for itself.
//!
//! Format: the DynamoDB stream event of Lambda, and its answer under `ReportBatchItemFailures`,
//! in which Lambda goes on from the first record that failed.

use domain::{Envelope, Input};
use serde_json::{Value, json};

use crate::Invocation;
use crate::answer::Failure;

/// The records of a batch; none where the payload is something else.
pub(crate) fn records(payload: &Value) -> Option<&[Value]> {
    let records = payload.get("Records")?.as_array()?;
    let is_ours = |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:dynamodb");
    records.iter().all(is_ours).then_some(records.as_slice())
}

/// Handles every record, and answers which of them are to be delivered again.
pub(crate) async fn handle(invocation: &Invocation<'_>, records: &[Value]) -> Value {
    let mut failures = Vec::new();
    for record in records {
        // A failure is of one pipeline's chain: the others are not made to wait for it.
        let failure = match envelope(record) {
            Ok(None) => continue,
            Ok(Some(event)) => invocation.deliver(&Input::Event(Box::new(event))).await.err(),
            Err(why) => Some(Failure::malformed(&why)),
        };
        if let Some(failure) = failure {
            invocation.told(failure);
            let sequence = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str);
            // Without a number the empty one says that the whole batch is to come again.
            failures.push(json!({ "itemIdentifier": sequence.unwrap_or_default() }));
        }
    }
    json!({ "batchItemFailures": failures })
}

/// The event of a record; none where another row was written.
fn envelope(record: &Value) -> Result<Option<Envelope>, String> {
    let sort = record.pointer("/dynamodb/Keys/sort/S").and_then(Value::as_str);
    let sort = sort.ok_or("a record of the stream says no sort key")?;
    let is_new = record.get("eventName").and_then(Value::as_str) == Some("INSERT");
    if !is_new || !sort.starts_with(domain::key::prefix::EVENT) {
        return Ok(None);
    }
    let value = record.pointer("/dynamodb/NewImage/value/S").and_then(Value::as_str);
    let value = value.ok_or_else(|| format!("{sort}: the record says no value"))?;
    serde_json::from_str(value).map(Some).map_err(|error| format!("{sort}: {error}"))
}
