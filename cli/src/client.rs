//! Talking to `millrace up`: where it is, who we are, what it answers.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Method, Request};
use ureq::{Agent, AsSendBody, SendBody};

use crate::output::{Error, error};

/// A running Millrace.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
    token: String,
    acting_as: Option<String>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Response headers by lower-case name.
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Finds the Millrace that runs on a data directory.
    pub(crate) fn find(data: &Path, acting_as: Option<String>) -> Result<Client, Error> {
        let nowhere = |why: &str| {
            format!(
                "no Millrace runs on {} ({why}); start one with `millrace up --data {0}`, or name its directory with --data",
                data.display()
            )
        };
        let server = std::fs::read_to_string(data.join("server.json")).map_err(|_| nowhere("no server.json"))?;
        let server: Value = serde_json::from_str(&server).map_err(|_| nowhere("server.json is damaged"))?;
        let url = server["url"].as_str().ok_or_else(|| nowhere("server.json names no url"))?.to_owned();
        let token = std::fs::read_to_string(data.join("token"))
            .map_err(|error| format!("read {}: {error}; only its owner may use it", data.join("token").display()))?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(600)));
        Ok(Client { agent: config.build().into(), url, token: token.trim().to_owned(), acting_as })
    }

    /// The same Millrace, asked by somebody else (in a demo directory).
    pub(crate) fn acting_as(&self, name: &str) -> Client {
        Client {
            agent: self.agent.clone(),
            url: self.url.clone(),
            token: self.token.clone(),
            acting_as: Some(name.to_owned()),
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Asks, and takes whatever is answered.
    pub(crate) fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsSendBody,
    ) -> Result<Answer, Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("authorization", format!("Bearer {}", self.token));
        if let Some(name) = &self.acting_as {
            request = request.header("x-millrace-as", name);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let failed = |error: ureq::Error| format!("ask {}{path}: {error}; is `millrace up` still running?", self.url);
        let request = request.body(body).map_err(|error| format!("ask {path}: {error}"))?;
        let mut response = self.agent.run(request).map_err(failed)?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let mut bytes = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut bytes).map_err(|error| format!("read {path}: {error}"))?;
        Ok(Answer { status, headers, body: bytes })
    }

    /// Looks something up.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Error> {
        self.exchange(Method::GET, path, &[], SendBody::none())?.json()
    }

    /// Asks for something to be done.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let text = body.to_string();
        self.exchange(Method::POST, path, &[("content-type", "application/json")], text.as_str())?.json()
    }
}

impl Answer {
    /// The answer's JSON; a refusal becomes an error that says why, fault by fault.
    pub(crate) fn json(self) -> Result<Value, Error> {
        let value: Value = serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&self.body).into_owned()));
        if (200..300).contains(&self.status) {
            return Ok(value);
        }
        let problems: Vec<domain::Problem> = serde_json::from_value(value["problems"].clone()).unwrap_or_default();
        if problems.is_empty() {
            let why = value["error"].as_str().or(value.as_str()).unwrap_or("no reason was given");
            return error(format!("{why} (HTTP {})", self.status));
        }
        error(problems.iter().map(domain::Problem::to_string).collect::<Vec<_>>().join("\n       "))
    }
}
