//! What `console` is asked and answers: API Gateway's HTTP API on AWS, the server on one machine.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Actor;
use serde::Serialize;

use crate::Cx;

/// A request whose sender the edge has authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The decoded path, beginning with `/`.
    pub path: String,
    /// Decoded query parameters.
    pub query: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
    /// Who asks.
    pub actor: Actor,
    /// The request's id, minted at the edge or given by the client to make a repeat harmless.
    pub id: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// What the body is.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// An answer in JSON.
    pub fn json<T: Serialize>(status: u16, value: &T) -> Response {
        let body = serde_json::to_vec(value).expect("our answers serialise to JSON");
        Response { status, content_type: "application/json".into(), body: body.into() }
    }

    /// An error in JSON: `{"error": …}`.
    pub fn error(status: u16, message: &str) -> Response {
        Response::json(status, &serde_json::json!({ "error": message }))
    }

    /// A page.
    pub fn html(status: u16, page: String) -> Response {
        Response { status, content_type: "text/html; charset=utf-8".into(), body: page.into() }
    }
}

/// What answers requests: `console`.
#[async_trait]
pub trait Answer: Send + Sync {
    /// Answers a request. Never fails: what goes wrong is an answer too.
    async fn answer(&self, cx: &Cx, request: Request) -> Response;
}
