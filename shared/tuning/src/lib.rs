//! Tuning: the search over hyperparameters, fed results and answering what to try next. Sans-IO.
//!
//! ```text
//! ask ─► a trial's hyperparameters          tell ─► goes on, or is stopped
//!        wait: an earlier trial must end    finish: the trial is over
//!        done: and why
//! ```
//!
//! **What is reproducible.** The hyperparameters of trial `n`, and whether and where it is
//! stopped, depend on the declaration with its seed and on what the trials `1 ..= n − lag` printed
//! from their beginning to their end, with `lag = 2 · max_parallel − 1`. A trial is begun only
//! when all of those are over; what later ones have shown by then is not looked at. So neither
//! the speed of the machine nor the order in which parallel trials end changes anything, and
//! programs that print the same give the same search (on one platform: logarithms may differ in
//! their last bit between systems' libraries). Not reproducible is only what goes by the clock:
//! the limits on seconds. With one trial at a time nothing is held back (`lag = 1`); with more,
//! one trial may be ahead of each that still runs.

// What is declared.
pub mod check;
pub mod request;
// What a program prints.
pub mod metric;
// How a trial is chosen.
mod normal;
mod parzen;
mod random;
mod space;
mod tpe;
// How a trial is stopped.
mod stopping;

mod tuner;

pub use metric::Metric;
pub use tuner::{Asked, Ended, Tuner, Verdict};
