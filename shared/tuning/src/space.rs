//! Where is searched: each hyperparameter as a coordinate on which its scaling is even.

use std::collections::BTreeMap;

use domain::tuning::{Ranges, Scaling, text_of};

use crate::random::Random;

/// The range of a factor from which `auto` is logarithmic.
const AUTO_FACTOR: f64 = 100.0;

/// The hyperparameters that are searched, in order of their names.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    names: Vec<String>,
    pub(crate) dimensions: Vec<Dimension>,
}

/// One hyperparameter.
#[derive(Clone, Debug)]
pub(crate) enum Dimension {
    /// A number between two ends, on its scale.
    Number { low: f64, high: f64, scale: Scale, whole: Whole },
    /// One of several choices, by its place.
    Choice(Vec<String>),
}

/// Whether only whole numbers are meant. Each then stands for a cell of half a step to both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Yes,
    No,
}

/// On what a hyperparameter is even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Logarithm,
    /// The logarithm of the distance from 1, negative so that it grows.
    ReverseLogarithm,
}

impl Scale {
    fn of(scaling: Scaling, min: f64, max: f64) -> Scale {
        match scaling {
            Scaling::Linear => Scale::Linear,
            Scaling::Logarithmic => Scale::Logarithm,
            Scaling::ReverseLogarithmic => Scale::ReverseLogarithm,
            Scaling::Auto if min > 0.0 && max / min >= AUTO_FACTOR => Scale::Logarithm,
            Scaling::Auto => Scale::Linear,
        }
    }

    /// The coordinate of a value.
    pub(crate) fn coordinate(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Logarithm => value.ln(),
            Scale::ReverseLogarithm => -(-value).ln_1p(),
        }
    }

    /// The value of a coordinate.
    fn value(self, coordinate: f64) -> f64 {
        match self {
            Scale::Linear => coordinate,
            Scale::Logarithm => coordinate.exp(),
            Scale::ReverseLogarithm => -(-coordinate).exp_m1(),
        }
    }
}

impl Dimension {
    fn whole(min: i64, max: i64, scaling: Scaling) -> Dimension {
        let (low, high) = (min as f64, max as f64);
        Dimension::Number { low, high, scale: Scale::of(scaling, low, high), whole: Whole::Yes }
    }

    /// The two ends of the coordinate; of whole numbers those of the outermost cells.
    pub(crate) fn ends(&self) -> (f64, f64) {
        match self {
            Dimension::Number { low, high, scale, whole } => {
                let half = if *whole == Whole::Yes { 0.5 } else { 0.0 };
                (scale.coordinate(low - half), scale.coordinate(high + half))
            }
            Dimension::Choice(choices) => (0.0, choices.len() as f64),
        }
    }

    /// The nearest value that is meant by a coordinate.
    pub(crate) fn nearest(&self, coordinate: f64) -> f64 {
        match self {
            Dimension::Number { low, high, scale, whole } => {
                let value = scale.value(coordinate);
                let value = if *whole == Whole::Yes { value.round() } else { value };
                value.clamp(*low, *high)
            }
            Dimension::Choice(choices) => coordinate.floor().clamp(0.0, choices.len() as f64 - 1.0),
        }
    }

    /// A value drawn evenly.
    fn draw(&self, random: &mut Random) -> f64 {
        let (low, high) = self.ends();
        self.nearest(low + random.unit() * (high - low))
    }

    fn text(&self, value: f64) -> String {
        match self {
            // Display writes a whole number without a point, and every number so that it is read
            // back as the same.
            Dimension::Number { .. } => value.to_string(),
            Dimension::Choice(choices) => choices[value as usize].clone(),
        }
    }
}

impl Space {
    /// The space of checked ranges.
    pub(crate) fn of(ranges: &Ranges) -> Space {
        let integer = ranges
            .integer
            .iter()
            .map(|(name, range)| (name.clone(), Dimension::whole(range.min, range.max, range.scaling)));
        let continuous = ranges.continuous.iter().map(|(name, range)| {
            let scale = Scale::of(range.scaling, range.min, range.max);
            (name.clone(), Dimension::Number { low: range.min, high: range.max, scale, whole: Whole::No })
        });
        let categorical = ranges
            .categorical
            .iter()
            .map(|(name, choices)| (name.clone(), Dimension::Choice(choices.iter().map(text_of).collect())));
        let all: BTreeMap<String, Dimension> = integer.chain(continuous).chain(categorical).collect();
        let (names, dimensions) = all.into_iter().unzip();
        Space { names, dimensions }
    }

    /// Values drawn evenly.
    pub(crate) fn draw(&self, random: &mut Random) -> Vec<f64> {
        self.dimensions.iter().map(|dimension| dimension.draw(random)).collect()
    }

    /// How many combinations there are of choices alone; none where a number is among them.
    pub(crate) fn combinations(&self) -> Option<u64> {
        self.dimensions.iter().try_fold(1_u64, |product, dimension| match dimension {
            Dimension::Choice(choices) => Some(product.saturating_mul(choices.len() as u64)),
            Dimension::Number { .. } => None,
        })
    }

    /// The combination of this place, from 0: the last hyperparameter changes first.
    pub(crate) fn combination(&self, place: u64) -> Vec<f64> {
        let mut left = place;
        let mut values = vec![0.0; self.dimensions.len()];
        for (value, dimension) in values.iter_mut().zip(&self.dimensions).rev() {
            if let Dimension::Choice(choices) = dimension {
                let count = choices.len() as u64;
                *value = (left % count) as f64;
                left /= count;
            }
        }
        values
    }

    /// Values as a program is told them.
    pub(crate) fn texts(&self, values: &[f64]) -> BTreeMap<String, String> {
        let texts = self.dimensions.iter().zip(values).map(|(dimension, value)| dimension.text(*value));
        self.names.iter().cloned().zip(texts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(ranges: serde_json::Value) -> Space {
        Space::of(&serde_json::from_value(ranges).unwrap())
    }

    fn drawn(space: &Space, name: &str) -> Vec<f64> {
        let at = space.names.iter().position(|known| known == name).unwrap();
        (1..=4_000).map(|trial| space.draw(&mut Random::of_trial(1, trial))[at]).collect()
    }

    fn share_below(values: &[f64], value: f64) -> f64 {
        values.iter().filter(|found| **found < value).count() as f64 / values.len() as f64
    }

    #[test]
    fn values_are_spread_as_their_scaling_says() {
        let space = space(serde_json::json!({
            "continuous": {
                "linear": {"min": 0.0, "max": 8.0, "scaling": "linear"},
                "log": {"min": 0.001, "max": 0.1, "scaling": "logarithmic"},
                "auto": {"min": 0.001, "max": 0.1},
                "reverse": {"min": 0.9, "max": 0.999, "scaling": "reverse_logarithmic"},
            },
            "integer": {"depth": {"min": 1, "max": 4}, "width": {"min": 1, "max": 1024}},
            "categorical": {"booster": ["a", "b"]},
        }));
        // Half of the range on the scale: sqrt(0.001 · 0.1) is 0.01, 1 − sqrt(0.1 · 0.001) is 0.99.
        for (name, middle) in [
            ("linear", 4.0),
            ("log", 0.01),
            ("auto", 0.01),
            ("reverse", 0.99),
            ("depth", 2.5),
            ("booster", 0.5),
        ] {
            let share = share_below(&drawn(&space, name), middle);
            // Four standard deviations of a share of one half among 4 000.
            assert!((share - 0.5).abs() < 0.032, "{name}: {share}");
        }
        // The cells of 1 … 1024 reach from 0.5 to 1024.5 on a logarithm, half of which is 22.6.
        let share = share_below(&drawn(&space, "width"), 22.5);
        assert!((share - 0.5).abs() < 0.034, "{share}");
        let depths = drawn(&space, "depth");
        assert!((1..=4).all(|depth| depths.contains(&f64::from(depth))));
    }

    #[test]
    fn values_are_told_as_texts_that_read_back() {
        let space = space(serde_json::json!({
            "continuous": {"eta": {"min": 1e-7, "max": 0.3}},
            "integer": {"depth": {"min": -2, "max": 10}},
            "categorical": {"booster": ["gbtree", 2, true]},
        }));
        assert_eq!(space.names, ["booster", "depth", "eta"]);
        let texts = space.texts(&[2.0, -2.0, 1e-7]);
        let texts: Vec<&str> = texts.values().map(String::as_str).collect();
        assert_eq!(texts, ["true", "-2", "0.0000001"]);
        for trial in 1..100 {
            let values = space.draw(&mut Random::of_trial(3, trial));
            assert_eq!(space.texts(&values)["eta"].parse(), Ok(values[2]));
        }
    }

    #[test]
    fn a_grid_is_every_combination_once() {
        let grid = space(serde_json::json!({"categorical": {"a": ["x", "y"], "b": [1, 2, 3]}}));
        assert_eq!(grid.combinations(), Some(6));
        let told: Vec<String> = (0..6)
            .map(|place| grid.texts(&grid.combination(place)).into_values().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(told, ["x 1", "x 2", "x 3", "y 1", "y 2", "y 3"]);
        let number = space(serde_json::json!({"integer": {"a": {"min": 1, "max": 2}}}));
        assert_eq!(number.combinations(), None);
    }
}
