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

    /// Says to a process of this very test that it is to panic.
    const PANICS: &str = "MILLRACE_TEST_PANICS";

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the process that panics is told so")]
    fn a_panic_is_told_in_a_line_of_json_with_its_place_and_its_event() {
        if std::env::var(PANICS).is_ok() {
            telemetry();
            let span = tracing::info_span!("event", event = "taxi-1");
            span.in_scope(|| panic!("rows \"and\" rows"));
        }
        let ran = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "telemetry::tests::a_panic_is_told_in_a_line_of_json_with_its_place_and_its_event",
            ])
            .env(PANICS, "1")
            .output()
            .unwrap();
        assert!(!ran.status.success());
        let text = String::from_utf8(ran.stdout).unwrap();
        // The test's own words are no JSON.
        let lines: Vec<serde_json::Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let [line] = lines.as_slice() else { panic!("{text}") };
        assert_eq!((&line["level"], &line["span"]["event"]), (&"ERROR".into(), &"taxi-1".into()), "{line}");
        assert_eq!(line["message"], "panicked: rows \"and\" rows");
        assert!(line["place"].as_str().unwrap().contains("telemetry.rs:"), "{line}");
        assert!(line["timestamp"].as_str().unwrap().parse::<domain::Time>().is_ok(), "{line}");
    }
}
