//! Boost: gradient-boosted trees that learn and serve by SageMaker's container contract.
//!
//! `boost train` reads channels under `/opt/ml/input`, applies `features.json` to the raw serving
//! columns, learns, and leaves three files in `/opt/ml/model`: `model.json` (XGBoost's format, so
//! any XGBoost can serve it), `features.json` as it came, and `boost.json` (categories, classes).
//! `boost serve` answers `/ping` and `/invocations` from those three.

pub mod artifact;
pub mod command;
pub mod encoding;
pub mod failure;
mod hess;
pub mod hyperparameters;
pub mod labels;
pub mod place;
pub mod request;
pub mod rows;
pub mod serve;
pub mod train;
pub mod trainer;

pub use failure::Failure;
pub use place::Place;
