//! How is a program run under a guard, asked to end, and found to have ended?

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::warn;

use crate::bound::{KILLED_WAIT, LOOK};
use crate::guard::{Ended, KILL, TERMINATE};
use crate::spec::{ENDED, Program, SPEC, Task};
use crate::{clock, log, record};

/// A program under a guard. Dropping it ends the program.
#[derive(Debug)]
pub(crate) struct Guarded {
    directory: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    guard: Child,
    words: ChildStdin,
    /// Closed when everything printed is in the log.
    logged: Receiver<()>,
    ended: Option<Ended>,
}

impl Guarded {
    /// Starts a program under a guard whose records go to `directory`; what the program prints is
    /// kept in `log`.
    pub(crate) fn start(
        supervise: &[String],
        directory: &Path,
        program: Program,
        log: &Path,
    ) -> Result<Guarded, String> {
        record::remove(directory)?;
        std::fs::create_dir_all(directory).map_err(record::at("create", directory))?;
        record::write(&directory.join(SPEC), &Task::Program(program))?;
        let (first, rest) = supervise.split_first().ok_or("start a guard: no words")?;
        let failed = |error: std::io::Error| format!("start a guard: {first}: {error}");
        let (mut output, input) = std::io::pipe().map_err(failed)?;
        let mut command = Command::new(first);
        command.args(rest).arg(directory).stdin(Stdio::piped());
        command.stdout(input.try_clone().map_err(failed)?).stderr(input);
        // What is typed at a terminal is not for it.
        let mut guard = command.process_group(0).spawn().map_err(failed)?;
        // The command holds the pipe's other end: without it the output ends with the program.
        drop(command);
        let words = guard.stdin.take().expect("standard input was asked for as a pipe");
        let (done, logged) = mpsc::channel();
        let path = log.to_owned();
        std::thread::spawn(move || {
            let _done = done;
            if let Err(error) = log::keep(&mut output, &path) {
                warn!(path = %path.display(), %error, "what a program prints is kept no more");
                // A closed pipe would end the program, and a full disk is not its fault.
                let _ = std::io::copy(&mut output, &mut std::io::sink());
            }
        });
        let inner = Inner { guard, words, logged, ended: None };
        Ok(Guarded { directory: directory.to_owned(), inner: Mutex::new(inner) })
    }

    /// How the program ended; none while it runs.
    pub(crate) fn ended(&self) -> Option<Ended> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.ended.is_none() && !matches!(inner.guard.try_wait(), Ok(None)) {
            // A process that left the group may hold the pipe open for ever.
            let _ = inner.logged.recv_timeout(Duration::from_secs(2));
            let ended = record::read(&self.directory.join(ENDED)).ok().flatten();
            inner.ended = Some(ended.unwrap_or(Ended::Unguarded));
        }
        inner.ended.clone()
    }

    /// Waits for the end, at most so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Option<Ended> {
        let begun = clock::now();
        loop {
            let ended = self.ended();
            if ended.is_some() || begun.elapsed() >= at_most {
                return ended;
            }
            clock::pause(LOOK.min(at_most));
        }
    }

    /// Asks the program to end.
    pub(crate) fn terminate(&self) {
        self.say(TERMINATE);
    }

    /// Ends the program, and waits until it has ended.
    pub(crate) fn kill(&self) {
        self.say(KILL);
        self.wait(KILLED_WAIT);
    }

    /// Asks the program to end, and makes it after a while.
    pub(crate) fn end(&self, grace: Duration) {
        self.terminate();
        if self.wait(grace).is_none() {
            self.kill();
        }
    }

    fn say(&self, word: u8) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // It fails where the guard has ended, and the program with it.
        let _ = inner.words.write_all(&[word]);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Waiting takes the guard from the system's table of processes.
        self.kill();
    }
}
