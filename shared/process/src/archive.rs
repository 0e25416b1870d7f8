//! How does a model become one file, and a file from outside a model again?
//!
//! Packing is deterministic: equal models give equal bytes. Unpacking trusts nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Archive, Builder, EntryType, Header};

use crate::bound::{MODEL_BYTES_MAX, MODEL_ENTRIES_MAX};
use crate::record::at;

/// What was packed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    /// Files.
    Files(usize),
    /// Nothing: there was no file.
    Nothing,
}

/// Packs a directory's files and folders into a `tar.gz`, in the order of their names, without
/// times and owners. A link is refused, since no archive with one is unpacked either.
pub(crate) fn pack(directory: &Path, archive: &Path) -> Result<Packed, String> {
    let mut found = Vec::new();
    walk(directory, Path::new(""), &mut found)?;
    found.sort();
    let files = found.iter().filter(|entry| entry.kind == Kind::File).count();
    if files == 0 {
        return Ok(Packed::Nothing);
    }
    let file = File::create(archive).map_err(at("write", archive))?;
    // The operating system is written as "unknown", and the level is fixed: both are in the bytes.
    let gzip = GzBuilder::new().mtime(0).operating_system(255);
    let encoder = gzip.write(BufWriter::new(file), Compression::new(6));
    let mut builder = Builder::new(encoder);
    for entry in &found {
        append(&mut builder, directory, entry)?;
    }
    let finish = || -> io::Result<()> {
        let mut writer = builder.into_inner()?.finish()?;
        writer.flush()?;
        writer.get_ref().sync_all()
    };
    finish().map_err(at("write", archive))?;
    Ok(Packed::Files(files))
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Folder,
    File,
}

fn walk(root: &Path, below: &Path, found: &mut Vec<Found>) -> Result<(), String> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).map_err(at("read", &folder))? {
        let entry = entry.map_err(at("read", &folder))?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type().map_err(at("read", &folder))?;
        let odd = |what: &str| format!("model: {} is {what}: expected files and folders", path.display());
        if found.len() >= MODEL_ENTRIES_MAX {
            return Err(format!("model: expected at most {MODEL_ENTRIES_MAX} files and folders"));
        }
        if kind.is_symlink() {
            return Err(odd("a link"));
        } else if kind.is_dir() {
            found.push(Found { path: path.clone(), kind: Kind::Folder });
            walk(root, &path, found)?;
        } else if kind.is_file() {
            found.push(Found { path, kind: Kind::File });
        } else {
            return Err(odd("neither"));
        }
    }
    Ok(())
}

fn append<W: Write>(builder: &mut Builder<W>, root: &Path, found: &Found) -> Result<(), String> {
    let path = root.join(&found.path);
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    let appended = match found.kind {
        Kind::Folder => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            builder.append_data(&mut header, &found.path, io::empty())
        }
        Kind::File => {
            let file = File::open(&path).map_err(at("read", &path))?;
            let size = file.metadata().map_err(at("read", &path))?.len();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o644);
            header.set_size(size);
            // A file that grows meanwhile would break the archive; one that shrinks is an error.
            builder.append_data(&mut header, &found.path, file.take(size))
        }
    };
    appended.map_err(at("pack", &path))
}

/// How much may come out of an archive.
#[derive(Clone, Copy, Debug)]
struct Allowed {
    bytes: u64,
    entries: usize,
}

/// Unpacks a `tar.gz` from outside into a directory, which is created. Refused, by name: paths
/// that lead out, links, devices, a file that comes twice, more than a model may hold.
pub(crate) fn unpack(archive: &Path, directory: &Path) -> Result<(), String> {
    unpack_within(archive, directory, Allowed { bytes: MODEL_BYTES_MAX, entries: MODEL_ENTRIES_MAX })
}

fn unpack_within(archive: &Path, directory: &Path, allowed: Allowed) -> Result<(), String> {
    let file = File::open(archive).map_err(at("read", archive))?;
    fs::create_dir_all(directory).map_err(at("create", directory))?;
    // The bound holds for all that is decompressed, headers and padding included.
    let decoded = MultiGzDecoder::new(BufReader::new(file)).take(allowed.bytes.saturating_add(1));
    let mut tar = Archive::new(decoded);
    let unreadable = |error: io::Error| format!("model: not a readable tar.gz: {error}");
    let mut left = allowed.bytes;
    for (count, entry) in tar.entries().map_err(unreadable)?.enumerate() {
        let mut entry = entry.map_err(unreadable)?;
        if count >= allowed.entries {
            return Err(format!("model: expected at most {} files and folders", allowed.entries));
        }
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let named = entry.path().map_err(unreadable)?.into_owned();
        let path = inside(&named)?;
        let target = directory.join(&path);
        match kind {
            EntryType::Directory => fs::create_dir_all(&target).map_err(at("create", &target))?,
            EntryType::Regular | EntryType::Continuous => {
                if path.as_os_str().is_empty() {
                    return Err(format!("model: {}: a file without a name", named.display()));
                }
                if entry.size() > left {
                    return Err(format!("model: expected at most {} bytes once unpacked", allowed.bytes));
                }
                left -= entry.size();
                extract(&mut entry, &target, &named)?;
            }
            _ => {
                let what = "neither a file nor a folder, and nothing else is unpacked";
                return Err(format!("model: {}: {what}", named.display()));
            }
        }
    }
    Ok(())
}

/// The path below the model's directory; an error where it leads out.
fn inside(named: &Path) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    for component in named.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(format!("model: {}: a path that leads out of the model", named.display())),
        }
    }
    Ok(path)
}

fn extract(entry: &mut impl Read, target: &Path, named: &Path) -> Result<(), String> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(at("create", parent))?;
    }
    let fresh = OpenOptions::new().write(true).create_new(true).open(target);
    let mut file = match fresh {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(format!("model: {}: comes twice", named.display()));
        }
        Err(error) => return Err(at("write", target)(error)),
    };
    io::copy(entry, &mut file).map_err(|error| format!("model: {}: {error}", named.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzipped(build: impl FnOnce(&mut Builder<Vec<u8>>)) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        build(&mut builder);
        let tar = builder.into_inner().unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&tar).unwrap();
        encoder.finish().unwrap()
    }

    /// A header whose name is written without the checks of those who build archives honestly.
    fn entry(builder: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, bytes: &[u8]) {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }

    fn unpacked(bytes: &[u8], allowed: Allowed) -> (tempfile::TempDir, Result<(), String>) {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("model.tar.gz");
        fs::write(&archive, bytes).unwrap();
        let result = unpack_within(&archive, &directory.path().join("in/model"), allowed);
        (directory, result)
    }

    const ROOMY: Allowed = Allowed { bytes: 1 << 20, entries: 10 };

    #[test]
    fn what_was_packed_is_unpacked_and_equal_models_give_equal_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let long = "n".repeat(150);
        let mut archives = Vec::new();
        for (run, names) in [["b", "a/x", &long], [&long, "a/x", "b"]].iter().enumerate() {
            let model = directory.path().join(format!("model{run}"));
            fs::create_dir_all(model.join("a/empty")).unwrap();
            for name in names {
                fs::write(model.join(name), format!("bytes of {name}")).unwrap();
            }
            let archive = directory.path().join(format!("{run}.tar.gz"));
            assert_eq!(pack(&model, &archive), Ok(Packed::Files(3)));
            archives.push(fs::read(&archive).unwrap());
        }
        assert_eq!(archives[0], archives[1]);
        let again = directory.path().join("again");
        unpack(&directory.path().join("0.tar.gz"), &again).unwrap();
        assert!(again.join("a/empty").is_dir());
        for name in ["b", "a/x", &long] {
            assert_eq!(fs::read_to_string(again.join(name)).unwrap(), format!("bytes of {name}"));
        }
    }

    #[test]
    fn a_model_without_files_is_nothing_and_a_link_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let model = directory.path().join("model");
        fs::create_dir_all(model.join("folder")).unwrap();
        assert_eq!(pack(&model, &directory.path().join("x")), Ok(Packed::Nothing));
        std::os::unix::fs::symlink("/etc/passwd", model.join("link")).unwrap();
        let refused = pack(&model, &directory.path().join("x")).unwrap_err();
        assert_eq!(refused, "model: link is a link: expected files and folders");
    }

    #[test]
    fn nothing_leaves_the_model_and_nothing_but_files_is_unpacked() {
        let file = EntryType::Regular;
        for (kind, name, link, complaint) in [
            (file, "../evil", "", "../evil: a path that leads out"),
            (file, "a/../../evil", "", "a/../../evil: a path that leads out"),
            (file, "/tmp/evil", "", "/tmp/evil: a path that leads out"),
            (EntryType::Directory, "../evil", "", "../evil: a path that leads out"),
            (file, "./", "", "a file without a name"),
            (EntryType::Symlink, "link", "/etc", "link: neither a file nor a folder"),
            (EntryType::Link, "link", "/etc/passwd", "link: neither a file nor a folder"),
            (EntryType::Fifo, "pipe", "", "pipe: neither a file nor a folder"),
            (EntryType::Char, "device", "", "device: neither a file nor a folder"),
        ] {
            let bytes = gzipped(|builder| entry(builder, kind, name, link, b""));
            let (directory, result) = unpacked(&bytes, ROOMY);
            let reason = result.unwrap_err();
            assert!(reason.contains(complaint), "{name}: {reason}");
            assert!(!directory.path().join("evil").exists() && !directory.path().join("in/evil").exists());
        }
    }

    #[test]
    fn a_file_that_comes_twice_is_refused_and_dots_are_no_harm() {
        let bytes = gzipped(|builder| {
            entry(builder, EntryType::Directory, "./", "", b"");
            entry(builder, EntryType::Regular, "./a/model.json", "", b"{}");
        });
        let (directory, result) = unpacked(&bytes, ROOMY);
        result.unwrap();
        assert_eq!(fs::read(directory.path().join("in/model/a/model.json")).unwrap(), b"{}");
        let bytes = gzipped(|builder| {
            entry(builder, EntryType::Regular, "a", "", b"1");
            entry(builder, EntryType::Regular, "./a", "", b"2");
        });
        assert_eq!(unpacked(&bytes, ROOMY).1.unwrap_err(), "model: ./a: comes twice");
    }

    #[test]
    fn bombs_and_rubbish_are_refused() {
        let zeros = vec![0; 200_000];
        let bomb = gzipped(|builder| entry(builder, EntryType::Regular, "zeros", "", &zeros));
        let small = Allowed { bytes: 100_000, entries: 10 };
        let (directory, result) = unpacked(&bomb, small);
        assert_eq!(result.unwrap_err(), "model: expected at most 100000 bytes once unpacked");
        assert!(!directory.path().join("in/model/zeros").exists());
        let many = gzipped(|builder| {
            for name in 0..11 {
                entry(builder, EntryType::Regular, &name.to_string(), "", b"");
            }
        });
        assert_eq!(unpacked(&many, ROOMY).1.unwrap_err(), "model: expected at most 10 files and folders");
        for rubbish in [b"PK\x03\x04".as_slice(), &bomb[..bomb.len() / 2], b""] {
            let reason = unpacked(rubbish, ROOMY).1.unwrap_err();
            assert!(reason.starts_with("model: "), "{reason}");
        }
    }
}
