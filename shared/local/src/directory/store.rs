//! Where a blob's file is found or gets its place, without ever leaving the root.
//!
//! Every folder is opened by its name within the folder above, never following a symbolic
//! link, so that no rename or link made meanwhile leads anywhere else.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use domain::BlobPath;
use ports::{Error, ErrorKind, Result};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{LOOK, READ};
use crate::fault::system;

/// Where blobs stand while they are being written.
const WRITING: &str = ".writing";

/// Held shared by every process that may be writing, and alone by one that tidies up.
const LOCK: &str = "lock";

/// Attempts to give a file its place while folders come and go around it.
const ATTEMPTS_MAX: usize = 100;

/// A folder opened by its name, unless it is a link.
pub(super) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open root.
#[derive(Debug)]
pub(super) struct Store {
    root: PathBuf,
    top: OwnedFd,
    writing: OwnedFd,
    /// Its lock is let go when the store is dropped, or the process dies.
    _lock: File,
    next: AtomicU64,
}

impl Store {
    pub(super) fn open(root: &Path) -> Result<Store> {
        let open = || -> io::Result<Store> {
            let root = std::path::absolute(root)?;
            std::fs::create_dir_all(&root)?;
            // The root itself may be a link: it is what the person named.
            let top = fs::open(&root, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())?;
            let writing = open_or_make(top.as_fd(), WRITING)?;
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let lock = File::from(fs::openat(&writing, LOCK, flags, Mode::from_raw_mode(0o666))?);
            tidy(&lock, &writing)?;
            Ok(Store { root, top, writing, _lock: lock, next: AtomicU64::new(0) })
        };
        open().map_err(|error| system(format!("open the directory {}", root.display()), error))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn writing(&self) -> BorrowedFd<'_> {
        self.writing.as_fd()
    }

    /// A new file to write a blob to, and its name among those being written.
    pub(super) fn start(&self) -> io::Result<(String, File)> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            // Another process may have the same number in a container of its own, and this one
            // may have had the name before a crash: then the next name is tried.
            let name = format!("{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed));
            match fs::openat(&self.writing, &name, flags, Mode::from_raw_mode(0o666)) {
                Ok(file) => return Ok((name, File::from(file))),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Opens a folder by its path (`a/b`, or nothing for the root); none where there is none.
    pub(super) fn folder(&self, path: &str) -> io::Result<Option<OwnedFd>> {
        let mut folder = self.top.try_clone()?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match fs::openat(&folder, name, FOLDER, Mode::empty()) {
                Ok(inner) => folder = inner,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(folder))
    }

    /// The size of a blob; none where there is none.
    pub(super) fn size(&self, path: &BlobPath) -> io::Result<Option<u64>> {
        if is_reserved(path) {
            return Ok(None);
        }
        match self.folder(above(path))? {
            Some(folder) => size_of(folder.as_fd(), path.file_name()),
            None => Ok(None),
        }
    }

    /// A blob opened for reading, and its size; none where there is none.
    pub(super) fn read(&self, path: &BlobPath) -> io::Result<Option<(File, u64)>> {
        if is_reserved(path) {
            return Ok(None);
        }
        let Some(folder) = self.folder(above(path))? else {
            return Ok(None);
        };
        let file = match fs::openat(&folder, path.file_name(), READ, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = fs::fstat(&file)?;
        Ok(is_file(&stat).then(|| (File::from(file), size(&stat))))
    }

    /// Removes a blob durably, and the folders that are empty without it.
    pub(super) fn remove(&self, path: &BlobPath) -> io::Result<()> {
        if self.size(path)?.is_none() {
            return Ok(());
        }
        let mut path = path.as_str();
        let mut flags = AtFlags::empty();
        loop {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let Some(folder) = self.folder(above)? else {
                return Ok(());
            };
            match fs::unlinkat(&folder, name, flags) {
                Ok(()) => fs::fsync(&folder)?,
                Err(Errno::NOENT) => {}
                // A folder that is not empty, or in use, stays.
                Err(_) if flags == AtFlags::REMOVEDIR => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if above.is_empty() {
                return Ok(());
            }
            path = above;
            flags = AtFlags::REMOVEDIR;
        }
    }

    /// Does something in the folder that a blob stands in, which is made where it is missing.
    /// Again where `place` answers nothing: the folder was empty, and removed meanwhile.
    pub(super) fn in_folder<T>(
        &self,
        path: &BlobPath,
        tried: &str,
        place: impl Fn(BorrowedFd<'_>) -> Result<Option<T>>,
    ) -> Result<T> {
        if is_reserved(path) {
            let what = format!("{tried}: {WRITING} is kept for blobs being written");
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        for _ in 0..ATTEMPTS_MAX {
            if let Some(folder) = self.make_folder(above(path), tried)?
                && let Some(placed) = place(folder.as_fd())?
            {
                return Ok(placed);
            }
        }
        let what = format!("{tried}: its folder went away as often as it was made");
        Err(Error::new(ErrorKind::Unavailable, what))
    }

    /// Makes a folder and those above it, durably; none where one went away meanwhile.
    fn make_folder(&self, path: &str, tried: &str) -> Result<Option<OwnedFd>> {
        let mut folder = self.top.try_clone().map_err(|error| system(tried, error))?;
        let mut end = 0;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            end += name.len();
            match open_or_make(folder.as_fd(), name) {
                Ok(inner) => folder = inner,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let what = format!("{tried}: {} is no folder, but a blob or a link", &path[..end]);
                    return Err(Error::new(ErrorKind::Invalid, what));
                }
                Err(error) => return Err(system(tried, error)),
            }
            end += 1;
        }
        Ok(Some(folder))
    }
}

fn open_or_make(folder: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    match fs::openat(folder, name, FOLDER, Mode::empty()) {
        Err(Errno::NOENT) => {}
        opened => return opened,
    }
    match fs::mkdirat(folder, name, Mode::from_raw_mode(0o777)) {
        Ok(()) => fs::fsync(folder)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    fs::openat(folder, name, FOLDER, Mode::empty())
}

/// Removes what was being written when its process died, unless some process is alive that
/// may be writing. From then on, and until `lock` is closed, no other tidies up.
fn tidy(lock: &File, writing: &OwnedFd) -> io::Result<()> {
    match lock.try_lock() {
        Ok(()) => {
            for entry in Dir::read_from(writing)? {
                let entry = entry?;
                let name = entry.file_name();
                if ![&b"."[..], b"..", LOCK.as_bytes()].contains(&name.to_bytes()) {
                    // A folder that somebody made there is theirs.
                    fs::unlinkat(writing, name, AtFlags::empty()).ok();
                }
            }
            lock.unlock()?;
        }
        Err(TryLockError::WouldBlock) => {}
        // Where the file system has no locks, nothing tells whether others are writing.
        Err(TryLockError::Error(_)) => return Ok(()),
    }
    lock.lock_shared()
}

/// The path of the folder a blob stands in; nothing for the root.
fn above(path: &BlobPath) -> &str {
    path.as_str().rsplit_once('/').map_or("", |(above, _)| above)
}

/// Whether a path names what is kept for blobs being written, also where cases are folded.
pub(super) fn is_reserved(path: &BlobPath) -> bool {
    path.as_str().split('/').next().is_some_and(|first| first.eq_ignore_ascii_case(WRITING))
}

/// The size of a file by its name in a folder; none where no file stands there.
pub(super) fn size_of(folder: BorrowedFd<'_>, name: &str) -> io::Result<Option<u64>> {
    match fs::statat(folder, name, LOOK) {
        Ok(stat) => Ok(is_file(&stat).then(|| size(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether it is a file, and no folder, link, pipe or device.
pub(super) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).expect("no file has fewer than no bytes")
}
