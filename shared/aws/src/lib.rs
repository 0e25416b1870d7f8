//! Aws: the adapters that stand on DynamoDB, S3 and EventBridge.
//!
//! The only place that knows the AWS SDK, and left out of the default build for its size.

mod bucket;
mod bus;
mod clients;
mod error;
mod settings;
mod table;

pub use bucket::Bucket;
pub use bus::EventBus;
pub use clients::Clients;
pub use settings::{Credentials, MissingSettings, Settings};
pub use table::Table;
