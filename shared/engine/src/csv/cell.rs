//! What one cell means under a kind. A cell is read as it stands: no trimming, no guessing.

use crate::csv::form::{Form, Offset};
use crate::record::Shape;
use crate::table::{Column, Kind};

/// The typed value of a cell, borrowed from its record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An empty cell.
    Missing,
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A finite float.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

/// Reads a cell; an empty one is missing whatever the kind. `None` if it does not fit.
#[inline]
pub fn read<'a>(kind: Kind, form: &Form, offset: Offset, text: &'a str) -> Option<Value<'a>> {
    if text.is_empty() {
        return Some(Value::Missing);
    }
    match kind {
        Kind::Boolean => boolean(text).map(Value::Boolean),
        Kind::Integer => integer(text).map(Value::Integer),
        Kind::Number => number(text).map(Value::Number),
        Kind::Text => Some(Value::Text(text)),
        Kind::Date => form.date(text).map(Value::Date),
        Kind::Timestamp => form.timestamp(text, offset).map(Value::Timestamp),
    }
}

/// Reads a cell of which the format says more than its text: then a text is not a number and a
/// number no text, and an empty text is one. `None` if it does not fit.
///
/// A number without a fraction is an integer however it is written (`1.0`, as pandas writes
/// integers beside missing ones), and a time at midnight UTC is a date.
#[inline]
pub fn read_as<'a>(
    shape: Shape,
    kind: Kind,
    form: &Form,
    offset: Offset,
    text: &'a str,
) -> Option<Value<'a>> {
    match (shape, kind) {
        (Shape::Written, _) => read(kind, form, offset, text),
        (Shape::Null, _) => Some(Value::Missing),
        (Shape::Boolean, Kind::Boolean) => boolean(text).map(Value::Boolean),
        (Shape::Number, Kind::Integer) => integer(text).or_else(|| whole(text)).map(Value::Integer),
        (Shape::Number, Kind::Number) => number(text).map(Value::Number),
        (Shape::Text, Kind::Text) => Some(Value::Text(text)),
        (Shape::Text, Kind::Date) => form.date(text).map(Value::Date),
        (Shape::Text, Kind::Timestamp) => form.timestamp(text, offset).map(Value::Timestamp),
        (Shape::Moment, Kind::Date) => Form::Iso.date(text).or_else(|| midnight(text)).map(Value::Date),
        (Shape::Moment, Kind::Timestamp) => Form::Iso.timestamp(text, Offset::May).map(Value::Timestamp),
        _ => None,
    }
}

/// An integer that is written as a float, where a float holds it exactly.
fn whole(text: &str) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    let number = number(text)?;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// The day that begins at this time.
fn midnight(text: &str) -> Option<i32> {
    let millis = Form::Iso.timestamp(text, Offset::May)?;
    let day = millis.div_euclid(domain::Time::DAY);
    (millis.rem_euclid(domain::Time::DAY) == 0).then(|| i32::try_from(day).ok()).flatten()
}

/// `true` or `false`, in any case.
pub fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A signed 64-bit integer in decimal digits.
#[inline]
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A finite decimal number. `NaN`, `inf` and numbers beyond a 64-bit float are not numbers.
#[inline]
pub fn number(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(number)
}

/// What would have fitted, for a person.
pub fn expected(kind: Kind, form: &Form) -> String {
    match kind {
        Kind::Boolean => "true or false".to_owned(),
        Kind::Integer => "an integer".to_owned(),
        Kind::Number => "a finite number".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Date => match form {
            Form::Iso => "a date such as 2026-11-23".to_owned(),
            form => format!("a date as {form}"),
        },
        Kind::Timestamp => match form {
            Form::Iso => "a timestamp such as 2026-11-23T09:00:00Z".to_owned(),
            form => format!("a timestamp as {form}"),
        },
    }
}

/// Adds a value to a column of its kind.
///
/// # Panics
/// If the kinds differ: a mistake of the program.
#[inline]
pub fn append(column: &mut Column, value: Value<'_>) {
    match (column, value) {
        (Column::Boolean(v), Value::Boolean(b)) => v.push(Some(b)),
        (Column::Integer(v), Value::Integer(i)) => v.push(Some(i)),
        (Column::Number(v), Value::Number(n)) => v.push(Some(n)),
        (Column::Text(v), Value::Text(t)) => v.push(Some(t.to_owned())),
        (Column::Date(v), Value::Date(d)) => v.push(Some(d)),
        (Column::Timestamp(v), Value::Timestamp(t)) => v.push(Some(t)),
        (column, Value::Missing) => match column {
            Column::Boolean(v) => v.push(None),
            Column::Integer(v) => v.push(None),
            Column::Number(v) => v.push(None),
            Column::Text(v) => v.push(None),
            Column::Date(v) => v.push(None),
            Column::Timestamp(v) => v.push(None),
        },
        (column, value) => unreachable!("a {value:?} was read for a column of {:?}", column.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_they_stand() {
        let read = |kind, text| read(kind, &Form::Iso, Offset::May, text);
        assert_eq!(read(Kind::Integer, ""), Some(Value::Missing));
        assert_eq!(read(Kind::Integer, "-42"), Some(Value::Integer(-42)));
        assert_eq!(read(Kind::Number, "1e3"), Some(Value::Number(1000.0)));
        assert_eq!(read(Kind::Boolean, "TRUE"), Some(Value::Boolean(true)));
        assert_eq!(read(Kind::Text, " a "), Some(Value::Text(" a ")));
        for text in ["1.0", " 1", "9223372036854775808", "1_000", "٣", "0x1"] {
            assert_eq!(read(Kind::Integer, text), None, "{text}");
        }
        for text in ["NaN", "nan", "inf", "-Infinity", "1e999", "1,5", "1 ", "--1", "."] {
            assert_eq!(read(Kind::Number, text), None, "{text}");
        }
        for text in ["1", "yes", "t"] {
            assert_eq!(read(Kind::Boolean, text), None, "{text}");
        }
    }
}
