//! boost.
