//! Does the candidate pass? The engine's evaluation, with what people must know of this one.

use std::collections::BTreeMap;

use domain::Digest;
use domain::pipeline::ProblemType;
use domain::row::{Applied, Run, Served};
use engine::evaluation::importance::Importance;
use engine::evaluation::{self, Candidates, Checks, Evaluation, EvaluationOptions, Verdict};
use engine::evaluation_report;

use crate::Stop;
use crate::naive::Naive;
use crate::rows::Waiting;

/// Warnings told with the verdict; the report holds the rest.
const WARNINGS_MAX: usize = 3;

/// An evaluation as it is written down.
pub(crate) struct Evaluated {
    pub(crate) passed: bool,
    pub(crate) reason: String,
    pub(crate) metrics: BTreeMap<String, f64>,
    pub(crate) json: Vec<u8>,
    pub(crate) html: String,
}

/// What was found beside the predictions.
pub(crate) struct Found {
    pub(crate) checks: Checks,
    pub(crate) importances: Vec<Importance>,
}

/// How a candidate is judged: as declared, with the draws of this judgement.
pub(crate) fn options(waiting: &Waiting, applied: &Applied) -> EvaluationOptions {
    EvaluationOptions { seed: seed(waiting), ..EvaluationOptions::from(&applied.spec.evaluation) }
}

/// Judges a candidate by everything that was predicted and found.
pub(crate) fn evaluation(
    run: &Run,
    waiting: &Waiting,
    applied: &Applied,
    served: &Served,
    candidates: &Candidates<'_>,
    options: &EvaluationOptions,
    found: Found,
) -> Result<Evaluated, Stop> {
    let mut evaluation = evaluation::evaluate("predictions", candidates, options)?;
    evaluation.checks = Some(found.checks);
    evaluation.importances = found.importances;
    evaluation.classes = served.classes.clone();
    let reason = reason(&evaluation, waiting.note.as_deref());
    let title = format!("{}: evaluation of run {}", applied.spec.name, run.number);
    let measured = evaluation.candidate.measures.iter();
    let metrics =
        measured.filter_map(|measure| Some((measure.metric.name().into_owned(), measure.value?))).collect();
    Ok(Evaluated {
        passed: evaluation.verdict == Verdict::Promote,
        reason,
        metrics,
        json: evaluation.written(),
        html: evaluation_report::html(&evaluation, &title, &subtitle(run, waiting, served)),
    })
}

/// The seed of the draws: of what is judged and what it is judged by, so that the same judgement
/// draws the same rows and another one others. Below 2⁵³, which every reader of JSON keeps exact.
fn seed(waiting: &Waiting) -> u64 {
    let digest = Digest::of_parts(&[&waiting.candidate.artifact.digest.hex(), &waiting.truth.digest.hex()]);
    let mut first = [0; 8];
    first.copy_from_slice(&digest.bytes()[..8]);
    u64::from_be_bytes(first) >> 11
}

/// What a guess without a model answers.
pub(crate) fn guess(naive: &Naive, problem: ProblemType) -> evaluation::Naive {
    let share = |class: &(String, u64)| class.1 as f64 / naive.rows.max(1) as f64;
    match problem {
        ProblemType::Regression => evaluation::Naive::Mean(naive.mean.unwrap_or_default()),
        ProblemType::Binary => evaluation::Naive::Share(naive.classes.get(1).map_or(0.0, share)),
        ProblemType::Multiclass => evaluation::Naive::Shares(naive.classes.iter().map(share).collect()),
    }
}

fn reason(evaluation: &Evaluation, note: Option<&str>) -> String {
    let mut sentences = evaluation.reasons.clone();
    sentences.extend(note.map(str::to_owned));
    let warnings = evaluation_report::warnings(evaluation);
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    sentences.extend(warnings.into_iter().take(WARNINGS_MAX));
    if more > 0 {
        sentences.push(format!("{more} more warnings are in the report"));
    }
    sentences.join("; ")
}

fn subtitle(run: &Run, waiting: &Waiting, served: &Served) -> String {
    let champion = match waiting.version {
        Some(version) => format!("champion version {version}"),
        None => "the naive baseline".to_owned(),
    };
    let note = waiting.note.as_deref().map_or_else(String::new, |note| format!(" Note: {note}."));
    let classes = match served.classes.as_slice() {
        [] => String::new(),
        classes => format!(" Classes: {}.", classes.join(", ")),
    };
    format!(
        "The model of run {} ({}) against {champion}, on {} of {} withheld rows.{note}{classes}",
        run.number,
        waiting.candidate.artifact.digest.short(),
        waiting.rows,
        waiting.withheld
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::evaluation::Naive as Guess;

    #[test]
    fn a_guess_knows_the_train_rows_mean_or_shares() {
        let numbers = Naive { rows: 4, mean: Some(2.5), classes: Vec::new() };
        assert_eq!(guess(&numbers, ProblemType::Regression), Guess::Mean(2.5));
        let class = |name: &str, rows| (name.to_owned(), rows);
        let two = Naive { rows: 4, mean: None, classes: vec![class("no", 1), class("yes", 3)] };
        assert_eq!(guess(&two, ProblemType::Binary), Guess::Share(0.75));
        assert_eq!(guess(&two, ProblemType::Multiclass), Guess::Shares(vec![0.25, 0.75]));
    }
}
