//! Drift is found where it is, and only there.

use std::convert::Infallible;
use std::sync::Arc;

use domain::row::CheckVerdict;
use domain::{Problem, Time};
use serde_json::Value;

use super::{
    ColumnVerdict, DriftOptions, DriftReport, ErrorVerdict, Subject, Window, check, compare_tables,
    error_change, terminal,
};
use crate::baseline::{Baseline, BaselineBuilder, ColumnBaseline, Counter, ErrorReference, LossCounter};
use crate::metrics::Loss;
use crate::statistics::random::Random;
use crate::table::{Batch, Column, Schema};

fn batch(columns: Vec<(String, Column)>) -> Batch {
    let schema = Schema::of(columns.iter().map(|(name, column)| (name.as_str(), column.kind())));
    Batch::new(Arc::new(schema), columns.into_iter().map(|(_, column)| column).collect())
}

fn baseline_of(batch: &Batch) -> Baseline {
    let mut builder = BaselineBuilder::new(batch.schema());
    builder.push(batch);
    builder.finish()
}

fn checked(baseline: &Baseline, window: &Batch, options: &DriftOptions) -> DriftReport {
    let mut counter = Counter::new(baseline);
    counter.push(window);
    check(baseline, &Window { counts: &counter.finish(), errors: None, now: None }, options)
}

fn normals(random: &mut Random, rows: usize, columns: usize, shift: f64) -> Batch {
    let column = |index: usize, random: &mut Random| {
        let moved = if index == 0 { shift } else { 0.0 };
        (format!("x{index}"), Column::Number((0..rows).map(|_| Some(random.normal() + moved)).collect()))
    };
    batch((0..columns).map(|index| column(index, random)).collect())
}

/// Categories as towns have them: a few frequent, many rare, some values missing.
fn towns(random: &mut Random, rows: usize, columns: usize) -> Batch {
    let column = |index: usize, random: &mut Random| {
        let value = |random: &mut Random| {
            let town = (random.unit().powi(4) * 50.0) as u32;
            (random.unit() > 0.02).then(|| format!("town {town}"))
        };
        (format!("t{index}"), Column::Text((0..rows).map(|_| value(random)).collect()))
    };
    batch((0..columns).map(|index| column(index, random)).collect())
}

/// Checks that called anything at all, of so many trials at each window size.
fn alarms(trials: usize, sample: impl Fn(&mut Random, usize) -> Batch) -> Vec<(usize, usize)> {
    let sizes = [50, 100, 200, 500];
    let mut random = Random::new(11);
    let mut found: Vec<(usize, usize)> = sizes.iter().map(|size| (*size, 0)).collect();
    for _ in 0..trials {
        let baseline = baseline_of(&sample(&mut random, 3000));
        for (size, alarms) in &mut found {
            let report = checked(&baseline, &sample(&mut random, *size), &DriftOptions::default());
            *alarms += usize::from(report.verdict > CheckVerdict::Ok);
        }
    }
    found
}

#[test]
fn without_drift_at_most_two_checks_in_a_hundred_alarm() {
    // 20 columns of N(0, 1), reference 3000; nominal: 1 % of checks.
    for (size, alarms) in alarms(300, |random, rows| normals(random, rows, 20, 0.0)) {
        assert!(alarms <= 6, "{alarms} of 300 checks alarmed at {size} rows");
    }
}

#[test]
fn rare_categories_and_missing_values_do_not_alarm_either() {
    for (size, alarms) in alarms(300, |random, rows| towns(random, rows, 20)) {
        assert!(alarms <= 6, "{alarms} of 300 checks alarmed at {size} rows");
    }
}

#[test]
fn a_shift_of_half_a_standard_deviation_is_found_at_500_rows() {
    let mut random = Random::new(12);
    for _ in 0..50 {
        let baseline = baseline_of(&normals(&mut random, 3000, 20, 0.0));
        let report = checked(&baseline, &normals(&mut random, 500, 20, 0.5), &DriftOptions::default());
        assert_eq!(report.verdict, CheckVerdict::Drift);
        assert_eq!(report.drifted()[0], "x0");
    }
}

#[test]
fn a_trifle_in_a_huge_window_is_no_drift() {
    let mut random = Random::new(13);
    let baseline = baseline_of(&normals(&mut random, 50_000, 3, 0.0));
    let report = checked(&baseline, &normals(&mut random, 50_000, 3, 0.05), &DriftOptions::default());
    let moved = report.columns.iter().find(|column| column.name == "x0").unwrap();
    let finding = moved.leading().unwrap();
    assert!(finding.p_adjusted.unwrap().get() < 1e-6, "certain");
    assert_eq!(
        (finding.verdict, report.verdict),
        (ColumnVerdict::Ok, CheckVerdict::Ok),
        "but too small to matter"
    );
}

fn sales(rows: usize, seed: u64, price: f64, town: &str, missing: f64) -> Batch {
    let mut random = Random::new(seed);
    let prices = (0..rows)
        .map(|_| (random.unit() >= missing).then(|| price * (random.normal() * 0.4).exp()))
        .collect();
    let towns = (0..rows)
        .map(|row| {
            Some(if random.unit() < 0.8 { ["Bern", "Genf"][row % 2].to_owned() } else { town.to_owned() })
        })
        .collect();
    batch(vec![("price".into(), Column::Number(prices)), ("town".into(), Column::Text(towns))])
}

#[test]
fn each_kind_of_change_is_named() {
    let baseline = baseline_of(&sales(3000, 1, 1000.0, "Basel", 0.0));
    let verdict = |window: &Batch| checked(&baseline, window, &DriftOptions::default());

    let calm = verdict(&sales(400, 2, 1000.0, "Basel", 0.0));
    assert_eq!(calm.verdict, CheckVerdict::Ok, "{:?}", calm.reasons);
    assert_eq!(calm.reasons, ["2 columns compared, none has changed beyond chance and floor"]);

    let dearer = verdict(&sales(400, 2, 1300.0, "Basel", 0.0));
    assert_eq!((dearer.verdict, dearer.drifted()), (CheckVerdict::Drift, vec!["price".to_owned()]));
    assert!(
        dearer.summary().starts_with("price has drifted (Jensen–Shannon distance 0."),
        "{}",
        dearer.summary()
    );

    let gaps = verdict(&sales(400, 2, 1000.0, "Basel", 0.3));
    assert_eq!(gaps.columns[0].leading().unwrap().subject, Subject::Missing);
    assert_eq!(gaps.drifted(), ["price"]);

    let new = verdict(&sales(400, 2, 1000.0, "Zug", 0.0));
    assert_eq!(new.drifted(), ["town"]);
    assert_eq!(new.columns[0].new[0].0, "Zug");
    let subject =
        new.columns[0].findings.iter().find(|finding| finding.subject == Subject::NewCategories).unwrap();
    assert_eq!(subject.verdict, ColumnVerdict::Drift);

    let absent = verdict(&calm_without_town());
    assert_eq!(absent.drifted(), ["town"]);
    assert_eq!(absent.reasons, ["the column town is absent from the window"]);

    let few = verdict(&sales(20, 2, 9000.0, "Zug", 0.5));
    assert_eq!(few.verdict, CheckVerdict::InsufficientData);
    assert_eq!(few.reasons, ["20 rows in the window and 3,000 rows in the baseline; 50 are needed"]);
    assert!(few.drifted().is_empty());
}

fn calm_without_town() -> Batch {
    sales(400, 2, 1000.0, "Basel", 0.0).selected(&["price"]).unwrap()
}

#[test]
fn the_answers_of_the_model_are_watched_too() {
    let mut baseline = baseline_of(&sales(3000, 1, 1000.0, "Basel", 0.0));
    let mut random = Random::new(5);
    let mut answers =
        |rows: usize, shift: f64| Column::Number((0..rows).map(|_| Some(random.normal() + shift)).collect());
    baseline.predictions = Some(ColumnBaseline::of("prediction", &answers(800, 0.0)));
    let mut counter = Counter::new(&baseline);
    counter.push(&sales(400, 2, 1000.0, "Basel", 0.0));
    counter.push_predictions(&answers(400, 0.6));
    let report = check(
        &baseline,
        &Window { counts: &counter.finish(), errors: None, now: None },
        &DriftOptions::default(),
    );
    assert_eq!(report.verdict, CheckVerdict::Drift);
    assert!(report.drifted().is_empty(), "no input drifted");
    assert!(report.summary().starts_with("the model's answers have drifted"));
}

#[test]
fn old_training_data_is_a_warning() {
    let mut baseline = baseline_of(&sales(3000, 1, 1000.0, "Basel", 0.0));
    baseline.newest = Some("2026-01-01".parse().unwrap());
    let mut counter = Counter::new(&baseline);
    counter.push(&sales(400, 2, 1000.0, "Basel", 0.0));
    let counts = counter.finish();
    let now = |text: &str| -> Option<Time> { Some(text.parse().unwrap()) };
    let options = DriftOptions { stale_days: Some(90), ..DriftOptions::default() };
    let fresh = check(&baseline, &Window { counts: &counts, errors: None, now: now("2026-04-01") }, &options);
    assert_eq!((fresh.verdict, fresh.staleness.unwrap().days), (CheckVerdict::Ok, 90));
    let stale = check(&baseline, &Window { counts: &counts, errors: None, now: now("2026-04-02") }, &options);
    assert_eq!(stale.verdict, CheckVerdict::Warning);
    assert_eq!(stale.reasons, ["the newest training data is 91 days old, 90 are allowed"]);
}

fn losses(values: &[f64]) -> ErrorReference {
    let baseline = BaselineBuilder::new(&Schema::default()).finish();
    let mut counter = LossCounter::new(&baseline, Loss::SquaredError);
    counter.push_losses(values);
    counter.finish().unwrap()
}

#[test]
fn the_interval_of_the_errors_change_is_welchs() {
    let fixture: Value = serde_json::from_str(include_str!("../../tests/fixtures/statistics.json")).unwrap();
    for case in fixture["welch"].as_array().unwrap() {
        let numbers = |name: &str| -> Vec<f64> {
            case[name].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
        };
        let change = error_change(
            &losses(&numbers("reference")),
            &losses(&numbers("current")),
            &DriftOptions::default(),
        );
        let interval = change.unwrap().interval;
        for (found, expected) in [(interval.low, &case["low"]), (interval.high, &case["high"])] {
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() <= 1e-9 * expected.abs(), "found {found}, scipy {expected}");
        }
    }
}

#[test]
fn the_error_is_judged_with_its_interval() {
    let mut random = Random::new(9);
    let mut sample = |rows: usize, scale: f64| -> Vec<f64> {
        (0..rows).map(|_| (random.normal() * scale).powi(2)).collect()
    };
    let reference = losses(&sample(2000, 1.0));
    let options = DriftOptions::default();
    let mut verdict = |rows: usize, scale: f64| {
        error_change(&reference, &losses(&sample(rows, scale)), &options).unwrap().verdict
    };
    assert_eq!(verdict(500, 1.0), ErrorVerdict::Steady);
    assert_eq!(verdict(500, 1.6), ErrorVerdict::Grown);
    assert_eq!(verdict(20_000, 1.06), ErrorVerdict::Larger);
    assert_eq!(verdict(2000, 0.6), ErrorVerdict::Smaller);
    assert_eq!(verdict(5, 3.0), ErrorVerdict::InsufficientData);
    let one = error_change(&reference, &losses(&[4.0]), &options).unwrap();
    assert_eq!(one.verdict, ErrorVerdict::InsufficientData);
    assert!(serde_json::to_string(&one).unwrap().parse::<Value>().is_ok());
}

/// Losses: 1 for cheap houses, 9 for dear ones; `worse` is added to all.
fn by_price(batch: &Batch, worse: f64) -> Vec<f64> {
    let prices = batch.column("price").unwrap();
    (0..batch.rows())
        .map(|row| worse + if prices.number(row).unwrap() < 1200.0 { 1.0 } else { 9.0 })
        .collect()
}

#[test]
fn a_growing_error_is_laid_to_the_column_that_moved_or_to_none() {
    let reference = sales(3000, 1, 1000.0, "Basel", 0.0);
    let mut baseline = baseline_of(&reference);
    let mut counter = LossCounter::new(&baseline, Loss::SquaredError);
    counter.push(&reference, &by_price(&reference, 0.0));
    let reference_error = counter.finish();
    baseline.reference_error = reference_error;
    let report = |window: &Batch, worse: f64| {
        let mut counter = Counter::new(&baseline);
        counter.push(window);
        let mut errors = LossCounter::new(&baseline, Loss::SquaredError);
        errors.push(window, &by_price(window, worse));
        let errors = errors.finish();
        check(
            &baseline,
            &Window { counts: &counter.finish(), errors: errors.as_ref(), now: None },
            &DriftOptions::default(),
        )
    };
    let dearer = report(&sales(600, 2, 1400.0, "Basel", 0.0), 0.0);
    assert_eq!(dearer.verdict, CheckVerdict::ConceptDrift);
    let explained = &dearer.error.as_ref().unwrap().explained;
    assert_eq!(explained[0].column, "price");
    assert!((0.8..1.2).contains(&explained[0].share), "{explained:?}");
    assert!(dearer.summary().contains("the movement of price explains"), "{}", dearer.summary());

    let changed = report(&sales(600, 3, 1000.0, "Basel", 0.0), 5.0);
    assert_eq!(changed.verdict, CheckVerdict::ConceptDrift);
    assert_eq!(changed.error.as_ref().unwrap().explained, []);
    assert!(changed.summary().ends_with("no column's movement explains it"), "{}", changed.summary());

    let calm = report(&sales(600, 4, 1000.0, "Basel", 0.0), 0.0);
    assert_eq!(calm.verdict, CheckVerdict::Ok);
}

#[test]
fn equal_inputs_give_equal_bytes_and_json_reads_back() {
    let tables = || (sales(3000, 1, 1000.0, "Basel", 0.1), sales(400, 2, 1300.0, "Zug", 0.2));
    let report = || {
        let (reference, current) = tables();
        checked(&baseline_of(&reference), &current, &DriftOptions::default())
    };
    let written = report().written();
    assert_eq!(written, report().written());
    let read: DriftReport = serde_json::from_slice(&written).unwrap();
    assert_eq!(read.written(), written);
    let json: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(json["verdict"], "drift");
    assert_eq!(json["columns"][0]["findings"][0]["effect"]["method"]["log_base"], 2);
}

#[test]
fn two_tables_are_compared_without_anything_else() {
    let (reference, current) = (sales(3000, 1, 1000.0, "Basel", 0.0), sales(400, 2, 1300.0, "Zug", 0.0));
    let schema = reference.schema().clone();
    let whole = |batch: Batch| [Ok::<_, Infallible>(batch)];
    let (_, report) =
        compare_tables(&schema, whole(reference.clone()), whole(current), &DriftOptions::default()).unwrap();
    let mut drifted = report.drifted();
    drifted.sort();
    assert_eq!(drifted, ["price", "town"]);
    let lines = terminal(&report, 100);
    assert!(lines.starts_with("DRIFT  400 rows against 3,000 of reference"), "{lines}");
    assert!(lines.contains("new: Zug ("), "{lines}");
    assert!(lines.lines().all(|line| crate::text::width(line) <= 130), "{lines}");

    let broken = [Err::<Batch, Problem>(Problem::new("current.csv", "a header"))];
    let error = compare_tables(&schema, [Ok(reference)], broken, &DriftOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "current.csv: a header");
}

#[test]
fn a_column_of_one_value_is_calm_until_it_changes() {
    let column =
        |value: f64, rows: usize| batch(vec![("rate".into(), Column::Number(vec![Some(value); rows]))]);
    let baseline = baseline_of(&column(0.5, 1000));
    assert_eq!(checked(&baseline, &column(0.5, 200), &DriftOptions::default()).verdict, CheckVerdict::Ok);
    let report = checked(&baseline, &column(0.7, 200), &DriftOptions::default());
    assert_eq!(report.verdict, CheckVerdict::Drift, "{report:#?}");
}

#[test]
fn counts_made_for_another_baseline_are_left_out_without_a_panic() {
    let other = sales(3000, 1, 1000.0, "Basel", 0.0);
    let batch = batch(vec![("price".into(), Column::Number(vec![Some(1.0); 500]))]);
    let strange = baseline_of(&batch);
    let mut counter = Counter::new(&strange);
    counter.push(&batch);
    let counts = counter.finish();
    let window = Window { counts: &counts, errors: None, now: None };
    assert!(check(&baseline_of(&other), &window, &DriftOptions::default()).columns.is_empty());
}
