//! Where one record of a CSV file ends and the next begins, whatever pieces the bytes come in.

use std::fmt;

use csv_core::ReadRecordResult;
use domain::{Problem, limit};

use crate::record::{Fault, Record};

/// How a CSV file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What separates fields.
    pub delimiter: u8,
    /// What surrounds a field that contains delimiters, quotes or line ends.
    pub quote: u8,
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect { delimiter: b',', quote: b'"' }
    }
}

/// Splits a stream of bytes into records. Memory is bounded by the longest record allowed.
pub struct Records {
    file: String,
    core: csv_core::Reader,
    /// The first bytes, held until a byte order mark can be told from data.
    head: Option<Vec<u8>>,
    output: Vec<u8>,
    output_used: usize,
    ends: Vec<usize>,
    ends_used: usize,
    /// The raw bytes of a record that began in an earlier piece.
    raw: Vec<u8>,
    raw_newlines: u64,
    fault: Option<Fault>,
    number: u64,
    line: u64,
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("number", &self.number)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

impl Records {
    /// A reader at the start of a file.
    pub fn new(file: &str, dialect: &Dialect) -> Records {
        let core = csv_core::ReaderBuilder::new().delimiter(dialect.delimiter).quote(dialect.quote).build();
        Records {
            file: file.to_owned(),
            core,
            head: Some(Vec::new()),
            output: vec![0; 16 * 1024],
            output_used: 0,
            ends: vec![0; 64],
            ends_used: 0,
            raw: Vec::new(),
            raw_newlines: 0,
            fault: None,
            number: 0,
            line: 1,
        }
    }

    /// Takes the next bytes and hands on every record that ends in them.
    ///
    /// # Errors
    /// A file that is not CSV text at all, and whatever `each` answers.
    pub fn push(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(&Record<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let Some(mut head) = self.head.take() else {
            return self.split(bytes, each);
        };
        head.extend_from_slice(bytes);
        if head.len() < 4 {
            self.head = Some(head);
            return Ok(());
        }
        let text = self.opened(&head)?;
        self.split(text, each)
    }

    /// Hands on the last record, if the file does not end in a line end.
    ///
    /// # Errors
    /// As [`Records::push`].
    pub fn finish(
        &mut self,
        each: &mut impl FnMut(&Record<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        if let Some(head) = self.head.take() {
            let text = self.opened(&head)?;
            self.split(text, each)?;
        }
        let record_is_open = !self.raw.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        if !record_is_open {
            return Ok(());
        }
        // A line end closes every record except one inside quotes.
        let records = self.number;
        self.split(b"\n", each)?;
        if self.number == records {
            self.fault = Some(Fault::Unclosed);
            self.ends_used = 0;
            self.record(&[], each)?;
        }
        Ok(())
    }

    /// Looks at the first bytes: strips a byte order mark, refuses what is not CSV text.
    fn opened<'b>(&self, head: &'b [u8]) -> Result<&'b [u8], Problem> {
        let not_text = |found: &str, hint: &str| {
            Err(Problem::new(&self.file, "encoding").found(found).expected("CSV text in UTF-8").hint(hint))
        };
        match head {
            [0x1f, 0x8b, ..] => not_text("gzip", "unpack the file first"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => not_text("zstd", "unpack the file first"),
            [b'P', b'K', 3, 4, ..] => not_text("a zip archive or a spreadsheet", "export the table as CSV"),
            [b'P', b'A', b'R', b'1', ..] => not_text("Parquet", "convert the file to CSV"),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => not_text("UTF-16", "save the file as UTF-8"),
            [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest),
            all => Ok(all),
        }
    }

    fn split(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(&Record<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut rest = bytes;
        // Where in `bytes` the record at hand began, or the piece, if it began earlier.
        let mut start = bytes;
        while !rest.is_empty() {
            let output = &mut self.output[self.output_used..];
            let ends = &mut self.ends[self.ends_used..];
            let (result, read, written, ended) = self.core.read_record(rest, output, ends);
            rest = &rest[read..];
            self.output_used += written;
            self.ends_used += ended;
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
                ReadRecordResult::OutputFull => self.make_room(),
                ReadRecordResult::OutputEndsFull => self.make_room_for_ends(),
                ReadRecordResult::Record => {
                    let raw = &start[..start.len() - rest.len()];
                    self.record(raw, each)?;
                    start = rest;
                }
            }
        }
        self.keep_raw(start);
        Ok(())
    }

    /// Remembers the raw bytes of a record that goes on in the next piece.
    fn keep_raw(&mut self, bytes: &[u8]) {
        if self.raw.len() + bytes.len() <= limit::FIELD_BYTES_MAX {
            self.raw.extend_from_slice(bytes);
        } else {
            let room = limit::FIELD_BYTES_MAX.saturating_sub(self.raw.len());
            let (kept, lost) = bytes.split_at(room.min(bytes.len()));
            self.raw.extend_from_slice(kept);
            self.raw_newlines += newlines(lost);
        }
    }

    fn make_room(&mut self) {
        let field_start = if self.ends_used == 0 { 0 } else { self.ends[self.ends_used - 1] };
        let field_is_too_long = self.output_used.saturating_sub(field_start) > limit::FIELD_BYTES_MAX;
        if self.fault.is_some() || field_is_too_long || self.output.len() >= limit::RECORD_BYTES_MAX {
            self.fault.get_or_insert(Fault::TooLong);
            self.output_used = 0;
        } else {
            let length = (2 * self.output.len()).min(limit::RECORD_BYTES_MAX);
            self.output.resize(length, 0);
        }
    }

    fn make_room_for_ends(&mut self) {
        if self.fault.is_some() || self.ends.len() > limit::COLUMNS_MAX {
            self.fault.get_or_insert(Fault::Columns);
            self.ends_used = 0;
        } else {
            self.ends.resize((2 * self.ends.len()).min(limit::COLUMNS_MAX + 2), 0);
        }
    }

    fn record(
        &mut self,
        tail: &[u8],
        each: &mut impl FnMut(&Record<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let carried = !self.raw.is_empty();
        if carried {
            self.keep_raw(tail);
        }
        let raw = if carried { self.raw.as_slice() } else { tail };
        let blank = raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let start_line = self.line + newlines(&raw[..blank]);
        self.line = start_line + newlines(&raw[blank..]) + self.raw_newlines;
        let end = raw.len() - raw.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let ends = &self.ends[..self.ends_used];
        let mut fault = self.fault;
        if fault.is_none() && ends.len() > limit::COLUMNS_MAX {
            fault = Some(Fault::Columns);
        }
        if fault.is_none() && self.output_used > limit::FIELD_BYTES_MAX {
            let lengths = ends.iter().scan(0, |previous, &end| Some(end - std::mem::replace(previous, end)));
            if lengths.max().unwrap_or(0) > limit::FIELD_BYTES_MAX {
                fault = Some(Fault::TooLong);
            }
        }
        let is_usable = fault.is_none();
        let record = Record {
            number: self.number,
            line: start_line,
            fault,
            raw: &raw[blank.min(end)..end.max(blank.min(end))],
            bytes: if is_usable { &self.output[..self.output_used] } else { &[] },
            ends: if is_usable { ends } else { &[] },
            shapes: &[],
            names: &[],
        };
        let outcome = each(&record);
        self.number += 1;
        self.output_used = 0;
        self.ends_used = 0;
        self.fault = None;
        self.raw.clear();
        self.raw_newlines = 0;
        outcome
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u64, u64, Option<Fault>, Vec<String>, String);

    fn split(bytes: &[u8], piece: usize) -> Result<Vec<Row>, Problem> {
        let mut records = Records::new("f.csv", &Dialect::default());
        let mut rows = Vec::new();
        let mut each = |record: &Record<'_>| {
            let fields =
                (0..record.len()).map(|i| String::from_utf8_lossy(record.field(i)).into_owned()).collect();
            let raw = String::from_utf8_lossy(record.raw).into_owned();
            rows.push((record.number, record.line, record.fault, fields, raw));
            Ok(())
        };
        for piece in bytes.chunks(piece.max(1)) {
            records.push(piece, &mut each)?;
        }
        records.finish(&mut each)?;
        Ok(rows)
    }

    #[track_caller]
    fn check(text: &str, expected: &[(u64, &[&str])]) {
        for piece in [1, 2, 3, 5, 1000] {
            let rows = split(text.as_bytes(), piece).unwrap();
            let found: Vec<(u64, Vec<&str>)> =
                rows.iter().map(|row| (row.1, row.3.iter().map(String::as_str).collect())).collect();
            let expected: Vec<(u64, Vec<&str>)> =
                expected.iter().map(|(line, row)| (*line, row.to_vec())).collect();
            assert_eq!(found, expected, "{text:?} in pieces of {piece}");
        }
    }

    #[test]
    fn records_are_the_same_in_pieces_of_any_size() {
        check("a,b\n1,2\n", &[(1, &["a", "b"]), (2, &["1", "2"])]);
        check("a,b\r\n1,2\r\n3,4", &[(1, &["a", "b"]), (2, &["1", "2"]), (3, &["3", "4"])]);
        check("\u{feff}a\n1\n", &[(1, &["a"]), (2, &["1"])]);
        check("\"x\ny\",\"q\"\"q\"\nz,\"\"\n", &[(1, &["x\ny", "q\"q"]), (3, &["z", ""])]);
        check("a\n\n\nb\n", &[(1, &["a"]), (4, &["b"])]);
        check("a\n\"\"\nb", &[(1, &["a"]), (2, &[""]), (3, &["b"])]);
        check("a,5\" pipe", &[(1, &["a", "5\" pipe"])]);
        check(",\n", &[(1, &["", ""])]);
        check("", &[]);
        check("\u{feff}", &[]);
        check("\r\n\r\n", &[]);
    }

    #[test]
    fn an_unclosed_quote_is_one_faulty_record_with_its_first_line() {
        for piece in [1, 4, 1000] {
            let rows = split(b"a,b\n1,2\n3,\"x\n5,6\n", piece).unwrap();
            assert_eq!(rows.len(), 3);
            assert_eq!((rows[2].1, rows[2].2), (3, Some(Fault::Unclosed)));
            assert_eq!(rows[2].4, "3,\"x\n5,6");
        }
    }

    #[test]
    fn a_field_beyond_the_limit_is_a_fault_and_what_follows_is_read() {
        let mut text = b"a,b\n1,\"".to_vec();
        text.extend(std::iter::repeat_n(b"x\n", limit::RECORD_BYTES_MAX).flatten());
        text.extend(b"\"\n3,4\n");
        let rows = split(&text, 65_536).unwrap();
        assert_eq!(rows[1].2, Some(Fault::TooLong));
        assert!(rows[1].4.len() <= limit::FIELD_BYTES_MAX);
        assert_eq!(
            (rows[2].1, &rows[2].3),
            (limit::RECORD_BYTES_MAX as u64 + 3, &vec!["3".to_owned(), "4".to_owned()])
        );

        let just_too_long = format!("{}\nb\n", "x".repeat(limit::FIELD_BYTES_MAX + 1));
        let rows = split(just_too_long.as_bytes(), 4096).unwrap();
        assert_eq!((rows[0].2, rows[1].2), (Some(Fault::TooLong), None));
        let longest = format!("{}\nb\n", "x".repeat(limit::FIELD_BYTES_MAX));
        assert_eq!(split(longest.as_bytes(), 4096).unwrap()[0].2, None);
    }

    #[test]
    fn a_record_of_too_many_columns_is_a_fault_and_what_follows_is_read() {
        for columns in [limit::COLUMNS_MAX + 1, 100_000] {
            let text = format!("{}\n1,2\n", ",".repeat(columns - 1));
            let rows = split(text.as_bytes(), 4096).unwrap();
            assert_eq!((rows[0].2, rows[1].2, rows[1].3.len()), (Some(Fault::Columns), None, 2));
        }
        let most = format!("{}\n", ",".repeat(limit::COLUMNS_MAX - 1));
        assert_eq!(split(most.as_bytes(), 4096).unwrap()[0].2, None);
    }

    #[test]
    fn half_characters_across_a_delimiter_are_not_utf8() {
        let mut records = Records::new("f", &Dialect::default());
        let mut texts = Vec::new();
        records
            .push(b"\xc3,\xa9\n\xc3\xa9,a\n", &mut |record| {
                texts.push(record.text().map(str::to_owned));
                Ok(())
            })
            .unwrap();
        assert_eq!(texts, [None, Some("éa".to_owned())]);
    }

    #[test]
    fn files_that_are_not_csv_text_are_named() {
        for (bytes, name) in [
            (&b"\x1f\x8b\x08\x00rest"[..], "gzip"),
            (b"PAR1rest", "Parquet"),
            (b"PK\x03\x04rest", "zip"),
            (b"\xff\xfea\0", "UTF-16"),
        ] {
            assert!(split(bytes, 1).unwrap_err().to_string().contains(name), "{name}");
        }
    }
}
