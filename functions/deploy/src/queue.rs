//! Whose turn it is: a demand begins, waits, gives way, or is refused; and the next one begins.

use domain::row::{Deployment, DeploymentState};
use domain::{Actor, Event, Input, PipelineName};
use ports::handler::{Plan, decide_again, id_of};
use ports::{Error, Fault, Handler as _, Handling, RecordsExt, Write};
use tracing::info;

use crate::Deploy;
use crate::decide::{self, Demand, Place};
use crate::rows::{self, Waiting};

impl Deploy {
    /// The deployment in flight, with its endpoint.
    pub(crate) async fn in_flight(&self, pipeline: &PipelineName) -> Result<Option<(String, String)>, Fault> {
        let (_, queue) = rows::queue(&*self.records, pipeline).await?;
        let Some(id) = queue.in_flight else { return Ok(None) };
        let deployment = rows::deployment(&*self.records, pipeline, &id).await?;
        Ok(deployment.map(|row| (id, row.value.endpoint)))
    }

    /// Answers an approval or a rollback.
    pub(crate) async fn request(
        &self,
        handling: Handling<'_>,
        demand: Demand,
        by: &Actor,
    ) -> Result<(), Fault> {
        let id = id_of(&handling.input.id(), "deployment");
        let mut attempt = 0;
        while let Err(error) = self.enter(handling, &id, demand, by).await? {
            if !decide_again(&error, attempt) {
                return Err(error.into());
            }
            attempt += 1;
        }
        self.bring_up(handling, &id).await
    }

    /// Records the demand, once. The inner error is the commit's.
    async fn enter(
        &self,
        handling: Handling<'_>,
        id: &str,
        demand: Demand,
        by: &Actor,
    ) -> Result<Result<(), Error>, Fault> {
        let Handling { cx, input, pipeline } = handling;
        let records = &*self.records;
        let waits = records.read::<Waiting>(&rows::waiting_key(pipeline, id)).await?;
        if waits.is_some() || rows::deployment(records, pipeline, id).await?.is_some() {
            return Ok(Ok(()));
        }
        let name = rows::endpoint_name(records, pipeline).await?;
        let model = rows::model(records, pipeline, demand.version).await?;
        let endpoint = rows::endpoint(records, pipeline, &name).await?.map(|row| row.value);
        let (queue_version, mut queue) = rows::queue(records, pipeline).await?;
        let place = decide::place(demand, model.as_ref(), endpoint.as_ref(), &queue);
        info!(pipeline = %pipeline, deployment = id, version = demand.version, place = ?place, "a version is to be deployed");

        let deployment = Deployment {
            id: id.to_owned(),
            endpoint: name,
            version: demand.version,
            from: endpoint.map(|endpoint| endpoint.champion),
            by: by.clone(),
            at: cx.now,
            state: DeploymentState::Waiting,
        };
        let correlation = match input {
            Input::Event(envelope) => envelope.correlation.clone(),
            other => other.id(),
        };
        let mut waiting = Waiting { deployment, correlation, begun: None };
        let mut plan = handling.plan(self.name(), "enter");
        match place {
            Place::Begin => {
                begin(&mut plan, handling, &mut waiting);
                queue.in_flight = Some(id.to_owned());
            }
            Place::Wait { supersedes } => {
                if let Some(before) = supersedes {
                    let key = rows::waiting_key(pipeline, &before);
                    let row = records.need::<Waiting>(&key).await?;
                    let state = DeploymentState::Superseded { by: demand.version };
                    conclude(&mut plan, pipeline, row.value.deployment, state, None);
                    plan.write(Write::remove(key, row.version));
                }
                queue.waiting = Some(id.to_owned());
            }
            Place::Late { by } => {
                let state = DeploymentState::Superseded { by };
                conclude(&mut plan, pipeline, waiting.deployment, state, None);
                return Ok(plan.commit(records).await.map(|_| ()));
            }
            Place::Refuse(reason) => {
                let state = DeploymentState::Failed { reason };
                conclude(&mut plan, pipeline, waiting.deployment, state, None);
                return Ok(plan.commit(records).await.map(|_| ()));
            }
        }
        queue.newest = Some((demand.sequence, demand.version));
        plan.write(Write::put(rows::queue_key(pipeline), queue_version, &queue));
        plan.write(Write::insert(rows::waiting_key(pipeline, id), &waiting));
        Ok(plan.commit(records).await.map(|_| ()))
    }

    /// Goes on with whatever the pipeline waits for: the deployment in flight, else the next one,
    /// else (on a tick) an endpoint that strayed from what the ledger says.
    pub(crate) async fn go_on(&self, handling: Handling<'_>) -> Result<(), Fault> {
        let mut attempt = 0;
        loop {
            let (_, queue) = rows::queue(&*self.records, handling.pipeline).await?;
            if let Some(flight) = &queue.in_flight {
                self.bring_up(handling, flight).await?;
                let (_, after) = rows::queue(&*self.records, handling.pipeline).await?;
                if after.in_flight == queue.in_flight {
                    return Ok(());
                }
                continue;
            }
            let Some(next) = &queue.waiting else {
                let is_tick = matches!(handling.input, Input::Tick { .. });
                return if is_tick { self.reconcile(handling).await } else { Ok(()) };
            };
            if let Err(error) = self.next(handling, next).await? {
                if !decide_again(&error, attempt) {
                    return Err(error.into());
                }
                attempt += 1;
            }
        }
    }

    /// Begins the deployment that waited, unless it has become pointless. The inner error is the
    /// commit's.
    async fn next(&self, handling: Handling<'_>, id: &str) -> Result<Result<(), Error>, Fault> {
        let pipeline = handling.pipeline;
        let records = &*self.records;
        let (queue_version, mut queue) = rows::queue(records, pipeline).await?;
        if queue.in_flight.is_some() || queue.waiting.as_deref() != Some(id) {
            return Ok(Ok(()));
        }
        let key = rows::waiting_key(pipeline, id);
        let row = records.need::<Waiting>(&key).await?;
        let mut waiting = row.value;
        let version = waiting.deployment.version;
        let model = rows::model(records, pipeline, version).await?;
        let endpoint = rows::endpoint(records, pipeline, &waiting.deployment.endpoint).await?;
        let endpoint = endpoint.map(|row| row.value);
        let refused = decide::may_serve(version, model.as_ref(), None)
            .err()
            .or_else(|| decide::serves_already(version, endpoint.as_ref()));
        info!(pipeline = %pipeline, deployment = id, version, refused = ?refused, "the next deployment's turn has come");

        let mut plan = handling.plan(self.name(), &format!("next {id}"));
        plan.correlate(&waiting.correlation);
        queue.waiting = None;
        match refused {
            Some(reason) => {
                let state = DeploymentState::Failed { reason };
                conclude(&mut plan, pipeline, waiting.deployment, state, None);
                plan.write(Write::remove(key, row.version));
            }
            None => {
                waiting.deployment.from = endpoint.map(|endpoint| endpoint.champion);
                begin(&mut plan, handling, &mut waiting);
                queue.in_flight = Some(id.to_owned());
                plan.write(Write::update(key, row.version, &waiting));
            }
        }
        plan.write(Write::put(rows::queue_key(pipeline), queue_version, &queue));
        Ok(plan.commit(records).await.map(|_| ()))
    }
}

/// A deployment begins: it is now a fact.
fn begin(plan: &mut Plan, handling: Handling<'_>, waiting: &mut Waiting) {
    waiting.begun = Some(handling.cx.now);
    waiting.deployment.state = DeploymentState::Staging;
    let deployment = &waiting.deployment;
    plan.emit(Event::DeploymentStarted {
        deployment: deployment.id.clone(),
        endpoint: deployment.endpoint.clone(),
        version: deployment.version,
    });
    plan.write(Write::insert(rows::deployment_key(handling.pipeline, &deployment.id), deployment));
}

/// A deployment ends without serving: as a new fact, or as a change of the one of `version`.
pub(crate) fn conclude(
    plan: &mut Plan,
    pipeline: &PipelineName,
    mut deployment: Deployment,
    state: DeploymentState,
    row_version: Option<u64>,
) {
    deployment.state = state;
    let (id, endpoint, version) = (deployment.id.clone(), deployment.endpoint.clone(), deployment.version);
    match &deployment.state {
        DeploymentState::Superseded { by } => {
            plan.emit(Event::DeploymentSuperseded { deployment: id, endpoint, version, by: *by });
        }
        DeploymentState::Failed { reason } => {
            plan.emit(Event::DeploymentFailed { deployment: id, endpoint, version, reason: reason.clone() });
        }
        _ => {}
    }
    plan.write(Write::put(rows::deployment_key(pipeline, &deployment.id), row_version, &deployment));
}
