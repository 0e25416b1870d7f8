//! Files on one machine: a directory, in which a blob's path is a file's path.

mod list;
mod store;
mod write;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use domain::BlobPath;
use ports::{BlobInfo, BlobWriter, Blobs, Error, ErrorKind, PutExpect, Result};
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::fault::system;
use crate::line::LineFile;
use crate::lock;
use store::Store;
use write::FileWriter;

/// Files kept open between two lines appended to them: an hour of capture is one for each
/// endpoint, and no machine serves more endpoints at once.
const LINE_FILES_MAX: usize = 32;

/// Blobs as files below a root: `parts/taxi/u1/part.parquet` is `root/parts/taxi/u1/part.parquet`,
/// so that people find their files, and a file that somebody puts there is a blob.
///
/// A finished blob survives a power cut. Nothing outside the root is ever read or written: a
/// symbolic link below the root is no blob and no folder, wherever it leads. Blobs being
/// written stand in `root/.writing/`, which no path may name. Where the file system folds
/// cases, so do the paths.
///
/// No versions are kept: what is written over is gone, so whoever must read what was there when
/// something else happened writes each path once ([`PutExpect::Absent`]), as uploads are.
///
/// A file cannot be a folder too: a blob cannot be written where others stand below, nor below
/// another blob; both are `Invalid`, by name.
#[derive(Clone, Debug)]
pub struct Directory {
    store: Arc<Store>,
    lines: Arc<Mutex<Lines>>,
}

impl Directory {
    /// Opens a directory, which is made where it is missing, and removes what a crash left half
    /// written, unless another process is using the directory.
    pub fn open(root: &Path) -> Result<Directory> {
        Ok(Directory { store: Arc::new(Store::open(root)?), lines: Arc::default() })
    }

    /// Where a blob's file is, whether or not it is there.
    pub fn file(&self, path: &BlobPath) -> PathBuf {
        self.store.root().join(path.as_str())
    }

    /// Appends a line to a file, which is made where it is missing: for captured traffic, and
    /// the one exception to blobs being written once and whole.
    ///
    /// The line, given without its line break, is written at once, or not at all where the disk
    /// is full; lines of several threads and processes never mix. A reader may see the last
    /// line in part while it is being written: until its line break is there, it is no line.
    /// Where a crash cut a line off, the next starts on a line of its own. A line is not yet on
    /// the disk when this returns: a power cut may take the last moments.
    ///
    /// `Invalid` where the line holds a line break, or where no file can stand at the path.
    pub fn append(&self, path: &BlobPath, line: &[u8]) -> Result<()> {
        let tried = || format!("append to {path}");
        if line.contains(&b'\n') {
            let what = format!("{}: the line holds a line break", tried());
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        let mut lines = lock(&self.lines);
        let file = lines.file(&self.store, path)?;
        file.append(line).map_err(|error| system(tried(), error))
    }
}

/// Files that lines were appended to last.
#[derive(Debug, Default)]
struct Lines {
    open: BTreeMap<BlobPath, Open>,
    /// Counts appended lines, to tell which file was used longest ago.
    count: u64,
}

#[derive(Debug)]
struct Open {
    file: LineFile,
    used: u64,
}

impl Lines {
    fn file(&mut self, store: &Store, path: &BlobPath) -> Result<&mut LineFile> {
        let tried = || format!("append to {path}");
        self.count += 1;
        let gone = |open: &Open| open.file.is_gone().map_err(|error| system(tried(), error));
        let stale = self.open.get(path).map(gone).transpose()?;
        if stale == Some(true) {
            self.open.remove(path);
        }
        if stale != Some(false) {
            let file = LineFile::new(open_lines(store, path)?);
            if self.open.len() >= LINE_FILES_MAX {
                let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(path, _)| path.clone());
                oldest.and_then(|path| self.open.remove(&path));
            }
            self.open.insert(path.clone(), Open { file, used: 0 });
        }
        let open = self.open.get_mut(path).expect("it was there or has just been inserted");
        open.used = self.count;
        Ok(&mut open.file)
    }
}

fn open_lines(store: &Store, path: &BlobPath) -> Result<File> {
    let tried = || format!("append to {path}");
    let flags = OFlags::RDWR
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC;
    let no_file = || {
        let what = format!("{}: what stands there is no file", tried());
        Err(Error::new(ErrorKind::Invalid, what))
    };
    store.in_folder(path, &tried(), |folder| {
        let file = match fs::openat(folder, path.file_name(), flags, Mode::from_raw_mode(0o666)) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            // A folder, a symbolic link, a pipe that nobody reads.
            Err(Errno::ISDIR | Errno::LOOP | Errno::NXIO) => return no_file(),
            Err(error) => return Err(system(tried(), error)),
        };
        let stat = fs::fstat(&file).map_err(|error| system(tried(), error))?;
        if !store::is_file(&stat) {
            return no_file();
        }
        fs::fsync(folder).map_err(|error| system(tried(), error))?;
        Ok(Some(File::from(file)))
    })
}

#[async_trait]
impl Blobs for Directory {
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobInfo>> {
        let size = self.store.size(path).map_err(|error| system(format!("look at {path}"), error))?;
        Ok(size.map(|bytes| BlobInfo { path: path.clone(), bytes, version: None }))
    }

    async fn range(&self, path: &BlobPath, from: u64, length: u64) -> Result<Bytes> {
        let tried = || format!("read {path}");
        let missing = || Error::new(ErrorKind::NotFound, format!("read {path}: no such blob"));
        let found = self.store.read(path).map_err(|error| system(tried(), error))?;
        let (mut file, size) = found.ok_or_else(missing)?;
        let length = length.min(size.saturating_sub(from));
        let mut bytes = Vec::new();
        let read = || {
            if length > 0 {
                bytes.reserve_exact(usize::try_from(length).map_err(|_| std::io::ErrorKind::FileTooLarge)?);
                file.seek(SeekFrom::Start(from))?;
                file.take(length).read_to_end(&mut bytes)?;
            }
            std::io::Result::Ok(())
        };
        read().map_err(|error| system(tried(), error))?;
        Ok(bytes.into())
    }

    async fn range_of(&self, path: &BlobPath, version: &str, _: u64, _: u64) -> Result<Bytes> {
        let what = format!("read version {version} of {path}: a directory keeps no versions");
        Err(Error::new(ErrorKind::NotFound, what))
    }

    async fn writer(&self, path: &BlobPath, expect: PutExpect) -> Result<Box<dyn BlobWriter>> {
        // Asked again, atomically, at the finish; here it saves writing what must fail.
        if expect == PutExpect::Absent && self.head(path).await?.is_some() {
            return Err(write::taken(path));
        }
        Ok(Box::new(FileWriter::start(&self.store, path, expect)?))
    }

    async fn list(&self, prefix: &str, after: Option<&BlobPath>) -> Result<Vec<BlobInfo>> {
        list::page(&self.store, prefix, after.map_or("", BlobPath::as_str))
            .map_err(|error| system(format!("list {prefix}"), error))
    }

    async fn delete(&self, path: &BlobPath) -> Result<()> {
        lock(&self.lines).open.remove(path);
        self.store.remove(path).map_err(|error| system(format!("delete {path}"), error))
    }
}

/// A file opened for reading, whatever it turns out to be.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// How a name is looked at without following where it leads.
const LOOK: AtFlags = AtFlags::SYMLINK_NOFOLLOW;
