//! Searches played by hand: what is asked for, what is stopped, when it ends.

use serde_json::{Value, json};

use super::*;

fn declared(changes: &Value) -> Tuning {
    let mut declared = json!({
        "objective": {"metric": "loss", "type": "minimize"},
        "ranges": {
            "continuous": {"x": {"min": -1.0, "max": 1.0}},
            "integer": {"n": {"min": 1, "max": 8}},
            "categorical": {"c": ["a", "b"]},
        },
        "limits": {"max_trials": 30},
        "seed": 7,
    });
    for (field, value) in changes.as_object().unwrap() {
        declared[field] = value.clone();
    }
    serde_json::from_value(declared).unwrap()
}

fn begun(asked: Asked) -> Trial {
    match asked {
        Asked::Begin(trial) => trial,
        other => panic!("a trial, not {other:?}"),
    }
}

/// A loss that a program would print: least at x = 0.3, n = 5, c = b.
fn loss(trial: &Trial) -> f64 {
    let number = |name: &str| trial.hyperparameters[name].parse::<f64>().unwrap();
    let choice = if trial.hyperparameters["c"] == "b" { 0.0 } else { 0.5 };
    (number("x") - 0.3).powi(2) + 0.1 * (number("n") - 5.0).abs() + choice
}

/// Plays a search whose running trials end in an order of their own, as quick or slow machines
/// would have them; answers its record.
fn played(declared: &Tuning, mut next: impl FnMut(usize) -> usize) -> Trials {
    let mut tuner = Tuner::new(declared);
    let mut running: Vec<Trial> = Vec::new();
    loop {
        let asked = tuner.ask();
        match asked {
            Asked::Begin(trial) => running.push(trial),
            Asked::Done(_) if running.is_empty() => return tuner.record(),
            Asked::Wait | Asked::Done(_) => {
                let trial = running.remove(next(running.len()));
                let loss = loss(&trial);
                for round in 1..=9_u64 {
                    let value = loss + 1.0 / round as f64;
                    if let Verdict::Stop(_) = tuner.tell(trial.number, Some(round), value) {
                        break;
                    }
                }
                tuner.finish(trial.number, Ended::Well, 3);
            }
        }
        assert!(running.len() <= declared.limits.max_parallel as usize);
    }
}

#[test]
fn the_same_search_makes_the_same_trials_however_quick_they_are() {
    for changes in [
        json!({"limits": {"max_trials": 30, "max_parallel": 3}}),
        json!({"limits": {"max_trials": 30, "max_parallel": 3}, "early_stopping": "auto"}),
        json!({"limits": {"max_trials": 30, "max_parallel": 4}, "strategy": "hyperband",
            "hyperband": {"min_resource": 1, "max_resource": 9}}),
        json!({"limits": {"max_trials": 30, "max_parallel": 3}, "completion": {"not_improving": 5}}),
    ] {
        let declared = declared(&changes);
        let first = played(&declared, |_| 0);
        assert_eq!(first, played(&declared, |running| running - 1), "{changes}");
        let mut turn = 0;
        let mixed = played(&declared, |running| {
            turn += 1;
            turn * 5 % running
        });
        assert_eq!(first, mixed, "{changes}");
        let other = Tuning { seed: 8, ..declared };
        assert_ne!(first.trials[0], played(&other, |_| 0).trials[0]);
    }
}

#[test]
fn a_search_finds_what_is_good() {
    let even = played(&declared(&json!({"strategy": "random"})), |_| 0);
    let led = played(&declared(&json!({})), |_| 0);
    let last = |trials: &Trials| {
        let values: Vec<f64> = trials.trials[20..].iter().map(|trial| trial.value.unwrap()).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(last(&led) < last(&even) - 0.2, "{} {}", last(&led), last(&even));
    assert_eq!(led.best().unwrap().hyperparameters["c"], "b");
}

#[test]
fn parallel_trials_are_bounded_and_one_may_run_ahead() {
    let mut tuner = Tuner::new(&declared(&json!({"limits": {"max_trials": 9, "max_parallel": 2}})));
    let first = begun(tuner.ask()).number;
    let second = begun(tuner.ask()).number;
    assert_eq!((first, second, tuner.ask()), (1, 2, Asked::Wait));
    tuner.tell(2, None, 0.5);
    tuner.finish(2, Ended::Well, 1);
    assert_eq!(begun(tuner.ask()).number, 3);
    tuner.tell(3, None, 0.5);
    tuner.finish(3, Ended::Well, 1);
    // The fourth is chosen by the first, which still runs.
    assert_eq!(tuner.ask(), Asked::Wait);
    tuner.tell(1, None, 0.5);
    tuner.finish(1, Ended::Well, 1);
    assert_eq!(begun(tuner.ask()).number, 4);
}

#[test]
fn hyperband_lets_the_best_third_go_on() {
    let changes = json!({"strategy": "hyperband", "hyperband": {"min_resource": 1, "max_resource": 9}});
    let mut tuner = Tuner::new(&declared(&changes));
    let stop = |rung: u64, count: u64| {
        Verdict::Stop(format!("not among the best third of {count} trials after {rung} rounds"))
    };
    // By hand: of fewer than three the best goes on; of 3 … 5 one does.
    for (trial, told, verdict) in [
        (1, (1, 0.5), Verdict::GoOn),
        (1, (3, 0.4), Verdict::GoOn),
        (2, (1, 0.6), stop(1, 2)),
        (3, (1, 0.4), Verdict::GoOn),
        (3, (2, 0.9), Verdict::GoOn),
        (3, (3, 0.5), stop(3, 2)),
        (4, (2, 0.3), Verdict::GoOn),
        (4, (9, 0.2), Verdict::GoOn),
        (5, (1, 0.35), stop(1, 5)),
        (6, (1, 0.35), Verdict::GoOn),
    ] {
        while tuner.trials.len() < trial as usize {
            if let Some(before) = tuner.trials.len().checked_sub(1) {
                tuner.finish(before as u32 + 1, Ended::Well, 1);
            }
            begun(tuner.ask());
        }
        assert_eq!(tuner.tell(trial, Some(told.0), told.1), verdict, "{trial} {told:?}");
    }
    let record = tuner.record();
    let words: Vec<&str> = record.trials.iter().map(|trial| trial.state.word()).collect();
    assert_eq!(words, ["completed", "stopped", "stopped", "completed", "stopped", "running"]);
    assert_eq!(record.best().unwrap().number, 4);
    // What a stopped trial goes on to print is not looked at.
    assert_eq!(tuner.tell(5, Some(2), 0.0), stop(1, 5));
    assert_eq!(tuner.record().trials[4].value, Some(0.35));
}

#[test]
fn early_stopping_ends_what_is_behind_the_median() {
    let mut tuner = Tuner::new(&declared(&json!({"early_stopping": "auto"})));
    for trial in 1..=5_u32 {
        begun(tuner.ask());
        for round in 1..=8 {
            assert_eq!(tuner.tell(trial, Some(round), f64::from(trial) / 10.0), Verdict::GoOn);
        }
        tuner.finish(trial, Ended::Well, 1);
    }
    begun(tuner.ask());
    assert_eq!(tuner.tell(6, Some(1), 0.9), Verdict::GoOn, "too early to say");
    assert_eq!(tuner.tell(6, Some(2), 0.3), Verdict::GoOn, "as good as the median");
    let reason = "behind the median of 5 trials after 3 rounds".to_owned();
    assert_eq!(tuner.tell(6, Some(3), 0.31), Verdict::Stop(reason.clone()));
    // Whatever its program did meanwhile, it was stopped.
    assert_eq!(tuner.finish(6, Ended::Well, 2).unwrap().state, TrialState::Stopped { reason });
}

#[test]
fn a_search_ends_when_it_is_enough() {
    let ended = |changes: &Value, values: &[Option<f64>]| {
        let mut tuner = Tuner::new(&declared(changes));
        for value in values {
            match tuner.ask() {
                Asked::Begin(trial) => {
                    let ended = match value {
                        Some(value) => {
                            tuner.tell(trial.number, None, *value);
                            Ended::Well
                        }
                        None => Ended::Badly("no memory".into()),
                    };
                    tuner.finish(trial.number, ended, 1);
                }
                Asked::Done(reason) => return reason,
                Asked::Wait => panic!("nothing runs"),
            }
        }
        match tuner.ask() {
            Asked::Done(reason) => reason,
            other => format!("{other:?}"),
        }
    };
    let some = |values: &[f64]| values.iter().map(|value| Some(*value)).collect::<Vec<_>>();
    let short = json!({"limits": {"max_trials": 2}});
    assert_eq!(ended(&short, &some(&[1.0, 2.0])), "all 2 trials were made");
    let target = json!({"completion": {"target": 0.5}});
    assert_eq!(ended(&target, &some(&[1.0, 0.5, 2.0])), "trial 2 reached the target 0.5");
    let maximize = json!({"completion": {"target": 0.5}, "objective": {"metric": "auc", "type": "maximize"}});
    assert_eq!(ended(&maximize, &some(&[0.4, 0.6, 2.0])), "trial 2 reached the target 0.5");
    let improving = json!({"completion": {"not_improving": 3}});
    let reason = "3 trials found nothing better than trial 2";
    assert_eq!(ended(&improving, &some(&[1.0, 0.5, 0.5, 0.6, 0.7, 0.1])), reason);
    assert_eq!(ended(&json!({}), &[None; 6]), "the first 5 trials failed");
    let grid = json!({"strategy": "grid", "limits": {},
        "ranges": {"categorical": {"a": ["x", "y"], "b": [1, 2]}}});
    assert_eq!(ended(&grid, &some(&[1.0, 2.0, 3.0, 4.0])), "every combination was tried");
    let failures = [vec![None; 4], vec![Some(1.0)], vec![None; 5]].concat();
    assert!(ended(&json!({"limits": {"max_trials": 10}}), &failures).starts_with("all 10"));
}

#[test]
fn a_trial_without_an_objective_has_failed() {
    let mut tuner = Tuner::new(&declared(&json!({"limits": {"max_trials": 9}})));
    let reason = |tuner: &mut Tuner, trial| {
        let trial = tuner.finish(trial, Ended::Well, 1).unwrap();
        (trial.state.word(), trial.state.reason().unwrap_or_default().to_owned())
    };
    begun(tuner.ask());
    let printed_none = "it printed no loss, as loss=0.5; see training.tuning.metrics".to_owned();
    assert_eq!(reason(&mut tuner, 1), ("failed", printed_none));
    begun(tuner.ask());
    tuner.tell(2, None, 0.5);
    tuner.tell(2, None, f64::NAN);
    assert_eq!(reason(&mut tuner, 2), ("failed", "its last loss is not a finite number".to_owned()));
    begun(tuner.ask());
    tuner.finish(3, Ended::Short("asked to stop".into()), 1);
    assert_eq!(reason(&mut tuner, 3), ("stopped", "asked to stop".to_owned()));
    assert!(tuner.finish(9, Ended::Well, 1).is_none());
    assert_eq!(tuner.tell(9, None, 1.0), Verdict::GoOn);
    assert_eq!(tuner.tell(0, None, 1.0), Verdict::GoOn);
    tuner.end("asked to stop");
    assert_eq!(tuner.ask(), Asked::Done("asked to stop".into()));
}

#[test]
fn the_last_value_is_the_trials_and_a_long_curve_is_thinned_out_evenly() {
    let mut tuner = Tuner::new(&declared(&json!({})));
    begun(tuner.ask());
    for round in 1..=1_000_u64 {
        tuner.tell(1, Some(round), 1.0 / round as f64);
    }
    // A round that was told before changes the value alone: so a program tells its kept model.
    tuner.tell(1, Some(900), 0.25);
    tuner.tell(1, None, 0.125);
    tuner.finish(1, Ended::Well, 1);
    let record = tuner.record();
    let trial = &record.trials[0];
    assert_eq!(trial.value, Some(0.125));
    assert!(trial.curve.len() <= limit::CURVE_POINTS_MAX && trial.curve.len() > limit::CURVE_POINTS_MAX / 2);
    let steps: Vec<u64> = trial.curve.windows(2).map(|two| two[1].resource - two[0].resource).collect();
    assert!(trial.curve[0].resource == 1 && steps.iter().all(|step| *step == 4), "{steps:?}");
    // Lines without a round are counted.
    begun(tuner.ask());
    tuner.tell(2, None, 3.0);
    tuner.tell(2, None, 2.0);
    let rounds: Vec<u64> = tuner.record().trials[1].curve.iter().map(|point| point.resource).collect();
    assert_eq!(rounds, [1, 2]);
}
