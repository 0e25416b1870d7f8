//! What the cells of one column say: each of Parquet's plain types as a text and its shape.

use std::io::Write as _;

use domain::Time;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

use crate::record::Shape;

/// How the values of a column are to be understood: a physical type under its logical one
/// (parquet-format, LogicalTypes.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    Boolean,
    Integer,
    Unsigned,
    Float,
    Text,
    Date,
    Timestamp(Unit, Zone),
    /// Julian day and nanoseconds: timestamps of Impala and of older Spark.
    Int96,
    Decimal(i32),
    Uuid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// Whether a time is of UTC, or of a clock on some wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    Wall,
}

impl Decoder {
    /// How a column is read, or what it holds that cannot be.
    pub(super) fn of(column: &ColumnDescriptor) -> Result<Decoder, String> {
        if column.max_rep_level() > 0 || column.max_def_level() > 1 {
            return Err("a nested column".to_owned());
        }
        let physical = column.physical_type();
        if let Some(decoder) = Decoder::of_logical(column) {
            return Ok(decoder);
        }
        match physical {
            Physical::BOOLEAN => Ok(Decoder::Boolean),
            Physical::INT32 | Physical::INT64 if column.logical_type_ref().is_none() => Ok(Decoder::Integer),
            Physical::INT96 => Ok(Decoder::Int96),
            Physical::FLOAT | Physical::DOUBLE => Ok(Decoder::Float),
            // Some writers do not say that their bytes are text; those that are not are found.
            Physical::BYTE_ARRAY if column.logical_type_ref().is_none() => Ok(Decoder::Text),
            _ => Err(match column.logical_type_ref() {
                Some(logical) => format!("a column of {logical:?}"),
                None => format!("a column of {physical}"),
            }),
        }
    }

    fn of_logical(column: &ColumnDescriptor) -> Option<Decoder> {
        let zone = |utc: bool| if utc { Zone::Utc } else { Zone::Wall };
        let is_number = matches!(column.physical_type(), Physical::INT32 | Physical::INT64);
        let decimal = |scale| match column.physical_type() {
            Physical::INT32 | Physical::INT64 | Physical::BYTE_ARRAY => Some(Decoder::Decimal(scale)),
            Physical::FIXED_LEN_BYTE_ARRAY => Some(Decoder::Decimal(scale)),
            _ => None,
        };
        match column.logical_type_ref() {
            Some(LogicalType::Integer(integer)) if is_number => {
                Some(if integer.is_signed { Decoder::Integer } else { Decoder::Unsigned })
            }
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => Some(Decoder::Text),
            Some(LogicalType::Date) => Some(Decoder::Date),
            Some(LogicalType::Timestamp(time)) => {
                let unit = match time.unit {
                    TimeUnit::MILLIS => Unit::Millis,
                    TimeUnit::MICROS => Unit::Micros,
                    TimeUnit::NANOS => Unit::Nanos,
                };
                Some(Decoder::Timestamp(unit, zone(time.is_adjusted_to_u_t_c)))
            }
            Some(LogicalType::Decimal(of)) => decimal(of.scale),
            Some(LogicalType::Uuid) => Some(Decoder::Uuid),
            Some(_) => None,
            None => match column.converted_type() {
                ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Some(Decoder::Text),
                ConvertedType::DATE => Some(Decoder::Date),
                ConvertedType::TIMESTAMP_MILLIS => Some(Decoder::Timestamp(Unit::Millis, Zone::Utc)),
                ConvertedType::TIMESTAMP_MICROS => Some(Decoder::Timestamp(Unit::Micros, Zone::Utc)),
                ConvertedType::DECIMAL => decimal(column.type_scale()),
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64 => Some(Decoder::Unsigned),
                _ => None,
            },
        }
    }
}

/// A column being read.
pub(super) struct Reading {
    pub(super) reader: ColumnReader,
    pub(super) decoder: Decoder,
    pub(super) is_optional: bool,
}

/// Some cells of a column.
#[derive(Default)]
pub(super) struct Cells {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    shapes: Vec<Shape>,
    levels: Vec<i16>,
}

impl Cells {
    pub(super) fn get(&self, index: usize) -> (&[u8], Shape) {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        (&self.bytes[start..self.ends[index]], self.shapes[index])
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.shapes.clear();
        self.levels.clear();
    }

    /// Reads so many cells, each written by `write`.
    fn fill<D: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<D>,
        rows: usize,
        is_optional: bool,
        write: impl Fn(&D::T, &mut Vec<u8>) -> Shape,
    ) -> Result<(), ParquetError> {
        let mut values = Vec::new();
        let levels = is_optional.then_some(&mut self.levels);
        reader.read_records(rows, levels, None, &mut values)?;
        if !is_optional {
            self.levels.resize(values.len(), 1);
        }
        let present = self.levels.iter().filter(|&&level| level == 1).count();
        if self.levels.len() != rows || present != values.len() {
            let found = format!("{} values in place of {rows}", self.levels.len());
            return Err(ParquetError::General(found));
        }
        let mut values = values.iter();
        for level in &self.levels {
            let value = if *level == 1 { values.next() } else { None };
            let shape = value.map_or(Shape::Null, |value| write(value, &mut self.bytes));
            self.ends.push(self.bytes.len());
            self.shapes.push(shape);
        }
        Ok(())
    }
}

impl Reading {
    /// Reads the next cells, in place of those that were there.
    pub(super) fn read(&mut self, rows: usize, cells: &mut Cells) -> Result<(), ParquetError> {
        cells.clear();
        let (decoder, optional) = (self.decoder, self.is_optional);
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => cells.fill(reader, rows, optional, |value, bytes| {
                put(bytes, format_args!("{value}"), Shape::Boolean)
            }),
            ColumnReader::Int32ColumnReader(reader) => cells.fill(reader, rows, optional, |value, bytes| {
                let value = match decoder {
                    Decoder::Unsigned => i64::from(value.cast_unsigned()),
                    _ => i64::from(*value),
                };
                integer(bytes, value, decoder)
            }),
            ColumnReader::Int64ColumnReader(reader) => {
                cells.fill(reader, rows, optional, |value, bytes| integer(bytes, *value, decoder))
            }
            ColumnReader::Int96ColumnReader(reader) => cells.fill(reader, rows, optional, |value, bytes| {
                moment(bytes, value.to_millis(), Zone::Utc, Precision::Millisecond)
            }),
            ColumnReader::FloatColumnReader(reader) => cells.fill(reader, rows, optional, |value, bytes| {
                put(bytes, format_args!("{}", f64::from(*value)), Shape::Number)
            }),
            ColumnReader::DoubleColumnReader(reader) => cells.fill(reader, rows, optional, |value, bytes| {
                put(bytes, format_args!("{value}"), Shape::Number)
            }),
            ColumnReader::ByteArrayColumnReader(reader) => {
                cells.fill(reader, rows, optional, |value, bytes| opaque(bytes, value.data(), decoder))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                cells.fill(reader, rows, optional, |value, bytes| opaque(bytes, value.data(), decoder))
            }
        }
    }
}

fn integer(bytes: &mut Vec<u8>, value: i64, decoder: Decoder) -> Shape {
    match decoder {
        Decoder::Date => moment(bytes, value.saturating_mul(Time::DAY), Zone::Wall, Precision::Day),
        Decoder::Timestamp(unit, zone) => {
            let millis = match unit {
                Unit::Millis => value,
                Unit::Micros => value.div_euclid(1_000),
                Unit::Nanos => value.div_euclid(1_000_000),
            };
            moment(bytes, millis, zone, Precision::Millisecond)
        }
        Decoder::Decimal(scale) => decimal(bytes, i128::from(value), scale),
        Decoder::Unsigned => put(bytes, format_args!("{}", value.cast_unsigned()), Shape::Number),
        _ => put(bytes, format_args!("{value}"), Shape::Number),
    }
}

/// Bytes that are a text, a decimal or an identifier.
fn opaque(bytes: &mut Vec<u8>, value: &[u8], decoder: Decoder) -> Shape {
    match (decoder, value) {
        (Decoder::Decimal(scale), [first, ..]) if value.len() <= 16 => {
            // Two's complement, the most significant byte first.
            let sign = if first & 0x80 == 0 { 0 } else { 0xff };
            let mut whole = [sign; 16];
            whole[16 - value.len()..].copy_from_slice(value);
            decimal(bytes, i128::from_be_bytes(whole), scale)
        }
        (Decoder::Uuid, value) if value.len() == 16 => {
            for (index, byte) in value.iter().enumerate() {
                let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
                put(bytes, format_args!("{dash}{byte:02x}"), Shape::Text);
            }
            Shape::Text
        }
        (_, value) => {
            bytes.extend_from_slice(value);
            Shape::Text
        }
    }
}

/// A decimal in all its digits: 12345 with scale 2 is 123.45.
fn decimal(bytes: &mut Vec<u8>, unscaled: i128, scale: i32) -> Shape {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = usize::try_from(scale).unwrap_or(0).min(DECIMAL_SCALE_MAX);
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let point = if scale > 0 { "." } else { "" };
    put(bytes, format_args!("{sign}{whole}{point}{fraction}"), Shape::Number)
}

/// Digits behind the point at most: 38 digits fit the 16 bytes that are read.
const DECIMAL_SCALE_MAX: usize = 38;

fn put(bytes: &mut Vec<u8>, text: std::fmt::Arguments<'_>, shape: Shape) -> Shape {
    // Writing to a Vec cannot fail.
    let _ = bytes.write_fmt(text);
    shape
}

/// To what a moment is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Precision {
    Day,
    Millisecond,
}

/// A moment in its ISO form; what no calendar holds stays a number.
fn moment(bytes: &mut Vec<u8>, millis: i64, zone: Zone, precision: Precision) -> Shape {
    let time = Time::from_millis(millis);
    if time.millis() != millis {
        return put(bytes, format_args!("{millis}"), Shape::Number);
    }
    if precision == Precision::Day {
        return put(bytes, format_args!("{}", time.date()), Shape::Moment);
    }
    let text = time.to_string();
    let text = if zone == Zone::Utc { text.as_str() } else { text.trim_end_matches('Z') };
    put(bytes, format_args!("{text}"), Shape::Moment)
}
