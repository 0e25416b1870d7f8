//! The same life on real tables, where they are: trips of New York's taxis, rented bicycles.

use serde_json::Value;

use crate::command::{place, root, run};
use crate::server::Server;

#[test]
fn the_taxi_story_comes_true_where_its_files_are() {
    let months = root().join("../shared/data/nyc-taxi");
    if !months.exists() {
        println!("skipped: {} is not there", months.display());
        return;
    }
    let place = place(&[]);
    let told = run(place.path(), &["demo", "--taxi", months.to_str().unwrap(), "--into", "taxi"]);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    assert!(!told.out.contains('✕'), "{}", told.out);
}

const BICYCLES: &str = "\
name: bicycles
contract: contract.yaml
target: cnt
problem: regression
entity: [instant]
training: {hyperparameters: {num_round: 8, max_depth: 4}}
evaluation: {baselines: false, margin: 1000000000.0, slices: [{column: season}]}
approval: {approvers: [bianca]}
retraining: {on: []}
";

/// Every column is declared as what its file holds.
fn bicycles_contract(header: &str) -> String {
    let mut text = "\
apiVersion: v3.1.0
kind: DataContract
id: bicycles
version: 1.0.0
status: active
schema:
  - name: hours
    properties:
"
    .to_owned();
    for name in header.split(',') {
        let more = match name {
            "instant" => "logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1",
            "dteday" => "logicalType: date",
            "temp" | "atemp" | "hum" | "windspeed" => "logicalType: number",
            _ => "logicalType: integer",
        };
        text.push_str(&format!("      - {{name: {name}, {more}}}\n"));
    }
    text
}

/// `casual` and `registered` add up to `cnt`: whoever learns from them learns nothing.
#[test]
fn columns_that_make_up_the_target_are_reported_where_the_bicycles_are() {
    let file = root().join("../shared/data/bike-sharing/hour.csv");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: {} is not there", file.display());
        return;
    };
    let server = Server::fresh("2013-01-02T00:00:00Z");
    let folder = server.data().parent().unwrap();
    std::fs::write(folder.join("pipeline.yaml"), BICYCLES).unwrap();
    std::fs::write(folder.join("contract.yaml"), bicycles_contract(text.lines().next().unwrap())).unwrap();
    std::fs::write(folder.join("hour.csv"), &text).unwrap();
    server.json("alice", &["apply", "pipeline.yaml"]);
    let uploaded =
        server.json("alice", &["upload", "bicycles", "hour.csv", "--as-of", "2013-01-01", "--wait"]);
    assert_eq!(uploaded["items"][0]["fate"]["state"], "accepted", "{uploaded}");
    let asked = server.ask("alice", &["train", "bicycles", "--reason", "first", "--wait"]);
    assert_eq!(asked.code, 0, "{}{}", asked.out, asked.err);
    let runs = server.get("/api/pipelines/bicycles/runs");
    let file = runs["items"][0]["evaluation"]["path"].as_str().unwrap();
    let fetched = server.ask("alice", &["fetch", file, "--into", "evaluation.json"]);
    assert_eq!(fetched.code, 0, "{}", fetched.err);
    let evaluation: Value =
        serde_json::from_slice(&std::fs::read(folder.join("evaluation.json")).unwrap()).unwrap();
    let leaks = evaluation["checks"]["leaks"].as_array().unwrap();
    let leak = |name: &str| leaks.iter().find(|leak| leak["column"] == name);
    for (name, with) in [("casual", "registered"), ("registered", "casual")] {
        let leak = leak(name).unwrap_or_else(|| panic!("{name} is not reported: {leaks:?}"));
        assert_eq!(leak["with"]["column"], with);
        assert!(leak["with"]["score"].as_f64().unwrap() > 0.999_999, "{leak}");
    }
    assert_eq!(leaks.len(), 2, "{leaks:?}");
    assert_eq!(evaluation["slices"][0]["slices"].as_array().unwrap().len(), 4);
}
