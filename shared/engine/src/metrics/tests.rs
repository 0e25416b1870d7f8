//! The metrics against scikit-learn: `tests/fixtures/metrics.json` holds predictions and what it
//! made of them; `metrics.py` beside it makes the file.

use domain::pipeline::ProblemType;
use serde_json::Value;

use super::confusion::confusion;
use super::curve::{POINTS_MAX, curves};
use super::reliability::reliability;
use super::{Metric, Outcomes, Prediction, Quantile, Truth};
use crate::statistics::bootstrap::{Bootstrap, Resample, Units};
use crate::table::Column;

fn cases(name: &str) -> Vec<Value> {
    let fixture: Value = serde_json::from_str(include_str!("../../tests/fixtures/metrics.json")).unwrap();
    fixture[name].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn agree(outcomes: &Outcomes, case: &Value) {
    for (metric, found) in outcomes.metrics().iter().zip(outcomes.values()) {
        let expected = case[&*metric.name()].as_f64().unwrap();
        let error = (found - expected).abs();
        assert!(error <= 1e-9 * expected.abs().max(1e-6), "{metric}: found {found}, scikit-learn {expected}");
    }
}

fn both(case: &Value) -> (Truth, Prediction) {
    let truth = case["truth"].as_array().unwrap().iter().map(|value| value.as_bool().unwrap()).collect();
    (Truth::Binary(truth), Prediction::Probabilities(numbers(&case["found"])))
}

fn binary(case: &Value) -> Outcomes {
    let (truth, found) = both(case);
    Outcomes::new("p.csv", &truth, &found).unwrap()
}

fn several(case: &Value) -> (Truth, Prediction) {
    let classes = case["classes"].as_u64().unwrap() as usize;
    let values = numbers(&case["truth"]).iter().map(|class| *class as usize).collect();
    let found = Prediction::Distributions { classes, values: numbers(&case["found"]) };
    (Truth::Classes { count: classes, values }, found)
}

/// A list of equally long lists of numbers.
fn table(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-9, "found {found}, scikit-learn {expected}");
    }
}

#[test]
fn regression_agrees_with_scikit_learn() {
    let quantiles = [0.1, 0.5, 0.975].map(|share| Quantile::new(share).unwrap());
    for case in cases("regression") {
        let truth = Truth::Numbers(numbers(&case["truth"]));
        let found = Prediction::Numbers(numbers(&case["found"]));
        let outcomes = Outcomes::new("p.csv", &truth, &found).unwrap().with_quantiles(&quantiles);
        assert_eq!(outcomes.metrics().len(), 8);
        agree(&outcomes, &case);
    }
}

#[test]
fn binary_agrees_with_scikit_learn() {
    for case in cases("binary") {
        agree(&binary(&case), &case);
    }
}

#[test]
fn multiclass_agrees_with_scikit_learn() {
    for case in cases("multiclass") {
        let (truth, found) = several(&case);
        agree(&Outcomes::new("p.csv", &truth, &found).unwrap(), &case);
    }
}

#[test]
fn curves_are_scikit_learns_or_evenly_many_of_its_points() {
    let mut thinned = 0;
    for case in cases("binary") {
        let (truth, found) = both(&case);
        let ours = curves(&truth, &found).unwrap();
        for (ours, theirs) in [(&ours.roc, table(&case["roc"])), (&ours.pr, table(&case["pr"]))] {
            if theirs.len() <= POINTS_MAX {
                near(&ours.concat(), &theirs.concat());
                continue;
            }
            thinned += 1;
            assert_eq!(ours.len(), POINTS_MAX);
            for point in [ours[0], ours[50], ours[POINTS_MAX - 1]] {
                let on = |other: &Vec<f64>| (point[0] - other[0]).abs() + (point[1] - other[1]).abs() < 1e-9;
                assert!(theirs.iter().any(on), "{point:?}");
            }
            near(&ours[0], &theirs[0]);
            near(&ours[POINTS_MAX - 1], &theirs[theirs.len() - 1]);
        }
    }
    assert!(thinned > 0);
    assert_eq!(curves(&Truth::Binary(vec![true; 2]), &Prediction::Probabilities(vec![0.5; 2])), None);
}

#[test]
fn confusion_and_reliability_are_scikit_learns() {
    let all = cases("binary").into_iter().map(|case| (both(&case), case));
    let all = all.chain(cases("multiclass").into_iter().map(|case| (several(&case), case)));
    for ((truth, found), case) in all {
        let matrix = serde_json::to_value(confusion(&truth, &found).unwrap().rows).unwrap();
        assert_eq!(matrix, case["confusion"]);
        let bins = reliability(&truth, &found);
        let bins: Vec<f64> =
            bins.iter().flat_map(|bin| [bin.rows as f64, bin.predicted, bin.actual]).collect();
        near(&bins, &table(&case["reliability"]).concat());
    }
    assert_eq!(confusion(&Truth::Numbers(vec![1.0]), &Prediction::Numbers(vec![1.0])), None);
}

#[test]
fn a_metric_is_written_and_read_by_its_name() {
    for problem in [ProblemType::Regression, ProblemType::Binary, ProblemType::Multiclass] {
        for metric in Metric::of(problem) {
            assert_eq!(Metric::named(&metric.name(), problem), Some(*metric));
            let written = serde_json::to_value(metric).unwrap();
            assert_eq!(written, *metric.name());
            assert_eq!(serde_json::from_value::<Metric>(written).unwrap(), *metric);
        }
    }
    let pinball = Metric::named("pinball_0.9", ProblemType::Regression).unwrap();
    assert_eq!(pinball, Metric::Pinball(Quantile::new(0.9).unwrap()));
    assert_eq!(serde_json::to_string(&pinball).unwrap(), "\"pinball_0.9\"");
    for name in ["pinball_0", "pinball_1", "pinball_0.12345", "pinball_x", "roc_auc"] {
        assert_eq!(Metric::named(name, ProblemType::Regression), None, "{name}");
    }
    assert!(serde_json::from_str::<Metric>("\"luck\"").is_err());
}

#[test]
fn a_row_drawn_twice_counts_like_two_rows() {
    let case = &cases("binary")[1];
    let once = binary(case);
    let (mut truth, mut found) = (case["truth"].clone(), case["found"].clone());
    let mut resample = Resample::whole(once.rows());
    for row in (0..once.rows()).step_by(3) {
        resample.times[row] += 1;
        let (t, f) = (truth[row].clone(), found[row].clone());
        truth.as_array_mut().unwrap().push(t);
        found.as_array_mut().unwrap().push(f);
    }
    let twice = binary(&serde_json::json!({"truth": truth, "found": found}));
    let mut weighted = vec![0.0; 10];
    once.measure(&resample, &mut weighted);
    for (weighted, repeated) in weighted.iter().zip(twice.values()) {
        assert!((weighted - repeated).abs() < 1e-12);
    }
}

#[test]
fn what_is_undefined_is_nan_and_never_a_panic() {
    let constant =
        Outcomes::new("p", &Truth::Numbers(vec![0.0; 3]), &Prediction::Numbers(vec![1.0; 3])).unwrap();
    let values = constant.values();
    assert_eq!(values[..2], [1.0, 1.0]);
    assert!(values[2].is_nan() && values[3].is_nan());
    assert_eq!(values[4], 1.0);
    let one_class =
        Outcomes::new("p", &Truth::Binary(vec![false; 3]), &Prediction::Probabilities(vec![0.0; 3]));
    let values = one_class.unwrap().values();
    assert!(values[1].is_nan() && values[2].is_nan() && values[4].is_nan());
    assert!(values[0] < 1e-12 && values[3] == 1.0 && values[5] == 0.0);
    assert!(values[6].is_nan() && values[7].is_nan() && values[8].is_nan() && values[9] == 0.0);
    let bootstrap = Bootstrap { resamples: 50, seed: 1, confidence: 0.9 };
    assert_eq!(bootstrap.intervals(&Units::rows(3), &values, |_, slots| slots.fill(f64::NAN)), [None; 10]);
    // Of three classes one never happens: no area, and its precision and recall are 0.
    let truth = Truth::Classes { count: 3, values: vec![0, 1] };
    let found = Prediction::Distributions { classes: 3, values: vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0] };
    let values = Outcomes::new("p", &truth, &found).unwrap().values();
    assert!(values[10].is_nan() && values[11].is_nan());
    assert_eq!((values[3], values[5]), (0.5, 1.0 / 3.0));
}

#[test]
fn predictions_that_do_not_fit_are_refused_by_row() {
    let refuse = |truth: Truth, prediction: Prediction| {
        Outcomes::new("p.csv", &truth, &prediction).unwrap_err().to_string()
    };
    let numbers = Truth::Numbers(vec![1.0, 2.0]);
    assert_eq!(
        refuse(numbers.clone(), Prediction::Numbers(vec![1.0])),
        "p.csv: a prediction for each row: found 1 predictions, expected 2, at least one"
    );
    assert_eq!(
        refuse(numbers.clone(), Prediction::Numbers(vec![1.0, f64::NAN])),
        "p.csv: a finite prediction: found NaN in row 2"
    );
    assert!(refuse(numbers, Prediction::Probabilities(vec![0.1, 0.2])).contains("expected one number a row"));
    assert!(refuse(Truth::Numbers(vec![]), Prediction::Numbers(vec![])).contains("at least one"));
    let binary = Truth::Binary(vec![true, false]);
    assert!(refuse(binary, Prediction::Probabilities(vec![0.5, 1.5])).contains("1.5 in row 2"));
    let classes = Truth::Classes { count: 2, values: vec![0, 1] };
    let off = Prediction::Distributions { classes: 2, values: vec![0.5, 0.5, 0.9, 0.9] };
    assert!(refuse(classes, off).contains("1.8 in row 2"));
}

#[test]
fn truth_is_read_from_columns_by_class_name() {
    let classes = ["no".to_owned(), "yes".to_owned()];
    let text = Column::Text(vec![Some("yes".into()), Some("no".into())]);
    assert_eq!(
        Truth::of("t.csv", ProblemType::Binary, &text, &classes),
        Ok(Truth::Binary(vec![true, false]))
    );
    let numbers = ["0".to_owned(), "1".to_owned()];
    let integers = Column::Integer(vec![Some(0), Some(1)]);
    assert_eq!(
        Truth::of("t.csv", ProblemType::Binary, &integers, &numbers),
        Ok(Truth::Binary(vec![false, true]))
    );
    let odd = Column::Text(vec![Some("maybe".into())]);
    let error = Truth::of("t.csv", ProblemType::Multiclass, &odd, &classes).unwrap_err().to_string();
    assert_eq!(error, "t.csv: a known class: found \"maybe\" in row 1, expected one of no, yes");
    let gap = Column::Number(vec![Some(1.0), None]);
    let error = Truth::of("t.csv", ProblemType::Regression, &gap, &[]).unwrap_err().to_string();
    assert_eq!(error, "t.csv: a target in every row: found no value in row 2");
}
