//! What is asked of an endpoint over HTTP, what it answers, and how both are captured?

use std::fs::File;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{BlobPath, Time};
use ports::{Error, ErrorKind, Reply, Result};
use serde_json::{Value, json};

use crate::bound::{CUSTOM_ATTRIBUTES_MAX, INFERENCE_ID_MAX};

/// A request as SageMaker's `InvokeEndpoint` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The endpoint's name.
    pub name: String,
    /// What the body is.
    pub content_type: String,
    /// What the answer is to be.
    pub accept: Option<String>,
    /// The id by which labels find this request; one is minted where none is given.
    pub inference_id: Option<String>,
    /// Handed on to the model and captured.
    pub custom_attributes: Option<String>,
    /// The rows.
    pub body: Bytes,
}

/// What SageMaker's `InvokeEndpoint` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The model's HTTP status.
    pub status: u16,
    /// What the body is.
    pub content_type: String,
    /// The answers.
    pub body: Bytes,
    /// The id by which labels find this request.
    pub inference_id: String,
    /// Which variant answered: there is one, as SageMaker names it by default.
    pub variant: &'static str,
}

/// The one variant of every endpoint.
pub(crate) const VARIANT: &str = "AllTraffic";

impl Invocation {
    /// Checks what becomes a header or part of a record: SageMaker's bounds.
    pub(crate) fn check(&self) -> Result<()> {
        let visible = |text: &str| text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        let fits = |text: &Option<String>, most: usize| {
            text.as_deref().is_none_or(|text| !text.is_empty() && text.len() <= most && visible(text))
        };
        let refuse = |what: &str, most: usize| {
            let what = format!("invoke {}: {what}: expected 1 to {most} visible ASCII characters", self.name);
            Err(Error::new(ErrorKind::Invalid, what))
        };
        if !fits(&self.inference_id, INFERENCE_ID_MAX) {
            return refuse("inference id", INFERENCE_ID_MAX);
        }
        if !fits(&self.custom_attributes, CUSTOM_ATTRIBUTES_MAX) {
            return refuse("custom attributes", CUSTOM_ATTRIBUTES_MAX);
        }
        if !fits(&Some(self.content_type.clone()), CUSTOM_ATTRIBUTES_MAX) {
            return refuse("content type", CUSTOM_ATTRIBUTES_MAX);
        }
        Ok(())
    }
}

/// A random id in the form of a UUID, version 4.
pub(crate) fn mint() -> Result<String> {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(|error| Error::new(ErrorKind::Unavailable, "mint an inference id").because(error))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// Where an endpoint's captures of a moment go.
pub(crate) fn capture_path(name: &str, config: &str, now: Time) -> Result<BlobPath> {
    BlobPath::parse(&format!("{}/{config}.jsonl", BlobPath::capture_hour(name, now)))
        .map_err(|what| Error::new(ErrorKind::Invalid, format!("capture {name}: {what}")))
}

/// One line of SageMaker's data capture, with its line end.
pub(crate) fn capture_line(asked: &Invocation, reply: &Reply, id: &str, event: &str, now: Time) -> Vec<u8> {
    let mut metadata = json!({"eventId": event, "inferenceId": id, "inferenceTime": now.to_string()});
    if let Some(attributes) = &asked.custom_attributes {
        metadata["customAttributes"] = json!([attributes]);
    }
    let line = json!({
        "captureData": {
            "endpointInput": part("INPUT", &asked.content_type, &asked.body),
            "endpointOutput": part("OUTPUT", &reply.content_type, &reply.body),
        },
        "eventMetadata": metadata,
        "eventVersion": "0",
    });
    format!("{line}\n").into_bytes()
}

fn part(mode: &str, content_type: &str, body: &[u8]) -> Value {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let encoding = match media.as_str() {
        "text/csv" => "CSV",
        "application/json" | "application/jsonlines" => "JSON",
        _ => "BASE64",
    };
    let (data, encoding) = match std::str::from_utf8(body) {
        Ok(text) if encoding != "BASE64" => (text.to_owned(), encoding),
        _ => (STANDARD.encode(body), "BASE64"),
    };
    json!({"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(content_type: &str, body: &'static [u8]) -> Invocation {
        Invocation {
            name: "taxi".into(),
            content_type: content_type.into(),
            accept: None,
            inference_id: None,
            custom_attributes: Some("k=v".into()),
            body: Bytes::from_static(body),
        }
    }

    fn line(asked: &Invocation) -> Value {
        let reply = Reply {
            status: 200,
            content_type: "text/csv; charset=utf-8".into(),
            body: Bytes::from_static(b"0.93\n"),
        };
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        let line = capture_line(asked, &reply, "req-7", "a1", now);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_line_is_what_sagemaker_writes() {
        let expected = json!({
            "captureData": {
                "endpointInput":
                    {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2,3\n4,5,6\n", "encoding": "CSV"},
                "endpointOutput": {"observedContentType": "text/csv; charset=utf-8", "mode": "OUTPUT",
                    "data": "0.93\n", "encoding": "CSV"}},
            "eventMetadata": {"eventId": "a1", "inferenceId": "req-7", "customAttributes": ["k=v"],
                "inferenceTime": "2026-11-23T09:00:00.000Z"},
            "eventVersion": "0"});
        assert_eq!(line(&asked("text/csv", b"1,2,3\n4,5,6\n")), expected);
    }

    #[test]
    fn what_is_not_text_is_packed() {
        for (content_type, body, data, encoding) in [
            ("application/json", b"{}".as_slice(), "{}", "JSON"),
            ("application/x-npy", b"1,x", "MSx4", "BASE64"),
            ("text/csv", b"\xff", "/w==", "BASE64"),
        ] {
            let line = line(&asked(content_type, body));
            let input = &line["captureData"]["endpointInput"];
            assert_eq!((&input["data"], &input["encoding"]), (&json!(data), &json!(encoding)));
        }
    }

    #[test]
    fn minted_ids_are_uuids_and_differ() {
        let (one, two) = (mint().unwrap(), mint().unwrap());
        assert_ne!(one, two);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
    }

    #[test]
    fn what_cannot_be_a_header_is_refused() {
        let fine = asked("text/csv", b"");
        fine.check().unwrap();
        for wrong in [
            Invocation { inference_id: Some("x".repeat(65)), ..fine.clone() },
            Invocation { inference_id: Some(String::new()), ..fine.clone() },
            Invocation { custom_attributes: Some("a\r\nb: c".into()), ..fine.clone() },
            Invocation { content_type: "text/csv\n".into(), ..fine.clone() },
        ] {
            assert_eq!(wrong.check().map_err(|error| error.kind()), Err(ErrorKind::Invalid));
        }
    }
}
