//! How good are probabilities over several classes?

use super::binary::{Ranking, log_loss};
use super::reliability::Bins;
use super::truth::likeliest;
use crate::statistics::bootstrap::Resample;

/// With more classes than this the areas under the curves are left undefined: each class takes a
/// walk over all rows in every resample.
const AREA_CLASSES_MAX: usize = 16;

/// Per-row parts of the metrics: `log_loss`, `accuracy`, `macro_f1`, `balanced_accuracy`,
/// `macro_precision`, `macro_recall`, `weighted_precision`, `weighted_f1`, `brier`,
/// `calibration_error`, `roc_auc`, `pr_auc`.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    classes: usize,
    truth: Vec<usize>,
    called: Vec<usize>,
    log_losses: Vec<f64>,
    squared: Vec<f64>,
    bins: Bins,
    /// Each class against the rest; none where there are too many.
    rankings: Vec<Ranking>,
}

/// Rows of a class, rows called it, rows both.
#[derive(Clone, Copy, Default)]
struct Tally {
    rows: f64,
    called: f64,
    right: f64,
}

impl Tally {
    fn precision(&self) -> f64 {
        if self.called > 0.0 { self.right / self.called } else { 0.0 }
    }

    fn recall(&self) -> f64 {
        if self.rows > 0.0 { self.right / self.rows } else { 0.0 }
    }

    fn f1(&self) -> f64 {
        2.0 * self.right / (self.rows + self.called)
    }
}

impl Scores {
    pub(super) fn new(classes: usize, truth: &[usize], found: &[f64]) -> Scores {
        let rows = || truth.iter().zip(found.chunks(classes));
        let squares = |(class, shares): (&usize, &[f64])| {
            let square =
                |(place, share): (usize, &f64)| (share - f64::from(u8::from(place == *class))).powi(2);
            shares.iter().enumerate().map(square).sum()
        };
        let confidence = |(class, shares): (&usize, &[f64])| {
            let called = likeliest(shares);
            (shares[called], f64::from(u8::from(called == *class)))
        };
        let ranking = |class: usize| {
            let is: Vec<bool> = truth.iter().map(|truth| *truth == class).collect();
            let shares: Vec<f64> = found.chunks(classes).map(|shares| shares[class]).collect();
            Ranking::new(&is, &shares)
        };
        let ranked = if classes <= AREA_CLASSES_MAX { classes } else { 0 };
        Scores {
            classes,
            truth: truth.to_vec(),
            called: rows().map(|(_, shares)| likeliest(shares)).collect(),
            log_losses: rows().map(|(class, shares)| log_loss(shares[*class])).collect(),
            squared: rows().map(squares).collect(),
            bins: Bins::new(rows().map(confidence)),
            rankings: (0..ranked).map(ranking).collect(),
        }
    }

    pub(super) fn losses(&self) -> &[f64] {
        &self.log_losses
    }

    pub(super) fn measure(&self, resample: &Resample, slots: &mut [f64]) {
        let [mut weight, mut losses, mut squared, mut right] = [0.0; 4];
        let mut tallies = vec![Tally::default(); self.classes];
        for (row, times) in resample.weighted() {
            let (truth, called) = (self.truth[row], self.called[row]);
            weight += times;
            losses += times * self.log_losses[row];
            squared += times * self.squared[row];
            tallies[truth].rows += times;
            tallies[called].called += times;
            if truth == called {
                right += times;
                tallies[truth].right += times;
            }
        }
        let occurring: Vec<Tally> =
            tallies.iter().copied().filter(|tally| tally.rows + tally.called > 0.0).collect();
        let happened: Vec<Tally> = tallies.iter().copied().filter(|tally| tally.rows > 0.0).collect();
        let mean =
            |of: &[Tally], score: fn(&Tally) -> f64| of.iter().map(score).sum::<f64>() / of.len() as f64;
        let weighed = |score: fn(&Tally) -> f64| {
            happened.iter().map(|tally| tally.rows * score(tally)).sum::<f64>() / weight
        };
        slots[0] = losses / weight;
        slots[1] = right / weight;
        slots[2] = mean(&occurring, Tally::f1);
        slots[3] = mean(&happened, Tally::recall);
        slots[4] = mean(&occurring, Tally::precision);
        slots[5] = mean(&occurring, Tally::recall);
        slots[6] = weighed(Tally::precision);
        slots[7] = weighed(Tally::f1);
        slots[8] = squared / weight;
        slots[9] = self.bins.error(resample);
        let (mut roc_auc, mut pr_auc) = (f64::NAN, f64::NAN);
        if !self.rankings.is_empty() {
            let areas = self.rankings.iter().zip(&tallies);
            let areas: Vec<(f64, f64)> = areas
                .map(|(ranking, tally)| ranking.areas(resample, tally.rows, weight - tally.rows))
                .collect();
            roc_auc = areas.iter().map(|area| area.0).sum::<f64>() / areas.len() as f64;
            pr_auc = areas.iter().map(|area| area.1).sum::<f64>() / areas.len() as f64;
        }
        slots[10] = roc_auc;
        slots[11] = pr_auc;
    }
}
