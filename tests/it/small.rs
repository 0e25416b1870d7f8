//! A small pipeline of the home-insurance example: few rows, few rounds, quick to play.

use std::path::Path;

use home_insurance as homes;

use crate::command::root;
use crate::server::Server;

/// The pipeline's name.
pub(crate) const PIPELINE: &str = "home-insurance";

/// Rows of a file: as few as a run and its judgement can do with.
pub(crate) const ROWS: usize = 300;

/// A file of the example.
pub(crate) fn example(file: &str) -> String {
    std::fs::read_to_string(root().join("examples/home-insurance").join(file)).unwrap()
}

/// The example's declaration, made small and changed further: each text found is replaced once.
pub(crate) fn declaration(changes: &[(&str, &str)]) -> String {
    let small = [
        ("num_round: 200", "num_round: 8"),
        ("minimum_rows: 1000", "minimum_rows: 200"),
        // A challenger need not be better: these models are not for use.
        ("margin: 0.0", "baselines: false, importances: false, margin: 1000000000.0"),
        ("minimum_rows: 200}", "minimum_rows: 20}"),
    ];
    let mut text = example("pipeline.yaml");
    for (found, put) in small.iter().chain(changes) {
        assert!(text.contains(found), "the example says no longer {found:?}");
        text = text.replacen(found, put, 1);
    }
    text
}

/// Writes a declaration and its contract into a folder.
pub(crate) fn declare(folder: &Path, declaration: &str) {
    std::fs::write(folder.join("pipeline.yaml"), declaration).unwrap();
    std::fs::write(folder.join("contract.yaml"), example("contract.yaml")).unwrap();
}

/// Applies a declaration as alice, from the folder in which the server's directory stands.
pub(crate) fn apply(server: &Server, declaration: &str) {
    declare(server.data().parent().unwrap(), declaration);
    let applied = server.json("alice", &["apply", "pipeline.yaml"]);
    assert_eq!(applied["changed"], true, "{applied}");
}

/// Uploads a good month as dora and waits for its fate.
pub(crate) fn upload(server: &Server, month: u32) {
    let name = format!("month-{month}.csv");
    let file = server.data().parent().unwrap().join(&name);
    std::fs::write(&file, homes::csv(&homes::month(7, month, ROWS))).unwrap();
    let uploaded = server.json("dora", &["upload", PIPELINE, &name, "--as-of", "2026-01-31", "--wait"]);
    assert_eq!(uploaded["items"][0]["fate"]["state"], "accepted", "{uploaded}");
}
