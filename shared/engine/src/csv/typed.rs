//! How a CSV file under a known schema becomes batches: predictions, labels, channels of a job.
//! Strict: the first cell that does not fit ends the reading.

use std::sync::Arc;

use domain::{Problem, limit};

use crate::csv::cell::{self, Value};
use crate::csv::form::{Form, Offset};
use crate::csv::records::{Dialect, Records};
use crate::record::{Record, Shape};
use crate::table::{Batch, Column, Kind, Schema};

/// Whether the first record names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It does; columns may come in any order, and others than the schema's are passed over.
    Present,
    /// It does not; columns stand in the schema's order, and no others.
    Absent,
}

/// Reads CSV under a schema, in pieces, into batches of [`limit::BATCH_ROWS`] rows.
#[derive(Debug)]
pub struct Reader {
    records: Records,
    rows: Rows,
}

/// Strict rows of a table, whichever format they come from.
#[derive(Debug)]
pub(crate) struct Rows {
    file: String,
    schema: Arc<Schema>,
    /// For each field of the schema its position in the file; none until the header is read.
    positions: Option<Vec<usize>>,
    width: usize,
    columns: Vec<Column>,
    rows: usize,
    ready: Vec<Batch>,
}

impl Reader {
    /// A reader at the start of a file; `file` is how errors name it.
    pub fn new(file: &str, schema: Arc<Schema>, header: Header) -> Reader {
        Reader { records: Records::new(file, &Dialect::default()), rows: Rows::new(file, schema, header) }
    }

    /// Takes the next bytes; answers the batches that are full.
    ///
    /// # Errors
    /// The first fault, with line and column. The reader is of no use afterwards.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Batch>, Problem> {
        let rows = &mut self.rows;
        self.records.push(bytes, &mut |record| rows.take(record))?;
        Ok(rows.ready())
    }

    /// Answers the rest: at most two batches, none where there was no row.
    ///
    /// # Errors
    /// As [`Reader::push`]; a file without the header that was promised.
    pub fn finish(mut self) -> Result<Vec<Batch>, Problem> {
        let rows = &mut self.rows;
        self.records.finish(&mut |record| rows.take(record))?;
        rows.finish()
    }
}

impl Rows {
    pub(crate) fn new(file: &str, schema: Arc<Schema>, header: Header) -> Rows {
        let width = schema.fields.len();
        let positions = (header == Header::Absent).then(|| (0..width).collect());
        let columns = empty_columns(&schema);
        Rows { file: file.to_owned(), schema, positions, width, columns, rows: 0, ready: Vec::new() }
    }

    /// The batches that are full since the last call.
    pub(crate) fn ready(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.ready)
    }

    /// The rest, where the header was there that was promised.
    pub(crate) fn finish(&mut self) -> Result<Vec<Batch>, Problem> {
        if self.positions.is_none() {
            return Err(Problem::new(&self.file, "header")
                .found("an empty file")
                .expected("a line that names the columns"));
        }
        if self.rows > 0 {
            self.seal();
        }
        Ok(self.ready())
    }

    pub(crate) fn take(&mut self, record: &Record<'_>) -> Result<(), Problem> {
        let Some(positions) = &self.positions else {
            let wanted: Vec<&str> = self.schema.fields.iter().map(|field| field.name.as_str()).collect();
            let (positions, _) = crate::csv::bind_header(&self.file, record, &wanted)?;
            self.positions = Some(positions);
            self.width = record.len();
            return Ok(());
        };
        let wrong = |rule: &str| {
            let mut problem = Problem::new(&self.file, rule);
            // A file without lines is spoken of by its rows.
            match record.line {
                0 => problem.hint = format!("in row {}", record.number),
                line => problem.line = Some(line),
            }
            problem
        };
        if let Some(fault) = record.fault {
            return Err(wrong("record").found(fault));
        }
        if record.len() != self.width {
            return Err(wrong("columns")
                .found(format_args!("{} fields", record.len()))
                .expected(format_args!("{}", self.width)));
        }
        let Some(text) = record.text() else {
            return Err(wrong("encoding").found("bytes that are not UTF-8").expected("UTF-8"));
        };
        for ((field, column), &position) in self.schema.fields.iter().zip(&mut self.columns).zip(positions) {
            let cell = &text[record.span(position)];
            let value = match (field.kind, record.shape(position)) {
                // Where cells of several types stand in one column, it is one of texts.
                (Kind::Text, Shape::Boolean | Shape::Number | Shape::Moment | Shape::Nested) => {
                    Some(Value::Text(cell))
                }
                (kind, shape) => cell::read_as(shape, kind, &Form::Iso, Offset::May, cell),
            };
            match value {
                Some(value) => cell::append(column, value),
                None => {
                    return Err(wrong("type")
                        .field(&field.name)
                        .found(format_args!("{:?}", crate::text::cut(cell, 60)))
                        .expected(cell::expected(field.kind, &Form::Iso)));
                }
            }
        }
        self.rows += 1;
        if self.rows == limit::BATCH_ROWS {
            self.seal();
        }
        Ok(())
    }

    fn seal(&mut self) {
        let columns = std::mem::replace(&mut self.columns, empty_columns(&self.schema));
        self.ready.push(Batch::new(self.schema.clone(), columns));
        self.rows = 0;
    }
}

fn empty_columns(schema: &Schema) -> Vec<Column> {
    schema.fields.iter().map(|field| Column::empty(field.kind)).collect()
}

/// Reads a small file with a header in one go; every row in one batch.
///
/// # Errors
/// The first fault, with line and column.
pub fn read_all(file: &str, schema: &Arc<Schema>, bytes: &[u8]) -> Result<Batch, Problem> {
    read(file, schema, bytes, Header::Present)
}

/// Reads rows without a header, columns in the schema's order; every row in one batch.
///
/// # Errors
/// The first fault, with line and column.
pub fn read_rows(file: &str, schema: &Arc<Schema>, bytes: &[u8]) -> Result<Batch, Problem> {
    read(file, schema, bytes, Header::Absent)
}

fn read(file: &str, schema: &Arc<Schema>, bytes: &[u8], header: Header) -> Result<Batch, Problem> {
    let mut reader = Reader::new(file, schema.clone(), header);
    let mut batches = reader.push(bytes)?;
    batches.extend(reader.finish()?);
    Ok(crate::part::joined(schema, batches))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::{write_header, write_rows};

    fn schema() -> Arc<Schema> {
        Arc::new(Schema::of([
            ("id", Kind::Integer),
            ("price", Kind::Number),
            ("note", Kind::Text),
            ("sold", Kind::Boolean),
            ("day", Kind::Date),
            ("at", Kind::Timestamp),
        ]))
    }

    fn batch() -> Batch {
        let columns = vec![
            Column::Integer(vec![Some(1), None, Some(i64::MIN)]),
            Column::Number(vec![Some(0.1), Some(-1.5e300), None]),
            Column::Text(vec![Some("a \"quoted\", text\nin two lines\r\n".into()), Some("é".into()), None]),
            Column::Boolean(vec![Some(true), Some(false), None]),
            Column::Date(vec![Some(0), Some(11_016), None]),
            Column::Timestamp(vec![Some(1_517_394_030_500), Some(0), None]),
        ];
        Batch::new(schema(), columns)
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let mut bytes = Vec::new();
        write_rows(&batch(), &mut bytes);
        assert_eq!(read_rows("f", &schema(), &bytes).unwrap(), batch());
        let mut with_header = Vec::new();
        write_header(&schema(), &mut with_header);
        with_header.extend(bytes);
        assert_eq!(read_all("f", &schema(), &with_header).unwrap(), batch());
        assert!(
            String::from_utf8(with_header)
                .unwrap()
                .starts_with("id,price,note,sold,day,at\r\n1,0.1,\"a \"\"quoted\"\", text")
        );
    }

    #[test]
    fn a_single_missing_column_keeps_its_rows() {
        let schema = Arc::new(Schema::of([("y", Kind::Number)]));
        let batch = Batch::new(schema.clone(), vec![Column::Number(vec![None, Some(2.0), None])]);
        let mut bytes = Vec::new();
        write_rows(&batch, &mut bytes);
        assert_eq!(read_rows("f", &schema, &bytes).unwrap(), batch);
    }

    #[test]
    fn columns_are_found_by_name_whatever_their_order() {
        let schema = Arc::new(Schema::of([("a", Kind::Integer), ("b", Kind::Integer)]));
        let batch = read_all("f", &schema, b"x,b,a\n9,2,1\n").unwrap();
        assert_eq!(batch.columns(), [Column::Integer(vec![Some(1)]), Column::Integer(vec![Some(2)])]);
    }

    #[test]
    fn faults_are_named_with_line_and_column() {
        let schema = Arc::new(Schema::of([("a", Kind::Integer), ("b", Kind::Number)]));
        let cases: [(&[u8], &str); 8] = [
            (b"", "f: header: found an empty file"),
            (b"a,c\n", "f:1: b: missing column"),
            (b"a,A\n", "b: missing column"),
            (b"a,b,a\n", "f:1: header: found two columns named \"a\""),
            (b"a,,b\n", "f:1: header: found an empty name in column 2"),
            (b"a,b\n1,2\n3\n", "f:3: columns: found 1 fields, expected 2"),
            (b"a,b\n1,inf\n", "f:2: b: type: found \"inf\", expected a finite number"),
            (b"a,b\n1,\xff\n", "f:2: encoding"),
        ];
        for (bytes, expected) in cases {
            let problem = read_all("f", &schema, bytes).unwrap_err().to_string();
            assert!(problem.contains(expected), "{problem}");
        }
        assert_eq!(read_all("f", &schema, b"a,b\n").unwrap().rows(), 0);
        assert_eq!(read_rows("f", &schema, b"").unwrap().rows(), 0);
    }

    #[test]
    fn large_files_come_in_batches_of_one_size() {
        let schema = Arc::new(Schema::of([("a", Kind::Integer)]));
        let mut reader = Reader::new("f", schema, Header::Absent);
        let text: String = (0..20_000).map(|i| format!("{i}\n")).collect();
        let mut sizes = Vec::new();
        for piece in text.as_bytes().chunks(777) {
            sizes.extend(reader.push(piece).unwrap().iter().map(Batch::rows));
        }
        sizes.extend(reader.finish().unwrap().iter().map(Batch::rows));
        assert_eq!(sizes, [limit::BATCH_ROWS, limit::BATCH_ROWS, 20_000 - 2 * limit::BATCH_ROWS]);
    }
}
