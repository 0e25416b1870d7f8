//! What a function tells of itself: one JSON object a line, as Lambda's log filter reads it.

use std::panic;

use tracing::error;
use tracing_subscriber::filter::LevelFilter;

/// Tells events of the level in `AWS_LAMBDA_LOG_LEVEL` (else `INFO`) and above, with RFC 3339
/// time, level and the span they happened in; and panics like every other error.
/// To be called once, before anything else.
#[expect(clippy::disallowed_methods, reason = "Lambda says the level in the environment")]
pub fn telemetry() {
    let told = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let level = level(told.as_deref());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_max_level(level)
        .init();
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let why = panic.payload_as_str().unwrap_or("it does not say why");
        error!(place, "panicked: {why}");
    }));
}

/// Lambda spells levels in capitals, and calls errors that end everything `FATAL`.
fn level(told: Option<&str>) -> LevelFilter {
    match told.map(str::to_ascii_uppercase).as_deref() {
        Some("TRACE") => LevelFilter::TRACE,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some("WARN") => LevelFilter::WARN,
        Some("ERROR" | "FATAL") => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_lambda_is_understood() {
        for (told, expected) in [
            (None, LevelFilter::INFO),
            (Some("INFO"), LevelFilter::INFO),
            (Some("debug"), LevelFilter::DEBUG),
            (Some("WARN"), LevelFilter::WARN),
            (Some("FATAL"), LevelFilter::ERROR),
            (Some("TRACE"), LevelFilter::TRACE),
            (Some("nonsense"), LevelFilter::INFO),
        ] {
            assert_eq!(level(told), expected, "{told:?}");
        }
    }
}
