//! Where values lay: a Parzen estimator over all hyperparameters together.
//!
//! A mixture of one kernel for each earlier trial and one prior for the whole space; a kernel is a
//! product over the hyperparameters, so that what belongs together is drawn together (Falkner,
//! Klein and Hutter, 2018). The widths, weights and bounds are those that Watanabe describes
//! (2023, arXiv 2304.11127, sections 3 and 4) and Optuna 5 uses by default.

use std::f64::consts::PI;

use crate::normal::mass;
use crate::random::Random;
use crate::space::{Dimension, Scale, Whole};

/// The newest trials, whose weight is full; older ones count less and less.
const FULL_WEIGHTS: usize = 25;

/// A kernel is never narrower than this share of the range.
const NARROWEST: f64 = 0.01;

/// Draws before a kernel that is cut at the ends of its range gives its middle. A third of the
/// draws at least fall inside, so it is never reached.
const DRAWS_MAX: usize = 1_000;

/// An estimator.
#[derive(Debug)]
pub(crate) struct Parzen<'a> {
    dimensions: &'a [Dimension],
    /// One a kernel, the prior last; they sum to 1.
    weights: Vec<f64>,
    /// By dimension, then kernel.
    kernels: Vec<Kernels>,
}

#[derive(Debug)]
enum Kernels {
    /// Normal distributions cut at the ends of the coordinate.
    Normal(Vec<Normal>),
    /// The probability of each choice, by kernel.
    Choice(Vec<Vec<f64>>),
}

#[derive(Clone, Copy, Debug)]
struct Normal {
    mean: f64,
    deviation: f64,
    /// The logarithm of what the ends leave of it.
    log_mass: f64,
}

impl<'a> Parzen<'a> {
    /// An estimator from the values of trials, the oldest first.
    pub(crate) fn new(dimensions: &'a [Dimension], trials: &[&[f64]]) -> Parzen<'a> {
        let mut weights = weights(trials.len());
        weights.push(1.0);
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        let kernels = dimensions.iter().enumerate().map(|(at, dimension)| {
            let values: Vec<f64> = trials.iter().map(|values| values[at]).collect();
            match dimension {
                Dimension::Number { scale, .. } => Kernels::Normal(normals(dimension, *scale, &values)),
                Dimension::Choice(choices) => Kernels::Choice(choice_kernels(choices.len(), &values)),
            }
        });
        Parzen { dimensions, weights, kernels: kernels.collect() }
    }

    /// Values drawn from the mixture.
    pub(crate) fn draw(&self, random: &mut Random) -> Vec<f64> {
        let kernel = pick(&self.weights, random);
        let draw = |(kernels, dimension): (&Kernels, &Dimension)| match kernels {
            Kernels::Choice(kernels) => pick(&kernels[kernel], random) as f64,
            Kernels::Normal(kernels) => dimension.nearest(kernels[kernel].draw(dimension.ends(), random)),
        };
        self.kernels.iter().zip(self.dimensions).map(draw).collect()
    }

    /// The logarithm of the mixture's density at values (of whole numbers, its probability).
    pub(crate) fn log_density(&self, values: &[f64]) -> f64 {
        let mut logs: Vec<f64> = self.weights.iter().map(|weight| weight.ln()).collect();
        for ((kernels, dimension), value) in self.kernels.iter().zip(self.dimensions).zip(values) {
            match (kernels, dimension) {
                (Kernels::Choice(kernels), _) => {
                    for (log, kernel) in logs.iter_mut().zip(kernels) {
                        *log += kernel[*value as usize].ln();
                    }
                }
                (Kernels::Normal(kernels), Dimension::Number { scale, whole: Whole::Yes, .. }) => {
                    let cell = (scale.coordinate(value - 0.5), scale.coordinate(value + 0.5));
                    for (log, kernel) in logs.iter_mut().zip(kernels) {
                        *log += kernel.log_mass_of(cell);
                    }
                }
                (Kernels::Normal(kernels), Dimension::Number { scale, .. }) => {
                    let coordinate = scale.coordinate(*value);
                    for (log, kernel) in logs.iter_mut().zip(kernels) {
                        *log += kernel.log_density(coordinate);
                    }
                }
                (Kernels::Normal(_), Dimension::Choice(_)) => unreachable!("choices have no normal kernels"),
            }
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
    }
}

impl Normal {
    fn new(mean: f64, deviation: f64, (low, high): (f64, f64)) -> Normal {
        let log_mass = mass((low - mean) / deviation, (high - mean) / deviation).ln();
        Normal { mean, deviation, log_mass }
    }

    fn draw(&self, (low, high): (f64, f64), random: &mut Random) -> f64 {
        for _ in 0..DRAWS_MAX {
            let drawn = self.mean + self.deviation * random.normal();
            if (low..=high).contains(&drawn) {
                return drawn;
            }
        }
        self.mean
    }

    fn log_density(&self, coordinate: f64) -> f64 {
        let distance = (coordinate - self.mean) / self.deviation;
        -0.5 * distance * distance - self.deviation.ln() - 0.5 * (2.0 * PI).ln() - self.log_mass
    }

    fn log_mass_of(&self, (from, to): (f64, f64)) -> f64 {
        mass((from - self.mean) / self.deviation, (to - self.mean) / self.deviation).ln() - self.log_mass
    }
}

/// What each trial counts, the oldest first.
fn weights(trials: usize) -> Vec<f64> {
    let Some(older) = trials.checked_sub(FULL_WEIGHTS) else { return vec![1.0; trials] };
    let least = 1.0 / trials as f64;
    // Evenly from the least weight to 1, both ends included.
    let step = if older > 1 { (1.0 - least) / (older - 1) as f64 } else { 0.0 };
    let ramp = (0..older).map(|place| least + step * place as f64);
    ramp.chain(std::iter::repeat_n(1.0, FULL_WEIGHTS)).collect()
}

/// A kernel at each value, as wide as the farther of its neighbours is away, and the prior.
fn normals(dimension: &Dimension, scale: Scale, values: &[f64]) -> Vec<Normal> {
    let (low, high) = dimension.ends();
    let range = high - low;
    let means: Vec<f64> = values.iter().map(|value| scale.coordinate(*value)).collect();
    let mut order: Vec<usize> = (0..means.len()).collect();
    order.sort_by(|a, b| means[*a].total_cmp(&means[*b]));
    let narrowest = (range / (means.len() + 2) as f64).max(range * NARROWEST);
    let mut kernels = vec![Normal::new(0.5 * (low + high), range, (low, high)); means.len() + 1];
    for (place, index) in order.iter().enumerate() {
        let mean = means[*index];
        let below = place.checked_sub(1).map(|place| mean - means[order[place]]);
        let above = order.get(place + 1).map(|next| means[*next] - mean);
        let width = match (below, above) {
            (Some(below), Some(above)) => below.max(above),
            // The ends of the range are no neighbours, unless there is no other.
            (Some(neighbour), None) | (None, Some(neighbour)) => neighbour,
            (None, None) => (mean - low).max(high - mean),
        };
        kernels[*index] = Normal::new(mean, width.clamp(narrowest, range), (low, high));
    }
    kernels
}

/// A kernel at each choice, which gives the others a little, and the prior.
fn choice_kernels(choices: usize, values: &[f64]) -> Vec<Vec<f64>> {
    let little = 1.0 / (values.len() + 1) as f64;
    let sum = 1.0 + little * choices as f64;
    let kernel = |value: &f64| {
        let probability =
            |choice| if choice == *value as usize { (1.0 + little) / sum } else { little / sum };
        (0..choices).map(probability).collect()
    };
    values.iter().map(kernel).chain([vec![1.0 / choices as f64; choices]]).collect()
}

/// A place drawn by its probability.
fn pick(probabilities: &[f64], random: &mut Random) -> usize {
    let mut left = random.unit();
    for (place, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return place;
        }
    }
    probabilities.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(low: f64, high: f64, scale: Scale, whole: Whole) -> Dimension {
        Dimension::Number { low, high, scale, whole }
    }

    #[test]
    fn old_trials_count_less() {
        assert_eq!(weights(0), [0.0; 0]);
        assert_eq!(weights(25), [1.0; 25]);
        // numpy.linspace(1/28, 1, num=3), then 25 ones.
        let found = weights(28);
        for (found, expected) in found.iter().zip([1.0 / 28.0, 29.0 / 56.0, 1.0, 1.0]) {
            assert!((found - expected).abs() < 1e-15);
        }
        assert_eq!(found.len(), 28);
        // numpy.linspace(1/26, 1, num=1) is its beginning alone.
        assert_eq!(weights(26)[0], 1.0 / 26.0);
    }

    #[derive(serde::Deserialize)]
    struct Case {
        trials: Vec<Vec<f64>>,
        at: Vec<Vec<f64>>,
        log: Vec<f64>,
    }

    #[test]
    fn densities_equal_optunas() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../tests/fixtures/optuna.json")).unwrap();
        let cases: Vec<Case> = serde_json::from_value(fixture["densities"].clone()).unwrap();
        let dimensions = [
            number(-5.0, 10.0, Scale::Linear, Whole::No),
            number(0.001, 1.0, Scale::Logarithm, Whole::No),
            number(1.0, 9.0, Scale::Linear, Whole::Yes),
            number(1.0, 500.0, Scale::Logarithm, Whole::Yes),
            Dimension::Choice(vec!["a".into(), "b".into(), "c".into()]),
        ];
        assert!(cases.len() > 5);
        // Longer columns hold equal whole numbers, whose kernels' widths depend on how a sort orders
        // what is equal.
        for case in cases.into_iter().filter(|case| case.trials.len() <= 2) {
            let trials: Vec<&[f64]> = case.trials.iter().map(Vec::as_slice).collect();
            let parzen = Parzen::new(&dimensions, &trials);
            for (values, expected) in case.at.iter().zip(case.log) {
                let found = parzen.log_density(values);
                assert!((found - expected).abs() < 1e-9 * expected.abs(), "{values:?}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn draws_follow_the_density() {
        let dimensions =
            [number(0.0, 4.0, Scale::Linear, Whole::Yes), Dimension::Choice(vec![String::new(); 2])];
        let trials: [&[f64]; 2] = [&[1.0, 0.0], &[4.0, 1.0]];
        let parzen = Parzen::new(&dimensions, &trials);
        let mut random = Random::of_trial(1, 1);
        let count = 20_000;
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..count {
            let values = parzen.draw(&mut random);
            *counts.entry((values[0] as u64, values[1] as u64)).or_insert(0) += 1;
        }
        let mut all = 0.0;
        for number in 0..=4_u64 {
            for choice in 0..2_u64 {
                let expected = parzen.log_density(&[number as f64, choice as f64]).exp();
                let found = f64::from(counts.get(&(number, choice)).copied().unwrap_or(0)) / f64::from(count);
                // Four standard deviations of the share.
                let bound = 4.0 * (expected * (1.0 - expected) / f64::from(count)).sqrt();
                assert!((found - expected).abs() < bound, "{number} {choice}: {found}, {expected}");
                all += expected;
            }
        }
        assert!((all - 1.0).abs() < 1e-12, "the probabilities sum to {all}");
    }
}
