//! Register: judges a trained model on withheld rows, and lets it become a version or not.
//!
//! It reads the run, the endpoint's champion with its run, and the withheld rows; it has candidate
//! and champion predict them as jobs, and commits the run with `PredictionsRequested`, then the
//! version with `ModelRegistered`, or `ModelRejected` with the reason.

pub mod begin;
mod beside;
pub mod compare;
pub mod decide;
mod evaluate;
mod importance;
pub mod judge;
pub mod naive;
pub mod read;
pub mod rows;
pub mod settle;

use std::sync::Arc;

use async_trait::async_trait;
use domain::key::prefix;
use domain::{Event, Input, Key};
use ports::{Blobs, Cx, Error, Fault, Handler, Handling, Jobs, Records, RecordsExt};
use tracing::info;

use crate::rows::Waiting;

/// The function.
#[derive(Debug)]
pub struct Register {
    /// The table.
    pub records: Arc<dyn Records>,
    /// Our own files.
    pub blobs: Arc<dyn Blobs>,
    /// Who predicts.
    pub jobs: Arc<dyn Jobs>,
}

/// Why a judgement does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The ports did not answer.
    Fault(Fault),
    /// The candidate cannot become a version: why, in one sentence.
    Reject(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Fault(error.into())
    }
}

impl From<domain::Problem> for Stop {
    fn from(problem: domain::Problem) -> Stop {
        Stop::Reject(problem.to_string())
    }
}

#[async_trait]
impl Handler for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> Result<(), Fault> {
        match input {
            Input::Event(envelope) => match &envelope.event {
                Event::TrainingCompleted { run, .. } => {
                    let handling = Handling { cx, input, pipeline: &envelope.pipeline };
                    self.begin(handling, run, &envelope.correlation).await?;
                    self.settle(handling, run).await
                }
                _ => Ok(()),
            },
            Input::JobChanged(changed) => {
                let pipeline = changed.name.rsplit_once("-predict-").and_then(|(name, _)| name.parse().ok());
                match pipeline {
                    Some(pipeline) => {
                        let handling = Handling { cx, input, pipeline: &pipeline };
                        self.settle_all(handling, |waiting| waiting.asks_for(&changed.name)).await
                    }
                    None => Ok(()),
                }
            }
            Input::Tick { .. } => {
                let mut first = Ok(());
                for pipeline in self.records.pipelines().await? {
                    let handling = Handling { cx, input, pipeline: &pipeline };
                    if let Err(fault) = self.settle_all(handling, |_| true).await {
                        first = first.and(Err(fault));
                    }
                }
                first
            }
            Input::ObjectCreated(_) | Input::EndpointChanged(_) => Ok(()),
        }
    }
}

impl Register {
    /// Looks at every run of a pipeline that waits for predictions and is `concerned`. One run's
    /// fault does not keep the others waiting.
    async fn settle_all(
        &self,
        handling: Handling<'_>,
        concerned: impl Fn(&Waiting) -> bool + Send + Sync,
    ) -> Result<(), Fault> {
        let partition = Key::partition(handling.pipeline);
        let waiting =
            self.records.all::<Waiting>(&partition, &format!("{}register/", prefix::WAITING)).await?;
        let mut first = Ok(());
        for (_, row) in waiting.iter().filter(|(_, row)| concerned(&row.value)) {
            if let Err(fault) = self.settle(handling, &row.value.run).await {
                info!(pipeline = %handling.pipeline, run = %row.value.run, fault = %fault, "a run could not be judged now");
                first = first.and(Err(fault));
            }
        }
        first
    }
}

#[cfg(test)]
mod tests;
