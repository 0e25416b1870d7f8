//! Whether the adapters of one machine do what every adapter must, and what is theirs alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod directory;
mod model;
mod outlet;
mod records;
mod tampering;
mod webhook;
