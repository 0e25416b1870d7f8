//! How time passes: to the next thing that is due, with every schedule's tick.

use std::sync::Arc;

use domain::Time;

use super::Deployment;
use crate::delivery::{self, Source};

impl Deployment {
    /// When something is due next: a delivery to be tried again, or a tick.
    pub fn next_time(&self) -> Time {
        let later = |due: &Time| *due > self.now;
        let retries = self.deliveries.values().filter(|it| !it.is_taken).map(|it| it.due).filter(later);
        let every = self.wiring.functions.iter().flat_map(|function| &function.schedules);
        let ticks = every.map(|schedule| {
            let every = schedule.every_millis.max(1);
            Time::from_millis((self.now.millis().div_euclid(every) + 1) * every)
        });
        retries.chain(ticks).min().unwrap_or(self.now.plus(Time::HOUR))
    }

    /// Lets time pass. Schedules tick, once each however much has passed, and what runs longer
    /// than its function may is killed.
    pub fn advance(&mut self, to: Time) {
        self.now = self.now.max(to);
        self.tell("time passes");
        let late = self.tasks.iter().filter(|(_, task)| task.deadline <= self.now);
        for task in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.crash(task);
        }
        let wiring = Arc::clone(&self.wiring);
        for function in &wiring.functions {
            for schedule in &function.schedules {
                let every = schedule.every_millis.max(1);
                let due = Time::from_millis(self.now.millis().div_euclid(every) * every);
                let source = Source::Schedule(schedule.name.clone());
                let piles_up =
                    self.deliveries.values().any(|it| it.function == function.name && it.source == source);
                let key = (function.name.clone(), schedule.name.clone());
                if self.ticked.get(&key) == Some(&due) || piles_up {
                    continue;
                }
                self.ticked.insert(key, due);
                self.push(&function.name, delivery::tick(&schedule.name, due), source);
            }
        }
    }
}
