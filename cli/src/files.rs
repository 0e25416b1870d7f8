//! Files that a person names: read in chunks with a progress bar, written whole or not at all.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use domain::limit;
use engine::profile::Inference;
use engine::source::{Feed, Table};
use engine::table::{Batch, Schema};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Error;

/// Files smaller than this are read before a bar could be seen.
const BAR_BYTES_MIN: u64 = 8 * 1024 * 1024;

/// Reads a file piece by piece, showing a bar on a terminal where it takes a while.
pub(crate) fn each_chunk<E: Into<Error>>(
    path: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), Error> {
    let failed = |error: std::io::Error| format!("read {}: {error}", path.display());
    let mut file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let shown = bytes >= BAR_BYTES_MIN && std::io::stderr().is_terminal();
    let bar = if shown { ProgressBar::new(bytes) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(path.display().to_string());
    let mut chunk = vec![0; limit::CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk).map_err(failed)?;
        if read == 0 {
            bar.finish_and_clear();
            return Ok(());
        }
        bar.inc(read as u64);
        each(&chunk[..read]).map_err(Into::into)?;
    }
}

/// Feeds a whole file: its bytes in order, then the ranges that are wanted again. `after` is
/// called after each step.
pub(crate) fn feed<F: Feed>(
    path: &Path,
    into: &mut F,
    mut after: impl FnMut(&mut F) -> Result<(), Error>,
) -> Result<(), Error>
where
    F::Error: Into<Error>,
{
    each_chunk(path, |bytes| -> Result<(), Error> {
        into.push(bytes).map_err(Into::into)?;
        after(into)
    })?;
    let failed = |error: std::io::Error| format!("read {}: {error}", path.display());
    let mut file = File::open(path).map_err(failed)?;
    while let Some(range) = into.wants().map_err(Into::into)? {
        after(into)?;
        let length = usize::try_from(range.end - range.start).map_err(|error| error.to_string())?;
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        into.give(bytes.into()).map_err(Into::into)?;
        after(into)?;
    }
    after(into)
}

/// Reads a small text file.
pub(crate) fn text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| format!("read {}: {error}", path.display()).into())
}

/// Writes a file whole: beside its place first, then renamed into it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| format!("write {}: {error}", path.display());
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let beside = Path::new(&name);
    let mut file = File::create(beside).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(beside, path).map_err(failed)?;
    Ok(())
}

/// The schema that a file's cells tell.
pub(crate) fn inferred(path: &Path) -> Result<Schema, Error> {
    let mut inference = Inference::new(&path.display().to_string());
    feed(path, &mut inference, |_| Ok(()))?;
    Ok(inference.finish()?)
}

/// All rows of a file under a schema, batch by batch.
pub(crate) fn each_batch(
    path: &Path,
    schema: &Arc<Schema>,
    mut each: impl FnMut(Batch),
) -> Result<(), Error> {
    let mut table = Table::new(&path.display().to_string(), schema.clone());
    feed(path, &mut table, |table| {
        table.ready().into_iter().for_each(&mut each);
        Ok(())
    })?;
    table.finish()?.into_iter().for_each(each);
    Ok(())
}
