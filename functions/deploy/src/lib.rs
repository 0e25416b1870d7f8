//! Deploy: brings an approved version up beside what serves, tries it, and lets it take over.
//!
//! It reads the pipeline, the version, the endpoint, the deployment and the queue; it commits the
//! deployment, the endpoint and the queue, with `DeploymentStarted`, `DeploymentSuperseded`,
//! `ModelDeployed` or `DeploymentFailed`. Whatever fails, what served before goes on serving.

pub mod bring_up;
pub mod decide;
pub mod queue;
pub mod rows;
pub mod smoke;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, Input};
use ports::{Blobs, Cx, Endpoints, Fault, Handler, Handling, Records, RecordsExt as _};
use tracing::info;

use crate::decide::Demand;

/// The function.
#[derive(Debug)]
pub struct Deploy {
    /// The table.
    pub records: Arc<dyn Records>,
    /// Our own files.
    pub blobs: Arc<dyn Blobs>,
    /// What answers.
    pub endpoints: Arc<dyn Endpoints>,
}

#[async_trait]
impl Handler for Deploy {
    fn name(&self) -> &'static str {
        "deploy"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> Result<(), Fault> {
        match input {
            Input::Event(envelope) => {
                let handling = Handling { cx, input, pipeline: &envelope.pipeline };
                let demand = |version, binding| Demand { version, sequence: envelope.sequence, binding };
                match &envelope.event {
                    Event::ModelApproved { version, binding, .. } => {
                        self.request(handling, demand(*version, Some(*binding)), &envelope.actor).await
                    }
                    Event::RollbackRequested { version, .. } => {
                        self.request(handling, demand(*version, None), &envelope.actor).await
                    }
                    Event::ModelDeployed { .. } | Event::DeploymentFailed { .. } => {
                        self.go_on(handling).await
                    }
                    _ => Ok(()),
                }
            }
            Input::EndpointChanged(changed) => {
                self.each(cx, input, |flight, endpoint| {
                    changed.name == endpoint || changed.name == rows::staging(endpoint, flight)
                })
                .await
            }
            Input::Tick { .. } => self.each(cx, input, |_, _| true).await,
            Input::ObjectCreated(_) | Input::JobChanged(_) => Ok(()),
        }
    }
}

impl Deploy {
    /// Goes on with the deployments in flight that `concerned` (given deployment and endpoint)
    /// picks; on a tick with whatever a pipeline waits for. One pipeline's fault does
    /// not keep the others waiting.
    async fn each(
        &self,
        cx: &Cx,
        input: &Input,
        concerned: impl Fn(&str, &str) -> bool + Send + Sync,
    ) -> Result<(), Fault> {
        let mut first = Ok(());
        for pipeline in self.records.pipelines().await? {
            let handling = Handling { cx, input, pipeline: &pipeline };
            let outcome = match self.in_flight(&pipeline).await? {
                _ if matches!(input, Input::Tick { .. }) => self.go_on(handling).await,
                Some((flight, endpoint)) if concerned(&flight, &endpoint) => {
                    self.bring_up(handling, &flight).await
                }
                _ => match input {
                    Input::EndpointChanged(changed) => self.clear_away(handling, &changed.name).await,
                    _ => Ok(()),
                },
            };
            if let Err(fault) = outcome {
                info!(pipeline = %pipeline, fault = %fault, "a deployment could not go on");
                first = first.and(Err(fault));
            }
        }
        first
    }
}

#[cfg(test)]
pub(crate) mod example;
#[cfg(test)]
mod tests;
