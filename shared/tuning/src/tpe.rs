//! What to try next, by what was tried: the tree-structured Parzen estimator of Bergstra, Bardenet,
//! Bengio and Kégl (2011).
//!
//! The best trials so far and the others are each described by a Parzen estimator; of some values
//! drawn from the good ones' the one is tried that is likelier by far among the good than among
//! the others.

use crate::parzen::Parzen;
use crate::random::Random;
use crate::space::Space;

/// Trials that are drawn evenly before the first one is chosen.
pub(crate) const EVEN_TRIALS: usize = 10;

/// Values that are drawn for one to be chosen.
const CANDIDATES: usize = 24;

/// Of ten trials one is good…
const GOOD_SHARE: usize = 10;

/// … and never more than these.
const GOOD_MAX: usize = 25;

/// What is known of an earlier trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) shown: Shown,
}

/// What a trial has shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shown {
    /// Its loss at its end.
    Loss(f64),
    /// Its loss when it was stopped, after so many rounds.
    Stopped { resource: u64, loss: f64 },
    /// That it cannot be trained.
    Failure,
    /// Nothing yet: it runs, and nothing like it should run beside it.
    Nothing,
}

/// Chooses values from the trials, the oldest first.
pub(crate) fn choose(space: &Space, tried: &[Tried<'_>], random: &mut Random) -> Vec<f64> {
    let over = tried.iter().filter(|trial| trial.shown != Shown::Nothing).count();
    if over < EVEN_TRIALS {
        return space.draw(random);
    }
    let good = are_good(tried, over.div_ceil(GOOD_SHARE).min(GOOD_MAX));
    let side = |wanted: bool| -> Vec<&[f64]> {
        tried.iter().zip(&good).filter(|(_, good)| **good == wanted).map(|(trial, _)| trial.values).collect()
    };
    let among_good = Parzen::new(&space.dimensions, &side(true));
    let among_others = Parzen::new(&space.dimensions, &side(false));
    let mut best: Option<(f64, Vec<f64>)> = None;
    for _ in 0..CANDIDATES {
        let values = among_good.draw(random);
        let ratio = among_good.log_density(&values) - among_others.log_density(&values);
        if best.as_ref().is_none_or(|(most, _)| ratio > *most) {
            best = Some((ratio, values));
        }
    }
    best.map(|(_, values)| values).unwrap_or_else(|| unreachable!("there are candidates"))
}

/// Which trials are the best ones: first by their losses, then, of those that were stopped, by
/// how far they came.
fn are_good(tried: &[Tried<'_>], count: usize) -> Vec<bool> {
    let rank = |trial: &Tried<'_>| match trial.shown {
        Shown::Loss(loss) => Some((0, 0, loss)),
        Shown::Stopped { resource, loss } => Some((1, u64::MAX - resource, loss)),
        Shown::Failure | Shown::Nothing => None,
    };
    let mut ranked: Vec<_> =
        tried.iter().enumerate().filter_map(|(at, trial)| Some((rank(trial)?, at))).collect();
    ranked.sort_by(|((kind, left, loss), _), ((other_kind, other_left, other_loss), _)| {
        (kind, left).cmp(&(other_kind, other_left)).then(loss.total_cmp(other_loss))
    });
    let mut good = vec![false; tried.len()];
    for (_, at) in ranked.into_iter().take(count) {
        good[at] = true;
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_whole_trials_first_then_those_that_came_far() {
        let shown = [
            Shown::Stopped { resource: 3, loss: 0.1 },
            Shown::Loss(0.5),
            Shown::Failure,
            Shown::Stopped { resource: 9, loss: 0.9 },
            Shown::Nothing,
            Shown::Loss(0.4),
        ];
        let tried: Vec<Tried<'_>> = shown.iter().map(|shown| Tried { values: &[], shown: *shown }).collect();
        for (count, expected) in [
            (1, [false, false, false, false, false, true]),
            (2, [false, true, false, false, false, true]),
            (3, [false, true, false, true, false, true]),
            (6, [true, true, false, true, false, true]),
        ] {
            assert_eq!(are_good(&tried, count), expected);
        }
    }
}
