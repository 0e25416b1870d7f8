//! Parquet as people's tools write it: row groups by ranges, rows in their order, only the
//! columns that are wanted decoded.

mod cells;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use domain::{Problem, limit};
use parquet::column::reader::get_column_reader;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::SerializedPageReader;

use self::cells::{Cells, Decoder, Reading};
use super::{Columns, Each};
use crate::part::TAIL_BYTES;
use crate::record::{Fault, Record, Shape};
use crate::window::{self, FooterBytes, Window};

/// Cells decoded at a time: some megabytes beside the row group itself.
const STEP_CELLS: usize = 256 * 1024;

/// A Parquet file being read: first its end, then one row group after another.
pub(super) struct Columnar {
    file: String,
    columns: Columns,
    file_bytes: u64,
    tail_bytes: u64,
    layout: Option<Layout>,
    group: usize,
    number: u64,
}

/// What the footer tells.
struct Layout {
    metadata: ParquetMetaData,
    names: Vec<String>,
    /// The columns of the file that are decoded, with the leaf that holds them.
    wanted: Vec<Wanted>,
}

struct Wanted {
    column: usize,
    leaf: usize,
    decoder: Decoder,
}

impl Columnar {
    pub(super) fn new(file: &str, columns: Columns) -> Columnar {
        let file = file.to_owned();
        Columnar { file, columns, file_bytes: 0, tail_bytes: 0, layout: None, group: 0, number: 0 }
    }

    /// Bytes of the file that were passed by; they are asked for later.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.file_bytes += bytes as u64;
    }

    /// Which range is needed next; none where all is read.
    pub(super) fn wants(&mut self) -> Result<Option<Range<u64>>, Problem> {
        let Some(layout) = &self.layout else {
            let bytes = self.tail_bytes.max(TAIL_BYTES).min(self.file_bytes);
            return Ok(Some(self.file_bytes - bytes..self.file_bytes));
        };
        while self.group < layout.metadata.num_row_groups() {
            let group = layout.metadata.row_group(self.group);
            if group.num_rows() > 0 {
                return self.range(layout).map(Some);
            }
            self.group += 1;
        }
        Ok(None)
    }

    /// Takes the bytes of the range that was asked for.
    pub(super) fn give(&mut self, bytes: Bytes, each: &mut Each<'_>) -> Result<(), Problem> {
        if self.layout.is_some() {
            return self.read_group(bytes, each);
        }
        match window::footer(&self.file, self.file_bytes, &bytes)? {
            FooterBytes::Need(needed) => self.tail_bytes = needed,
            FooterBytes::Ready(metadata) => {
                let layout = self.layout_of(metadata)?;
                let header = Header::of(&layout.names);
                self.layout = Some(layout);
                each(&header.record())?;
            }
        }
        Ok(())
    }

    fn layout_of(&self, metadata: ParquetMetaData) -> Result<Layout, Problem> {
        let schema = metadata.file_metadata().schema_descr();
        let fields = schema.root_schema().get_fields();
        let names: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
        if names.len() > limit::COLUMNS_MAX {
            return Err(self
                .wrong(format_args!("{} columns", names.len()))
                .expected(format_args!("at most {}", limit::COLUMNS_MAX)));
        }
        let mut wanted = Vec::new();
        for (column, field) in fields.iter().enumerate() {
            let is_wanted = match &self.columns {
                Columns::All => true,
                Columns::Named(named) => named.iter().any(|name| name == field.name()),
            };
            if !is_wanted {
                continue;
            }
            let leaves = (0..schema.num_columns()).filter(|&leaf| schema.get_column_root_idx(leaf) == column);
            let leaves: Vec<usize> = leaves.collect();
            let decoder = match leaves.as_slice() {
                [leaf] if field.is_primitive() => Decoder::of(&schema.column(*leaf)),
                _ => Err("a nested column".to_owned()),
            };
            let decoder = decoder.map_err(|found| {
                let hint = "leave the column out of the contract, or write it flat";
                self.wrong(found).field(field.name()).expected("a flat column of a plain type").hint(hint)
            })?;
            wanted.push(Wanted { column, leaf: leaves[0], decoder });
        }
        Ok(Layout { metadata, names, wanted })
    }

    fn range(&self, layout: &Layout) -> Result<Range<u64>, Problem> {
        let group = layout.metadata.row_group(self.group);
        let (mut first, mut last) = (u64::MAX, 0);
        let mut unpacked: i64 = 0;
        for wanted in &layout.wanted {
            let column = group.column(wanted.leaf);
            let outside = || self.wrong(format_args!("row group {} outside the file", self.group));
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let start = u64::try_from(start.min(column.data_page_offset())).map_err(|_| outside())?;
            let length = u64::try_from(column.compressed_size()).map_err(|_| outside())?;
            let end = start.checked_add(length).filter(|&end| end <= self.file_bytes).ok_or_else(outside)?;
            if column.num_values() != group.num_rows() {
                return Err(self.wrong(format_args!("row group {} with columns unlike long", self.group)));
            }
            unpacked = unpacked.saturating_add(column.uncompressed_size().max(0));
            (first, last) = (first.min(start), last.max(end));
        }
        let most = limit::SOURCE_GROUP_BYTES_MAX;
        if last.saturating_sub(first) > most || unpacked as u64 > 4 * most {
            return Err(self
                .wrong(format_args!("row group {} of {unpacked} bytes", self.group))
                .expected(format_args!("row groups of at most {most} bytes, {} unpacked", 4 * most))
                .hint("write the file with smaller row groups"));
        }
        Ok(if first < last { first..last } else { 0..0 })
    }

    fn read_group(&mut self, bytes: Bytes, each: &mut Each<'_>) -> Result<(), Problem> {
        let Some(layout) = self.layout.take() else { return Ok(()) };
        let range = self.range(&layout)?;
        let window = Arc::new(Window { start: range.start, bytes });
        let read = self.read_rows(&layout, &window, each);
        self.layout = Some(layout);
        self.group += 1;
        read
    }

    fn read_rows(
        &mut self,
        layout: &Layout,
        window: &Arc<Window>,
        each: &mut Each<'_>,
    ) -> Result<(), Problem> {
        let group = layout.metadata.row_group(self.group);
        let mut left = usize::try_from(group.num_rows()).unwrap_or(0);
        let mut readings = Vec::with_capacity(layout.wanted.len());
        for wanted in &layout.wanted {
            let column = group.column(wanted.leaf);
            let open = || {
                let pages = SerializedPageReader::new(window.clone(), column, left, None)?;
                let reader = get_column_reader(column.column_descr_ptr(), Box::new(pages));
                let is_optional = column.column_descr().max_def_level() == 1;
                Ok(Reading { reader, decoder: wanted.decoder, is_optional })
            };
            readings.push(window::guarded(open).map_err(|error| self.damaged(layout, wanted, error))?);
        }
        let step = (STEP_CELLS / layout.names.len().max(1)).clamp(64, limit::BATCH_ROWS);
        let mut cells: Vec<Cells> = readings.iter().map(|_| Cells::default()).collect();
        let mut row = Row::default();
        while left > 0 {
            let rows = step.min(left);
            for ((reading, cells), wanted) in readings.iter_mut().zip(&mut cells).zip(&layout.wanted) {
                window::guarded(|| reading.read(rows, cells))
                    .map_err(|error| self.damaged(layout, wanted, error))?;
            }
            for index in 0..rows {
                self.number += 1;
                let fault = row.lay_out(layout, &cells, index);
                each(&row.record(self.number, fault, &layout.names))?;
            }
            left -= rows;
        }
        Ok(())
    }

    fn damaged(&self, layout: &Layout, wanted: &Wanted, error: parquet::errors::ParquetError) -> Problem {
        self.wrong(format_args!("row group {}: {error}", self.group)).field(&layout.names[wanted.column])
    }

    fn wrong(&self, found: impl std::fmt::Display) -> Problem {
        Problem::new(&self.file, "Parquet").found(found)
    }
}

/// The names of the columns as a record.
struct Header {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Header {
    fn of(names: &[String]) -> Header {
        let mut header = Header { bytes: Vec::new(), ends: Vec::new() };
        for name in names {
            header.bytes.extend_from_slice(name.as_bytes());
            header.ends.push(header.bytes.len());
        }
        header
    }

    fn record(&self) -> Record<'_> {
        Record {
            number: 0,
            line: 0,
            fault: None,
            raw: &[],
            bytes: &self.bytes,
            ends: &self.ends,
            shapes: &[],
            names: &[],
        }
    }
}

/// One row, cell by cell in the order of the file's columns.
#[derive(Default)]
struct Row {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    shapes: Vec<Shape>,
}

impl Row {
    fn lay_out(&mut self, layout: &Layout, cells: &[Cells], index: usize) -> Option<Fault> {
        self.bytes.clear();
        self.ends.clear();
        self.shapes.clear();
        let mut fault = None;
        let mut wanted = layout.wanted.iter().zip(cells).peekable();
        for column in 0..layout.names.len() {
            let shape = match wanted.next_if(|(wanted, _)| wanted.column == column) {
                None => Shape::Null,
                Some((_, cells)) => {
                    let (text, shape) = cells.get(index);
                    if text.len() > limit::FIELD_BYTES_MAX
                        || self.bytes.len() + text.len() > limit::RECORD_BYTES_MAX
                    {
                        fault = Some(Fault::TooLong);
                    } else {
                        self.bytes.extend_from_slice(text);
                    }
                    shape
                }
            };
            self.ends.push(self.bytes.len());
            self.shapes.push(shape);
        }
        fault
    }

    fn record<'a>(&'a self, number: u64, fault: Option<Fault>, names: &'a [String]) -> Record<'a> {
        Record {
            number,
            line: 0,
            fault,
            raw: &[],
            bytes: &self.bytes,
            ends: &self.ends,
            shapes: &self.shapes,
            names,
        }
    }
}
