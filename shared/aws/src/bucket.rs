//! Files on AWS: the objects of one bucket of S3.

mod ahead;
mod read;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use domain::{BlobPath, limit};
use ports::{BlobInfo, BlobWriter, Blobs, Error, ErrorKind, PutExpect, Result};

use crate::error;
use ahead::{Ahead, Piece};
use writer::Writer;

/// Files in a bucket. Keys are the paths as they are.
///
/// A writer sends parts while it is written; what a crash leaves of them is invisible, and the
/// bucket's lifecycle rule removes it.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    bucket: String,
    ahead: Arc<Ahead>,
}

impl Bucket {
    /// The bucket of a name.
    pub fn new(client: Client, bucket: String) -> Bucket {
        Bucket { client, bucket, ahead: Arc::default() }
    }

    /// What stands at a path, or one version of what stood there.
    async fn look(&self, path: &BlobPath, version: Option<&str>) -> Result<Option<BlobInfo>> {
        let asked = self.client.head_object().bucket(&self.bucket).key(path.as_str());
        match asked.set_version_id(version.map(str::to_owned)).send().await {
            Ok(head) => {
                let bytes = head.content_length().and_then(|length| u64::try_from(length).ok());
                let unsaid =
                    || Error::new(ErrorKind::Unavailable, format!("look at {path}: its size is not told"));
                // While versioning is suspended, every write is the version "null", over the last.
                let version = head.version_id.filter(|version| version != "null");
                Ok(Some(BlobInfo { path: path.clone(), bytes: bytes.ok_or_else(unsaid)?, version }))
            }
            Err(refused) => match error::of(format!("look at {path}"), &refused) {
                error if error.kind() == ErrorKind::NotFound => Ok(None),
                error => Err(error),
            },
        }
    }
}

#[async_trait]
impl Blobs for Bucket {
    async fn head(&self, path: &BlobPath) -> Result<Option<BlobInfo>> {
        self.look(path, None).await
    }

    async fn range(&self, path: &BlobPath, from: u64, length: u64) -> Result<Bytes> {
        self.read(path, None, from, length).await
    }

    async fn range_of(&self, path: &BlobPath, version: &str, from: u64, length: u64) -> Result<Bytes> {
        let (path, version) = (path.clone(), version.to_owned());
        self.read_on(Piece { path, version, from, length }).await
    }

    async fn writer(&self, path: &BlobPath, expect: PutExpect) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(Writer::new(self.clone(), path.clone(), expect)))
    }

    async fn list(&self, prefix: &str, after: Option<&BlobPath>) -> Result<Vec<BlobInfo>> {
        let mut after = after.map(|path| path.as_str().to_owned());
        loop {
            let page = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_start_after(after)
                .max_keys(limit::PAGE_ROWS_MAX as i32)
                .send()
                .await
                .map_err(|refused| error::of(format!("list {prefix}"), &refused))?;
            // A key that is no path is none of ours: the folders of S3's console, say.
            let info = |object: &aws_sdk_s3::types::Object| {
                let path = BlobPath::parse(object.key()?).ok()?;
                // A listing names no versions.
                Some(BlobInfo { path, bytes: u64::try_from(object.size()?).ok()?, version: None })
            };
            let found: Vec<BlobInfo> = page.contents().iter().filter_map(info).collect();
            after = page.contents().last().and_then(|object| object.key()).map(str::to_owned);
            if !found.is_empty() || after.is_none() || page.is_truncated() != Some(true) {
                return Ok(found);
            }
        }
    }

    async fn delete(&self, path: &BlobPath) -> Result<()> {
        let sent = self.client.delete_object().bucket(&self.bucket).key(path.as_str()).send().await;
        match sent.map_err(|refused| error::of(format!("delete {path}"), &refused)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
