//! The nouns, events and bounds of Millrace: pure values, no IO, no clock, no randomness.

// Identity, time, bounds.
pub mod digest;
pub mod limit;
pub mod name;
pub mod path;
pub mod problem;
pub mod time;
// What a person declares.
pub mod budget;
pub mod pipeline;
pub mod tuning;
// What happened, and what is so.
pub mod envelope;
pub mod event;
pub mod key;
pub mod row;
pub mod trial;
// What comes in.
pub mod input;

pub use digest::Digest;
pub use envelope::{Actor, Draft, Envelope};
pub use event::Event;
pub use input::Input;
pub use key::Key;
pub use name::PipelineName;
pub use path::BlobPath;
pub use pipeline::Pipeline;
pub use problem::Problem;
pub use time::Time;
