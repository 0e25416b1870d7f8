//! Whether the declarations under `examples/` hold, as they are checked when they are applied.

use std::fs;

use console::{Checked, check};
use domain::Problem;

use crate::command::root;

fn checked(example: &str, pipeline: &str) -> Checked {
    let text = |file: &str| fs::read_to_string(root().join("examples").join(example).join(file)).unwrap();
    check(pipeline, &text(pipeline), "contract.yaml", &text("contract.yaml")).unwrap_or_else(|faults| {
        let told: Vec<String> = faults.iter().map(Problem::to_string).collect();
        panic!("{example}: {}", told.join("\n"))
    })
}

fn served(checked: &Checked) -> Vec<&str> {
    checked.features.inputs().fields.iter().map(|field| field.name.as_str()).collect()
}

#[test]
fn the_home_insurance_declaration_holds() {
    for pipeline in ["pipeline.yaml", "pipeline-tuned.yaml"] {
        let checked = checked("home-insurance", pipeline);
        let columns = served(&checked);
        for hidden in ["quote_id", "quoted_at", "claim_cost"] {
            assert!(!columns.contains(&hidden), "{hidden} is served");
        }
    }
}

#[test]
fn a_taxi_model_is_served_what_is_known_at_the_pick_up_and_nothing_else() {
    let columns =
        ["pickup_datetime", "passenger_count", "trip_distance", "pickup_location_id", "dropoff_location_id"];
    for pipeline in ["pipeline.yaml", "pipeline-2020.yaml"] {
        assert_eq!(served(&checked("nyc-taxi", pipeline)), columns, "{pipeline}");
    }
}

#[test]
fn both_taxi_declarations_learn_the_same_thing_and_differ_only_where_they_say_so() {
    let before = checked("nyc-taxi", "pipeline.yaml");
    let after = checked("nyc-taxi", "pipeline-2020.yaml");
    assert_eq!(before.features.to_json(), after.features.to_json());
    assert_eq!((before.spec.training.window_parts, after.spec.training.window_parts), (6, 3));
    let mut same = after.spec.clone();
    same.split = before.spec.split;
    same.training.window_parts = before.spec.training.window_parts;
    same.retraining = before.spec.retraining.clone();
    assert_eq!(same, before.spec);
}
