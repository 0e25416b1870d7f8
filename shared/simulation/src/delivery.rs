//! Events on their way to functions: how EventBridge and SageMaker shape them, how often they
//! are tried, and what is given up.

use domain::{Envelope, Time};
use ports::ledger::event_key;
use ports::{JobSpec, Work};
use serde_json::{Value, json};

/// The account that simulated events name.
pub const ACCOUNT: &str = "000000000000";

/// The region that simulated events name.
pub const REGION: &str = "simulated";

/// How often a record of the table's stream is tried, as the template says of it.
pub(crate) const STREAM_ATTEMPTS_MAX: u32 = 10;

/// Lambda's waits before the first and the second repeat of an asynchronous invocation.
const RETRY_WAITS: [i64; 2] = [60 * Time::SECOND, 120 * Time::SECOND];

/// What brought an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A rule of a bus.
    Bus,
    /// A schedule, by its name.
    Schedule(String),
    /// The table's stream.
    Stream,
}

/// One event on its way to one function.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The function's name.
    pub function: String,
    /// The event as EventBridge shapes it.
    pub event: Value,
    /// What brought it.
    pub source: Source,
    /// How often it was tried and failed.
    pub attempts: u32,
    /// Not before then is it tried.
    pub due: Time,
    /// Whether it is being handled.
    pub(crate) is_taken: bool,
}

/// A delivery that was given up.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The function's name.
    pub function: String,
    /// The event.
    pub event: Value,
    /// Why.
    pub reason: String,
    /// Whether the function said that no repeat will help.
    pub is_rejected: bool,
}

/// How long a delivery waits after so many failed attempts.
pub(crate) fn retry_wait(attempts: u32) -> i64 {
    RETRY_WAITS[(attempts.saturating_sub(1) as usize).min(RETRY_WAITS.len() - 1)]
}

/// One of our events as EventBridge carries it.
pub(crate) fn carried(envelope: &Envelope) -> Value {
    json!({
        "version": "0",
        "id": envelope.id,
        "source": "millrace",
        "detail-type": envelope.event.kind(),
        "account": ACCOUNT,
        "region": REGION,
        "time": envelope.at,
        "resources": [],
        "detail": envelope,
    })
}

/// A sealed event as a record of DynamoDB's stream, as far as a filter can ask for it.
pub(crate) fn inserted(event: &Envelope) -> Value {
    let key = event_key(&event.pipeline, event.sequence);
    json!({
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": { "Keys": { "partition": { "S": key.partition }, "sort": { "S": key.sort } } },
    })
}

/// A tick as EventBridge Scheduler delivers it.
pub(crate) fn tick(schedule: &str, at: Time) -> Value {
    json!({
        "version": "0",
        "id": format!("{schedule}-{at}"),
        "source": "aws.scheduler",
        "detail-type": "Scheduled Event",
        "account": ACCOUNT,
        "region": REGION,
        "time": at,
        "resources": [],
        "detail": {},
    })
}

/// A job's end as SageMaker tells it.
pub(crate) fn job_changed(job: &JobSpec, status: &str, at: Time) -> Value {
    let kind = match job.work {
        Work::Train { .. } => "Training",
        Work::Tune { .. } => "HyperParameter Tuning",
        Work::Predict { .. } => "Transform",
    };
    let word = kind.replace(' ', "");
    let (name, state) = (format!("{word}JobName"), format!("{word}JobStatus"));
    json!({
        "version": "0",
        "source": "aws.sagemaker",
        "detail-type": format!("SageMaker {kind} Job State Change"),
        "time": at,
        "detail": { name: job.name, state: status, "LastModifiedTime": at.millis().to_string() },
    })
}

/// An endpoint's change as SageMaker tells it.
pub(crate) fn endpoint_changed(name: &str, status: &str, at: Time) -> Value {
    json!({
        "version": "0",
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Endpoint State Change",
        "time": at,
        "detail": {
            "EndpointName": name,
            "EndpointStatus": status,
            "LastModifiedTime": at.millis().to_string(),
        },
    })
}

/// An object's creation as S3 tells it.
pub(crate) fn object_created(
    bucket: &str,
    key: &str,
    bytes: u64,
    version: &str,
    who: &str,
    at: Time,
) -> Value {
    json!({
        "version": "0",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "account": ACCOUNT,
        "region": REGION,
        "time": at,
        "resources": [format!("arn:aws:s3:::{bucket}")],
        "detail": {
            "version": "0",
            "bucket": { "name": bucket },
            "object": { "key": key, "size": bytes, "version-id": version },
            "requester": who,
            "reason": "PutObject",
        },
    })
}
