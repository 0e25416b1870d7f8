//! Whether a trial goes on: it is held against what earlier ones had shown at the same point.

use domain::tuning::Hyperband;

/// One of three goes on from each rung: the factor that Li et al. (2020, section 3) advise.
const REDUCTION: u64 = 3;

/// Fewer earlier trials than this say nothing about a median.
const PEERS_MIN: usize = 5;

/// No trial is held against the median before this part of an ordinary trial's rounds: who learns
/// in small steps begins slowly.
const GRACE_PART: u64 = 4;

/// The rounds at which trials are compared: each three times the one before, below a whole trial.
pub(crate) fn rungs(hyperband: Hyperband) -> Vec<u64> {
    let most = u64::from(hyperband.max_resource);
    let first = u64::from(hyperband.min_resource.max(1));
    std::iter::successors(Some(first), |rung| Some(rung * REDUCTION))
        .take_while(|rung| *rung < most)
        .collect()
}

/// Whether a trial goes on from a rung: it is among the best third of those that came so far, the
/// trial itself counted; of fewer than three it must be the best (asynchronous successive halving,
/// Li et al. 2020, algorithm 2, for trials that are stopped rather than paused).
pub(crate) fn is_promoted(loss: f64, peers: &[f64]) -> bool {
    let better = peers.iter().filter(|peer| **peer < loss).count();
    let places = (peers.len() + 1) / REDUCTION as usize;
    better < places.max(1)
}

/// What the median rule sees of an earlier trial that ran to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its rounds.
    pub(crate) rounds: u64,
    /// The average of its losses up to the point in question.
    pub(crate) average: f64,
}

/// Whether a trial is worse than the median of the earlier ones' averages up to the same point
/// (the median rule of Golovin et al. 2017, section 3.2.2, as SageMaker's early stopping has it).
pub(crate) fn is_behind(resource: u64, loss: f64, peers: &[Peer]) -> bool {
    if peers.len() < PEERS_MIN {
        return false;
    }
    let rounds = median(peers.iter().map(|peer| peer.rounds as f64).collect());
    let averages = median(peers.iter().map(|peer| peer.average).collect());
    (resource * GRACE_PART) as f64 >= rounds && loss > averages
}

/// The median of some values; of an even count the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => 0.5 * (values[middle - 1] + values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_triple_and_end_below_a_whole_trial() {
        for (min_resource, max_resource, expected) in
            [(1, 81, vec![1, 3, 9, 27]), (10, 200, vec![10, 30, 90]), (5, 5, vec![]), (4, 5, vec![4])]
        {
            assert_eq!(rungs(Hyperband { min_resource, max_resource }), expected);
        }
    }

    #[test]
    fn the_best_third_goes_on() {
        // Of 9 with the trial itself, 3 go on.
        let peers = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        for (loss, goes_on) in [(0.5, true), (1.5, true), (2.5, true), (3.5, false), (9.0, false)] {
            assert_eq!(is_promoted(loss, &peers), goes_on, "{loss}");
        }
        // The first one goes on, the second only if it is better, and equal ones as one.
        assert!(is_promoted(5.0, &[]));
        assert!(!is_promoted(5.0, &[4.0]) && is_promoted(3.0, &[4.0]) && is_promoted(4.0, &[4.0]));
    }

    #[test]
    fn a_trial_behind_the_median_is_behind_once_it_had_time() {
        let peers: Vec<Peer> =
            [0.1, 0.2, 0.3, 0.4, 0.5].map(|average| Peer { rounds: 100, average }).to_vec();
        for (resource, loss, behind) in
            [(24, 0.9, false), (25, 0.9, true), (25, 0.3, false), (25, 0.31, true), (90, 0.2, false)]
        {
            assert_eq!(is_behind(resource, loss, &peers), behind, "{resource} {loss}");
        }
        assert!(!is_behind(50, 9.0, &peers[..4]), "four say nothing");
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
