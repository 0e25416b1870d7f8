//! A whole deployment in memory, for tests: every port in a map, and a world that holds them.

pub mod memory;
pub mod world;

pub use memory::{MemoryBlobs, MemoryBus, MemoryEndpoints, MemoryJobs, MemoryNotices, MemoryRecords};
pub use world::{Clock, World};
