//! How far are predicted numbers from the true ones?

use super::Quantile;
use crate::statistics::bootstrap::Resample;

/// Per-row parts of the metrics: `rmse`, `mae`, `r2`, `mape`, `median_ae`, then a pinball loss for
/// each declared quantile.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    /// Prediction less truth.
    errors: Vec<f64>,
    squared: Vec<f64>,
    absolute: Vec<f64>,
    /// Absolute error / absolute truth; absent where a truth is zero.
    relative: Option<Vec<f64>>,
    /// The truth less its mean, which keeps the variance accurate.
    centred: Vec<f64>,
    /// The rows by absolute error, the smallest first; and each row's place there.
    order: Vec<usize>,
    places: Vec<usize>,
    quantiles: Vec<Quantile>,
}

impl Scores {
    pub(super) fn new(truth: &[f64], found: &[f64]) -> Scores {
        let mean = truth.iter().sum::<f64>() / truth.len() as f64;
        let errors: Vec<f64> = found.iter().zip(truth).map(|(found, truth)| found - truth).collect();
        let absolute: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        let nonzero = truth.iter().all(|truth| *truth != 0.0);
        let relative = || errors.iter().zip(truth).map(|(error, truth)| (error / truth).abs()).collect();
        let mut order: Vec<usize> = (0..truth.len()).collect();
        order.sort_by(|&a, &b| absolute[a].total_cmp(&absolute[b]).then(a.cmp(&b)));
        let mut places = vec![0; order.len()];
        for (place, &row) in order.iter().enumerate() {
            places[row] = place;
        }
        Scores {
            squared: errors.iter().map(|error| error * error).collect(),
            relative: nonzero.then(relative),
            centred: truth.iter().map(|truth| truth - mean).collect(),
            quantiles: Vec::new(),
            errors,
            absolute,
            order,
            places,
        }
    }

    pub(super) fn add_quantiles(&mut self, quantiles: &[Quantile]) {
        self.quantiles.extend_from_slice(quantiles);
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
        slots[4] = self.median(resample);
        for (slot, quantile) in slots[5..].iter_mut().zip(&self.quantiles) {
            let share = quantile.share();
            let loss = |error: f64| if error > 0.0 { (1.0 - share) * error } else { -share * error };
            *slot =
                resample.weighted().map(|(row, times)| times * loss(self.errors[row])).sum::<f64>() / weight;
        }
    }

    /// The median absolute error: the mean of the two in the middle where their number is even.
    fn median(&self, resample: &Resample) -> f64 {
        let mut drawn = vec![0_u32; self.order.len()];
        let mut total = 0_u64;
        for &row in &resample.rows {
            drawn[self.places[row]] = resample.times[row];
            total += u64::from(resample.times[row]);
        }
        let (mut passed, mut lower) = (0, None);
        for (&times, &row) in drawn.iter().zip(&self.order) {
            passed += u64::from(times);
            if lower.is_none() && passed > (total.max(1) - 1) / 2 {
                lower = Some(self.absolute[row]);
            }
            if passed > total / 2 {
                return 0.5 * (lower.unwrap_or(f64::NAN) + self.absolute[row]);
            }
        }
        f64::NAN
    }
}
