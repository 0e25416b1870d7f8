//! A file as people send it, whatever its format, as records: CSV, JSON Lines or Parquet; the
//! first two plain or packed with gzip or zstd. The format is told by the bytes, not by the name.
//!
//! Sans-IO: bytes are pushed in as they come; a Parquet file is passed by and then asked for
//! again range by range, since its end says where everything stands.

mod columnar;
mod lines;
mod table;
mod unpack;

pub use table::Table;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use domain::Problem;

use self::columnar::Columnar;
use self::lines::Lines;
use self::unpack::Unpack;
use crate::csv::{Dialect, Records};
use crate::record::Record;

/// White space looked through for the first letter of a file.
const HEAD_BYTES: usize = 4 * 1024;

/// What takes the records.
pub(crate) type Each<'a> = dyn FnMut(&Record<'_>) -> Result<(), Problem> + 'a;

/// Which columns of a file are wanted. Others may be passed over undecoded.
#[derive(Clone, Debug)]
pub enum Columns {
    /// All that there are.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

/// What a whole file is fed to: first all its bytes in order, then the ranges it wants.
pub trait Feed {
    /// What can go wrong.
    type Error;

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// What is wrong with the file.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// When all bytes were pushed: the range of the file that is to be given next; none where
    /// nothing more is needed.
    ///
    /// # Errors
    /// What is wrong with the file.
    fn wants(&mut self) -> Result<Option<Range<u64>>, Self::Error>;

    /// Takes the bytes of the range that was wanted.
    ///
    /// # Errors
    /// What is wrong with the file.
    fn give(&mut self, bytes: Bytes) -> Result<(), Self::Error>;
}

/// A file being read.
pub struct Source {
    file: String,
    unpack: Unpack,
    reading: Reading,
    ended: bool,
}

struct Reading {
    file: String,
    dialect: Dialect,
    columns: Columns,
    form: Form,
}

enum Form {
    /// Not enough bytes to tell.
    Opening(Vec<u8>),
    Csv(Box<Records>),
    Lines(Box<Lines>),
    Columnar(Box<Columnar>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("file", &self.file).field("format", &self.format()).finish()
    }
}

impl Source {
    /// A source at the start of a file; `file` is how errors name it, `dialect` how it is written
    /// if it is CSV.
    pub fn new(file: &str, dialect: &Dialect, columns: Columns) -> Source {
        let reading = Reading {
            file: file.to_owned(),
            dialect: dialect.clone(),
            columns,
            form: Form::Opening(Vec::new()),
        };
        Source { file: file.to_owned(), unpack: Unpack::new(file), reading, ended: false }
    }

    /// The name of the format, as far as it is known.
    pub fn format(&self) -> &'static str {
        match self.reading.form {
            Form::Opening(_) => "unknown",
            Form::Csv(_) => "CSV",
            Form::Lines(_) => "JSON Lines",
            Form::Columnar(_) => "Parquet",
        }
    }

    /// Names of JSON Lines that are none of the columns asked for. Of the other formats the first
    /// record names every column.
    pub fn unknown(&self) -> Vec<String> {
        match &self.reading.form {
            Form::Lines(lines) => lines.unknown(),
            _ => Vec::new(),
        }
    }

    /// Takes the next bytes and hands on every record that ends in them. The first record of CSV
    /// and Parquet, of number 0, names the columns; so does that of JSON Lines where the columns
    /// are named. Elsewhere each record names its fields.
    ///
    /// # Errors
    /// A file that is none of the formats, or damaged, and whatever `each` answers.
    pub fn push(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(&Record<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (unpack, reading) = (&mut self.unpack, &mut self.reading);
        unpack.push(bytes, &mut |bytes| reading.push(bytes, each))?;
        self.no_packed_parquet()
    }

    /// When all bytes were pushed: hands on the last record, and answers which range of the file
    /// is to be given next; none where nothing more is needed.
    ///
    /// # Errors
    /// As [`Source::push`].
    pub fn wants(
        &mut self,
        each: &mut impl FnMut(&Record<'_>) -> Result<(), Problem>,
    ) -> Result<Option<Range<u64>>, Problem> {
        if !self.ended {
            self.ended = true;
            let (unpack, reading) = (&mut self.unpack, &mut self.reading);
            unpack.finish(&mut |bytes| reading.push(bytes, each))?;
            self.no_packed_parquet()?;
            self.reading.end(each)?;
        }
        match &mut self.reading.form {
            Form::Columnar(columnar) => columnar.wants(),
            _ => Ok(None),
        }
    }

    /// Takes the bytes of the range that was wanted.
    ///
    /// # Errors
    /// As [`Source::push`].
    pub fn give(
        &mut self,
        bytes: Bytes,
        each: &mut impl FnMut(&Record<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        match &mut self.reading.form {
            Form::Columnar(columnar) => columnar.give(bytes, each),
            _ => Ok(()),
        }
    }

    fn no_packed_parquet(&self) -> Result<(), Problem> {
        match (self.unpack.packing(), &self.reading.form) {
            (Some(packing), Form::Columnar(_)) => Err(Problem::new(&self.file, "format")
                .found(format_args!("Parquet packed with {packing}"))
                .expected("Parquet as it is")
                .hint("Parquet packs its columns itself: send the file unpacked")),
            _ => Ok(()),
        }
    }
}

impl Reading {
    fn push(&mut self, bytes: &[u8], each: &mut Each<'_>) -> Result<(), Problem> {
        if let Form::Opening(head) = &mut self.form {
            head.extend_from_slice(bytes);
            let is_told = head.len() >= HEAD_BYTES || (head.len() >= 4 && first_letter(head).is_some());
            return if is_told { self.open(each) } else { Ok(()) };
        }
        match &mut self.form {
            Form::Opening(_) => Ok(()),
            Form::Csv(records) => records.push(bytes, &mut |record| each(record)),
            Form::Lines(lines) => lines.push(bytes, each),
            Form::Columnar(columnar) => {
                columnar.pass(bytes.len());
                Ok(())
            }
        }
    }

    fn end(&mut self, each: &mut Each<'_>) -> Result<(), Problem> {
        if let Form::Opening(_) = self.form {
            self.open(each)?;
        }
        match &mut self.form {
            Form::Csv(records) => records.finish(&mut |record| each(record)),
            Form::Lines(lines) => lines.finish(each),
            Form::Opening(_) | Form::Columnar(_) => Ok(()),
        }
    }

    /// Tells the format by the first bytes.
    fn open(&mut self, each: &mut Each<'_>) -> Result<(), Problem> {
        let Form::Opening(head) = &mut self.form else { return Ok(()) };
        let head = std::mem::take(head);
        let columns = std::mem::replace(&mut self.columns, Columns::All);
        let letters = first_letter(&head).unwrap_or_default();
        let mut rest = head.as_slice();
        self.form = match letters {
            [b'P', b'A', b'R', b'1', ..] => Form::Columnar(Box::new(Columnar::new(&self.file, columns))),
            [b'{', ..] => {
                rest = letters;
                let mut lines = Lines::new(&self.file, columns);
                lines.skip(newlines(&head[..head.len() - letters.len()]));
                lines.header(each)?;
                Form::Lines(Box::new(lines))
            }
            [b'[', after @ ..] if matches!(after.trim_ascii_start().first(), Some(b'{')) => {
                return Err(Problem::new(&self.file, "format")
                    .found("one JSON array")
                    .expected("JSON Lines: one object a line, without brackets around them")
                    .hint("write each row on a line of its own, as `jq -c '.[]'` does"));
            }
            _ => Form::Csv(Box::new(Records::new(&self.file, &self.dialect))),
        };
        self.push(rest, each)
    }
}

/// What follows a byte order mark and white space; none where nothing does yet.
fn first_letter(head: &[u8]) -> Option<&[u8]> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    (!text.is_empty()).then_some(text)
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

#[cfg(test)]
mod tests;
