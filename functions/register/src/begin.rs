//! How a judgement begins: what is compared with what, and the jobs that predict it.

use domain::row::{Applied, File, Prepared, Run, RunState, Selection, Served};
use domain::{BlobPath, Event, PipelineName};
use engine::csv::Header;
use engine::features::Features;
use ports::blobs::PutExpect;
use ports::handler::decide_again;
use ports::jobs::Work;
use ports::records::Typed;
use ports::{Error, ErrorKind, Fault, Handler as _, Handling, JobSpec, ProgramSpec, Write};
use tracing::info;

use crate::decide::{self, Feed};
use crate::rows::{self, Ask, Champion, Waiting};
use crate::{Register, Stop, compare, naive};

/// What is judged: the run with everything about it.
struct Candidate {
    run: Run,
    prepared: Prepared,
    artifact: File,
    features: Features,
    served: Served,
}

/// The rows both predict.
struct Fair {
    input: File,
    truth: File,
    rows: u64,
    /// The champion with its own input, if it can be compared with.
    champion: Option<(Champion, File)>,
    note: Option<String>,
}

impl Register {
    /// Begins the judgement of a run that has just been trained; nothing otherwise.
    pub(crate) async fn begin(
        &self,
        handling: Handling<'_>,
        id: &str,
        correlation: &str,
    ) -> Result<(), Fault> {
        let mut attempt = 0;
        loop {
            let run = rows::run(&*self.records, handling.pipeline, id).await?;
            if run.value.state != RunState::Trained {
                return Ok(());
            }
            let outcome = match self.ask(handling, &run.value, correlation).await {
                Ok(waiting) => self.predicting(handling, run, &waiting).await,
                Err(Stop::Reject(reason)) => self.reject(handling, run, None, correlation, reason).await,
                Err(Stop::Fault(fault)) => return Err(fault),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) if decide_again(&error, attempt) => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Decides who predicts what, and starts it.
    async fn ask(&self, handling: Handling<'_>, run: &Run, correlation: &str) -> Result<Waiting, Stop> {
        let pipeline = handling.pipeline;
        let applied = rows::applied(&*self.records, pipeline).await?;
        decide::is_current(run, &applied).map_err(Stop::Reject)?;
        let (candidate, naive) = self.candidate(handling, run, &applied).await?;
        let endpoint = applied.spec.endpoint().to_string();
        let champion = rows::champion(&*self.records, &*self.blobs, pipeline, &endpoint).await?;
        let fair = self.fair(handling, &candidate, champion).await?;
        let version = fair.champion.as_ref().map(|(champion, _)| champion.model.version);
        let withheld = candidate.prepared.test_rows;
        decide::enough(fair.rows, withheld, version).map_err(Stop::Reject)?;

        let ours = Ask::new(pipeline, &run.id, &candidate.artifact, &fair.input);
        let theirs = fair
            .champion
            .as_ref()
            .map(|(champion, input)| Ask::new(pipeline, &champion.run.id, &champion.model.artifact, input));
        let seconds = applied.spec.training.timeout_minutes * 60;
        self.start(&ours, &candidate.served, seconds).await?;
        if let (Some(ask), Some((champion, _))) = (&theirs, &fair.champion) {
            self.start(ask, &champion.served, seconds).await?;
        }
        let mut shuffled = None;
        if applied.spec.evaluation.importances {
            let blocks = self.shuffled(pipeline, run, &candidate.features, &fair.input, fair.rows).await?;
            shuffled = blocks.map(|blocks| Ask::new(pipeline, &run.id, &candidate.artifact, &blocks));
        }
        if let Some(ask) = &shuffled {
            self.start(ask, &candidate.served, seconds).await?;
        }
        info!(pipeline = %pipeline, run = %run.id, champion = ?version, rows = fair.rows, withheld, "candidate and champion are to predict");
        Ok(Waiting {
            run: run.id.clone(),
            correlation: correlation.to_owned(),
            candidate: ours,
            champion: theirs,
            shuffled,
            version,
            truth: fair.truth,
            rows: fair.rows,
            withheld,
            note: fair.note,
            naive,
        })
    }

    /// Gathers what is known of the candidate, and keeps what serving it later takes.
    async fn candidate(
        &self,
        handling: Handling<'_>,
        run: &Run,
        applied: &Applied,
    ) -> Result<(Candidate, naive::Naive), Stop> {
        let missing = |what: &str| Stop::Reject(format!("the run has no {what}"));
        let prepared = run.prepared.clone().ok_or_else(|| missing("prepared rows"))?;
        let artifact = run.artifact.clone().ok_or_else(|| missing("model"))?;
        let features = rows::features(&*self.blobs, &run.features).await?;
        let train = prepared.channels.get("train").ok_or_else(|| missing("train channel"))?;
        let problem = applied.spec.problem;
        let naive = naive::gather(&*self.blobs, train, features.target(), problem).await?;
        let served = Served::of(applied, naive.names());
        let served = self.keep_served(handling.pipeline, &run.id, &served).await?;
        if served.problem != problem {
            let reason = "the pipeline's problem changed while this run was under way; ask for a new run";
            return Err(Stop::Reject(reason.into()));
        }
        Ok((Candidate { run: run.clone(), prepared, artifact, features, served }, naive))
    }

    /// Writes down what serving a run's model takes, once: jobs, deployments and checks go by what
    /// stands there, so a slower delivery under another declaration must not write over it.
    /// Answers what stands there.
    async fn keep_served(
        &self,
        pipeline: &PipelineName,
        run: &str,
        served: &Served,
    ) -> Result<Served, Error> {
        let path = BlobPath::run(pipeline, run, Served::FILE);
        let write = async || {
            let mut writer = self.blobs.writer(&path, PutExpect::Absent).await?;
            writer.write(domain::digest::canonical(served).as_bytes()).await?;
            writer.finish().await
        };
        match write().await {
            Ok(()) => Ok(served.clone()),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                rows::served(&*self.blobs, pipeline, run).await
            }
            Err(error) => Err(error),
        }
    }

    /// Finds the rows that neither model was shown, and writes them down where they are not all.
    async fn fair(
        &self,
        handling: Handling<'_>,
        candidate: &Candidate,
        champion: Option<Champion>,
    ) -> Result<Fair, Stop> {
        let prepared = &candidate.prepared;
        let whole = |note| Fair {
            input: prepared.test.clone(),
            truth: prepared.truth.clone(),
            rows: prepared.test_rows,
            champion: None,
            note,
        };
        let Some(champion) = champion else { return Ok(whole(None)) };
        let version = champion.model.version;
        let ours = (&candidate.served, candidate.features.target());
        let same = decide::same_thing(version, ours, (&champion.served, champion.features.target()));
        if let Err(note) = same {
            return Ok(whole(Some(note)));
        }
        let columns = match decide::feed(version, candidate.features.inputs(), champion.features.inputs()) {
            Feed::Same => None,
            Feed::Columns(columns) => Some(columns),
            Feed::Not(note) => return Ok(whole(Some(note))),
        };
        let blobs = &*self.blobs;
        let selection: Selection = rows::document(blobs, &champion.run.selection.path).await?;
        let keep = compare::fair(blobs, prepared, &selection).await?;
        let rows = keep.iter().filter(|keep| **keep).count() as u64;
        // Which rows are fair depends on the champion alone, so its version is part of the names: a
        // slower delivery that meets another champion writes over nothing.
        let path = |name: &str| {
            BlobPath::run(handling.pipeline, &candidate.run.id, &format!("{name}-{version}.csv"))
        };
        let (mut input, mut truth, mut note) = (prepared.test.clone(), prepared.truth.clone(), None);
        if rows < keep.len() as u64 {
            let to = path("compare");
            input = compare::copy(blobs, &prepared.test, &to, Header::Absent, &keep, None).await?;
            let to = path("compare-truth");
            truth = compare::copy(blobs, &prepared.truth, &to, Header::Present, &keep, None).await?;
            let shown = keep.len() as u64 - rows;
            note = Some(format!(
                "{shown} of {} withheld rows are left out because champion version {version} was trained on them",
                keep.len()
            ));
        }
        let theirs = match &columns {
            None => input.clone(),
            Some(columns) => {
                let to = path("compare-champion");
                compare::copy(blobs, &prepared.test, &to, Header::Absent, &keep, Some(columns)).await?
            }
        };
        Ok(Fair { input, truth, rows, champion: Some((champion, theirs)), note })
    }

    /// Starts the job of some predictions, unless they are there.
    pub(crate) async fn start(&self, ask: &Ask, served: &Served, timeout_seconds: u64) -> Result<(), Stop> {
        if self.blobs.head(&ask.output).await?.is_some() {
            return Ok(());
        }
        let job = JobSpec {
            name: ask.job.clone(),
            program: ProgramSpec::of(&served.program, &served.files),
            work: Work::Predict {
                artifact: ask.artifact.path.clone(),
                input: ask.input.path.clone(),
                output: ask.output.clone(),
            },
            timeout_seconds,
        };
        match self.jobs.start(&job).await {
            Ok(_) => Ok(()),
            Err(error) if error.may_pass() => Err(Stop::Fault(Fault::Retry(error))),
            Err(error) => Err(Stop::Reject(format!("predictions could not be started: {error}"))),
        }
    }

    async fn predicting(
        &self,
        handling: Handling<'_>,
        run: Typed<Run>,
        waiting: &Waiting,
    ) -> Result<(), Error> {
        let Typed { version, value: mut run } = run;
        let jobs: Vec<String> = waiting.asks().map(|ask| ask.job.clone()).collect();
        let mut plan = handling.plan(self.name(), &format!("begin {}", run.id));
        plan.correlate(&waiting.correlation);
        plan.emit(Event::PredictionsRequested {
            run: run.id.clone(),
            jobs: jobs.clone(),
            champion: waiting.version,
        });
        run.state = RunState::Predicting { jobs };
        run.champion = waiting.version;
        plan.write(Write::update(rows::run_key(handling.pipeline, &run.id), version, &run));
        plan.write(Write::insert(rows::waiting_key(handling.pipeline, &run.id), waiting));
        plan.commit(&*self.records).await.map(|_| ())
    }

    /// The run ends without a version.
    pub(crate) async fn reject(
        &self,
        handling: Handling<'_>,
        run: Typed<Run>,
        waiting: Option<u64>,
        correlation: &str,
        reason: String,
    ) -> Result<(), Error> {
        let Typed { version, value: mut run } = run;
        info!(pipeline = %handling.pipeline, run = %run.id, reason = %reason, "the candidate is rejected");
        let mut plan = handling.plan(self.name(), &format!("reject {}", run.id));
        plan.correlate(correlation);
        plan.emit(Event::ModelRejected { run: run.id.clone(), version: None, reason: reason.clone() });
        run.state = RunState::Rejected { reason };
        plan.write(Write::update(rows::run_key(handling.pipeline, &run.id), version, &run));
        if let Some(version) = waiting {
            plan.write(Write::remove(rows::waiting_key(handling.pipeline, &run.id), version));
        }
        plan.commit(&*self.records).await.map(|_| ())
    }
}
