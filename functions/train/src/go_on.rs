//! How a planned run comes to its end: prepared, its job started, its job's end recorded.

use domain::row::{File, Prepared, Run, RunState, Tuned};
use domain::trial::Trials;
use domain::{BlobPath, Digest, Event, PipelineName, Time, limit};
use ports::handler::decide_again;
use ports::{BlobsExt, ErrorKind, Fault, Handler as _, Handling, JobState, RecordsExt, Write};
use tracing::info;

use crate::outcome::{Found, Left, outcome};
use crate::rows::{self, Planned};
use crate::{Stop, Train, job, prepare};

/// A run planned less than this ago is left to its event by the tick: the function's own timeout,
/// for to prepare the same rows twice at once would cost twice. In milliseconds.
const PREPARATION: i64 = 15 * 60 * Time::SECOND;

/// The next thing that happens to a run.
enum Step {
    Started {
        job: String,
        prepared: Prepared,
    },
    Completed {
        artifact: File,
        seconds: u64,
        used: u64,
        tuned: Option<Tuned>,
    },
    /// After so many job-seconds.
    Failed {
        reason: String,
        used: u64,
    },
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
            Err(Stop::Fail(reason)) => Step::Failed { reason, used: 0 },
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
        let job = job::of(pipeline, &run.id, &planned.applied, &prepared);
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
        if status.state == JobState::Running {
            return Ok(());
        }
        let found = Found {
            model: self.digested(job::artifact(handling.pipeline, &run.id)).await?,
            trials: match &planned.applied.spec.training.tuning {
                Some(_) => Some(self.trials(job::trials(handling.pipeline, &run.id)).await?),
                None => None,
            },
        };
        let seconds = status.seconds;
        // A search takes what its trials take, of which several may run at once.
        let used = match &found.trials {
            Some(Ok((_, trials))) => {
                trials.trials.iter().map(|trial| trial.seconds).sum::<u64>().max(seconds)
            }
            Some(Err(_)) | None => seconds,
        };
        let step = match outcome(&status.state, found) {
            Ok(Left { model, tuned }) => Step::Completed { artifact: model, seconds, used, tuned },
            Err(reason) => Step::Failed { reason, used },
        };
        self.record(handling, planned, step).await
    }

    /// A file by path and digest; none where there is none.
    async fn digested(&self, path: BlobPath) -> Result<Option<File>, Fault> {
        match self.blobs.digest(&path).await {
            Ok((_, digest)) => Ok(Some(File { path, digest })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The record of a search; in words why it cannot be read, where no repeat will help.
    async fn trials(&self, path: BlobPath) -> Result<Result<(File, Trials), String>, Fault> {
        let bytes = match self.blobs.small(&path, limit::TRIALS_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(error) if error.may_pass() => return Err(error.into()),
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(match serde_json::from_slice(&bytes) {
            Ok(trials) => Ok((File { path, digest: Digest::of(&bytes) }, trials)),
            Err(error) => Err(format!("{path}: not the record of a search: {error}")),
        })
    }

    /// Starts a job that is recorded as started and is not there.
    async fn start_again(&self, handling: Handling<'_>, planned: &Planned, run: &Run) -> Result<(), Fault> {
        let Some(prepared) = &run.prepared else {
            let reason = "the run has no prepared rows".to_owned();
            return self.record(handling, planned, Step::Failed { reason, used: 0 }).await;
        };
        info!(pipeline = %handling.pipeline, run = %run.id, "the job of a run is not there; it is started again");
        let job = job::of(handling.pipeline, &run.id, &planned.applied, prepared);
        match self.jobs.start(&job).await.map_err(Stop::from) {
            Ok(_) => Ok(()),
            Err(Stop::Fail(reason)) => self.record(handling, planned, Step::Failed { reason, used: 0 }).await,
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
            Step::Completed { artifact, seconds, tuned, .. } => Event::TrainingCompleted {
                run,
                artifact: artifact.clone(),
                seconds: *seconds,
                tuned: tuned.clone(),
            },
            Step::Failed { reason, .. } => Event::TrainingFailed { run, reason: reason.clone() },
        }
    }

    fn change(&self, run: &mut Run) {
        match self {
            Step::Started { job, prepared } => {
                run.state = RunState::Training { job: job.clone() };
                run.prepared = Some(prepared.clone());
            }
            Step::Completed { artifact, seconds, used, tuned } => {
                run.state = RunState::Trained;
                run.artifact = Some(artifact.clone());
                run.seconds = *seconds;
                run.spend.used.training = *used;
                run.tuned = tuned.clone();
            }
            Step::Failed { reason, used } => {
                run.state = RunState::Failed { reason: reason.clone() };
                run.spend.used.training = *used;
            }
        }
    }
}
