//! What every store of files must do.

mod versions;

use std::sync::Arc;

use domain::{BlobPath, Digest, limit};
use ports::{Blobs, BlobsExt, Error, ErrorKind, PutExpect};

use crate::race::{CALLERS, gather};
use crate::{Race, threads};

pub use versions::{with_versions, without_versions};

/// Everything, each claim on a fresh store.
pub async fn blobs(make: impl AsyncFn() -> Arc<dyn Blobs>) {
    blobs_with(make, threads).await;
}

/// Everything, with another way to let callers race.
pub async fn blobs_with(make: impl AsyncFn() -> Arc<dyn Blobs>, race: Race) {
    a_blob_is_read_as_it_was_written(&*make().await).await;
    an_empty_blob_is_a_blob(&*make().await).await;
    a_large_blob_is_read_as_it_was_written(&*make().await).await;
    a_range_ends_with_the_blob(&*make().await).await;
    a_missing_blob_is_not_found(&*make().await).await;
    nothing_is_seen_before_the_finish(&*make().await).await;
    an_aborted_writer_leaves_nothing(&*make().await).await;
    absent_conflicts_with_what_stands_there(&*make().await).await;
    same_replaces_the_whole_blob(&*make().await).await;
    odd_names_are_names(&*make().await).await;
    blobs_are_listed_by_plain_prefix_and_in_order(&*make().await).await;
    pages_hold_every_blob_once_and_in_order(&*make().await).await;
    a_deleted_blob_is_gone(&*make().await).await;
    one_of_racing_writers_wins(make().await, race).await;
}

fn path(text: &str) -> BlobPath {
    BlobPath::parse(text).expect("a well-formed path")
}

/// Bytes that repeat only after a long while, so that pieces in a wrong order show.
fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|place| (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

async fn write(
    blobs: &dyn Blobs,
    at: &BlobPath,
    expect: PutExpect,
    pieces: impl Iterator<Item = &[u8]>,
) -> Result<(), Error> {
    let mut writer = blobs.writer(at, expect).await?;
    for piece in pieces {
        writer.write(piece).await?;
    }
    writer.finish().await
}

async fn put(blobs: &dyn Blobs, at: &str, bytes: &[u8]) {
    let file = blobs.put(&path(at), bytes).await.expect("a blob can be written");
    assert_eq!((file.path, file.digest), (path(at), Digest::of(bytes)));
}

async fn read(blobs: &dyn Blobs, at: &str) -> Vec<u8> {
    blobs.range(&path(at), 0, u64::MAX).await.expect("a blob can be read").to_vec()
}

async fn size(blobs: &dyn Blobs, at: &str) -> Option<u64> {
    let info = blobs.head(&path(at)).await.expect("a head can be asked for");
    assert!(info.as_ref().is_none_or(|info| info.path == path(at)), "it says where it is");
    info.map(|info| info.bytes)
}

/// All paths under a prefix, page by page, with the checks that hold for every page.
async fn listed(blobs: &dyn Blobs, prefix: &str) -> Vec<String> {
    let mut paths: Vec<BlobPath> = Vec::new();
    loop {
        let page = blobs.list(prefix, paths.last()).await.expect("a page can be read");
        assert!(page.len() <= limit::PAGE_ROWS_MAX, "a page is bounded");
        if page.is_empty() {
            break;
        }
        for info in page {
            assert_eq!(size(blobs, info.path.as_str()).await, Some(info.bytes), "{}", info.path);
            paths.push(info.path);
        }
        assert!(paths.is_sorted_by(|a, b| a < b), "paths come in order, each once: {paths:?}");
    }
    paths.iter().map(ToString::to_string).collect()
}

/// Written in pieces, a blob is one, and its head says its size.
pub async fn a_blob_is_read_as_it_was_written(blobs: &dyn Blobs) {
    let content: Vec<u8> = (0..=255).collect();
    let at = path("a/b/c.bin");
    write(blobs, &at, PutExpect::Absent, content.chunks(7)).await.expect("a blob can be written");
    assert_eq!(read(blobs, "a/b/c.bin").await, content);
    assert_eq!(size(blobs, "a/b/c.bin").await, Some(256));
    let digest = blobs.digest(&at).await.expect("a blob can be read");
    assert_eq!(digest, (256, Digest::of(&content)));
}

/// A blob without bytes is there all the same, written with an empty piece or with none.
pub async fn an_empty_blob_is_a_blob(blobs: &dyn Blobs) {
    put(blobs, "empty/piece", b"").await;
    let none = write(blobs, &path("empty/none"), PutExpect::Absent, std::iter::empty()).await;
    none.expect("a blob can be written");
    for at in ["empty/none", "empty/piece"] {
        assert_eq!(size(blobs, at).await, Some(0));
        assert_eq!(read(blobs, at).await, b"");
    }
    assert_eq!(listed(blobs, "empty/").await, ["empty/none", "empty/piece"]);
}

/// 5 MB and a byte, in uneven pieces, some larger than a multipart upload's least part.
pub async fn a_large_blob_is_read_as_it_was_written(blobs: &dyn Blobs) {
    let content = bytes(5 * 1024 * 1024 + 1);
    for (name, piece) in [("small", 65_537), ("large", 5 * 1024 * 1024), ("whole", content.len())] {
        let at = path(&format!("large/{name}"));
        write(blobs, &at, PutExpect::Same, content.chunks(piece)).await.expect("a blob can be written");
        let digest = blobs.digest(&at).await.expect("a blob can be read");
        assert_eq!(digest, (content.len() as u64, Digest::of(&content)), "{name}");
        let (from, length) = (4_194_301, 131_071);
        let range = blobs.range(&at, from, length).await.expect("a range can be read");
        assert!(range[..] == content[from as usize..][..length as usize], "{name}: a range in its middle");
    }
}

/// A range is what of it lies within the blob.
pub async fn a_range_ends_with_the_blob(blobs: &dyn Blobs) {
    put(blobs, "ten", b"0123456789").await;
    for (from, length, expected) in [
        (0, 10, "0123456789"),
        (0, 0, ""),
        (0, 1, "0"),
        (3, 4, "3456"),
        (9, 1, "9"),
        (9, 2, "9"),
        (5, u64::MAX, "56789"),
        (10, 0, ""),
        (10, 1, ""),
        (11, 5, ""),
        (u64::MAX, 1, ""),
        (u64::MAX, u64::MAX, ""),
        (i64::MAX as u64, 2, ""),
    ] {
        let range = blobs.range(&path("ten"), from, length).await;
        let range = range.unwrap_or_else(|error| panic!("[{from}, +{length}): {error:?}"));
        assert_eq!(range, expected.as_bytes(), "[{from}, +{length})");
    }
}

/// No head, `NotFound` for every range, and nothing to delete; what lies above or below a blob
/// is no blob.
pub async fn a_missing_blob_is_not_found(blobs: &dyn Blobs) {
    put(blobs, "folder/file", b"x").await;
    for at in ["nothing", "folder", "folder/other", "folder/file/below", "folder/fil"] {
        assert_eq!(size(blobs, at).await, None, "{at}");
        for length in [0, 1, u64::MAX] {
            match blobs.range(&path(at), 0, length).await {
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{at}: {error}"),
                Ok(bytes) => panic!("{at} is not there, but has {} bytes", bytes.len()),
            }
        }
        blobs.delete(&path(at)).await.expect("deleting nothing is no error");
    }
    assert_eq!(listed(blobs, "").await, ["folder/file"]);
}

/// While a blob is being written, it can neither be read nor listed, and what stood there before
/// stands there still.
pub async fn nothing_is_seen_before_the_finish(blobs: &dyn Blobs) {
    put(blobs, "old", b"old").await;
    let mut fresh = blobs.writer(&path("fresh"), PutExpect::Absent).await.expect("a writer");
    let mut over = blobs.writer(&path("old"), PutExpect::Same).await.expect("a writer");
    for writer in [&mut fresh, &mut over] {
        writer.write(&bytes(100_000)).await.expect("bytes can be written");
    }
    assert_eq!(size(blobs, "fresh").await, None);
    assert_eq!(read(blobs, "old").await, b"old");
    assert_eq!(listed(blobs, "").await, ["old"]);
    fresh.finish().await.expect("a blob can be finished");
    over.finish().await.expect("a blob can be finished");
    assert_eq!(read(blobs, "fresh").await, bytes(100_000));
    assert_eq!(read(blobs, "old").await, bytes(100_000));
    assert_eq!(listed(blobs, "").await, ["fresh", "old"]);
}

/// A writer that is dropped leaves the store as it was, and its path can be written.
pub async fn an_aborted_writer_leaves_nothing(blobs: &dyn Blobs) {
    put(blobs, "old", b"old").await;
    for (at, expect) in [("fresh/a/b", PutExpect::Absent), ("old", PutExpect::Same)] {
        let mut writer = blobs.writer(&path(at), expect).await.expect("a writer");
        writer.write(&bytes(6 * 1024 * 1024)).await.expect("bytes can be written");
        drop(writer);
    }
    assert_eq!(size(blobs, "fresh/a/b").await, None);
    assert_eq!(read(blobs, "old").await, b"old");
    assert_eq!(listed(blobs, "").await, ["old"]);
    let written = write(blobs, &path("fresh/a/b"), PutExpect::Absent, b"x".chunks(1)).await;
    written.expect("an aborted writer is no blob");
}

/// Where something stands, `Absent` is a conflict, at the latest at the finish: also where it
/// came while writing, and where it is empty.
pub async fn absent_conflicts_with_what_stands_there(blobs: &dyn Blobs) {
    put(blobs, "taken", b"").await;
    let again = write(blobs, &path("taken"), PutExpect::Absent, b"other".chunks(2)).await;
    assert_eq!(again.map_err(|error| error.kind()), Err(ErrorKind::Conflict));
    assert_eq!(read(blobs, "taken").await, b"");

    let mut first = blobs.writer(&path("both"), PutExpect::Absent).await.expect("a writer");
    let mut second = blobs.writer(&path("both"), PutExpect::Absent).await.expect("a writer");
    first.write(b"first").await.expect("bytes can be written");
    second.write(b"second").await.expect("bytes can be written");
    second.finish().await.expect("nothing stands there yet");
    let late = first.finish().await;
    assert_eq!(late.map_err(|error| error.kind()), Err(ErrorKind::Conflict));
    assert_eq!(read(blobs, "both").await, b"second");
    assert_eq!(listed(blobs, "").await, ["both", "taken"]);
}

/// `Same` replaces: nothing of a longer blob stays, and the last of two writers stays whole.
pub async fn same_replaces_the_whole_blob(blobs: &dyn Blobs) {
    put(blobs, "at", b"a long blob").await;
    put(blobs, "at", b"short").await;
    assert_eq!((read(blobs, "at").await, size(blobs, "at").await), (b"short".to_vec(), Some(5)));
    let mut first = blobs.writer(&path("at"), PutExpect::Same).await.expect("a writer");
    let mut second = blobs.writer(&path("at"), PutExpect::Same).await.expect("a writer");
    first.write(b"fir").await.expect("bytes can be written");
    second.write(b"second").await.expect("bytes can be written");
    first.write(b"st").await.expect("bytes can be written");
    second.finish().await.expect("a blob can be finished");
    first.finish().await.expect("a blob can be finished");
    assert_eq!(read(blobs, "at").await, b"first");
    assert_eq!(listed(blobs, "").await, ["at"]);
}

/// Every path that [`BlobPath`] takes is a path: none is decoded, folded, hidden or too long.
pub async fn odd_names_are_names(blobs: &dyn Blobs) {
    let longest = "n".repeat(240);
    let deep = vec!["deep"; 100].join("/");
    let wide = format!("日本/{}", "本".repeat(80));
    // On a directory a file cannot be a folder too, so no name is another's folder.
    let names = [
        "a b.csv",
        "a+b.csv",
        "a%20b.csv",
        "a%2Fb.csv",
        "a%b",
        "as_of=2018-01-31T00:00:00.000Z/f.csv",
        "ä.csv",
        "😀",
        ".hidden/file",
        "...",
        "a'b\"c`d$e",
        "a*b?c[d]",
        "~",
        "-rf",
        "a;b&c|d",
        "x.tmp",
        ".tmp/x",
        "x~",
        "#x#",
        "a:b",
        "<a>",
        &longest,
        &deep,
        &wide,
    ];
    for name in &names {
        put(blobs, &format!("odd/{name}"), name.as_bytes()).await;
    }
    for name in &names {
        let at = format!("odd/{name}");
        assert_eq!(read(blobs, &at).await, name.as_bytes(), "{name}");
        assert_eq!(listed(blobs, &at).await.first(), Some(&at), "{name}");
    }
    let mut expected: Vec<String> = names.iter().map(|name| format!("odd/{name}")).collect();
    expected.sort();
    assert_eq!(listed(blobs, "").await, expected);
    for name in &names {
        blobs.delete(&path(&format!("odd/{name}"))).await.expect("a blob can be deleted");
    }
    assert_eq!(listed(blobs, "").await, [""; 0]);
}

/// A prefix means its characters, not whole segments; paths come in the order of their bytes,
/// in which `/` is a character like others.
pub async fn blobs_are_listed_by_plain_prefix_and_in_order(blobs: &dyn Blobs) {
    let paths = ["a/b/1", "a/b/2", "a/b-c/1", "a/b.x", "a/bc", "a/B", "a0", "b/b/1"];
    for at in paths {
        put(blobs, at, at.as_bytes()).await;
    }
    for (prefix, expected) in [
        ("", &["a/B", "a/b-c/1", "a/b.x", "a/b/1", "a/b/2", "a/bc", "a0", "b/b/1"][..]),
        ("a", &["a/B", "a/b-c/1", "a/b.x", "a/b/1", "a/b/2", "a/bc", "a0"]),
        ("a/", &["a/B", "a/b-c/1", "a/b.x", "a/b/1", "a/b/2", "a/bc"]),
        ("a/b", &["a/b-c/1", "a/b.x", "a/b/1", "a/b/2", "a/bc"]),
        ("a/b/", &["a/b/1", "a/b/2"]),
        ("a/b/2", &["a/b/2"]),
        ("a/b/2/", &[]),
        ("a/x", &[]),
        ("c", &[]),
        ("/", &[]),
        ("../", &[]),
        ("a/../a", &[]),
        ("a//b", &[]),
    ] {
        assert_eq!(listed(blobs, prefix).await, expected, "{prefix:?}");
    }
    for (after, expected) in [
        ("a/b", &["a/b-c/1", "a/b.x", "a/b/1", "a/b/2", "a/bc"][..]),
        ("a/b/0", &["a/b/1", "a/b/2", "a/bc"]),
        ("a/b/1", &["a/b/2", "a/bc"]),
        ("a/bc", &[]),
        ("A", &["a/b-c/1", "a/b.x", "a/b/1", "a/b/2", "a/bc"]),
        ("z", &[]),
    ] {
        let page = blobs.list("a/b", Some(&path(after))).await.expect("a page can be read");
        let found: Vec<&str> = page.iter().map(|info| info.path.as_str()).collect();
        assert_eq!(found, expected, "after {after}");
    }
}

/// 250 blobs come on pages, each once and in order.
pub async fn pages_hold_every_blob_once_and_in_order(blobs: &dyn Blobs) {
    for number in 0..250 {
        let number = number * 77 % 250;
        put(blobs, &format!("many/{}/{number:03}", number % 3), b"x").await;
    }
    let mut expected: Vec<String> =
        (0..250).map(|number| format!("many/{}/{number:03}", number % 3)).collect();
    expected.sort();
    assert_eq!(listed(blobs, "many/").await, expected);
    assert_eq!(listed(blobs, "many/1/").await.len(), 83);
}

/// A deleted blob can neither be read nor listed, its neighbours can, and its path can be
/// written as one where nothing stood.
pub async fn a_deleted_blob_is_gone(blobs: &dyn Blobs) {
    for at in ["x/a", "x/b", "x/y/c"] {
        put(blobs, at, b"x").await;
    }
    for at in ["x/a", "x/y/c"] {
        blobs.delete(&path(at)).await.expect("a blob can be deleted");
        blobs.delete(&path(at)).await.expect("deleting nothing is no error");
        assert_eq!(size(blobs, at).await, None);
        let gone = blobs.range(&path(at), 0, 1).await;
        assert_eq!(gone.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
    assert_eq!(listed(blobs, "x/").await, ["x/b"]);
    let again = write(blobs, &path("x/a"), PutExpect::Absent, b"new".chunks(3)).await;
    again.expect("nothing stands there");
    assert_eq!(listed(blobs, "x/").await, ["x/a", "x/b"]);
}

/// Of writers that expect nothing at a path one wins, and the blob is wholly its.
pub async fn one_of_racing_writers_wins(blobs: Arc<dyn Blobs>, race: Race) {
    for round in 0..12 {
        let at = path(&format!("race/{round}"));
        let write_own = |caller: usize| {
            let (blobs, at) = (blobs.clone(), at.clone());
            async move {
                let own = vec![caller as u8; 10_000];
                match write(&*blobs, &at, PutExpect::Absent, own.chunks(999)).await {
                    Ok(()) => Some(own),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                        None
                    }
                }
            }
        };
        let answers = gather(race, write_own).await;
        assert_eq!(answers.len(), CALLERS);
        let winners: Vec<Vec<u8>> = answers.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "one wins");
        assert!(read(&*blobs, at.as_str()).await == winners[0], "the blob is wholly the winner's");
    }
    assert_eq!(listed(&*blobs, "").await.len(), 12);
}
