//! Relay: carries events from the ledger to the bus.
