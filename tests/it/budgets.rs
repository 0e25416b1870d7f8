//! Whether a run over its budget is held, told of, and let go by whoever may.

use serde_json::json;

use crate::server::Server;
use crate::small::{self, PIPELINE};

#[test]
fn a_run_over_its_budget_is_held_until_an_approver_lets_it() {
    let server = Server::fresh("2026-03-01T09:00:00Z");
    let budget = "name: home-insurance\nbudget: {per_month: {seconds: 600}, prices: {training: 3.6, prediction: 1.8}}\n";
    small::apply(&server, &small::declaration(&[("name: home-insurance\n", budget)]));
    small::upload(&server, 1);
    // Whoever waits is told at once, and that nothing came of it.
    let held = server.ask("bianca", &["--json", "train", PIPELINE, "--reason", "a first one", "--wait"]);
    assert_eq!(held.code, 3, "{}{}", held.out, held.err);
    assert!(held.out.contains("RunHeld"), "{}", held.out);
    let told = server.json("bianca", &["budget", PIPELINE]);
    assert_eq!((&told["month"], &told["taken"]["seconds"]), (&json!("2026-03"), &json!(0)));
    assert_eq!(told["held"][0]["by"], "person:bianca");
    let shown = server.ask("bianca", &["budget", PIPELINE]);
    assert!(
        shown.out.contains("job-seconds  0 of 600") && shown.out.contains("millrace lift"),
        "{}",
        shown.out
    );
    let status = server.ask("bianca", &["status"]);
    assert!(status.out.contains("1 held"), "{}", status.out);

    let refused = server.ask("dora", &["lift", PIPELINE, "--reason", "I want it"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("dora is not an approver"), "{}", refused.err);
    server.json("carlos", &["lift", PIPELINE, "--reason", "the tariff changes on Monday"]);
    let version = server.until("a version", || {
        server.get(&format!("/api/pipelines/{PIPELINE}/models"))["items"].as_array()?.first().cloned()
    });
    assert_eq!(version["requested_by"], "person:bianca");
    let run = server.json("bianca", &["runs", PIPELINE, "1"]);
    assert_eq!(run["spend"]["lifted"], "person:carlos");
    // An hour of training, and as long for the predictions of each of two models.
    assert_eq!(run["spend"]["reserved"], json!({ "training": 3_600, "prediction": 7_200 }));
    let used = run["spend"]["used"]["training"].as_u64().unwrap();
    assert!(used < 600, "{run}");
    let told = server.json("bianca", &["budget", PIPELINE]);
    assert_eq!((&told["held"], &told["runs"][0]["over"]), (&json!([]), &json!(true)));
    let again = server.ask("carlos", &["lift", PIPELINE, "--reason", "once more"]);
    assert!(again.err.contains("no run of home-insurance is held"), "{}", again.err);
}
