//! What makes a function run, decoded from the shapes EventBridge carries.
//!
//! Formats: EventBridge event reference (S3 "Object Created", SageMaker state changes,
//! "Scheduled Event"), and our own bus, where `detail` is an [`Envelope`].

use serde_json::Value;

use crate::{Digest, Envelope, Time};

/// What makes a function run.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// One of our events.
    Event(Box<Envelope>),
    /// An object landed in the incoming bucket.
    ObjectCreated(ObjectCreated),
    /// A job may have changed its state: a hint to look, never the truth.
    JobChanged(Changed),
    /// An endpoint may have changed its state: a hint to look, never the truth.
    EndpointChanged(Changed),
    /// The function's own schedule.
    Tick {
        /// For when it was scheduled.
        at: Time,
    },
}

/// An object that landed in the incoming bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCreated {
    /// The bucket's name.
    pub bucket: String,
    /// The key, as it is: EventBridge does not encode it.
    pub key: String,
    /// Its size in bytes, where told.
    pub size: Option<u64>,
    /// What tells this object from another under the same key.
    pub identity: String,
    /// The version that the news is of, by which these very bytes can be read; none of a bucket
    /// that keeps no versions.
    pub version: Option<String>,
    /// Who put it.
    pub requester: String,
    /// When.
    pub at: Time,
}

/// Something whose state may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The name of the job or endpoint.
    pub name: String,
    /// The state as the event spells it.
    pub status: String,
    /// What tells this change from another.
    pub identity: String,
}

impl Input {
    /// The id of the input: of what it is about, never of the transport.
    pub fn id(&self) -> String {
        match self {
            Input::Event(envelope) => envelope.id.clone(),
            Input::ObjectCreated(object) => {
                Digest::of_parts(&["object", &object.bucket, &object.key, &object.identity]).hex()
            }
            Input::JobChanged(changed) => {
                Digest::of_parts(&["job", &changed.name, &changed.status, &changed.identity]).hex()
            }
            Input::EndpointChanged(changed) => {
                Digest::of_parts(&["endpoint", &changed.name, &changed.status, &changed.identity]).hex()
            }
            Input::Tick { at } => Digest::of_parts(&["tick", &at.to_string()]).hex(),
        }
    }

    /// Decodes what EventBridge delivered.
    pub fn decode(event: &Value) -> Result<Input, String> {
        let source = text(event, "/source")?;
        let kind = text(event, "/detail-type")?;
        match (source.as_str(), kind.as_str()) {
            ("millrace", _) => {
                let detail = event.get("detail").cloned().unwrap_or_default();
                let envelope =
                    serde_json::from_value(detail).map_err(|error| format!("detail of {kind}: {error}"))?;
                Ok(Input::Event(Box::new(envelope)))
            }
            ("aws.s3", "Object Created") => Ok(Input::ObjectCreated(object_created(event)?)),
            ("aws.sagemaker", "SageMaker Training Job State Change") => {
                Ok(Input::JobChanged(changed(event, "TrainingJobName", "TrainingJobStatus")?))
            }
            ("aws.sagemaker", "SageMaker HyperParameter Tuning Job State Change") => Ok(Input::JobChanged(
                changed(event, "HyperParameterTuningJobName", "HyperParameterTuningJobStatus")?,
            )),
            ("aws.sagemaker", "SageMaker Transform Job State Change") => {
                Ok(Input::JobChanged(changed(event, "TransformJobName", "TransformJobStatus")?))
            }
            ("aws.sagemaker", "SageMaker Endpoint State Change") => {
                Ok(Input::EndpointChanged(changed(event, "EndpointName", "EndpointStatus")?))
            }
            ("aws.events" | "aws.scheduler" | "millrace.schedule", _) => {
                let at = text(event, "/time")?.parse().map_err(|error| format!("time: {error}"))?;
                Ok(Input::Tick { at })
            }
            _ => Err(format!("no function understands {kind:?} from {source:?}")),
        }
    }
}

fn text(event: &Value, pointer: &str) -> Result<String, String> {
    match event.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("{pointer}: expected a text, found {other}")),
        None => Err(format!("{pointer}: missing")),
    }
}

fn object_created(event: &Value) -> Result<ObjectCreated, String> {
    let optional =
        |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    // Where versioning is suspended, every write is the version "null", which tells nothing apart.
    let version = optional("/detail/object/version-id");
    let version = Some(version).filter(|version| !version.is_empty() && version != "null");
    let otherwise =
        || format!("{}/{}", optional("/detail/object/etag"), optional("/detail/object/sequencer"));
    let identity = version.clone().unwrap_or_else(otherwise);
    Ok(ObjectCreated {
        bucket: text(event, "/detail/bucket/name")?,
        key: text(event, "/detail/object/key")?,
        size: event.pointer("/detail/object/size").and_then(Value::as_u64),
        identity,
        version,
        requester: optional("/detail/requester"),
        at: text(event, "/time")?.parse().map_err(|error| format!("time: {error}"))?,
    })
}

fn changed(event: &Value, name: &str, status: &str) -> Result<Changed, String> {
    // LastModifiedTime comes as ISO text, as text of milliseconds, as integer or as float: its
    // digits are identity enough.
    let modified = event.pointer("/detail/LastModifiedTime").map(Value::to_string).unwrap_or_default();
    Ok(Changed {
        name: text(event, &format!("/detail/{name}"))?,
        status: text(event, &format!("/detail/{status}"))?,
        identity: modified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_is_known_by_its_version_not_by_its_message() {
        let event = |id: &str| {
            json!({"id": id, "source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-23T09:00:00Z",
                "detail": {"bucket": {"name": "in"}, "object": {"key": "taxi/a b+c%20.csv", "size": 3, "version-id": "v1"},
                "requester": "111122223333"}})
        };
        let first = Input::decode(&event("1")).unwrap();
        assert_eq!(first.id(), Input::decode(&event("2")).unwrap().id());
        let Input::ObjectCreated(object) = first else { panic!("an object") };
        assert_eq!(object.key, "taxi/a b+c%20.csv");
        assert_eq!(object.version.as_deref(), Some("v1"));
    }

    #[test]
    fn where_no_versions_are_kept_each_write_is_known_by_content_and_order() {
        let read = |object: Value| {
            let event = json!({"source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-23T09:00:00Z",
                "detail": {"bucket": {"name": "in"}, "object": object}});
            let Ok(Input::ObjectCreated(object)) = Input::decode(&event) else { panic!("an object") };
            (object.identity, object.version)
        };
        let first = json!({"key": "taxi/a.csv", "etag": "b1946ac9", "sequencer": "00A1"});
        assert_eq!(read(first), ("b1946ac9/00A1".to_owned(), None));
        let suspended =
            json!({"key": "taxi/a.csv", "etag": "b1946ac9", "sequencer": "00A2", "version-id": "null"});
        assert_eq!(read(suspended), ("b1946ac9/00A2".to_owned(), None));
    }

    #[test]
    fn four_spellings_of_a_time_are_all_identity() {
        for modified in [
            json!("2026-11-23T09:00:00Z"),
            json!("1763889000000"),
            json!(1763889000000u64),
            json!(1763889000000.0),
        ] {
            let event = json!({"source": "aws.sagemaker", "detail-type": "SageMaker Training Job State Change",
                "detail": {"TrainingJobName": "t", "TrainingJobStatus": "Completed", "LastModifiedTime": modified}});
            assert!(matches!(Input::decode(&event), Ok(Input::JobChanged(_))));
        }
    }

    #[test]
    fn malformed_events_are_named() {
        for (event, complaint) in [
            (json!({}), "/source: missing"),
            (json!({"source": 1}), "/source: expected a text, found 1"),
            (json!({"source": "x", "detail-type": "y"}), "no function understands \"y\" from \"x\""),
            (json!({"source": "aws.s3", "detail-type": "Object Created"}), "/detail/bucket/name: missing"),
        ] {
            assert_eq!(Input::decode(&event).unwrap_err(), complaint);
        }
    }
}
