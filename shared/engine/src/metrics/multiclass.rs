//! How good are probabilities over several classes?

use super::binary::log_loss;
use super::truth::likeliest;
use crate::statistics::bootstrap::Resample;

/// Per-row parts of the metrics: `log_loss`, `accuracy`, `macro_f1`.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    classes: usize,
    truth: Vec<usize>,
    called: Vec<usize>,
    log_losses: Vec<f64>,
}

impl Scores {
    pub(super) fn new(classes: usize, truth: &[usize], found: &[f64]) -> Scores {
        let rows = || truth.iter().zip(found.chunks(classes));
        Scores {
            classes,
            truth: truth.to_vec(),
            called: rows().map(|(_, shares)| likeliest(shares)).collect(),
            log_losses: rows().map(|(class, shares)| log_loss(shares[*class])).collect(),
        }
    }

    pub(super) fn losses(&self) -> &[f64] {
        &self.log_losses
    }

    pub(super) fn measure(&self, resample: &Resample, slots: &mut [f64]) {
        let [mut weight, mut losses, mut right] = [0.0; 3];
        // For each class: rows of it, rows called it, rows both.
        let mut tallies = vec![[0.0; 3]; self.classes];
        for (row, times) in resample.weighted() {
            let (truth, called) = (self.truth[row], self.called[row]);
            weight += times;
            losses += times * self.log_losses[row];
            tallies[truth][0] += times;
            tallies[called][1] += times;
            if truth == called {
                right += times;
                tallies[truth][2] += times;
            }
        }
        let occurring = tallies.iter().filter(|tally| tally[0] + tally[1] > 0.0);
        let scores: Vec<f64> = occurring.map(|tally| 2.0 * tally[2] / (tally[0] + tally[1])).collect();
        slots[0] = losses / weight;
        slots[1] = right / weight;
        slots[2] = scores.iter().sum::<f64>() / scores.len() as f64;
    }
}
