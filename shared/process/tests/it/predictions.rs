//! Do batch predictions answer every row, in order, or fail by name?

use std::collections::BTreeMap;

use futures::executor::block_on;
use ports::{JobSpec, JobState, Jobs, ProgramSpec, Work};
use process::Processes;

use crate::setting::{Setting, eventually, path, program, training};

fn predict(setting: &Setting, name: &str, model: &str, input: &str) -> JobSpec {
    let artifact = setting.model(&format!("models/{name}"), model);
    setting.blobs.insert(&path(&format!("rows/{name}")), input.as_bytes().to_vec());
    let work = Work::Predict {
        artifact,
        input: path(&format!("rows/{name}")),
        output: path(&format!("predictions/{name}")),
    };
    JobSpec { name: name.into(), program: program(), work, timeout_seconds: 3_600 }
}

fn run(setting: &Setting, jobs: &Processes, job: &JobSpec) -> Result<String, String> {
    block_on(jobs.start(job)).unwrap();
    let (name, told) = setting.told();
    assert_eq!(name, job.name);
    let output = path(&format!("predictions/{name}"));
    match block_on(jobs.status(&name)).unwrap().state {
        JobState::Completed => {
            assert_eq!(told, "Completed");
            Ok(setting.blobs.text(&output))
        }
        JobState::Failed { reason } => {
            assert_eq!(told, "Failed");
            assert!(setting.blobs.read(&output).is_none(), "half an output is none");
            Err(reason)
        }
        other => panic!("an end, not {other:?}"),
    }
}

#[test]
fn every_row_is_answered_in_order() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    // More rows than one request takes, and line ends within quotes.
    let input: String = (0..20_000).map(|row| format!("{row},\"two\nlines\"\n")).collect();
    let expected: String = (0..20_000).map(|row| format!("m:{row}\n")).collect();
    let output = run(&setting, &jobs, &predict(&setting, "many", "m", &input)).unwrap();
    assert!(output == expected, "one answer a row, in order");
    assert_eq!(run(&setting, &jobs, &predict(&setting, "none", "m", "")).unwrap(), "");
}

#[test]
fn what_is_not_answered_rightly_is_a_failure_by_name() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    for (name, model, input, reason) in [
        ("short", "short", "1\n2\n3\n", "rows 1 to 3: 2 answers to 3 rows"),
        ("refused", "m", "refuse\n", "rows 1 to 1: answered with status 400: that row is none"),
        ("broken", "broken", "1\n", "serve: exited with code 1: this model cannot be read"),
        ("died", "m", "die\n", "serve: exited with code 1"),
    ] {
        let job = predict(&setting, name, model, input);
        assert_eq!(run(&setting, &jobs, &job).unwrap_err(), reason);
    }
}

#[test]
fn a_hostile_model_is_refused() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let job = predict(&setting, "hostile", "m", "1\n");
    setting.blobs.insert(&path("models/hostile"), b"no archive".as_slice());
    let reason = run(&setting, &jobs, &job).unwrap_err();
    assert!(reason.starts_with("model: not a readable tar.gz"), "{reason}");
}

#[test]
fn a_prediction_can_be_stopped_while_its_model_comes_up() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    block_on(jobs.start(&predict(&setting, "silent", "silent", "1\n"))).unwrap();
    eventually(|| block_on(jobs.status("silent")).unwrap().progress);
    block_on(jobs.stop("silent")).unwrap();
    assert_eq!(setting.told(), ("silent".into(), "Stopped".into()));
}

#[test]
fn the_example_program_learns_predicts_and_reads_its_own_features() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let bytes = include_bytes!("../../../../examples/python/train.py");
    setting.blobs.insert(&path("code/train.py"), bytes.as_slice());
    let program = ProgramSpec::Command {
        run: vec!["python3".into(), "train.py".into()],
        files: BTreeMap::from([("train.py".into(), path("code/train.py"))]),
    };
    let features = r#"{"inputs": [{"name": "x", "kind": "number"}, {"name": "note", "kind": "text"}],
        "target": {"name": "y", "kind": "number"}}"#;
    setting.blobs.insert(&path("data/features.json"), features.as_bytes());
    let rows: String = (0..50).map(|x| format!("{x},n,{}\n", 2 * x + 1)).collect();
    setting.blobs.insert(&path("data/line.csv"), format!("x,note,y\n{rows}").into_bytes());
    let mut job = training("example", &[("ridge", "0.000001")]);
    job.program = program.clone();
    let Work::Train { channels, artifact, .. } = &mut job.work else { unreachable!("a training") };
    channels.insert("train".into(), path("data/line.csv"));
    channels.insert("features".into(), path("data/features.json"));
    let artifact = artifact.clone();
    block_on(jobs.start(&job)).unwrap();
    assert_eq!(setting.told(), ("example".into(), "Completed".into()));
    setting.blobs.insert(&path("rows/example"), b"100,\"a\nb\"\n-1,\n".as_slice());
    let (input, output) = (path("rows/example"), path("predictions/example-2"));
    let work = Work::Predict { artifact, input, output };
    let job = JobSpec { name: "example-2".into(), program, work, timeout_seconds: 3_600 };
    let answers = run(&setting, &jobs, &job).unwrap();
    let answers: Vec<f64> = answers.lines().map(|line| line.parse().unwrap()).collect();
    // The rows lie on y = 2x + 1.
    assert!((answers[0] - 201.0).abs() < 1e-3 && (answers[1] + 1.0).abs() < 1e-3, "{answers:?}");
    assert_eq!(answers.len(), 2);
}
