//! Files in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{BlobPath, Digest, limit};
use ports::{BlobInfo, BlobWriter, Blobs, Error, ErrorKind, PutExpect, Result};

use super::lock;

/// Files in a sorted map, with every version of each, as a bucket keeps them. Clones share the
/// files.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs {
    files: Arc<Mutex<Files>>,
}

/// What stands where, and what stood there.
#[derive(Clone, Debug, Default)]
struct Files {
    current: BTreeMap<BlobPath, Version>,
    /// By the name of the version: of its content, so that equal histories are equal. S3 names
    /// each write anew, which no reader can tell apart.
    versions: BTreeMap<(BlobPath, String), Bytes>,
}

#[derive(Clone, Debug)]
struct Version {
    name: String,
    bytes: Bytes,
}

impl Files {
    fn put(&mut self, path: &BlobPath, bytes: Bytes) -> String {
        let name = Digest::of(&bytes).short();
        self.versions.insert((path.clone(), name.clone()), bytes.clone());
        self.current.insert(path.clone(), Version { name: name.clone(), bytes });
        name
    }
}

impl MemoryBlobs {
    /// A copy with a life of its own.
    pub fn fork(&self) -> MemoryBlobs {
        MemoryBlobs { files: Arc::new(Mutex::new(lock(&self.files).clone())) }
    }

    /// Puts a file without asking; answers the name of its version.
    pub fn insert(&self, path: &BlobPath, bytes: impl Into<Bytes>) -> String {
        lock(&self.files).put(path, bytes.into())
    }

    /// A whole file; none where there is none.
    pub fn read(&self, path: &BlobPath) -> Option<Bytes> {
        lock(&self.files).current.get(path).map(|version| version.bytes.clone())
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
        lock(&self.files).current.keys().cloned().collect()
    }

    /// Digests of all files: equal dumps mean that nothing has changed.
    pub fn dump(&self) -> BTreeMap<BlobPath, Digest> {
        let files = lock(&self.files);
        files.current.iter().map(|(path, version)| (path.clone(), Digest::of(&version.bytes))).collect()
    }
}

fn info(path: &BlobPath, version: &Version) -> BlobInfo {
    let bytes = version.bytes.len() as u64;
    BlobInfo { path: path.clone(), bytes, version: Some(version.name.clone()) }
}

/// Bytes `[from, from + length)`, as far as there are.
fn piece(bytes: &Bytes, from: u64, length: u64) -> Bytes {
    let end = bytes.len() as u64;
    let from = from.min(end);
    let to = from.saturating_add(length).min(end);
    bytes.slice(from as usize..to as usize)
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobInfo>> {
        Ok(lock(&self.files).current.get(path).map(|version| info(path, version)))
    }

    async fn range(&self, path: &BlobPath, from: u64, length: u64) -> Result<Bytes> {
        let Some(bytes) = self.read(path) else {
            return Err(Error::new(ErrorKind::NotFound, format!("read {path}: no such blob")));
        };
        Ok(piece(&bytes, from, length))
    }

    async fn range_of(&self, path: &BlobPath, version: &str, from: u64, length: u64) -> Result<Bytes> {
        match lock(&self.files).versions.get(&(path.clone(), version.to_owned())) {
            Some(bytes) => Ok(piece(bytes, from, length)),
            None => {
                let what = format!("read version {version} of {path}: no such version");
                Err(Error::new(ErrorKind::NotFound, what))
            }
        }
    }

    async fn writer(&self, path: &BlobPath, expect: PutExpect) -> Result<Box<dyn BlobWriter>> {
        let files = self.files.clone();
        Ok(Box::new(MemoryWriter { files, path: path.clone(), expect, bytes: Vec::new() }))
    }

    async fn list(&self, prefix: &str, after: Option<&BlobPath>) -> Result<Vec<BlobInfo>> {
        let files = lock(&self.files);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let listed = files
            .current
            .range((start, Bound::Unbounded))
            .filter(|(path, _)| path.as_str().starts_with(prefix))
            .take(limit::PAGE_ROWS_MAX)
            .map(|(path, version)| BlobInfo { version: None, ..info(path, version) })
            .collect();
        Ok(listed)
    }

    async fn delete(&self, path: &BlobPath) -> Result<()> {
        lock(&self.files).current.remove(path);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryWriter {
    files: Arc<Mutex<Files>>,
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
        if self.expect == PutExpect::Absent && files.current.contains_key(&self.path) {
            let what = format!("write {}: a blob stands there", self.path);
            return Err(Error::new(ErrorKind::Conflict, what));
        }
        files.put(&self.path, self.bytes.into());
        Ok(())
    }
}
