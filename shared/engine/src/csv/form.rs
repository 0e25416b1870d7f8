//! In which form dates and times are written: the ISO forms, and the common JDK patterns.

use std::fmt;

/// How a date or a timestamp is written in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// ISO 8601: `2026-11-23`; for timestamps `2026-11-23T09:00[:00[.123]][Z|+01:00]`, with a
    /// space in place of the `T` as well.
    Iso,
    /// A pattern in the letters of the JDK's `DateTimeFormatter`.
    Pattern(Pattern),
}

/// A pattern that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Literal(String),
    Digits(Part, usize),
    Zone,
    Optional(Vec<Item>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Fraction,
}

/// Whether the offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// It may be; without it the time is UTC.
    May,
    /// It has to be.
    Must,
    /// It must not be; the time is UTC.
    Never,
}

#[derive(Clone, Copy, Default)]
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    millis: i64,
    offset_minutes: Option<i64>,
}

impl Form {
    /// Understands a JDK pattern: `yyyy MM dd HH mm ss S… Z X XX XXX`, quoted texts, `[optional]`
    /// parts and punctuation. Anything else is refused by name.
    pub fn of_pattern(pattern: &str) -> Result<Form, String> {
        let mut rest = pattern;
        let items = items_of(&mut rest, 0)?;
        if !rest.is_empty() {
            return Err("a `]` without its `[`".to_owned());
        }
        let has = |part: Part| count_of(&items, part) > 0;
        if !(has(Part::Year) && has(Part::Month) && has(Part::Day)) {
            return Err("a pattern with year (yyyy), month (MM) and day (dd)".to_owned());
        }
        let parts =
            [Part::Year, Part::Month, Part::Day, Part::Hour, Part::Minute, Part::Second, Part::Fraction];
        if parts.iter().any(|&part| count_of(&items, part) > 1) {
            return Err("each part once".to_owned());
        }
        Ok(Form::Pattern(Pattern { text: pattern.to_owned(), items }))
    }

    /// Days since 1970-01-01.
    #[inline]
    pub fn date(&self, text: &str) -> Option<i32> {
        let fields = match self {
            Form::Iso => {
                let mut rest = text.as_bytes();
                let fields = iso_date(&mut rest)?;
                if !rest.is_empty() {
                    return None;
                }
                fields
            }
            Form::Pattern(pattern) => pattern.fields(text)?,
        };
        i32::try_from(days(&fields)?).ok()
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; what is finer than a millisecond is dropped.
    #[inline]
    pub fn timestamp(&self, text: &str, offset: Offset) -> Option<i64> {
        let fields = match self {
            Form::Iso => iso_timestamp(text.as_bytes())?,
            Form::Pattern(pattern) => pattern.fields(text)?,
        };
        match (offset, fields.offset_minutes) {
            (Offset::Must, None) | (Offset::Never, Some(_)) => return None,
            _ => {}
        }
        let in_range = fields.hour < 24 && fields.minute < 60 && fields.second < 60;
        if !in_range {
            return None;
        }
        let minutes = fields.hour * 60 + fields.minute - fields.offset_minutes.unwrap_or(0);
        Some(days(&fields)? * 86_400_000 + minutes * 60_000 + fields.second * 1_000 + fields.millis)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Iso => f.write_str("ISO 8601"),
            Form::Pattern(pattern) => f.write_str(&pattern.text),
        }
    }
}

impl Pattern {
    fn fields(&self, text: &str) -> Option<Fields> {
        let mut fields = Fields::default();
        let mut rest = text.as_bytes();
        read_items(&self.items, &mut rest, &mut fields)?;
        rest.is_empty().then_some(fields)
    }
}

fn items_of(rest: &mut &str, depth: usize) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    while let Some(first) = rest.chars().next() {
        let run = rest.chars().take_while(|&c| c == first).count();
        let letters = || first.to_string().repeat(run);
        match first {
            '\'' => {
                let inside = &rest[1..];
                let end = inside.find('\'').ok_or("a quote that is closed")?;
                let literal = if end == 0 { "'" } else { &inside[..end] };
                items.push(Item::Literal(literal.to_owned()));
                *rest = &inside[end + 1..];
                continue;
            }
            '[' => {
                if depth >= 3 {
                    return Err("optional parts at most three deep".to_owned());
                }
                *rest = &rest[1..];
                items.push(Item::Optional(items_of(rest, depth + 1)?));
                *rest = rest.strip_prefix(']').ok_or("a `]` for each `[`")?;
                continue;
            }
            ']' => return Ok(items),
            'y' | 'u' if run == 4 => items.push(Item::Digits(Part::Year, 4)),
            'M' if run == 2 => items.push(Item::Digits(Part::Month, 2)),
            'd' if run == 2 => items.push(Item::Digits(Part::Day, 2)),
            'H' if run == 2 => items.push(Item::Digits(Part::Hour, 2)),
            'm' if run == 2 => items.push(Item::Digits(Part::Minute, 2)),
            's' if run == 2 => items.push(Item::Digits(Part::Second, 2)),
            'S' if run <= 9 => items.push(Item::Digits(Part::Fraction, run)),
            'Z' | 'X' | 'x' if run <= 3 => items.push(Item::Zone),
            c if c.is_ascii_alphabetic() => {
                return Err(format!("yyyy, MM, dd, HH, mm, ss, S, Z or X; `{}` is not read", letters()));
            }
            '{' | '}' | '#' => return Err(format!("no `{first}`: it is reserved")),
            c => {
                items.push(Item::Literal(c.to_string()));
                *rest = &rest[c.len_utf8()..];
                continue;
            }
        }
        *rest = &rest[run..];
    }
    Ok(items)
}

fn count_of(items: &[Item], wanted: Part) -> usize {
    let count = |item: &Item| match item {
        Item::Digits(part, _) => usize::from(*part == wanted),
        Item::Optional(inside) => count_of(inside, wanted),
        Item::Literal(_) | Item::Zone => 0,
    };
    items.iter().map(count).sum()
}

fn read_items(items: &[Item], rest: &mut &[u8], fields: &mut Fields) -> Option<()> {
    for item in items {
        match item {
            Item::Literal(literal) => *rest = rest.strip_prefix(literal.as_bytes())?,
            Item::Digits(Part::Fraction, count) => fields.millis = millis_of(take(rest, *count)?)?,
            Item::Digits(part, count) => {
                let number = digits(take(rest, *count)?)?;
                match part {
                    Part::Year => fields.year = number,
                    Part::Month => fields.month = number,
                    Part::Day => fields.day = number,
                    Part::Hour => fields.hour = number,
                    Part::Minute => fields.minute = number,
                    Part::Second => fields.second = number,
                    Part::Fraction => {}
                }
            }
            Item::Zone => fields.offset_minutes = Some(zone(rest)?),
            Item::Optional(inside) => {
                let (mut ahead, mut tried) = (*rest, *fields);
                if read_items(inside, &mut ahead, &mut tried).is_some() {
                    (*rest, *fields) = (ahead, tried);
                }
            }
        }
    }
    Some(())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    let mut number = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(number)
}

fn millis_of(fraction: &[u8]) -> Option<i64> {
    if fraction.is_empty() || fraction.len() > 9 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let kept = digits(&fraction[..fraction.len().min(3)])?;
    Some(kept * [100, 10, 1][fraction.len().min(3) - 1])
}

/// `Z`, `+hh`, `+hhmm` or `+hh:mm`, in minutes.
fn zone(rest: &mut &[u8]) -> Option<i64> {
    let sign = match take(rest, 1)?[0] {
        b'Z' | b'z' => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = digits(take(rest, 2)?)?;
    if rest.first() == Some(&b':') {
        *rest = &rest[1..];
        let minutes = digits(take(rest, 2)?)?;
        return (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes));
    }
    let minutes = match rest.first() {
        Some(byte) if byte.is_ascii_digit() => digits(take(rest, 2)?)?,
        _ => 0,
    };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn literal(rest: &mut &[u8], byte: u8) -> Option<()> {
    let (first, left) = rest.split_first()?;
    if *first != byte {
        return None;
    }
    *rest = left;
    Some(())
}

fn iso_date(rest: &mut &[u8]) -> Option<Fields> {
    let year = digits(take(rest, 4)?)?;
    literal(rest, b'-')?;
    let month = digits(take(rest, 2)?)?;
    literal(rest, b'-')?;
    let day = digits(take(rest, 2)?)?;
    Some(Fields { year, month, day, ..Fields::default() })
}

fn iso_timestamp(text: &[u8]) -> Option<Fields> {
    let mut rest = text;
    let mut fields = iso_date(&mut rest)?;
    if !matches!(take(&mut rest, 1)?[0], b'T' | b't' | b' ') {
        return None;
    }
    fields.hour = digits(take(&mut rest, 2)?)?;
    literal(&mut rest, b':')?;
    fields.minute = digits(take(&mut rest, 2)?)?;
    if rest.first() == Some(&b':') {
        rest = &rest[1..];
        fields.second = digits(take(&mut rest, 2)?)?;
        if rest.first() == Some(&b'.') {
            rest = &rest[1..];
            let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            fields.millis = millis_of(take(&mut rest, count)?)?;
        }
    }
    if !rest.is_empty() {
        fields.offset_minutes = Some(zone(&mut rest)?);
    }
    rest.is_empty().then_some(fields)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible
/// low-level date algorithms", days_from_civil). `None` if there is no such day.
fn days(fields: &Fields) -> Option<i64> {
    let Fields { year, month, day, .. } = *fields;
    let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > last {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected moments from Python: datetime(...).timestamp() and date.toordinal() - 719163.
    #[test]
    fn iso_forms_are_read() {
        let cases = [
            ("2018-01-31T10:20:30Z", 1_517_394_030_000),
            ("2018-01-31 10:20:30", 1_517_394_030_000),
            ("2018-01-31T10:20", 1_517_394_000_000),
            ("2018-01-31T10:20:30.5", 1_517_394_030_500),
            ("2018-01-31T10:20:30.123456789+01:00", 1_517_390_430_123),
            ("2018-01-31T10:20:30-0530", 1_517_413_830_000),
            ("0000-03-01T00:00:00Z", -62_162_035_200_000),
        ];
        for (text, millis) in cases {
            assert_eq!(Form::Iso.timestamp(text, Offset::May), Some(millis), "{text}");
        }
        assert_eq!(Form::Iso.date("1970-01-01"), Some(0));
        assert_eq!(Form::Iso.date("2000-02-29"), Some(11_016));
        assert_eq!(Form::Iso.date("1900-03-01"), Some(-25_508));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2018-01-31",
            "2018-02-30T00:00:00",
            "2018-13-01T00:00:00",
            "2018-01-01T24:00:00",
            "2018-01-01T00:60:00",
            "2018-01-01T00:00:61",
            "2018-01-01T00:00:00.",
            "2018-01-01T00:00:00 ",
            " 2018-01-01T00:00:00",
            "2018-01-01T00:00:00+19:00",
            "2018-01-01T00:00:00é",
            "é018-01-01T00:00:00",
        ] {
            assert_eq!(Form::Iso.timestamp(text, Offset::May), None, "{text}");
        }
        for text in ["1900-02-29", "2018-1-1", "20180101", "2018-01-01T00:00:00", "2018-00-10"] {
            assert_eq!(Form::Iso.date(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_can_be_demanded_and_forbidden() {
        let (with, without) = ("2018-01-31T10:20:30+00:00", "2018-01-31T10:20:30");
        assert!(
            Form::Iso.timestamp(with, Offset::Must).is_some()
                && Form::Iso.timestamp(without, Offset::Must).is_none()
        );
        assert!(
            Form::Iso.timestamp(with, Offset::Never).is_none()
                && Form::Iso.timestamp(without, Offset::Never).is_some()
        );
    }

    #[test]
    fn jdk_patterns_are_read() {
        let cases = [
            ("yyyy-MM-dd HH:mm:ss", "2018-01-31 10:20:30", Some(1_517_394_030_000)),
            ("yyyy-MM-dd HH:mm:ss", "2018-01-31T10:20:30", None),
            ("yyyy-MM-dd'T'HH:mm:ss[.SSS][Z]", "2018-01-31T10:20:30.250+0100", Some(1_517_390_430_250)),
            ("yyyy-MM-dd'T'HH:mm:ss[.SSS][Z]", "2018-01-31T10:20:30", Some(1_517_394_030_000)),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2018-01-31T10:20:30Z", Some(1_517_394_030_000)),
            ("yyyyMMdd'T'HHmmss", "20180131T102030", Some(1_517_394_030_000)),
            ("dd/MM/yyyy HH:mm", "31/01/2018 10:20", Some(1_517_394_000_000)),
        ];
        for (pattern, text, expected) in cases {
            let form = Form::of_pattern(pattern).unwrap();
            assert_eq!(form.timestamp(text, Offset::May), expected, "{pattern} {text}");
        }
        assert_eq!(Form::of_pattern("yyyy-MM-dd").unwrap().date("2000-02-29"), Some(11_016));
    }

    #[test]
    fn other_patterns_are_refused_by_name() {
        for (pattern, name) in [
            ("yy-MM-dd", "`yy`"),
            ("yyyy-MMM-dd", "`MMM`"),
            ("yyyy-MM-dd hh:mm a", "`hh`"),
            ("EEE yyyy-MM-dd", "`EEE`"),
            ("HH:mm", "year"),
            ("yyyy-MM-dd'T", "closed"),
            ("yyyy-MM-dd[HH", "`]`"),
            ("yyyy-MM-dd]", "`[`"),
            ("yyyyyyyy-MM-dd", "`yyyyyyyy`"),
            ("yyyy-yyyy-MM-dd", "once"),
        ] {
            let why = Form::of_pattern(pattern).unwrap_err();
            assert!(why.contains(name), "{pattern}: {why}");
        }
    }
}
