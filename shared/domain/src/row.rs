//! What is so now: the rows behind the events.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::budget::Spend;
use crate::pipeline::{ProblemType, Program, Target, Trigger};
use crate::{Actor, BlobPath, Digest, Key, Pipeline, PipelineName, Time};

/// A blob by path and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it is.
    pub path: BlobPath,
    /// Of its bytes.
    pub digest: Digest,
}

/// The pipeline as applied (`pipeline`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// Counts declarations from 1.
    pub revision: u32,
    /// The declaration itself.
    pub spec: Pipeline,
    /// Its digest.
    pub digest: Digest,
    /// The contract as applied.
    pub contract: File,
    /// The compiled features.
    pub features: File,
    /// The program's files by name, empty for our own program.
    #[serde(default)]
    pub program: BTreeMap<String, File>,
    /// Of the program: its command and files; of our own program's name and version.
    pub program_digest: Digest,
    /// Who applied it.
    pub by: Actor,
    /// When.
    pub at: Time,
}

/// Numbers given out so far (`counts`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Parts.
    pub parts: u64,
    /// Runs.
    pub runs: u64,
    /// Model versions.
    pub versions: u32,
}

/// Who asked to upload what, before the bytes arrived (`ticket/…`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The file's name as the person gave it.
    pub file: String,
    /// The business time of its rows.
    pub as_of: Option<Time>,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Time,
}

/// An upload with its fate (`upload/…`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The file's name as the person gave it.
    pub file: String,
    /// Where the bytes are kept.
    pub path: BlobPath,
    /// The version of what is kept there, where versions are: others may stand there by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Of the bytes.
    pub content: Digest,
    /// How many bytes.
    pub bytes: u64,
    /// Who uploaded it.
    pub by: Actor,
    /// When its fate was recorded.
    pub at: Time,
    /// The business time of its rows.
    pub as_of: Time,
    /// What became of it.
    pub fate: Fate,
    /// Rows read.
    pub rows_read: u64,
    /// Rows in quarantine.
    pub rows_bad: u64,
    /// The page about it.
    pub report: Option<File>,
    /// The same in JSON.
    pub report_json: Option<File>,
    /// The bad rows.
    pub quarantine: Option<File>,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Fate {
    /// It became a part.
    Accepted {
        /// The part's number.
        part: u64,
    },
    /// It broke its contract.
    Rejected {
        /// Why, in one sentence.
        reason: String,
    },
    /// The same bytes had been accepted before.
    Duplicate {
        /// As which part.
        part: u64,
    },
}

/// Content that became a part (`accepted/…`, by the part's digest): the same bytes under the same
/// contract are not taken twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The part's number.
    pub part: u64,
    /// The upload that it came with.
    pub upload: String,
}

/// An accepted part (`part/…`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, from 1.
    pub number: u64,
    /// Of content and contract.
    pub digest: Digest,
    /// Its upload.
    pub upload: String,
    /// The canonical Parquet file.
    pub data: File,
    /// Its size in bytes.
    pub bytes: u64,
    /// The profile.
    pub profile: File,
    /// Good rows.
    pub rows: u64,
    /// Rows in quarantine.
    pub rows_bad: u64,
    /// The contract it kept.
    pub contract: Digest,
    /// The business time of its rows.
    pub as_of: Time,
    /// When it was accepted.
    pub at: Time,
}

/// What a run learns from, frozen when it is planned: the manifest whose digest is the
/// selection's identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The parts, in order of their numbers.
    pub parts: Vec<SelectedPart>,
    /// The cut.
    pub cut: Cut,
    /// The compiled features.
    pub features: Digest,
}

/// A part in a selection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedPart {
    /// Its number.
    pub number: u64,
    /// Its digest.
    pub digest: Digest,
    /// The canonical Parquet file.
    pub data: File,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// The business time of its rows.
    pub as_of: Time,
}

/// How a selection is cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Cut {
    /// Buckets in `[0, test)` are the test, `[test, test + validation)` the validation, the rest
    /// train.
    Entity {
        /// Buckets of the test.
        test: u64,
        /// Buckets of the validation.
        validation: u64,
    },
    /// Rows before `validation` train; rows from `validation` on, before `test`, validate; rows
    /// from `test` on are the test. Times in milliseconds since 1970. Rows without a time train.
    Time {
        /// The column.
        column: String,
        /// First moment of the validation.
        validation: i64,
        /// First moment of the test.
        test: i64,
    },
}

/// On which side of a cut a row falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Shown to the trainer.
    Train,
    /// Shown to the trainer for early stopping.
    Validation,
    /// Withheld for the judgement.
    Test,
}

impl Cut {
    /// The side of a row, by its bucket and its time.
    pub fn side(&self, bucket: u64, time: Option<i64>) -> Side {
        let (place, validation, test) = match self {
            Cut::Entity { test, validation } => {
                return match bucket {
                    b if b < *test => Side::Test,
                    b if b < test + validation => Side::Validation,
                    _ => Side::Train,
                };
            }
            Cut::Time { validation, test, .. } => (time, *validation, *test),
        };
        match place {
            Some(time) if time >= test => Side::Test,
            Some(time) if time >= validation => Side::Validation,
            _ => Side::Train,
        }
    }
}

/// What asks for a run; where it cannot have one yet it waits (`waiting/train/ask-…`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// What asks.
    pub trigger: Trigger,
    /// The id of the input that asked first: the run's id derives from it, so that whoever grants
    /// it, there is one run.
    pub cause: String,
    /// The story it belongs to.
    pub correlation: String,
    /// Who stands behind it.
    pub by: Actor,
    /// Retrainings since a person last had a hand in it.
    pub cycle: u32,
    /// When it was asked.
    pub at: Time,
    /// Why, in one sentence; empty where the numbers at the time of planning say it.
    pub reason: String,
    /// What it waits for, in one sentence; empty while nobody has looked.
    #[serde(default)]
    pub waits: String,
    /// The id of the run it would get, while that is held for its budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Who let it go over the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Actor>,
}

impl Ask {
    /// Where those of a pipeline wait begins with this.
    pub fn waiting(pipeline: &PipelineName) -> Key {
        Key::waiting(pipeline, "train", "ask-")
    }
}

/// A run (`run/…`): one attempt to learn a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id: of its cause.
    pub id: String,
    /// Counts runs from 1.
    pub number: u64,
    /// What asked.
    pub trigger: Trigger,
    /// Why, in one sentence.
    pub reason: String,
    /// Who stands behind it: the person who asked or uploaded, or the function that saw drift.
    pub by: Actor,
    /// Retrainings since a person last had a hand in it.
    pub cycle: u32,
    /// The declaration it runs under.
    pub pipeline: Digest,
    /// The contract.
    pub contract: Digest,
    /// The compiled features.
    pub features: File,
    /// The program.
    pub program: Digest,
    /// The frozen selection.
    pub selection: File,
    /// Numbers of its parts.
    pub parts: Vec<u64>,
    /// Rows selected.
    pub rows: u64,
    /// The newest business time among its parts.
    pub newest: Time,
    /// When it was planned.
    pub at: Time,
    /// How far it has come.
    pub state: RunState,
    /// What was made for it before its job: rows and files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Prepared>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<File>,
    /// The job's duration in seconds.
    #[serde(default)]
    pub seconds: u64,
    /// What it takes of the budget.
    #[serde(default)]
    pub spend: Spend,
    /// What a search over hyperparameters found; none where nothing was searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<Tuned>,
    /// The champion it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub champion: Option<u32>,
    /// The judgement in JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<File>,
    /// The judgement's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<File>,
}

/// What a search over hyperparameters found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// How many trials there were.
    pub trials: u32,
    /// The number of the best one, whose model is the run's.
    pub best: u32,
    /// What was searched for.
    pub metric: String,
    /// Its best value.
    pub value: f64,
    /// The best trial's hyperparameters, those that were searched.
    pub hyperparameters: BTreeMap<String, String>,
    /// Every trial: [`crate::trial::Trials`] in JSON.
    pub record: File,
}

impl Tuned {
    /// The name of the record's file beside the run's model.
    pub const FILE: &str = "trials.json";
}

/// What was made for a run before its job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// Rows shown to the trainer.
    pub train_rows: u64,
    /// Rows for early stopping.
    pub validation_rows: u64,
    /// Rows withheld.
    pub test_rows: u64,
    /// The test rows' serving columns, CSV without header.
    pub test: File,
    /// The test rows' truth with each row's origin: CSV with header `truth,part,row,bucket,time`.
    pub truth: File,
    /// The baseline: the small frozen part of the train rows' profile.
    pub baseline: File,
    /// Of the trainer's channels.
    pub channels: BTreeMap<String, File>,
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum RunState {
    /// Planned.
    Requested,
    /// Its job runs.
    Training {
        /// The job's name.
        job: String,
    },
    /// Its model is there.
    Trained,
    /// The withheld rows are being predicted.
    Predicting {
        /// The jobs' names.
        jobs: Vec<String>,
    },
    /// It became a version.
    Registered {
        /// The version.
        version: u32,
    },
    /// It did not pass its gates.
    Rejected {
        /// Why, in one sentence.
        reason: String,
    },
    /// It ended without a model.
    Failed {
        /// Why, in one sentence.
        reason: String,
    },
}

impl RunState {
    /// Whether nothing more will happen to the run.
    pub fn is_over(&self) -> bool {
        matches!(self, RunState::Registered { .. } | RunState::Rejected { .. } | RunState::Failed { .. })
    }

    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            RunState::Requested => "requested",
            RunState::Training { .. } => "training",
            RunState::Trained => "trained",
            RunState::Predicting { .. } => "predicting",
            RunState::Registered { .. } => "registered",
            RunState::Rejected { .. } => "rejected",
            RunState::Failed { .. } => "failed",
        }
    }
}

/// What it takes to serve and judge a run's model later, whatever is applied by then: kept
/// beside the run as [`Served::FILE`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// The program.
    pub program: Program,
    /// The program's files by name, empty for our own program.
    #[serde(default)]
    pub files: BTreeMap<String, File>,
    /// What is predicted.
    pub target: Target,
    /// Of what type the prediction is.
    pub problem: ProblemType,
    /// The target's classes in the order of the model's answers; none for a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

impl Served {
    /// The file's name.
    pub const FILE: &str = "served.json";

    /// What the declaration at hand says, with the classes found in the train rows.
    pub fn of(applied: &Applied, classes: Vec<String>) -> Served {
        Served {
            program: applied.spec.training.program.clone(),
            files: applied.program.clone(),
            target: applied.spec.target.clone(),
            problem: applied.spec.problem,
            classes,
        }
    }
}

/// A model version (`model/…`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// From 1, without gaps.
    pub version: u32,
    /// Its run.
    pub run: String,
    /// Everything it is made of.
    pub lineage: Lineage,
    /// The digest of the lineage: what an approval binds to.
    pub binding: Digest,
    /// The model.
    pub artifact: File,
    /// The frozen part of its training rows' profile, with its predictions and losses on the
    /// withheld rows.
    pub baseline: File,
    /// A few requests with the answers they must get: CSV, serving columns then the prediction.
    pub golden: File,
    /// The compiled features.
    pub features: File,
    /// The judgement's page.
    pub report: File,
    /// Metrics on the withheld rows.
    pub metrics: BTreeMap<String, f64>,
    /// Whom it was compared with.
    pub champion: Option<u32>,
    /// Who asked for its run.
    pub requested_by: Actor,
    /// The newest business time it learned from.
    pub newest: Time,
    /// Retrainings since a person last had a hand in it.
    pub cycle: u32,
    /// When it was registered.
    pub at: Time,
    /// Whether it may serve.
    pub approval: ApprovalState,
}

/// Everything a version is made of, by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The selection's manifest.
    pub selection: Digest,
    /// The parts, in order.
    pub parts: Vec<Digest>,
    /// The contract.
    pub contract: Digest,
    /// The declaration.
    pub pipeline: Digest,
    /// The compiled features.
    pub features: Digest,
    /// The training program.
    pub program: Digest,
    /// The model.
    pub artifact: Digest,
    /// The hyperparameters that a search found for it, beside those of the declaration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hyperparameters: BTreeMap<String, String>,
    /// The judgement.
    pub evaluation: Digest,
    /// The judgement's page.
    pub report: Digest,
}

/// Whether a version may serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// A person said yes.
    Approved {
        /// Who.
        by: Actor,
        /// When.
        at: Time,
        /// To exactly this.
        binding: Digest,
    },
    /// A person said no.
    Rejected {
        /// Who.
        by: Actor,
        /// When.
        at: Time,
        /// Why.
        reason: String,
    },
}

impl ApprovalState {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            ApprovalState::Pending => "pending",
            ApprovalState::Approved { .. } => "approved",
            ApprovalState::Rejected { .. } => "rejected",
        }
    }
}

/// An endpoint (`endpoint/…`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// The version that serves.
    pub champion: u32,
    /// The version before.
    pub previous: Option<u32>,
    /// The deployment that brought it.
    pub deployment: String,
    /// Since when.
    pub since: Time,
}

/// A deployment (`deployment/…`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id: of its cause.
    pub id: String,
    /// The endpoint.
    pub endpoint: String,
    /// The version coming.
    pub version: u32,
    /// What served when it began.
    pub from: Option<u32>,
    /// Who approved it or asked for it.
    pub by: Actor,
    /// When it was asked for.
    pub at: Time,
    /// How far it has come.
    pub state: DeploymentState,
}

/// How far a deployment has come. It waits, then is brought up beside what serves and tried,
/// then takes its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum DeploymentState {
    /// Another deployment of the endpoint is in flight.
    Waiting,
    /// Being brought up beside what serves, to be tried.
    Staging,
    /// Tried and found right; taking its place.
    Switching {
        /// Golden requests answered right.
        smoke_rows: u64,
    },
    /// It serves, or has served.
    Deployed,
    /// It was not let to serve.
    Failed {
        /// Why, in one sentence.
        reason: String,
    },
    /// A newer approval took its place.
    Superseded {
        /// The newer version.
        by: u32,
    },
}

impl DeploymentState {
    /// Whether it has begun and not ended.
    pub fn in_flight(&self) -> bool {
        matches!(self, DeploymentState::Staging | DeploymentState::Switching { .. })
    }

    /// Whether nothing more will happen to it.
    pub fn is_over(&self) -> bool {
        !self.in_flight() && *self != DeploymentState::Waiting
    }
}

/// Labels that arrived (`labels/…`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// CSV with header `inference_id,label`.
    pub file: File,
    /// How many.
    pub rows: u64,
    /// Who sent them.
    pub by: Actor,
    /// When.
    pub at: Time,
}

/// What a drift check found, from calm to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CheckVerdict {
    /// Too few rows to say.
    #[serde(rename = "insufficient data")]
    InsufficientData,
    /// Nothing to do.
    #[serde(rename = "ok")]
    Ok,
    /// Something to look at.
    #[serde(rename = "warning")]
    Warning,
    /// Inputs or predictions are no longer what the model was trained on.
    #[serde(rename = "drift")]
    Drift,
    /// The error has grown.
    #[serde(rename = "concept drift")]
    ConceptDrift,
}

impl fmt::Display for CheckVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CheckVerdict::InsufficientData => "insufficient data",
            CheckVerdict::Ok => "ok",
            CheckVerdict::Warning => "warning",
            CheckVerdict::Drift => "drift",
            CheckVerdict::ConceptDrift => "concept drift",
        })
    }
}

/// A drift check (`check/…`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its id: of its cause.
    pub id: String,
    /// The endpoint.
    pub endpoint: String,
    /// The version that answered.
    pub version: u32,
    /// Start of the window.
    pub from: Time,
    /// End of the window.
    pub to: Time,
    /// When it was made.
    pub at: Time,
    /// What was found.
    pub verdict: CheckVerdict,
    /// Rows of traffic in the window.
    pub rows: u64,
    /// Rows with labels.
    pub labelled: u64,
    /// Columns that drifted, most first.
    pub columns: Vec<String>,
    /// In one sentence.
    pub summary: String,
    /// The check in JSON.
    pub result: File,
    /// The check's page.
    pub report: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_puts_every_row_on_one_side() {
        let entity = Cut::Entity { test: 2_000, validation: 1_000 };
        for (bucket, side) in [
            (0, Side::Test),
            (1_999, Side::Test),
            (2_000, Side::Validation),
            (2_999, Side::Validation),
            (3_000, Side::Train),
        ] {
            assert_eq!(entity.side(bucket, None), side, "{bucket}");
        }
        let time = Cut::Time { column: "at".into(), validation: 100, test: 200 };
        for (at, side) in [
            (None, Side::Train),
            (Some(99), Side::Train),
            (Some(100), Side::Validation),
            (Some(200), Side::Test),
        ] {
            assert_eq!(time.side(0, at), side, "{at:?}");
        }
    }
}
