//! How an object is written: at once where it is small, else in parts that appear together.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::mem;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use domain::BlobPath;
use ports::{BlobWriter, Blobs as _, Error, ErrorKind, PutExpect, Result};
use tracing::warn;

use super::Bucket;
use crate::error;

/// Bytes of one part: S3 wants at least 5 MiB of all but the last, and takes 10,000 parts, which
/// is 80 GB.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// How often a conditional write is repeated that S3 did not decide because of another at work.
const UNDECIDED_MAX: usize = 5;

/// What an object's metadata calls the writer that made it.
const WRITER: &str = "writer";

/// An object being written.
#[derive(Debug)]
pub(super) struct Writer {
    bucket: Bucket,
    path: BlobPath,
    expect: PutExpect,
    /// Names this writer alone, so that a write whose answer was lost can be told from another's.
    nonce: String,
    buffer: BytesMut,
    upload: Option<Upload>,
}

/// The call that makes a blob visible.
#[derive(Debug)]
enum Last {
    /// All of its bytes at once.
    Whole(Bytes),
    /// The parts that were sent.
    Parts(Upload),
}

/// Parts that were sent, and are nothing before they are completed.
#[derive(Clone, Debug)]
struct Upload {
    id: String,
    parts: Vec<CompletedPart>,
}

impl Writer {
    pub(super) fn new(bucket: Bucket, path: BlobPath, expect: PutExpect) -> Writer {
        // Each state is keyed anew by the machine's randomness.
        let nonce = || RandomState::new().build_hasher().finish();
        let nonce = format!("{:016x}{:016x}", nonce(), nonce());
        Writer { bucket, path, expect, nonce, buffer: BytesMut::new(), upload: None }
    }

    fn tried(&self) -> String {
        format!("write {}", self.path)
    }

    /// What S3 is to find at the key: nothing, or anything.
    fn if_none_match(&self) -> Option<String> {
        match self.expect {
            PutExpect::Absent => Some("*".to_owned()),
            PutExpect::Same => None,
        }
    }

    async fn begin(&mut self) -> Result<()> {
        let begun = self
            .bucket
            .client
            .create_multipart_upload()
            .bucket(&self.bucket.bucket)
            .key(self.path.as_str())
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata(WRITER, &self.nonce)
            .send()
            .await
            .map_err(|refused| error::of(self.tried(), &refused))?;
        let unnamed =
            || Error::new(ErrorKind::Unavailable, format!("{}: the upload was not named", self.tried()));
        self.upload = Some(Upload { id: begun.upload_id.ok_or_else(unnamed)?, parts: Vec::new() });
        Ok(())
    }

    async fn send_part(&mut self, bytes: Bytes) -> Result<()> {
        if self.upload.is_none() {
            self.begin().await?;
        }
        let tried = self.tried();
        let upload = self.upload.as_mut().expect("an upload was begun");
        let number = upload.parts.len() as i32 + 1;
        let sent = self
            .bucket
            .client
            .upload_part()
            .bucket(&self.bucket.bucket)
            .key(self.path.as_str())
            .upload_id(&upload.id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|refused| error::of(tried, &refused))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_sha256(sent.checksum_sha256)
            .build();
        upload.parts.push(part);
        Ok(())
    }

    async fn send(&self, last: &Last) -> Result<()> {
        match last {
            Last::Whole(bytes) => self.put(bytes.clone()).await,
            Last::Parts(upload) => self.complete(upload).await,
        }
    }

    async fn put(&self, bytes: Bytes) -> Result<()> {
        let sent = self
            .bucket
            .client
            .put_object()
            .bucket(&self.bucket.bucket)
            .key(self.path.as_str())
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_if_none_match(self.if_none_match())
            .metadata(WRITER, &self.nonce)
            .body(ByteStream::from(bytes))
            .send()
            .await;
        sent.map(drop).map_err(|refused| error::of(self.tried(), &refused))
    }

    async fn complete(&self, upload: &Upload) -> Result<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.clone())).build();
        let sent = self
            .bucket
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket.bucket)
            .key(self.path.as_str())
            .upload_id(&upload.id)
            .multipart_upload(parts)
            .set_if_none_match(self.if_none_match())
            .send()
            .await;
        sent.map(drop).map_err(|refused| error::of(self.tried(), &refused))
    }

    /// Whether what stands at the path was made by this writer: its answer was lost, and the
    /// repeat of the call found its own work.
    async fn is_ours(&self) -> Result<bool> {
        let key = self.path.as_str();
        let sent = self.bucket.client.head_object().bucket(&self.bucket.bucket).key(key).send().await;
        match sent {
            Ok(head) => Ok(head.metadata().and_then(|told| told.get(WRITER)) == Some(&self.nonce)),
            Err(refused) => match error::of(self.tried(), &refused) {
                error if error.kind() == ErrorKind::NotFound => Ok(false),
                error => Err(error),
            },
        }
    }

    /// Makes the last call, and settles what came of it.
    async fn settle(&self, last: &Last) -> Result<()> {
        let mut attempt = 0;
        loop {
            let Err(error) = self.send(last).await else { return Ok(()) };
            // A conflict may be with ourselves, and so may an upload that is gone.
            if !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) {
                return Err(error);
            }
            if self.is_ours().await? {
                return Ok(());
            }
            attempt += 1;
            let is_taken = self.expect == PutExpect::Absent && self.bucket.head(&self.path).await?.is_some();
            let is_decided = is_taken || error.kind() == ErrorKind::NotFound;
            if is_decided || attempt == UNDECIDED_MAX {
                return Err(error);
            }
        }
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while self.buffer.len() + bytes.len() > PART_BYTES {
            let (now, later) = bytes.split_at(PART_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(now);
            bytes = later;
            let part = mem::take(&mut self.buffer).freeze();
            self.send_part(part).await?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        let rest = mem::take(&mut self.buffer).freeze();
        if self.upload.is_some() {
            self.send_part(rest.clone()).await?;
        }
        let last = match &self.upload {
            Some(upload) => Last::Parts(upload.clone()),
            None => Last::Whole(rest),
        };
        self.settle(&last).await?;
        // Nothing is left to abort.
        self.upload = None;
        Ok(())
    }
}

impl Drop for Writer {
    /// Aborts what was not finished, as far as there is still time for it: in a function that is
    /// frozen first, the bucket's lifecycle rule does it.
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.upload.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (bucket, path) = (self.bucket.clone(), self.path.clone());
        runtime.spawn(async move {
            let abort = bucket.client.abort_multipart_upload();
            let sent = abort.bucket(&bucket.bucket).key(path.as_str()).upload_id(upload.id).send().await;
            if let Err(refused) = sent {
                let error = error::of(format!("abort writing {path}"), &refused);
                warn!(%error, "parts of an unfinished blob stay until the bucket's lifecycle rule removes them");
            }
        });
    }
}
