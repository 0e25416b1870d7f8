//! Whether a directory conforms, and what of it people and other programs can rely on.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use domain::{BlobPath, limit};
use futures::executor::block_on;
use local::Directory;
use ports::{Blobs, BlobsExt, Error, ErrorKind, PutExpect};
use proptest::prelude::*;
use tempfile::TempDir;

fn path(text: &str) -> BlobPath {
    BlobPath::parse(text).unwrap()
}

fn opened(folder: &TempDir) -> Directory {
    Directory::open(&folder.path().join("root")).unwrap()
}

fn put(blobs: &Directory, at: &str, bytes: &[u8]) -> Result<(), Error> {
    block_on(blobs.put(&path(at), bytes)).map(|_| ())
}

fn put_absent(blobs: &Directory, at: &str) -> Result<(), Error> {
    block_on(async {
        let mut writer = blobs.writer(&path(at), PutExpect::Absent).await?;
        writer.write(b"absent").await?;
        writer.finish().await
    })
}

fn listed(blobs: &Directory, prefix: &str, after: Option<&str>) -> Vec<String> {
    let page = block_on(blobs.list(prefix, after.map(path).as_ref())).unwrap();
    page.into_iter().map(|info| info.path.to_string()).collect()
}

fn read(blobs: &Directory, at: &str) -> Result<Vec<u8>, ErrorKind> {
    let bytes = block_on(blobs.range(&path(at), 0, u64::MAX));
    bytes.map(|bytes| bytes.to_vec()).map_err(|error| error.kind())
}

fn names(folder: &Path) -> BTreeSet<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    std::fs::read_dir(folder).unwrap().map(name).collect()
}

fn writing(folder: &TempDir) -> PathBuf {
    folder.path().join("root/.writing")
}

#[test]
fn a_directory_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    let make = async || {
        made.set(made.get() + 1);
        let root = folder.path().join(made.get().to_string());
        Arc::new(Directory::open(&root).unwrap()) as Arc<dyn Blobs>
    };
    block_on(conformance::blobs::blobs(&make));
    block_on(conformance::blobs::without_versions(&make));
}

#[test]
fn a_blob_is_a_plain_file_and_a_plain_file_is_a_blob() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    put(&blobs, "parts/taxi/u1/report.html", b"<p>").unwrap();
    let file = folder.path().join("root/parts/taxi/u1/report.html");
    assert_eq!(blobs.file(&path("parts/taxi/u1/report.html")), file);
    assert_eq!(std::fs::read(&file).unwrap(), b"<p>");
    std::fs::create_dir_all(folder.path().join("root/incoming/taxi")).unwrap();
    std::fs::write(folder.path().join("root/incoming/taxi/may.csv"), "a,b\n").unwrap();
    assert_eq!(read(&blobs, "incoming/taxi/may.csv").unwrap(), b"a,b\n");
    assert_eq!(listed(&blobs, "", None), ["incoming/taxi/may.csv", "parts/taxi/u1/report.html"]);
}

#[test]
fn a_deleted_blob_takes_its_empty_folders_along() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    put(&blobs, "a/b/c/one", b"1").unwrap();
    put(&blobs, "a/two", b"2").unwrap();
    block_on(blobs.delete(&path("a/b/c/one"))).unwrap();
    assert_eq!(names(&folder.path().join("root/a")), BTreeSet::from(["two".to_owned()]));
    // What was a folder can be a blob now.
    put(&blobs, "a/b", b"3").unwrap();
    assert_eq!(listed(&blobs, "", None), ["a/b", "a/two"]);
    block_on(blobs.delete(&path("a"))).unwrap();
    assert_eq!(listed(&blobs, "", None), ["a/b", "a/two"]);
}

#[test]
fn a_blob_is_no_folder_and_a_folder_is_no_blob() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    put(&blobs, "a/b", b"blob").unwrap();
    for (at, says) in [
        ("a/b/c", "write a/b/c: a/b is no folder, but a blob or a link"),
        ("a/b/c/d", "write a/b/c/d: a/b is no folder, but a blob or a link"),
        ("a", "write a: a folder of other blobs stands there"),
    ] {
        for error in [put(&blobs, at, b"x").unwrap_err(), put_absent(&blobs, at).unwrap_err()] {
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Invalid, says.to_owned()));
        }
        let error = blobs.append(&path(at), b"line").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    assert_eq!(read(&blobs, "a/b").unwrap(), b"blob");
    assert_eq!(names(&writing(&folder)), BTreeSet::from(["lock".to_owned()]));
}

#[test]
fn an_empty_folder_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    for at in ["same", "absent"] {
        std::fs::create_dir(folder.path().join("root").join(at)).unwrap();
    }
    put(&blobs, "same", b"x").unwrap();
    put_absent(&blobs, "absent").unwrap();
    assert_eq!(listed(&blobs, "", None), ["absent", "same"]);
}

#[test]
fn links_below_the_root_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    let root = folder.path().join("root");
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    put(&blobs, "inside/blob", b"blob").unwrap();
    symlink(&outside, root.join("folder")).unwrap();
    symlink(outside.join("secret"), root.join("file")).unwrap();
    symlink(outside.join("missing"), root.join("dangling")).unwrap();
    symlink("inside", root.join("within")).unwrap();

    assert_eq!(listed(&blobs, "", None), ["inside/blob"]);
    assert_eq!(listed(&blobs, "folder/", None), [""; 0]);
    for at in ["folder/secret", "file", "dangling", "within/blob"] {
        assert_eq!(block_on(blobs.head(&path(at))).unwrap(), None, "{at}");
        assert_eq!(read(&blobs, at), Err(ErrorKind::NotFound), "{at}");
        block_on(blobs.delete(&path(at))).unwrap();
    }
    for at in ["folder/new", "within/new"] {
        assert_eq!(put(&blobs, at, b"x").unwrap_err().kind(), ErrorKind::Invalid, "{at}");
        assert_eq!(put_absent(&blobs, at).unwrap_err().kind(), ErrorKind::Invalid, "{at}");
        assert_eq!(blobs.append(&path(at), b"x").unwrap_err().kind(), ErrorKind::Invalid, "{at}");
    }
    for at in ["file", "dangling"] {
        assert_eq!(put_absent(&blobs, at).unwrap_err().kind(), ErrorKind::Conflict, "{at}");
        assert_eq!(blobs.append(&path(at), b"x").unwrap_err().kind(), ErrorKind::Invalid, "{at}");
        // A blob takes the link's place, not the place it leads to.
        put(&blobs, at, b"blob").unwrap();
        assert_eq!(read(&blobs, at).unwrap(), b"blob");
    }
    assert_eq!(names(&outside), BTreeSet::from(["secret".to_owned()]));
    assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"secret");
}

#[test]
fn the_root_may_be_a_link() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("disk")).unwrap();
    symlink("disk", folder.path().join("root")).unwrap();
    let blobs = opened(&folder);
    put(&blobs, "a", b"x").unwrap();
    assert_eq!(std::fs::read(folder.path().join("disk/a")).unwrap(), b"x");
}

#[test]
fn a_pipe_is_no_blob_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    let made = Command::new("mkfifo").arg(folder.path().join("root/pipe")).status().unwrap();
    assert!(made.success());
    assert_eq!(block_on(blobs.head(&path("pipe"))).unwrap(), None);
    assert_eq!(read(&blobs, "pipe"), Err(ErrorKind::NotFound));
    assert_eq!(blobs.append(&path("pipe"), b"x").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(listed(&blobs, "", None), [""; 0]);
}

#[test]
fn no_path_names_what_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    let mut writer = block_on(blobs.writer(&path("a"), PutExpect::Absent)).unwrap();
    block_on(writer.write(b"half")).unwrap();
    for at in [".writing/lock", ".writing/x/y", ".Writing/x", ".writing"] {
        assert_eq!(block_on(blobs.head(&path(at))).unwrap(), None);
        assert_eq!(read(&blobs, at), Err(ErrorKind::NotFound));
        let error = put(&blobs, at, b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(".writing is kept"), "{error}");
        assert_eq!(blobs.append(&path(at), b"x").unwrap_err().kind(), ErrorKind::Invalid);
        block_on(blobs.delete(&path(at))).unwrap();
    }
    for prefix in ["", ".", ".writing", ".writing/", ".writing/l"] {
        assert_eq!(listed(&blobs, prefix, None), [""; 0], "{prefix}");
    }
    // Deeper, it is a name like others.
    put(&blobs, "a/.writing/b", b"x").unwrap();
    assert_eq!(listed(&blobs, "a/.w", None), ["a/.writing/b"]);
    assert_eq!(names(&writing(&folder)).len(), 2);
    drop(writer);
    assert_eq!(names(&writing(&folder)), BTreeSet::from(["lock".to_owned()]));
}

#[test]
fn what_a_crash_left_is_removed_by_the_next_to_open() {
    let folder = tempfile::tempdir().unwrap();
    drop(opened(&folder));
    std::fs::write(writing(&folder).join("4711-0"), "half").unwrap();
    let blobs = opened(&folder);
    assert_eq!(names(&writing(&folder)), BTreeSet::from(["lock".to_owned()]));
    // But not what somebody is writing at the time.
    let mut writer = block_on(blobs.writer(&path("a"), PutExpect::Absent)).unwrap();
    block_on(writer.write(b"half")).unwrap();
    let other = opened(&folder);
    block_on(writer.write(b" and half")).unwrap();
    block_on(writer.finish()).unwrap();
    assert_eq!(read(&other, "a").unwrap(), b"half and half");
}

#[test]
fn a_root_that_cannot_be_one_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Directory::open(&file).unwrap_err();
    assert!(error.to_string().starts_with("open the directory "), "{error}");
    assert!(error.to_string().contains("/file"), "{error}");
}

#[test]
fn writers_and_deleters_of_one_folder_do_not_trip_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let blobs = &blobs;
            scope.spawn(move || {
                for round in 0..30 {
                    let at = format!("a/b/c/{caller}");
                    match round % 2 {
                        0 => put(blobs, &at, b"x").unwrap(),
                        _ => put_absent(blobs, &at).unwrap(),
                    }
                    block_on(blobs.delete(&path(&at))).unwrap();
                    listed(blobs, "a/", None);
                }
            });
        }
    });
    assert_eq!(names(&folder.path().join("root")), BTreeSet::from([".writing".to_owned()]));
}

#[test]
fn appended_lines_are_whole_and_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // Two processes' worth, four threads each, more files than are kept open.
    let directories = [opened(&folder), opened(&folder)];
    let files: Vec<BlobPath> = (0..40).map(|number| path(&format!("capture/{number}/hour.jsonl"))).collect();
    std::thread::scope(|scope| {
        for caller in 0..8 {
            let (blobs, files) = (&directories[caller % 2], &files);
            scope.spawn(move || {
                for round in 0..5 {
                    for file in files {
                        let line = format!("{caller} {round} {}", "x".repeat(caller * 1000));
                        blobs.append(file, line.as_bytes()).unwrap();
                        let text = String::from_utf8(read(blobs, file.as_str()).unwrap()).unwrap();
                        assert!(text.lines().any(|found| found == line), "it is seen at once");
                    }
                }
            });
        }
    });
    for file in &files {
        let text = std::fs::read_to_string(directories[0].file(file)).unwrap();
        assert!(text.ends_with('\n'));
        let found: BTreeSet<&str> = text.lines().collect();
        assert_eq!((found.len(), text.lines().count()), (40, 40), "each line once and whole");
    }
    assert_eq!(listed(&directories[0], "capture/", None).len(), 40);
}

#[test]
fn a_line_after_a_cut_one_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = path("capture/hour.jsonl");
    opened(&folder).append(&file, b"one").unwrap();
    let at = folder.path().join("root/capture/hour.jsonl");
    std::fs::write(&at, "one\ntw").unwrap();
    let blobs = opened(&folder);
    blobs.append(&file, b"three").unwrap();
    blobs.append(&file, b"four").unwrap();
    assert_eq!(std::fs::read_to_string(&at).unwrap(), "one\ntw\nthree\nfour\n");
    // Also where another process died while this one had the file open.
    std::fs::write(&at, "fi").unwrap();
    blobs.append(&file, b"six").unwrap();
    assert_eq!(std::fs::read_to_string(&at).unwrap(), "fi\nsix\n");
}

#[test]
fn lines_go_to_the_file_that_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    let file = path("capture/hour.jsonl");
    blobs.append(&file, b"one").unwrap();
    block_on(blobs.delete(&file)).unwrap();
    blobs.append(&file, b"two").unwrap();
    assert_eq!(read(&blobs, "capture/hour.jsonl").unwrap(), b"two\n");
    std::fs::remove_file(blobs.file(&file)).unwrap();
    blobs.append(&file, b"three").unwrap();
    assert_eq!(read(&blobs, "capture/hour.jsonl").unwrap(), b"three\n");
    put(&blobs, "capture/hour.jsonl", b"replaced\n").unwrap();
    blobs.append(&file, b"four").unwrap();
    assert_eq!(read(&blobs, "capture/hour.jsonl").unwrap(), b"replaced\nfour\n");
    let error = blobs.append(&file, b"five\nsix").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("line break"), "{error}");
}

#[test]
fn names_that_are_no_paths_are_not_listed() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let blobs = opened(&folder);
    put(&blobs, "a/good", b"x").unwrap();
    for name in [&b"b\\c"[..], b"new\nline", b"not\xFFutf8"] {
        let at = folder.path().join("root/a").join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(at, "x").unwrap();
    }
    assert_eq!(listed(&blobs, "", None), ["a/good"]);
}

fn names_of_blobs() -> impl Strategy<Value = BTreeSet<String>> {
    // Names around `/` in the order of bytes, so that folders and files interleave.
    let name = "[-./0a]{1,3}".prop_filter("a path", |name| BlobPath::parse(name).is_ok());
    let segments = proptest::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    proptest::collection::btree_set(segments, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_listing_is_what_filtering_and_sorting_gives(
        names in names_of_blobs(),
        prefix in "[-./0a]{0,4}",
        after in "[-./0a]{1,4}",
    ) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = opened(&folder);
        let mut kept: Vec<String> = Vec::new();
        for name in names {
            // A file is no folder: the first of such names stays.
            let at = blobs.file(&path(&name));
            let made = std::fs::create_dir_all(at.parent().unwrap()).and_then(|()| std::fs::write(&at, "x"));
            if made.is_ok() {
                kept.push(name);
            }
        }
        kept.sort();
        let after = BlobPath::parse(&after).ok();
        let comes_after = |name: &String| after.as_ref().is_none_or(|after| name.as_str() > after.as_str());
        let expected: Vec<String> = kept
            .iter()
            .filter(|name| name.starts_with(&prefix) && comes_after(name))
            .take(limit::PAGE_ROWS_MAX)
            .cloned()
            .collect();
        prop_assert_eq!(listed(&blobs, &prefix, after.as_ref().map(BlobPath::as_str)), expected);
    }
}
