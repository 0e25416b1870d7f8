//! Nothing but the home of the integration binary and the benches.
