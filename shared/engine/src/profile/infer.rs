//! What the columns of a file seem to hold, told by its cells alone.

use std::ops::Range;

use bytes::Bytes;
use domain::Problem;

use crate::csv::form::{Form, Offset};
use crate::csv::{Dialect, bind_header, cell};
use crate::record::{Record, Shape};
use crate::source::{Columns, Feed, Source};
use crate::table::{Field, Kind, Schema};

/// From the narrowest kind to the one that holds everything.
const KINDS: [Kind; 6] =
    [Kind::Boolean, Kind::Integer, Kind::Number, Kind::Date, Kind::Timestamp, Kind::Text];

/// Finds the narrowest kind that every cell of each column fits; a column without a value is
/// text. It is fed in pieces and keeps one mark for each kind and column.
#[derive(Debug)]
pub struct Inference {
    source: Source,
    marks: Marks,
}

#[derive(Debug)]
struct Marks {
    file: String,
    /// In the order of the file; none until a record has named them.
    columns: Option<Vec<Column>>,
}

#[derive(Debug)]
struct Column {
    name: String,
    fits: [bool; 6],
    filled: bool,
}

impl Inference {
    /// An inference at the start of a file; `file` is how errors name it.
    pub fn new(file: &str) -> Inference {
        let source = Source::new(file, &Dialect::default(), Columns::All);
        Inference { source, marks: Marks { file: file.to_owned(), columns: None } }
    }

    /// The schema.
    ///
    /// # Errors
    /// An empty file.
    pub fn finish(mut self) -> Result<Schema, Problem> {
        self.wants()?;
        let Some(columns) = self.marks.columns else {
            return Err(Problem::new(&self.marks.file, "header")
                .found("an empty file")
                .expected("a line that names the columns"));
        };
        let field = |column: Column| {
            let narrowest = KINDS.iter().zip(column.fits).find(|(_, fits)| *fits);
            let kind = narrowest.filter(|_| column.filled).map_or(Kind::Text, |(kind, _)| *kind);
            Field { name: column.name, kind }
        };
        Ok(Schema { fields: columns.into_iter().map(field).collect() })
    }
}

impl Feed for Inference {
    type Error = Problem;

    /// # Errors
    /// A header that cannot be used.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let Inference { source, marks } = self;
        source.push(bytes, &mut |record| marks.take(record))
    }

    fn wants(&mut self) -> Result<Option<Range<u64>>, Problem> {
        let Inference { source, marks } = self;
        source.wants(&mut |record| marks.take(record))
    }

    fn give(&mut self, bytes: Bytes) -> Result<(), Problem> {
        let Inference { source, marks } = self;
        source.give(bytes, &mut |record| marks.take(record))
    }
}

impl Marks {
    fn take(&mut self, record: &Record<'_>) -> Result<(), Problem> {
        if record.number == 0 {
            let (_, all) = bind_header(&self.file, record, &[])?;
            self.columns = Some(all.iter().map(|name| Column::named(name)).collect());
            return Ok(());
        }
        let columns = self.columns.get_or_insert_default();
        // Where each record names its fields, new ones come behind those that are known.
        for name in record.names.iter().skip(columns.len()) {
            columns.push(Column::named(name));
        }
        let fits = record.len() == columns.len() && record.fault.is_none();
        let Some(text) = record.text().filter(|_| fits) else {
            return Ok(());
        };
        for (index, column) in columns.iter_mut().enumerate() {
            column.take(&text[record.span(index)], record.shape(index));
        }
        Ok(())
    }
}

impl Column {
    fn named(name: &str) -> Column {
        Column { name: name.to_owned(), fits: [true; 6], filled: false }
    }

    fn take(&mut self, cell: &str, shape: Shape) {
        let is_missing = shape == Shape::Null || (shape == Shape::Written && cell.is_empty());
        if is_missing {
            return;
        }
        self.filled = true;
        let mut is_whole = false;
        for (kind, fits) in KINDS.iter().zip(self.fits.iter_mut()) {
            // Every integer is a number, and every cell a text: reading it again would tell nothing.
            let is_told = *kind == Kind::Text || (*kind == Kind::Number && is_whole);
            let reads = || cell::read_as(shape, *kind, &Form::Iso, Offset::May, cell).is_some();
            *fits = *fits && (is_told || reads());
            is_whole |= *fits && *kind == Kind::Integer;
        }
    }
}

/// The schema of a file that is in memory.
///
/// # Errors
/// As [`Inference`].
pub fn infer_schema(file: &str, bytes: &[u8]) -> Result<Schema, Problem> {
    let mut inference = Inference::new(file);
    inference.push(bytes)?;
    inference.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_kind_that_every_cell_fits_is_found() {
        let text = b"a,b,c,d,e,f,g\n1,1,true,2026-01-01,2026-01-01T00:00:00Z,x,\n,2.5,FALSE,2026-01-02,2026-01-01 10:00:00,1,\n";
        let kinds: Vec<Kind> =
            infer_schema("f", text).unwrap().fields.into_iter().map(|field| field.kind).collect();
        let expected =
            [Kind::Integer, Kind::Number, Kind::Boolean, Kind::Date, Kind::Timestamp, Kind::Text, Kind::Text];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn bad_records_do_not_widen_a_column() {
        let schema = infer_schema("f", b"a,b\n1,2\n1\n3,4\n").unwrap();
        assert_eq!(schema.fields[0].kind, Kind::Integer);
        assert!(infer_schema("f", b"").is_err());
        assert!(infer_schema("f", b"a,a\n").is_err());
    }
}
