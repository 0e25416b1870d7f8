//! The table behind everything: rows with versions, and commits that also write the ledger.
//!
//! Adapters: SQLite on one machine, memory in tests, DynamoDB on AWS.

use async_trait::async_trait;
use domain::{Draft, Key, PipelineName, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, ErrorKind, Result};

/// Counts the changes of one row, from 1.
pub type Version = u64;

/// A row as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where it stands.
    pub key: Key,
    /// Counts its changes.
    pub version: Version,
    /// What it says.
    pub value: Value,
}

/// Some rows of a listing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The rows, in order of their sort keys.
    pub records: Vec<Record>,
    /// The sort key to continue after; none at the end.
    pub next: Option<String>,
}

/// What must be so for a write to happen. There is deliberately no "any".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The row is not there.
    Absent,
    /// The row has not changed since it was read.
    Version(Version),
}

/// One row of a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Where.
    pub key: Key,
    /// Under what condition.
    pub expect: Expect,
    /// What the row will say; none removes it.
    pub value: Option<Value>,
}

impl Write {
    /// A new row.
    pub fn insert<T: Serialize>(key: Key, value: &T) -> Write {
        Write { key, expect: Expect::Absent, value: Some(json(value)) }
    }

    /// A row that has not changed since `version` was read.
    pub fn update<T: Serialize>(key: Key, version: Version, value: &T) -> Write {
        Write { key, expect: Expect::Version(version), value: Some(json(value)) }
    }

    /// A row that was read with `version`, or was not there.
    pub fn put<T: Serialize>(key: Key, version: Option<Version>, value: &T) -> Write {
        let expect = version.map_or(Expect::Absent, Expect::Version);
        Write { key, expect, value: Some(json(value)) }
    }

    /// Removes a row that has not changed since `version` was read.
    pub fn remove(key: Key, version: Version) -> Write {
        Write { key, expect: Expect::Version(version), value: None }
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("our rows serialise to JSON")
}

/// Everything one handling changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// Function and input: the handled mark.
    pub id: String,
    /// Whose chain the events go to.
    pub pipeline: PipelineName,
    /// When.
    pub at: Time,
    /// Rows. A fact row (see [`Key::is_fact`]) needs an event in the same commit and belongs to
    /// the pipeline's partition.
    pub writes: Vec<Write>,
    /// Events, in order.
    pub events: Vec<Draft>,
}

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Everything was written.
    Now,
    /// The same commit id had been committed before; nothing was written.
    Before,
}

/// The table.
#[async_trait]
pub trait Records: std::fmt::Debug + Send + Sync {
    /// Reads one row, strongly consistent: it sees every commit that was acknowledged.
    async fn get(&self, key: &Key) -> Result<Option<Record>>;

    /// Lists the rows of a partition whose sort keys begin with `prefix`, in order, after the
    /// sort key `after`; at most [`domain::limit::PAGE_ROWS_MAX`] a page.
    /// A row written between two pages may or may not be seen.
    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> Result<Page>;

    /// Applies every write, seals every event into the pipeline's chain and marks the id as
    /// handled, or changes nothing.
    ///
    /// A repeated id answers [`Committed::Before`], whatever else the commit says.
    /// `Conflict`: a condition does not hold. A conflict on the chain's head alone is retried
    /// within, without deciding again. `TooLarge`, `Invalid`: a limit or rule is broken, by name;
    /// nothing was looked up.
    async fn commit(&self, commit: &Commit) -> Result<Committed>;
}

/// A row with its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed<T> {
    /// Counts its changes.
    pub version: Version,
    /// What it says.
    pub value: T,
}

/// Comforts over [`Records`].
#[async_trait]
pub trait RecordsExt: Records {
    /// Reads a row of a type.
    async fn read<T: DeserializeOwned + Send>(&self, key: &Key) -> Result<Option<Typed<T>>> {
        match self.get(key).await? {
            Some(record) => Ok(Some(Typed { version: record.version, value: parse(record)? })),
            None => Ok(None),
        }
    }

    /// Reads a row that must be there.
    async fn need<T: DeserializeOwned + Send>(&self, key: &Key) -> Result<Typed<T>> {
        let missing =
            || Error::new(ErrorKind::NotFound, format!("read {}/{}: not there", key.partition, key.sort));
        self.read(key).await?.ok_or_else(missing)
    }

    /// All pipelines, in order of their names.
    async fn pipelines(&self) -> Result<Vec<PipelineName>> {
        let rows = self.all::<serde::de::IgnoredAny>(Key::PIPELINES, "").await?;
        Ok(rows.iter().filter_map(|(sort, _)| sort.parse().ok()).collect())
    }

    /// All rows of a type under a prefix, in order.
    async fn all<T: DeserializeOwned + Send>(
        &self,
        partition: &str,
        prefix: &str,
    ) -> Result<Vec<(String, Typed<T>)>> {
        let mut rows = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.list(partition, prefix, after.as_deref()).await?;
            for record in page.records {
                rows.push((
                    record.key.sort.clone(),
                    Typed { version: record.version, value: parse(record)? },
                ));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(rows),
            }
        }
    }
}

impl<R: Records + ?Sized> RecordsExt for R {}

fn parse<T: DeserializeOwned>(record: Record) -> Result<T> {
    let Record { key, value, .. } = record;
    serde_json::from_value(value).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("read {}/{}: not of its type", key.partition, key.sort))
            .because(error)
    })
}

impl Commit {
    /// Checks the rules every adapter enforces before it looks anything up: limits by name, no
    /// row twice, no fact without an event, no adapter's row.
    pub fn check(&self) -> Result<()> {
        use domain::limit;
        let subject = &self.id;
        let too_large =
            |what: String| Err(Error::new(ErrorKind::TooLarge, format!("commit {subject}: {what}")));
        // The handled mark, the head, and each event are actions too.
        let actions = self.writes.len() + self.events.len() + 2;
        if actions > limit::COMMIT_ACTIONS_MAX {
            return too_large(format!(
                "{actions} actions, at most {} (COMMIT_ACTIONS_MAX)",
                limit::COMMIT_ACTIONS_MAX
            ));
        }
        if self.events.len() > limit::COMMIT_EVENTS_MAX {
            return too_large(format!(
                "{} events, at most {} (COMMIT_EVENTS_MAX)",
                self.events.len(),
                limit::COMMIT_EVENTS_MAX
            ));
        }
        let mut total = 0;
        let mut seen = std::collections::BTreeSet::new();
        for write in &self.writes {
            let key = &write.key;
            let invalid = |what: &str| {
                Err(Error::new(
                    ErrorKind::Invalid,
                    format!("commit {subject}: {}/{}: {what}", key.partition, key.sort),
                ))
            };
            if !seen.insert(key) {
                return invalid("written twice");
            }
            if [domain::key::prefix::HEAD, domain::key::prefix::EVENT, domain::key::prefix::HANDLED]
                .iter()
                .any(|reserved| key.sort.starts_with(reserved) && key.partition != Key::PIPELINES)
            {
                return invalid("a row that only the adapter writes");
            }
            if key.is_fact() && self.events.is_empty() {
                return invalid("a fact without an event");
            }
            if key.is_fact() && key.partition != Key::partition(&self.pipeline) {
                return invalid("a fact of another chain");
            }
            let bytes = write.value.as_ref().map_or(0, |value| value.to_string().len());
            if bytes > limit::ROW_BYTES_MAX {
                return too_large(format!(
                    "{}: {bytes} bytes, at most {} (ROW_BYTES_MAX)",
                    key.sort,
                    limit::ROW_BYTES_MAX
                ));
            }
            total += bytes;
        }
        for draft in &self.events {
            let bytes = serde_json::to_string(&draft.event).map_or(0, |text| text.len());
            if bytes > limit::EVENT_BYTES_MAX {
                let kind = draft.event.kind();
                return too_large(format!(
                    "{kind}: {bytes} bytes, at most {} (EVENT_BYTES_MAX)",
                    limit::EVENT_BYTES_MAX
                ));
            }
            total += bytes;
        }
        if total > limit::COMMIT_BYTES_MAX {
            return too_large(format!(
                "{total} bytes of rows and events, at most {} (COMMIT_BYTES_MAX)",
                limit::COMMIT_BYTES_MAX
            ));
        }
        Ok(())
    }
}
