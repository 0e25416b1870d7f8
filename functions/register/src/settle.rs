//! How a judgement ends: all predictions are there, and the candidate becomes a version or not.

use domain::key::prefix;
use domain::row::{ApprovalState, Counts, Lineage, Model, Run, RunState, Selection};
use domain::{Digest, Event, Key, PipelineName};
use ports::handler::decide_again;
use ports::records::Typed;
use ports::{Error, ErrorKind, Fault, Handler as _, Handling, JobState, RecordsExt, Write};
use tracing::info;

use crate::judge::Judgement;
use crate::rows::{self, Ask, Waiting};
use crate::{Register, Stop};

impl Register {
    /// Ends the judgement of a run whose predictions are all there; nothing otherwise.
    pub(crate) async fn settle(&self, handling: Handling<'_>, id: &str) -> Result<(), Fault> {
        let key = rows::waiting_key(handling.pipeline, id);
        let mut attempt = 0;
        loop {
            let Some(waiting) = self.records.read::<Waiting>(&key).await? else { return Ok(()) };
            let mut run = rows::run(&*self.records, handling.pipeline, id).await?;
            if !matches!(run.value.state, RunState::Predicting { .. }) {
                return Ok(());
            }
            let judged = self.judged(handling, &run.value, &waiting.value).await;
            if !matches!(judged, Ok(None)) {
                run.value.spend.used.prediction = self.predicted_for(&waiting.value).await?;
            }
            let outcome = match judged {
                Ok(None) => return Ok(()),
                Ok(Some(judgement)) => match self.conclude(handling, run, waiting, judgement).await {
                    Ok(outcome) => outcome,
                    Err(fault) => return Err(fault),
                },
                Err(Stop::Reject(reason)) => {
                    let correlation = waiting.value.correlation;
                    self.reject(handling, run, Some(waiting.version), &correlation, reason).await
                }
                Err(Stop::Fault(fault)) => return Err(fault),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) if decide_again(&error, attempt) => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Seconds that the jobs of a judgement took.
    async fn predicted_for(&self, waiting: &Waiting) -> Result<u64, Error> {
        let mut seconds = 0;
        for ask in waiting.asks() {
            match self.jobs.status(&ask.job).await {
                Ok(status) => seconds += status.seconds,
                // The predictions were there before.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(seconds)
    }

    /// The judgement, once every prediction is there.
    async fn judged(
        &self,
        handling: Handling<'_>,
        run: &Run,
        waiting: &Waiting,
    ) -> Result<Option<Judgement>, Stop> {
        let applied = rows::applied(&*self.records, handling.pipeline).await?;
        let seconds = applied.spec.training.timeout_minutes * 60;
        let mut all = true;
        for (ask, who) in waiting.judged().zip(["the candidate", "the champion"]) {
            all &= self.is_there(handling.pipeline, ask, who, seconds).await?;
        }
        if let Some(ask) = &waiting.shuffled {
            all &= self.is_over(ask, handling.pipeline, seconds).await?;
        }
        if !all {
            return Ok(None);
        }
        let served = rows::served(&*self.blobs, handling.pipeline, &run.id).await?;
        self.judge(handling, run, waiting, &served, &applied).await.map(Some)
    }

    /// Whether predictions are there. A job that was lost is started again.
    pub(crate) async fn is_there(
        &self,
        pipeline: &PipelineName,
        ask: &Ask,
        who: &str,
        seconds: u64,
    ) -> Result<bool, Stop> {
        if self.blobs.head(&ask.output).await?.is_some() {
            return Ok(true);
        }
        match self.jobs.status(&ask.job).await {
            Ok(status) => match status.state {
                JobState::Running => Ok(false),
                JobState::Completed => Ok(self.blobs.head(&ask.output).await?.is_some()),
                JobState::Failed { reason } | JobState::Stopped { reason } => {
                    Err(Stop::Reject(format!("{who} could not predict the withheld rows: {reason}")))
                }
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let served = rows::served(&*self.blobs, pipeline, &ask.run).await?;
                self.start(ask, &served, seconds).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Records the version, or why there is none. The inner error is the commit's.
    async fn conclude(
        &self,
        handling: Handling<'_>,
        run: Typed<Run>,
        waiting: Typed<Waiting>,
        judgement: Judgement,
    ) -> Result<Result<(), Error>, Fault> {
        let (records, pipeline) = (&*self.records, handling.pipeline);
        let Typed { version: run_version, value: mut run } = run;
        run.evaluation = Some(judgement.json.clone());
        run.report = Some(judgement.html.clone());
        let mut plan = handling.plan(self.name(), &format!("settle {}", run.id));
        plan.correlate(&waiting.value.correlation);
        info!(pipeline = %pipeline, run = %run.id, passed = judgement.passed, reason = %judgement.reason, "the candidate is judged");
        if judgement.passed {
            let key = Key::of(pipeline, prefix::COUNTS);
            let counts = records.read::<Counts>(&key).await?;
            let (counts_version, mut counts) =
                counts.map_or((None, Counts::default()), |row| (Some(row.version), row.value));
            counts.versions += 1;
            let version = counts.versions;
            let selection: Selection = rows::document(&*self.blobs, &run.selection.path).await?;
            let artifact = &waiting.value.candidate.artifact;
            let lineage = lineage(&run, &selection, artifact.digest, &judgement);
            let binding = Digest::of_json(&lineage);
            plan.emit(Event::ModelRegistered {
                version,
                run: run.id.clone(),
                binding,
                report: judgement.html.clone(),
                reason: judgement.reason.clone(),
            });
            let model = Model {
                version,
                run: run.id.clone(),
                lineage,
                binding,
                artifact: waiting.value.candidate.artifact.clone(),
                baseline: judgement.baseline,
                golden: judgement.golden,
                features: run.features.clone(),
                report: judgement.html,
                metrics: judgement.metrics,
                champion: waiting.value.version,
                requested_by: run.by.clone(),
                newest: run.newest,
                cycle: run.cycle,
                at: handling.cx.now,
                approval: ApprovalState::Pending,
            };
            run.state = RunState::Registered { version };
            plan.write(Write::put(key, counts_version, &counts));
            plan.write(Write::insert(rows::model_key(pipeline, version), &model));
        } else {
            let reason = judgement.reason.clone();
            plan.emit(Event::ModelRejected { run: run.id.clone(), version: None, reason: reason.clone() });
            run.state = RunState::Rejected { reason };
        }
        plan.write(Write::update(rows::run_key(pipeline, &run.id), run_version, &run));
        plan.write(Write::remove(rows::waiting_key(pipeline, &run.id), waiting.version));
        Ok(plan.commit(records).await.map(|_| ()))
    }
}

/// Everything the version is made of.
fn lineage(run: &Run, selection: &Selection, artifact: Digest, judgement: &Judgement) -> Lineage {
    Lineage {
        selection: run.selection.digest,
        parts: selection.parts.iter().map(|part| part.digest).collect(),
        contract: run.contract,
        pipeline: run.pipeline,
        features: run.features.digest,
        program: run.program,
        artifact,
        hyperparameters: run.tuned.as_ref().map(|tuned| tuned.hyperparameters.clone()).unwrap_or_default(),
        evaluation: judgement.json.digest,
        report: judgement.html.digest,
    }
}
