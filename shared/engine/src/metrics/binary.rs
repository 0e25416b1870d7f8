//! How good are probabilities of yes or no?

use crate::statistics::bootstrap::Resample;

/// Per-row parts of the metrics: `log_loss`, `roc_auc`, `pr_auc`, `accuracy`, `f1`, `brier`.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    truth: Vec<bool>,
    called: Vec<bool>,
    log_losses: Vec<f64>,
    squared: Vec<f64>,
    /// Rows by probability, the greatest first.
    order: Vec<usize>,
    /// Whether the row at this place of the order is the last of its probability.
    last_of_equals: Vec<bool>,
}

/// −ln p, with p kept away from zero and one by the machine epsilon.
pub(super) fn log_loss(probability: f64) -> f64 {
    -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

impl Scores {
    pub(super) fn new(truth: &[bool], found: &[f64]) -> Scores {
        let mut order: Vec<usize> = (0..truth.len()).collect();
        order.sort_by(|&a, &b| found[b].total_cmp(&found[a]).then(a.cmp(&b)));
        let last_of_equals = (0..order.len())
            .map(|place| order.get(place + 1).is_none_or(|&next| found[next] != found[order[place]]))
            .collect();
        let rows = || truth.iter().zip(found);
        Scores {
            truth: truth.to_vec(),
            called: found.iter().map(|found| *found >= 0.5).collect(),
            log_losses: rows().map(|(truth, found)| log_loss(if *truth { *found } else { 1.0 - found })).collect(),
            squared: rows().map(|(truth, found)| (f64::from(u8::from(*truth)) - found).powi(2)).collect(),
            order,
            last_of_equals,
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
        let (roc_auc, pr_auc) = self.areas(resample, wrong_no + right_yes, right_no + wrong_yes);
        slots[0] = log_loss / weight;
        slots[1] = roc_auc;
        slots[2] = pr_auc;
        slots[3] = (right_no + right_yes) / weight;
        slots[4] = 2.0 * right_yes / (2.0 * right_yes + wrong_yes + wrong_no);
        slots[5] = squared / weight;
    }

    /// The areas under the ROC curve (trapezoids, so that ties count half) and under the
    /// precision–recall curve (steps: average precision).
    fn areas(&self, resample: &Resample, positives: f64, negatives: f64) -> (f64, f64) {
        let [mut yes, mut no, mut yes_before, mut no_before, mut roc, mut precision] = [0.0; 6];
        for (&row, &last) in self.order.iter().zip(&self.last_of_equals) {
            let times = f64::from(resample.times[row]);
            if self.truth[row] {
                yes += times;
            } else {
                no += times;
            }
            if last {
                roc += (no - no_before) * 0.5 * (yes + yes_before);
                if yes > yes_before {
                    precision += (yes - yes_before) * yes / (yes + no);
                }
                (yes_before, no_before) = (yes, no);
            }
        }
        (roc / (positives * negatives), precision / positives)
    }
}
