//! How does a program end when whoever wanted it is gone? Its guard, a process between the two,
//! reads from a pipe that closes with the other's life.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde::{Deserialize, Serialize};

use crate::record;
use crate::spec::{ENDED, Program};

/// Asks the guard to ask the program to end.
pub(crate) const TERMINATE: u8 = b't';
/// Asks the guard to end the program.
pub(crate) const KILL: u8 = b'k';

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// It could not be started: why.
    NotStarted(String),
    /// With an exit code.
    Exit(i32),
    /// By a signal.
    Signal(i32),
    /// Its guard ended without a word.
    Unguarded,
}

impl Ended {
    /// In a sentence.
    pub(crate) fn told(&self) -> String {
        match self {
            Ended::NotStarted(reason) => reason.clone(),
            Ended::Exit(code) => format!("exited with code {code}"),
            Ended::Signal(signal) => format!("was ended by signal {signal}"),
            Ended::Unguarded => "its guard was killed".into(),
        }
    }
}

/// The group's leader is not waited for before the last signal was sent, so a signal never goes
/// to a group of the same number that is another's.
#[derive(Debug, Default)]
enum Group {
    #[default]
    Gone,
    Lives(Pid),
}

/// Runs a program in a group of its own until it ends, and writes down how; ends it and all that
/// it started as soon as standard input is closed.
pub(crate) fn run(directory: &Path, program: &Program) -> Result<(), String> {
    let mut child = match start(program) {
        Ok(child) => child,
        Err(reason) => return record::write(&directory.join(ENDED), &Ended::NotStarted(reason)),
    };
    let pid = Pid::from_child(&child);
    let group = Arc::new(Mutex::new(Group::Lives(pid)));
    let heard = group.clone();
    std::thread::spawn(move || listen(&heard));
    // Looks without taking the leader's number from it.
    let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let status = {
        let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = kill_process_group(pid, Signal::KILL);
        *group = Group::Gone;
        child.wait()
    };
    let status = status.map_err(|error| format!("wait for {}: {error}", program.words[0]))?;
    let ended = match (status.code(), std::os::unix::process::ExitStatusExt::signal(&status)) {
        (Some(code), _) => Ended::Exit(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::Unguarded,
    };
    record::write(&directory.join(ENDED), &ended)
}

fn start(program: &Program) -> Result<Child, String> {
    let (first, rest) = program.words.split_first().ok_or("start a program: no words")?;
    let mut command = Command::new(first);
    command.args(rest).current_dir(&program.directory).env_clear().envs(&program.environment);
    command.stdin(Stdio::null()).process_group(0);
    command.spawn().map_err(|error| format!("start {first}: {error}"))
}

fn listen(group: &Mutex<Group>) {
    let mut input = io::stdin().lock();
    let mut word = [0];
    loop {
        let signal = match input.read(&mut word) {
            Ok(1) if word[0] == TERMINATE => Signal::TERM,
            Ok(1) if word[0] == KILL => Signal::KILL,
            Ok(1) => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(_) | Err(_) => return send(group, Signal::KILL),
        };
        send(group, signal);
    }
}

fn send(group: &Mutex<Group>, signal: Signal) {
    if let Group::Lives(pid) = *group.lock().unwrap_or_else(PoisonError::into_inner) {
        // It fails where the group has just ended, which is what was wanted.
        let _ = kill_process_group(pid, signal);
    }
}
