//! The one integration binary: the command as people run it, and the rules of the layout.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod chance;
mod command;
mod data;
mod drift;
mod examples;
mod http;
mod incoming;
mod kill;
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
