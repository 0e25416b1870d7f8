//! Which numbers say how two samples differ, how sure that is, and by which method each was made.
//!
//! Distances and p-values answer different questions, so they are different types: a
//! [`Distance`] says how far apart two samples are, a [`PValue`] how surprising that would be if
//! nothing had changed. Neither exists without its method and the method's parameters, because
//! tools that use one name for several formulas cannot be compared.

pub mod bootstrap;
pub mod distance;
pub mod random;
pub mod significance;
pub mod special;

use std::fmt;

use serde::{Deserialize, Serialize};

/// The chance, in [0, 1], of a result at least as extreme if nothing had changed.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PValue(f64);

impl PValue {
    /// A p-value; rounding noise outside [0, 1] is drawn to the nearest end, NaN means no
    /// evidence at all (1).
    pub fn new(value: f64) -> PValue {
        if value.is_nan() { PValue(1.0) } else { PValue(value.clamp(0.0, 1.0)) }
    }

    /// The number in [0, 1].
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether the result is significant at this level: at or below it.
    pub fn significant(self, alpha: f64) -> bool {
        self.0 <= alpha
    }
}

impl fmt::Display for PValue {
    /// Three significant digits, and `<1e-6` below what anybody compares.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            p if p < 1e-6 => f.write_str("<1e-6"),
            p if p < 0.001 => write!(f, "{p:.1e}"),
            p => write!(f, "{p:.3}"),
        }
    }
}

/// How a test was made, with everything needed to repeat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "id", rename_all = "kebab-case")]
pub enum TestMethod {
    /// Pearson's two-sample test of homogeneity on the 2 × bins table of counts, without
    /// continuity correction; p from the chi-square distribution.
    ChiSquareHomogeneity {
        /// Bins that either sample uses.
        bins: usize,
        /// What was done with bins in which too few rows are expected.
        rare_bins: RareBins,
        /// The expected count below which a bin is rare.
        expected_minimum: f64,
        /// Degrees of freedom: bins tested − 1.
        degrees: usize,
    },
    /// Two-proportion z-test, two-sided, with the pooled variance and no continuity correction.
    TwoProportionZ,
    /// Fisher's exact test of a 2 × 2 table, two-sided: the sum of all tables no likelier.
    FisherExact,
    /// Welch's t-test of two means, one-sided.
    Welch {
        /// Welch and Satterthwaite's degrees of freedom.
        degrees: f64,
    },
    /// Two-sample Kolmogorov–Smirnov, two-sided.
    KolmogorovSmirnov {
        /// How the p-value was found.
        form: KolmogorovForm,
        /// Bins the samples were counted into; absent on raw values. Binning can only shrink
        /// the statistic, so its p-value errs towards "no change".
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bins: Option<usize>,
    },
}

impl TestMethod {
    /// What a person calls it.
    pub fn name(&self) -> &'static str {
        match self {
            TestMethod::ChiSquareHomogeneity { .. } => "chi-square, two samples",
            TestMethod::TwoProportionZ => "two-proportion z",
            TestMethod::FisherExact => "Fisher exact",
            TestMethod::Welch { .. } => "Welch's t, one-sided",
            TestMethod::KolmogorovSmirnov { .. } => "Kolmogorov–Smirnov",
        }
    }
}

/// What was done with the bins in which, going by the reference, too few rows are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RareBins {
    /// There are none.
    None,
    /// They were counted as one bin.
    Pooled,
    /// Even together they are rare: their share was tested apart by Fisher's exact test, and the
    /// smaller of the two p-values doubled (Bonferroni).
    Apart,
}

/// How a Kolmogorov–Smirnov p-value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KolmogorovForm {
    /// Counting lattice paths: exact for continuous data, conservative with ties.
    Exact,
    /// Kolmogorov's limit; its error is of order 1/√(nm/(n+m)) and on the cautious side.
    Limit,
}

/// A test's outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Significance {
    /// How it was made.
    pub method: TestMethod,
    /// The test statistic, in the method's own units.
    pub statistic: f64,
    /// The chance of such a result if nothing had changed.
    pub p: PValue,
}

/// How a distance was made, with everything needed to repeat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "id", rename_all = "kebab-case")]
pub enum DistanceMethod {
    /// The square root of the Jensen–Shannon divergence of the bins' shares; zero shares stay
    /// zero. In [0, 1] with base 2.
    JensenShannonDistance {
        /// Base of the logarithm: 2.
        log_base: u32,
        /// Frozen bins compared.
        bins: usize,
    },
    /// Population stability index Σ (q − p) ln(q / p) over frozen bins, natural logarithm.
    PopulationStabilityIndex {
        /// Frozen bins compared.
        bins: usize,
        /// Added to each count of either sample before shares are taken, so that empty bins
        /// stay finite.
        added_count: f64,
    },
    /// The greatest gap between the two cumulative shares at the frozen bins' edges, in [0, 1].
    KolmogorovSmirnovDistance {
        /// Frozen bins compared.
        bins: usize,
    },
    /// Current share − reference share, in [−1, 1].
    ShareDifference,
    /// (current mean − reference mean) / reference standard deviation (n − 1).
    StandardisedMeanDifference,
    /// The area between the two cumulative distributions of raw values, in the values' unit.
    Wasserstein,
}

impl DistanceMethod {
    /// What a person calls it.
    pub fn name(&self) -> &'static str {
        match self {
            DistanceMethod::JensenShannonDistance { .. } => "Jensen–Shannon distance (base 2)",
            DistanceMethod::PopulationStabilityIndex { .. } => "population stability index",
            DistanceMethod::KolmogorovSmirnovDistance { .. } => "Kolmogorov–Smirnov distance",
            DistanceMethod::ShareDifference => "change of share",
            DistanceMethod::StandardisedMeanDifference => "mean shift in standard deviations",
            DistanceMethod::Wasserstein => "Wasserstein distance",
        }
    }
}

/// How far apart two samples are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// How it was made.
    pub method: DistanceMethod,
    /// The number; its range is the method's.
    pub value: f64,
}

/// Where a number lies with some confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How much of the sampling distribution lies between, for example 0.95.
    pub confidence: f64,
}

impl Interval {
    /// The confidence for people: `95 %`.
    pub fn confidence_shown(&self) -> String {
        format!("{} %", crate::text::number(self.confidence * 100.0))
    }
}

#[cfg(test)]
mod tests;
