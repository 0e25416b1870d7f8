//! Notify: turns events into notices, for those who asked.
