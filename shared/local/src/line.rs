//! Appending whole lines to a file that other processes may be appending to as well.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};

/// A file opened for reading and appending.
#[derive(Debug)]
pub(crate) struct LineFile(File);

impl LineFile {
    /// Takes a file that was opened for reading and appending.
    pub(crate) fn new(file: File) -> LineFile {
        LineFile(file)
    }

    /// Appends a line by one write, all of it or nothing.
    ///
    /// Where the file ends within a line, because whoever wrote it died, the new line starts on
    /// a line of its own, so that only the cut one is lost.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        // A file grows page by page: only under its lock does its end tell what was cut off
        // from what is being written. A file system without locks leaves that to chance.
        let locked = match self.0.lock() {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => false,
            Err(error) => return Err(error),
        };
        let appended = self.append_alone(line);
        if locked {
            self.0.unlock()?;
        }
        appended
    }

    fn append_alone(&mut self, line: &[u8]) -> io::Result<()> {
        let length = self.0.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            self.0.read_exact_at(&mut last, length - 1)?;
        }
        let mut bytes = Vec::with_capacity(line.len() + 2);
        if last != [b'\n'] {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
        let written = loop {
            match self.0.write(&bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if written < bytes.len() {
            // The disk is full. What did fit is no line, so it goes.
            self.0.set_len(length)?;
            let what = format!("room for {written} of {} bytes", bytes.len());
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        Ok(())
    }

    /// Makes what was appended survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    /// Whether the file has been removed meanwhile, so that lines would go nowhere.
    pub(crate) fn is_gone(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.nlink() == 0)
    }
}
