//! Appending whole lines to a file that others may be appending to as well.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};

/// A file opened for reading and appending.
#[derive(Debug)]
pub(crate) struct LineFile {
    file: File,
    /// Whether the file ends within a line: a crash or a full disk cut it off. The next line
    /// then starts on a line of its own, so that only the cut one is lost.
    cut: bool,
}

impl LineFile {
    /// Takes a file that was opened for reading and appending.
    pub(crate) fn new(file: File) -> io::Result<LineFile> {
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        Ok(LineFile { file, cut: last != [b'\n'] })
    }

    /// Appends a line by one write, so that lines of several writers never mix.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(line.len() + 2);
        if self.cut {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
        let written = loop {
            match self.file.write(&bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.cut = written > 0 && written < bytes.len();
        if written < bytes.len() {
            let what = format!("{written} of {} bytes were written", bytes.len());
            return Err(io::Error::new(io::ErrorKind::WriteZero, what));
        }
        Ok(())
    }

    /// Makes what was appended survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whether the file has been removed meanwhile, so that lines would go nowhere.
    pub(crate) fn is_gone(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.nlink() == 0)
    }
}
