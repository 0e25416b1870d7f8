//! Is the candidate better than what answers today, beyond chance?
//!
//! Candidate and champion predict the same withheld rows, so they are compared row by row: the
//! mean of (challenger loss − champion loss) with a bootstrap interval. The candidate is promoted
//! when the interval's **upper end is below the margin** (0 asks for superiority) and every gate
//! is passed; without a champion it must beat the naive baseline, which always answers what the
//! training rows held on average.

mod groups;

use domain::pipeline::{Gates, ProblemType};
use domain::{Problem, limit};
use serde::{Deserialize, Serialize};

use crate::metrics::{Better, Loss, Measure, Metric, Outcomes, Prediction, Truth};
use crate::statistics::Interval;
use crate::statistics::bootstrap::{Bootstrap, RESAMPLE_ROWS_MAX};
use crate::text;

pub use groups::Group;

/// The version of the evaluation's format.
pub const VERSION: u32 = 1;

/// What a model that knows no row would answer: taken from the training target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naive {
    /// Regression: the mean.
    Mean(f64),
    /// Binary: the share of the second class.
    Share(f64),
    /// Multiclass: the share of each class.
    Shares(Vec<f64>),
}

impl Naive {
    /// The answers of the naive baseline for the rows of a truth of its type.
    pub fn prediction(&self, rows: usize) -> Prediction {
        match self {
            Naive::Mean(mean) => Prediction::Numbers(vec![*mean; rows]),
            Naive::Share(share) => Prediction::Probabilities(vec![*share; rows]),
            Naive::Shares(shares) => {
                Prediction::Distributions { classes: shares.len(), values: shares.repeat(rows) }
            }
        }
    }

    /// The naive baseline of training targets.
    pub fn of(truth: &Truth) -> Naive {
        let rows = truth.rows().max(1) as f64;
        match truth {
            Truth::Numbers(values) => Naive::Mean(values.iter().sum::<f64>() / rows),
            Truth::Binary(values) => {
                Naive::Share(values.iter().filter(|value| **value).count() as f64 / rows)
            }
            Truth::Classes { count, values } => {
                let mut shares = vec![0.0; *count];
                for class in values {
                    if let Some(share) = shares.get_mut(*class) {
                        *share += 1.0 / rows;
                    }
                }
                Naive::Shares(shares)
            }
        }
    }
}

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
        }
    }
}

/// What is evaluated: predictions of one and the same withheld rows.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    /// What happened.
    pub truth: &'a Truth,
    /// What the candidate predicted.
    pub candidate: &'a Prediction,
    /// What the champion predicted, where there is one.
    pub champion: Option<&'a Prediction>,
    /// What a model that knows no row answers.
    pub naive: &'a Naive,
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
    /// Its bootstrap percentile interval; absent where a mean is beyond the range of numbers.
    pub interval: Option<Interval>,
    /// Bootstrap resamples.
    pub resamples: usize,
    /// Bootstrap seed.
    pub seed: u64,
    /// Rows drawn in each resample; fewer than all where there are many (m-out-of-n bootstrap).
    pub rows_drawn: usize,
}

/// One condition a candidate must meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name: `beats champion`, `rmse at most`.
    pub name: String,
    /// What is required, for people.
    pub required: String,
    /// What was found, for people.
    pub found: String,
    /// Whether it is passed.
    pub passed: bool,
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
pub fn evaluate(
    file: &str,
    candidates: &Candidates<'_>,
    options: &EvaluationOptions,
) -> Result<Evaluation, Problem> {
    let truth = candidates.truth;
    let candidate = Outcomes::new(file, truth, candidates.candidate)?;
    let champion = candidates.champion.map(|champion| Outcomes::new(file, truth, champion)).transpose()?;
    let naive_answers = candidates.naive.prediction(truth.rows());
    let naive = Outcomes::new(file, truth, &naive_answers)?;

    let (rival, rival_outcomes) = match &champion {
        Some(champion) => (Rival::Champion, champion),
        None => (Rival::Naive, &naive),
    };
    let pairs = candidate.losses().iter().zip(rival_outcomes.losses());
    let differences: Vec<f64> = pairs.map(|(challenger, other)| challenger - other).collect();
    let mut cards = measured(&candidate, champion.as_ref(), &naive, &differences, options);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let difference = Difference {
        loss: Loss::of(candidate.problem()),
        rival,
        challenger: finite(mean(candidate.losses())),
        other: finite(mean(rival_outcomes.losses())),
        mean: finite(mean(&differences)),
        interval: cards.difference,
        resamples: options.resamples,
        seed: options.seed,
        rows_drawn: truth.rows().min(RESAMPLE_ROWS_MAX),
    };
    cards.candidate.groups = groups::groups(truth, candidates.candidate);
    if let (Some(card), Some(champion)) = (&mut cards.champion, candidates.champion) {
        card.groups = groups::groups(truth, champion);
    }
    let gates = gates(&cards.candidate, &difference, truth.rows() as u64, candidate.problem(), options);
    let verdict = if gates.iter().all(|gate| gate.passed) { Verdict::Promote } else { Verdict::Reject };
    Ok(Evaluation {
        version: VERSION,
        problem: candidate.problem(),
        rows: truth.rows() as u64,
        options: options.clone(),
        verdict,
        reasons: reasons(verdict, &gates, &difference),
        gates,
        difference,
        candidate: cards.candidate,
        champion: cards.champion,
        naive: cards.naive,
    })
}

/// A number a report can hold; sums of enormous losses may leave the range.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::MAX.copysign(value) }
}

struct Cards {
    candidate: Scorecard,
    champion: Option<Scorecard>,
    naive: Scorecard,
    difference: Option<Interval>,
}

/// Measures everything on the same resamples: one draw serves all, and intervals can be compared.
fn measured(
    candidate: &Outcomes,
    champion: Option<&Outcomes>,
    naive: &Outcomes,
    differences: &[f64],
    options: &EvaluationOptions,
) -> Cards {
    let metrics = Metric::of(candidate.problem());
    let all: Vec<&Outcomes> = [Some(candidate), champion, Some(naive)].into_iter().flatten().collect();
    let mut estimates: Vec<f64> = all.iter().flat_map(|outcomes| outcomes.values()).collect();
    estimates.push(differences.iter().sum::<f64>() / differences.len() as f64);
    let bootstrap =
        Bootstrap { resamples: options.resamples, seed: options.seed, confidence: options.confidence };
    let intervals = bootstrap.intervals(candidate.rows(), &estimates, |resample, slots| {
        for (outcomes, slots) in all.iter().zip(slots.chunks_mut(metrics.len())) {
            outcomes.measure(resample, slots);
        }
        slots[all.len() * metrics.len()] = resample.mean(differences);
    });
    let card = |place: usize| {
        let measure = |(index, metric): (usize, &Metric)| {
            let slot = place * metrics.len() + index;
            let value = Some(estimates[slot]).filter(|value| value.is_finite());
            Measure { metric: *metric, value, interval: value.and(intervals[slot]) }
        };
        Scorecard { measures: metrics.iter().enumerate().map(measure).collect(), groups: Vec::new() }
    };
    let difference = intervals[all.len() * metrics.len()];
    Cards { candidate: card(0), champion: champion.map(|_| card(1)), naive: card(all.len() - 1), difference }
}

fn gates(
    candidate: &Scorecard,
    difference: &Difference,
    rows: u64,
    problem: ProblemType,
    options: &EvaluationOptions,
) -> Vec<Gate> {
    let mut gates = vec![Gate {
        name: "enough rows".to_owned(),
        required: format!("at least {}", text::count(options.minimum_rows)),
        found: text::count(rows),
        passed: rows >= options.minimum_rows,
    }];
    let found = difference.interval.map_or_else(
        || "no interval".to_owned(),
        |interval| {
            format!("{} ({} to {})", signed(difference.mean), signed(interval.low), signed(interval.high))
        },
    );
    gates.push(Gate {
        name: format!("beats {}", difference.rival.name()),
        required: format!(
            "{} difference below {} with its whole interval",
            difference.loss.name(),
            text::number(options.margin)
        ),
        found,
        passed: difference.interval.is_some_and(|interval| interval.high < options.margin),
    });
    for (bounds, better, word) in
        [(&options.maximum, Better::Lower, "at most"), (&options.minimum, Better::Higher, "at least")]
    {
        for (name, bound) in bounds {
            let measure = Metric::named(name, problem)
                .and_then(|metric| candidate.measures.iter().find(|measure| measure.metric == metric));
            let value = measure.and_then(|measure| measure.value);
            let found = match (measure, value) {
                (None, _) => "not a metric of this problem".to_owned(),
                (_, None) => "undefined on these rows".to_owned(),
                (_, Some(value)) => text::number(value),
            };
            let passed = value.is_some_and(|value| match better {
                Better::Lower => value <= *bound,
                Better::Higher => value >= *bound,
            });
            gates.push(Gate {
                name: format!("{name} {word}"),
                required: text::number(*bound),
                found,
                passed,
            });
        }
    }
    gates
}

/// A difference with its sign.
fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", text::number(value)) } else { text::number(value) }
}

fn reasons(verdict: Verdict, gates: &[Gate], difference: &Difference) -> Vec<String> {
    let name = difference.loss.name();
    let rival = difference.rival.name();
    let compared = match difference.interval {
        Some(interval) => format!(
            "mean {name} {} against {} of the {rival} (difference {}, {} interval {} to {})",
            text::number(difference.challenger),
            text::number(difference.other),
            signed(difference.mean),
            interval.confidence_shown(),
            signed(interval.low),
            signed(interval.high)
        ),
        None => format!("the {name} of the candidate has no interval"),
    };
    if verdict == Verdict::Promote {
        return vec![format!("the candidate beats the {rival}: {compared}")];
    }
    let failed = gates.iter().filter(|gate| !gate.passed).map(|gate| {
        if gate.name.starts_with("beats ") {
            format!("the candidate does not beat the {rival} beyond chance: {compared}")
        } else {
            format!("{} {}: found {}", gate.name, gate.required, gate.found)
        }
    });
    failed.collect()
}

#[cfg(test)]
mod tests;
