//! drift.
