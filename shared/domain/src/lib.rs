//! The nouns, events and bounds of Millrace: pure values, no IO, no clock, no randomness.

pub mod digest;
pub mod time;
pub mod limit;
pub mod name;
pub mod problem;
pub mod pipeline;
pub mod envelope;
pub mod event;
pub mod key;
pub mod row;
pub mod path;
pub mod input;
pub mod policy;

pub use digest::Digest;



pub use name::PipelineName;
pub use path::BlobPath;
pub use problem::Problem;
pub use time::Time;
