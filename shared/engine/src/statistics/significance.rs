//! How surprising would this difference be if nothing had changed?

use super::special::{chi_square_survival, kolmogorov_survival, ln_gamma, normal_survival, student_survival};
use super::{KolmogorovForm, PValue, RareBins, Significance, TestMethod};

/// Least expected count of a cell before the chi-square approximation is trusted (Cochran 1954).
pub const EXPECTED_MINIMUM: f64 = 5.0;

/// Largest n · m for which the Kolmogorov–Smirnov p-value is counted exactly.
pub const EXACT_PATHS_MAX: usize = 4_000_000;

/// Longest sum of Fisher's exact test before the z-test takes over.
const EXACT_TABLES_MAX: u64 = 20_000;

/// Tests whether two tables of counts over the same bins come from one distribution.
///
/// Bins that neither sample uses are left out. A bin is rare if, going by the reference, fewer than
/// [`EXPECTED_MINIMUM`] rows are expected in it; rare bins are pooled, and where even the pool is
/// rare (new categories, say) it is tested apart by Fisher's exact test, so that one stray row is
/// no alarm and many are. Which bins are rare never depends on the window: bins cut at the
/// reference's quantiles hold fixed reference counts, so a rule on the sum of both samples would
/// pick bins by what the window holds and alarm by itself (6 % of checks at 50 rows instead of
/// 1 %). `None` if there is only one bin: there is nothing to compare.
pub fn chi_square_homogeneity(reference: &[u64], current: &[u64]) -> Option<Significance> {
    let pairs = reference.iter().copied().zip(current.iter().copied());
    let used: Vec<(u64, u64)> = pairs.filter(|(a, b)| a + b > 0).collect();
    let n: u64 = used.iter().map(|cell| cell.0).sum();
    let m: u64 = used.iter().map(|cell| cell.1).sum();
    if n == 0 || m == 0 || used.len() < 2 {
        return None;
    }
    let rows_minimum = EXPECTED_MINIMUM * n as f64 / n.min(m) as f64;
    let is_rare = |cell: &(u64, u64)| (cell.0 as f64) < rows_minimum;
    let (rare, mut cells): (Vec<_>, Vec<_>) = used.iter().copied().partition(is_rare);
    let pool = rare.iter().fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
    let mut apart = None;
    let rare_bins = if rare.is_empty() {
        RareBins::None
    } else if is_rare(&pool) && !cells.is_empty() {
        apart = Some(fisher_exact([pool.0, pool.1], [n, m]).p.get());
        RareBins::Apart
    } else {
        cells.push(pool);
        RareBins::Pooled
    };
    let degrees = cells.len() - 1;
    let statistic = chi_square_statistic(&cells);
    let p = if degrees == 0 { None } else { Some(chi_square_survival(statistic, degrees as f64)) };
    let p = match (p, apart) {
        // Two looks at one table: Bonferroni.
        (Some(p), Some(apart)) => 2.0 * p.min(apart),
        (one, other) => one.or(other)?,
    };
    let (bins, expected_minimum) = (used.len(), EXPECTED_MINIMUM);
    let method = TestMethod::ChiSquareHomogeneity { bins, rare_bins, expected_minimum, degrees };
    Some(Significance { method, statistic, p: PValue::new(p) })
}

/// Pearson's statistic of a 2 × k table whose columns are all used; 0 if a row is empty.
pub fn chi_square_statistic(cells: &[(u64, u64)]) -> f64 {
    let n: u64 = cells.iter().map(|cell| cell.0).sum();
    let m: u64 = cells.iter().map(|cell| cell.1).sum();
    if n == 0 || m == 0 {
        return 0.0;
    }
    let all = (n + m) as f64;
    let mut statistic = 0.0;
    for &(a, b) in cells {
        let total = (a + b) as f64;
        for (found, row) in [(a, n), (b, m)] {
            let expected = total * row as f64 / all;
            statistic += (found as f64 - expected).powi(2) / expected;
        }
    }
    statistic
}

/// Tests whether two shares are equal: `found` of `rows` in each sample. Fisher's exact test
/// while its sum has at most 20,000 terms, the z-test beyond. `None` if a sample is empty.
pub fn proportions(found: [u64; 2], rows: [u64; 2]) -> Option<Significance> {
    let all = rows[0] + rows[1];
    if rows[0] == 0 || rows[1] == 0 {
        return None;
    }
    let hits = found[0] + found[1];
    let tables = hits.min(all - hits).min(rows[0]).min(rows[1]);
    if tables <= EXACT_TABLES_MAX {
        Some(fisher_exact(found, rows))
    } else {
        Some(two_proportion_z(found, rows))
    }
}

/// The two-proportion z-test with pooled variance, two-sided; p = 1 where the share is 0 or 1
/// in both samples.
pub fn two_proportion_z(found: [u64; 2], rows: [u64; 2]) -> Significance {
    let [n, m] = rows.map(|rows| rows as f64);
    let pooled = (found[0] + found[1]) as f64 / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let z = (found[1] as f64 / m - found[0] as f64 / n) / deviation;
    let z = if z.is_finite() { z } else { 0.0 };
    let p = PValue::new(2.0 * normal_survival(z.abs()));
    Significance { method: TestMethod::TwoProportionZ, statistic: z, p }
}

/// Count, mean and variance (n − 1) of a sample, from its sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// How many.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
}

impl Moments {
    /// The moments of values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Moments {
        let mut moments = Moments::default();
        for value in values {
            moments.push(value);
        }
        moments
    }

    /// Adds a value.
    pub fn push(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    /// These without others that are among them.
    #[must_use]
    pub fn without(self, others: Moments) -> Moments {
        Moments {
            count: self.count - others.count,
            sum: self.sum - others.sum,
            squares: self.squares - others.squares,
        }
    }

    /// The mean; NaN without values.
    pub fn mean(self) -> f64 {
        self.sum / self.count
    }

    /// The square of the mean's standard error.
    fn error_squared(self) -> f64 {
        let variance = (self.squares - self.sum * self.sum / self.count) / (self.count - 1.0);
        variance.max(0.0) / self.count
    }
}

/// Welch's t-test (1947): the chance that `one` has so much greater a mean than `other` if their
/// means were equal, whatever their variances; one-sided. Exact for normal samples; for samples
/// with a long tail upwards, as losses have it, on the cautious side. `None` with fewer than two
/// values on a side, or without any spread.
pub fn welch_greater(one: Moments, other: Moments) -> Option<Significance> {
    if one.count < 2.0 || other.count < 2.0 {
        return None;
    }
    let errors = [one.error_squared(), other.error_squared()];
    let error = errors[0] + errors[1];
    let degrees = error * error
        / (errors[0] * errors[0] / (one.count - 1.0) + errors[1] * errors[1] / (other.count - 1.0));
    let t = (one.mean() - other.mean()) / error.sqrt();
    let p = PValue::new(student_survival(t, degrees));
    (t.is_finite() && degrees.is_finite()).then_some(Significance {
        method: TestMethod::Welch { degrees },
        statistic: t,
        p,
    })
}

/// Fisher's exact test, two-sided. The statistic is the second sample's count.
pub fn fisher_exact(found: [u64; 2], rows: [u64; 2]) -> Significance {
    let hits = found[0] + found[1];
    let (n, m) = (rows[0], rows[1]);
    let ln_choose =
        |n: u64, k: u64| ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0);
    let all = ln_choose(n + m, hits);
    let likelihood = |k: u64| (ln_choose(m, k) + ln_choose(n, hits - k) - all).exp();
    // Tables as likely as the observed one may differ from it by rounding.
    let ceiling = likelihood(found[1]) * (1.0 + 1e-10);
    let range = hits.saturating_sub(n)..=hits.min(m);
    let p = range.map(likelihood).filter(|likely| *likely <= ceiling).sum();
    Significance { method: TestMethod::FisherExact, statistic: found[1] as f64, p: PValue::new(p) }
}

/// The two-sample Kolmogorov–Smirnov test of raw values: exact while n · m is at most
/// [`EXACT_PATHS_MAX`], Kolmogorov's limit beyond. `None` if either is empty or holds NaN.
pub fn kolmogorov_smirnov(one: &[f64], other: &[f64]) -> Option<Significance> {
    let form = if one.len().saturating_mul(other.len()) <= EXACT_PATHS_MAX {
        KolmogorovForm::Exact
    } else {
        KolmogorovForm::Limit
    };
    kolmogorov_smirnov_by(one, other, form)
}

/// The two-sample Kolmogorov–Smirnov test of raw values in the form asked for.
pub fn kolmogorov_smirnov_by(one: &[f64], other: &[f64], form: KolmogorovForm) -> Option<Significance> {
    if one.is_empty() || other.is_empty() || one.iter().chain(other).any(|value| value.is_nan()) {
        return None;
    }
    let (n, m) = (one.len(), other.len());
    let gap = cumulative_gap(one, other);
    let statistic = gap as f64 / (n as f64 * m as f64);
    let p = match form {
        KolmogorovForm::Exact => kolmogorov_smirnov_exact(n, m, gap),
        KolmogorovForm::Limit => kolmogorov_limit(statistic, n as f64, m as f64),
    };
    let method = TestMethod::KolmogorovSmirnov { form, bins: None };
    Some(Significance { method, statistic, p: PValue::new(p) })
}

/// The Kolmogorov–Smirnov test on counts in ordered bins, by Kolmogorov's limit. Values within a
/// bin cannot be told apart, so the statistic is at most that of the raw values and the p-value
/// at least theirs: conservative.
pub fn kolmogorov_smirnov_binned(reference: &[u64], current: &[u64]) -> Option<Significance> {
    let n: u64 = reference.iter().sum();
    let m: u64 = current.iter().sum();
    if n == 0 || m == 0 {
        return None;
    }
    let statistic = super::distance::kolmogorov_smirnov_binned(reference, current).value;
    let p = kolmogorov_limit(statistic, n as f64, m as f64);
    let method = TestMethod::KolmogorovSmirnov { form: KolmogorovForm::Limit, bins: Some(reference.len()) };
    Some(Significance { method, statistic, p: PValue::new(p) })
}

fn kolmogorov_limit(statistic: f64, n: f64, m: f64) -> f64 {
    kolmogorov_survival(statistic * (n * m / (n + m)).sqrt())
}

/// max |i·m − j·n| where i and j values of the samples lie at or below a point: the statistic
/// times n·m, in whole numbers.
fn cumulative_gap(one: &[f64], other: &[f64]) -> u64 {
    let sorted = |values: &[f64]| {
        // Adding zero turns −0 into 0, so that total order and equality agree.
        let mut values: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(one), sorted(other));
    let (mut i, mut j, mut gap) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let point = a[i].min(b[j]);
        while i < a.len() && a[i] <= point {
            i += 1;
        }
        while j < b.len() && b[j] <= point {
            j += 1;
        }
        gap = gap.max((i as u64 * b.len() as u64).abs_diff(j as u64 * a.len() as u64));
    }
    gap
}

/// P(D ≥ gap / nm) when all orders of n + m values are equally likely: the share of lattice paths
/// from (0, 0) to (n, m) that leave the corridor |i·m − j·n| < gap. Of the paths to (i, j), i in
/// i + j arrive from (i − 1, j); so shares follow from their neighbours without large numbers.
fn kolmogorov_smirnov_exact(n: usize, m: usize, gap: u64) -> f64 {
    let mut row = vec![0.0_f64; m + 1];
    for i in 0..=n {
        for j in 0..=m {
            let outside = (i as u64 * m as u64).abs_diff(j as u64 * n as u64) >= gap;
            row[j] = if outside {
                1.0
            } else if i + j == 0 {
                0.0
            } else {
                let from_left = if j > 0 { row[j - 1] } else { 0.0 };
                (i as f64 * row[j] + j as f64 * from_left) / (i + j) as f64
            };
        }
    }
    row[m]
}

/// Benjamini and Hochberg's adjusted p-values (1995), in the order given: at most a share alpha
/// of the columns called changed at an adjusted p ≤ alpha are false, and if nothing changed the
/// chance of any call is at most alpha.
pub fn benjamini_hochberg(p: &[PValue]) -> Vec<PValue> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].get().total_cmp(&p[b].get()).then(a.cmp(&b)));
    let mut adjusted = vec![PValue::new(1.0); p.len()];
    let mut least = 1.0_f64;
    for (rank, &index) in order.iter().enumerate().rev() {
        least = least.min(p[index].get() * p.len() as f64 / (rank + 1) as f64);
        adjusted[index] = PValue::new(least);
    }
    adjusted
}
