//! The linear baseline against scikit-learn: `tests/fixtures/linear.json`, made by `linear.py`.

use std::sync::Arc;

use serde_json::Value;

use super::{Linear, WIDTH_MAX};
use crate::metrics::{Prediction, Truth};
use crate::table::{Batch, Column, Kind, Schema};

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/linear.json")).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The fixture's table: two numbers, one with gaps, a text.
fn features(fixture: &Value) -> Batch {
    let number = |place: usize| {
        Column::Number(list(&fixture["numbers"]).iter().map(|row| row[place].as_f64()).collect())
    };
    let colours = list(&fixture["colours"]).iter().map(|value| value.as_str().map(str::to_owned)).collect();
    let schema =
        Schema::of([("a", Kind::Number), ("b", Kind::Number), ("gappy", Kind::Number), ("c", Kind::Text)]);
    let gappy = Column::Number(list(&fixture["gappy"]).iter().map(Value::as_f64).collect());
    Batch::new(Arc::new(schema), vec![number(0), number(1), gappy, Column::Text(colours)])
}

#[track_caller]
fn agree(truth: &Truth, case: &Value) {
    let features = features(&fixture());
    let found = match Linear::fit(&features, truth).unwrap().predict(&features) {
        Prediction::Numbers(values)
        | Prediction::Probabilities(values)
        | Prediction::Distributions { values, .. } => values,
    };
    let expected = numbers(&case["found"]);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-7, "found {found}, scikit-learn {expected}");
    }
}

#[test]
fn numbers_are_predicted_as_by_scikit_learns_ridge() {
    let case = &fixture()["regression"];
    agree(&Truth::Numbers(numbers(&case["truth"])), case);
}

#[test]
fn two_classes_are_predicted_as_by_scikit_learns_logistic_regression() {
    let case = &fixture()["binary"];
    let truth = list(&case["truth"]).iter().map(|value| value.as_bool().unwrap()).collect();
    agree(&Truth::Binary(truth), case);
}

#[test]
fn several_classes_are_predicted_as_by_one_logistic_regression_against_the_rest_each() {
    let case = &fixture()["multiclass"];
    let values = list(&case["truth"]).iter().map(|value| value.as_u64().unwrap() as usize).collect();
    agree(&Truth::Classes { count: 3, values }, case);
}

#[test]
fn what_cannot_be_learned_from_is_no_model_and_never_a_panic() {
    let schema = Arc::new(Schema::of([("a", Kind::Number), ("b", Kind::Text)]));
    let batch = |a: Vec<Option<f64>>, b: Vec<Option<String>>| {
        Batch::new(schema.clone(), vec![Column::Number(a), Column::Text(b)])
    };
    let constant = batch(vec![Some(3.0); 4], vec![None; 4]);
    assert!(Linear::fit(&constant, &Truth::Numbers(vec![1.0; 4])).is_none());
    assert!(Linear::fit(&batch(vec![], vec![]), &Truth::Numbers(vec![])).is_none());
    // Perfectly separated classes, and a number that is infinite.
    let odd = batch(vec![Some(0.0), Some(f64::INFINITY), Some(1.0), None], vec![None; 4]);
    let truth = Truth::Binary(vec![false, true, true, false]);
    let Prediction::Probabilities(found) = Linear::fit(&odd, &truth).unwrap().predict(&odd) else { panic!() };
    assert!(found.iter().all(|value| (0.0..=1.0).contains(value)), "{found:?}");
}

#[test]
fn a_wide_table_is_cut_and_says_which_features_are_left_out() {
    let names: Vec<String> = (0..WIDTH_MAX + 2).map(|place| format!("x{place}")).collect();
    let schema = Schema::of(names.iter().map(|name| (name.as_str(), Kind::Number)));
    let column = |place: usize| {
        Column::Number((0..5).map(|row| Some((row * place % 7) as f64 + row as f64)).collect())
    };
    let batch = Batch::new(Arc::new(schema), (0..names.len()).map(column).collect());
    let linear = Linear::fit(&batch, &Truth::Numbers(vec![0.0, 1.0, 2.0, 3.0, 4.0])).unwrap();
    assert_eq!(linear.left_out(), [format!("x{WIDTH_MAX}"), format!("x{}", WIDTH_MAX + 1)]);
}
