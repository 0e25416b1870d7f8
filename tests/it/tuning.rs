//! Whether a declared search is run, told and recorded, from the declaration to the lineage.

use serde_json::{Value, json};

use crate::server::Server;
use crate::small::{self, PIPELINE};

/// The example's declaration with few rounds and few trials, changed further.
fn declaration(changes: &[(&str, &str)]) -> String {
    let small = [
        ("num_round: 200", "num_round: 8"),
        ("max_trials: 20", "max_trials: 4"),
        ("minimum_rows: 1000", "minimum_rows: 200"),
        ("margin: 0.0", "baselines: false, margin: 1000000000.0"),
    ];
    let mut text = small::example("pipeline-tuned.yaml");
    for (found, put) in small.iter().chain(changes) {
        assert!(text.contains(found), "the example says no longer {found:?}");
        text = text.replacen(found, put, 1);
    }
    text
}

fn trained(server: &Server) -> Value {
    small::upload(server, 1);
    let ended = server.json("alice", &["train", PIPELINE, "--reason", "a tuned one", "--wait"]);
    assert_eq!(ended["kind"], "ModelRegistered", "{ended:#}");
    server.json("alice", &["trials", PIPELINE])
}

#[test]
fn a_tuned_model_is_the_best_of_its_trials_and_its_lineage_says_so() {
    let server = Server::fresh("2026-03-01T09:00:00Z");
    small::apply(&server, &declaration(&[]));
    let trials = trained(&server);
    assert_eq!(trials["ended"], "all 4 trials were made");
    let all = trials["trials"].as_array().unwrap();
    let value = |trial: &Value| trial["value"].as_f64().unwrap();
    let completed = || all.iter().filter(|trial| trial["state"] == "completed");
    let best = completed().min_by(|a, b| value(a).total_cmp(&value(b))).unwrap();
    assert!(all.len() == 4 && all.iter().all(|trial| !trial["curve"].as_array().unwrap().is_empty()));
    // The last value is the kept model's: the least of its rounds.
    for trial in completed() {
        let curve = trial["curve"].as_array().unwrap();
        let least = curve.iter().filter_map(|point| point["value"].as_f64()).fold(f64::INFINITY, f64::min);
        assert_eq!(value(trial), least);
    }

    let run = server.json("alice", &["runs", PIPELINE, "1"]);
    let tuned = &run["tuned"];
    assert_eq!(
        (&tuned["best"], &tuned["trials"], &tuned["value"]),
        (&best["number"], &json!(4), &best["value"])
    );
    assert_eq!(tuned["metric"], "validation:rmse");
    let lineage = server.json("alice", &["lineage", PIPELINE, "1"]);
    assert_eq!(lineage["lineage"]["hyperparameters"], best["hyperparameters"]);
    let names: Vec<&String> = best["hyperparameters"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["eta", "lambda", "max_depth", "min_child_weight", "subsample"]);

    let table = server.ask("alice", &["trials", PIPELINE, "1"]).out;
    let first = format!("{} completed", best["number"]);
    let row = table.lines().nth(3).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(row.starts_with(&first), "the best one comes first:\n{table}");
    let facts = server.ask("alice", &["runs", PIPELINE, "1"]).out;
    assert!(facts.contains(&format!("{} of 4: validation:rmse ", best["number"])), "{facts}");
    let verified = server.ask("alice", &["audit", "verify", PIPELINE]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}

#[test]
fn a_run_that_searches_for_nothing_says_so() {
    let server = Server::fresh("2026-03-01T09:00:00Z");
    small::apply(&server, &small::declaration(&[]));
    let none = server.ask("alice", &["trials", PIPELINE]);
    assert_eq!((none.code, none.err.as_str()), (1, "error: no runs of home-insurance yet\n"));
    small::upload(&server, 1);
    server.json("alice", &["train", PIPELINE, "--reason", "plain", "--wait"]);
    let none = server.ask("alice", &["trials", PIPELINE, "1"]);
    assert_eq!(none.code, 1);
    assert!(none.err.contains("run 1 of home-insurance has no trials"), "{}", none.err);
}

#[test]
fn a_mistake_in_a_search_is_named_with_its_place() {
    let server = Server::fresh("2026-03-01T09:00:00Z");
    for (found, put, expected) in [
        (
            "strategy: bayesian",
            "strategy: genetic",
            "21:15: unknown value: found \"genetic\", expected one of random, bayesian, hyperband, grid",
        ),
        (
            "max_parallel: 2",
            "max_parallel: 200",
            "31:43: training.tuning.limits.max_parallel: out of range: found 200, expected 1 to 100",
        ),
        (
            "min: 0.02, max",
            "min: 0.9, max",
            "25:14: training.tuning.ranges.continuous.eta: empty range: found 0.9 to 0.4, expected min below max",
        ),
        (
            "validation:rmse",
            "validation:auc",
            "22:25: training.tuning.objective.metric: unknown metric: found \"validation:auc\", expected validation:rmse or train:rmse, which boost prints",
        ),
        (
            "max_trials: 4, ",
            "",
            "31:13: training.tuning.limits.max_trials: missing field: found nothing, expected 1 to 750",
        ),
    ] {
        small::declare(server.data().parent().unwrap(), &declaration(&[(found, put)]));
        let ran = server.ask("alice", &["apply", "pipeline.yaml"]);
        assert_eq!(ran.code, 1, "{put}");
        assert!(ran.err.contains(&format!("pipeline.yaml:{expected}")), "{expected}\n{}", ran.err);
    }
}
