//! One record of a file, whatever the file's format: cells as texts, each with what the format
//! itself says of its type.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use domain::limit;

/// Why a record cannot be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A field or the whole record is longer than its limit.
    TooLong,
    /// More columns than a table may have.
    Columns,
    /// A quote that is opened and never closed.
    Unclosed,
    /// A line that is not a JSON object.
    NotObject,
    /// A line that is not JSON, from this 1-based column on.
    Syntax(usize),
    /// An object that says one name twice; in it the name ends at this 1-based column.
    Repeated(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooLong => write!(
                f,
                "a field longer than {} bytes or a record longer than {}: a stray quote?",
                limit::FIELD_BYTES_MAX,
                limit::RECORD_BYTES_MAX
            ),
            Fault::Columns => write!(f, "more than {} columns", limit::COLUMNS_MAX),
            Fault::Unclosed => f.write_str("a quote that is opened and never closed"),
            Fault::NotObject => f.write_str("a line that is not a JSON object"),
            Fault::Syntax(column) => write!(f, "a line that is not JSON, from column {column} on"),
            Fault::Repeated(column) => write!(f, "an object that says one name twice, at column {column}"),
        }
    }
}

impl Fault {
    /// What would have been right.
    pub fn expected(self) -> &'static str {
        match self {
            Fault::TooLong | Fault::Columns => "a record within the limits",
            Fault::Unclosed => "a quote at the end of the field",
            Fault::NotObject | Fault::Syntax(_) => "one JSON object a line",
            Fault::Repeated(_) => "each name once",
        }
    }
}

/// What a format says of a cell's type, beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing: the text is all there is, and an empty one is missing (CSV).
    Written,
    /// There is no value.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number, in decimal digits.
    Number,
    /// A text, which may be empty; dates and times of JSON are texts.
    Text,
    /// A date or a time, in its ISO form whatever form a contract declares.
    Moment,
    /// An array or an object, as JSON.
    Nested,
}

/// One record, borrowed from its reader.
#[derive(Debug)]
pub struct Record<'a> {
    /// 0 for the record that names the columns, where the format has one; then 1, 2, …
    pub number: u64,
    /// 1-based line on which it starts; 0 where the format has no lines.
    pub line: u64,
    /// Why it cannot be used, if so; the fields then mean nothing.
    pub fault: Option<Fault>,
    /// The bytes of the file that it was read from, without its line end; at most
    /// [`limit::FIELD_BYTES_MAX`] of them. Empty where the format has no lines.
    pub raw: &'a [u8],
    /// All fields, unquoted, one after another.
    pub bytes: &'a [u8],
    pub(crate) ends: &'a [usize],
    /// One for each field; empty where the format says nothing.
    pub(crate) shapes: &'a [Shape],
    /// One for each field, where the format names them in each record; else empty.
    pub(crate) names: &'a [String],
}

impl<'a> Record<'a> {
    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no field: only where there is a fault.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A field, unquoted.
    #[inline]
    pub fn field(&self, index: usize) -> &'a [u8] {
        &self.bytes[self.span(index)]
    }

    /// All fields as one text, if each of them is UTF-8.
    #[inline]
    pub fn text(&self) -> Option<&'a str> {
        let text = std::str::from_utf8(self.bytes).ok()?;
        // Two halves of a character on either side of a delimiter must not pass as one.
        self.ends.iter().all(|&end| text.is_char_boundary(end)).then_some(text)
    }

    /// Where a field lies in [`Record::text`].
    #[inline]
    pub fn span(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }

    /// What the format says of a field's type.
    #[inline]
    pub fn shape(&self, index: usize) -> Shape {
        self.shapes.get(index).copied().unwrap_or(Shape::Written)
    }

    /// The record for a person: as it stands in the file, or as a JSON object where a file of
    /// that format cannot be read by eye.
    pub fn shown(&self) -> Cow<'a, str> {
        if !self.raw.is_empty() || self.names.is_empty() {
            return String::from_utf8_lossy(self.raw);
        }
        let mut object = serde_json::Map::new();
        for (index, name) in self.names.iter().enumerate().take(self.len()) {
            let text = String::from_utf8_lossy(self.field(index));
            let value = match self.shape(index) {
                Shape::Null => continue,
                Shape::Boolean | Shape::Number | Shape::Nested => {
                    serde_json::from_str(&text).unwrap_or_else(|_| text.into())
                }
                Shape::Written | Shape::Text | Shape::Moment => text.into(),
            };
            object.insert(name.clone(), value);
        }
        Cow::Owned(serde_json::Value::Object(object).to_string())
    }
}
