//! Whether the ports meet AWS: adapters and executables against an AWS-compatible server.

mod adapters;
mod functions;
mod misbehaving;
