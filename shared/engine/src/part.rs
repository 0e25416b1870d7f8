//! How a part is stored: Parquet, the same bytes for the same rows, read back by row groups.
//!
//! Writing hands out bytes as they are ready; reading says which range it needs. A part carries,
//! after the contract's columns, [`ROW`] and, where a split key is given, [`BUCKET`].

use std::sync::Arc;

use bytes::Bytes;
use domain::{Problem, limit};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::SerializedPageReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::table::{Batch, Column, Field, Kind, Schema};
use crate::window::{self, FooterBytes, Window, guarded};

/// The column that holds the 1-based number of the row in the uploaded file.
pub const ROW: &str = "__row";

/// The column that holds the split bucket of the row (see [`crate::split`]).
pub const BUCKET: &str = "__bucket";

/// How many bytes of a file's end to read first: enough for the footer of most parts.
pub const TAIL_BYTES: u64 = 64 * 1024;

/// Rows in one row group of a table this wide: a function of the schema alone.
pub fn group_rows(columns: usize) -> usize {
    (limit::GROUP_CELLS / columns.max(1)).clamp(512, limit::GROUP_ROWS)
}

/// Writes a part piece by piece. Equal batches in equal order give equal bytes.
pub struct Writer {
    schema: Arc<Schema>,
    inner: SerializedFileWriter<Vec<u8>>,
    waiting: Vec<Batch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    group_rows: usize,
    rows: u64,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("schema", &self.schema)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// A writer of rows under a schema.
    ///
    /// # Panics
    /// If the schema repeats a name: a mistake of the program.
    pub fn new(schema: Arc<Schema>) -> Writer {
        let properties = WriterProperties::builder()
            .set_created_by("millrace part 1".to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        let inner =
            SerializedFileWriter::new(Vec::new(), Arc::new(parquet_schema(&schema)), Arc::new(properties))
                .expect("writing to memory does not fail");
        let group_rows = group_rows(schema.fields.len());
        Writer { schema, inner, waiting: Vec::new(), waiting_rows: 0, waiting_bytes: 0, group_rows, rows: 0 }
    }

    /// Adds rows. A row group is closed when it has [`group_rows`] rows or
    /// [`limit::GROUP_BYTES`] bytes of text; batches are never cut, so equal batches are needed
    /// for equal bytes.
    ///
    /// # Panics
    /// If the batch has another schema: a mistake of the program.
    pub fn push(&mut self, batch: Batch) {
        assert_eq!(*batch.schema(), self.schema, "a batch of the part's schema");
        if batch.rows() == 0 {
            return;
        }
        self.waiting_rows += batch.rows();
        self.waiting_bytes += text_bytes(&batch);
        self.waiting.push(batch);
        if self.waiting_rows >= self.group_rows || self.waiting_bytes >= limit::GROUP_BYTES {
            self.close_group();
        }
    }

    /// How many rows were added.
    pub fn rows(&self) -> u64 {
        self.rows + self.waiting_rows as u64
    }

    /// The bytes that are ready since the last call; together with those of [`Writer::finish`]
    /// they are the file.
    pub fn take(&mut self) -> Vec<u8> {
        self.inner.flush().expect("writing to memory does not fail");
        std::mem::take(self.inner.inner_mut())
    }

    /// The last bytes of the file.
    pub fn finish(mut self) -> Vec<u8> {
        if self.waiting_rows > 0 {
            self.close_group();
        }
        self.inner.finish().expect("writing to memory does not fail");
        std::mem::take(self.inner.inner_mut())
    }

    fn close_group(&mut self) {
        let batches = std::mem::take(&mut self.waiting);
        self.rows += self.waiting_rows as u64;
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let mut group = self.inner.next_row_group().expect("the group before is closed");
        for index in 0..self.schema.fields.len() {
            let columns: Vec<&Column> = batches.iter().map(|batch| &batch.columns()[index]).collect();
            write_column(&mut group, &columns).expect("a column of its declared kind");
        }
        group.close().expect("every column has the rows of the group");
    }
}

fn text_bytes(batch: &Batch) -> usize {
    let bytes = |column: &Column| match column {
        Column::Text(values) => values.iter().flatten().map(String::len).sum(),
        _ => 0,
    };
    batch.columns().iter().map(bytes).sum()
}

fn parquet_schema(schema: &Schema) -> Type {
    let field = |field: &Field| {
        let (physical, logical) = match field.kind {
            Kind::Boolean => (Physical::BOOLEAN, None),
            Kind::Integer => (Physical::INT64, None),
            Kind::Number => (Physical::DOUBLE, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Date => (Physical::INT32, Some(LogicalType::Date)),
            Kind::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        };
        let column = Type::primitive_type_builder(&field.name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::OPTIONAL)
            .build();
        Arc::new(column.expect("kinds have valid Parquet types"))
    };
    let fields = schema.fields.iter().map(field).collect();
    Type::group_type_builder("part").with_fields(fields).build().expect("a flat group is a valid schema")
}

fn write_column(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    columns: &[&Column],
) -> Result<(), ParquetError> {
    let mut writer =
        group.next_column()?.ok_or_else(|| ParquetError::General("no such column".to_owned()))?;
    for column in columns {
        match column {
            Column::Boolean(v) => write_values::<BoolType, _>(&mut writer, v, |x| *x)?,
            Column::Integer(v) | Column::Timestamp(v) => {
                write_values::<Int64Type, _>(&mut writer, v, |x| *x)?
            }
            Column::Number(v) => write_values::<DoubleType, _>(&mut writer, v, |x| *x)?,
            Column::Date(v) => write_values::<Int32Type, _>(&mut writer, v, |x| *x)?,
            Column::Text(v) => write_texts(&mut writer, v)?,
        }
    }
    writer.close()
}

type ColumnOut<'a> = parquet::file::writer::SerializedColumnWriter<'a>;

fn write_values<D: DataType, T>(
    writer: &mut ColumnOut<'_>,
    values: &[Option<T>],
    map: impl Fn(&T) -> D::T,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<D::T> = values.iter().flatten().map(map).collect();
    writer.typed::<D>().write_batch(&present, Some(&levels), None)?;
    Ok(())
}

/// All texts share one allocation: one per cell would cost more than the writing.
fn write_texts(writer: &mut ColumnOut<'_>, values: &[Option<String>]) -> Result<(), ParquetError> {
    let mut joined = Vec::with_capacity(values.iter().flatten().map(String::len).sum());
    for text in values.iter().flatten() {
        joined.extend_from_slice(text.as_bytes());
    }
    let joined = Bytes::from(joined);
    let mut start = 0;
    let mut present = Vec::with_capacity(values.len());
    for text in values.iter().flatten() {
        present.push(ByteArray::from(joined.slice(start..start + text.len())));
        start += text.len();
    }
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    writer.typed::<ByteArrayType>().write_batch(&present, Some(&levels), None)?;
    Ok(())
}

/// What the end of a file told.
#[derive(Debug)]
pub enum Tail {
    /// The footer is complete.
    Ready(Footer),
    /// So many bytes of the file's end are needed.
    Need(u64),
}

/// What stands where in a part.
#[derive(Debug)]
pub struct Footer {
    file: String,
    schema: Arc<Schema>,
    metadata: ParquetMetaData,
    groups: Vec<Group>,
}

/// One row group of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The bytes of the file it occupies.
    pub range: std::ops::Range<u64>,
    /// How many rows it has.
    pub rows: usize,
}

impl Footer {
    /// Reads the footer from the last bytes of a file; start with [`TAIL_BYTES`] of them (or the
    /// whole file, if it is smaller).
    ///
    /// # Errors
    /// What is no part, or damaged.
    pub fn read(file: &str, file_bytes: u64, tail: &[u8]) -> Result<Tail, Problem> {
        let wrong = |found: &str| {
            Problem::new(file, "part").found(found).expected("a Parquet file written by Millrace")
        };
        let is_no_part = |problem: Problem| wrong(&problem.found);
        let metadata = match window::footer(file, file_bytes, tail).map_err(is_no_part)? {
            FooterBytes::Need(needed) => return Ok(Tail::Need(needed)),
            FooterBytes::Ready(metadata) => metadata,
        };
        let schema = schema_of(&metadata).map_err(|error| wrong(&error))?;
        let mut groups = Vec::new();
        for group in metadata.row_groups() {
            groups.push(group_of(group, file_bytes).ok_or_else(|| wrong("a row group outside the file"))?);
        }
        Ok(Tail::Ready(Footer { file: file.to_owned(), schema: Arc::new(schema), metadata, groups }))
    }

    /// The columns of the part, [`ROW`] and [`BUCKET`] among them.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The row groups in order.
    pub fn row_groups(&self) -> &[Group] {
        &self.groups
    }

    /// How many rows the part has.
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows as u64).sum()
    }

    /// Reads a row group from the bytes of its range.
    ///
    /// # Errors
    /// Bytes that are not that row group, or damaged.
    ///
    /// # Panics
    /// If there is no such group: a mistake of the program.
    pub fn read_group(&self, index: usize, bytes: Bytes) -> Result<Batch, Problem> {
        self.read_columns(index, bytes, |_| true)
    }

    /// As [`Footer::read_group`], but only the columns whose name is wanted are decoded; the batch
    /// has no other.
    ///
    /// # Errors
    /// As [`Footer::read_group`].
    ///
    /// # Panics
    /// As [`Footer::read_group`].
    pub fn read_columns(
        &self,
        index: usize,
        bytes: Bytes,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Batch, Problem> {
        let group = &self.groups[index];
        let wrong = |found: String| {
            Problem::new(&self.file, "part")
                .field(format!("row group {index}"))
                .found(found)
                .expected("the bytes that were written")
        };
        if bytes.len() as u64 != group.range.end - group.range.start {
            return Err(wrong(format!("{} bytes", bytes.len())));
        }
        let window = Arc::new(Window { start: group.range.start, bytes });
        let metadata = self.metadata.row_group(index);
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (position, field) in self.schema.fields.iter().enumerate() {
            if !wanted(&field.name) {
                continue;
            }
            let column = guarded(|| read_column(&window, metadata, position, field.kind, group.rows))
                .map_err(|error| wrong(format!("damaged column {}: {error}", field.name)))?;
            columns.push(column);
            fields.push(field.clone());
        }
        let all = columns.len() == self.schema.fields.len();
        let schema = if all { self.schema.clone() } else { Arc::new(Schema { fields }) };
        Ok(Batch::new(schema, columns))
    }
}

fn schema_of(metadata: &ParquetMetaData) -> Result<Schema, String> {
    let descriptor = metadata.file_metadata().schema_descr();
    let mut fields = Vec::new();
    for column in descriptor.columns() {
        let name = column.name().to_owned();
        let is_flat =
            column.path().parts().len() == 1 && column.max_rep_level() == 0 && column.max_def_level() == 1;
        let kind = match (column.physical_type(), column.logical_type_ref()) {
            (Physical::BOOLEAN, None) => Kind::Boolean,
            (Physical::INT64, None) => Kind::Integer,
            (Physical::DOUBLE, None) => Kind::Number,
            (Physical::BYTE_ARRAY, Some(LogicalType::String)) => Kind::Text,
            (Physical::INT32, Some(LogicalType::Date)) => Kind::Date,
            (Physical::INT64, Some(LogicalType::Timestamp(kind))) if kind.unit == TimeUnit::MILLIS => {
                Kind::Timestamp
            }
            _ => return Err(format!("column {name} of a type that parts do not have")),
        };
        if !is_flat {
            return Err(format!("a nested column {name}"));
        }
        fields.push(Field { name, kind });
    }
    Ok(Schema { fields })
}

/// The range of a row group; `None` if it is not within the `end` bytes of the file.
fn group_of(group: &RowGroupMetaData, end: u64) -> Option<Group> {
    let rows = usize::try_from(group.num_rows()).ok()?;
    let (mut first, mut last) = (u64::MAX, 0);
    for column in group.columns() {
        let start =
            u64::try_from(column.dictionary_page_offset().unwrap_or(column.data_page_offset())).ok()?;
        let length = u64::try_from(column.compressed_size()).ok()?;
        if u64::try_from(column.num_values()).ok()? != rows as u64 {
            return None;
        }
        first = first.min(start);
        last = last.max(start.checked_add(length)?);
    }
    (first < last && last <= end).then_some(Group { range: first..last, rows })
}

fn read_column(
    window: &Arc<Window>,
    group: &RowGroupMetaData,
    position: usize,
    kind: Kind,
    rows: usize,
) -> Result<Column, ParquetError> {
    let column = group.column(position);
    let pages = SerializedPageReader::new(window.clone(), column, rows, None)?;
    let reader = get_column_reader(column.column_descr_ptr(), Box::new(pages));
    Ok(match (kind, reader) {
        (Kind::Boolean, ColumnReader::BoolColumnReader(r)) => Column::Boolean(read_values(r, rows)?),
        (Kind::Integer, ColumnReader::Int64ColumnReader(r)) => Column::Integer(read_values(r, rows)?),
        (Kind::Timestamp, ColumnReader::Int64ColumnReader(r)) => Column::Timestamp(read_values(r, rows)?),
        (Kind::Number, ColumnReader::DoubleColumnReader(r)) => Column::Number(read_values(r, rows)?),
        (Kind::Date, ColumnReader::Int32ColumnReader(r)) => Column::Date(read_values(r, rows)?),
        (Kind::Text, ColumnReader::ByteArrayColumnReader(r)) => {
            let bytes: Vec<Option<ByteArray>> = read_values(r, rows)?;
            let mut texts = Vec::with_capacity(bytes.len());
            for value in bytes {
                texts.push(value.map(|bytes| bytes.as_utf8().map(str::to_owned)).transpose()?);
            }
            Column::Text(texts)
        }
        _ => return Err(ParquetError::General("a column of another type".to_owned())),
    })
}

fn read_values<D: DataType>(
    mut reader: ColumnReaderImpl<D>,
    rows: usize,
) -> Result<Vec<Option<D::T>>, ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    let present = levels.iter().filter(|&&level| level == 1).count();
    if levels.len() != rows || present != values.len() {
        return Err(ParquetError::General(format!("{} values in place of {rows}", levels.len())));
    }
    let mut next = values.into_iter();
    Ok(levels.into_iter().map(|level| if level == 1 { next.next() } else { None }).collect())
}

/// Reads a whole part from memory.
///
/// # Errors
/// What is no part, or damaged.
pub fn read_all(file: &str, bytes: &Bytes) -> Result<Batch, Problem> {
    let Tail::Ready(footer) = Footer::read(file, bytes.len() as u64, bytes)? else {
        return Err(Problem::new(file, "part").found("a file that is cut off"));
    };
    let mut batches = Vec::new();
    for (index, group) in footer.row_groups().iter().enumerate() {
        let range = group.range.start as usize..group.range.end as usize;
        batches.push(footer.read_group(index, bytes.slice(range))?);
    }
    Ok(joined(footer.schema(), batches))
}

/// Writes a whole part in memory.
pub fn write_all(schema: &Arc<Schema>, batches: impl IntoIterator<Item = Batch>) -> Vec<u8> {
    let mut writer = Writer::new(schema.clone());
    let mut bytes = Vec::new();
    for batch in batches {
        writer.push(batch);
        bytes.append(&mut writer.take());
    }
    bytes.append(&mut writer.finish());
    bytes
}

/// Batches of one schema, one after another.
///
/// # Panics
/// If a batch has another schema: a mistake of the program.
pub fn joined(schema: &Arc<Schema>, batches: Vec<Batch>) -> Batch {
    if let [only] = batches.as_slice() {
        return only.clone();
    }
    let mut columns: Vec<Column> = schema.fields.iter().map(|field| Column::empty(field.kind)).collect();
    for batch in &batches {
        for (column, more) in columns.iter_mut().zip(batch.columns()) {
            match (column, more) {
                (Column::Boolean(into), Column::Boolean(from)) => into.extend_from_slice(from),
                (Column::Integer(into), Column::Integer(from)) => into.extend_from_slice(from),
                (Column::Number(into), Column::Number(from)) => into.extend_from_slice(from),
                (Column::Text(into), Column::Text(from)) => into.extend_from_slice(from),
                (Column::Date(into), Column::Date(from)) => into.extend_from_slice(from),
                (Column::Timestamp(into), Column::Timestamp(from)) => into.extend_from_slice(from),
                _ => unreachable!("batches of one schema have columns of one kind"),
            }
        }
    }
    Batch::new(schema.clone(), columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Arc<Schema> {
        Arc::new(Schema::of([
            ("b", Kind::Boolean),
            ("i", Kind::Integer),
            ("n", Kind::Number),
            ("t", Kind::Text),
            ("d", Kind::Date),
            ("m", Kind::Timestamp),
        ]))
    }

    fn batch(first: i64, rows: i64) -> Batch {
        let range = || first..first + rows;
        let some = |i: i64| i % 7 != 0;
        let columns = vec![
            Column::Boolean(range().map(|i| some(i).then_some(i % 2 == 0)).collect()),
            Column::Integer(range().map(|i| some(i).then_some(i * 1_000_003)).collect()),
            Column::Number(range().map(|i| some(i + 1).then_some(i as f64 / 3.0)).collect()),
            Column::Text(range().map(|i| some(i + 2).then(|| format!("é {}", i % 50))).collect()),
            Column::Date(range().map(|i| some(i + 3).then_some(i as i32)).collect()),
            Column::Timestamp(range().map(|i| some(i + 4).then_some(i * 86_400_001)).collect()),
        ];
        Batch::new(schema(), columns)
    }

    #[test]
    fn only_the_columns_asked_for_are_read() {
        let whole = batch(0, 1_000);
        let bytes = Bytes::from(write_all(&schema(), [whole.clone()]));
        let Tail::Ready(footer) = Footer::read("f", bytes.len() as u64, &bytes).unwrap() else {
            panic!("the whole file is enough")
        };
        let range = &footer.row_groups()[0].range;
        let group = bytes.slice(range.start as usize..range.end as usize);
        let some =
            footer.read_columns(0, group, |name| name == "d" || name == "i" || name == "none").unwrap();
        assert_eq!(some, whole.selected(&["i", "d"]).unwrap());
    }

    #[test]
    fn what_is_written_is_read_back_by_ranges() {
        let batches: Vec<Batch> = (0..9).map(|i| batch(i * 8192, 8192)).collect();
        let bytes = Bytes::from(write_all(&schema(), batches.clone()));
        assert_eq!(read_all("f", &bytes).unwrap(), joined(&schema(), batches.clone()));

        let total = bytes.len() as u64;
        let Tail::Need(needed) = Footer::read("f", total, &bytes[bytes.len() - 8..]).unwrap() else {
            panic!("needs more")
        };
        let tail = &bytes[bytes.len() - needed as usize..];
        let Tail::Ready(footer) = Footer::read("f", total, tail).unwrap() else { panic!("has enough") };
        assert_eq!(footer.rows(), 9 * 8192);
        let rows: Vec<usize> = footer.row_groups().iter().map(|group| group.rows).collect();
        assert_eq!(rows, [limit::GROUP_ROWS, limit::GROUP_ROWS, 8192]);
        let third = &footer.row_groups()[2];
        let slice = bytes.slice(third.range.start as usize..third.range.end as usize);
        assert_eq!(footer.read_group(2, slice).unwrap(), batches[8]);
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let write = || write_all(&schema(), (0..6).map(|i| batch(i * 8192, 8192)));
        assert_eq!(domain::Digest::of(&write()), domain::Digest::of(&write()));
    }

    #[test]
    fn a_part_without_rows_is_a_part() {
        let bytes = Bytes::from(write_all(&schema(), []));
        let batch = read_all("f", &bytes).unwrap();
        assert_eq!((batch.rows(), batch.schema()), (0, &schema()));
    }

    #[test]
    fn damaged_bytes_are_a_problem_never_a_panic() {
        let good = write_all(&schema(), [batch(0, 500)]);
        // Damage is expected to be noticed by the decoder; silence the reports of its assertions.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let mut noticed = 0;
        for position in 0..good.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[position] ^= flip;
                noticed += usize::from(read_all("f", &Bytes::from(bad)).is_err());
            }
        }
        for length in 0..good.len() {
            assert!(read_all("f", &Bytes::copy_from_slice(&good[..length])).is_err());
        }
        std::panic::set_hook(hook);
        assert!(noticed > 0);
        for text in
            [&b""[..], b"PAR1", b"a,b\n1,2\n3,4\n5,6\n", b"\xff\xff\xff\x7fPAR1", b"PAR1\xff\xff\xff\xffPAR1"]
        {
            assert!(read_all("f", &Bytes::copy_from_slice(text)).is_err());
        }
    }

    #[test]
    fn wide_tables_have_smaller_groups() {
        assert_eq!(group_rows(20), limit::GROUP_ROWS);
        assert_eq!(group_rows(2_000), 1_000);
    }
}
