//! How far apart are two samples?

use super::{Distance, DistanceMethod};

/// What is added to each count before a population stability index is taken.
pub const PSI_ADDED_COUNT: f64 = 0.5;

/// Shares of counts; all zero when nothing was counted.
pub fn shares(counts: &[u64]) -> Vec<f64> {
    let total: u64 = counts.iter().sum();
    counts.iter().map(|&count| if total == 0 { 0.0 } else { count as f64 / total as f64 }).collect()
}

/// The Jensen–Shannon distance, base 2, of two tables of counts over the same bins: the square
/// root of H((p + q) / 2) − (H(p) + H(q)) / 2, in [0, 1].
pub fn jensen_shannon(reference: &[u64], current: &[u64]) -> Distance {
    let (p, q) = (shares(reference), shares(current));
    let mut divergence = 0.0;
    for (p, q) in p.iter().zip(&q) {
        let middle = 0.5 * (p + q);
        for share in [p, q] {
            if *share > 0.0 {
                divergence += 0.5 * share * (share / middle).log2();
            }
        }
    }
    let method = DistanceMethod::JensenShannonDistance { log_base: 2, bins: reference.len() };
    Distance { method, value: divergence.clamp(0.0, 1.0).sqrt() }
}

/// The Jensen–Shannon distance (base 2) that pure chance is expected to give at these sample
/// sizes: the divergence of two samples of one distribution has mean (k − 1)(1/n + 1/m) / (8 ln 2)
/// to first order, k being the bins in use.
pub fn jensen_shannon_by_chance(reference: &[u64], current: &[u64]) -> f64 {
    let (n, m) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    if n == 0.0 || m == 0.0 {
        return 1.0;
    }
    let used = reference.iter().zip(current).filter(|(a, b)| **a + **b > 0).count();
    let divergence = used.saturating_sub(1) as f64 * (1.0 / n + 1.0 / m) / (8.0 * std::f64::consts::LN_2);
    divergence.sqrt().min(1.0)
}

/// The population stability index of two tables of counts over the same bins.
pub fn population_stability(reference: &[u64], current: &[u64]) -> Distance {
    let smooth = |counts: &[u64]| {
        let total = counts.iter().sum::<u64>() as f64 + PSI_ADDED_COUNT * counts.len() as f64;
        counts.iter().map(|&count| (count as f64 + PSI_ADDED_COUNT) / total).collect::<Vec<f64>>()
    };
    let (p, q) = (smooth(reference), smooth(current));
    let value = p.iter().zip(&q).map(|(p, q)| (q - p) * (q / p).ln()).sum();
    let method =
        DistanceMethod::PopulationStabilityIndex { bins: reference.len(), added_count: PSI_ADDED_COUNT };
    Distance { method, value }
}

/// The population stability index that chance exceeds with probability `alpha`: the chi-square
/// quantile at bins − 1 degrees of freedom times (1/n + 1/m) (Yurdakul 2018).
pub fn population_stability_threshold(bins: usize, n: u64, m: u64, alpha: f64) -> f64 {
    if bins < 2 || n == 0 || m == 0 {
        return f64::MAX;
    }
    let quantile = super::special::chi_square_upper_quantile(alpha, (bins - 1) as f64);
    quantile * (1.0 / n as f64 + 1.0 / m as f64)
}

/// The greatest gap between cumulative shares at the edges of ordered bins.
pub fn kolmogorov_smirnov_binned(reference: &[u64], current: &[u64]) -> Distance {
    let (p, q) = (shares(reference), shares(current));
    let (mut below_p, mut below_q, mut gap) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (p, q) in p.iter().zip(&q) {
        below_p += p;
        below_q += q;
        gap = gap.max((below_p - below_q).abs());
    }
    let method = DistanceMethod::KolmogorovSmirnovDistance { bins: reference.len() };
    Distance { method, value: gap.min(1.0) }
}

/// The Wasserstein distance of order 1 between raw samples; `None` if either is empty or holds
/// something that is not finite.
pub fn wasserstein(one: &[f64], other: &[f64]) -> Option<Distance> {
    let usable = |values: &[f64]| !values.is_empty() && values.iter().all(|value| value.is_finite());
    if !usable(one) || !usable(other) {
        return None;
    }
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(one), sorted(other));
    let mut all = [a.as_slice(), b.as_slice()].concat();
    all.sort_unstable_by(f64::total_cmp);
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    for pair in all.windows(2) {
        while i < a.len() && a[i] <= pair[0] {
            i += 1;
        }
        while j < b.len() && b[j] <= pair[0] {
            j += 1;
        }
        area += (i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs() * (pair[1] - pair[0]);
    }
    Some(Distance { method: DistanceMethod::Wasserstein, value: area })
}
