//! Local: the adapters of one machine: a directory, SQLite, files and webhooks, a clock.

mod clock;
mod directory;
mod outlet;
mod records;

mod fault;
mod line;

pub use clock::Clock;
pub use directory::Directory;
pub use outlet::Outlet;
pub use records::{Listener, SqliteRecords};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic while the lock was held: nothing here leaves its state half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
