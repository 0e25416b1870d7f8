//! What a person may ask for: an upload, a run, an approval, a way back, a check.

use domain::key::prefix;
use domain::row::{Applied, ApprovalState, Endpoint, File, Labels, Model, Ticket};
use domain::{BlobPath, Digest, Event, Key, PipelineName, Time};
use engine::csv;
use engine::table::{Column, Kind, Schema};
use ports::handler::{Plan, id_of};
use ports::http::{Request, Response};
use ports::ledger::handled_key;
use ports::records::Typed;
use ports::{BlobsExt, Committed, Cx, RecordsExt, Write};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

use crate::decide::{is_approver, not_an_approver};
use crate::{Console, Granted, NAME, Refusal, may_approve, rollback_target};

/// What most requests say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Said {
    pub(crate) reason: String,
    binding: Option<Digest>,
    version: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedUpload {
    file: String,
    #[serde(default)]
    as_of: Option<Time>,
}

pub(crate) fn body<'a, T: Deserialize<'a>>(request: &'a Request) -> Result<T, Refusal> {
    let bytes: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::Because(400, format!("the request's JSON: {error}")))
}

impl Console {
    pub(crate) async fn applied(&self, pipeline: &PipelineName) -> Result<Typed<Applied>, Refusal> {
        let key = Key::of(pipeline, prefix::PIPELINE);
        let missing = || {
            let hint = "see `millrace status` for those there are, and `millrace apply` to declare one";
            Refusal::Because(404, format!("there is no pipeline {pipeline} ({hint})"))
        };
        self.records.read(&key).await?.ok_or_else(missing)
    }

    pub(crate) async fn model(&self, pipeline: &PipelineName, version: u32) -> Result<Typed<Model>, Refusal> {
        let key = Key::numbered(pipeline, prefix::MODEL, version.into());
        let missing = || Refusal::Because(404, format!("{pipeline} has no version {version}"));
        self.records.read(&key).await?.ok_or_else(missing)
    }

    /// A ticket for an upload: who sends what, and where the bytes go.
    pub(crate) async fn ticket(&self, cx: &Cx, pipeline: &PipelineName, request: &Request) -> Granted {
        let asked: AskedUpload = body(request)?;
        self.applied(pipeline).await?;
        let upload = id_of(&request.id, "upload");
        let path = BlobPath::incoming(pipeline, asked.as_of, &upload, &asked.file)
            .map_err(|error| Refusal::Because(400, format!("file name: {error}")))?;
        if asked.file.contains('/') {
            return Err(Refusal::Because(400, format!("file name: expected no '/', found {:?}", asked.file)));
        }
        let ticket = Ticket { file: asked.file, as_of: asked.as_of, by: request.actor.clone(), at: cx.now };
        let mut plan = Plan::caused(NAME, cx, &request.id, pipeline, "ticket");
        plan.write(Write::insert(Key::named(pipeline, prefix::TICKET, &upload), &ticket));
        plan.commit(&*self.records).await?;
        Ok(Response::json(201, &json!({ "upload": upload, "path": path })))
    }

    /// Asks for a run.
    pub(crate) async fn request_run(&self, cx: &Cx, pipeline: &PipelineName, request: &Request) -> Granted {
        let said: Said = body(request)?;
        self.applied(pipeline).await?;
        let reason = if said.reason.is_empty() { "no reason given".into() } else { said.reason };
        let mut plan = Plan::caused(NAME, cx, &request.id, pipeline, "run");
        plan.emit_as(Event::RetrainingRequested { reason }, request.actor.clone(), None);
        self.accept(plan).await
    }

    /// Asks for a drift check now.
    pub(crate) async fn request_check(&self, cx: &Cx, pipeline: &PipelineName, request: &Request) -> Granted {
        self.applied(pipeline).await?;
        let endpoints = self.records.list(&Key::partition(pipeline), prefix::ENDPOINT, None).await?;
        if endpoints.records.is_empty() {
            return Err(Refusal::Because(
                409,
                format!("{pipeline} serves no model yet, so there is no traffic to check"),
            ));
        }
        let mut plan = Plan::caused(NAME, cx, &request.id, pipeline, "drift");
        plan.emit_as(Event::DriftCheckRequested {}, request.actor.clone(), None);
        self.accept(plan).await
    }

    /// Lets a version into production.
    pub(crate) async fn approve(
        &self,
        cx: &Cx,
        pipeline: &PipelineName,
        version: u32,
        request: &Request,
    ) -> Granted {
        let said: Said = body(request)?;
        if self.was_accepted(cx, pipeline, request, "approve").await? {
            return Ok(accepted_before());
        }
        let applied = self.applied(pipeline).await?.value;
        let Typed { version: read, value: mut model } = self.model(pipeline, version).await?;
        may_approve(&request.actor, &applied, &model, said.binding)
            .map_err(|why| Refusal::Because(403, why))?;
        let (by, at, binding) = (request.actor.clone(), cx.now, model.binding);
        model.approval = ApprovalState::Approved { by, at, binding };
        let mut plan = Plan::caused(NAME, cx, &request.id, pipeline, "approve");
        plan.write(Write::update(Key::numbered(pipeline, prefix::MODEL, version.into()), read, &model));
        let event = Event::ModelApproved { version, binding, reason: said.reason };
        plan.emit_as(event, request.actor.clone(), None);
        self.accept(plan).await
    }

    /// Turns a version down.
    pub(crate) async fn reject(
        &self,
        cx: &Cx,
        pipeline: &PipelineName,
        version: u32,
        request: &Request,
    ) -> Granted {
        let said: Said = body(request)?;
        if said.reason.is_empty() {
            return Err(Refusal::Because(400, "say why the version is rejected (--reason)".into()));
        }
        if self.was_accepted(cx, pipeline, request, "reject").await? {
            return Ok(accepted_before());
        }
        let applied = self.applied(pipeline).await?.value;
        let Typed { version: read, value: mut model } = self.model(pipeline, version).await?;
        may_approve(&request.actor, &applied, &model, said.binding)
            .map_err(|why| Refusal::Because(403, why))?;
        let (by, at, reason) = (request.actor.clone(), cx.now, said.reason.clone());
        model.approval = ApprovalState::Rejected { by, at, reason };
        let mut plan = Plan::caused(NAME, cx, &request.id, pipeline, "reject");
        plan.write(Write::update(Key::numbered(pipeline, prefix::MODEL, version.into()), read, &model));
        let event =
            Event::ModelRejected { run: model.run.clone(), version: Some(version), reason: said.reason };
        plan.emit_as(event, request.actor.clone(), None);
        self.accept(plan).await
    }

    /// Asks for an approved version to serve again.
    pub(crate) async fn rollback(&self, cx: &Cx, pipeline: &PipelineName, request: &Request) -> Granted {
        let said: Said = body(request)?;
        if self.was_accepted(cx, pipeline, request, "rollback").await? {
            return Ok(accepted_before());
        }
        let applied = self.applied(pipeline).await?.value;
        if !is_approver(&request.actor, &applied) {
            return Err(Refusal::Because(403, not_an_approver(&request.actor, &applied)));
        }
        let endpoint = applied.spec.endpoint().to_string();
        let row: Option<Typed<Endpoint>> =
            self.records.read(&Key::named(pipeline, prefix::ENDPOINT, &endpoint)).await?;
        let Some(row) = row else {
            return Err(Refusal::Because(409, format!("{endpoint} serves nothing yet")));
        };
        let asked = said.version.or(row.value.previous);
        let state = match asked {
            Some(version) => {
                let key = Key::numbered(pipeline, prefix::MODEL, version.into());
                self.records.read::<Model>(&key).await?.map(|model| model.value.approval)
            }
            None => None,
        };
        let version = rollback_target(&row.value, asked, |_| state.clone())
            .map_err(|why| Refusal::Because(409, why))?;
        let mut plan = Plan::caused(NAME, cx, &request.id, pipeline, "rollback");
        let event = Event::RollbackRequested { endpoint, version, reason: said.reason };
        plan.emit_as(event, request.actor.clone(), None);
        self.accept(plan).await
    }

    /// Takes the truth about earlier predictions: CSV with header `inference_id,label`.
    pub(crate) async fn labels(&self, cx: &Cx, pipeline: &PipelineName, request: &Request) -> Granted {
        self.applied(pipeline).await?;
        let schema = Arc::new(Schema::of([("inference_id", Kind::Text), ("label", Kind::Text)]));
        let batch = csv::read_all("labels", &schema, &request.body)
            .map_err(|problem| Refusal::Faults(vec![problem]))?;
        for (name, column) in ["inference_id", "label"].iter().zip(batch.columns()) {
            let Column::Text(values) = column else { unreachable!("the schema says text") };
            if let Some(row) = values.iter().position(Option::is_none) {
                let problem = domain::Problem::new("labels", "required").field(*name).found("nothing");
                return Err(Refusal::Faults(vec![problem.expected(format!("a value in row {}", row + 1))]));
            }
        }
        if batch.rows() == 0 {
            return Err(Refusal::Because(422, "labels: there is no row below the header".into()));
        }
        let digest = Digest::of(&request.body);
        let key = Key::named(pipeline, prefix::LABELS, &digest.short());
        let rows = batch.rows() as u64;
        if self.records.get(&key).await?.is_some() {
            return Ok(Response::json(200, &json!({ "rows": rows, "labels": digest, "received": "before" })));
        }
        let file: File = self.blobs.put(&BlobPath::labels(pipeline, &digest), &request.body).await?;
        let mut plan = Plan::caused(NAME, cx, &request.id, pipeline, "labels");
        plan.write(Write::insert(
            key,
            &Labels { file: file.clone(), rows, by: request.actor.clone(), at: cx.now },
        ));
        plan.emit_as(Event::LabelsReceived { labels: file, rows }, request.actor.clone(), None);
        plan.commit(&*self.records).await?;
        Ok(Response::json(202, &json!({ "rows": rows, "labels": digest, "received": "now" })))
    }

    /// Commits what a person asked for; a repeat of the same request is harmless.
    pub(crate) async fn accept(&self, plan: Plan) -> Granted {
        Ok(accepted(plan.commit(&*self.records).await?))
    }

    /// Whether this very request was accepted before. Whoever did not hear the answer asks again
    /// under the same id, and is to hear the same, though what it changed would refuse it now.
    pub(crate) async fn was_accepted(
        &self,
        cx: &Cx,
        pipeline: &PipelineName,
        request: &Request,
        step: &str,
    ) -> Result<bool, Refusal> {
        let commit = Plan::caused(NAME, cx, &request.id, pipeline, step).into_commit();
        Ok(self.records.get(&handled_key(pipeline, &commit.id)).await?.is_some())
    }
}

/// What is answered to a request that was accepted before.
pub(crate) fn accepted_before() -> Response {
    accepted(Committed::Before)
}

fn accepted(committed: Committed) -> Response {
    Response::json(202, &json!({ "accepted": true, "repeated": committed == Committed::Before }))
}
