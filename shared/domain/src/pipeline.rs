//! What a person declares in `pipeline.yaml`: one use case, from its data to its notices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::tuning::Tuning;
use crate::{Digest, PipelineName, Problem};

/// The whole declaration. Unknown fields are refused, so that no wish is silently ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The pipeline's name.
    pub name: PipelineName,
    /// One sentence for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The contract's file, beside this one.
    pub contract: String,
    /// What is predicted.
    pub target: Target,
    /// Of what type the prediction is.
    pub problem: ProblemType,
    /// The columns that name the thing a row is about; rows of one thing stay on one side of the split.
    #[serde(default)]
    pub entity: Vec<String>,
    /// The column that says when a row happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How rows are cut into train, validation and test.
    #[serde(default)]
    pub split: Split,
    /// Columns that will not be known when a prediction is asked for (they leak), beyond the
    /// target and what it is made of.
    #[serde(default)]
    pub withhold: Vec<String>,
    /// Columns that requests may carry but that the model does not see.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Features by name, as expressions over the serving columns.
    #[serde(default)]
    pub features: BTreeMap<String, String>,
    /// What learns, with what, from how much.
    #[serde(default)]
    pub training: Training,
    /// What runs may take.
    #[serde(default, skip_serializing_if = "Budget::is_none")]
    pub budget: Budget,
    /// What a candidate must reach.
    #[serde(default)]
    pub evaluation: Gates,
    /// Who may let a model into production.
    pub approval: Approval,
    /// Where it answers.
    #[serde(default)]
    pub serving: Serving,
    /// How it is watched.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// When it is learned again.
    #[serde(default)]
    pub retraining: Retraining,
    /// Who is told what.
    #[serde(default)]
    pub notices: Vec<NoticeRule>,
}

/// What is predicted: a column, or an expression over columns that are then withheld from serving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Target {
    /// A column of the contract.
    Column(String),
    /// A named expression.
    Expression {
        /// What the value is called.
        name: String,
        /// How it is made.
        expression: String,
        /// Columns among those it is made of that are known when a prediction is asked for, as
        /// the beginning of a length of time is. They are served; all others are withheld.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        known: Vec<String>,
    },
}

impl Target {
    /// What the value is called.
    pub fn name(&self) -> &str {
        match self {
            Target::Column(name) | Target::Expression { name, .. } => name,
        }
    }

    /// How it is made: a column's name is an expression too.
    pub fn expression(&self) -> &str {
        match self {
            Target::Column(name) => name,
            Target::Expression { expression, .. } => expression,
        }
    }

    /// The columns it is made of that are known when a prediction is asked for.
    pub fn known(&self) -> &[String] {
        match self {
            Target::Column(_) => &[],
            Target::Expression { known, .. } => known,
        }
    }
}

/// Of what type a prediction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemType {
    /// A number; the loss is the squared error.
    Regression,
    /// One of two classes; predictions are the probability of the second in sorted order
    /// (of `1` or `true`); the loss is the log loss.
    Binary,
    /// One of several classes; predictions are a probability for each; the loss is the log loss.
    Multiclass,
}

/// How rows are cut. Test rows are never shown to a trainer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// By what.
    pub by: SplitBy,
    /// Share of rows withheld for the judgement, in (0, 0.5].
    pub test: f64,
    /// Share of rows for early stopping, in [0, 0.5].
    pub validation: f64,
}

impl Default for Split {
    fn default() -> Split {
        Split { by: SplitBy::Entity, test: 0.2, validation: 0.1 }
    }
}

/// By what rows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// By a hash of the entity key (of the whole row's position where no entity is declared):
    /// a row's side never changes.
    Entity,
    /// By time: the newest rows of a selection are the test. The cut is recorded with the run.
    Time,
}

/// What learns, with what, from how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// The program; Millrace's own gradient boosting where none is named.
    pub program: Program,
    /// Passed on to the program, as text.
    pub hyperparameters: BTreeMap<String, serde_json::Value>,
    /// How further hyperparameters are searched for; where nothing is declared, one training with
    /// what is given makes the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
    /// How many of the newest parts a run learns from.
    pub window_parts: usize,
    /// Fewer rows than this are not worth a run.
    pub minimum_rows: u64,
    /// A training, also one of a search, that runs longer is stopped.
    pub timeout_minutes: u64,
}

impl Default for Training {
    fn default() -> Training {
        Training {
            program: Program::Boost,
            hyperparameters: BTreeMap::new(),
            tuning: None,
            window_parts: 12,
            minimum_rows: 200,
            timeout_minutes: 60,
        }
    }
}

/// A program that follows SageMaker's container contract: called with `train`, then `serve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// Millrace's own gradient boosting.
    Boost,
    /// A command with its files, recorded by digest at `apply`.
    Command {
        /// The command's words; `train` or `serve` is added.
        run: Vec<String>,
        /// Files beside `pipeline.yaml` that it needs.
        files: Vec<String>,
    },
}

/// What a candidate must reach before it may be registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// The upper bound of (challenger loss − champion loss) must be below this; 0 asks for
    /// superiority, a small positive number for "not worse by more than".
    pub margin: f64,
    /// Two-sided confidence of the bootstrap interval.
    pub confidence: f64,
    /// Metrics that must not be above a value, by name (`rmse: 0.4`).
    pub maximum: BTreeMap<String, f64>,
    /// Metrics that must not be below a value, by name (`roc_auc: 0.8`).
    pub minimum: BTreeMap<String, f64>,
    /// Quantiles whose pinball loss a regression is measured by too, each from 0.001 to 0.999.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<f64>,
    /// Whether a candidate must also be better than what takes no skill: a guess from the training
    /// rows' target, and a linear model of the same features.
    #[serde(skip_serializing_if = "is_yes")]
    pub baselines: bool,
    /// Whether it is measured how much the model needs each column; takes one more job.
    #[serde(skip_serializing_if = "is_yes")]
    pub importances: bool,
    /// Columns by whose values the rows are told apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<ColumnGates>,
    /// Columns that name the groups that a model has to treat alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fairness: Vec<ColumnGates>,
    /// Share of the naive loss, above 0 and at most 1, that a column may explain by itself before
    /// it is reported as a leak.
    #[serde(skip_serializing_if = "is_leakage")]
    pub leakage: f64,
}

/// A column that tells rows apart, and what has to hold of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnGates {
    /// The column: one that requests carry.
    pub column: String,
    /// What must not be above a value: in a slice a metric, between groups a measure of fairness.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub maximum: BTreeMap<String, f64>,
    /// What must not be below a value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub minimum: BTreeMap<String, f64>,
}

/// What a column may explain by itself: a sound predictor rarely explains this much alone.
const LEAKAGE: f64 = 0.95;

fn is_leakage(bound: &f64) -> bool {
    *bound == LEAKAGE
}

fn is_yes(yes: &bool) -> bool {
    *yes
}

impl Default for Gates {
    fn default() -> Gates {
        Gates {
            margin: 0.0,
            confidence: 0.95,
            maximum: BTreeMap::new(),
            minimum: BTreeMap::new(),
            quantiles: Vec::new(),
            baselines: true,
            importances: true,
            slices: Vec::new(),
            fairness: Vec::new(),
            leakage: LEAKAGE,
        }
    }
}

/// Who may let a model into production. An actor that is not named fails closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Names of people. A change of this list needs one of the list before it.
    pub approvers: Vec<String>,
    /// Whether the approver must be someone other than who asked for the run and who applied
    /// the pipeline.
    #[serde(default = "yes")]
    pub four_eyes: bool,
}

fn yes() -> bool {
    true
}

/// Where a model answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Serving {
    /// The endpoint's name; the pipeline's where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<PipelineName>,
}

/// How a model is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Monitoring {
    /// How far back a check looks, in days.
    pub window_days: u32,
    /// Time between two checks of traffic, in hours.
    pub every_hours: u32,
    /// Fewer rows than this give the verdict `insufficient data`.
    pub minimum_rows: u64,
    /// False-discovery rate over the columns of one check.
    pub alpha: f64,
    /// Jensen–Shannon distance (base 2, in [0, 1]) below which a change is too small to matter.
    pub effect: f64,
    /// Relative growth of the loss below which a change is too small to matter.
    pub loss_growth: f64,
    /// Age of the newest training row, in days, after which the check warns of staleness.
    pub stale_days: u32,
}

impl Default for Monitoring {
    fn default() -> Monitoring {
        Monitoring {
            window_days: 31,
            every_hours: 24,
            minimum_rows: 200,
            alpha: 0.01,
            effect: 0.1,
            loss_growth: 0.1,
            stale_days: 365,
        }
    }
}

/// When a model is learned again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retraining {
    /// What asks for a run; a person always may.
    pub on: Vec<Trigger>,
    /// New rows that the trigger `data` waits for.
    pub minimum_new_rows: u64,
    /// Hours that must pass after a run was asked for before anything but a person asks again.
    pub cooldown_hours: u32,
    /// Days between runs of the trigger `schedule`.
    pub every_days: u32,
}

impl Default for Retraining {
    fn default() -> Retraining {
        Retraining {
            on: vec![Trigger::Data, Trigger::Drift],
            minimum_new_rows: 1_000,
            cooldown_hours: 24,
            every_days: 30,
        }
    }
}

/// What can ask for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Enough new rows were accepted.
    Data,
    /// A check found drift.
    Drift,
    /// Enough time has passed.
    Schedule,
    /// A person asked.
    Request,
}

/// Which events are told to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeRule {
    /// Kinds of events; all where none is named.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Where to: `file`, or `webhook`.
    pub to: Channel,
}

/// Where a notice goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Channel {
    /// The notices file of the data directory; the notice topic on AWS.
    File,
    /// An HTTP POST, signed with HMAC-SHA256 under a secret that is named, never written here.
    Webhook {
        /// Where to.
        url: String,
        /// Where the secret is, as `env:NAME`.
        secret: String,
    },
}

impl Pipeline {
    /// The digest under which the declaration is recorded.
    pub fn digest(&self) -> Digest {
        Digest::of_json(self)
    }

    /// The endpoint's name.
    pub fn endpoint(&self) -> &PipelineName {
        self.serving.endpoint.as_ref().unwrap_or(&self.name)
    }

    /// The salt of the split: one for each pipeline, so that a row's side never changes.
    pub fn salt(&self) -> &str {
        self.name.as_str()
    }

    /// What is wrong with the declaration in itself, without the contract.
    pub fn problems(&self, file: &str) -> Vec<Problem> {
        let mut problems = self.budget.problems(file);
        let mut refuse = |field: &str, found: String, expected: &str| {
            problems.push(Problem::new(file, "out of range").field(field).found(found).expected(expected));
        };
        if !(self.split.test > 0.0 && self.split.test <= 0.5) {
            refuse("split.test", self.split.test.to_string(), "a share above 0 and at most 0.5");
        }
        if !(0.0..=0.5).contains(&self.split.validation) {
            refuse("split.validation", self.split.validation.to_string(), "a share from 0 to 0.5");
        }
        if self.split.by == SplitBy::Time && self.time.is_none() {
            refuse("split.by", "time".into(), "`time: <column>` to be declared, or `by: entity`");
        }
        if !(1..=1_000).contains(&self.training.window_parts) {
            refuse("training.window_parts", self.training.window_parts.to_string(), "1 to 1000 parts");
        }
        if !(1..=28 * 24 * 60).contains(&self.training.timeout_minutes) {
            refuse(
                "training.timeout_minutes",
                self.training.timeout_minutes.to_string(),
                "1 minute to 28 days",
            );
        }
        for (name, value) in &self.training.hyperparameters {
            if value.is_array() || value.is_object() || value.is_null() {
                refuse(
                    &format!("training.hyperparameters.{name}"),
                    value.to_string(),
                    "a number, a text or a truth value",
                );
            }
        }
        if let Program::Command { run, .. } = &self.training.program
            && run.is_empty()
        {
            refuse("training.program.command.run", "nothing".into(), "the words of a command");
        }
        if !(self.evaluation.confidence >= 0.5 && self.evaluation.confidence < 1.0) {
            refuse("evaluation.confidence", self.evaluation.confidence.to_string(), "0.5 or more, below 1");
        }
        if !self.evaluation.margin.is_finite() {
            refuse("evaluation.margin", self.evaluation.margin.to_string(), "a finite number");
        }
        if !(self.evaluation.leakage > 0.0 && self.evaluation.leakage <= 1.0) {
            refuse(
                "evaluation.leakage",
                self.evaluation.leakage.to_string(),
                "a share above 0 and at most 1",
            );
        }
        if self.approval.approvers.is_empty() {
            refuse("approval.approvers", "nobody".into(), "at least one person's name");
        }
        if !(1..=366).contains(&self.monitoring.window_days) {
            refuse("monitoring.window_days", self.monitoring.window_days.to_string(), "1 to 366 days");
        }
        if !(1..=24 * 366).contains(&self.monitoring.every_hours) {
            refuse("monitoring.every_hours", self.monitoring.every_hours.to_string(), "1 hour to 366 days");
        }
        if !(self.monitoring.alpha > 0.0 && self.monitoring.alpha < 0.5) {
            refuse("monitoring.alpha", self.monitoring.alpha.to_string(), "above 0 and below 0.5");
        }
        for rule in &self.notices {
            if let Channel::Webhook { secret, .. } = &rule.to
                && !secret.starts_with("env:")
            {
                refuse(
                    "notices.to.webhook.secret",
                    "a secret in the file".into(),
                    "`env:NAME`, so that no secret is recorded",
                );
            }
        }
        problems
    }
}
