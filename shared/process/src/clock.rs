//! How does this machine's time pass? Supervision is about real seconds, also where the events'
//! clock is a virtual one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment to measure from.
#[expect(clippy::disallowed_methods, reason = "time limits of processes are in this machine's time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A job's duration in seconds, of which every one that has begun counts, as SageMaker bills them.
pub(crate) fn begun_seconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970, for durations that outlive a process.
#[expect(clippy::disallowed_methods, reason = "a duration that outlives its process needs the wall clock")]
pub(crate) fn wall_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Waits before looking again.
#[expect(clippy::disallowed_methods, reason = "a child process tells nobody when it ends")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
