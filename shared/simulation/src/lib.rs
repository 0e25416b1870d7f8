//! A whole deployment in memory, for tests: every port in a map; a calm world that holds them;
//! and a deployment of the real functions over the real wiring, whose every step a seed decides.

pub mod check;
pub mod chooser;
pub mod delivery;
pub mod deployment;
pub mod gate;
pub mod gated;
pub mod memory;
pub mod shrink;
pub mod storm;
pub mod story;
pub mod world;

pub use memory::{MemoryBlobs, MemoryBus, MemoryEndpoints, MemoryJobs, MemoryNotices, MemoryRecords};
pub use world::{Clock, World};
