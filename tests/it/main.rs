//! The one integration binary: the command as people run it, and the rules of the layout.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod bad;
mod boto;
mod budgets;
mod chance;
mod command;
mod damage;
mod data;
mod drift;
mod examples;
mod hostile;
mod http;
mod incoming;
mod kill;
mod liars;
mod odd;
mod policies;
mod real;
mod remnants;
mod restart;
mod server;
mod small;
mod story;
mod surface;
mod tamper;
mod tidy;
mod tuning;
mod uploads;
