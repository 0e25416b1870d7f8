//! Which whole records of a CSV file without header go into one request?

use std::io::{ErrorKind, Read};

/// How large a chunk may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Rows at most.
    pub(crate) rows: usize,
    /// Bytes at most, unless one record alone is larger.
    pub(crate) bytes: usize,
    /// Bytes at most of one record.
    pub(crate) bytes_max: usize,
}

/// Some whole records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The records, each with its line end.
    pub(crate) bytes: Vec<u8>,
    /// How many.
    pub(crate) rows: usize,
}

/// Cuts a file into chunks of whole records; line ends within quotes are part of a record, and
/// empty lines are none.
#[derive(Debug)]
pub(crate) struct Chunks<R> {
    input: R,
    size: Size,
    buffer: Vec<u8>,
    /// What of the buffer is not cut yet, and of that what was looked at.
    start: usize,
    looked: usize,
    quotes: Quotes,
    input_is: Input,
    row: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    Outside,
    Inside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    Over,
}

const READ_BYTES: usize = 64 * 1024;

impl<R: Read> Chunks<R> {
    pub(crate) fn new(input: R, size: Size) -> Chunks<R> {
        Chunks {
            input,
            size,
            buffer: Vec::new(),
            start: 0,
            looked: 0,
            quotes: Quotes::Outside,
            input_is: Input::Open,
            row: 0,
        }
    }

    /// The next chunk; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, String> {
        let mut chunk = Chunk::default();
        while chunk.rows < self.size.rows {
            let Some(end) = self.record_end()? else { break };
            let record = &self.buffer[self.start..end];
            let is_empty = record.iter().all(|byte| matches!(byte, b'\n' | b'\r'));
            if !is_empty {
                if chunk.rows > 0 && chunk.bytes.len() + record.len() > self.size.bytes {
                    // It is found again by the next call.
                    self.looked = self.start;
                    break;
                }
                chunk.bytes.extend_from_slice(record);
                if !record.ends_with(b"\n") {
                    chunk.bytes.push(b'\n');
                }
                chunk.rows += 1;
                self.row += 1;
            }
            self.start = end;
        }
        Ok((chunk.rows > 0).then_some(chunk))
    }

    /// Where the record that begins at `start` ends; none at the end of the file.
    fn record_end(&mut self) -> Result<Option<usize>, String> {
        loop {
            while self.looked < self.buffer.len() {
                let byte = self.buffer[self.looked];
                self.looked += 1;
                match (byte, self.quotes) {
                    (b'"', Quotes::Outside) => self.quotes = Quotes::Inside,
                    (b'"', Quotes::Inside) => self.quotes = Quotes::Outside,
                    (b'\n', Quotes::Outside) => {
                        self.check(self.looked)?;
                        return Ok(Some(self.looked));
                    }
                    _ => {}
                }
            }
            self.check(self.looked)?;
            if self.input_is == Input::Over {
                if self.quotes == Quotes::Inside {
                    return Err(format!("input row {}: a quote is never closed", self.row + 1));
                }
                let rest = self.start < self.buffer.len();
                return Ok(rest.then_some(self.buffer.len()));
            }
            self.fill()?;
        }
    }

    fn check(&self, end: usize) -> Result<(), String> {
        // A line end is added to the last record where it has none.
        if end - self.start >= self.size.bytes_max {
            let most = self.size.bytes_max;
            return Err(format!(
                "input row {}: {most} bytes or more, expected fewer (INVOCATION_BYTES_MAX)",
                self.row + 1
            ));
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), String> {
        self.buffer.drain(..self.start);
        self.looked -= self.start;
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + READ_BYTES, 0);
        let count = loop {
            match self.input.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("read the input: {error}")),
                Ok(count) => break count,
            }
        };
        self.buffer.truncate(length + count);
        if count == 0 {
            self.input_is = Input::Over;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, size: Size) -> Result<Vec<(String, usize)>, String> {
        // One byte at a time: no cut may depend on how the bytes arrive.
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let count = self.0.len().min(1);
                self.0.read(&mut buffer[..count])
            }
        }
        let mut slow = Chunks::new(Slow(text.as_bytes()), size);
        let mut whole = Chunks::new(text.as_bytes(), size);
        let mut found = Vec::new();
        loop {
            let (next, same) = (slow.next(), whole.next());
            assert_eq!(next, same);
            match next? {
                Some(chunk) => found.push((String::from_utf8(chunk.bytes).unwrap(), chunk.rows)),
                None => return Ok(found),
            }
        }
    }

    fn chunks(text: &str, rows: usize, bytes: usize) -> Vec<(String, usize)> {
        cut(text, Size { rows, bytes, bytes_max: 100 }).unwrap()
    }

    fn expect(found: &[(String, usize)], expected: &[(&str, usize)]) {
        let expected: Vec<_> = expected.iter().map(|(text, rows)| ((*text).to_owned(), *rows)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn records_are_never_cut() {
        expect(&chunks("1,a\n2,b\n3,c", 2, 100), &[("1,a\n2,b\n", 2), ("3,c\n", 1)]);
        expect(&chunks("1,a\n2,b\n3,c\n", 9, 8), &[("1,a\n2,b\n", 2), ("3,c\n", 1)]);
        expect(&chunks("1,a\n2,b\n3,c\n", 9, 7), &[("1,a\n", 1), ("2,b\n", 1), ("3,c\n", 1)]);
        expect(&chunks("longer than it\nx\n", 9, 4), &[("longer than it\n", 1), ("x\n", 1)]);
    }

    #[test]
    fn line_ends_within_quotes_belong_to_the_record() {
        let text = "1,\"a\nb \"\"c\n\"\"\"\r\n2,\"\"\n";
        expect(&chunks(text, 1, 100), &[("1,\"a\nb \"\"c\n\"\"\"\r\n", 1), ("2,\"\"\n", 1)]);
        expect(&chunks(text, 9, 19), &[("1,\"a\nb \"\"c\n\"\"\"\r\n", 1), ("2,\"\"\n", 1)]);
    }

    #[test]
    fn empty_lines_are_no_records() {
        expect(&chunks("", 9, 9), &[]);
        expect(&chunks("\n\r\n\n", 9, 9), &[]);
        expect(&chunks("\n1\n\n\"\"\n\r\n", 9, 9), &[("1\n\"\"\n", 2)]);
    }

    #[test]
    fn what_no_request_can_hold_is_refused() {
        let size = Size { rows: 9, bytes: 10, bytes_max: 20 };
        assert!(cut("1\n123456789012345678\n", size).is_ok());
        let complaint = "input row 2: 20 bytes or more, expected fewer (INVOCATION_BYTES_MAX)";
        assert_eq!(cut("1\n1234567890123456789\n", size).unwrap_err(), complaint);
        assert_eq!(cut("1\n1234567890123456789012345", size).unwrap_err(), complaint);
        assert_eq!(cut("1\n2,\"x\n", size).unwrap_err(), "input row 2: a quote is never closed");
    }
}
