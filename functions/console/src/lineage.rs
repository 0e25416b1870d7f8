//! What a version is made of, and the other way round: what came of a part, and what is behind a
//! prediction?

use std::collections::BTreeMap;

use domain::key::prefix;
use domain::row::{Deployment, Part, Run, RunState, Upload};
use domain::{BlobPath, Envelope, Event, Key, PipelineName, Time, limit};
use ports::http::Response;
use ports::{Cx, Error, RecordsExt};
use serde_json::{Value, json};

use crate::read::order;
use crate::{Console, Granted, Refusal};

/// Days of captured traffic that are looked through for one prediction: a quarter, within which
/// labels and complaints come.
const PREDICTION_DAYS: i64 = 92;

/// A captured line longer than this is no request: two of the largest bodies, escaped.
const LINE_BYTES_MAX: usize = 4 * limit::INVOCATION_BYTES_MAX;

/// What a run that selected a part came to.
pub(crate) struct Learned {
    pub(crate) run: Run,
    pub(crate) version: Option<u32>,
}

impl Console {
    /// A part, or a refusal that says that there is none.
    pub(crate) async fn part(&self, name: &PipelineName, number: u64) -> Result<Part, Refusal> {
        let missing = || Refusal::Because(404, format!("{name} has no part {number}"));
        let key = Key::numbered(name, prefix::PART, number);
        Ok(self.records.read::<Part>(&key).await?.ok_or_else(missing)?.value)
    }

    /// The parts that a run learned from, each with the upload that it came with.
    pub(crate) async fn selected(
        &self,
        name: &PipelineName,
        run: &Run,
    ) -> Result<Vec<(Part, Option<Upload>)>, Error> {
        let mut parts = Vec::new();
        for number in &run.parts {
            let part = self.records.need::<Part>(&Key::numbered(name, prefix::PART, *number)).await?.value;
            let upload = self.records.read::<Upload>(&Key::named(name, prefix::UPLOAD, &part.upload)).await?;
            parts.push((part, upload.map(|row| row.value)));
        }
        Ok(parts)
    }

    /// Everything a version is made of.
    pub(crate) async fn lineage(&self, name: &PipelineName, version: u32) -> Granted {
        let model = self.model(name, version).await?.value;
        let run = self.records.need::<Run>(&Key::named(name, prefix::RUN, &model.run)).await?.value;
        let parts: Vec<Value> = (self.selected(name, &run).await?.into_iter())
            .map(|(part, upload)| {
                json!({
                    "number": part.number, "digest": part.digest, "rows": part.rows, "as_of": part.as_of,
                    "file": upload.as_ref().map(|upload| upload.file.clone()),
                    "by": upload.as_ref().map(|upload| upload.by.clone()),
                })
            })
            .collect();
        let facts: BTreeMap<&str, Value> = BTreeMap::from([
            ("version", json!(model.version)),
            ("approval", json!(model.approval)),
            ("binding", json!(model.binding)),
            ("lineage", json!(model.lineage)),
            ("metrics", json!(model.metrics)),
            ("report", json!(model.report)),
            (
                "run",
                json!({ "id": run.id, "number": run.number, "reason": run.reason, "by": run.by, "at": run.at }),
            ),
            ("parts", json!(parts)),
        ]);
        Ok(Response::json(200, &facts))
    }

    /// The runs that selected a part, in order, and the versions that came of them.
    pub(crate) async fn learned_from(&self, name: &PipelineName, part: u64) -> Result<Vec<Learned>, Error> {
        let runs = self.records.all::<Run>(&Key::partition(name), prefix::RUN).await?;
        let mut learned: Vec<Learned> = (runs.into_iter())
            .map(|(_, row)| row.value)
            .filter(|run| run.parts.contains(&part))
            .map(|run| {
                let version = match run.state {
                    RunState::Registered { version } => Some(version),
                    _ => None,
                };
                Learned { run, version }
            })
            .collect();
        learned.sort_by_key(|learned| learned.run.number);
        Ok(learned)
    }

    /// Which runs and versions saw a part.
    pub(crate) async fn part_lineage(&self, name: &PipelineName, number: u64) -> Granted {
        let part = self.part(name, number).await?;
        let runs: Vec<Value> = (self.learned_from(name, number).await?.into_iter())
            .map(|Learned { run, version }| {
                json!({ "number": run.number, "id": run.id, "state": run.state.word(), "version": version,
                    "reason": run.reason, "by": run.by, "at": run.at })
            })
            .collect();
        let versions: Vec<&Value> =
            runs.iter().map(|run| &run["version"]).filter(|version| !version.is_null()).collect();
        Ok(Response::json(200, &json!({ "part": part, "versions": versions, "runs": runs })))
    }

    /// What is behind one answer of an endpoint: when it was given, by which version, and what
    /// that version is made of.
    pub(crate) async fn prediction(&self, cx: &Cx, name: &PipelineName, id: &str) -> Granted {
        let endpoint = self.applied(name).await?.value.spec.endpoint().clone();
        let Some(found) = self.captured(cx, endpoint.as_str(), id).await? else {
            let told = format!(
                "{endpoint} was not asked anything under the inference id {id:?} in the last {PREDICTION_DAYS} days, or did not capture it"
            );
            return Err(Refusal::Because(404, told));
        };
        let version = match self.version_of(name, &found).await? {
            Some(version) => version,
            None => {
                let told = format!("{}: no version served at {}", found.path, found.at);
                return Err(Refusal::Because(404, told));
            }
        };
        let lineage = self.lineage(name, version).await?;
        let lineage: Value = serde_json::from_slice(&lineage.body).unwrap_or_default();
        let answer = json!({
            "inference_id": id, "at": found.at, "endpoint": endpoint, "version": version,
            "captured": found.line["captureData"], "path": found.path, "lineage": lineage,
        });
        Ok(Response::json(200, &answer))
    }

    /// Looks through captured traffic, newest day first, for the request of an id.
    async fn captured(&self, cx: &Cx, endpoint: &str, id: &str) -> Result<Option<Found>, Error> {
        let needle = serde_json::to_string(id).unwrap_or_default();
        for back in 0..PREDICTION_DAYS {
            let day = cx.now.plus(-back * Time::DAY);
            let hour = BlobPath::capture_hour(endpoint, day);
            let Some((of_day, _)) = hour.as_str().rsplit_once('/') else { continue };
            let (prefix, mut after) = (format!("{of_day}/"), None);
            loop {
                let page = self.blobs.list(&prefix, after.as_ref()).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.path.clone());
                for blob in page {
                    if let Some(found) = self.captured_in(&blob.path, &needle, id).await? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
    }

    async fn captured_in(&self, path: &BlobPath, needle: &str, id: &str) -> Result<Option<Found>, Error> {
        let (mut from, mut held) = (0, Vec::new());
        loop {
            let chunk = self.blobs.range(path, from, limit::CHUNK_BYTES as u64).await?;
            from += chunk.len() as u64;
            let is_end = chunk.is_empty();
            held.extend_from_slice(&chunk);
            if is_end {
                held.push(b'\n');
            }
            let whole = held.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            for line in held[..whole].split(|&byte| byte == b'\n') {
                // Most lines are others', so the text is looked at before it is understood.
                let text = std::str::from_utf8(line).unwrap_or_default();
                if text.contains(needle)
                    && let Some(found) = Found::read(path, text, id)
                {
                    return Ok(Some(found));
                }
            }
            held.drain(..whole);
            if held.len() > LINE_BYTES_MAX {
                held.clear();
            }
            if is_end {
                return Ok(None);
            }
        }
    }

    /// The version that gave an answer: a capture's file is named by the deployment that brought
    /// it; where it is not, as on AWS, the last version that was deployed before.
    async fn version_of(&self, name: &PipelineName, found: &Found) -> Result<Option<u32>, Error> {
        let deployment = found.path.file_name().trim_end_matches(".jsonl");
        let key = Key::named(name, prefix::DEPLOYMENT, deployment);
        if let Some(row) = self.records.read::<Deployment>(&key).await? {
            return Ok(Some(row.value.version));
        }
        let events = self.records.all::<Envelope>(&Key::partition(name), prefix::EVENT).await?;
        let deployed = events.into_iter().filter(|(_, event)| event.value.at <= found.at);
        Ok(deployed.fold(None, |before, (_, event)| match event.value.event {
            Event::ModelDeployed { version, .. } => Some(version),
            _ => before,
        }))
    }

    /// The checks of a version's traffic, oldest first.
    pub(crate) async fn checks_of(
        &self,
        name: &PipelineName,
        version: Option<u32>,
    ) -> Result<Vec<domain::row::Check>, Error> {
        let rows = self.records.all::<domain::row::Check>(&Key::partition(name), prefix::CHECK).await?;
        let mut checks: Vec<domain::row::Check> = (rows.into_iter())
            .map(|(_, row)| row.value)
            .filter(|check| version.is_none_or(|version| check.version == version))
            .collect();
        checks.sort_by_key(order);
        Ok(checks)
    }
}

/// A captured request.
struct Found {
    path: BlobPath,
    at: Time,
    line: Value,
}

impl Found {
    fn read(path: &BlobPath, text: &str, id: &str) -> Option<Found> {
        let line: Value = serde_json::from_str(text).ok()?;
        let metadata = &line["eventMetadata"];
        if metadata["inferenceId"].as_str() != Some(id) {
            return None;
        }
        let at = metadata["inferenceTime"].as_str()?.parse().ok()?;
        Some(Found { path: path.clone(), at, line })
    }
}
