//! The data engine: readers, contract checks, features, profiles, drift statistics, metrics.
//!
//! Sans-IO: it is fed bytes, or answers which range of a file it needs; whoever composes owns
//! files, threads and scratch space.

pub mod record;
pub mod table;
pub mod text;
mod window;
// Reading and checking.
pub mod check;
pub mod contract;
pub mod csv;
pub mod intake;
pub mod part;
pub mod profile;
pub mod source;
pub mod yaml;
// From rows to what a model sees.
pub mod answer;
pub mod expression;
pub mod features;
pub mod split;
// Statistics.
pub mod baseline;
pub mod drift;
pub mod drift_report;
pub mod evaluation;
pub mod evaluation_report;
pub mod linear;
pub mod metrics;
pub mod statistics;
// What people read.
pub mod page;
pub mod report;
