//! How a version comes to answer: staged beside what serves, tried, then put in its place.

use domain::Event;
use domain::row::{Deployment, DeploymentState, Endpoint, Model};
use ports::endpoints::Capture;
use ports::handler::{Plan, decide_again};
use ports::records::Typed;
use ports::{EndpointSpec, Error, Fault, Handler as _, Handling, RecordsExt, Write};
use tracing::{error, info, warn};

use crate::decide::{self, Next};
use crate::queue::conclude;
use crate::rows::{self, Waiting};
use crate::{Deploy, smoke};

/// A deployment in flight, with what it needs.
struct Flight {
    row: Typed<Deployment>,
    waiting: Typed<Waiting>,
    model: Option<Model>,
}

/// How a step ends.
enum Step {
    /// Something changed: look again.
    Again,
    /// Nothing more can be done now.
    Wait,
}

impl Deploy {
    /// Goes on with a deployment as far as it can: nothing where it is not in flight.
    pub(crate) async fn bring_up(&self, handling: Handling<'_>, id: &str) -> Result<(), Fault> {
        let mut attempt = 0;
        loop {
            let Some(flight) = self.flight(handling, id).await? else { return Ok(()) };
            // How far it is stands in the waiting row: a fact changes with an event only.
            let step = match flight.waiting.value.deployment.state {
                DeploymentState::Staging => self.stage(handling, &flight).await?,
                DeploymentState::Switching { smoke_rows } => {
                    self.switch(handling, &flight, smoke_rows).await?
                }
                _ => return Ok(()),
            };
            match step {
                Ok(Step::Wait) => return Ok(()),
                Ok(Step::Again) => {}
                Err(error) if decide_again(&error, attempt) => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn flight(&self, handling: Handling<'_>, id: &str) -> Result<Option<Flight>, Fault> {
        let (records, pipeline) = (&*self.records, handling.pipeline);
        let Some(row) = rows::deployment(records, pipeline, id).await? else { return Ok(None) };
        if !row.value.state.in_flight() {
            return Ok(None);
        }
        // The row goes with the deployment's end: read after it, it may be gone by now.
        let Some(waiting) = records.read(&rows::waiting_key(pipeline, id)).await? else { return Ok(None) };
        let model = rows::model(records, pipeline, row.value.version).await?;
        Ok(Some(Flight { row, waiting, model }))
    }

    /// Brings the version up beside what serves, and tries it.
    async fn stage(&self, handling: Handling<'_>, flight: &Flight) -> Result<Result<Step, Error>, Fault> {
        let deployment = &flight.row.value;
        let Some(model) = approved(flight) else { return self.refuse(handling, flight).await };
        let name = rows::staging(&deployment.endpoint, &deployment.id);
        let spec = self.spec(handling, model, name.clone(), &deployment.id, Capture::Nothing);
        let spec = match spec.await? {
            Ok(spec) => spec,
            Err(reason) => return self.fail(handling, flight, reason).await,
        };
        match self.ask(handling, flight, &spec).await? {
            Next::Fail(reason) => self.fail(handling, flight, reason).await,
            Next::Ready => match smoke::test(&*self.blobs, &*self.endpoints, &name, model).await? {
                Ok(smoke_rows) => self.tried(handling, flight, smoke_rows).await,
                Err(reason) => self.fail(handling, flight, reason).await,
            },
            Next::Put | Next::Wait => {
                // Another delivery may have ended the deployment, and removed what this one has
                // just put again.
                if self.flight(handling, &deployment.id).await?.is_none() {
                    self.endpoints.delete(&name).await?;
                }
                Ok(Ok(Step::Wait))
            }
        }
    }

    /// Puts the version in the place of what serves.
    async fn switch(
        &self,
        handling: Handling<'_>,
        flight: &Flight,
        smoke_rows: u64,
    ) -> Result<Result<Step, Error>, Fault> {
        let deployment = &flight.row.value;
        let Some(model) = approved(flight) else { return self.refuse(handling, flight).await };
        let name = deployment.endpoint.clone();
        let spec = match self.spec(handling, model, name, &deployment.id, Capture::All).await? {
            Ok(spec) => spec,
            Err(reason) => return self.fail(handling, flight, reason).await,
        };
        match self.ask(handling, flight, &spec).await? {
            Next::Fail(reason) => self.fail(handling, flight, reason).await,
            Next::Ready => self.deployed(handling, flight, smoke_rows).await,
            Next::Put | Next::Wait => Ok(Ok(Step::Wait)),
        }
    }

    /// What an endpoint is asked to serve; what a person must hear of is the inner error.
    async fn spec(
        &self,
        handling: Handling<'_>,
        model: &Model,
        name: String,
        config: &str,
        capture: Capture,
    ) -> Result<Result<EndpointSpec, String>, Fault> {
        permanent(rows::spec(&*self.blobs, handling.pipeline, model, name, config, capture).await)
    }

    /// Asks for a configuration, unless it is on its way, and looks how that stands.
    async fn ask(&self, handling: Handling<'_>, flight: &Flight, spec: &EndpointSpec) -> Result<Next, Fault> {
        let deployment = &flight.row.value;
        let begun = flight.waiting.value.begun.unwrap_or(deployment.at);
        let late = decide::late(&flight.waiting.value.deployment, begun, handling.cx.now);
        let status = self.endpoints.status(&spec.name).await?;
        let next = decide::next(&spec.config, status.as_ref(), false, late.clone());
        if next != Next::Put {
            return Ok(next);
        }
        info!(pipeline = %handling.pipeline, endpoint = %spec.name, config = %spec.config, version = deployment.version, "asking an endpoint for a version");
        if let Err(reason) = permanent(self.endpoints.put(spec).await)? {
            return Ok(Next::Fail(reason));
        }
        let status = self.endpoints.status(&spec.name).await?;
        Ok(decide::next(&spec.config, status.as_ref(), true, late))
    }

    /// The version was tried and found right: it may take over.
    async fn tried(
        &self,
        handling: Handling<'_>,
        flight: &Flight,
        smoke_rows: u64,
    ) -> Result<Result<Step, Error>, Fault> {
        let mut waiting = flight.waiting.value.clone();
        let deployment = &mut waiting.deployment;
        info!(pipeline = %handling.pipeline, deployment = %deployment.id, version = deployment.version, smoke_rows, "the golden requests were answered right");
        deployment.state = DeploymentState::Switching { smoke_rows };
        let mut plan = handling.plan(self.name(), &format!("switch {}", deployment.id));
        let key = rows::waiting_key(handling.pipeline, &deployment.id);
        plan.write(Write::update(key, flight.waiting.version, &waiting));
        Ok(plan.commit(&*self.records).await.map(|_| Step::Again))
    }

    async fn refuse(&self, handling: Handling<'_>, flight: &Flight) -> Result<Result<Step, Error>, Fault> {
        let version = flight.row.value.version;
        let refused = decide::may_serve(version, flight.model.as_ref(), None);
        let reason = refused.err().unwrap_or_default();
        error!(invariant = "I-6", pipeline = %handling.pipeline, version, reason = %reason, "a version on its way is not approved as it is");
        self.fail(handling, flight, reason).await
    }

    /// The version takes over: endpoint, deployment and queue change at once.
    async fn deployed(
        &self,
        handling: Handling<'_>,
        flight: &Flight,
        smoke_rows: u64,
    ) -> Result<Result<Step, Error>, Fault> {
        let (records, pipeline) = (&*self.records, handling.pipeline);
        let mut deployment = flight.row.value.clone();
        self.endpoints.delete(&rows::staging(&deployment.endpoint, &deployment.id)).await?;
        let before = rows::endpoint(records, pipeline, &deployment.endpoint).await?;
        let previous = before.as_ref().map(|row| row.value.champion);
        let endpoint = Endpoint {
            name: deployment.endpoint.clone(),
            champion: deployment.version,
            previous,
            deployment: deployment.id.clone(),
            since: handling.cx.now,
        };
        info!(pipeline = %pipeline, endpoint = %endpoint.name, version = endpoint.champion, previous = ?previous, "a version has taken over");
        let mut plan = self.ending(handling, flight, "deployed").await?;
        deployment.state = DeploymentState::Deployed;
        plan.emit(Event::ModelDeployed {
            deployment: deployment.id.clone(),
            endpoint: endpoint.name.clone(),
            version: deployment.version,
            previous,
            smoke_rows,
        });
        let key = rows::endpoint_key(pipeline, &endpoint.name);
        plan.write(Write::put(key, before.map(|row| row.version), &endpoint));
        let key = rows::deployment_key(pipeline, &deployment.id);
        plan.write(Write::update(key, flight.row.version, &deployment));
        Ok(plan.commit(records).await.map(|_| Step::Wait))
    }

    /// The version is not let to serve; what served goes on.
    async fn fail(
        &self,
        handling: Handling<'_>,
        flight: &Flight,
        reason: String,
    ) -> Result<Result<Step, Error>, Fault> {
        let deployment = flight.row.value.clone();
        info!(pipeline = %handling.pipeline, deployment = %deployment.id, version = deployment.version, reason = %reason, "a version was kept from serving");
        self.endpoints.delete(&rows::staging(&deployment.endpoint, &deployment.id)).await?;
        let mut plan = self.ending(handling, flight, "failed").await?;
        let state = DeploymentState::Failed { reason };
        conclude(&mut plan, handling.pipeline, deployment, state, Some(flight.row.version));
        Ok(plan.commit(&*self.records).await.map(|_| Step::Wait))
    }

    /// A plan that ends a deployment: nothing is in flight any more.
    async fn ending(&self, handling: Handling<'_>, flight: &Flight, step: &str) -> Result<Plan, Fault> {
        let pipeline = handling.pipeline;
        let id = &flight.row.value.id;
        let mut plan = handling.plan(self.name(), &format!("{step} {id}"));
        plan.correlate(&flight.waiting.value.correlation);
        let (version, mut queue) = rows::queue(&*self.records, pipeline).await?;
        queue.in_flight = queue.in_flight.filter(|flight| flight != id);
        plan.write(Write::put(rows::queue_key(pipeline), version, &queue));
        plan.write(Write::remove(rows::waiting_key(pipeline, id), flight.waiting.version));
        Ok(plan)
    }

    /// Removes what was brought up beside an endpoint for a deployment that is over: a slower
    /// delivery may have asked for it again after the deployment's end, and died. It would run, and
    /// cost, for ever.
    pub(crate) async fn clear_away(&self, handling: Handling<'_>, name: &str) -> Result<(), Fault> {
        let Some((endpoint, id)) = name.rsplit_once('-') else { return Ok(()) };
        let Some(row) = rows::deployment(&*self.records, handling.pipeline, id).await? else { return Ok(()) };
        if row.value.endpoint == endpoint && row.value.state.is_over() {
            warn!(invariant = "I-5", pipeline = %handling.pipeline, endpoint = name, "what a deployment that is over left is removed");
            self.endpoints.delete(name).await?;
        }
        Ok(())
    }

    /// Puts back what the ledger says serves, where something else answers: a late put of an
    /// earlier deployment, or an endpoint that was lost.
    pub(crate) async fn reconcile(&self, handling: Handling<'_>) -> Result<(), Fault> {
        let (records, pipeline) = (&*self.records, handling.pipeline);
        let name = rows::endpoint_name(records, pipeline).await?;
        let Some(endpoint) = rows::endpoint(records, pipeline, &name).await?.map(|row| row.value) else {
            return Ok(());
        };
        let status = self.endpoints.status(&name).await?;
        if !decide::strayed(&endpoint, status.as_ref()) {
            return Ok(());
        }
        let Some(model) = rows::model(records, pipeline, endpoint.champion).await? else { return Ok(()) };
        let config = &endpoint.deployment;
        let spec = rows::spec(&*self.blobs, pipeline, &model, name, config, Capture::All).await?;
        warn!(invariant = "I-5", pipeline = %pipeline, endpoint = %endpoint.name, version = endpoint.champion, "putting back what the ledger says serves");
        self.endpoints.put(&spec).await?;
        Ok(())
    }
}

/// The flight's version, if it may still serve.
fn approved(flight: &Flight) -> Option<&Model> {
    let version = flight.row.value.version;
    let may = decide::may_serve(version, flight.model.as_ref(), None).is_ok();
    flight.model.as_ref().filter(|_| may)
}

/// Tells an error that may pass (the outer one) from one that never will, as its text.
fn permanent<T>(result: ports::Result<T>) -> Result<Result<T, String>, Fault> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.may_pass() => Err(Fault::Retry(error)),
        Err(error) => Ok(Err(error.to_string())),
    }
}
