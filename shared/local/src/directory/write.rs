//! How a blob is written: beside, then put in its place by one step.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use async_trait::async_trait;
use domain::BlobPath;
use ports::{BlobWriter, Error, ErrorKind, PutExpect, Result};
use rustix::fs::{self, AtFlags, FileType};
use rustix::io::Errno;

use super::LOOK;
use super::store::Store;
use crate::fault::system;

/// Bytes gathered before they are given to the system.
const BUFFER_BYTES: usize = 64 * 1024;

/// A blob being written to a file in `.writing`, which is gone when this is.
#[derive(Debug)]
pub(super) struct FileWriter {
    store: Arc<Store>,
    path: BlobPath,
    expect: PutExpect,
    name: String,
    /// None once writing failed: half a blob can never be finished.
    file: Option<BufWriter<File>>,
}

impl FileWriter {
    pub(super) fn start(store: &Arc<Store>, path: &BlobPath, expect: PutExpect) -> Result<FileWriter> {
        let (name, file) = store.start().map_err(|error| system(format!("write {path}"), error))?;
        let file = Some(BufWriter::with_capacity(BUFFER_BYTES, file));
        Ok(FileWriter { store: store.clone(), path: path.clone(), expect, name, file })
    }

    fn tried(&self) -> String {
        format!("write {}", self.path)
    }

    fn broken(&self) -> Error {
        let what = format!("{}: some of it could not be written", self.tried());
        Error::new(ErrorKind::Invalid, what)
    }

    /// Puts the file in its place. None where the place's folder is gone.
    fn place(&self, folder: BorrowedFd<'_>) -> Result<Option<()>> {
        let (writing, to) = (self.store.writing(), self.path.file_name());
        let placed = match self.expect {
            PutExpect::Absent => fs::linkat(writing, &self.name, folder, to, AtFlags::empty()),
            PutExpect::Same => fs::renameat(writing, &self.name, folder, to),
        };
        match placed {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::EXIST | Errno::ISDIR | Errno::NOTEMPTY) => {
                return self.make_way(folder).map(|()| None);
            }
            Err(error) => return Err(system(self.tried(), error)),
        }
        fs::fsync(folder).map_err(|error| system(self.tried(), error))?;
        Ok(Some(()))
    }

    /// Removes an empty folder that a crash left at the blob's place; whatever else stands there
    /// is why the blob cannot.
    fn make_way(&self, folder: BorrowedFd<'_>) -> Result<()> {
        let to = self.path.file_name();
        let stat = match fs::statat(folder, to, LOOK) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(system(self.tried(), error)),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(taken(&self.path));
        }
        match fs::unlinkat(folder, to, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(_) => {
                let what = format!("{}: a folder of other blobs stands there", self.tried());
                Err(Error::new(ErrorKind::Invalid, what))
            }
        }
    }
}

/// Why a blob that expects nothing at its path cannot be written.
pub(super) fn taken(path: &BlobPath) -> Error {
    Error::new(ErrorKind::Conflict, format!("write {path}: a blob stands there"))
}

#[async_trait]
impl BlobWriter for FileWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Err(self.broken());
        };
        if let Err(error) = file.write_all(bytes) {
            self.file = None;
            return Err(system(self.tried(), error));
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        let file = self.file.take().ok_or_else(|| self.broken())?;
        let file = file.into_inner().map_err(|error| system(self.tried(), error.into_error()))?;
        file.sync_all().map_err(|error| system(self.tried(), error))?;
        self.store.in_folder(&self.path, &self.tried(), |folder| self.place(folder))
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        // Renamed, it is gone already; what cannot be removed now is removed at the next open.
        fs::unlinkat(self.store.writing(), &self.name, AtFlags::empty()).ok();
    }
}
