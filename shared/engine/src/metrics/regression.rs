//! How far are predicted numbers from the true ones?

use crate::statistics::bootstrap::Resample;

/// Per-row parts of the metrics: `rmse`, `mae`, `r2`, `mape`.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    squared: Vec<f64>,
    absolute: Vec<f64>,
    /// Absolute error / absolute truth; absent where a truth is zero.
    relative: Option<Vec<f64>>,
    /// The truth less its mean, which keeps the variance accurate.
    centred: Vec<f64>,
}

impl Scores {
    pub(super) fn new(truth: &[f64], found: &[f64]) -> Scores {
        let mean = truth.iter().sum::<f64>() / truth.len() as f64;
        let errors: Vec<f64> = found.iter().zip(truth).map(|(found, truth)| found - truth).collect();
        let nonzero = truth.iter().all(|truth| *truth != 0.0);
        let relative = || errors.iter().zip(truth).map(|(error, truth)| (error / truth).abs()).collect();
        Scores {
            squared: errors.iter().map(|error| error * error).collect(),
            absolute: errors.iter().map(|error| error.abs()).collect(),
            relative: nonzero.then(relative),
            centred: truth.iter().map(|truth| truth - mean).collect(),
        }
    }

    pub(super) fn losses(&self) -> &[f64] {
        &self.squared
    }

    pub(super) fn measure(&self, resample: &Resample, slots: &mut [f64]) {
        let [mut weight, mut squared, mut absolute, mut relative, mut sum, mut squares] = [0.0; 6];
        for (row, times) in resample.weighted() {
            weight += times;
            squared += times * self.squared[row];
            absolute += times * self.absolute[row];
            relative += self.relative.as_ref().map_or(f64::NAN, |relative| times * relative[row]);
            sum += times * self.centred[row];
            squares += times * self.centred[row] * self.centred[row];
        }
        let spread = squares - sum * sum / weight;
        slots[0] = (squared / weight).sqrt();
        slots[1] = absolute / weight;
        slots[2] = if spread > 0.0 { 1.0 - squared / spread } else { f64::NAN };
        slots[3] = relative / weight;
    }
}
