//! How are small facts kept in a directory? As JSON files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bound::RECORD_BYTES_MAX;

/// Says what was tried on which file.
pub(crate) fn at<'a>(tried: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> String + 'a {
    move |error| format!("{tried} {}: {error}", path.display())
}

/// Writes a record: after a crash it is there as a whole or as it was before.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<(), String> {
    let bytes = serde_json::to_vec(value).map_err(|error| format!("write {}: {error}", path.display()))?;
    write_bytes(path, &bytes)
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    });
    written.map_err(at("write", path))?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Makes what was created, renamed or removed in a directory last.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), String> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(at("sync", directory))
}

/// Reads a record; none where there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut bytes).map_err(at("read", path))?;
    let value =
        serde_json::from_slice(&bytes).map_err(|error| format!("read {}: {error}", path.display()))?;
    Ok(Some(value))
}

/// Reads a record that must be there.
pub(crate) fn need<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    read(path)?.ok_or_else(|| format!("read {}: not there", path.display()))
}

/// Removes a file or a whole directory; no error where there is none.
pub(crate) fn remove(path: &Path) -> Result<(), String> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}
