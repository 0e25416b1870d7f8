//! Which rows and small files a judgement reads, and where they stand.

use domain::key::prefix;
use domain::row::{Applied, Endpoint, File, Model, Run, Served};
use domain::{BlobPath, Digest, Key, PipelineName};
use engine::features::Features;
use ports::records::Typed;
use ports::{Blobs, BlobsExt, Error, ErrorKind, Records, RecordsExt, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Stop;
use crate::naive::Naive;

/// A selection's manifest or a baseline: some kilobytes a part or a column.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A run whose withheld rows are being predicted (`waiting/register/<run>`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The run.
    pub run: String,
    /// The story it belongs to.
    pub correlation: String,
    /// The candidate's predictions.
    pub candidate: Ask,
    /// The champion's predictions, where there is one to compare with.
    pub champion: Option<Ask>,
    /// The candidate's predictions of rows with one column shuffled, where they are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffled: Option<Ask>,
    /// The champion's version.
    pub version: Option<u32>,
    /// The truth of the rows predicted: CSV with a header, column `truth`.
    pub truth: File,
    /// Rows predicted.
    pub rows: u64,
    /// Rows withheld.
    pub withheld: u64,
    /// What people must know of the comparison.
    pub note: Option<String>,
    /// What a guess without a model knows.
    pub naive: Naive,
}

/// One model's predictions: made by a job, kept by what predicted and what was predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The job's name.
    pub job: String,
    /// The run whose model predicts.
    pub run: String,
    /// The model.
    pub artifact: File,
    /// The rows: CSV without header.
    pub input: File,
    /// Where the predictions go.
    pub output: BlobPath,
}

impl Ask {
    /// The predictions of a run's model for an input.
    pub fn new(pipeline: &PipelineName, run: &str, artifact: &File, input: &File) -> Ask {
        let identity = Digest::of_parts(&[&artifact.digest.hex(), &input.digest.hex()]);
        Ask {
            job: format!("{pipeline}-predict-{}", identity.short()),
            run: run.to_owned(),
            artifact: artifact.clone(),
            input: input.clone(),
            output: BlobPath::prediction(pipeline, &artifact.digest, &input.digest),
        }
    }
}

impl Waiting {
    /// The predictions waited for.
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.judged().chain(&self.shuffled)
    }

    /// The predictions without which nothing can be judged.
    pub fn judged(&self) -> impl Iterator<Item = &Ask> {
        std::iter::once(&self.candidate).chain(&self.champion)
    }

    /// Whether a job is among those waited for.
    pub fn asks_for(&self, job: &str) -> bool {
        self.asks().any(|ask| ask.job == job)
    }
}

/// The champion with everything a comparison needs of it.
pub(crate) struct Champion {
    pub(crate) model: Model,
    pub(crate) run: Run,
    pub(crate) served: Served,
    pub(crate) features: Features,
}

pub(crate) fn waiting_key(pipeline: &PipelineName, run: &str) -> Key {
    Key::waiting(pipeline, "register", run)
}

pub(crate) fn run_key(pipeline: &PipelineName, run: &str) -> Key {
    Key::named(pipeline, prefix::RUN, run)
}

pub(crate) fn model_key(pipeline: &PipelineName, version: u32) -> Key {
    Key::numbered(pipeline, prefix::MODEL, u64::from(version))
}

pub(crate) async fn run(records: &dyn Records, pipeline: &PipelineName, id: &str) -> Result<Typed<Run>> {
    records.need(&run_key(pipeline, id)).await
}

pub(crate) async fn applied(records: &dyn Records, pipeline: &PipelineName) -> Result<Applied> {
    Ok(records.need::<Applied>(&Key::of(pipeline, prefix::PIPELINE)).await?.value)
}

/// A small JSON file of ours.
pub(crate) async fn document<T: DeserializeOwned>(blobs: &dyn Blobs, path: &BlobPath) -> Result<T> {
    let bytes = blobs.small(path, DOCUMENT_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("read {path}: not of its type")).because(error)
    })
}

/// A run's compiled features.
pub(crate) async fn features(blobs: &dyn Blobs, file: &File) -> std::result::Result<Features, Stop> {
    let bytes = blobs.small(&file.path, DOCUMENT_BYTES_MAX).await?;
    Features::from_json(&bytes).map_err(|problems| {
        Stop::Reject(problems.first().map_or_else(|| "features.json is empty".into(), ToString::to_string))
    })
}

/// What is needed to serve a run's model.
pub(crate) async fn served(blobs: &dyn Blobs, pipeline: &PipelineName, run: &str) -> Result<Served> {
    document(blobs, &BlobPath::run(pipeline, run, Served::FILE)).await
}

/// The version that serves now, if any.
pub(crate) async fn champion(
    records: &dyn Records,
    blobs: &dyn Blobs,
    pipeline: &PipelineName,
    endpoint: &str,
) -> std::result::Result<Option<Champion>, Stop> {
    let key = Key::named(pipeline, prefix::ENDPOINT, endpoint);
    let Some(endpoint) = records.read::<Endpoint>(&key).await? else { return Ok(None) };
    let model = records.need::<Model>(&model_key(pipeline, endpoint.value.champion)).await?.value;
    let run = run(records, pipeline, &model.run).await?.value;
    let served = served(blobs, pipeline, &model.run).await?;
    let features = features(blobs, &model.features).await?;
    Ok(Some(Champion { model, run, served, features }))
}
