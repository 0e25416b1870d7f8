//! Drift is found where it is, and only there.
