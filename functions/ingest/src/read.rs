//! How an upload is read: chunk by chunk, while part and quarantine grow beside it.

use domain::digest::Hasher;
use domain::row::File;
use domain::{BlobPath, PipelineName};
use engine::intake::{Intake, IntakeOptions, Outcome};
use ports::{BlobWriter, Blobs, BlobsExt as _, Error, ErrorKind, Fault, PutExpect, Result};

use crate::Ingest;
use crate::arrival::Arrival;
use crate::rows::Terms;

/// A file of ours that grows, digested as it does. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Growing {
    path: BlobPath,
    writer: Box<dyn BlobWriter>,
    hasher: Hasher,
    bytes: u64,
}

impl Growing {
    async fn begin(blobs: &dyn Blobs, path: BlobPath) -> Result<Growing> {
        // A handling that broke off may have left a file there, of the same upload and terms.
        let writer = blobs.writer(&path, PutExpect::Same).await?;
        Ok(Growing { path, writer, hasher: Hasher::default(), bytes: 0 })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.writer.write(bytes).await
    }

    /// Adds the last bytes and makes the file visible; answers it with its size.
    pub(crate) async fn finish(mut self, tail: &[u8]) -> Result<(File, u64)> {
        self.write(tail).await?;
        self.writer.finish().await?;
        Ok((File { path: self.path, digest: self.hasher.finish() }, self.bytes))
    }
}

/// An upload that was read to its end; nothing of it can be seen yet.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) outcome: Outcome,
    pub(crate) part: Growing,
    pub(crate) quarantine: Growing,
}

/// Where a file of an upload's outcome stands.
pub(crate) fn place(pipeline: &PipelineName, arrival: &Arrival, terms: &Terms, file: &str) -> BlobPath {
    let id = terms.id(arrival.version.as_deref());
    BlobPath::part(pipeline, &format!("{}/{id}", arrival.upload), file)
}

/// An object that is no longer there will not come back by itself.
pub(crate) fn gone(arrival: &Arrival) -> Fault {
    let path = &arrival.path;
    Fault::Reject(match &arrival.version {
        Some(version) => format!("take in {path}: its version {version} is gone; upload it again"),
        None => format!("take in {path}: the object is gone; upload it again"),
    })
}

impl Ingest {
    /// Holds an upload against its contract, in memory that does not grow with the file.
    pub(crate) async fn read(
        &self,
        pipeline: &PipelineName,
        arrival: &Arrival,
        terms: &Terms,
    ) -> std::result::Result<Reading, Fault> {
        let Arrival { path, version, .. } = arrival;
        let whole = self.whole(arrival).await?;
        let begin = |file| Growing::begin(&*self.blobs, place(pipeline, arrival, terms, file));
        let mut part = begin("part.parquet").await?;
        let mut quarantine = begin("quarantine.parquet").await?;
        let options =
            IntakeOptions { file: arrival.file.clone(), split: Some(terms.split.clone()), now: arrival.at };
        let mut intake = Intake::new(&terms.contract, options);
        let mut from = 0;
        loop {
            let chunk = match self.incoming.chunk(path, version.as_deref(), from).await {
                Ok(chunk) if chunk.is_empty() => break,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(gone(arrival)),
                Err(error) => return Err(error.into()),
            };
            from += chunk.len() as u64;
            intake.push(&chunk);
            part.write(&intake.take_part()).await?;
            quarantine.write(&intake.take_quarantine()).await?;
        }
        if let Some(bytes) = whole.filter(|bytes| *bytes != from) {
            let what = format!("read {path}: it was replaced meanwhile: {from} bytes in place of {bytes}");
            return Err(Fault::Retry(Error::new(ErrorKind::Conflict, what)));
        }
        Ok(Reading { outcome: intake.finish(), part, quarantine })
    }

    /// How many bytes must come where no versions are kept, so that what is replaced while it is
    /// read is found out. A version never changes.
    async fn whole(&self, arrival: &Arrival) -> std::result::Result<Option<u64>, Fault> {
        if arrival.version.is_some() {
            return Ok(None);
        }
        let object = self.incoming.head(&arrival.path).await?.ok_or_else(|| gone(arrival))?;
        Ok(Some(object.bytes))
    }
}
