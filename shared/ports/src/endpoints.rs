//! Models that answer.
//!
//! Adapters: child processes behind a proxy on one machine, memory in tests, SageMaker on AWS.

use async_trait::async_trait;
use bytes::Bytes;
use domain::BlobPath;

use crate::Result;
use crate::jobs::ProgramSpec;

/// What is to answer under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    /// The endpoint's name.
    pub name: String,
    /// Names this very configuration, derived from its cause: putting it again changes nothing.
    pub config: String,
    /// The program, called with `serve`.
    pub program: ProgramSpec,
    /// The model, `model.tar.gz`.
    pub artifact: BlobPath,
    /// Whether requests and answers are captured.
    pub capture: Capture,
}

/// Whether requests and answers are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// All of them, in SageMaker's format, under [`BlobPath::capture_hour`].
    All,
    /// None.
    Nothing,
}

/// How an endpoint stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// How far it has come.
    pub state: EndpointState,
    /// The configuration that answers now.
    pub serving: Option<String>,
}

/// How far an endpoint has come towards the configuration put last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// The configuration put last is coming up; the one before goes on answering.
    Updating,
    /// The configuration put last answers.
    InService,
    /// The configuration put last could not be brought up; the one before, if any, goes on.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What the body is.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// Models that answer.
#[async_trait]
pub trait Endpoints: std::fmt::Debug + Send + Sync {
    /// Asks for a configuration to answer. Returns at once; the switch is atomic: each request is
    /// answered by the old or by the new. Putting the configuration that was put last changes
    /// nothing.
    async fn put(&self, spec: &EndpointSpec) -> Result<()>;

    /// How an endpoint stands; none where there is none.
    async fn status(&self, name: &str) -> Result<Option<EndpointStatus>>;

    /// Removes an endpoint; no error where there is none.
    async fn delete(&self, name: &str) -> Result<()>;

    /// Asks the model. `NotFound` where there is no endpoint, `Unavailable` where none answers
    /// yet. Not captured.
    async fn invoke(&self, name: &str, content_type: &str, body: Bytes) -> Result<Reply>;
}
