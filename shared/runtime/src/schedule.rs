//! The template's schedules, by the clock that events are recorded by.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::Time;

use crate::bus::Buses;
use crate::machine;
use crate::work::tick;

/// When every schedule fired last.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    last: Mutex<BTreeMap<(String, String), Time>>,
}

impl Schedules {
    /// Queues a tick for each schedule whose time has come, and one for each at the very first
    /// look: a start is when things may have been missed. However much time has passed, a
    /// schedule ticks once.
    ///
    /// # Errors
    /// Where the queue cannot be written.
    pub(crate) fn look(&self, buses: &Buses, now: Time) -> ports::Result<()> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for function in &buses.wiring.functions {
            for schedule in &function.schedules {
                let due = scheduled(now, schedule.every_millis);
                let key = (function.name.clone(), schedule.name.clone());
                if last.get(&key) == Some(&due) {
                    continue;
                }
                let subject = format!("tick/{}", schedule.name);
                let event = tick(&schedule.name, due);
                // Where an earlier tick is still at hand, this one is asked for again at the next look.
                if buses.queue.push(&event, &[&function.name], Some(&subject), machine::now_ms())? > 0 {
                    buses.bell.ring();
                    last.insert(key, due);
                }
            }
        }
        Ok(())
    }
}

/// The newest moment at or before `now` for which a rate of `every_millis` is scheduled.
fn scheduled(now: Time, every_millis: i64) -> Time {
    let every = every_millis.max(1);
    Time::from_millis(now.millis().div_euclid(every) * every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_due_at_multiples_of_its_rate() {
        let time = |text: &str| text.parse::<Time>().unwrap();
        for (now, every, due) in [
            ("2026-01-05T09:04:59.999Z", 300_000, "2026-01-05T09:00:00Z"),
            ("2026-01-05T09:05:00Z", 300_000, "2026-01-05T09:05:00Z"),
            ("2026-01-05T09:59:00Z", 3_600_000, "2026-01-05T09:00:00Z"),
        ] {
            assert_eq!(scheduled(time(now), every), time(due), "{now}");
        }
    }
}
