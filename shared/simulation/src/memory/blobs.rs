//! Files in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{BlobPath, Digest, limit};
use ports::{BlobInfo, BlobWriter, Blobs, Error, ErrorKind, PutExpect, Result};

use super::lock;

type Files = Arc<Mutex<BTreeMap<BlobPath, Kept>>>;

/// A file, and its digest once somebody has asked for it.
#[derive(Clone, Debug)]
struct Kept {
    bytes: Bytes,
    digest: OnceLock<Digest>,
}

impl Kept {
    fn of(bytes: Bytes) -> Kept {
        Kept { bytes, digest: OnceLock::new() }
    }

    fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&self.bytes))
    }
}

/// Files in a sorted map. Clones share the files.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs {
    files: Files,
}

impl MemoryBlobs {
    /// A copy with a life of its own.
    pub fn fork(&self) -> MemoryBlobs {
        MemoryBlobs { files: Arc::new(Mutex::new(lock(&self.files).clone())) }
    }

    /// Puts a file without asking.
    pub fn insert(&self, path: &BlobPath, bytes: impl Into<Bytes>) {
        lock(&self.files).insert(path.clone(), Kept::of(bytes.into()));
    }

    /// A whole file; none where there is none.
    pub fn read(&self, path: &BlobPath) -> Option<Bytes> {
        lock(&self.files).get(path).map(|kept| kept.bytes.clone())
    }

    /// A file's digest; none where there is none.
    pub fn digest_of(&self, path: &BlobPath) -> Option<Digest> {
        lock(&self.files).get(path).map(Kept::digest)
    }

    /// A whole file as text.
    ///
    /// # Panics
    /// Where there is no such file, or where it is not UTF-8.
    pub fn text(&self, path: &BlobPath) -> String {
        let bytes = self.read(path).unwrap_or_else(|| panic!("no blob at {path}"));
        String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| panic!("the blob at {path} is not UTF-8"))
    }

    /// All paths, in order.
    pub fn paths(&self) -> Vec<BlobPath> {
        lock(&self.files).keys().cloned().collect()
    }

    /// Digests of all files: equal dumps mean that nothing has changed.
    pub fn dump(&self) -> BTreeMap<BlobPath, Digest> {
        lock(&self.files).iter().map(|(path, kept)| (path.clone(), kept.digest())).collect()
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobInfo>> {
        let size = |kept: &Kept| BlobInfo { path: path.clone(), bytes: kept.bytes.len() as u64 };
        Ok(lock(&self.files).get(path).map(size))
    }

    async fn range(&self, path: &BlobPath, from: u64, length: u64) -> Result<Bytes> {
        let Some(bytes) = self.read(path) else {
            return Err(Error::new(ErrorKind::NotFound, format!("read {path}: no such blob")));
        };
        let end = bytes.len() as u64;
        let from = from.min(end);
        let to = from.saturating_add(length).min(end);
        Ok(bytes.slice(from as usize..to as usize))
    }

    async fn writer(&self, path: &BlobPath, expect: PutExpect) -> Result<Box<dyn BlobWriter>> {
        let files = self.files.clone();
        Ok(Box::new(MemoryWriter { files, path: path.clone(), expect, bytes: Vec::new() }))
    }

    async fn list(&self, prefix: &str, after: Option<&BlobPath>) -> Result<Vec<BlobInfo>> {
        let files = lock(&self.files);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let listed = files
            .range((start, Bound::Unbounded))
            .filter(|(path, _)| path.as_str().starts_with(prefix))
            .take(limit::PAGE_ROWS_MAX)
            .map(|(path, kept)| BlobInfo { path: path.clone(), bytes: kept.bytes.len() as u64 })
            .collect();
        Ok(listed)
    }

    async fn delete(&self, path: &BlobPath) -> Result<()> {
        lock(&self.files).remove(path);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryWriter {
    files: Files,
    path: BlobPath,
    expect: PutExpect,
    bytes: Vec<u8>,
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let mut files = lock(&self.files);
        if self.expect == PutExpect::Absent && files.contains_key(&self.path) {
            let what = format!("write {}: a blob stands there", self.path);
            return Err(Error::new(ErrorKind::Conflict, what));
        }
        files.insert(self.path.clone(), Kept::of(self.bytes.into()));
        Ok(())
    }
}
