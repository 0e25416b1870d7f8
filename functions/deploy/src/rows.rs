//! Which rows a deployment reads, and where they stand.

use domain::key::prefix;
use domain::row::{Applied, Deployment, Endpoint, Model, Served};
use domain::{BlobPath, Key, PipelineName, Time, limit};
use ports::endpoints::Capture;
use ports::records::Typed;
use ports::{Blobs, BlobsExt, EndpointSpec, Error, ErrorKind, ProgramSpec, Records, RecordsExt, Result};
use serde::{Deserialize, Serialize};

use crate::decide::Queue;

/// A deployment that is not over (`waiting/deploy/<deployment>`), with how far it is. One that
/// waits for its turn is here alone: it becomes a fact with the event that begins it or puts
/// another in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The deployment, and how far it is.
    pub deployment: Deployment,
    /// The story it belongs to.
    pub correlation: String,
    /// When it began; none while it waits for its turn.
    pub begun: Option<Time>,
}

/// Under which name a version is brought up to be tried: unique for each deployment, at most
/// 32 + 1 + 12 characters.
pub fn staging(endpoint: &str, deployment: &str) -> String {
    format!("{endpoint}-{deployment}")
}

/// Where the queue stands.
pub(crate) fn queue_key(pipeline: &PipelineName) -> Key {
    Key::named(pipeline, prefix::CURSOR, "deploy")
}

pub(crate) fn deployment_key(pipeline: &PipelineName, id: &str) -> Key {
    Key::named(pipeline, prefix::DEPLOYMENT, id)
}

pub(crate) fn endpoint_key(pipeline: &PipelineName, name: &str) -> Key {
    Key::named(pipeline, prefix::ENDPOINT, name)
}

pub(crate) fn waiting_key(pipeline: &PipelineName, id: &str) -> Key {
    Key::waiting(pipeline, "deploy", id)
}

/// The queue with its version; empty at first.
pub(crate) async fn queue(records: &dyn Records, pipeline: &PipelineName) -> Result<(Option<u64>, Queue)> {
    let row = records.read::<Queue>(&queue_key(pipeline)).await?;
    Ok(row.map_or((None, Queue::default()), |row| (Some(row.version), row.value)))
}

pub(crate) async fn model(
    records: &dyn Records,
    pipeline: &PipelineName,
    version: u32,
) -> Result<Option<Model>> {
    let key = Key::numbered(pipeline, prefix::MODEL, u64::from(version));
    Ok(records.read::<Model>(&key).await?.map(|row| row.value))
}

pub(crate) async fn endpoint(
    records: &dyn Records,
    pipeline: &PipelineName,
    name: &str,
) -> Result<Option<Typed<Endpoint>>> {
    records.read(&endpoint_key(pipeline, name)).await
}

pub(crate) async fn deployment(
    records: &dyn Records,
    pipeline: &PipelineName,
    id: &str,
) -> Result<Option<Typed<Deployment>>> {
    records.read(&deployment_key(pipeline, id)).await
}

/// The endpoint's name, as declared now.
pub(crate) async fn endpoint_name(records: &dyn Records, pipeline: &PipelineName) -> Result<String> {
    let applied = records.need::<Applied>(&Key::of(pipeline, prefix::PIPELINE)).await?;
    Ok(applied.value.spec.endpoint().to_string())
}

/// A version as an endpoint is asked to serve it.
pub(crate) async fn spec(
    blobs: &dyn Blobs,
    pipeline: &PipelineName,
    model: &Model,
    name: String,
    config: &str,
    capture: Capture,
) -> Result<EndpointSpec> {
    let path = BlobPath::run(pipeline, &model.run, Served::FILE);
    let bytes = blobs.small(&path, limit::CONFIG_BYTES_MAX).await?;
    let served: Served = serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("read {path}: not of its type")).because(error)
    })?;
    Ok(EndpointSpec {
        name,
        config: config.to_owned(),
        program: ProgramSpec::of(&served.program, &served.files),
        artifact: model.artifact.path.clone(),
        capture,
    })
}
