//! JSON Lines: one object a line, its names the columns (jsonlines.org), in pieces of any size.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use domain::{Problem, limit};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;

use super::{Columns, Each};
use crate::record::{Fault, Record, Shape};

/// A file of JSON Lines being read. Memory is bounded by the longest line allowed.
pub(super) struct Lines {
    file: String,
    /// A line that goes on in the next piece.
    held: Vec<u8>,
    /// Whether the line at hand is longer than a record may be; it is passed over to its end.
    too_long: bool,
    number: u64,
    line: u64,
    object: Object,
}

/// The cells of the object at hand, by column.
struct Object {
    names: Vec<String>,
    positions: BTreeMap<String, usize>,
    /// Whether names that are not known yet become columns.
    open: bool,
    /// Names that are no columns.
    unknown: BTreeMap<String, ()>,
    /// The texts of the cells in the order of the line; where each lies, and which line said it.
    texts: String,
    cells: Vec<Cell>,
    // The record as it is handed on.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    shapes: Vec<Shape>,
}

#[derive(Clone, Default)]
struct Cell {
    start: usize,
    end: usize,
    shape: Option<Shape>,
}

impl Lines {
    pub(super) fn new(file: &str, columns: Columns) -> Lines {
        let (names, open) = match columns {
            Columns::Named(names) => (names, false),
            Columns::All => (Vec::new(), true),
        };
        let positions = names.iter().cloned().enumerate().map(|(index, name)| (name, index)).collect();
        let cells = vec![Cell::default(); names.len()];
        let object = Object {
            names,
            positions,
            open,
            unknown: BTreeMap::new(),
            texts: String::new(),
            cells,
            bytes: Vec::new(),
            ends: Vec::new(),
            shapes: Vec::new(),
        };
        Lines { file: file.to_owned(), held: Vec::new(), too_long: false, number: 0, line: 0, object }
    }

    /// Names in the file that are none of the columns asked for.
    pub(super) fn unknown(&self) -> Vec<String> {
        self.object.unknown.keys().cloned().collect()
    }

    /// Lines that went before the first object.
    pub(super) fn skip(&mut self, lines: u64) {
        self.line += lines;
    }

    /// Hands on the names of the columns that were asked for, as the first record.
    pub(super) fn header(&mut self, each: &mut Each<'_>) -> Result<(), Problem> {
        let object = &mut self.object;
        if object.open {
            return Ok(());
        }
        for name in &object.names {
            object.bytes.extend_from_slice(name.as_bytes());
            object.ends.push(object.bytes.len());
        }
        each(&Record {
            number: 0,
            line: self.line,
            fault: None,
            raw: &[],
            bytes: &object.bytes,
            ends: &object.ends,
            shapes: &[],
            names: &[],
        })
    }

    pub(super) fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) -> Result<(), Problem> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (piece, after) = (&rest[..end], &rest[end + 1..]);
            if self.held.is_empty() && !self.too_long {
                self.whole_line(piece, each)?;
            } else {
                self.hold(piece);
                self.held_line(each)?;
            }
            rest = after;
        }
        self.hold(rest);
        Ok(())
    }

    pub(super) fn finish(&mut self, each: &mut Each<'_>) -> Result<(), Problem> {
        if self.held.is_empty() && !self.too_long {
            return Ok(());
        }
        self.held_line(each)
    }

    fn hold(&mut self, piece: &[u8]) {
        let room = limit::RECORD_BYTES_MAX.saturating_sub(self.held.len());
        self.too_long |= piece.len() > room;
        self.held.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn held_line(&mut self, each: &mut Each<'_>) -> Result<(), Problem> {
        let mut line = std::mem::take(&mut self.held);
        let taken = if std::mem::take(&mut self.too_long) {
            self.line += 1;
            self.hand_on(&line, Some(Fault::TooLong), each)
        } else {
            self.whole_line(&line, each)
        };
        line.clear();
        self.held = line;
        taken
    }

    fn whole_line(&mut self, line: &[u8], each: &mut Each<'_>) -> Result<(), Problem> {
        self.line += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        if self.number == 0 && line == b"{" {
            let mut spread = Problem::new(&self.file, "format");
            spread.line = Some(self.line);
            return Err(spread
                .found("an object that is spread over lines")
                .expected("JSON Lines: one object a line")
                .hint("write each row on a line of its own, as `jq -c` does"));
        }
        let fault = match std::str::from_utf8(line) {
            // Left to the record's own check, which names it.
            Err(_) => None,
            Ok(text) => self.object.read(text).err(),
        };
        self.hand_on(line, fault, each)
    }

    fn hand_on(&mut self, line: &[u8], fault: Option<Fault>, each: &mut Each<'_>) -> Result<(), Problem> {
        self.number += 1;
        let is_text = std::str::from_utf8(line).is_ok();
        let is_usable = fault.is_none() && is_text;
        if is_usable {
            self.object.lay_out();
        }
        let object = &self.object;
        let record = Record {
            number: self.number,
            line: self.line,
            fault,
            raw: &line[..line.len().min(limit::FIELD_BYTES_MAX)],
            bytes: match (is_usable, is_text) {
                (true, _) => &object.bytes,
                (false, true) => &[],
                (false, false) => line,
            },
            ends: if is_usable { &object.ends } else { &[] },
            shapes: if is_usable { &object.shapes } else { &[] },
            names: &object.names,
        };
        each(&record)
    }
}

impl Object {
    fn read(&mut self, line: &str) -> Result<(), Fault> {
        if !line.starts_with('{') {
            return Err(Fault::NotObject);
        }
        self.texts.clear();
        self.cells.iter_mut().for_each(|cell| *cell = Cell::default());
        let mut json = serde_json::Deserializer::from_str(line);
        let mut fault = None;
        let read = json.deserialize_map(Members { object: self, fault: &mut fault });
        match read.and_then(|()| json.end()) {
            Ok(()) => Ok(()),
            Err(error) => Err(match fault {
                Some(Fault::Repeated(_)) => Fault::Repeated(error.column()),
                Some(Fault::Syntax(_)) | None => Fault::Syntax(error.column()),
                Some(fault) => fault,
            }),
        }
    }

    /// The position of a column; none where nobody asked for it.
    fn position(&mut self, name: &str) -> Result<Option<usize>, Fault> {
        if let Some(&position) = self.positions.get(name) {
            return match self.cells[position].shape {
                None => Ok(Some(position)),
                Some(_) => Err(Fault::Repeated(0)),
            };
        }
        if !self.open {
            if self.unknown.len() < limit::COLUMNS_MAX && !self.unknown.contains_key(name) {
                self.unknown.insert(name.to_owned(), ());
            }
            return Ok(None);
        }
        if self.names.len() == limit::COLUMNS_MAX {
            return Err(Fault::Columns);
        }
        self.names.push(name.to_owned());
        self.positions.insert(name.to_owned(), self.names.len() - 1);
        self.cells.push(Cell::default());
        Ok(Some(self.names.len() - 1))
    }

    /// The cells in the order of the columns.
    fn lay_out(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.shapes.clear();
        for cell in &self.cells {
            self.bytes.extend_from_slice(&self.texts.as_bytes()[cell.start..cell.end]);
            self.ends.push(self.bytes.len());
            self.shapes.push(cell.shape.unwrap_or(Shape::Null));
        }
    }
}

/// Takes the members of one object in.
struct Members<'a> {
    object: &'a mut Object,
    fault: &'a mut Option<Fault>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut failed = |fault: Fault| {
            *self.fault = Some(fault);
            serde::de::Error::custom("")
        };
        while let Some(position) = members.next_key_seed(Name(self.object))? {
            let Some(position) = position.map_err(&mut failed)? else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let start = self.object.texts.len();
            let shape = members.next_value_seed(Text(&mut self.object.texts))?;
            let end = self.object.texts.len();
            if end - start > limit::FIELD_BYTES_MAX {
                return Err(failed(Fault::TooLong));
            }
            self.object.cells[position] = Cell { start, end, shape: Some(shape) };
        }
        Ok(())
    }
}

/// Finds the column of a name.
struct Name<'a>(&'a mut Object);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Result<Option<usize>, Fault>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Result<Option<usize>, Fault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.position(name))
    }
}

/// Writes a value as the text of a cell; answers its shape.
struct Text<'a>(&'a mut String);

impl Text<'_> {
    fn put(self, text: fmt::Arguments<'_>, shape: Shape) -> Shape {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(text);
        shape
    }
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Shape, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
        Ok(self.put(format_args!("{value}"), Shape::Boolean))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
        Ok(self.put(format_args!("{value}"), Shape::Number))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
        Ok(self.put(format_args!("{value}"), Shape::Number))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Shape, E> {
        Ok(self.put(format_args!("{value:?}"), Shape::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
        self.0.push_str(value);
        Ok(Shape::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Shape, A::Error> {
        let value = Value::deserialize(SeqAccessDeserializer::new(items))?;
        Ok(self.put(format_args!("{value}"), Shape::Nested))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Shape, A::Error> {
        let value = Value::deserialize(MapAccessDeserializer::new(members))?;
        Ok(self.put(format_args!("{value}"), Shape::Nested))
    }
}
