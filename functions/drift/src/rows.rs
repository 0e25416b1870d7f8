//! Which rows and small files a check reads, and where they stand.

use domain::key::prefix;
use domain::row::{Applied, Endpoint, Labels, Model, Served};
use domain::{BlobPath, Key, PipelineName};
use engine::baseline::Baseline;
use engine::features::Features;
use ports::{Blobs, BlobsExt, Error, ErrorKind, Records, RecordsExt, Result};

/// Features and baselines are some kilobytes a column.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What serves, with everything a check needs of it.
pub(crate) struct Serving {
    pub(crate) applied: Applied,
    pub(crate) endpoint: Endpoint,
    pub(crate) model: Model,
}

/// What the version was trained on.
pub(crate) struct Reference {
    pub(crate) served: Served,
    pub(crate) features: Features,
    pub(crate) baseline: Baseline,
}

pub(crate) fn check_key(pipeline: &PipelineName, id: &str) -> Key {
    Key::named(pipeline, prefix::CHECK, id)
}

pub(crate) fn cursor_key(pipeline: &PipelineName) -> Key {
    Key::named(pipeline, prefix::CURSOR, "drift")
}

/// What serves now, if anything does.
pub(crate) async fn serving(records: &dyn Records, pipeline: &PipelineName) -> Result<Option<Serving>> {
    let Some(applied) = records.read::<Applied>(&Key::of(pipeline, prefix::PIPELINE)).await? else {
        return Ok(None);
    };
    let key = Key::named(pipeline, prefix::ENDPOINT, applied.value.spec.endpoint().as_str());
    let Some(endpoint) = records.read::<Endpoint>(&key).await? else { return Ok(None) };
    let version = u64::from(endpoint.value.champion);
    let model = records.need::<Model>(&Key::numbered(pipeline, prefix::MODEL, version)).await?;
    Ok(Some(Serving { applied: applied.value, endpoint: endpoint.value, model: model.value }))
}

/// All labels that have come.
pub(crate) async fn labels(records: &dyn Records, pipeline: &PipelineName) -> Result<Vec<Labels>> {
    let rows = records.all::<Labels>(&Key::partition(pipeline), prefix::LABELS).await?;
    Ok(rows.into_iter().map(|(_, row)| row.value).collect())
}

/// What the version was trained on, and how it is asked.
pub(crate) async fn reference(
    blobs: &dyn Blobs,
    pipeline: &PipelineName,
    model: &Model,
) -> Result<Reference> {
    let wrong = |what: String| Error::new(ErrorKind::Invalid, what);
    let path = BlobPath::run(pipeline, &model.run, Served::FILE);
    let bytes = blobs.small(&path, DOCUMENT_BYTES_MAX).await?;
    let served = serde_json::from_slice(&bytes).map_err(|error| wrong(format!("{path}: {error}")))?;
    let bytes = blobs.small(&model.features.path, DOCUMENT_BYTES_MAX).await?;
    let features = Features::from_json(&bytes)
        .map_err(|problems| wrong(problems.first().map(ToString::to_string).unwrap_or_default()))?;
    let bytes = blobs.small(&model.baseline.path, DOCUMENT_BYTES_MAX).await?;
    let baseline =
        Baseline::read(model.baseline.path.as_str(), &bytes).map_err(|problem| wrong(problem.to_string()))?;
    Ok(Reference { served, features, baseline })
}
