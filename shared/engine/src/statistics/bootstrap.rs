//! How far could a number have come out otherwise, had other rows of the same kind been drawn?

use super::Interval;
use super::random::Random;

/// Rows drawn in one resample at most. Larger samples use the m-out-of-n bootstrap: fewer rows
/// are drawn and the spread found is narrowed by √(m / n), so the time stays bounded.
pub const RESAMPLE_ROWS_MAX: usize = 20_000;

/// One resample.
#[derive(Clone, Debug)]
pub struct Resample {
    /// How often each row was drawn.
    pub times: Vec<u32>,
    /// The rows drawn, each once, ascending.
    pub rows: Vec<usize>,
}

impl Resample {
    /// Every row once: the sample itself.
    pub fn whole(rows: usize) -> Resample {
        Resample { times: vec![1; rows], rows: (0..rows).collect() }
    }

    /// The rows drawn, ascending, with their weights.
    pub fn weighted(&self) -> impl Iterator<Item = (usize, f64)> {
        self.rows.iter().map(|&row| (row, f64::from(self.times[row])))
    }

    /// Mean of per-row values; NaN without rows.
    pub fn mean(&self, values: &[f64]) -> f64 {
        let (mut sum, mut weight) = (0.0, 0.0);
        for (row, times) in self.weighted() {
            sum += values[row] * times;
            weight += times;
        }
        sum / weight
    }
}

/// A bootstrap's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// How many resamples.
    pub resamples: usize,
    /// Seed of the draws: equal seeds give equal intervals.
    pub seed: u64,
    /// Share of the resamples between the interval's ends, for example 0.95.
    pub confidence: f64,
}

impl Bootstrap {
    /// Percentile intervals (Efron 1979) of several numbers at once: `measure` gets a resample and
    /// writes its numbers into the slots; a slot that is not finite in a resample (a class missing
    /// from it, say) does not count there. `estimates` are the numbers of the sample itself, as
    /// many as there are slots. `None` where fewer than half the resamples gave a number.
    pub fn intervals(
        &self,
        rows: usize,
        estimates: &[f64],
        mut measure: impl FnMut(&Resample, &mut [f64]),
    ) -> Vec<Option<Interval>> {
        if rows == 0 {
            return vec![None; estimates.len()];
        }
        let mut samples: Vec<Vec<f64>> = vec![Vec::with_capacity(self.resamples); estimates.len()];
        let drawn = rows.min(RESAMPLE_ROWS_MAX);
        let narrowing = (drawn as f64 / rows as f64).sqrt();
        let mut random = Random::new(self.seed);
        let mut resample = Resample { times: vec![0; rows], rows: Vec::with_capacity(drawn) };
        let mut slots = vec![0.0; estimates.len()];
        for _ in 0..self.resamples {
            for row in resample.rows.drain(..) {
                resample.times[row] = 0;
            }
            for _ in 0..drawn {
                resample.times[random.below(rows)] += 1;
            }
            let times = &resample.times;
            resample.rows.extend((0..rows).filter(|&row| times[row] > 0));
            measure(&resample, &mut slots);
            for ((slot, sample), estimate) in slots.iter().zip(&mut samples).zip(estimates) {
                if slot.is_finite() {
                    sample.push(estimate + (slot - estimate) * narrowing);
                }
            }
        }
        samples.into_iter().map(|sample| self.percentiles(sample)).collect()
    }

    /// The percentile interval of a mean of per-row values.
    pub fn mean(&self, values: &[f64]) -> Option<Interval> {
        let estimate = values.iter().sum::<f64>() / values.len() as f64;
        self.intervals(values.len(), &[estimate], |resample, slots| slots[0] = resample.mean(values))[0]
    }

    fn percentiles(&self, mut sample: Vec<f64>) -> Option<Interval> {
        if sample.is_empty() || sample.len() * 2 < self.resamples {
            return None;
        }
        sample.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.confidence) / 2.0;
        let low = quantile_sorted(&sample, tail);
        let high = quantile_sorted(&sample, 1.0 - tail);
        Some(Interval { low, high, confidence: self.confidence })
    }
}

/// The quantile of sorted values, linear between the two nearest (Hyndman and Fan's type 7).
/// The values must not be empty.
pub fn quantile_sorted(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}
