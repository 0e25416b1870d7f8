//! When something that was asked for has ended, and whether well.

use serde_json::{Value, json};

use super::*;

fn event(correlation: &str, kind: &str, data: &Value) -> Envelope {
    let value = json!({
        "v": 1, "id": "e", "kind": kind, "data": data, "pipeline": "home", "sequence": 1, "previous": null,
        "at": "2026-01-01", "actor": "person:ana", "cause": "c", "correlation": correlation,
    });
    serde_json::from_value(value).unwrap()
}

fn file() -> Value {
    json!({ "path": "a", "digest": format!("sha256:{}", "0".repeat(64)) })
}

fn registered(correlation: &str, run: &str, version: u32) -> Envelope {
    let data = json!({
        "version": version, "run": run, "binding": file()["digest"], "report": file(), "reason": "better",
    });
    event(correlation, "ModelRegistered", &data)
}

fn requested(correlation: &str, reason: &str) -> Envelope {
    event(correlation, "RetrainingRequested", &json!({ "reason": reason }))
}

fn planned(correlation: &str, run: &str) -> Envelope {
    let data = json!({
        "run": run, "number": 1, "trigger": "request", "reason": "r", "selection": file(), "cycle": 0,
    });
    event(correlation, "TrainingRequested", &data)
}

fn failed(correlation: &str, run: &str) -> Envelope {
    event(correlation, "TrainingFailed", &json!({ "run": run, "reason": "exit 1" }))
}

fn ending(events: &[Envelope], mut see: impl FnMut(&Envelope) -> Option<Ending>) -> Option<String> {
    events.iter().find_map(&mut see).map(|ending| match ending {
        Ending::Well(outcome) => format!("well: {} {:?}", outcome.kind, outcome.version),
        Ending::Badly(outcome) => format!("badly: {} {:?}", outcome.kind, outcome.version),
    })
}

#[test]
fn a_run_ends_with_its_own_version_and_not_with_another_runs() {
    let rejected = |run: &str, version: Value| {
        event("x", "ModelRejected", &json!({ "run": run, "version": version, "reason": "worse" }))
    };
    let begun = [
        requested("other", "another"),
        requested("ours", "mine"),
        planned("other", "r1"),
        planned("ours", "r2"),
    ];
    let cases: [(&[Envelope], Option<&str>); 6] = [
        (&[], None),
        (&[registered("other", "r1", 1)], None),
        // A job's end may come under another correlation; the run tells.
        (&[registered("x", "r2", 2)], Some("well: ModelRegistered Some(2)")),
        (&[failed("other", "r1"), failed("x", "r2")], Some("badly: TrainingFailed None")),
        (&[rejected("r2", Value::Null)], Some("badly: ModelRejected None")),
        // A person turned an earlier version down.
        (&[rejected("r2", json!(7))], None),
    ];
    for (then, ended) in cases {
        let events: Vec<Envelope> = begun.iter().chain(then).cloned().collect();
        let mut story = RunStory::asked_with("mine");
        assert_eq!(ending(&events, |event| story.see(event)).as_deref(), ended, "{then:?}");
    }
}

#[test]
fn a_run_that_is_held_for_its_budget_is_not_waited_for() {
    let held = |correlation: &str, run: &str| {
        event(correlation, "RunHeld", &json!({ "run": run, "reason": "too dear" }))
    };
    let mut story = RunStory::asked_with("mine");
    let events = [requested("ours", "mine"), held("other", "r1"), held("ours", "r2")];
    assert_eq!(ending(&events, |event| story.see(event)).as_deref(), Some("badly: RunHeld None"));
}

#[test]
fn a_run_can_end_before_it_was_planned() {
    let mut story = RunStory::asked_with("mine");
    let events = [failed("other", "r1"), requested("ours", "mine"), failed("ours", "r2")];
    assert_eq!(ending(&events, |event| story.see(event)).as_deref(), Some("badly: TrainingFailed None"));
}

#[test]
fn a_deployment_ends_when_its_version_serves_or_is_kept_from_serving() {
    let about = |kind: &str, version: u32| {
        let data = json!({
            "deployment": "d", "endpoint": "home", "version": version, "previous": null, "smoke_rows": 16,
            "reason": "slow", "by": 9,
        });
        event("x", kind, &data)
    };
    let back =
        |version: u32| event("x", "RollbackRequested", &json!({ "endpoint": "home", "version": version }));
    let cases: [(Option<u32>, &[Envelope], Option<&str>); 6] = [
        (Some(2), &[about("DeploymentStarted", 2), about("ModelDeployed", 1)], None),
        (Some(2), &[about("ModelDeployed", 2)], Some("well: ModelDeployed Some(2)")),
        (Some(2), &[about("DeploymentFailed", 2)], Some("badly: DeploymentFailed Some(2)")),
        (Some(2), &[about("DeploymentSuperseded", 2)], Some("badly: DeploymentSuperseded Some(2)")),
        (None, &[about("ModelDeployed", 1), back(1)], None),
        (None, &[back(1), about("ModelDeployed", 1)], Some("well: ModelDeployed Some(1)")),
    ];
    for (version, events, ended) in cases {
        let mut story = DeploymentStory::of(version);
        assert_eq!(ending(events, |event| story.see(event)).as_deref(), ended, "{events:?}");
    }
}

#[test]
fn a_check_ends_with_the_verdict_that_came_after_the_asking() {
    let checked = |verdict: &str| {
        let data = json!({
            "check": "k", "endpoint": "home", "version": 1, "verdict": verdict, "rows": 1, "labelled": 0,
            "columns": [], "summary": "s", "report": file(),
        });
        event("x", "DriftChecked", &data)
    };
    let asked = event("ours", "DriftCheckRequested", &json!({}));
    let cases = [
        (vec![checked("drift")], None),
        (vec![checked("drift"), asked.clone(), checked("ok")], Some("well: DriftChecked Some(1)")),
        (vec![asked.clone(), checked("insufficient data")], Some("well: DriftChecked Some(1)")),
        (vec![asked.clone(), checked("drift")], Some("badly: DriftChecked Some(1)")),
        (vec![asked, checked("concept drift")], Some("badly: DriftChecked Some(1)")),
    ];
    for (events, ended) in cases {
        let mut story = CheckStory::default();
        assert_eq!(ending(&events, |event| story.see(event)).as_deref(), ended, "{events:?}");
    }
}
