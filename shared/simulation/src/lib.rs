//! A deployment in memory.
