//! Which rows and small files a run is planned from, and where they stand.

use domain::key::prefix;
use domain::pipeline::Trigger;
use domain::row::{Applied, Ask, Counts, Part, Run, Upload};
use domain::{Actor, BlobPath, Envelope, Key, PipelineName, Time};
use ports::handler::id_of;
use ports::records::Typed;
use ports::{Blobs, BlobsExt, Error, ErrorKind, Records, RecordsExt, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A selection's manifest or compiled features: some hundred bytes a part or a column.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A person asks.
pub(crate) fn asked_by_request(envelope: &Envelope, reason: &str) -> Ask {
    Ask { reason: reason.to_owned(), ..asked(envelope, Trigger::Request, envelope.actor.clone()) }
}

/// A part was accepted: whoever uploaded it has a hand in what is learned from it.
pub(crate) fn asked_by_data(envelope: &Envelope, uploader: Option<Actor>) -> Ask {
    asked(envelope, Trigger::Data, uploader.unwrap_or_else(|| envelope.actor.clone()))
}

/// A check found drift. `cycle` is the detection's: it counts the run it asks for already.
pub(crate) fn asked_by_drift(envelope: &Envelope, cycle: u32, summary: &str) -> Ask {
    let ask = asked(envelope, Trigger::Drift, Actor::function("drift"));
    Ask { cycle, reason: summary.to_owned(), ..ask }
}

/// The declared time has passed since the newest run. Every tick that finds it so asks with the
/// same cause.
pub(crate) fn asked_by_schedule(pipeline: &PipelineName, newest: Option<&Run>, now: Time) -> Ask {
    let cause = id_of(pipeline.as_str(), &format!("schedule after {:?}", newest.map(|run| &run.id)));
    Ask {
        trigger: Trigger::Schedule,
        correlation: cause.clone(),
        cause,
        by: Actor::function("train"),
        cycle: 0,
        at: now,
        reason: String::new(),
        waits: String::new(),
        held: None,
        lifted: None,
    }
}

fn asked(envelope: &Envelope, trigger: Trigger, by: Actor) -> Ask {
    Ask {
        trigger,
        cause: envelope.id.clone(),
        correlation: envelope.correlation.clone(),
        by,
        cycle: 0,
        at: envelope.at,
        reason: String::new(),
        waits: String::new(),
        held: None,
        lifted: None,
    }
}

/// The id of the run that something asks for.
pub(crate) fn run_of(ask: &Ask, pipeline: &PipelineName) -> String {
    id_of(&ask.cause, &format!("run of {pipeline}"))
}

/// A run that is not over (`waiting/train/run-<id>`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The run.
    pub run: String,
    /// The story it belongs to.
    pub correlation: String,
    /// The declaration it was planned under: a later one does not change it.
    pub applied: Applied,
}

fn word(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Data => "data",
        Trigger::Drift => "drift",
        Trigger::Schedule => "schedule",
        Trigger::Request => "request",
    }
}

/// Where something that asks for a run waits. The newest of its trigger stands for the earlier ones,
/// but what one person asked for is not what another did.
pub(crate) fn ask_key(pipeline: &PipelineName, ask: &Ask) -> Key {
    let mut key = Ask::waiting(pipeline);
    key.sort.push_str(word(ask.trigger));
    if ask.trigger == Trigger::Request {
        key.sort.push_str(&format!("-{}", run_of(ask, pipeline)));
    }
    key
}

pub(crate) fn planned_key(pipeline: &PipelineName, run: &str) -> Key {
    Key::waiting(pipeline, "train", &format!("run-{run}"))
}

pub(crate) fn run_key(pipeline: &PipelineName, run: &str) -> Key {
    Key::named(pipeline, prefix::RUN, run)
}

/// The declaration, if there is one.
pub(crate) async fn applied(records: &dyn Records, pipeline: &PipelineName) -> Result<Option<Applied>> {
    let row = records.read::<Applied>(&Key::of(pipeline, prefix::PIPELINE)).await?;
    Ok(row.map(|row| row.value))
}

/// Who uploaded something, where that is recorded.
pub(crate) async fn uploader(
    records: &dyn Records,
    pipeline: &PipelineName,
    upload: &str,
) -> Result<Option<Actor>> {
    let row = records.read::<Upload>(&Key::named(pipeline, prefix::UPLOAD, upload)).await?;
    Ok(row.map(|row| row.value.by))
}

/// Everything that waits under a name that begins with `prefix`.
pub(crate) async fn waiting<T: DeserializeOwned + Send>(
    records: &dyn Records,
    pipeline: &PipelineName,
    prefix: &str,
) -> Result<Vec<T>> {
    let prefix = Key::waiting(pipeline, "train", prefix).sort;
    let rows = records.all::<T>(&Key::partition(pipeline), &prefix).await?;
    Ok(rows.into_iter().map(|(_, row)| row.value).collect())
}

/// All runs, in order of their numbers.
pub(crate) async fn runs(records: &dyn Records, pipeline: &PipelineName) -> Result<Vec<Run>> {
    let rows = records.all::<Run>(&Key::partition(pipeline), prefix::RUN).await?;
    let mut runs: Vec<Run> = rows.into_iter().map(|(_, row)| row.value).collect();
    runs.sort_by_key(|run| run.number);
    Ok(runs)
}

/// Numbers given out so far.
pub(crate) async fn counts(records: &dyn Records, pipeline: &PipelineName) -> Result<(Option<u64>, Counts)> {
    let row = records.read::<Counts>(&Key::of(pipeline, prefix::COUNTS)).await?;
    Ok(row.map_or((None, Counts::default()), |row| (Some(row.version), row.value)))
}

/// The newest accepted parts, at most `window` of them, in order of their numbers.
pub(crate) async fn newest_parts(
    records: &dyn Records,
    pipeline: &PipelineName,
    counts: Counts,
    window: usize,
) -> Result<Vec<Part>> {
    let partition = Key::partition(pipeline);
    // Parts are numbered without gaps, so the listing can begin where the window does.
    let before = counts.parts.saturating_sub(window as u64);
    let mut after = Some(Key::numbered(pipeline, prefix::PART, before).sort);
    let mut parts: Vec<Part> = Vec::new();
    while let Some(from) = after {
        let page = records.list(&partition, prefix::PART, Some(&from)).await?;
        for record in page.records {
            let what = || format!("read {partition}/{}: not of its type", record.key.sort);
            let part = serde_json::from_value(record.value)
                .map_err(|error| Error::new(ErrorKind::Invalid, what()).because(error))?;
            parts.push(part);
        }
        after = page.next;
    }
    let surplus = parts.len().saturating_sub(window);
    Ok(parts.split_off(surplus))
}

/// A run, if there is one of this id.
pub(crate) async fn run(
    records: &dyn Records,
    pipeline: &PipelineName,
    id: &str,
) -> Result<Option<Typed<Run>>> {
    records.read(&run_key(pipeline, id)).await
}

/// A small JSON file of ours.
pub(crate) async fn document<T: DeserializeOwned>(blobs: &dyn Blobs, path: &BlobPath) -> Result<T> {
    let bytes = blobs.small(path, DOCUMENT_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("read {path}: not of its type")).because(error)
    })
}
