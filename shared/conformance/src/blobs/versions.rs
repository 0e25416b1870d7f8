//! What a store of files must do that keeps versions, and what one that keeps none.

use std::sync::Arc;

use domain::{BlobPath, Digest};
use ports::{Blobs, BlobsExt, ErrorKind};

use super::{bytes, listed, path, put, read, size};

/// Everything of a store that keeps versions, each claim on a fresh one.
pub async fn with_versions(make: impl AsyncFn() -> Arc<dyn Blobs>) {
    a_version_is_read_as_it_was(&*make().await).await;
    a_range_of_a_version_ends_with_it(&*make().await).await;
    a_version_is_of_its_path(&*make().await).await;
}

/// Everything of a store that keeps none.
pub async fn without_versions(make: impl AsyncFn() -> Arc<dyn Blobs>) {
    no_version_is_named_or_found(&*make().await).await;
}

async fn named(blobs: &dyn Blobs, at: &BlobPath) -> String {
    let info = blobs.head(at).await.expect("a head can be asked for").expect("a blob stands there");
    info.version.expect("a head names the version")
}

/// Written over, longer and shorter, and deleted: each version stays as it was, and what stands at
/// the path is the last.
async fn a_version_is_read_as_it_was(blobs: &dyn Blobs) {
    let at = path("a b/c+d%20.bin");
    let contents = [bytes(2_000_000), b"short".to_vec(), Vec::new(), bytes(3_000)];
    let mut versions = Vec::new();
    for content in &contents {
        put(blobs, at.as_str(), content).await;
        versions.push(named(blobs, &at).await);
    }
    let check = async || {
        for (version, content) in versions.iter().zip(&contents) {
            let found = blobs.digest_of(&at, Some(version)).await.expect("a version can be read");
            assert_eq!(found, (content.len() as u64, Digest::of(content)), "{version}");
        }
    };
    check().await;
    assert_eq!(read(blobs, at.as_str()).await, contents[3]);
    blobs.delete(&at).await.expect("a blob can be deleted");
    assert_eq!((size(blobs, at.as_str()).await, listed(blobs, "").await), (None, vec![]));
    check().await;
}

/// As a range of the blob does.
async fn a_range_of_a_version_ends_with_it(blobs: &dyn Blobs) {
    let at = path("ten");
    put(blobs, "ten", b"0123456789").await;
    let version = named(blobs, &at).await;
    put(blobs, "ten", b"another").await;
    for (from, length, expected) in [
        (0, 10, "0123456789"),
        (0, 0, ""),
        (3, 4, "3456"),
        (9, 2, "9"),
        (5, u64::MAX, "56789"),
        (10, 0, ""),
        (10, 1, ""),
        (u64::MAX, u64::MAX, ""),
    ] {
        let range = blobs.range_of(&at, &version, from, length).await;
        let range = range.unwrap_or_else(|error| panic!("[{from}, +{length}): {error:?}"));
        assert_eq!(range, expected.as_bytes(), "[{from}, +{length})");
    }
}

/// The version of one path is none of another, also where one stands there.
async fn a_version_is_of_its_path(blobs: &dyn Blobs) {
    put(blobs, "a", b"of a").await;
    put(blobs, "b", b"of b").await;
    let version = named(blobs, &path("a")).await;
    for at in ["b", "nothing"] {
        for length in [0, 1, u64::MAX] {
            match blobs.range_of(&path(at), &version, 0, length).await {
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{at}: {error}"),
                Ok(found) => panic!("{at} has no such version, but {} bytes of it", found.len()),
            }
        }
    }
}

/// What stands there never passes for a version of it.
async fn no_version_is_named_or_found(blobs: &dyn Blobs) {
    put(blobs, "a", b"x").await;
    let info = blobs.head(&path("a")).await.expect("a head can be asked for");
    assert_eq!(info.expect("a blob stands there").version, None);
    for version in ["", "null", "1", &Digest::of(b"x").short()] {
        let refused = blobs.range_of(&path("a"), version, 0, 1).await;
        assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::NotFound), "{version:?}");
    }
}
