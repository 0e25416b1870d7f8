//! Is the candidate better than what answers today, beyond chance?
//!
//! Candidate and champion predict the same withheld rows, so they are compared row by row: the
//! mean of (challenger loss − champion loss) with a bootstrap interval. The candidate is promoted
//! when the interval's **upper end is below the margin** (0 asks for superiority) and every gate
//! is passed; without a champion it must beat the naive baseline, which always answers what the
//! training rows held on average. Champion or not, it must be worth more than what takes no skill
//! (`baselines`).

pub mod bins;
pub mod declaration;
pub mod fairness;
mod gates;
mod groups;
pub mod importance;
pub mod labels;
pub mod leakage;
mod naive;
pub mod slices;

use domain::pipeline::{ColumnGates, Gates, ProblemType};
use domain::{Problem, limit};
use serde::{Deserialize, Serialize};

use crate::metrics::confusion::{Confusion, confusion};
use crate::metrics::curve::{Curves, curves};
use crate::metrics::reliability::{Bin, reliability};
use crate::metrics::{Loss, Measure, Outcomes, Prediction, Quantile, Truth};
use crate::statistics::Interval;
use crate::statistics::bootstrap::{Bootstrap, Units};
use fairness::FairColumn;
use slices::{Coded, Search, SlicedColumn};

pub use gates::Gate;
pub use groups::Group;
pub use naive::Naive;

/// The version of the evaluation's format.
pub const VERSION: u32 = 1;

/// How candidates are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationOptions {
    /// The upper end of (challenger loss − champion loss) must be below this.
    pub margin: f64,
    /// Two-sided confidence of every interval.
    pub confidence: f64,
    /// Fewer rows than this cannot promote anything.
    pub minimum_rows: u64,
    /// Metrics that must not be above a value, by name.
    pub maximum: std::collections::BTreeMap<String, f64>,
    /// Metrics that must not be below a value, by name.
    pub minimum: std::collections::BTreeMap<String, f64>,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Bootstrap seed.
    pub seed: u64,
    /// Quantiles whose pinball loss is measured too.
    #[serde(default)]
    pub quantiles: Vec<f64>,
    /// Whether the candidate must be better than the baselines.
    #[serde(default)]
    pub baselines: bool,
    /// Declared slices.
    #[serde(default)]
    pub slices: Vec<ColumnGates>,
    /// Declared groups.
    #[serde(default)]
    pub fairness: Vec<ColumnGates>,
}

impl Default for EvaluationOptions {
    fn default() -> EvaluationOptions {
        EvaluationOptions::from(&Gates::default())
    }
}

impl From<&Gates> for EvaluationOptions {
    fn from(gates: &Gates) -> EvaluationOptions {
        EvaluationOptions {
            margin: gates.margin,
            confidence: gates.confidence,
            minimum_rows: 30,
            maximum: gates.maximum.clone(),
            minimum: gates.minimum.clone(),
            resamples: limit::BOOTSTRAP_RESAMPLES,
            seed: 0,
            quantiles: gates.quantiles.clone(),
            baselines: gates.baselines,
            slices: gates.slices.clone(),
            fairness: gates.fairness.clone(),
        }
    }
}

/// What is evaluated: predictions of one and the same withheld rows.
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    /// What happened.
    pub truth: &'a Truth,
    /// What the candidate predicted.
    pub candidate: &'a Prediction,
    /// What the champion predicted, where there is one.
    pub champion: Option<&'a Prediction>,
    /// What a model that knows no row answers.
    pub naive: &'a Naive,
    /// What else a candidate is held against.
    pub baselines: Vec<Baseline>,
    /// The columns of these rows by which slices and groups are told apart.
    pub columns: &'a [Coded],
    /// What the bootstrap draws: rows, or clusters of them.
    pub units: Units,
}

impl<'a> Candidates<'a> {
    /// A candidate against a champion or none, without anything else to hold it against.
    pub fn plain(
        truth: &'a Truth,
        candidate: &'a Prediction,
        champion: Option<&'a Prediction>,
        naive: &'a Naive,
    ) -> Candidates<'a> {
        let units = Units::rows(truth.rows());
        Candidates { truth, candidate, champion, naive, baselines: Vec::new(), columns: &[], units }
    }
}

/// A baseline's predictions of the withheld rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Its name: `mean`, `linear`.
    pub name: String,
    /// How much skill it has.
    pub skill: Skill,
    /// What it predicted.
    pub prediction: Prediction,
}

/// How much a baseline knows, and so how surely it must be beaten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Skill {
    /// It knows no row: the candidate must be better beyond chance.
    None,
    /// It is a model itself: the candidate must be ahead of it on the rows at hand, for few rows
    /// may not tell two good models apart.
    Model,
}

/// How a candidate stands against a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgainstBaseline {
    /// The baseline's name.
    pub name: String,
    /// How much skill it has.
    pub skill: Skill,
    /// Its metrics.
    pub measures: Vec<Measure>,
    /// Its mean loss.
    pub loss: f64,
    /// Mean of (candidate loss − its loss); below zero the candidate is better.
    pub difference: f64,
    /// The difference's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Whether the candidate is better than it, as surely as its skill asks for.
    pub beaten: bool,
}

/// Who a candidate has to beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rival {
    /// The model that answers today.
    Champion,
    /// The naive baseline, where there is no champion.
    Naive,
}

impl Rival {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Rival::Champion => "champion",
            Rival::Naive => "naive baseline",
        }
    }
}

/// What becomes of the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every gate is passed.
    Promote,
    /// Some gate is not.
    Reject,
}

/// The metrics of one set of predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// The metrics, the headline first.
    pub measures: Vec<Measure>,
    /// Groups of rows by prediction, for the calibration plot; empty for the naive baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// The reliability curve; empty for a number and for the naive baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reliability: Vec<Bin>,
    /// Which class is taken for which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// The ROC and the precision–recall curve of a binary problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curves: Option<Curves>,
}

impl Scorecard {
    fn of(measures: Vec<Measure>) -> Scorecard {
        Scorecard { measures, groups: Vec::new(), reliability: Vec::new(), confusion: None, curves: None }
    }

    fn drawn(&mut self, truth: &Truth, prediction: &Prediction) {
        self.groups = groups::groups(truth, prediction);
        self.reliability = reliability(truth, prediction);
        self.confusion = confusion(truth, prediction);
        self.curves = curves(truth, prediction);
    }
}

/// The paired difference of per-row losses: challenger − rival; below zero is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Which loss.
    pub loss: Loss,
    /// Against whom.
    pub rival: Rival,
    /// The candidate's mean loss.
    pub challenger: f64,
    /// The rival's mean loss.
    pub other: f64,
    /// The mean difference.
    pub mean: f64,
    /// Its bootstrap interval; absent where a mean is beyond the range of numbers.
    pub interval: Option<Interval>,
    /// How the interval was made.
    #[serde(default)]
    pub method: IntervalMethod,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Bootstrap seed.
    pub seed: u64,
    /// Rows drawn in each resample, or clusters; fewer than all where there are many (m-out-of-n
    /// bootstrap).
    pub rows_drawn: usize,
    /// Clusters of rows that are drawn together; absent where rows are drawn one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<usize>,
}

/// How a bootstrap interval was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalMethod {
    /// Percentiles of the resamples (Efron 1979).
    #[default]
    Percentile,
    /// Bias-corrected and accelerated (Efron 1987).
    Bca,
}

/// An evaluation, complete enough to be judged again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The format's version: [`VERSION`].
    pub version: u32,
    /// The problem type.
    pub problem: ProblemType,
    /// Withheld rows.
    pub rows: u64,
    /// The settings.
    pub options: EvaluationOptions,
    /// What becomes of the candidate.
    pub verdict: Verdict,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
    /// The conditions.
    pub gates: Vec<Gate>,
    /// The paired comparison.
    pub difference: Difference,
    /// The candidate.
    pub candidate: Scorecard,
    /// The champion, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub champion: Option<Scorecard>,
    /// The naive baseline.
    pub naive: Scorecard,
    /// How it stands against the baselines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<AgainstBaseline>,
    /// The declared slices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SlicedColumn>,
    /// Slices that are worse, found among all columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// How the declared groups are treated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fairness: Vec<FairColumn>,
    /// What is known of the data that was learned from and judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Checks>,
    /// How much the candidate needs each column, the most needed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub importances: Vec<importance::Importance>,
    /// The classes in the model's order; none for a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// Whether the data can be trusted: what no gate rests on, and people must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// What one column alone predicts of the target, the best first.
    pub scores: Vec<leakage::ColumnScore>,
    /// Columns that seem to know the target.
    pub leaks: Vec<leakage::Leak>,
    /// The score from which on a column is one.
    pub bound: f64,
    /// Withheld rows that stand in the training rows too, target and all.
    pub duplicates: u64,
    /// The target in both.
    pub labels: labels::Labels,
    /// Training rows and withheld rows that were looked at; fewer than all where there are many.
    pub rows: [u64; 2],
}

impl Evaluation {
    /// The outcome in one sentence.
    pub fn summary(&self) -> String {
        self.reasons.first().cloned().unwrap_or_default()
    }

    /// The evaluation as JSON: the same bytes for the same inputs.
    pub fn written(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("an evaluation holds finite numbers only")
    }
}

/// Judges a candidate. Pure: equal inputs give equal evaluations. `file` is what errors about
/// predictions name.
///
/// # Errors
/// Predictions that do not fit the truth, by row.
pub fn evaluate(
    file: &str,
    candidates: &Candidates<'_>,
    options: &EvaluationOptions,
) -> Result<Evaluation, Problem> {
    let truth = candidates.truth;
    let quantiles: Vec<Quantile> =
        options.quantiles.iter().filter_map(|share| Quantile::new(*share)).collect();
    let outcomes = |prediction| {
        Outcomes::new(file, truth, prediction).map(|outcomes| outcomes.with_quantiles(&quantiles))
    };
    let naive_answers = candidates.naive.prediction(truth.rows());
    let players = Players {
        candidate: outcomes(candidates.candidate)?,
        champion: candidates.champion.map(outcomes).transpose()?,
        naive: outcomes(&naive_answers)?,
        baselines: candidates
            .baselines
            .iter()
            .map(|baseline| Ok((baseline, outcomes(&baseline.prediction)?)))
            .collect::<Result<_, Problem>>()?,
    };
    let mut measured = players.measured(&candidates.units, options);
    measured.candidate.drawn(truth, candidates.candidate);
    if let (Some(card), Some(champion)) = (&mut measured.champion, candidates.champion) {
        card.drawn(truth, champion);
    }
    let problem = players.candidate.problem();
    let coded = |name: &str| candidates.columns.iter().find(|column| column.bins.name() == name);
    let slices = options.slices.iter().filter_map(|slice| coded(&slice.column));
    let bootstrap = options.bootstrap();
    let fair = |column: &Coded| {
        let losses = players.candidate.losses();
        fairness::fairness(column, truth, candidates.candidate, losses, &candidates.units, bootstrap)
    };
    let losses = players.candidate.losses();
    let mut evaluation = Evaluation {
        version: VERSION,
        problem,
        rows: truth.rows() as u64,
        options: options.clone(),
        verdict: Verdict::Reject,
        reasons: Vec::new(),
        gates: Vec::new(),
        difference: measured.difference,
        candidate: measured.candidate,
        champion: measured.champion,
        naive: measured.naive,
        baselines: measured.baselines,
        slices: slices.map(|column| slices::sliced(column, &players.candidate)).collect(),
        search: (!candidates.columns.is_empty()).then(|| slices::search(candidates.columns, losses)),
        fairness: options.fairness.iter().filter_map(|group| coded(&group.column)).map(fair).collect(),
        checks: None,
        importances: Vec::new(),
        classes: Vec::new(),
    };
    gates::decide(&mut evaluation);
    Ok(evaluation)
}

/// A number a report can hold; sums of enormous losses may leave the range.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::MAX.copysign(value) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl EvaluationOptions {
    /// The bootstrap of every interval.
    pub fn bootstrap(&self) -> Bootstrap {
        Bootstrap { resamples: self.resamples, seed: self.seed, confidence: self.confidence }
    }
}

/// Everybody's predictions, joined to the truth.
struct Players<'a> {
    candidate: Outcomes,
    champion: Option<Outcomes>,
    naive: Outcomes,
    baselines: Vec<(&'a Baseline, Outcomes)>,
}

/// What was measured of them.
struct Measured {
    candidate: Scorecard,
    champion: Option<Scorecard>,
    naive: Scorecard,
    difference: Difference,
    baselines: Vec<AgainstBaseline>,
}

impl Players<'_> {
    fn rival(&self) -> (Rival, &Outcomes) {
        match &self.champion {
            Some(champion) => (Rival::Champion, champion),
            None => (Rival::Naive, &self.naive),
        }
    }

    /// Row by row, the candidate's loss less another's.
    fn less(&self, other: &Outcomes) -> Vec<f64> {
        self.candidate.losses().iter().zip(other.losses()).map(|(own, other)| own - other).collect()
    }

    /// Measures everything on the same resamples: one draw serves all, and intervals can be
    /// compared. Only the differences of baselines need intervals, not their metrics.
    fn measured(&self, units: &Units, options: &EvaluationOptions) -> Measured {
        let metrics = self.candidate.metrics();
        let carded: Vec<&Outcomes> = [Some(&self.candidate), self.champion.as_ref(), Some(&self.naive)]
            .into_iter()
            .flatten()
            .collect();
        let (rival, rival_outcomes) = self.rival();
        let others =
            std::iter::once(rival_outcomes).chain(self.baselines.iter().map(|(_, outcomes)| outcomes));
        let differences: Vec<Vec<f64>> = others.map(|other| self.less(other)).collect();
        let mut estimates: Vec<f64> = carded.iter().flat_map(|outcomes| outcomes.values()).collect();
        let compared_from = estimates.len();
        estimates.extend(differences.iter().map(|values| mean(values)));
        let bootstrap = options.bootstrap();
        let mut samples = bootstrap.samples(units, &estimates, |resample, slots| {
            for (outcomes, slots) in carded.iter().zip(slots.chunks_mut(metrics.len())) {
                outcomes.measure(resample, slots);
            }
            for (values, slot) in differences.iter().zip(&mut slots[compared_from..]) {
                *slot = resample.mean(values);
            }
        });
        let compared = samples.split_off(compared_from);
        let accelerated = compared.into_iter().zip(&differences);
        let mut intervals: Vec<Option<Interval>> =
            accelerated.map(|(sample, values)| bootstrap.accelerated(units, values, sample)).collect();
        let around = intervals.remove(0);
        let mut samples = samples.into_iter();
        let mut card = |outcomes: &Outcomes| {
            let measure = |(metric, value): (&crate::metrics::Metric, f64)| {
                let interval = samples.next().and_then(|sample| bootstrap.percentiles(sample));
                let value = Some(value).filter(|value| value.is_finite());
                Measure { metric: *metric, value, interval: value.and(interval) }
            };
            Scorecard::of(metrics.iter().zip(outcomes.values()).map(measure).collect())
        };
        let difference = Difference {
            loss: Loss::of(self.candidate.problem()),
            rival,
            challenger: finite(mean(self.candidate.losses())),
            other: finite(mean(rival_outcomes.losses())),
            mean: finite(mean(&differences[0])),
            interval: around,
            method: IntervalMethod::Bca,
            resamples: options.resamples,
            seed: options.seed,
            rows_drawn: units.drawn(),
            clusters: units.are_clusters().then(|| units.count()),
        };
        let against = self.baselines.iter().zip(&differences[1..]).zip(intervals);
        Measured {
            candidate: card(&self.candidate),
            champion: self.champion.as_ref().map(&mut card),
            naive: card(&self.naive),
            difference,
            baselines: against
                .map(|(((baseline, outcomes), values), interval)| {
                    against_baseline(baseline, outcomes, values, interval)
                })
                .collect(),
        }
    }
}

fn against_baseline(
    baseline: &Baseline,
    outcomes: &Outcomes,
    differences: &[f64],
    interval: Option<Interval>,
) -> AgainstBaseline {
    let measure = |(metric, value): (&crate::metrics::Metric, f64)| {
        let value = Some(value).filter(|value| value.is_finite());
        Measure { metric: *metric, value, interval: None }
    };
    let difference = finite(mean(differences));
    AgainstBaseline {
        name: baseline.name.clone(),
        skill: baseline.skill,
        measures: outcomes.metrics().iter().zip(outcomes.values()).map(measure).collect(),
        loss: finite(mean(outcomes.losses())),
        difference,
        interval,
        beaten: match baseline.skill {
            Skill::None => interval.is_some_and(|interval| interval.high < 0.0),
            Skill::Model => difference < 0.0,
        },
    }
}

#[cfg(test)]
mod tests;
