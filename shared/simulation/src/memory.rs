//! Every port over a map behind a lock: no runtime, no files, no time of its own.

mod blobs;
mod endpoints;
mod jobs;
mod outlets;
mod records;

pub use blobs::MemoryBlobs;
pub use endpoints::MemoryEndpoints;
pub use jobs::MemoryJobs;
pub use outlets::{MemoryBus, MemoryNotices};
pub use records::MemoryRecords;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a test has panicked while holding the lock: no adapter leaves its state
/// half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
