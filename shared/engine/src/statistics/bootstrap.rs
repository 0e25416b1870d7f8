//! How far could a number have come out otherwise, had other rows of the same kind been drawn?

use std::collections::BTreeMap;

use super::Interval;
use super::random::Random;
use super::special::{normal_cumulative, normal_quantile};

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

/// What is drawn: rows one by one, or clusters of rows that belong together, such as all rows of
/// one entity; rows of a cluster are drawn together, since they do not vary by themselves.
#[derive(Clone, Debug)]
pub struct Units {
    rows: usize,
    /// The rows of each cluster; none where rows are drawn.
    clusters: Option<Vec<Vec<usize>>>,
}

impl Units {
    /// So many rows, each by itself.
    pub fn rows(rows: usize) -> Units {
        Units { rows, clusters: None }
    }

    /// Clusters by each row's key.
    pub fn clusters(keys: &[u64]) -> Units {
        let mut clusters: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (row, key) in keys.iter().enumerate() {
            clusters.entry(*key).or_default().push(row);
        }
        Units { rows: keys.len(), clusters: Some(clusters.into_values().collect()) }
    }

    /// How many are drawn from.
    pub fn count(&self) -> usize {
        self.clusters.as_ref().map_or(self.rows, Vec::len)
    }

    /// Whether rows are drawn in clusters.
    pub fn are_clusters(&self) -> bool {
        self.clusters.is_some()
    }

    /// How many are drawn in one resample: all, or as many as hold about [`RESAMPLE_ROWS_MAX`] rows.
    pub fn drawn(&self) -> usize {
        if self.rows <= RESAMPLE_ROWS_MAX {
            return self.count();
        }
        let share = RESAMPLE_ROWS_MAX as f64 / self.rows as f64;
        ((self.count() as f64 * share).round() as usize).max(1)
    }

    /// The mean of per-row values without each unit in turn.
    fn jackknife(&self, values: &[f64]) -> Vec<f64> {
        let (sum, rows) = (values.iter().sum::<f64>(), values.len() as f64);
        match &self.clusters {
            None => values.iter().map(|value| (sum - value) / (rows - 1.0)).collect(),
            Some(clusters) => {
                let without = |cluster: &Vec<usize>| {
                    let own: f64 = cluster.iter().map(|row| values[*row]).sum();
                    (sum - own) / (rows - cluster.len() as f64)
                };
                clusters.iter().map(without).collect()
            }
        }
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
    /// Draws resamples and measures several numbers on each: `measure` gets a resample and writes
    /// its numbers into the slots; a slot that is not finite in a resample (a class missing from
    /// it, say) does not count there. `estimates` are the numbers of the sample itself, as many as
    /// there are slots. Answers what each slot was in the resamples.
    pub fn samples(
        &self,
        units: &Units,
        estimates: &[f64],
        mut measure: impl FnMut(&Resample, &mut [f64]),
    ) -> Vec<Vec<f64>> {
        let mut samples: Vec<Vec<f64>> = vec![Vec::with_capacity(self.resamples); estimates.len()];
        if units.rows == 0 {
            return samples;
        }
        let (count, drawn) = (units.count(), units.drawn());
        let narrowing = (drawn as f64 / count as f64).sqrt();
        let mut random = Random::new(self.seed);
        let mut resample = Resample { times: vec![0; units.rows], rows: Vec::with_capacity(drawn) };
        let mut slots = vec![0.0; estimates.len()];
        for _ in 0..self.resamples {
            for row in resample.rows.drain(..) {
                resample.times[row] = 0;
            }
            for _ in 0..drawn {
                let unit = random.below(count);
                match &units.clusters {
                    None => resample.times[unit] += 1,
                    Some(clusters) => clusters[unit].iter().for_each(|row| resample.times[*row] += 1),
                }
            }
            let times = &resample.times;
            resample.rows.extend((0..units.rows).filter(|&row| times[row] > 0));
            measure(&resample, &mut slots);
            for ((slot, sample), estimate) in slots.iter().zip(&mut samples).zip(estimates) {
                if slot.is_finite() {
                    sample.push(estimate + (slot - estimate) * narrowing);
                }
            }
        }
        samples
    }

    /// Percentile intervals (Efron 1979) of several numbers at once, as [`Bootstrap::samples`]
    /// draws them. `None` where fewer than half the resamples gave a number.
    pub fn intervals(
        &self,
        units: &Units,
        estimates: &[f64],
        measure: impl FnMut(&Resample, &mut [f64]),
    ) -> Vec<Option<Interval>> {
        let samples = self.samples(units, estimates, measure);
        samples.into_iter().map(|sample| self.percentiles(sample)).collect()
    }

    /// The percentile interval of a mean of per-row values.
    pub fn mean(&self, values: &[f64]) -> Option<Interval> {
        let estimate = values.iter().sum::<f64>() / values.len() as f64;
        let units = Units::rows(values.len());
        self.intervals(&units, &[estimate], |resample, slots| slots[0] = resample.mean(values))[0]
    }

    /// The bias-corrected and accelerated interval (Efron 1987) of a mean of per-row values, from
    /// the means of resamples: it moves the percentiles where the mean of the resamples is off or
    /// the values are skewed, as losses are. The percentile interval where the correction is
    /// undefined (all resamples on one side).
    pub fn accelerated(&self, units: &Units, values: &[f64], mut sample: Vec<f64>) -> Option<Interval> {
        if sample.is_empty() || sample.len() * 2 < self.resamples {
            return None;
        }
        sample.sort_unstable_by(f64::total_cmp);
        let estimate = values.iter().sum::<f64>() / values.len() as f64;
        let below = sample.partition_point(|value| *value < estimate);
        let up_to = sample.partition_point(|value| *value <= estimate);
        let bias = normal_quantile((below + up_to) as f64 / (2.0 * sample.len() as f64));
        let without = units.jackknife(values);
        let mean = without.iter().sum::<f64>() / without.len() as f64;
        let moment = |power| without.iter().map(|value| (mean - value).powi(power)).sum::<f64>();
        let acceleration = moment(3) / (6.0 * moment(2).powf(1.5));
        let acceleration = if acceleration.is_finite() { acceleration } else { 0.0 };
        let tail = (1.0 - self.confidence) / 2.0;
        let share = |tail: f64| {
            let shifted = bias + normal_quantile(tail);
            normal_cumulative(bias + shifted / (1.0 - acceleration * shifted))
        };
        let (low, high) = (share(tail), share(1.0 - tail));
        if !(low.is_finite() && high.is_finite() && low < high && bias.is_finite()) {
            return self.percentiles(sample);
        }
        Some(Interval {
            low: quantile_sorted(&sample, low),
            high: quantile_sorted(&sample, high),
            confidence: self.confidence,
        })
    }

    /// The percentile interval of what a slot was in the resamples.
    pub fn percentiles(&self, mut sample: Vec<f64>) -> Option<Interval> {
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
