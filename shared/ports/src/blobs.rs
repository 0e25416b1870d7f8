//! Files: bytes under a path, written once as a whole or not at all.
//!
//! Adapters: a directory on one machine, memory in tests, S3 on AWS.

use async_trait::async_trait;
use bytes::Bytes;
use domain::digest::Hasher;
use domain::row::File;
use domain::{BlobPath, Digest, limit};

use crate::{Error, ErrorKind, Result};

/// What is known of a blob without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Where it is.
    pub path: BlobPath,
    /// How many bytes.
    pub bytes: u64,
    /// Names these very bytes, so that they can be read by [`Blobs::range_of`] also when the path
    /// was written over or deleted since; none where the store keeps no versions, and in a listing.
    pub version: Option<String>,
}

/// What must be so for a blob to be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutExpect {
    /// Nothing stands at the path.
    Absent,
    /// Whatever stands there was derived from the same cause, so it may be replaced.
    Same,
}

/// Files.
#[async_trait]
pub trait Blobs: std::fmt::Debug + Send + Sync {
    /// What stands at a path, strongly consistent.
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobInfo>>;

    /// Bytes `[from, from + length)` of a blob, fewer at its end, none beyond it.
    /// `NotFound` where there is no blob.
    async fn range(&self, path: &BlobPath, from: u64, length: u64) -> Result<Bytes>;

    /// Like [`Blobs::range`], of the version that a head or the news of an object named: never of
    /// other bytes, whatever stands at the path now.
    /// `NotFound` where no such version is kept, which is so of every one where none are.
    async fn range_of(&self, path: &BlobPath, version: &str, from: u64, length: u64) -> Result<Bytes>;

    /// Starts writing. Nothing can be seen at the path before `finish` succeeded; dropping the
    /// writer leaves nothing behind.
    async fn writer(&self, path: &BlobPath, expect: PutExpect) -> Result<Box<dyn BlobWriter>>;

    /// Blobs whose paths begin with `prefix` (plain text, not only whole segments), in order,
    /// after the path `after`; at most [`limit::PAGE_ROWS_MAX`] a page.
    async fn list(&self, prefix: &str, after: Option<&BlobPath>) -> Result<Vec<BlobInfo>>;

    /// Removes a blob; no error where there is none.
    async fn delete(&self, path: &BlobPath) -> Result<()>;
}

/// A blob being written.
#[async_trait]
pub trait BlobWriter: std::fmt::Debug + Send {
    /// Adds bytes.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Makes the whole blob visible at once and durable, or nothing.
    /// `Conflict` where `Absent` was expected and something stands there.
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// Comforts over [`Blobs`].
#[async_trait]
pub trait BlobsExt: Blobs {
    /// Writes a small blob whose path is derived from its cause, and answers what it is.
    async fn put(&self, path: &BlobPath, bytes: &[u8]) -> Result<File> {
        let mut writer = self.writer(path, PutExpect::Same).await?;
        writer.write(bytes).await?;
        writer.finish().await?;
        Ok(File { path: path.clone(), digest: Digest::of(bytes) })
    }

    /// Reads a whole blob that is known to be small: at most `limit` bytes, else `TooLarge`.
    async fn small(&self, path: &BlobPath, limit: usize) -> Result<Bytes> {
        let bytes = self.range(path, 0, limit as u64 + 1).await?;
        if bytes.len() > limit {
            return Err(Error::new(ErrorKind::TooLarge, format!("read {path}: more than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// Up to [`limit::CHUNK_BYTES`] of a blob, of a version of it where one is named.
    async fn chunk(&self, path: &BlobPath, version: Option<&str>, from: u64) -> Result<Bytes> {
        let length = limit::CHUNK_BYTES as u64;
        match version {
            Some(version) => self.range_of(path, version, from, length).await,
            None => self.range(path, from, length).await,
        }
    }

    /// Size and digest of a blob, read in bounded chunks.
    async fn digest(&self, path: &BlobPath) -> Result<(u64, Digest)> {
        self.digest_of(path, None).await
    }

    /// Size and digest of a blob, of a version of it where one is named.
    async fn digest_of(&self, path: &BlobPath, version: Option<&str>) -> Result<(u64, Digest)> {
        let mut hasher = Hasher::default();
        let mut from = 0;
        loop {
            let chunk = self.chunk(path, version, from).await?;
            if chunk.is_empty() {
                return Ok((from, hasher.finish()));
            }
            hasher.update(&chunk);
            from += chunk.len() as u64;
        }
    }
}

impl<B: Blobs + ?Sized> BlobsExt for B {}
