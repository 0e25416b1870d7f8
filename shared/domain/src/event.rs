//! Everything that happens in the life of a model.
//!
//! Recorded events are parsed for ever: fields may be added with a default, never removed or
//! given another meaning.

use serde::{Deserialize, Serialize};

use crate::pipeline::Trigger;
use crate::row::{CheckVerdict, File, Tuned};
use crate::{Actor, Digest};

/// What happened: `kind` names it, `data` tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum Event {
    /// A person declared a pipeline, or changed it.
    PipelineApplied {
        /// Counts declarations from 1.
        revision: u32,
        /// Of the declaration.
        pipeline_digest: Digest,
        /// Of its contract.
        contract_digest: Digest,
    },
    /// An upload kept its contract.
    PartAccepted {
        /// The upload.
        upload: String,
        /// The part's number, from 1.
        part: u64,
        /// Of content and contract.
        digest: Digest,
        /// Good rows.
        rows: u64,
        /// Rows in quarantine.
        rows_bad: u64,
        /// The page about it.
        report: File,
    },
    /// An upload broke its contract.
    PartRejected {
        /// The upload.
        upload: String,
        /// The file's name as the person gave it.
        file: String,
        /// Why, in one sentence.
        reason: String,
        /// The page about it, where the file could be read at all.
        report: Option<File>,
    },
    /// An upload brought the bytes of a part again, so nothing was added.
    UploadRepeated {
        /// The upload.
        upload: String,
        /// The file's name as the person gave it.
        file: String,
        /// The part that holds them.
        part: u64,
    },
    /// A person asked for a run.
    RetrainingRequested {
        /// In the person's words.
        reason: String,
    },
    /// A run was planned: what it learns from is frozen.
    TrainingRequested {
        /// The run.
        run: String,
        /// Counts runs from 1.
        number: u64,
        /// What asked.
        trigger: Trigger,
        /// Why, in one sentence.
        reason: String,
        /// The selection.
        selection: File,
        /// Retrainings since a person last had a hand in it.
        cycle: u32,
    },
    /// A run may take more than is left of the budget, so it is not planned until a person lets it.
    RunHeld {
        /// The run that it will be.
        run: String,
        /// Over which bound by how much, in one sentence.
        reason: String,
    },
    /// A person let held runs go over the budget.
    BudgetLifted {
        /// The runs.
        runs: Vec<String>,
        /// In the person's words.
        reason: String,
    },
    /// The job of a run was started.
    TrainingStarted {
        /// The run.
        run: String,
        /// The job's name.
        job: String,
    },
    /// The job ended with a model.
    TrainingCompleted {
        /// The run.
        run: String,
        /// The model.
        artifact: File,
        /// The job's duration in seconds.
        seconds: u64,
        /// What a search over hyperparameters found; none where nothing was searched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tuned: Option<Tuned>,
    },
    /// The run ended without a model.
    TrainingFailed {
        /// The run.
        run: String,
        /// Why, in one sentence.
        reason: String,
    },
    /// Candidate and champion were asked to predict the withheld rows.
    PredictionsRequested {
        /// The run.
        run: String,
        /// The jobs' names.
        jobs: Vec<String>,
        /// The champion compared with.
        champion: Option<u32>,
    },
    /// A candidate passed its gates and waits for approval.
    ModelRegistered {
        /// The version, from 1.
        version: u32,
        /// Its run.
        run: String,
        /// What an approval binds to.
        binding: Digest,
        /// The evaluation's page.
        report: File,
        /// Why it passed, in one sentence.
        reason: String,
    },
    /// A candidate failed its gates, or a person turned a version down.
    ModelRejected {
        /// The run.
        run: String,
        /// The version, where it had been registered.
        version: Option<u32>,
        /// Why, in one sentence.
        reason: String,
    },
    /// A person let a version into production.
    ModelApproved {
        /// The version.
        version: u32,
        /// What was approved: must equal the version's binding.
        binding: Digest,
        /// In the person's words.
        #[serde(default)]
        reason: String,
    },
    /// A person asked for an earlier approved version.
    RollbackRequested {
        /// The endpoint.
        endpoint: String,
        /// The version to serve.
        version: u32,
        /// In the person's words.
        #[serde(default)]
        reason: String,
    },
    /// A version is being brought up beside what serves.
    DeploymentStarted {
        /// The deployment.
        deployment: String,
        /// The endpoint.
        endpoint: String,
        /// The version coming.
        version: u32,
    },
    /// A version answers.
    ModelDeployed {
        /// The deployment.
        deployment: String,
        /// The endpoint.
        endpoint: String,
        /// The version.
        version: u32,
        /// What answered before.
        previous: Option<u32>,
        /// Golden requests that were answered right in the smoke test.
        smoke_rows: u64,
    },
    /// A version was not let to answer; what served goes on serving.
    DeploymentFailed {
        /// The deployment.
        deployment: String,
        /// The endpoint.
        endpoint: String,
        /// The version.
        version: u32,
        /// Why, in one sentence.
        reason: String,
    },
    /// A newer approval took a waiting deployment's place.
    DeploymentSuperseded {
        /// The deployment.
        deployment: String,
        /// The endpoint.
        endpoint: String,
        /// The version that will not be deployed.
        version: u32,
        /// The version that came instead.
        by: u32,
    },
    /// The truth about earlier predictions arrived.
    LabelsReceived {
        /// Where they are.
        labels: File,
        /// How many.
        rows: u64,
    },
    /// A person asked for a check now.
    DriftCheckRequested {},
    /// The traffic of a window was compared with what the model was trained on.
    DriftChecked {
        /// The check.
        check: String,
        /// The endpoint.
        endpoint: String,
        /// The version that answered.
        version: u32,
        /// What was found.
        verdict: CheckVerdict,
        /// Rows of traffic in the window.
        rows: u64,
        /// Rows with labels.
        labelled: u64,
        /// Columns that drifted, most first.
        columns: Vec<String>,
        /// In one sentence.
        summary: String,
        /// The check's page.
        report: File,
    },
    /// A check found drift, or that the error has grown.
    DriftDetected {
        /// The check.
        check: String,
        /// The endpoint.
        endpoint: String,
        /// The version that answered.
        version: u32,
        /// What was found.
        verdict: CheckVerdict,
        /// Columns that drifted, most first.
        columns: Vec<String>,
        /// In one sentence.
        summary: String,
        /// Retrainings since a person last had a hand in it.
        #[serde(default)]
        cycle: u32,
    },
}

impl Event {
    /// The event's kind, as `kind` and EventBridge's `detail-type` say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::PipelineApplied { .. } => "PipelineApplied",
            Event::PartAccepted { .. } => "PartAccepted",
            Event::PartRejected { .. } => "PartRejected",
            Event::UploadRepeated { .. } => "UploadRepeated",
            Event::RetrainingRequested { .. } => "RetrainingRequested",
            Event::TrainingRequested { .. } => "TrainingRequested",
            Event::RunHeld { .. } => "RunHeld",
            Event::BudgetLifted { .. } => "BudgetLifted",
            Event::TrainingStarted { .. } => "TrainingStarted",
            Event::TrainingCompleted { .. } => "TrainingCompleted",
            Event::TrainingFailed { .. } => "TrainingFailed",
            Event::PredictionsRequested { .. } => "PredictionsRequested",
            Event::ModelRegistered { .. } => "ModelRegistered",
            Event::ModelRejected { .. } => "ModelRejected",
            Event::ModelApproved { .. } => "ModelApproved",
            Event::RollbackRequested { .. } => "RollbackRequested",
            Event::DeploymentStarted { .. } => "DeploymentStarted",
            Event::ModelDeployed { .. } => "ModelDeployed",
            Event::DeploymentFailed { .. } => "DeploymentFailed",
            Event::DeploymentSuperseded { .. } => "DeploymentSuperseded",
            Event::LabelsReceived { .. } => "LabelsReceived",
            Event::DriftCheckRequested {} => "DriftCheckRequested",
            Event::DriftChecked { .. } => "DriftChecked",
            Event::DriftDetected { .. } => "DriftDetected",
        }
    }

    /// What it is about: `run/1f…`, `model/3`, `endpoint/taxi`.
    pub fn subject(&self) -> String {
        match self {
            Event::PipelineApplied { revision, .. } => format!("revision/{revision}"),
            Event::PartAccepted { part, .. } => format!("part/{part}"),
            Event::PartRejected { upload, .. } | Event::UploadRepeated { upload, .. } => {
                format!("upload/{upload}")
            }
            Event::RetrainingRequested { .. }
            | Event::BudgetLifted { .. }
            | Event::DriftCheckRequested {} => "pipeline".into(),
            Event::TrainingRequested { run, .. }
            | Event::RunHeld { run, .. }
            | Event::TrainingStarted { run, .. }
            | Event::TrainingCompleted { run, .. }
            | Event::TrainingFailed { run, .. }
            | Event::PredictionsRequested { run, .. } => format!("run/{run}"),
            Event::ModelRejected { run, version: None, .. } => format!("run/{run}"),
            Event::ModelRegistered { version, .. }
            | Event::ModelRejected { version: Some(version), .. }
            | Event::ModelApproved { version, .. } => format!("model/{version}"),
            Event::RollbackRequested { endpoint, .. }
            | Event::DeploymentStarted { endpoint, .. }
            | Event::ModelDeployed { endpoint, .. }
            | Event::DeploymentFailed { endpoint, .. }
            | Event::DeploymentSuperseded { endpoint, .. } => format!("endpoint/{endpoint}"),
            Event::LabelsReceived { labels, .. } => format!("labels/{}", labels.digest.short()),
            Event::DriftChecked { check, .. } | Event::DriftDetected { check, .. } => {
                format!("check/{check}")
            }
        }
    }

    /// One readable line, without the time.
    pub fn line(&self, actor: &Actor) -> String {
        match self {
            Event::PipelineApplied { revision, pipeline_digest, .. } => {
                format!("{actor} applied revision {revision} of the pipeline ({})", pipeline_digest.short())
            }
            Event::PartAccepted { part, rows, rows_bad: 0, .. } => {
                format!("accepted part {part}: {rows} rows")
            }
            Event::PartAccepted { part, rows, rows_bad, .. } => {
                format!("accepted part {part}: {rows} rows, {rows_bad} bad rows in quarantine")
            }
            Event::PartRejected { file, reason, .. } => format!("rejected {file}: {reason}"),
            Event::UploadRepeated { file, part, .. } => {
                format!("{file} holds the bytes of part {part} again, so nothing was added")
            }
            Event::RetrainingRequested { reason } => format!("{actor} asked for a run: {reason}"),
            Event::TrainingRequested { number, reason, .. } => format!("planned run {number}: {reason}"),
            Event::RunHeld { reason, .. } => format!("held a run for its budget: {reason}"),
            Event::BudgetLifted { runs, reason } => {
                let runs = if runs.len() == 1 { "a run".to_owned() } else { format!("{} runs", runs.len()) };
                format!("{actor} let {runs} go over the budget: {reason}")
            }
            Event::TrainingStarted { job, .. } => format!("started job {job}"),
            Event::TrainingCompleted { artifact, seconds, tuned: Some(tuned), .. } => format!(
                "trained a model in {seconds} s ({}): trial {} of {} has the best {}, {}",
                artifact.digest.short(),
                tuned.best,
                tuned.trials,
                tuned.metric,
                tuned.value
            ),
            Event::TrainingCompleted { artifact, seconds, tuned: None, .. } => {
                format!("trained a model in {seconds} s ({})", artifact.digest.short())
            }
            Event::TrainingFailed { reason, .. } => format!("training failed: {reason}"),
            Event::PredictionsRequested { champion: Some(champion), .. } => {
                format!("asked the candidate and champion version {champion} to predict the withheld rows")
            }
            Event::PredictionsRequested { .. } => "asked the candidate to predict the withheld rows".into(),
            Event::ModelRegistered { version, reason, .. } => {
                format!("registered version {version}, waiting for approval: {reason}")
            }
            Event::ModelRejected { version: Some(version), reason, .. } => {
                format!("{actor} rejected version {version}: {reason}")
            }
            Event::ModelRejected { reason, .. } => format!("rejected the candidate: {reason}"),
            Event::ModelApproved { version, .. } => format!("{actor} approved version {version}"),
            Event::RollbackRequested { version, endpoint, .. } => {
                format!("{actor} asked {endpoint} to go back to version {version}")
            }
            Event::DeploymentStarted { endpoint, version, .. } => {
                format!("bringing up version {version} for {endpoint}")
            }
            Event::ModelDeployed { endpoint, version, smoke_rows, .. } => {
                format!(
                    "{endpoint} now serves version {version} ({smoke_rows} golden requests answered right)"
                )
            }
            Event::DeploymentFailed { endpoint, version, reason, .. } => {
                format!("version {version} was kept from {endpoint}: {reason}")
            }
            Event::DeploymentSuperseded { version, by, .. } => {
                format!("version {version} made way for version {by}")
            }
            Event::LabelsReceived { rows, .. } => format!("received {rows} labels"),
            Event::DriftCheckRequested {} => format!("{actor} asked for a drift check"),
            Event::DriftChecked { verdict, summary, .. } => format!("drift check: {verdict}: {summary}"),
            Event::DriftDetected { verdict, summary, .. } => format!("{verdict}: {summary}"),
        }
    }
}
