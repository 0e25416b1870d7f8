//! What is found in an upload, and the files that tell it.

use domain::digest::canonical;
use domain::key::prefix;
use domain::row::{Accepted, File};
use domain::{Digest, Key, PipelineName};
use engine::intake::Verdict;
use engine::report::DataReport;
use ports::{BlobsExt, ErrorKind, Fault, RecordsExt};

use crate::Ingest;
use crate::arrival::Arrival;
use crate::decide::{self, Finding, PartFiles};
use crate::read::{Reading, gone, place};
use crate::rows::{self, Terms};

/// An upload that was read, with every file about it written.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) content: Digest,
    pub(crate) bytes: u64,
    pub(crate) contract: Digest,
    /// Of content and contract.
    pub(crate) digest: Digest,
    pub(crate) rows_read: u64,
    pub(crate) rows_good: u64,
    pub(crate) rows_bad: u64,
    pub(crate) finding: Finding,
    pub(crate) report: Option<File>,
    pub(crate) report_json: Option<File>,
    pub(crate) quarantine: Option<File>,
}

pub(crate) fn accepted_key(pipeline: &PipelineName, digest: &Digest) -> Key {
    Key::named(pipeline, prefix::ACCEPTED, &digest.hex())
}

impl Ingest {
    /// Reads and judges an upload; none where its fate was recorded meanwhile.
    pub(crate) async fn judge(
        &self,
        pipeline: &PipelineName,
        arrival: &Arrival,
        terms: &Terms,
    ) -> Result<Option<Judged>, Fault> {
        if let Some(reason) = &arrival.refused {
            return self.refused(arrival, terms, reason).await.map(Some);
        }
        let Reading { outcome, part, quarantine } = self.read(pipeline, arrival, terms).await?;
        let digest = decide::part_digest(&outcome.content, &terms.contract_digest);
        // Reading may have taken minutes, in which another delivery may have ended.
        if rows::has_fate(&*self.records, pipeline, &arrival.upload).await? {
            return Ok(None);
        }
        let before = self.records.read::<Accepted>(&accepted_key(pipeline, &digest)).await?;
        let report = DataReport::of(&arrival.file, &terms.contract, &outcome);
        let html = self.keep(pipeline, arrival, terms, "report.html", &report.html()).await?;
        let json = self.keep(pipeline, arrival, terms, "report.json", &canonical(&report)).await?;
        // A part that is there already has its own quarantine.
        let quarantine = match &before {
            None if outcome.rows_bad > 0 => Some(quarantine.finish(&outcome.quarantine_tail).await?.0),
            _ => None,
        };
        let finding = match (before, outcome.verdict) {
            (Some(before), _) => Finding::Repeated(before.value.part),
            (None, Verdict::Rejected) => Finding::Bad(decide::sentence(&outcome.reasons)),
            (None, Verdict::Accepted) => {
                let (data, bytes) = part.finish(&outcome.part_tail).await?;
                let profile = canonical(&outcome.profile);
                let profile = self.keep(pipeline, arrival, terms, "profile.json", &profile).await?;
                Finding::Good(PartFiles { data, bytes, profile })
            }
        };
        Ok(Some(Judged {
            content: outcome.content,
            bytes: outcome.bytes,
            contract: terms.contract_digest,
            digest,
            rows_read: outcome.rows_read,
            rows_good: outcome.rows_good,
            rows_bad: outcome.rows_bad,
            finding,
            report: Some(html),
            report_json: Some(json),
            quarantine,
        }))
    }

    /// The judgement of an upload that is refused for what its key says: it is not read as a
    /// table, so there is no report.
    async fn refused(&self, arrival: &Arrival, terms: &Terms, reason: &str) -> Result<Judged, Fault> {
        let (bytes, content) = match self.incoming.digest_of(&arrival.path, arrival.version.as_deref()).await
        {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(gone(arrival)),
            Err(error) => return Err(error.into()),
        };
        Ok(Judged {
            content,
            bytes,
            contract: terms.contract_digest,
            digest: decide::part_digest(&content, &terms.contract_digest),
            rows_read: 0,
            rows_good: 0,
            rows_bad: 0,
            finding: Finding::Bad(decide::sentence(&[reason.to_owned()])),
            report: None,
            report_json: None,
            quarantine: None,
        })
    }

    async fn keep(
        &self,
        pipeline: &PipelineName,
        arrival: &Arrival,
        terms: &Terms,
        file: &str,
        text: &str,
    ) -> ports::Result<File> {
        self.blobs.put(&place(pipeline, arrival, terms, file), text.as_bytes()).await
    }
}
