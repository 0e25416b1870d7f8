//! How a range of an object is read whole, also where its bytes break off.

use bytes::{Bytes, BytesMut};
use domain::BlobPath;
use ports::{Error, ErrorKind, Result};

use super::Bucket;
use crate::error;

/// No object of S3 is larger (50 TB), and beyond it a range may be refused as no number.
const OBJECT_BYTES_MAX: u64 = 50_000_000_000_000;

/// How often a read goes on after its bytes broke off.
const RESUMES_MAX: usize = 4;

impl Bucket {
    /// Bytes `[from, from + length)`, as far as there are. Where they break off the rest is asked
    /// for again, of the very same object.
    pub(super) async fn read(
        &self,
        path: &BlobPath,
        version: Option<&str>,
        from: u64,
        length: u64,
    ) -> Result<Bytes> {
        if length == 0 || from >= OBJECT_BYTES_MAX {
            let missing = || Error::new(ErrorKind::NotFound, format!("read {path}: not there"));
            return self.look(path, version).await?.map(|_| Bytes::new()).ok_or_else(missing);
        }
        let end = from.saturating_add(length - 1).min(OBJECT_BYTES_MAX);
        let mut read = BytesMut::new();
        let mut etag = None;
        for _ in 0..=RESUMES_MAX {
            let next = from + read.len() as u64;
            let got = self
                .client
                .get_object()
                .bucket(&self.bucket)
                .key(path.as_str())
                .set_version_id(version.map(str::to_owned))
                .range(format!("bytes={next}-{end}"))
                .set_if_match(etag.clone())
                .send()
                .await;
            let mut object = match got {
                Ok(object) => object,
                // The range begins at the object's end or beyond it.
                Err(refused) if refused.raw_response().is_some_and(|raw| raw.status().as_u16() == 416) => {
                    return Ok(read.freeze());
                }
                Err(refused) => return Err(error::of(format!("read {path}"), &refused)),
            };
            etag = etag.or(object.e_tag.take());
            let mut broken = false;
            while let Some(piece) = object.body.next().await {
                match piece {
                    Ok(piece) => read.extend_from_slice(&piece),
                    Err(_) => {
                        broken = true;
                        break;
                    }
                }
            }
            if !broken || from + read.len() as u64 > end {
                return Ok(read.freeze());
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("read {path}: its bytes broke off each time")))
    }
}
