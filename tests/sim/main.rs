//! The real functions over the real wiring in a deployment in memory whose every step a seed, or
//! an enumeration, decides: what must always hold, does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod calm;
mod exhaustive;
mod people;
mod regressions;
mod seeds;
mod storms;
mod toy;
mod whole;
