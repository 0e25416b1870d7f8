//! That what the server answers becomes rows for people.

use super::*;

fn digest() -> String {
    format!("sha256:{}", "ab".repeat(32))
}

fn file(path: &str) -> Value {
    json!({ "path": path, "digest": digest() })
}

fn run(state: &Value) -> Run {
    let value = json!({
        "id": "1f2e", "number": 3, "trigger": "request", "reason": "new tariff", "by": "person:ana", "cycle": 0,
        "pipeline": digest(), "contract": digest(), "features": file("a"), "program": digest(),
        "selection": file("b"), "parts": [1, 2], "rows": 16000, "newest": "2026-01-31", "at": "2026-02-01",
        "state": state, "seconds": 61, "champion": 1, "report": file("runs/home/1f2e/report.html"),
        "prepared": {
            "train_rows": 11000, "validation_rows": 2000, "test_rows": 3000, "test": file("t"),
            "truth": file("u"), "baseline": file("v"), "channels": {},
        },
    });
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_pipeline_at_a_glance_says_what_is_busy_and_what_waits_for_a_person() {
    let summary = |champion: Value, pending: Value, busy: Value, check: Value| -> Vec<String> {
        let value = json!({
            "name": "home", "description": "", "revision": 1, "parts": 3, "runs": 1200, "versions": 2,
            "champion": champion, "endpoint": "home", "pending": pending, "busy": busy, "last_check": check,
        });
        summary_row(&serde_json::from_value(value).unwrap())
    };
    assert_eq!(
        summary(Value::Null, json!([]), json!([]), Value::Null),
        ["home", "1", "3", "1,200", "2", "–", "–", "–"]
    );
    assert_eq!(
        summary(
            json!(1),
            json!([2, 3]),
            json!([{ "number": 4, "state": "training" }]),
            json!({ "verdict": "concept drift", "at": "2026-01-01T00:00:00.000Z", "version": 1, "summary": "" }),
        ),
        [
            "home",
            "1",
            "3",
            "1,200 (4 training)",
            "2",
            "version 1",
            "2, 3",
            "concept drift (2026-01-01T00:00:00.000Z)"
        ]
    );
}

#[test]
fn a_server_says_in_one_line_what_it_is_busy_with() {
    let runtime = json!({ "clock": "virtual", "waiting": 2, "working": 1, "dead": 1 });
    for (runtime, line) in [
        (Value::Null, "http://x/ · 2026"),
        (json!({ "clock": "real", "waiting": 0, "working": 0, "dead": 0 }), "http://x/ · 2026 · at rest"),
        (
            runtime,
            "http://x/ · 2026 (virtual clock) · 3 inputs to handle · 1 put aside: see `millrace redrive --list`",
        ),
    ] {
        assert_eq!(running("http://x/", &json!("2026"), &runtime), line);
    }
}

#[test]
fn a_run_tells_how_it_stands_and_why() {
    for (state, told) in [
        (json!({ "state": "requested" }), "requested"),
        (json!({ "state": "training", "job": "j" }), "training"),
        (json!({ "state": "registered", "version": 2 }), "registered as version 2"),
        (json!({ "state": "rejected", "reason": "not better" }), "rejected: not better"),
        (json!({ "state": "failed", "reason": "exit 1" }), "failed: exit 1"),
    ] {
        assert_eq!(
            run_row(&run(&state)),
            ["3", "2026-02-01 00:00:00", told, "ana", "new tariff", "1, 2", "16,000"]
        );
    }
    let facts = run_facts(&run(&json!({ "state": "trained" })));
    for fact in [("run", "3 (1f2e)"), ("test rows", "3,000"), ("report", "runs/home/1f2e/report.html")] {
        assert!(facts.contains(&(fact.0, fact.1.to_owned())), "{fact:?}");
    }
    assert!(!facts.iter().any(|(name, _)| *name == "artifact"));
}

#[test]
fn a_version_shows_what_an_approval_binds_to() {
    let value = json!({
        "version": 2, "run": "1f2e", "binding": digest(), "artifact": file("m"), "baseline": file("b"),
        "golden": file("g"), "features": file("f"), "report": file("r.html"),
        "lineage": {
            "selection": digest(), "parts": [digest()], "contract": digest(), "pipeline": digest(),
            "features": digest(), "program": digest(), "artifact": digest(), "evaluation": digest(),
            "report": digest(),
        },
        "metrics": { "rmse": 1234.5, "r2": 0.81 }, "champion": null, "requested_by": "function:drift",
        "newest": "2026-01-31", "cycle": 1, "at": "2026-02-01",
        "approval": { "state": "rejected", "by": "person:bianca", "at": "2026-02-02", "reason": "worse" },
    });
    let model: Model = serde_json::from_value(value).unwrap();
    assert_eq!(
        model_row(&model),
        [
            "2",
            "2026-02-01 00:00:00",
            "rejected by bianca: worse",
            "function:drift",
            "–",
            "r2 0.81, rmse 1234.5",
            "abababababab"
        ]
    );
    assert!(model_facts(&model).contains(&("binding", digest())));
}
