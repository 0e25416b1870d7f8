//! How whoever reads a version piece by piece finds the next piece already on its way.
//!
//! Only versions are read ahead: they never change, so a piece that waited is as good as a new
//! one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use domain::BlobPath;
use ports::Result;
use tokio::task::JoinHandle;

use super::Bucket;

/// The largest piece that is read ahead, in bytes: it is held in memory until it is asked for.
const PIECE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Some bytes of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) path: BlobPath,
    pub(super) version: String,
    pub(super) from: u64,
    pub(super) length: u64,
}

impl Piece {
    /// What follows where this piece was whole.
    fn next(&self, bytes: &Bytes) -> Option<Piece> {
        let is_whole = self.length > 0 && bytes.len() as u64 == self.length;
        let from = self.from.checked_add(self.length)?;
        (is_whole && self.length <= PIECE_BYTES_MAX).then(|| Piece { from, ..self.clone() })
    }
}

/// The one piece that is on its way: a function reads one upload at a time. Another reader's
/// takes its place.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<Option<(Piece, JoinHandle<Result<Bytes>>)>>);

impl Ahead {
    fn slot(&self) -> MutexGuard<'_, Option<(Piece, JoinHandle<Result<Bytes>>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reading of a piece, where it has begun; whatever else was on its way is given up.
    fn take(&self, piece: &Piece) -> Option<JoinHandle<Result<Bytes>>> {
        let (begun, reading) = self.slot().take()?;
        if begun == *piece {
            return Some(reading);
        }
        reading.abort();
        None
    }
}

impl Bucket {
    /// Reads a piece, and begins to read the one after it.
    pub(super) async fn read_on(&self, piece: Piece) -> Result<Bytes> {
        let begun = match self.ahead.take(&piece) {
            // What went wrong ahead of time may go right now.
            Some(reading) => reading.await.ok().and_then(Result::ok),
            None => None,
        };
        let bytes = match begun {
            Some(bytes) => bytes,
            None => self.read(&piece.path, Some(&piece.version), piece.from, piece.length).await?,
        };
        if let Some(next) = piece.next(&bytes) {
            let (bucket, asked) = (self.clone(), next.clone());
            let reading = tokio::spawn(async move {
                bucket.read(&asked.path, Some(&asked.version), asked.from, asked.length).await
            });
            *self.ahead.slot() = Some((next, reading));
        }
        Ok(bytes)
    }
}
