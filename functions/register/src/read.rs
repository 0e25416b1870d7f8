//! How a blob of any size is read: chunk by chunk, and CSV record by record.

use std::sync::Arc;

use bytes::Bytes;
use domain::row::File;
use domain::{BlobPath, limit};
use engine::csv::{Header, Reader};
use engine::table::{Batch, Schema};
use ports::{Blobs, Result};

use crate::Stop;

/// A blob's chunks, in order.
pub(crate) struct Chunks<'a> {
    blobs: &'a dyn Blobs,
    path: &'a BlobPath,
    from: u64,
}

impl<'a> Chunks<'a> {
    pub(crate) fn new(blobs: &'a dyn Blobs, path: &'a BlobPath) -> Chunks<'a> {
        Chunks { blobs, path, from: 0 }
    }

    /// The next bytes; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        let bytes = self.blobs.range(self.path, self.from, limit::CHUNK_BYTES as u64).await?;
        self.from += bytes.len() as u64;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

/// A CSV blob's batches, in order.
pub(crate) struct Batches<'a> {
    chunks: Chunks<'a>,
    reader: Option<Reader>,
    ready: std::collections::VecDeque<Batch>,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(
        blobs: &'a dyn Blobs,
        file: &'a File,
        schema: Arc<Schema>,
        header: Header,
    ) -> Batches<'a> {
        let reader = Reader::new(file.path.file_name(), schema, header);
        Batches { chunks: Chunks::new(blobs, &file.path), reader: Some(reader), ready: Default::default() }
    }

    /// The next batch; none at the end.
    pub(crate) async fn next(&mut self) -> std::result::Result<Option<Batch>, Stop> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            let Some(mut reader) = self.reader.take() else { return Ok(None) };
            match self.chunks.next().await? {
                Some(bytes) => {
                    self.ready.extend(reader.push(&bytes)?);
                    self.reader = Some(reader);
                }
                None => self.ready.extend(reader.finish()?),
            }
        }
    }
}

/// A whole blob as text, whatever its size: for what must be in memory anyway.
pub(crate) async fn text(blobs: &dyn Blobs, path: &BlobPath) -> std::result::Result<String, Stop> {
    let mut bytes = Vec::new();
    let mut chunks = Chunks::new(blobs, path);
    while let Some(chunk) = chunks.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Stop::Reject(format!("{path} is not UTF-8")))
}
