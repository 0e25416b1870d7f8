//! The rules of a check: when it is due, which window it looks at, what it says and leads to.

use domain::pipeline::Monitoring;
use domain::row::{CheckVerdict, Endpoint};
use domain::{BlobPath, Time};
use serde::{Deserialize, Serialize};

/// A summary is one line for people; the report has the rest.
const SUMMARY_CHARS_MAX: usize = 400;

/// How far checks have come (`cursor/drift`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When the last check was made.
    pub at: Time,
    /// The endpoint it looked at.
    pub endpoint: String,
    /// The newest captured file it knew.
    pub last: Option<BlobPath>,
}

/// Whether a tick should check: enough time has passed since the last check and since the
/// endpoint changed.
pub fn due(monitoring: &Monitoring, endpoint: &Endpoint, cursor: Option<&Cursor>, now: Time) -> bool {
    let last = cursor.map_or(endpoint.since, |cursor| cursor.at.max(endpoint.since));
    now >= last.plus(i64::from(monitoring.every_hours) * Time::HOUR)
}

/// Whether there is traffic that the last check did not know.
pub fn is_new(files: &[BlobPath], endpoint: &str, cursor: Option<&Cursor>) -> bool {
    let known = cursor.filter(|cursor| cursor.endpoint == endpoint).and_then(|cursor| cursor.last.as_ref());
    match (files.last(), known) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(newest), Some(known)) => newest > known,
    }
}

/// The window: `window_days` back, but not before the version that answers took over.
pub fn window(monitoring: &Monitoring, endpoint: &Endpoint, now: Time) -> (Time, Time) {
    let from = now.plus(-i64::from(monitoring.window_days) * Time::DAY).plus(1);
    (from.max(endpoint.since).min(now), now)
}

/// Whether a verdict asks for retraining.
pub fn asks_for_retraining(verdict: CheckVerdict) -> bool {
    matches!(verdict, CheckVerdict::Drift | CheckVerdict::ConceptDrift)
}

/// A check in one line: the reasons, gravest first, as many as fit, and what could not be read.
pub fn summary(reasons: &[String], unreadable: u64, cut: bool) -> String {
    let mut line = String::new();
    for reason in reasons {
        let fits = line.chars().count() + reason.chars().count() + 2 <= SUMMARY_CHARS_MAX;
        if !line.is_empty() && !fits {
            break;
        }
        if !line.is_empty() {
            line.push_str("; ");
        }
        line.extend(reason.chars().take(SUMMARY_CHARS_MAX));
    }
    if unreadable > 0 {
        line.push_str(&format!("; {unreadable} captured requests or rows could not be read"));
    }
    if cut {
        line.push_str("; older traffic was left out");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn endpoint(since: &str) -> Endpoint {
        Endpoint {
            name: "taxi".into(),
            champion: 1,
            previous: None,
            deployment: "d".into(),
            since: time(since),
        }
    }

    fn cursor(at: &str, last: Option<&str>) -> Cursor {
        let last = last.map(|path| BlobPath::parse(path).unwrap());
        Cursor { at: time(at), endpoint: "taxi".into(), last }
    }

    #[test]
    fn a_check_is_due_every_so_often() {
        let monitoring = Monitoring { every_hours: 24, ..Monitoring::default() };
        let endpoint = endpoint("2020-01-10");
        for (last, now, expected) in [
            (None, "2020-01-10T23:59:59Z", false),
            (None, "2020-01-11", true),
            (Some("2020-01-11"), "2020-01-11T12:00:00Z", false),
            (Some("2020-01-11"), "2020-01-12", true),
            // The endpoint changed after the last check: its traffic is young.
            (Some("2020-01-01"), "2020-01-10T12:00:00Z", false),
        ] {
            let cursor = last.map(|at| cursor(at, None));
            assert_eq!(due(&monitoring, &endpoint, cursor.as_ref(), time(now)), expected, "{last:?} {now}");
        }
    }

    #[test]
    fn only_new_traffic_is_worth_a_check() {
        let files = [BlobPath::parse("c/1").unwrap(), BlobPath::parse("c/2").unwrap()];
        for (files, cursor, expected) in [
            (&files[..0], None, false),
            (&files[..], None, true),
            (&files[..], Some(cursor("2020-01-01", Some("c/1"))), true),
            (&files[..], Some(cursor("2020-01-01", Some("c/2"))), false),
            (&files[..], Some(cursor("2020-01-01", None)), true),
        ] {
            assert_eq!(is_new(files, "taxi", cursor.as_ref()), expected, "{files:?} {cursor:?}");
        }
        let known = cursor("2020-01-01", Some("c/9"));
        assert!(is_new(&files, "another", Some(&known)), "another endpoint's traffic was never looked at");
    }

    #[test]
    fn a_window_does_not_reach_behind_the_version_that_answers() {
        let monitoring = Monitoring { window_days: 10, ..Monitoring::default() };
        let now = time("2020-01-31");
        for (since, from) in [("2020-01-01", "2020-01-21T00:00:00.001Z"), ("2020-01-25", "2020-01-25")] {
            assert_eq!(window(&monitoring, &endpoint(since), now), (time(from), now));
        }
    }

    #[test]
    fn a_summary_is_one_bounded_line() {
        let reasons = ["the error has grown".to_owned(), "a drifted".to_owned()];
        assert_eq!(summary(&reasons, 0, false), "the error has grown; a drifted");
        assert_eq!(
            summary(&reasons[..1], 3, true),
            "the error has grown; 3 captured requests or rows could not be read; older traffic was left out"
        );
        let many = vec!["x".repeat(150); 10];
        assert_eq!(summary(&many, 0, false).chars().count(), 302);
    }

    #[test]
    fn only_drift_asks_for_retraining() {
        use CheckVerdict::{ConceptDrift, Drift, InsufficientData, Ok, Warning};
        for (verdict, expected) in
            [(InsufficientData, false), (Ok, false), (Warning, false), (Drift, true), (ConceptDrift, true)]
        {
            assert_eq!(asks_for_retraining(verdict), expected, "{verdict}");
        }
    }
}
