//! Runs in a world in memory; every input is delivered twice.

mod holding;
mod planning;
mod preparing;
mod searching;
mod training;
