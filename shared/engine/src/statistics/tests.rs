//! The statistics against scipy: `tests/fixtures/statistics.json` holds inputs and what scipy
//! made of them; `statistics.py` beside it makes the file.

use serde_json::Value;

use super::bootstrap::{Bootstrap, Units, quantile_sorted};
use super::random::Random;
use super::significance::{self, Moments, benjamini_hochberg, welch_greater};
use super::{KolmogorovForm, PValue, RareBins, TestMethod, distance, special};

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/statistics.json")).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    fixture()[name].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn whole(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

/// Equal to a relative 1e-9; where scipy says zero, to an absolute 1e-15.
#[track_caller]
fn same(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    let error = (found - expected).abs();
    let allowed = if expected == 0.0 { 1e-15 } else { 1e-9 * expected.abs() };
    assert!(error <= allowed, "{what}: found {found:e}, scipy {expected:e}");
}

#[test]
fn special_functions_agree_with_scipy() {
    for case in cases("special") {
        let a = numbers(&case["arguments"]);
        let name = case["function"].as_str().unwrap();
        let found = match name {
            // ln Γ is zero at 1 and 2, where a relative error has no meaning.
            "ln_gamma" if case["value"].as_f64() == Some(0.0) => {
                assert!(special::ln_gamma(a[0]).abs() < 1e-14);
                continue;
            }
            "ln_gamma" => special::ln_gamma(a[0]),
            "normal_survival" => special::normal_survival(a[0]),
            "normal_quantile" => special::normal_quantile(a[0]),
            "chi_square_survival" => special::chi_square_survival(a[0], a[1]),
            "chi_square_upper_quantile" => special::chi_square_upper_quantile(a[0], a[1]),
            "student_survival" => special::student_survival(a[0], a[1]),
            "student_upper_quantile" => special::student_upper_quantile(a[0], a[1]),
            "beta_regularised" => special::beta_regularised(a[0], a[1], a[2]),
            "kolmogorov_survival" => special::kolmogorov_survival(a[0]),
            other => panic!("no function {other}"),
        };
        same(found, &case["value"], &format!("{name}{a:?}"));
    }
}

#[test]
fn tables_of_counts_agree_with_scipy() {
    for case in cases("tables") {
        let (reference, current) = (whole(&case["reference"]), whole(&case["current"]));
        let found = significance::chi_square_homogeneity(&reference, &current).unwrap();
        let TestMethod::ChiSquareHomogeneity { bins, rare_bins, degrees, .. } = found.method else {
            panic!()
        };
        assert_eq!((bins, rare_bins), (reference.len(), RareBins::None));
        assert_eq!(degrees as u64, case["degrees"].as_u64().unwrap());
        same(found.statistic, &case["chi_square"], "chi-square");
        same(found.p.get(), &case["p"], "p of chi-square");
        same(distance::jensen_shannon(&reference, &current).value, &case["jensen_shannon"], "Jensen–Shannon");
        same(
            distance::kolmogorov_smirnov_binned(&reference, &current).value,
            &case["ks_statistic"],
            "KS distance",
        );
    }
    for case in cases("distances") {
        let found = distance::jensen_shannon(&whole(&case["reference"]), &whole(&case["current"]));
        same(found.value, &case["jensen_shannon"], "Jensen–Shannon with empty bins");
    }
}

#[test]
fn tests_of_shares_agree_with_scipy() {
    for case in cases("proportions") {
        let found: [u64; 2] = whole(&case["found"]).try_into().unwrap();
        let rows: [u64; 2] = whole(&case["rows"]).try_into().unwrap();
        same(significance::fisher_exact(found, rows).p.get(), &case["fisher"], "Fisher");
        let z = significance::two_proportion_z(found, rows);
        same(z.statistic, &case["z"], "z");
        same(z.p.get(), &case["p"], "p of z");
    }
}

#[test]
fn kolmogorov_smirnov_and_wasserstein_agree_with_scipy() {
    for case in cases("samples") {
        let (one, other) = (numbers(&case["one"]), numbers(&case["other"]));
        let exact = significance::kolmogorov_smirnov(&one, &other).unwrap();
        same(exact.statistic, &case["statistic"], "KS statistic");
        same(exact.p.get(), &case["p_exact"], "exact KS p");
        let limit = significance::kolmogorov_smirnov_by(&one, &other, KolmogorovForm::Limit).unwrap();
        same(limit.p.get(), &case["p_limit"], "KS p in the limit");
        same(distance::wasserstein(&one, &other).unwrap().value, &case["wasserstein"], "Wasserstein");
    }
}

#[test]
fn adjusted_p_values_agree_with_scipy() {
    for case in cases("false_discovery") {
        let p: Vec<PValue> = numbers(&case["p"]).into_iter().map(PValue::new).collect();
        for (found, expected) in benjamini_hochberg(&p).iter().zip(case["adjusted"].as_array().unwrap()) {
            same(found.get(), expected, "adjusted p");
        }
    }
}

#[test]
fn the_p_value_on_bins_is_never_smaller_than_on_the_raw_values() {
    let mut random = Random::new(1);
    for shift in [0.0, 0.2, 0.5] {
        let one: Vec<f64> = (0..400).map(|_| random.normal()).collect();
        let other: Vec<f64> = (0..300).map(|_| random.normal() + shift).collect();
        let bins = |values: &[f64]| {
            let mut counts = [0_u64; 6];
            for value in values {
                counts[((value + 3.0).clamp(0.0, 5.9)) as usize] += 1;
            }
            counts
        };
        let binned = significance::kolmogorov_smirnov_binned(&bins(&one), &bins(&other)).unwrap();
        let raw = significance::kolmogorov_smirnov_by(&one, &other, KolmogorovForm::Limit).unwrap();
        assert!(binned.p >= raw.p && binned.statistic <= raw.statistic);
    }
}

#[test]
fn population_stability_is_the_formula_computed_by_hand() {
    // Shares with half a row added: 30.5/61 and 30.5/61 against 10.5/41 and 30.5/41.
    let (p, q): ([f64; 2], [f64; 2]) = ([0.5, 0.5], [10.5 / 41.0, 30.5 / 41.0]);
    let expected: f64 = (0..2).map(|i| (q[i] - p[i]) * (q[i] / p[i]).ln()).sum();
    assert!((distance::population_stability(&[30, 30], &[10, 30]).value - expected).abs() < 1e-12);
    // Chi-square's 5 % point at 9 degrees is 16.918977604620448 in any printed table.
    let threshold = distance::population_stability_threshold(10, 1000, 500, 0.05);
    assert!((threshold - 16.918_977_604_620_448 * 0.003).abs() < 1e-9);
}

#[test]
fn one_stray_row_in_a_new_category_is_no_evidence_and_many_are() {
    let reference = [2000, 900, 100, 0];
    let stray = significance::chi_square_homogeneity(&reference, &[33, 15, 1, 1]).unwrap();
    assert!(stray.p.get() > 0.3, "{stray:?}");
    let many = significance::chi_square_homogeneity(&reference, &[20, 9, 1, 20]).unwrap();
    assert!(many.p.get() < 1e-15, "{many:?}");
    // A new category that takes the place of a common one is not taken for it.
    let swapped = significance::chi_square_homogeneity(&[800, 200, 0], &[400, 0, 100]).unwrap();
    assert!(swapped.p.get() < 1e-30, "{swapped:?}");
    // Nothing but new categories.
    let strange = significance::chi_square_homogeneity(&[500, 0], &[0, 60]).unwrap();
    assert!(strange.p.get() < 1e-30, "{strange:?}");
    assert!(significance::proportions([0, 20], [3000, 50]).unwrap().p.get() < 1e-30);
}

#[test]
fn nothing_to_compare_gives_no_test_instead_of_a_number() {
    assert_eq!(significance::chi_square_homogeneity(&[], &[]), None);
    assert_eq!(significance::chi_square_homogeneity(&[0, 0], &[1, 2]), None);
    assert_eq!(significance::chi_square_homogeneity(&[10, 0], &[5, 0]), None);
    assert_eq!(significance::proportions([0, 0], [0, 5]), None);
    assert_eq!(significance::kolmogorov_smirnov(&[], &[1.0]), None);
    assert_eq!(significance::kolmogorov_smirnov(&[f64::NAN], &[1.0]), None);
    assert!(distance::wasserstein(&[1.0], &[f64::INFINITY]).is_none());
    assert_eq!(significance::two_proportion_z([0, 0], [10, 10]).p.get(), 1.0);
}

#[test]
fn bootstrap_intervals_cover_the_truth_about_as_often_as_they_say() {
    let mut random = Random::new(3);
    let mut covered = 0;
    for seed in 0..400 {
        let values: Vec<f64> = (0..80).map(|_| random.normal()).collect();
        let bootstrap = Bootstrap { resamples: 400, seed, confidence: 0.95 };
        let interval = bootstrap.mean(&values).unwrap();
        covered += u32::from(interval.low <= 0.0 && 0.0 <= interval.high);
        assert_eq!(interval, bootstrap.mean(&values).unwrap(), "equal seeds, equal intervals");
    }
    // 95 % of 400 is 380; three standard deviations below that, less the percentile method's
    // known shortfall of about a percent at 80 rows.
    assert!((360..=396).contains(&covered), "{covered} of 400");
}

#[test]
fn quantiles_are_linear_between_neighbours() {
    // numpy.quantile([1, 2, 4, 8], [0, .1, .5, .9, 1]).
    let sorted = [1.0, 2.0, 4.0, 8.0];
    for (share, expected) in [(0.0, 1.0), (0.1, 1.3), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
        assert!((quantile_sorted(&sorted, share) - expected).abs() < 1e-12);
    }
}

/// The bootstrap against scipy's: `tests/fixtures/bootstrap.json`, made by `bootstrap.py`.
fn bootstraps() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/bootstrap.json")).unwrap()
}

/// Both kinds of interval of a mean lie where scipy's do, but for the error of so many resamples:
/// an end of 20,000 of them moves by about 0.02 standard errors.
#[track_caller]
fn as_scipys(units: &Units, values: &[f64], case: &Value) {
    let bootstrap = Bootstrap { resamples: 20_000, seed: 5, confidence: 0.95 };
    let estimate = values.iter().sum::<f64>() / values.len() as f64;
    let mut samples =
        bootstrap.samples(units, &[estimate], |resample, slots| slots[0] = resample.mean(values));
    let accelerated = bootstrap.accelerated(units, values, samples.remove(0)).unwrap();
    let plain = bootstrap.intervals(units, &[estimate], |resample, slots| slots[0] = resample.mean(values))
        [0]
    .unwrap();
    let tolerance = 0.1 * case["standard_error"].as_f64().unwrap();
    for (found, name) in [(plain, "percentile"), (accelerated, "BCa")] {
        for (found, end) in [(found.low, 0), (found.high, 1)] {
            let expected = case[name][end].as_f64().unwrap();
            assert!((found - expected).abs() < tolerance, "{name}: found {found}, scipy {expected}");
        }
    }
}

#[test]
fn bootstrap_intervals_are_scipys() {
    let fixture = bootstraps();
    for case in fixture["intervals"].as_array().unwrap() {
        let values = numbers(&case["values"]);
        as_scipys(&Units::rows(values.len()), &values, case);
    }
    let case = &fixture["clustered"];
    let keys: Vec<u64> = numbers(&case["keys"]).iter().map(|key| *key as u64).collect();
    as_scipys(&Units::clusters(&keys), &numbers(&case["values"]), case);
}

#[test]
fn an_accelerated_interval_of_values_without_spread_is_a_point() {
    let (units, values) = (Units::rows(40), vec![2.0; 40]);
    let bootstrap = Bootstrap { resamples: 100, seed: 1, confidence: 0.9 };
    let interval = bootstrap.accelerated(&units, &values, vec![2.0; 100]).unwrap();
    assert_eq!((interval.low, interval.high), (2.0, 2.0));
    assert!(bootstrap.accelerated(&units, &values, vec![]).is_none());
}

#[test]
fn welchs_test_is_scipys() {
    for case in bootstraps()["welch"].as_array().unwrap() {
        let moments = |name: &str| Moments::of(numbers(&case[name]));
        let found = welch_greater(moments("one"), moments("other")).unwrap();
        let TestMethod::Welch { degrees } = found.method else { panic!() };
        for (found, name) in [(found.statistic, "t"), (degrees, "degrees"), (found.p.get(), "p")] {
            let expected = case[name].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{name}: {found} {expected}");
        }
    }
    assert_eq!(welch_greater(Moments::of([1.0]), Moments::of([1.0, 2.0])), None);
    assert_eq!(welch_greater(Moments::of([1.0, 1.0]), Moments::of([2.0, 2.0])), None);
}
