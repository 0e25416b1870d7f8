//! Which rows an ingest reads, and under which terms an upload is held against its contract.

use std::sync::Arc;

use domain::key::prefix;
use domain::row::Applied;
use domain::{Digest, Key, PipelineName, limit};
use engine::contract::Contract;
use engine::intake::SplitKey;
use ports::{BlobsExt, Fault, Records, RecordsExt, Result};

use crate::Ingest;

/// What decides, beside an upload's bytes, what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) contract: Arc<Contract>,
    pub(crate) contract_digest: Digest,
    pub(crate) split: SplitKey,
}

impl Terms {
    /// Names the terms, with the version that is held against them. Files stand under it, so that
    /// of two handlings of one upload with a change of the contract or of the object in between,
    /// neither writes over what the other has recorded.
    pub(crate) fn id(&self, version: Option<&str>) -> String {
        let contract = self.contract_digest.hex();
        let mut parts = vec![contract.as_str(), self.split.salt.as_str()];
        parts.extend(self.split.entity.iter().map(String::as_str));
        parts.extend(version);
        Digest::of_parts(&parts).short()
    }
}

impl Ingest {
    /// The terms that are applied now; none where there is no such pipeline.
    pub(crate) async fn terms(&self, pipeline: &PipelineName) -> std::result::Result<Option<Terms>, Fault> {
        let key = Key::of(pipeline, prefix::PIPELINE);
        let Some(applied) = self.records.read::<Applied>(&key).await? else { return Ok(None) };
        let Applied { revision, spec, contract, .. } = applied.value;
        let broken = |why: String| {
            Fault::Reject(format!(
                "read the contract of {pipeline}, revision {revision}: {why}; apply it again"
            ))
        };
        let bytes = self.blobs.small(&contract.path, limit::CONFIG_BYTES_MAX).await?;
        if Digest::of(&bytes) != contract.digest {
            return Err(broken(format!("{} has other bytes than were applied", contract.path)));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| broken(error.to_string()))?;
        let contract_digest = contract.digest;
        let contract = Contract::parse(&spec.contract, text).map_err(|problems| {
            broken(problems.first().map_or_else(|| "it is empty".into(), ToString::to_string))
        })?;
        let split = SplitKey { salt: spec.salt().to_owned(), entity: spec.entity };
        Ok(Some(Terms { contract: Arc::new(contract), contract_digest, split }))
    }
}

pub(crate) fn upload_key(pipeline: &PipelineName, upload: &str) -> Key {
    Key::named(pipeline, prefix::UPLOAD, upload)
}

/// Whether an upload's fate is recorded.
pub(crate) async fn has_fate(records: &dyn Records, pipeline: &PipelineName, upload: &str) -> Result<bool> {
    Ok(records.get(&upload_key(pipeline, upload)).await?.is_some())
}
