//! Which processes still belong to a directory: supervisors, guards and programs by their
//! command lines and working directories.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How often the processes of a directory are looked for before they count as there to stay.
const LOOKS_MAX: usize = 2_000;

/// Between two looks.
const MOMENT: Duration = Duration::from_millis(10);

/// The processes that name a directory or work in it, each told by its command line. Looks again
/// while there are some, since a program ends a moment after its guard was told. Only where the
/// system shows its processes as files.
pub(crate) fn remnants(directory: &Path) -> Vec<String> {
    for _ in 0..LOOKS_MAX {
        if found(directory).is_empty() {
            return Vec::new();
        }
        std::thread::park_timeout(MOMENT);
    }
    found(directory).into_iter().map(|(_, words)| words).collect()
}

/// Ends every process that names a directory or works in it.
pub(crate) fn end(directory: &Path) {
    for _ in 0..LOOKS_MAX {
        let processes = found(directory);
        if processes.is_empty() {
            return;
        }
        for (pid, _) in processes {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::park_timeout(MOMENT);
    }
}

fn found(directory: &Path) -> Vec<(Pid, String)> {
    let Ok(directory) = directory.canonicalize() else { return Vec::new() };
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for process in processes.flatten() {
        let number = process.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else { continue };
        let words = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        let works_there =
            std::fs::read_link(process.path().join("cwd")).is_ok_and(|place| place.starts_with(&directory));
        let names_it = words.contains(&*directory.to_string_lossy());
        // One that has ended and is not yet waited for has neither words nor a place.
        if works_there || names_it {
            found.push((pid, words));
        }
    }
    found
}
