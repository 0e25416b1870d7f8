//! How do raw rows come in: channels of a training, and bodies of requests.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::Problem;
use domain::limit::CHUNK_BYTES;
use engine::csv::{self, Header};
use engine::table::{Batch, Schema};

use crate::failure::Failure;

/// The files of a channel in the order of their names; those that begin with `.` or `_`
/// are passed over.
///
/// # Errors
/// If the directory cannot be listed.
pub fn channel_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Failure::file("list", directory))? {
        let path = entry.map_err(Failure::file("list", directory))?.path();
        let hidden =
            path.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with(['.', '_']));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads every file of a channel: CSV whose header names the schema's columns in any order; other
/// columns are passed over.
///
/// # Errors
/// If a file cannot be read, or the first cell that does not fit, with file, line and column.
pub fn read_channel(directory: &Path, schema: &Arc<Schema>) -> Result<Vec<Batch>, Failure> {
    let mut batches = Vec::new();
    for path in channel_files(directory)? {
        let mut file = File::open(&path).map_err(Failure::file("open", &path))?;
        let mut reader = csv::Reader::new(&path.display().to_string(), schema.clone(), Header::Present);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = file.read(&mut chunk).map_err(Failure::file("read", &path))?;
            if read == 0 {
                break;
            }
            batches.extend(reader.push(&chunk[..read])?);
        }
        batches.extend(reader.finish()?);
    }
    Ok(batches)
}

/// Reads the body of a request as CSV: the serving columns in their order, or a first line that
/// is exactly their names.
///
/// # Errors
/// The first cell that does not fit.
pub fn read_body(schema: &Arc<Schema>, body: &[u8]) -> Result<Batch, Problem> {
    let mut names = Vec::new();
    csv::write_header(schema, &mut names);
    let first = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match first.trim_ascii_end() == names.trim_ascii_end() {
        true => csv::read_all("request", schema, body),
        false => csv::read_rows("request", schema, body),
    }
}

/// Puts batches of one schema after one another.
pub fn joined(schema: &Arc<Schema>, batches: Vec<Batch>) -> Batch {
    engine::part::joined(schema, batches)
}
