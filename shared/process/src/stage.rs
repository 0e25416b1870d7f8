//! How do files come from the store to a directory, and back?

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use domain::{BlobPath, limit};
use futures::executor::block_on;
use ports::{Blobs, Error, ErrorKind, PutExpect, Result};

use crate::place::Place;
use crate::spec::Called;

/// What goes wrong on this machine's disk: a full disk can pass.
pub(crate) fn disk(what: String) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

fn io_error(tried: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let what = format!("{tried} {}", path.display());
    move |error| disk(what).because(error)
}

/// Copies a blob to a file, whose folders are created, in bounded chunks. `NotFound` where there
/// is no blob. `go_on` is asked between chunks.
pub(crate) fn fetch(
    blobs: &dyn Blobs,
    path: &BlobPath,
    file: &Path,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    }
    let mut output = File::create(file).map_err(io_error("write", file))?;
    let mut from = 0;
    loop {
        go_on()?;
        let chunk = block_on(blobs.range(path, from, limit::CHUNK_BYTES as u64))?;
        if chunk.is_empty() {
            return Ok(());
        }
        output.write_all(&chunk).map_err(io_error("write", file))?;
        from += chunk.len() as u64;
    }
}

/// Copies a file to a blob that is derived from the same cause, visible as a whole.
pub(crate) fn store(
    blobs: &dyn Blobs,
    file: &Path,
    path: &BlobPath,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let mut input = File::open(file).map_err(io_error("read", file))?;
    let mut writer = block_on(blobs.writer(path, PutExpect::Same))?;
    let mut buffer = vec![0; limit::CHUNK_BYTES];
    loop {
        go_on()?;
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(io_error("read", file)(error)),
        };
        block_on(writer.write(&buffer[..count]))?;
    }
    block_on(writer.finish())
}

/// Lays a program's files into its working directory, by name.
pub(crate) fn lay_code(
    blobs: &dyn Blobs,
    called: &Called,
    place: &Place,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let code = place.code();
    fs::create_dir_all(&code).map_err(io_error("create", &code))?;
    let Called::Command { run, files } = called else { return Ok(()) };
    for (name, path) in files {
        let file = code.join(name);
        fetch(blobs, path, &file, go_on)?;
        // A store keeps no permissions, so the file that is to be executed is made executable.
        let first = run.first().map(|word| word.strip_prefix("./").unwrap_or(word));
        if first == Some(name.as_str()) {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
                .map_err(io_error("make executable", &file))?;
        }
    }
    Ok(())
}
