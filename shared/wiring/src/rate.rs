//! How often a schedule ticks: `rate(5 minutes)` in milliseconds.

/// What is read; anything else, `cron(…)` and `at(…)` among it, is refused.
pub(crate) const EXPECTED: &str =
    "rate(1 minute), rate(n minutes), rate(1 hour), rate(n hours), rate(1 day) or rate(n days)";

/// Reads a rate; none where it is not one.
pub(crate) fn millis(text: &str) -> Option<i64> {
    let inner = text.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'))?;
    let (count, unit) = inner.split_once(' ')?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) || count.starts_with('0') {
        return None;
    }
    let count: i64 = count.parse().ok()?;
    let unit = match (count, unit) {
        (1, "minute") | (2.., "minutes") => 60 * domain::Time::SECOND,
        (1, "hour") | (2.., "hours") => domain::Time::HOUR,
        (1, "day") | (2.., "days") => domain::Time::DAY,
        _ => return None,
    };
    count.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_eventbridge_documents_them() {
        for (text, expected) in [
            ("rate(1 minute)", 60_000),
            ("rate(5 minutes)", 300_000),
            ("rate(1 hour)", 3_600_000),
            ("rate(12 hours)", 43_200_000),
            ("rate(1 day)", 86_400_000),
            ("rate(30 days)", 2_592_000_000),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "cron(0 10 * * ? *)",
            "at(2026-11-24T00:00:00)",
            "rate(0 minutes)",
            "rate(1 minutes)",
            "rate(5 minute)",
            "rate(-5 minutes)",
            "rate(+5 minutes)",
            "rate(5 seconds)",
            "rate(5  minutes)",
            "rate(5 minutes",
            "rate(9223372036854775807 days)",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
