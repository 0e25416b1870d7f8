//! How a planned run comes to its end: prepared, its job started, its job's end recorded.

use std::collections::BTreeMap;

use domain::pipeline::{ProblemType, Program};
use domain::row::{Applied, File, Prepared, Run, RunState};
use domain::{BlobPath, Event, PipelineName, Time};
use ports::handler::decide_again;
use ports::{
    BlobsExt, ErrorKind, Fault, Handler as _, Handling, JobSpec, JobState, ProgramSpec, RecordsExt, Work,
    Write,
};
use serde_json::Value;
use tracing::info;

use crate::rows::{self, Planned};
use crate::{Stop, Train, prepare};

/// What tells a training's job name from others: `<pipeline>-train-<run>`.
pub(crate) const PURPOSE: &str = "-train-";

/// A run planned less than this ago is left to its event by the tick: the function's own timeout,
/// for to prepare the same rows twice at once would cost twice. In milliseconds.
const PREPARATION: i64 = 15 * 60 * Time::SECOND;

/// The next thing that happens to a run.
enum Step {
    Started { job: String, prepared: Prepared },
    Completed { artifact: File, seconds: u64 },
    Failed { reason: String },
}

impl Train {
    /// Takes a run as far as it goes now. Nothing where it is over, or not known.
    pub(crate) async fn go_on(&self, handling: Handling<'_>, id: &str) -> Result<(), Fault> {
        let (records, pipeline) = (&*self.records, handling.pipeline);
        let Some(planned) = records.read::<Planned>(&rows::planned_key(pipeline, id)).await? else {
            return Ok(());
        };
        let planned = planned.value;
        let Some(run) = rows::run(records, pipeline, id).await? else { return Ok(()) };
        if run.value.state == RunState::Requested {
            self.begin(handling, &planned, &run.value).await?;
        }
        // A fast job's own event can come before its start is recorded, so it is looked at here.
        match rows::run(records, pipeline, id).await? {
            Some(run) => self.settle(handling, &planned, &run.value).await,
            None => Ok(()),
        }
    }

    /// Goes on with every run of a pipeline that is not over. One's fault does not keep the others
    /// waiting.
    pub(crate) async fn go_on_all(&self, handling: Handling<'_>) -> Result<(), Fault> {
        let mut first = Ok(());
        for planned in rows::waiting::<Planned>(&*self.records, handling.pipeline, "run-").await? {
            let id = &planned.run;
            let Some(run) = rows::run(&*self.records, handling.pipeline, id).await? else { continue };
            let is_young = handling.cx.now < run.value.at.plus(PREPARATION);
            if run.value.state == RunState::Requested && is_young {
                continue;
            }
            if let Err(fault) = self.go_on(handling, id).await {
                info!(pipeline = %handling.pipeline, run = %id, fault = %fault, "a run could not go on now");
                first = first.and(Err(fault));
            }
        }
        first
    }

    /// Prepares a planned run and starts its job.
    async fn begin(&self, handling: Handling<'_>, planned: &Planned, run: &Run) -> Result<(), Fault> {
        let pipeline = handling.pipeline;
        let step = match self.start(pipeline, planned, run).await {
            Ok((job, prepared)) => Step::Started { job, prepared },
            Err(Stop::Fail(reason)) => Step::Failed { reason },
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        self.record(handling, planned, step).await
    }

    async fn start(
        &self,
        pipeline: &PipelineName,
        planned: &Planned,
        run: &Run,
    ) -> Result<(String, Prepared), Stop> {
        let prepared = prepare::prepare(&*self.blobs, pipeline, run, &planned.applied).await?;
        let job = job(pipeline, &run.id, &planned.applied, &prepared);
        self.jobs.start(&job).await?;
        Ok((job.name, prepared))
    }

    /// Looks at a run's job and records its end.
    async fn settle(&self, handling: Handling<'_>, planned: &Planned, run: &Run) -> Result<(), Fault> {
        let RunState::Training { job: name } = &run.state else { return Ok(()) };
        let status = match self.jobs.status(name).await {
            Ok(status) => status,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return self.start_again(handling, planned, run).await;
            }
            Err(error) => return Err(error.into()),
        };
        let artifact = artifact(handling.pipeline, &run.id);
        let step = match status.state {
            JobState::Running => return Ok(()),
            JobState::Completed => self.completed(artifact, status.seconds).await?,
            // Who stops a training in time leaves a model that can be used: SageMaker does, and so
            // does boost.
            JobState::Stopped { reason } => match self.blobs.head(&artifact).await? {
                Some(_) => self.completed(artifact, status.seconds).await?,
                None => Step::Failed { reason: format!("the job was stopped: {reason}") },
            },
            JobState::Failed { reason } => Step::Failed { reason },
        };
        self.record(handling, planned, step).await
    }

    async fn completed(&self, path: BlobPath, seconds: u64) -> Result<Step, Fault> {
        match self.blobs.digest(&path).await {
            Ok((_, digest)) => Ok(Step::Completed { artifact: File { path, digest }, seconds }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Step::Failed { reason: "the job ended without a model".into() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Starts a job that is recorded as started and is not there.
    async fn start_again(&self, handling: Handling<'_>, planned: &Planned, run: &Run) -> Result<(), Fault> {
        let Some(prepared) = &run.prepared else {
            let reason = "the run has no prepared rows".to_owned();
            return self.record(handling, planned, Step::Failed { reason }).await;
        };
        info!(pipeline = %handling.pipeline, run = %run.id, "the job of a run is not there; it is started again");
        let job = job(handling.pipeline, &run.id, &planned.applied, prepared);
        match self.jobs.start(&job).await.map_err(Stop::from) {
            Ok(_) => Ok(()),
            Err(Stop::Fail(reason)) => self.record(handling, planned, Step::Failed { reason }).await,
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    /// Records a step, unless the run has gone on without it.
    async fn record(&self, handling: Handling<'_>, planned: &Planned, step: Step) -> Result<(), Fault> {
        let (records, pipeline) = (&*self.records, handling.pipeline);
        let mut attempt = 0;
        loop {
            let Some(row) = rows::run(records, pipeline, &planned.run).await? else { return Ok(()) };
            let mut run = row.value;
            if !step.follows(&run.state) {
                return Ok(());
            }
            let mut plan = handling.plan(self.name(), &format!("{} {}", step.word(), run.id));
            plan.correlate(&planned.correlation);
            plan.emit(step.event(&run.id));
            step.change(&mut run);
            info!(pipeline = %pipeline, run = %run.id, state = run.state.word(), "a run went on");
            plan.write(Write::update(rows::run_key(pipeline, &run.id), row.version, &run));
            if !matches!(step, Step::Started { .. }) {
                let key = rows::planned_key(pipeline, &run.id);
                if let Some(row) = records.read::<Planned>(&key).await? {
                    plan.write(Write::remove(key, row.version));
                }
            }
            match plan.commit(records).await {
                Ok(_) => return Ok(()),
                Err(error) if decide_again(&error, attempt) => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Step {
    fn word(&self) -> &'static str {
        match self {
            Step::Started { .. } => "start",
            Step::Completed { .. } => "complete",
            Step::Failed { .. } => "fail",
        }
    }

    fn follows(&self, state: &RunState) -> bool {
        match self {
            Step::Started { .. } => *state == RunState::Requested,
            Step::Completed { .. } => matches!(state, RunState::Training { .. }),
            Step::Failed { .. } => matches!(state, RunState::Requested | RunState::Training { .. }),
        }
    }

    fn event(&self, run: &str) -> Event {
        let run = run.to_owned();
        match self {
            Step::Started { job, .. } => Event::TrainingStarted { run, job: job.clone() },
            Step::Completed { artifact, seconds } => {
                Event::TrainingCompleted { run, artifact: artifact.clone(), seconds: *seconds }
            }
            Step::Failed { reason } => Event::TrainingFailed { run, reason: reason.clone() },
        }
    }

    fn change(&self, run: &mut Run) {
        match self {
            Step::Started { job, prepared } => {
                run.state = RunState::Training { job: job.clone() };
                run.prepared = Some(prepared.clone());
            }
            Step::Completed { artifact, seconds } => {
                run.state = RunState::Trained;
                run.artifact = Some(artifact.clone());
                run.seconds = *seconds;
            }
            Step::Failed { reason } => run.state = RunState::Failed { reason: reason.clone() },
        }
    }
}

/// Where a run's model goes.
fn artifact(pipeline: &PipelineName, run: &str) -> BlobPath {
    BlobPath::run(pipeline, run, "model.tar.gz")
}

/// What is to be done for a run: a function of what was frozen for it, so that a job started again
/// is the same job.
fn job(pipeline: &PipelineName, run: &str, applied: &Applied, prepared: &Prepared) -> JobSpec {
    let training = &applied.spec.training;
    let channels = prepared.channels.iter().map(|(name, file)| (name.clone(), file.path.clone()));
    JobSpec {
        name: format!("{pipeline}{PURPOSE}{run}"),
        program: ProgramSpec::of(&training.program, &applied.program),
        work: Work::Train {
            hyperparameters: hyperparameters(applied),
            channels: channels.collect(),
            artifact: artifact(pipeline, run),
        },
        timeout_seconds: training.timeout_minutes * 60,
    }
}

/// The declared hyperparameters as text. Boost is also told the type of the problem, which it could
/// only guess from the target's kind; another program gets exactly what was declared.
fn hyperparameters(applied: &Applied) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let declared = applied.spec.training.hyperparameters.iter();
    let mut hyperparameters: BTreeMap<String, String> =
        declared.map(|(name, value)| (name.clone(), text(value))).collect();
    if applied.spec.training.program == Program::Boost {
        let problem = match applied.spec.problem {
            ProblemType::Regression => "regression",
            ProblemType::Binary => "binary",
            ProblemType::Multiclass => "multiclass",
        };
        hyperparameters.insert("problem".to_owned(), problem.to_owned());
    }
    hyperparameters
}
