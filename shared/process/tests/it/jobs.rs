//! Do trainings learn, fail, stop and wait as they are to?

use std::cell::RefCell;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use ports::{ErrorKind, JobSpec, JobState, Jobs, ProgramSpec, Started, Work};
use process::{ProcessOptions, Processes};

use crate::setting::{Setting, eventually, path, program, training};

fn state(jobs: &Processes, name: &str) -> JobState {
    block_on(jobs.status(name)).unwrap().state
}

fn start(jobs: &Processes, job: &JobSpec) {
    assert_eq!(block_on(jobs.start(job)).unwrap(), Started::Now);
}

/// The files of an archive, by name.
fn unpacked(bytes: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        files.push((entry.path().unwrap().to_string_lossy().into_owned(), text));
    }
    files
}

#[test]
fn jobs_conform() {
    let settings = RefCell::new(Vec::new());
    let make = async || {
        let setting = Setting::new();
        let jobs = Processes::open(setting.jobs()).unwrap();
        settings.borrow_mut().push(setting);
        let mut job = training("any", &[]);
        job.program = ProgramSpec::Command { run: vec!["true".into()], files: Default::default() };
        (Arc::new(jobs) as Arc<dyn Jobs>, job)
    };
    block_on(conformance::jobs::jobs(make));
}

#[test]
fn a_training_learns_from_its_channels_and_says_so() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    for name in ["taxi-1", "taxi-2"] {
        start(&jobs, &training(name, &[("how", "learn")]));
        assert_eq!(setting.told(), (name.into(), "Completed".into()));
    }
    let status = block_on(jobs.status("taxi-1")).unwrap();
    assert_eq!(status.state, JobState::Completed);
    assert_eq!(status.progress.as_deref(), Some("#round=2 train:rmse=0.2 validation:rmse=0.25"));
    let artifact = setting.blobs.read(&path("models/taxi-1/model.tar.gz")).unwrap();
    let files: [(String, String); 3] = [
        ("model.txt".into(), "learned from 3 rows".into()),
        ("notes".into(), String::new()),
        ("notes/z.txt".into(), "z".into()),
    ];
    assert_eq!(unpacked(&artifact), files);
    let again = setting.blobs.read(&path("models/taxi-2/model.tar.gz")).unwrap();
    assert!(artifact == again, "equal trainings give equal bytes");
    let left = setting.directory.path().join("jobs/taxi-1");
    assert!(
        left.join("output.log").exists()
            && left.join("exit.json").exists()
            && left.join("done.json").exists()
    );
    assert!(!left.join("base").exists() && !left.join("model.tar.gz").exists());
}

#[test]
fn a_failure_says_why() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let command = |word: &str| ProgramSpec::Command { run: vec![word.into()], files: Default::default() };
    let mut missing_input = training("no-input", &[("how", "learn")]);
    let Work::Train { channels, .. } = &mut missing_input.work else { unreachable!("a training") };
    channels.insert("validation".into(), path("data/missing.csv"));
    for (job, reason) in [
        (training("own-words", &[("how", "fail")]), "the target is constant"),
        (training("crashed", &[("how", "crash")]), "exited with code 4: last words"),
        (training("empty", &[("how", "nothing")]), "the program ended well but wrote no model"),
        (
            JobSpec { program: command("no-such-program"), ..training("no-program", &[]) },
            "start no-such-program: No such file or directory (os error 2)",
        ),
        (missing_input, "read data/missing.csv: no such blob"),
    ] {
        start(&jobs, &job);
        assert_eq!(setting.told(), (job.name.clone(), "Failed".into()));
        assert_eq!(state(&jobs, &job.name), JobState::Failed { reason: reason.into() });
    }
    assert_eq!(setting.blobs.paths().len(), 2, "a failure leaves nothing among the blobs");
}

#[test]
fn what_would_lead_out_of_a_directory_is_refused() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let mut channel = training("x", &[]);
    let Work::Train { channels, .. } = &mut channel.work else { unreachable!("a training") };
    channels.insert("../../x".into(), path("data/train.csv"));
    let mut file = training("x", &[]);
    let ProgramSpec::Command { files, .. } = &mut file.program else { unreachable!("a command") };
    files.insert("../x".into(), path("code/program.py"));
    let words = ProgramSpec::Command { run: Vec::new(), files: Default::default() };
    for job in [channel, file, JobSpec { program: words, ..training("x", &[]) }] {
        assert_eq!(block_on(jobs.start(&job)).map_err(|error| error.kind()), Err(ErrorKind::Invalid));
        assert!(!setting.directory.path().join("jobs/x").exists());
    }
}

#[test]
fn a_program_is_told_what_it_needs_and_nothing_of_its_owners() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    start(&jobs, &training("told", &[("how", "environment")]));
    assert_eq!(setting.told().1, "Completed");
    let artifact = setting.blobs.read(&path("models/told/model.tar.gz")).unwrap();
    let (_, names) = unpacked(&artifact).remove(0);
    let names: Vec<&str> = names.lines().collect();
    for name in ["PATH", "SAGEMAKER_BASE_DIR", "TRAINING_JOB_NAME", "SM_HP_HOW", "MILLRACE_LOCAL"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
}

#[test]
fn a_training_that_takes_too_long_is_stopped() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let gate = setting.gate();
    let mut job = training("late", &[("how", "wait"), ("gate", gate.to_str().unwrap())]);
    job.timeout_seconds = 1;
    start(&jobs, &job);
    assert_eq!(setting.told(), ("late".into(), "Stopped".into()));
    assert_eq!(state(&jobs, "late"), JobState::Stopped { reason: "ran longer than its 1 seconds".into() });
}

#[test]
fn what_does_not_stop_is_made_to() {
    let setting = Setting::new();
    let jobs = Processes::open(ProcessOptions { grace: Duration::from_millis(1), ..setting.jobs() }).unwrap();
    let gate = setting.gate();
    start(&jobs, &training("stubborn", &[("how", "stubborn"), ("gate", gate.to_str().unwrap())]));
    eventually(|| block_on(jobs.status("stubborn")).unwrap().progress);
    block_on(jobs.stop("stubborn")).unwrap();
    assert_eq!(setting.told(), ("stubborn".into(), "Stopped".into()));
}

#[test]
fn a_job_can_be_stopped_before_during_and_after() {
    let setting = Setting::new();
    let jobs = Processes::open(ProcessOptions { at_once: 1, ..setting.jobs() }).unwrap();
    let gate = setting.gate();
    let wait = [("how", "wait"), ("gate", gate.to_str().unwrap())];
    start(&jobs, &training("during", &wait));
    start(&jobs, &training("before", &wait));
    eventually(|| block_on(jobs.status("during")).unwrap().progress);
    assert_eq!(state(&jobs, "before"), JobState::Running, "it waits");
    for name in ["before", "during"] {
        block_on(jobs.stop(name)).unwrap();
        assert_eq!(setting.told(), (name.into(), "Stopped".into()));
        block_on(jobs.stop(name)).unwrap();
        assert_eq!(state(&jobs, name), JobState::Stopped { reason: "asked to stop".into() });
    }
    assert!(!setting.directory.path().join("jobs/before/output.log").exists(), "it never began");
}

#[test]
fn waiting_jobs_begin_in_the_order_of_their_starts() {
    let setting = Setting::new();
    let jobs = Processes::open(ProcessOptions { at_once: 1, ..setting.jobs() }).unwrap();
    let gate = setting.gate();
    start(&jobs, &training("a", &[("how", "wait"), ("gate", gate.to_str().unwrap())]));
    for name in ["z", "b", "m"] {
        start(&jobs, &JobSpec { program: program(), ..training(name, &[("how", "learn")]) });
    }
    File::create(gate).unwrap();
    let order: Vec<String> = (0..4).map(|_| setting.told().0).collect();
    assert_eq!(order, ["a", "z", "b", "m"]);
}

#[test]
fn what_a_program_leaves_running_ends_with_it() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    start(&jobs, &training("parent", &[("how", "leave a child")]));
    assert_eq!(setting.told(), ("parent".into(), "Completed".into()));
    // The child has inherited the lock: it is free when nothing of the job lives.
    let lock = setting.directory.path().join("jobs/parent/lock");
    eventually(|| File::open(&lock).unwrap().try_lock().ok());
}

#[test]
fn a_script_that_was_laid_beside_is_executed() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let script = "#!/bin/sh\necho \"$1 $2\" > \"$SM_MODEL_DIR/model.txt\"\n";
    setting.blobs.insert(&path("code/run.sh"), script.as_bytes());
    for (name, word) in [("beside", "run.sh"), ("beside-too", "./run.sh")] {
        let mut job = training(name, &[]);
        job.program = ProgramSpec::Command {
            run: vec![word.into(), "$HOME; exit 1".into()],
            files: [("run.sh".into(), path("code/run.sh"))].into(),
        };
        start(&jobs, &job);
        assert_eq!(setting.told(), (name.into(), "Completed".into()));
        let artifact = setting.blobs.read(&path(&format!("models/{name}/model.tar.gz"))).unwrap();
        let expected = ("model.txt".to_owned(), "$HOME; exit 1 train\n".to_owned());
        assert_eq!(unpacked(&artifact), [expected], "words are words, not a shell's");
    }
}
