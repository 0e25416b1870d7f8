//! The rules as a table: an ask, what is seen, and what becomes of it.

use std::collections::BTreeMap;

use domain::budget::JobSeconds;
use domain::{Actor, BlobPath, Digest};

use super::*;
use crate::example;
use domain::row::File;

const DAY: i64 = Time::DAY;

fn file() -> File {
    File { path: BlobPath::parse("any").unwrap(), digest: Digest::of(b"any") }
}

fn applied(on: &[&str]) -> Applied {
    let retraining =
        serde_json::json!({"on": on, "minimum_new_rows": 8, "cooldown_hours": 24, "every_days": 30});
    let spec = example::spec(serde_json::json!({ "retraining": retraining }));
    Applied {
        revision: 1,
        digest: spec.digest(),
        spec,
        contract: file(),
        features: file(),
        program: BTreeMap::new(),
        program_digest: Digest::of(b"boost"),
        by: Actor::person("alice"),
        at: Time::from_millis(0),
    }
}

/// Parts of so many rows, numbered from 1.
fn parts(rows: &[u64]) -> Vec<Part> {
    let part = |(place, rows): (usize, &u64)| Part {
        number: place as u64 + 1,
        digest: Digest::of(b"part"),
        upload: "u".into(),
        data: file(),
        bytes: 1,
        profile: file(),
        rows: *rows,
        rows_bad: 0,
        contract: Digest::of(b"contract"),
        as_of: Time::from_millis(0),
        at: Time::from_millis(0),
    };
    rows.iter().enumerate().map(part).collect()
}

fn over() -> RunState {
    RunState::Registered { version: 1 }
}

fn failed() -> RunState {
    RunState::Failed { reason: "no".into() }
}

/// A run planned on a day, of these parts, under a declaration.
fn run(number: u64, day: i64, parts: &[u64], state: RunState, applied: &Applied) -> Run {
    Run {
        id: format!("r{number}"),
        number,
        trigger: Trigger::Data,
        reason: String::new(),
        by: Actor::person("bob"),
        cycle: 0,
        pipeline: applied.digest,
        contract: applied.contract.digest,
        features: applied.features.clone(),
        program: applied.program_digest,
        selection: file(),
        parts: parts.to_vec(),
        rows: 1,
        newest: Time::from_millis(0),
        at: Time::from_millis(day * DAY),
        state,
        prepared: None,
        artifact: None,
        seconds: 0,
        spend: Default::default(),
        tuned: None,
        champion: None,
        evaluation: None,
        report: None,
    }
}

/// An ask made on day 10.
fn ask(trigger: Trigger) -> Ask {
    Ask {
        trigger,
        cause: "c".into(),
        correlation: "c".into(),
        by: Actor::person("bob"),
        cycle: 1,
        at: Time::from_millis(10 * DAY),
        reason: "asked".into(),
        waits: String::new(),
        held: None,
        lifted: None,
    }
}

/// What becomes of an ask looked at on a day, in few words.
fn becomes(ask: &Ask, applied: &Applied, runs: &[Run], parts: &[Part], day: i64) -> String {
    let seen = Seen { applied, runs, parts, now: Time::from_millis(day * DAY) };
    match decide(ask, &seen) {
        Decision::Grant { reason } => format!("grant: {reason}"),
        Decision::Wait(reason) => format!("wait: {reason}"),
        Decision::Hold(reason) => format!("hold: {reason}"),
        Decision::Drop(reason) => format!("drop: {reason}"),
        Decision::Refuse(reason) => format!("refuse: {reason}"),
    }
}

const ALL: [&str; 3] = ["data", "drift", "schedule"];

#[test]
fn new_data_asks_when_there_is_enough_of_it() {
    let applied = applied(&ALL);
    let run = |number, day, parts: &[u64], state| run(number, day, parts, state, &applied);
    for (runs, rows, day, expected) in [
        (vec![], &[4][..], 10, "wait: 4 accepted rows are fewer than the 5 of training.minimum_rows"),
        (vec![], &[4, 1], 10, "grant: the first 5 rows"),
        (vec![run(1, 9, &[1], RunState::Trained)], &[9, 9], 10, "wait: run 1 is under way"),
        (vec![run(1, 1, &[1], over())], &[9], 10, "drop: run 1 has learned from every part"),
        (
            vec![run(1, 1, &[1], over())],
            &[9, 7],
            10,
            "wait: 7 new rows are fewer than the 8 of retraining.minimum_new_rows",
        ),
        (vec![run(1, 1, &[1], over())], &[9, 4, 4], 10, "grant: 8 new rows"),
        // The cooldown counts from the newest run, also from one that failed; what was learned
        // from is what a run that did not fail selected.
        (vec![run(1, 9, &[1], over())], &[9, 8], 9, "wait: the cooldown ends at 1970-01-11T00:00:00.000Z"),
        (vec![run(1, 9, &[1], over())], &[9, 8], 10, "grant: 8 new rows"),
        (vec![run(1, 10, &[1], failed())], &[9], 10, "wait: the cooldown ends at 1970-01-12T00:00:00.000Z"),
        (vec![run(1, 1, &[1], failed())], &[9], 10, "grant: the first 9 rows"),
        (vec![run(1, 1, &[1], over()), run(2, 2, &[1, 2], failed())], &[9, 8], 10, "grant: 8 new rows"),
    ] {
        assert_eq!(becomes(&ask(Trigger::Data), &applied, &runs, &parts(rows), day), expected);
    }
}

#[test]
fn drift_asks_for_a_run_that_knows_more_than_the_one_before() {
    let now = applied(&ALL);
    let mut before = now.clone();
    before.digest = Digest::of(b"an earlier declaration");
    let drift = ask(Trigger::Drift);
    for (runs, rows, expected) in [
        (
            vec![run(1, 1, &[1], over(), &now)],
            &[9][..],
            "wait: run 1 has learned from every part under this declaration",
        ),
        (vec![run(1, 1, &[1], over(), &now)], &[9, 1], "grant: asked"),
        (vec![run(1, 1, &[1], over(), &before)], &[9], "grant: asked"),
        (vec![run(1, 12, &[1], over(), &now)], &[9, 1], "drop: run 1 was planned after the drift was found"),
        // A run that failed has answered nothing.
        (vec![run(1, 1, &[1], over(), &now), run(2, 12, &[1, 2], failed(), &now)], &[9, 1], "grant: asked"),
        (
            vec![run(1, 1, &[1], over(), &now), run(2, 12, &[1, 2], RunState::Requested, &now)],
            &[9, 1],
            "drop: run 2 was planned after the drift was found",
        ),
    ] {
        assert_eq!(becomes(&drift, &now, &runs, &parts(rows), 20), expected);
    }
}

#[test]
fn a_person_gets_a_run_if_there_is_anything_to_learn_from() {
    let applied = applied(&[]);
    let runs = [run(1, 10, &[1], RunState::Trained, &applied)];
    for (rows, expected) in [
        (&[9][..], "grant: asked"),
        (&[4], "refuse: 4 accepted rows are fewer than the 5 of training.minimum_rows"),
        (&[], "refuse: there is no accepted row to learn from"),
    ] {
        assert_eq!(becomes(&ask(Trigger::Request), &applied, &runs, &parts(rows), 10), expected);
    }
}

#[test]
fn a_run_that_may_take_more_than_the_budget_has_left_is_held_until_it_is_let() {
    // An hour of training, and of predictions by candidate and champion: 10,800 job-seconds.
    let declared = |budget: serde_json::Value| {
        let spec = example::spec(serde_json::json!({ "budget": budget, "retraining": {"on": ALL} }));
        Applied { digest: spec.digest(), spec, ..applied(&ALL) }
    };
    let month = declared(serde_json::json!({"per_month": {"seconds": 20_000}}));
    let spent = |number, day, state, used: u64| {
        let spend = domain::budget::Spend {
            reserved: JobSeconds { training: 3_600, prediction: 7_200 },
            used: JobSeconds { training: used, prediction: 0 },
            lifted: None,
        };
        Run { spend, ..run(number, day, &[1], state, &month) }
    };
    let over_month = |left: u64| {
        format!(
            "hold: its jobs may take 10800 job-seconds, and {left} of the 20000 of budget.per_month.seconds are left in 1970-01"
        )
    };
    for (runs, day, expected) in [
        (vec![], 10, "grant: asked".to_owned()),
        // What is under way keeps what was reserved for it; what is over gives back what it did not use.
        (vec![spent(1, 9, RunState::Trained, 60)], 10, over_month(9_200)),
        (vec![spent(1, 9, over(), 60)], 10, "grant: asked".into()),
        (vec![spent(1, 9, over(), 9_201)], 10, over_month(10_799)),
        (vec![spent(1, 9, failed(), 9_200)], 10, "grant: asked".into()),
        // Another month.
        (vec![spent(1, 9, RunState::Trained, 60)], 31, "grant: asked".into()),
    ] {
        assert_eq!(becomes(&ask(Trigger::Request), &month, &runs, &parts(&[9]), day), expected);
    }
    let small = declared(serde_json::json!({"per_run": {"seconds": 600}}));
    let why = "hold: its jobs may take 10800 job-seconds, and budget.per_run.seconds is 600";
    for trigger in [Trigger::Request, Trigger::Drift] {
        assert_eq!(becomes(&ask(trigger), &small, &[], &parts(&[9]), 10), why);
        let let_go = Ask { lifted: Some(Actor::person("alice")), ..ask(trigger) };
        assert_eq!(becomes(&let_go, &small, &[], &parts(&[9]), 10), "grant: asked");
    }
    // Whoever may not have a run anyhow is not held for money.
    let few = "refuse: 4 accepted rows are fewer than the 5 of training.minimum_rows";
    assert_eq!(becomes(&ask(Trigger::Request), &small, &[], &parts(&[4]), 10), few);
}

#[test]
fn a_search_reserves_all_that_may_run_at_once() {
    for (limits, seconds) in [
        // Three trials of an hour, one by one; two at a time for as long as that.
        (serde_json::json!({"max_trials": 3}), 10_800),
        (serde_json::json!({"max_trials": 3, "max_parallel": 2}), 21_600),
        (serde_json::json!({"max_trials": 3, "max_parallel": 2, "max_runtime_seconds": 900}), 1_800),
    ] {
        let tuning = serde_json::json!({
            "objective": {"metric": "validation:rmse", "type": "minimize"},
            "ranges": {"continuous": {"eta": {"min": 0.1, "max": 0.3}}},
            "limits": limits,
        });
        let spec = example::spec(serde_json::json!({ "training": {"tuning": tuning} }));
        let reserved = job::reserved(&Applied { spec, ..applied(&ALL) });
        assert_eq!(reserved, JobSeconds { training: seconds, prediction: 7_200 }, "{limits}");
    }
    // Importances take one more job.
    let spec = example::spec(serde_json::json!({ "evaluation": {} }));
    let reserved = job::reserved(&Applied { spec, ..applied(&ALL) });
    assert_eq!(reserved, JobSeconds { training: 3_600, prediction: 10_800 });
}

#[test]
fn what_is_not_declared_or_goes_round_in_circles_is_dropped() {
    let rows = parts(&[9, 9]);
    for (trigger, on, expected) in [
        (Trigger::Data, &["drift"][..], "drop: retraining.on does not name data"),
        (Trigger::Drift, &["data"], "drop: retraining.on does not name drift"),
        (Trigger::Schedule, &["data"], "drop: retraining.on does not name schedule"),
    ] {
        assert_eq!(becomes(&ask(trigger), &applied(on), &[], &rows, 10), expected);
    }
    let applied = applied(&ALL);
    for (cycle, expected) in [
        (12, "grant: asked"),
        (13, "drop: 12 retrainings have followed each other without a person (RETRAIN_CYCLES_MAX)"),
    ] {
        let ask = Ask { cycle, ..ask(Trigger::Drift) };
        assert_eq!(becomes(&ask, &applied, &[], &rows, 10), expected);
    }
}

#[test]
fn a_schedule_asks_when_its_days_have_passed_and_something_is_new() {
    let now = applied(&ALL);
    let schedule = ask(Trigger::Schedule);
    let one = [run(1, 1, &[1], over(), &now)];
    assert_eq!(becomes(&schedule, &now, &one, &parts(&[9, 1]), 40), "grant: 30 days after run 1");
    assert_eq!(becomes(&schedule, &now, &[], &parts(&[9]), 40), "grant: the schedule's first run");
    let stale = "wait: run 1 has learned from every part under this declaration";
    assert_eq!(becomes(&schedule, &now, &one, &parts(&[9]), 40), stale);
    let due =
        |runs: &[Run], day: i64| is_due(&now.spec.retraining, runs.last(), Time::from_millis(day * DAY));
    assert!(due(&[], 0) && due(&one, 31) && !due(&one, 30));
    assert!(!is_due(&applied(&["data"]).spec.retraining, None, Time::MAX));
}
