//! Runtime: executes the template on one machine: queue, schedules, dead letters, HTTP.
