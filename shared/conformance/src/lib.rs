//! What every adapter of a port must do, as plain functions whose names are the claims.
//!
//! Each function is given a fresh adapter and panics where the claim does not hold; each module
//! has one function that runs them all. Memory, one machine and AWS are all held to these.

pub mod blobs;
pub mod endpoints;
pub mod jobs;
pub mod notices;
pub mod race;
pub mod records;

pub use race::{Race, Task, threads};
