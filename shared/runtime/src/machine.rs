//! The machine's own clock, for waiting: the clock that events are recorded by may be virtual.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, as the machine's clock said when it was first asked, and counted on
/// from there: waits and retries take as long as they take, also where the clock is moved.
#[expect(clippy::disallowed_methods, reason = "waits and retries pass in real time, whatever the clock says")]
pub(crate) fn now_ms() -> i64 {
    static FIRST: OnceLock<(Instant, i64)> = OnceLock::new();
    let first = || {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        (Instant::now(), wall)
    };
    let (begun, wall) = FIRST.get_or_init(first);
    wall + begun.elapsed().as_millis() as i64
}
