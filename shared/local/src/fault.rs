//! How the system's refusals are told: as a port's error, of a kind that says what can be done.

use std::fs::File;
use std::io;
use std::path::Path;

use ports::{Error, ErrorKind};

/// The error of a call to the system: `tried` says what was tried, on what.
pub(crate) fn system(tried: impl Into<String>, error: impl Into<io::Error>) -> Error {
    let error = error.into();
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidData
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory => ErrorKind::Invalid,
        io::ErrorKind::FileTooLarge => ErrorKind::TooLarge,
        // A full disk, a broken one, too many open files: it may pass, and it may have happened.
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, tried).because(error)
}

/// Makes the names within a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder a file stands in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
