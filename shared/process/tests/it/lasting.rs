//! Do jobs outlive their owners, their supervisors and their machine?

use std::fs::{self, File};

use futures::executor::block_on;
use ports::{ErrorKind, JobState, Jobs, Started};
use process::{ProcessOptions, Processes};

use crate::setting::{Setting, eventually, path, training};

#[test]
fn a_job_outlives_its_owner() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let gate = setting.gate();
    let job = training("lasting", &[("how", "wait"), ("gate", gate.to_str().unwrap())]);
    block_on(jobs.start(&job)).unwrap();
    eventually(|| block_on(jobs.status("lasting")).unwrap().progress);
    drop(jobs);
    let jobs = Processes::open(setting.jobs()).unwrap();
    assert_eq!(block_on(jobs.start(&job)).unwrap(), Started::Before);
    assert_eq!(block_on(jobs.status("lasting")).unwrap().state, JobState::Running);
    File::create(gate).unwrap();
    assert_eq!(setting.told(), ("lasting".into(), "Completed".into()));
    assert!(setting.blobs.read(&path("models/lasting/model.tar.gz")).is_some());
    let attempts = fs::read_to_string(setting.directory.path().join("jobs/lasting/attempts.json")).unwrap();
    assert_eq!(attempts, "1", "it went on, and did not begin anew");
}

#[test]
fn a_job_that_ended_unseen_is_collected() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let gate = setting.gate();
    let job = training("unseen", &[("how", "wait"), ("gate", gate.to_str().unwrap())]);
    block_on(jobs.start(&job)).unwrap();
    eventually(|| block_on(jobs.status("unseen")).unwrap().progress);
    drop(jobs);
    File::create(gate).unwrap();
    let exit = setting.directory.path().join("jobs/unseen/exit.json");
    eventually(|| exit.exists().then_some(()));
    assert!(setting.blobs.read(&path("models/unseen/model.tar.gz")).is_none(), "nobody was there");
    let jobs = Processes::open(setting.jobs()).unwrap();
    assert_eq!(setting.told(), ("unseen".into(), "Completed".into()));
    assert_eq!(block_on(jobs.status("unseen")).unwrap().state, JobState::Completed);
    assert!(setting.blobs.read(&path("models/unseen/model.tar.gz")).is_some());
    drop(jobs);
    let _jobs = Processes::open(setting.jobs()).unwrap();
    assert!(setting.events.try_recv().is_err(), "what was told is not told again");
}

#[test]
fn waiting_jobs_and_requests_to_stop_outlive_their_owner() {
    let setting = Setting::new();
    let jobs = Processes::open(ProcessOptions { at_once: 1, ..setting.jobs() }).unwrap();
    let gate = setting.gate();
    let wait = [("how", "wait"), ("gate", gate.to_str().unwrap())];
    for name in ["works", "waits"] {
        block_on(jobs.start(&training(name, &wait))).unwrap();
    }
    eventually(|| block_on(jobs.status("works")).unwrap().progress);
    drop(jobs);
    File::create(setting.directory.path().join("jobs/works/stop")).unwrap();
    let jobs = Processes::open(ProcessOptions { at_once: 1, ..setting.jobs() }).unwrap();
    assert_eq!(setting.told(), ("works".into(), "Stopped".into()));
    File::create(gate).unwrap();
    assert_eq!(setting.told(), ("waits".into(), "Completed".into()));
    drop(jobs);
}

/// The processes whose command ends with a word.
#[cfg(target_os = "linux")]
pub(crate) fn processes_called_with(word: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(id) = entry.file_name().to_string_lossy().parse() else { continue };
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if command.strip_suffix(b"\0").unwrap_or_default().ends_with(word.as_bytes()) {
            found.push(id);
        }
    }
    found
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_whose_supervisor_is_killed_begins_anew() {
    use rustix::process::{Pid, Signal, kill_process};
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let trace = setting.directory.path().join("trace");
    let job = training("anew", &[("how", "once more"), ("trace", trace.to_str().unwrap())]);
    block_on(jobs.start(&job)).unwrap();
    eventually(|| block_on(jobs.status("anew")).unwrap().progress);
    let directory = setting.directory.path().canonicalize().unwrap().join("jobs/anew");
    let supervisors = processes_called_with(&format!("\0{}", directory.display()));
    let [supervisor] = supervisors[..] else { panic!("one supervisor: {supervisors:?}") };
    kill_process(Pid::from_raw(supervisor).unwrap(), Signal::KILL).unwrap();
    assert_eq!(setting.told(), ("anew".into(), "Completed".into()));
    assert_eq!(fs::read_to_string(trace).unwrap(), "began\nbegan\n");
}

#[test]
fn a_supervisor_that_never_comes_to_a_result_is_given_up() {
    let setting = Setting::new();
    let options = ProcessOptions { supervise: vec!["false".into()], ..setting.jobs() };
    let jobs = Processes::open(options).unwrap();
    block_on(jobs.start(&training("hopeless", &[("how", "learn")]))).unwrap();
    assert_eq!(setting.told(), ("hopeless".into(), "Failed".into()));
    let reason = "its supervisor ended 3 times without a result".into();
    assert_eq!(block_on(jobs.status("hopeless")).unwrap().state, JobState::Failed { reason });
}

#[test]
fn a_start_that_was_cut_short_never_was() {
    let setting = Setting::new();
    let half = setting.directory.path().join("jobs/.new-half-1");
    fs::create_dir_all(&half).unwrap();
    let jobs = Processes::open(setting.jobs()).unwrap();
    assert!(!half.exists());
    assert_eq!(block_on(jobs.status("half")).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}

#[test]
fn a_directory_of_jobs_has_one_owner() {
    let setting = Setting::new();
    let jobs = Processes::open(setting.jobs()).unwrap();
    let second = Processes::open(setting.jobs()).map_err(|error| error.kind());
    assert_eq!(second.err(), Some(ErrorKind::Conflict));
    drop(jobs);
    Processes::open(setting.jobs()).unwrap();
}
