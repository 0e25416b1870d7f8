//! `console`: what people ask of Millrace, over HTTP: declare, upload, look, approve, go back.
//!
//! It reads any row and writes what a person decides: the declaration, tickets for uploads,
//! requests, approvals, rejections and labels. Everything else is some other function's.

mod apply;
mod ask;
mod budget;
mod decide;
mod lineage;
mod pages;
mod read;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{PipelineName, Problem};
use ports::http::{Answer, Request, Response};
use ports::{Blobs, Cx, Error, ErrorKind, Records};

pub use apply::{Checked, check};
pub use decide::{may_approve, may_reapply, rollback_target};

/// The function.
#[derive(Clone, Debug)]
pub struct Console {
    /// The table.
    pub records: Arc<dyn Records>,
    /// The data bucket.
    pub blobs: Arc<dyn Blobs>,
}

/// The function's name.
pub const NAME: &str = "console";

/// Why a request was not granted.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The request is wrong, or what it asks for is not allowed or not there.
    Because(u16, String),
    /// A file in the request has faults.
    Faults(Vec<Problem>),
    /// The world did not answer.
    Port(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Port(error)
    }
}

impl Refusal {
    fn response(self) -> Response {
        match self {
            Refusal::Because(status, message) => Response::error(status, &message),
            Refusal::Faults(problems) => {
                let first = problems.first().map(Problem::to_string).unwrap_or_default();
                let message = match problems.len() {
                    1 => first,
                    n => format!("{first} (and {} more)", n - 1),
                };
                Response::json(422, &serde_json::json!({ "error": message, "problems": problems }))
            }
            Refusal::Port(error) => {
                let status = match error.kind() {
                    ErrorKind::NotFound => 404,
                    ErrorKind::Conflict => 409,
                    ErrorKind::TooLarge => 413,
                    ErrorKind::Denied => 403,
                    ErrorKind::Throttled | ErrorKind::Unavailable => 503,
                    _ => 500,
                };
                Response::error(status, &error.to_string())
            }
        }
    }
}

pub(crate) type Granted = Result<Response, Refusal>;

#[async_trait]
impl Answer for Console {
    async fn answer(&self, cx: &Cx, request: Request) -> Response {
        let (method, path) = (request.method.clone(), request.path.clone());
        let response = self.route(cx, request).await.unwrap_or_else(Refusal::response);
        tracing::debug!(http.method = %method, http.path = %path, http.status = response.status, "answered {method} {path}");
        response
    }
}

impl Console {
    async fn route(&self, cx: &Cx, request: Request) -> Granted {
        let path = request.path.clone();
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", []) => self.overview_page().await,
            ("GET", ["pipelines", name, rest @ ..]) => self.page(cx, &pipeline(name)?, rest, &request).await,
            ("GET", ["api", "status"]) => self.status(cx).await,
            ("GET", ["api", "pipelines"]) => self.pipelines().await,
            ("POST", ["api", "pipelines"]) => self.apply(cx, &request).await,
            ("GET", ["api", "blobs", rest @ ..]) => self.blob(&rest.join("/")).await,
            (method, ["api", "pipelines", name, rest @ ..]) => {
                let name = pipeline(name)?;
                match (method, rest) {
                    ("GET", []) => self.pipeline(&name).await,
                    ("GET", ["events"]) => self.events(&name, &request).await,
                    ("GET", ["verify"]) => self.verify(&name, &request).await,
                    ("GET", ["lineage", version]) => self.lineage(&name, number(version)?).await,
                    ("GET", ["parts", part, "lineage"]) => {
                        self.part_lineage(&name, number(part)?.into()).await
                    }
                    ("GET", ["predictions", id]) => self.prediction(cx, &name, id).await,
                    ("GET", ["budget"]) => self.budget(cx, &name).await,
                    ("GET", [collection]) => self.list(&name, collection).await,
                    ("GET", [collection, id]) => self.one(&name, collection, id).await,
                    ("POST", ["uploads"]) => self.ticket(cx, &name, &request).await,
                    ("POST", ["runs"]) => self.request_run(cx, &name, &request).await,
                    ("POST", ["models", version, "approve"]) => {
                        self.approve(cx, &name, number(version)?, &request).await
                    }
                    ("POST", ["models", version, "reject"]) => {
                        self.reject(cx, &name, number(version)?, &request).await
                    }
                    ("POST", ["budget"]) => self.lift(cx, &name, &request).await,
                    ("POST", ["rollback"]) => self.rollback(cx, &name, &request).await,
                    ("POST", ["labels"]) => self.labels(cx, &name, &request).await,
                    ("POST", ["drift"]) => self.request_check(cx, &name, &request).await,
                    _ => Err(not_found(&request)),
                }
            }
            _ => Err(not_found(&request)),
        }
    }
}

impl Console {
    /// The pages of one pipeline.
    async fn page(&self, cx: &Cx, name: &PipelineName, path: &[&str], request: &Request) -> Granted {
        match path {
            [] => self.pipeline_page(cx, name).await,
            ["parts", part] => self.part_page(name, number(part)?.into()).await,
            ["runs", run] => self.run_page(name, number(run)?.into()).await,
            ["models"] => self.comparison_page(name).await,
            ["models", version] => self.model_page(name, number(version)?).await,
            ["drift"] => self.drift_page(name).await,
            ["endpoint"] => self.endpoint_page(name).await,
            ["ledger"] => self.ledger_page(name, request).await,
            _ => Err(not_found(request)),
        }
    }
}

fn not_found(request: &Request) -> Refusal {
    Refusal::Because(404, format!("there is no {} {}", request.method, request.path))
}

fn pipeline(name: &str) -> Result<PipelineName, Refusal> {
    name.parse().map_err(|error| Refusal::Because(400, format!("pipeline name: {error}")))
}

fn number(text: &str) -> Result<u32, Refusal> {
    let text = text.strip_prefix('v').unwrap_or(text);
    text.parse().map_err(|_| Refusal::Because(400, format!("expected a number, found {text:?}")))
}

#[cfg(test)]
mod tests;
