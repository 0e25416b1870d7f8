//! What a person may look at.

use domain::key::prefix;
use domain::row::{Applied, ApprovalState, Check, Counts, Endpoint, Model, Run, RunState, Tuned};
use domain::trial::Trials;
use domain::{BlobPath, Digest, Envelope, Key, PipelineName, Time, limit};
use ports::http::{Request, Response};
use ports::{BlobsExt, Cx, Error, ErrorKind, RecordsExt};
use serde_json::{Value, json};

use crate::{Console, Granted, Refusal};

/// The largest blob that is answered in one piece.
const BLOB_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The most events of one answer.
const EVENTS_MAX: usize = 1_000;

/// Which of two checks is the later one. Several may be of the same moment: labels only ever come
/// to a window, so the one that knows more of them is later.
pub(crate) fn order(check: &Check) -> (Time, u64, u64) {
    (check.at, check.labelled, check.rows)
}

impl Console {
    /// Everything at a glance.
    pub(crate) async fn status(&self, cx: &Cx) -> Granted {
        let mut pipelines = Vec::new();
        for name in self.records.pipelines().await? {
            pipelines.push(self.summary(&name).await?);
        }
        Ok(Response::json(200, &json!({ "now": cx.now, "pipelines": pipelines })))
    }

    pub(crate) async fn pipelines(&self) -> Granted {
        let mut items = Vec::new();
        for name in self.records.pipelines().await? {
            items.push(self.summary(&name).await?);
        }
        Ok(Response::json(200, &json!({ "items": items })))
    }

    pub(crate) async fn pipeline(&self, name: &PipelineName) -> Granted {
        let applied = self.applied(name).await?.value;
        let summary = self.summary(name).await?;
        Ok(Response::json(200, &json!({ "summary": summary, "applied": applied })))
    }

    /// One pipeline in a few facts.
    pub(crate) async fn summary(&self, name: &PipelineName) -> Result<Value, Error> {
        let partition = Key::partition(name);
        let applied = self.records.need::<Applied>(&Key::of(name, prefix::PIPELINE)).await?.value;
        let counts = self.records.read::<Counts>(&Key::of(name, prefix::COUNTS)).await?;
        let counts = counts.map(|row| row.value).unwrap_or_default();
        let endpoint_key = Key::named(name, prefix::ENDPOINT, applied.spec.endpoint().as_str());
        let endpoint = self.records.read::<Endpoint>(&endpoint_key).await?.map(|row| row.value);
        let models = self.records.all::<Model>(&partition, prefix::MODEL).await?;
        let pending: Vec<u32> = models
            .iter()
            .filter(|(_, model)| model.value.approval == ApprovalState::Pending)
            .map(|(_, model)| model.value.version)
            .collect();
        let runs = self.records.all::<Run>(&partition, prefix::RUN).await?;
        let mut busy = Vec::new();
        for (_, run) in runs.iter().filter(|(_, run)| !run.value.state.is_over()) {
            let progress = self.progress(name, &run.value).await?;
            let (number, state) = (run.value.number, run.value.state.word());
            busy.push(json!({ "number": number, "state": state, "progress": progress }));
        }
        let checks = self.records.all::<Check>(&partition, prefix::CHECK).await?;
        let last = checks.iter().map(|(_, check)| &check.value).max_by_key(|check| order(check));
        Ok(json!({
            "name": name,
            "description": applied.spec.description,
            "revision": applied.revision,
            "parts": counts.parts,
            "runs": counts.runs,
            "versions": counts.versions,
            "champion": endpoint.as_ref().map(|endpoint| endpoint.champion),
            "endpoint": applied.spec.endpoint(),
            "pending": pending,
            "busy": busy,
            "held": self.held(name).await?.len(),
            "last_check": last.map(|check| json!({
                "verdict": check.verdict, "at": check.at, "version": check.version, "summary": check.summary,
            })),
        }))
    }

    /// How far the search of a run has come, in one sentence; none where it makes none.
    async fn progress(&self, name: &PipelineName, run: &Run) -> Result<Option<String>, Error> {
        if !matches!(run.state, RunState::Training { .. }) {
            return Ok(None);
        }
        match self.blobs.small(&BlobPath::run(name, &run.id, Tuned::FILE), limit::TRIALS_BYTES_MAX).await {
            Ok(bytes) => Ok(serde_json::from_slice::<Trials>(&bytes).ok().map(|trials| trials.progress())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All rows of one type.
    pub(crate) async fn list(&self, name: &PipelineName, collection: &str) -> Granted {
        self.applied(name).await?;
        let prefix = collection_prefix(collection)?;
        let rows = self.records.all::<Value>(&Key::partition(name), prefix).await?;
        let mut items: Vec<Value> = rows.into_iter().map(|(_, row)| row.value).collect();
        if matches!(collection, "uploads" | "runs" | "checks" | "deployments" | "labels") {
            // Their keys are digests; people read them in the order they happened.
            items.sort_by(|a, b| {
                a["at"].as_str().cmp(&b["at"].as_str()).then(a["number"].as_u64().cmp(&b["number"].as_u64()))
            });
        }
        Ok(Response::json(200, &json!({ "items": items })))
    }

    /// One row, by number or id.
    pub(crate) async fn one(&self, name: &PipelineName, collection: &str, id: &str) -> Granted {
        self.applied(name).await?;
        let prefix = collection_prefix(collection)?;
        let numbered = matches!(collection, "parts" | "models");
        let key = match (numbered, id.trim_start_matches('v').parse::<u64>()) {
            (true, Ok(number)) => Key::numbered(name, prefix, number),
            _ => Key::named(name, prefix, id),
        };
        if let Some(row) = self.records.get(&key).await? {
            return Ok(Response::json(200, &row.value));
        }
        // A run is named by a digest, but people count.
        if let ("runs", Ok(number)) = (collection, id.parse::<u64>()) {
            let runs = self.records.all::<Run>(&Key::partition(name), prefix).await?;
            if let Some((_, run)) = runs.into_iter().find(|(_, run)| run.value.number == number) {
                return Ok(Response::json(200, &run.value));
            }
        }
        Err(Refusal::Because(404, format!("{name} has no {id} among its {collection}")))
    }

    /// The ledger, from after a sequence number.
    pub(crate) async fn events(&self, name: &PipelineName, request: &Request) -> Granted {
        self.applied(name).await?;
        let after = parameter(request, "after")?.unwrap_or(0);
        let limit = parameter(request, "limit")?.unwrap_or(EVENTS_MAX as u64).min(EVENTS_MAX as u64) as usize;
        let partition = Key::partition(name);
        let mut cursor = Some(Key::numbered(name, prefix::EVENT, after).sort);
        let mut items = Vec::new();
        while let Some(after) = cursor {
            let page = self.records.list(&partition, prefix::EVENT, Some(&after)).await?;
            for record in page.records {
                let envelope: Envelope = serde_json::from_value(record.value).map_err(|error| {
                    Error::new(ErrorKind::Invalid, format!("read {}: not an event", record.key.sort))
                        .because(error)
                })?;
                let line = envelope.event.line(&envelope.actor);
                let subject = envelope.event.subject();
                let hash = envelope.hash();
                items.push(json!({ "line": line, "subject": subject, "hash": hash, "envelope": envelope }));
                if items.len() == limit {
                    return Ok(Response::json(200, &json!({ "items": items })));
                }
            }
            cursor = page.next;
        }
        Ok(Response::json(200, &json!({ "items": items })))
    }

    /// Whether the ledger is whole.
    pub(crate) async fn verify(&self, name: &PipelineName, request: &Request) -> Granted {
        self.applied(name).await?;
        let head = match request.query.get("head") {
            Some(text) => Some(anchored(text)?),
            None => None,
        };
        let verification = ports::ledger::verify(&*self.records, name, head).await?;
        for finding in &verification.findings {
            tracing::error!(invariant = "I-7", pipeline = %name, finding = %finding, "the chain is not whole");
        }
        Ok(Response::json(200, &verification))
    }

    /// A blob's bytes.
    pub(crate) async fn blob(&self, path: &str) -> Granted {
        let path = BlobPath::parse(path).map_err(|error| Refusal::Because(400, error))?;
        let body = self.blobs.small(&path, BLOB_BYTES_MAX).await?;
        let content_type = match path.file_name().rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("json") => "application/json",
            Some("csv" | "yaml") => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        };
        Ok(Response { status: 200, content_type: content_type.into(), body })
    }
}

fn collection_prefix(collection: &str) -> Result<&'static str, Refusal> {
    Ok(match collection {
        "uploads" => prefix::UPLOAD,
        "parts" => prefix::PART,
        "runs" => prefix::RUN,
        "models" => prefix::MODEL,
        "checks" => prefix::CHECK,
        "endpoints" => prefix::ENDPOINT,
        "deployments" => prefix::DEPLOYMENT,
        "labels" => prefix::LABELS,
        _ => {
            let known = "uploads, parts, runs, models, checks, endpoints, deployments, labels, events";
            return Err(Refusal::Because(
                404,
                format!("there is no collection {collection:?} (there are: {known})"),
            ));
        }
    })
}

pub(crate) fn parameter(request: &Request, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = request.query.get(name) else { return Ok(None) };
    let wrong = |_| Refusal::Because(400, format!("{name}: expected a number, found {text:?}"));
    text.parse().map(Some).map_err(wrong)
}

/// A head that was kept outside: `<sequence>:sha256:<hex>`.
fn anchored(text: &str) -> Result<(u64, Digest), Refusal> {
    let wrong = || Refusal::Because(400, format!("head: expected SEQUENCE:sha256:HEX, found {text:?}"));
    let (sequence, digest) = text.split_once(':').ok_or_else(wrong)?;
    Ok((sequence.parse().map_err(|_| wrong())?, digest.parse().map_err(|_| wrong())?))
}
