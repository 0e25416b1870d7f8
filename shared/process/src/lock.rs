//! Does something of a job live? Its directory is locked as long as it does.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use rustix::io::{FdFlags, fcntl_setfd};

const LOCK: &str = "lock";

fn open(directory: &Path) -> Result<File, String> {
    let path = directory.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    file.map_err(|error| format!("open {}: {error}", path.display()))
}

/// Locks a directory for this process and every process it starts from now on; waits while
/// another has it. Only for a process that does nothing else.
pub(crate) fn take_with_children(directory: &Path) -> Result<File, String> {
    let file = open(directory)?;
    file.lock().map_err(|error| format!("lock {}: {error}", directory.display()))?;
    fcntl_setfd(&file, FdFlags::empty())
        .map_err(|error| format!("hand on the lock of {}: {error}", directory.display()))?;
    Ok(file)
}

/// Locks a directory for this process alone; none where another has it.
pub(crate) fn take(directory: &Path) -> Result<Option<File>, String> {
    let file = open(directory)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(format!("lock {}: {error}", directory.display())),
    }
}

/// Whether somebody has the lock of a directory.
pub(crate) fn is_held(directory: &Path) -> Result<bool, String> {
    let file = open(directory)?;
    // Shared, so that two who look do not see each other.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(format!("lock {}: {error}", directory.display())),
    }
}
