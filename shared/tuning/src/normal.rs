//! How much of the normal distribution lies in an interval.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// Terms after which the series and the fraction have converged for every argument given to them.
const TERMS_MAX: usize = 200;

/// The probability that a standard normal number lies in [from, to], for from ≤ to; accurate to
/// a relative 1e-12 also far out, until it is smaller than any number there is.
pub(crate) fn mass(from: f64, to: f64) -> f64 {
    // On one side the tails are subtracted, which keeps what is small accurate.
    if from >= 0.0 {
        0.5 * (erfc(from * FRAC_1_SQRT_2) - erfc(to * FRAC_1_SQRT_2))
    } else if to <= 0.0 {
        mass(-to, -from)
    } else {
        0.5 * (erf(to / SQRT_2) + erf(-from / SQRT_2))
    }
}

/// The error function for x ≥ 0: the series 7.6.2 of the NIST Digital Library of Mathematical
/// Functions near 0, else by its complement.
fn erf(x: f64) -> f64 {
    if x >= 2.0 {
        return 1.0 - erfc(x);
    }
    let mut term = x;
    let mut sum = x;
    for n in 1..TERMS_MAX {
        term *= 2.0 * x * x / (2 * n + 1) as f64;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// The complementary error function for x ≥ 0: the continued fraction 7.9.1 of the same library,
/// from its far end.
fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        return 1.0 - erf(x);
    }
    let mut tail = x;
    for n in (1..TERMS_MAX).rev() {
        tail = x + 0.5 * n as f64 / tail;
    }
    (-x * x).exp() / (PI.sqrt() * tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_equal_scipys() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../tests/fixtures/optuna.json")).unwrap();
        let cases: Vec<(f64, f64, f64)> = serde_json::from_value(fixture["masses"].clone()).unwrap();
        assert!(cases.len() > 5);
        for (from, to, expected) in cases {
            let found = mass(from, to);
            // In the middle scipy itself subtracts two numbers near one half.
            let bound = 1e-12 * expected + 1e-16;
            assert!((found - expected).abs() <= bound, "[{from}, {to}]: {found}, {expected}");
        }
        assert_eq!((mass(50.0, 51.0), mass(1.0, 1.0)), (0.0, 0.0));
        assert!(mass(20.0, 21.0) > 0.0, "far out there is a little left");
    }
}
