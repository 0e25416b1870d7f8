//! Which blobs there are, in the order of their paths.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use domain::{BlobPath, limit};
use ports::BlobInfo;
use rustix::fs::{self, Dir, FileType, Mode};
use rustix::io::Errno;

use super::LOOK;
use super::store::{FOLDER, Store, is_reserved, size_of};

/// A page of the blobs whose paths begin with `prefix` and come after the text `after`.
///
/// Only folders that may hold some of them are read, beginning with the deepest that the prefix
/// names; a folder is read as a whole.
pub(super) fn page(store: &Store, prefix: &str, after: &str) -> io::Result<Vec<BlobInfo>> {
    let start = prefix.rsplit_once('/').map(|(folder, _)| folder);
    match start.map(BlobPath::parse) {
        None => {}
        Some(Ok(folder)) if !is_reserved(&folder) => {}
        // `/`, `a//b`, `../`: no path begins so.
        Some(_) => return Ok(Vec::new()),
    }
    let start = start.unwrap_or_default();
    let mut walk = Walk { prefix, after, found: Vec::new() };
    if let Some(folder) = store.folder(start)? {
        let base = if start.is_empty() { String::new() } else { format!("{start}/") };
        walk.folder(folder, &base)?;
    }
    Ok(walk.found)
}

struct Walk<'a> {
    prefix: &'a str,
    after: &'a str,
    found: Vec<BlobInfo>,
}

impl Walk<'_> {
    /// Adds the blobs below a folder; `base` is its path with a `/` at the end.
    fn folder(&mut self, folder: OwnedFd, base: &str) -> io::Result<()> {
        let mut entries: Vec<(String, BlobPath)> = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            // What is not UTF-8 is no blob: no path names it.
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            let kind = match entry.file_type() {
                FileType::Unknown => match fs::statat(&folder, name, LOOK) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(error) => return Err(error.into()),
                },
                known => known,
            };
            let end = match kind {
                FileType::RegularFile => "",
                FileType::Directory => "/",
                _ => continue,
            };
            let Ok(path) = BlobPath::parse(&format!("{base}{name}")) else {
                continue;
            };
            let text = format!("{path}{end}");
            if self.wants(&text) && !is_reserved(&path) {
                entries.push((text, path));
            }
        }
        // With its `/`, a folder stands where its blobs do: `a-b`, `a/`, `a0`.
        entries.sort_unstable();
        for (text, path) in entries {
            if self.found.len() >= limit::PAGE_ROWS_MAX {
                break;
            }
            if text.ends_with('/') {
                // Gone meanwhile, it holds nothing.
                match fs::openat(&folder, path.file_name(), FOLDER, Mode::empty()) {
                    Ok(inner) => self.folder(inner, &text)?,
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(error) => return Err(error.into()),
                }
            } else if let Some(bytes) = size_of(folder.as_fd(), path.file_name())? {
                self.found.push(BlobInfo { path, bytes, version: None });
            }
        }
        Ok(())
    }

    /// Whether a blob is asked for, or a folder (with a `/` at its end) may hold some that are.
    fn wants(&self, path: &str) -> bool {
        let comes_after = path > self.after || (path.ends_with('/') && self.after.starts_with(path));
        let begins_so =
            path.starts_with(self.prefix) || (path.ends_with('/') && self.prefix.starts_with(path));
        comes_after && begins_so
    }
}
