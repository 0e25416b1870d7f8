//! How a CSV file of any size is written: row group by row group, digested on the way.

use domain::BlobPath;
use domain::digest::Hasher;
use domain::row::File;
use engine::csv::{write_header, write_rows};
use engine::table::{Batch, Schema};
use ports::blobs::PutExpect;
use ports::{BlobWriter, Blobs, Result};

/// A CSV file being written. Dropping it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct CsvFile {
    path: BlobPath,
    writer: Box<dyn BlobWriter>,
    hasher: Hasher,
    buffer: Vec<u8>,
    rows: u64,
}

impl CsvFile {
    /// A file without rows; with a header where a schema is given.
    pub(crate) async fn open(blobs: &dyn Blobs, path: BlobPath, header: Option<&Schema>) -> Result<CsvFile> {
        let writer = blobs.writer(&path, PutExpect::Same).await?;
        let mut buffer = Vec::new();
        if let Some(schema) = header {
            write_header(schema, &mut buffer);
        }
        Ok(CsvFile { path, writer, hasher: Hasher::default(), buffer, rows: 0 })
    }

    /// Adds rows, in memory until [`CsvFile::flush`].
    pub(crate) fn push(&mut self, batch: &Batch) {
        write_rows(batch, &mut self.buffer);
        self.rows += batch.rows() as u64;
    }

    /// Hands over what was added.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.hasher.update(&self.buffer);
        self.writer.write(&self.buffer).await?;
        self.buffer.clear();
        Ok(())
    }

    /// How many rows were added.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Makes the file visible.
    pub(crate) async fn close(mut self) -> Result<File> {
        self.flush().await?;
        self.writer.finish().await?;
        Ok(File { path: self.path, digest: self.hasher.finish() })
    }
}
