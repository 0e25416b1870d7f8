//! Is what happened in the withheld rows like what happened in those learned from?

use serde::{Deserialize, Serialize};

use crate::metrics::Truth;
use crate::statistics::significance::{chi_square_homogeneity, kolmogorov_smirnov};
use crate::statistics::{PValue, Significance};

/// Change of a class's share, or distance of two distributions, below which it is too small to
/// matter.
const EFFECT_MIN: f64 = 0.1;

/// A shift must be this surprising.
const ALPHA: f64 = 0.01;

/// Values compared at most, evenly taken: the exact test counts paths.
const VALUES_MAX: usize = 2_000;

/// How often a class is among the training and among the withheld rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassShare {
    /// The class, by its place in the model's answers.
    pub class: usize,
    /// Share of the training rows.
    pub train: f64,
    /// Share of the withheld rows.
    pub test: f64,
}

/// What is known of the target in both sets of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// Shares of the classes; empty for a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassShare>,
    /// How far both are apart: the greatest change of a share, or for a number the greatest gap
    /// between the cumulative shares; in [0, 1].
    pub distance: f64,
    /// How surprising that is; absent where nothing can be tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub significance: Option<Significance>,
    /// Whether the target moved: far enough and beyond chance.
    pub shifted: bool,
    /// Whether all withheld rows have the same target.
    pub constant: bool,
    /// Selected rows that had no target, and so neither taught nor judged.
    pub missing: u64,
}

/// Compares the target of training rows and withheld rows.
pub fn labels(train: &Truth, test: &Truth, missing: u64) -> Labels {
    let (classes, distance, significance) = match (train, test) {
        (Truth::Numbers(train), Truth::Numbers(test)) => {
            let found = kolmogorov_smirnov(&evenly(train), &evenly(test));
            (Vec::new(), found.as_ref().map_or(0.0, |found| found.statistic), found)
        }
        _ => {
            let counts = [counts(train), counts(test)];
            let share = |which: usize, class: usize| {
                let all: u64 = counts[which].iter().sum();
                counts[which].get(class).copied().unwrap_or(0) as f64 / all.max(1) as f64
            };
            let of = |class| ClassShare { class, train: share(0, class), test: share(1, class) };
            let classes: Vec<ClassShare> = (0..counts[0].len()).map(of).collect();
            let far = classes.iter().map(|class| (class.train - class.test).abs()).fold(0.0, f64::max);
            (classes, far, chi_square_homogeneity(&counts[0], &counts[1]))
        }
    };
    let p = significance.as_ref().map_or(PValue::new(1.0), |found| found.p);
    Labels {
        classes,
        distance,
        shifted: distance >= EFFECT_MIN && p.significant(ALPHA),
        significance,
        constant: is_constant(test),
        missing,
    }
}

fn evenly(values: &[f64]) -> Vec<f64> {
    let step = values.len().div_ceil(VALUES_MAX).max(1);
    values.iter().copied().step_by(step).collect()
}

fn counts(truth: &Truth) -> Vec<u64> {
    let (classes, values): (usize, Vec<usize>) = match truth {
        Truth::Numbers(_) => return Vec::new(),
        Truth::Binary(values) => (2, values.iter().map(|value| usize::from(*value)).collect()),
        Truth::Classes { count, values } => (*count, values.clone()),
    };
    let mut counts = vec![0; classes];
    for value in values {
        if let Some(count) = counts.get_mut(value) {
            *count += 1;
        }
    }
    counts
}

fn is_constant(truth: &Truth) -> bool {
    fn alike<T: PartialEq>(values: &[T]) -> bool {
        values.windows(2).all(|pair| pair[0] == pair[1])
    }
    match truth {
        Truth::Numbers(values) => alike(values),
        Truth::Binary(values) => alike(values),
        Truth::Classes { values, .. } => alike(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::Random;

    #[test]
    fn a_target_that_moved_is_shifted_and_one_that_did_not_is_not() {
        let mut random = Random::new(3);
        let mut numbers =
            |count: usize, by: f64| Truth::Numbers((0..count).map(|_| random.normal() + by).collect());
        let train = numbers(3_000, 0.0);
        assert!(!labels(&train, &numbers(800, 0.0), 0).shifted);
        let moved = labels(&train, &numbers(800, 1.0), 7);
        // Two unit normals one apart: the greatest gap is 2 Φ(1/2) − 1 = 0.383.
        assert!(moved.shifted && (moved.distance - 0.383).abs() < 0.05, "{moved:?}");
        assert_eq!((moved.missing, moved.constant), (7, false));
    }

    #[test]
    fn classes_are_compared_by_their_shares() {
        let of = |yes: usize, all: usize| Truth::Binary((0..all).map(|row| row < yes).collect());
        let found = labels(&of(300, 1_000), &of(150, 300), 0);
        assert!(found.shifted);
        assert!((found.distance - 0.2).abs() < 1e-12);
        assert_eq!(found.classes[1], ClassShare { class: 1, train: 0.3, test: 0.5 });
        assert!(!labels(&of(300, 1_000), &of(95, 300), 0).shifted, "too little to matter");
        assert!(!labels(&of(3, 10), &of(5, 10), 0).shifted, "too few to tell");
        assert!(labels(&of(300, 1_000), &of(0, 40), 0).constant);
    }
}
