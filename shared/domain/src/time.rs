//! A moment in time, to the millisecond, in UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z; written as RFC 3339, for example
/// `2026-11-23T09:00:00.000Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// Milliseconds in a second, an hour and a day.
    pub const SECOND: i64 = 1_000;
    /// Milliseconds in an hour.
    pub const HOUR: i64 = 3_600 * Time::SECOND;
    /// Milliseconds in a day.
    pub const DAY: i64 = 24 * Time::HOUR;
    /// The last moment that can be written in any time zone with a four-digit year.
    pub const MAX: Time = Time(253_402_207_199_999);

    /// A moment from milliseconds since the epoch.
    /// Moments outside the years 0000–9999 are drawn to the nearest end.
    pub fn from_millis(millis: i64) -> Time {
        Time(millis.clamp(-62_167_219_200_000, Time::MAX.0))
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The moment some milliseconds later (or earlier, if negative).
    #[must_use]
    pub fn plus(self, millis: i64) -> Time {
        Time::from_millis(self.0.saturating_add(millis))
    }

    /// The calendar date, `YYYY-MM-DD`.
    pub fn date(self) -> String {
        self.to_string()[..10].to_owned()
    }

    /// The calendar month, `YYYY-MM`.
    pub fn month(self) -> String {
        self.to_string()[..7].to_owned()
    }

    fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).expect("years 0000–9999 fit jiff's range")
    }
}

/// Whose time is told: a replay's events must not pass for the real ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    /// The machine's.
    #[default]
    Real,
    /// One that moves only when a person moves it: of demonstrations and replays.
    Virtual,
}

impl ClockKind {
    /// Whether it is the machine's.
    pub fn is_real(&self) -> bool {
        *self == ClockKind::Real
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.jiff())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = String;

    /// Reads RFC 3339 (`2026-11-23T09:00:00Z`), or a bare date, meaning its first moment in UTC.
    fn from_str(text: &str) -> Result<Time, String> {
        let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let moment: jiff::Timestamp = full.parse().map_err(|_| {
            format!("expected a date (2026-11-23) or an RFC 3339 time (2026-11-23T09:00:00Z), found {text:?}")
        })?;
        Ok(Time::from_millis(moment.as_millisecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_with_milliseconds() {
        let time: Time = "2026-11-23T10:00:00.5+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-23T09:00:00.500Z");
        assert_eq!(time.millis(), 1_795_424_400_500);
        assert_eq!((time.date().as_str(), time.month().as_str()), ("2026-11-23", "2026-11"));
        assert_eq!("2018-01-31".parse::<Time>().unwrap().to_string(), "2018-01-31T00:00:00.000Z");
    }

    #[test]
    fn every_moment_can_be_written_and_read_back() {
        for time in
            [Time::MAX, Time::from_millis(i64::MIN), Time::from_millis(i64::MAX), Time::from_millis(0)]
        {
            assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "yesterday", "2026-13-01", "2026-02-30"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }
}
