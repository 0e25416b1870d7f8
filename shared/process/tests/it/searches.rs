//! Do searches run their trials side by side, keep the best, stop what falls behind, and record
//! all of it?

use std::fs::{self, File};

use domain::trial::{Trial, TrialState, Trials};
use futures::executor::block_on;
use ports::{ErrorKind, JobSpec, JobState, Jobs, Work};
use process::{ProcessOptions, Processes};
use serde_json::{Value, json};

use crate::setting::{Setting, eventually, path, training};

/// A search of the tests' program, which does for each trial what `how` says and prints `x` as
/// its loss.
fn search(name: &str, asked: &[(&str, &str)], changes: Value) -> JobSpec {
    let mut tuning = json!({
        "objective": {"metric": "loss", "type": "minimize"},
        "ranges": {"integer": {"x": {"min": 1, "max": 100, "scaling": "linear"}}},
        "limits": {"max_trials": 6, "max_parallel": 2},
        "strategy": "random", "seed": 3,
    });
    for (field, value) in changes.as_object().unwrap() {
        tuning[field] = value.clone();
    }
    let JobSpec { work: Work::Train { hyperparameters, channels, artifact }, .. } = training(name, asked)
    else {
        unreachable!("a training")
    };
    JobSpec {
        work: Work::Tune {
            tuning: Box::new(serde_json::from_value(tuning).unwrap()),
            hyperparameters,
            channels,
            artifact,
            trials: path(&format!("models/{name}/trials.json")),
            trial_seconds: 600,
        },
        ..training(name, asked)
    }
}

fn record(setting: &Setting, name: &str) -> Trials {
    let bytes = setting.blobs.read(&path(&format!("models/{name}/trials.json"))).expect("a record");
    serde_json::from_slice(&bytes).unwrap()
}

fn model(setting: &Setting, name: &str) -> Option<String> {
    let bytes = setting.blobs.read(&path(&format!("models/{name}/model.tar.gz")))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut text = String::new();
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
    Some(text)
}

fn words(trials: &Trials) -> Vec<&str> {
    trials.trials.iter().map(|trial| trial.state.word()).collect()
}

#[test]
fn a_search_keeps_the_best_trials_model_and_records_them_all() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    for name in ["tune-1", "tune-2"] {
        block_on(jobs.start(&search(name, &[("how", "print x")], json!({})))).unwrap();
        assert_eq!(setting.told(), (name.into(), "Completed".into()));
    }
    let trials = record(&setting, "tune-1");
    assert_eq!(words(&trials), ["completed"; 6]);
    assert_eq!(trials.ended.as_deref(), Some("all 6 trials were made"));
    let x = |trial: &Trial| trial.hyperparameters["x"].parse::<f64>().unwrap();
    let least = trials.trials.iter().map(x).fold(f64::INFINITY, f64::min);
    for trial in &trials.trials {
        // Two rounds, then what the kept model has.
        let told: Vec<(u64, f64)> = trial.curve.iter().map(|point| (point.resource, point.value)).collect();
        assert_eq!(told, [(1, x(trial) + 1.0), (2, x(trial) + 2.0)]);
        assert_eq!(trial.value, Some(x(trial)));
    }
    assert_eq!(trials.best().map(x), Some(least));
    assert_eq!(model(&setting, "tune-1").unwrap(), format!("x = {least}, 3 rows"));
    let status = block_on(jobs.status("tune-1")).unwrap();
    assert_eq!((status.state, status.trials), (JobState::Completed, trials.trials.clone()));
    let best = trials.best().unwrap().number;
    let progress = format!("6 of at most 6 trials over, best loss {least} (trial {best})");
    assert_eq!(status.progress, Some(progress));
    let told = |name| {
        let trials = record(&setting, name).trials.into_iter();
        trials.map(|trial| Trial { seconds: 0, ..trial }).collect::<Vec<_>>()
    };
    assert_eq!(told("tune-1"), told("tune-2"), "the same search tries the same");
    let left = setting.directory.path().join("jobs/tune-1");
    assert!(left.join("trials/1/output.log").exists() && !left.join("trials/1/base").exists());
    assert!(!left.join("model.tar.gz").exists());
}

#[test]
fn trials_at_once_are_bounded_share_the_cores_and_are_told_what_sagemaker_tells() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let trace = setting.directory.path().join("trace");
    let asked = [("how", "trace"), ("trace", trace.to_str().unwrap())];
    block_on(jobs.start(&search("traced", &asked, json!({})))).unwrap();
    assert_eq!(setting.told(), ("traced".into(), "Completed".into()));
    let text = fs::read_to_string(trace).unwrap();
    let mut at_once: i32 = 0;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores / 2).max(1).to_string();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("begin", told)) => {
                at_once += 1;
                let told: Value = serde_json::from_str(told).unwrap();
                for name in ["SM_NUM_CPUS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"] {
                    assert_eq!(told[name], json!(threads), "{name}");
                }
                assert_eq!(told["OMP_WAIT_POLICY"], "PASSIVE");
                assert_eq!(told["metric"], "loss");
                assert!(told["TRAINING_JOB_NAME"].as_str().unwrap().starts_with("traced-00"));
            }
            _ => at_once -= 1,
        }
        assert!((0..=2).contains(&at_once), "{text}");
    }
    assert_eq!(text.lines().count(), 12);
}

#[test]
fn a_trial_that_falls_behind_is_ended_with_all_it_started() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    // Every trial prints its first round and then waits for ever; only the best of those before
    // goes on, and ends when it is told to.
    let changes = json!({
        "strategy": "hyperband", "hyperband": {"min_resource": 1, "max_resource": 9},
        "limits": {"max_trials": 5, "max_parallel": 1},
    });
    let gate = setting.gate();
    let asked = [("how", "wait with x"), ("gate", gate.to_str().unwrap())];
    File::create(&gate).unwrap();
    block_on(jobs.start(&search("behind", &asked, changes))).unwrap();
    assert_eq!(setting.told(), ("behind".into(), "Completed".into()));
    let trials = record(&setting, "behind");
    let mut best = f64::INFINITY;
    for trial in &trials.trials {
        let x: f64 = trial.hyperparameters["x"].parse().unwrap();
        // Of at most five one goes on: the best so far.
        let expected = if x < best { "completed" } else { "stopped" };
        assert_eq!(trial.state.word(), expected, "{trials:?}");
        best = best.min(x);
    }
    assert!(words(&trials).contains(&"stopped"), "the seed has one that falls behind");
    assert_eq!(model(&setting, "behind").unwrap(), format!("x = {best}, 3 rows"));
}

#[test]
fn failing_trials_are_recorded_and_a_search_of_nothing_else_fails() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let one = json!({"limits": {"max_trials": 20, "max_parallel": 1}});
    block_on(jobs.start(&search("bad", &[("how", "fail")], one.clone()))).unwrap();
    assert_eq!(setting.told(), ("bad".into(), "Failed".into()));
    let reason = "no trial made a model: the first 5 trials failed; trial 1: the target is constant";
    assert_eq!(block_on(jobs.status("bad")).unwrap().state, JobState::Failed { reason: reason.into() });
    assert_eq!(words(&record(&setting, "bad")), ["failed"; 5]);
    assert_eq!(model(&setting, "bad"), None);

    for (how, reason) in [
        ("nothing", "the program ended well but wrote no model"),
        ("learn", "it printed no loss, as loss=0.5; see training.tuning.metrics"),
        ("crash", "exited with code 4: last words"),
    ] {
        let name = how.replace(' ', "-");
        block_on(jobs.start(&search(&name, &[("how", how)], one.clone()))).unwrap();
        assert_eq!(setting.told(), (name.clone(), "Failed".into()));
        assert_eq!(record(&setting, &name).trials[0].state.reason(), Some(reason));
    }

    block_on(jobs.start(&search(
        "some",
        &[("how", "fail above 50")],
        json!({"limits": {"max_trials": 12, "max_parallel": 2}}),
    )))
    .unwrap();
    assert_eq!(setting.told(), ("some".into(), "Completed".into()));
    let trials = record(&setting, "some");
    for trial in &trials.trials {
        let x: u32 = trial.hyperparameters["x"].parse().unwrap();
        assert_eq!(trial.state.word(), if x > 50 { "failed" } else { "completed" });
    }
    assert!(words(&trials).contains(&"failed") && words(&trials).contains(&"completed"));
}

#[test]
fn a_metric_of_ones_own_is_found() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let changes = json!({
        "objective": {"metric": "score", "type": "maximize"},
        "metrics": {"score": "the score is ([0-9.]+)"},
    });
    block_on(jobs.start(&search("own", &[("how", "print x")], changes))).unwrap();
    assert_eq!(setting.told(), ("own".into(), "Completed".into()));
    let trials = record(&setting, "own");
    let best = trials.best().unwrap();
    let most = trials.trials.iter().filter_map(|trial| trial.value).fold(0.0, f64::max);
    assert_eq!((best.value, best.hyperparameters["x"].parse().ok()), (Some(most), Some(most)));
}

#[test]
fn a_trial_that_takes_too_long_has_failed() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let gate = setting.gate();
    let asked = [("how", "wait"), ("gate", gate.to_str().unwrap())];
    let mut job = search("slow", &asked, json!({"limits": {"max_trials": 1}}));
    let Work::Tune { trial_seconds, .. } = &mut job.work else { unreachable!("a search") };
    *trial_seconds = 0;
    block_on(jobs.start(&job)).unwrap();
    assert_eq!(setting.told(), ("slow".into(), "Failed".into()));
    assert_eq!(record(&setting, "slow").trials[0].state.reason(), Some("ran longer than its 0 seconds"));
}

#[test]
fn a_search_that_is_stopped_or_late_leaves_its_best_so_far() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let gate = setting.gate();
    // The first trial ends at once, the others wait.
    let asked = [("how", "wait after the first"), ("gate", gate.to_str().unwrap())];
    let changes = json!({"limits": {"max_trials": 6, "max_parallel": 1}});
    block_on(jobs.start(&search("stopped", &asked, changes.clone()))).unwrap();
    // What is seen while it works: the record of the job, and the copy for people.
    let shown = eventually(|| {
        let trials = block_on(jobs.status("stopped")).unwrap().trials;
        (trials.len() == 2).then_some(trials)
    });
    assert_eq!((shown[0].state.word(), shown[1].state.word()), ("completed", "running"));
    let at = path("models/stopped/trials.json");
    eventually(|| {
        let copy: Trials = serde_json::from_slice(&setting.blobs.read(&at)?).ok()?;
        (copy.trials.len() == 2).then_some(())
    });
    block_on(jobs.stop("stopped")).unwrap();
    assert_eq!(setting.told(), ("stopped".into(), "Stopped".into()));
    let trials = record(&setting, "stopped");
    assert_eq!(
        (words(&trials), trials.ended.as_deref()),
        (vec!["completed", "stopped"], Some("asked to stop"))
    );
    let x = &trials.trials[0].hyperparameters["x"];
    assert_eq!(model(&setting, "stopped").unwrap(), format!("x = {x}, 3 rows"));

    let mut late = search("late", &asked, changes);
    late.timeout_seconds = 8;
    block_on(jobs.start(&late)).unwrap();
    assert_eq!(setting.told(), ("late".into(), "Completed".into()), "a limit is a way to end");
    let trials = record(&setting, "late");
    assert_eq!(trials.ended.as_deref(), Some("ran longer than its 8 seconds"));

    let waits = ProcessOptions { at_once: 1, ..setting.jobs() };
    drop(jobs);
    let jobs = Processes::open(waits).unwrap();
    let wait = [("how", "wait"), ("gate", gate.to_str().unwrap())];
    block_on(jobs.start(&training("works", &wait))).unwrap();
    block_on(jobs.start(&search("unbegun", &asked, json!({})))).unwrap();
    block_on(jobs.stop("unbegun")).unwrap();
    assert_eq!(setting.told(), ("unbegun".into(), "Stopped".into()));
    assert_eq!(record(&setting, "unbegun").trials, [], "the record is there all the same");
    block_on(jobs.stop("works")).unwrap();
    assert_eq!(setting.told(), ("works".into(), "Stopped".into()));
}

#[test]
fn a_search_outlives_its_owner() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let gate = setting.gate();
    let asked = [("how", "wait after the first"), ("gate", gate.to_str().unwrap())];
    let changes = json!({"limits": {"max_trials": 3, "max_parallel": 1}});
    block_on(jobs.start(&search("lasting", &asked, changes))).unwrap();
    eventually(|| (block_on(jobs.status("lasting")).unwrap().trials.len() == 2).then_some(()));
    drop(jobs);
    let jobs = Processes::open(setting.jobs()).unwrap();
    let status = block_on(jobs.status("lasting")).unwrap();
    assert_eq!((status.state, status.trials.len()), (JobState::Running, 2));
    File::create(gate).unwrap();
    assert_eq!(setting.told(), ("lasting".into(), "Completed".into()));
    assert_eq!(words(&record(&setting, "lasting")), ["completed"; 3]);
    let attempts = fs::read_to_string(setting.directory.path().join("jobs/lasting/attempts.json")).unwrap();
    assert_eq!(attempts, "1", "it went on, and did not begin anew");
}

#[cfg(target_os = "linux")]
#[test]
fn a_search_whose_supervisor_is_killed_fails_visibly() {
    use rustix::process::{Pid, Signal, kill_process};
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let gate = setting.gate();
    let asked = [("how", "wait after the first"), ("gate", gate.to_str().unwrap())];
    let changes = json!({"limits": {"max_trials": 3, "max_parallel": 1}});
    block_on(jobs.start(&search("killed", &asked, changes))).unwrap();
    eventually(|| (block_on(jobs.status("killed")).unwrap().trials.len() == 2).then_some(()));
    let directory = setting.directory.path().canonicalize().unwrap().join("jobs/killed");
    let supervisors = crate::lasting::processes_called_with(&format!("\0{}", directory.display()));
    let [supervisor] = supervisors[..] else { panic!("one supervisor: {supervisors:?}") };
    kill_process(Pid::from_raw(supervisor).unwrap(), Signal::KILL).unwrap();
    assert_eq!(setting.told(), ("killed".into(), "Failed".into()));
    let reason = "its supervisor ended once without a result".to_owned();
    assert_eq!(block_on(jobs.status("killed")).unwrap().state, JobState::Failed { reason: reason.clone() });
    let trials = record(&setting, "killed");
    assert_eq!(words(&trials), ["completed", "stopped"]);
    assert_eq!(trials.trials[1].state, TrialState::Stopped { reason });
    let guards = crate::lasting::processes_called_with(&format!("\0{}/trials/2/guard", directory.display()));
    assert_eq!(guards, [0; 0], "nothing of it is left");
    assert!(!directory.join("trials/2/base").exists());
}

#[test]
fn a_search_that_cannot_be_is_refused() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let refused =
        block_on(jobs.start(&search("x", &[], json!({"metrics": {"loss": "loss=("}})))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(refused.to_string(), "start x: unclosed group");
}
