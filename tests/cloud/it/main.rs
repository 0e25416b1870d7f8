//! Whether the ports meet AWS: adapters and executables against an AWS-compatible server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod adapters;
mod functions;
mod misbehaving;
