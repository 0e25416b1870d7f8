//! Train: plans a run, freezes what it learns from, prepares its rows and has it trained.
//!
//! It reads the declaration, the accepted parts and the runs so far; it commits a planned run with
//! `TrainingRequested`, its started job with `TrainingStarted`, and its end with
//! `TrainingCompleted` or `TrainingFailed`. Where the declaration says how hyperparameters are
//! searched for, the job is a search, and the best trial's model is the run's. What asked for a run and cannot have it yet waits as a
//! row, and so does every run that is not over. A run whose jobs may take more than the budget has
//! left is held with `RunHeld`, until a month begins, the declaration changes or a person lifts it.

// Whether there is a run.
pub mod ask;
pub mod decide;
pub mod rows;
// What it learns from.
pub mod cut;
mod file;
pub mod parts;
pub mod prepare;
// How it is trained.
pub mod go_on;
pub mod job;
pub mod outcome;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Envelope, Event, Input, Problem};
use ports::{Blobs, Cx, Error, Fault, Handler, Handling, Jobs, Records, RecordsExt as _};
use tracing::info;

/// The function.
#[derive(Debug)]
pub struct Train {
    /// The table.
    pub records: Arc<dyn Records>,
    /// Our own files.
    pub blobs: Arc<dyn Blobs>,
    /// Who trains.
    pub jobs: Arc<dyn Jobs>,
}

/// Why a run does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The ports did not answer.
    Fault(Fault),
    /// The run cannot be: why, in one sentence.
    Fail(String),
}

impl From<Error> for Stop {
    /// What no repeat will help ends the run: else it would keep every other one waiting.
    fn from(error: Error) -> Stop {
        if error.may_pass() { Stop::Fault(Fault::Retry(error)) } else { Stop::Fail(error.to_string()) }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop::Fail(problem.to_string())
    }
}

#[async_trait]
impl Handler for Train {
    fn name(&self) -> &'static str {
        "train"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> Result<(), Fault> {
        match input {
            Input::Event(envelope) => {
                let handling = Handling { cx, input, pipeline: &envelope.pipeline };
                self.event(handling, envelope).await
            }
            Input::JobChanged(changed) => {
                if let Some(run) = changed.name.strip_prefix(job::SEARCH) {
                    return self.search_changed(cx, input, run).await;
                }
                let Some((name, run)) = changed.name.rsplit_once(job::PURPOSE) else { return Ok(()) };
                let Ok(pipeline) = name.parse() else { return Ok(()) };
                self.go_on(Handling { cx, input, pipeline: &pipeline }, run).await
            }
            Input::Tick { .. } => {
                let mut first = Ok(());
                for pipeline in self.records.pipelines().await? {
                    let handling = Handling { cx, input, pipeline: &pipeline };
                    if let Err(fault) = self.tick(handling).await {
                        info!(pipeline = %pipeline, fault = %fault, "the tick did not get through a pipeline");
                        first = first.and(Err(fault));
                    }
                }
                first
            }
            Input::ObjectCreated(_) | Input::EndpointChanged(_) => Ok(()),
        }
    }
}

impl Train {
    /// A search is over: its name tells its run, and the run's pipeline is looked for.
    async fn search_changed(&self, cx: &Cx, input: &Input, run: &str) -> Result<(), Fault> {
        for pipeline in self.records.pipelines().await? {
            if rows::run(&*self.records, &pipeline, run).await?.is_some() {
                return self.go_on(Handling { cx, input, pipeline: &pipeline }, run).await;
            }
        }
        Ok(())
    }

    async fn event(&self, handling: Handling<'_>, envelope: &Envelope) -> Result<(), Fault> {
        match &envelope.event {
            Event::RetrainingRequested { reason } => {
                self.consider(handling, rows::asked_by_request(envelope, reason)).await
            }
            Event::DriftDetected { cycle, summary, .. } => {
                self.consider(handling, rows::asked_by_drift(envelope, *cycle, summary)).await
            }
            Event::BudgetLifted { runs, .. } => self.lift(handling, runs, &envelope.actor).await,
            Event::PartAccepted { upload, .. } => {
                let by = rows::uploader(&*self.records, handling.pipeline, upload).await?;
                self.consider(handling, rows::asked_by_data(envelope, by)).await?;
                self.reconsider(handling).await
            }
            Event::TrainingRequested { run, .. } | Event::TrainingStarted { run, .. } => {
                self.go_on(handling, run).await
            }
            // What waits for a run may have it under the declaration as it is now.
            Event::PipelineApplied { .. }
            | Event::TrainingFailed { .. }
            | Event::ModelRegistered { .. }
            | Event::ModelRejected { .. } => self.reconsider(handling).await,
            _ => Ok(()),
        }
    }

    /// Goes on with the runs that are not over, then with what asks for one. One's fault does not
    /// keep the others waiting.
    async fn tick(&self, handling: Handling<'_>) -> Result<(), Fault> {
        let mut first = self.go_on_all(handling).await;
        if let Err(fault) = self.consider_schedule(handling).await {
            first = first.and(Err(fault));
        }
        first.and(self.reconsider(handling).await)
    }
}

#[cfg(test)]
mod example;
#[cfg(test)]
mod tests;
