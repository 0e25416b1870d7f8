//! How good are probabilities of yes or no?

use super::reliability::Bins;
use crate::statistics::bootstrap::Resample;

/// Per-row parts of the metrics: `log_loss`, `roc_auc`, `pr_auc`, `accuracy`, `f1`, `brier`,
/// `balanced_accuracy`, `precision`, `recall`, `calibration_error`.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    truth: Vec<bool>,
    called: Vec<bool>,
    log_losses: Vec<f64>,
    squared: Vec<f64>,
    bins: Bins,
    ranking: Ranking,
}

/// Rows by probability: what the areas under the curves rest on.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    /// Each row's place by probability, the greatest first.
    places: Vec<usize>,
    /// By place: whether the row is a yes, and which of the distinct probabilities it has.
    placed: Vec<(bool, u32)>,
}

/// Whether a row of this probability is called yes: from one half on.
pub(crate) fn is_called(probability: f64) -> bool {
    probability >= 0.5
}

/// −ln p, with p kept away from zero and one by the machine epsilon.
pub(crate) fn log_loss(probability: f64) -> f64 {
    -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

impl Scores {
    pub(super) fn new(truth: &[bool], found: &[f64]) -> Scores {
        let flag = |flag: bool| f64::from(u8::from(flag));
        let rows = || truth.iter().zip(found);
        Scores {
            truth: truth.to_vec(),
            called: found.iter().map(|found| is_called(*found)).collect(),
            log_losses: rows()
                .map(|(truth, found)| log_loss(if *truth { *found } else { 1.0 - found }))
                .collect(),
            squared: rows().map(|(truth, found)| (flag(*truth) - found).powi(2)).collect(),
            bins: Bins::new(rows().map(|(truth, found)| (*found, flag(*truth)))),
            ranking: Ranking::new(truth, found),
        }
    }

    pub(super) fn losses(&self) -> &[f64] {
        &self.log_losses
    }

    pub(super) fn measure(&self, resample: &Resample, slots: &mut [f64]) {
        let [mut weight, mut log_loss, mut squared] = [0.0; 3];
        // By truth, then by call.
        let mut table = [[0.0; 2]; 2];
        for (row, times) in resample.weighted() {
            weight += times;
            log_loss += times * self.log_losses[row];
            squared += times * self.squared[row];
            table[usize::from(self.truth[row])][usize::from(self.called[row])] += times;
        }
        let [[right_no, wrong_yes], [wrong_no, right_yes]] = table;
        let (positives, negatives) = (wrong_no + right_yes, right_no + wrong_yes);
        let (roc_auc, pr_auc) = self.ranking.areas(resample, positives, negatives);
        slots[0] = log_loss / weight;
        slots[1] = roc_auc;
        slots[2] = pr_auc;
        slots[3] = (right_no + right_yes) / weight;
        slots[4] = 2.0 * right_yes / (2.0 * right_yes + wrong_yes + wrong_no);
        slots[5] = squared / weight;
        slots[6] = 0.5 * (right_yes / positives + right_no / negatives);
        slots[7] = right_yes / (right_yes + wrong_yes);
        slots[8] = right_yes / positives;
        slots[9] = self.bins.error(resample);
    }
}

impl Ranking {
    pub(super) fn new(truth: &[bool], found: &[f64]) -> Ranking {
        let mut order: Vec<usize> = (0..truth.len()).collect();
        order.sort_by(|&a, &b| found[b].total_cmp(&found[a]).then(a.cmp(&b)));
        let mut places = vec![0; order.len()];
        let mut placed: Vec<(bool, u32)> = Vec::with_capacity(order.len());
        for (place, &row) in order.iter().enumerate() {
            places[row] = place;
            let distinct =
                placed.last().map_or(0, |last| last.1 + u32::from(found[row] != found[order[place - 1]]));
            placed.push((truth[row], distinct));
        }
        Ranking { places, placed }
    }

    /// The areas under the ROC curve (trapezoids, so that ties count half) and under the
    /// precision–recall curve (steps: average precision).
    pub(super) fn areas(&self, resample: &Resample, positives: f64, negatives: f64) -> (f64, f64) {
        // Rows drawn are put in their places, so that memory is walked in order.
        let mut drawn = vec![0_u32; self.placed.len()];
        for &row in &resample.rows {
            drawn[self.places[row]] = resample.times[row];
        }
        let [mut yes, mut no, mut yes_before, mut no_before, mut roc, mut precision] = [0.0; 6];
        let mut current = None;
        let mut close = |yes: f64, no: f64| {
            roc += (no - no_before) * 0.5 * (yes + yes_before);
            if yes > yes_before {
                precision += (yes - yes_before) * yes / (yes + no);
            }
            (yes_before, no_before) = (yes, no);
        };
        for (&times, &(truth, distinct)) in drawn.iter().zip(&self.placed) {
            if times == 0 {
                continue;
            }
            if current.is_some_and(|current| current != distinct) {
                close(yes, no);
            }
            current = Some(distinct);
            if truth {
                yes += f64::from(times);
            } else {
                no += f64::from(times);
            }
        }
        close(yes, no);
        (roc / (positives * negatives), precision / positives)
    }
}
