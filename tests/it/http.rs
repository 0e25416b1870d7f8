//! What is sent to a server directly, where a test needs to know which request was answered.

use serde_json::Value;
use ureq::http::{Method, Request};

/// Where a server listens, and what it wants to see.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// `127.0.0.1:7420`.
    pub(crate) host: String,
    token: String,
}

impl Address {
    /// What proves who asks.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The address in a line that a server says at its start.
    pub(crate) fn said(line: &str) -> Option<Address> {
        let (_, link) = line.split_once("http://")?;
        let (host, token) = link.split_once("/?token=")?;
        Some(Address { host: host.to_owned(), token: token.to_owned() })
    }
}

/// One request of someone.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// JSON posted under an id of the asker's, which makes a repeat harmless.
    pub(crate) fn post(person: &str, id: &str, path: &str, body: &Value) -> Asked {
        let headers = vec![("x-millrace-as", person.to_owned()), ("x-millrace-request", id.to_owned())];
        Asked { method: Method::POST, path: path.to_owned(), headers, body: body.to_string().into_bytes() }
    }

    /// The bytes of an upload.
    pub(crate) fn put(person: &str, path: &str, body: &[u8]) -> Asked {
        let headers = vec![("x-millrace-as", person.to_owned())];
        Asked { method: Method::PUT, path: path.to_owned(), headers, body: body.to_vec() }
    }

    /// What is at a path.
    pub(crate) fn page(path: &str) -> Asked {
        Asked { method: Method::GET, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Rows for a model, to be found by an id.
    pub(crate) fn invocation(endpoint: &str, id: &str, rows: &str) -> Asked {
        let headers =
            vec![("content-type", "text/csv".into()), ("x-amzn-sagemaker-inference-id", id.to_owned())];
        let path = format!("/endpoints/{endpoint}/invocations");
        Asked { method: Method::POST, path, headers, body: rows.as_bytes().to_vec() }
    }
}

/// Sends requests, each once.
#[derive(Clone, Debug)]
pub(crate) struct Caller(ureq::Agent);

impl Caller {
    pub(crate) fn new() -> Caller {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        Caller(config.new_agent())
    }

    /// Status and body; an error where no whole answer came, so that nobody knows what happened.
    pub(crate) fn send(&self, address: &Address, asked: &Asked) -> Result<(u16, Vec<u8>), ureq::Error> {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(format!("http://{}{}", address.host, asked.path))
            .header("authorization", format!("Bearer {}", address.token));
        for (name, value) in &asked.headers {
            request = request.header(*name, value);
        }
        let mut answer = self.0.run(request.body(asked.body.as_slice())?)?;
        let body = answer.body_mut().read_to_vec()?;
        Ok((answer.status().as_u16(), body))
    }

    /// What is at a path, in JSON.
    pub(crate) fn get(&self, address: &Address, path: &str) -> Result<Value, String> {
        let (status, body) = self.send(address, &Asked::page(path)).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&body);
        if status != 200 {
            return Err(format!("status {status}: {text}"));
        }
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }
}
