//! The table in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::key::prefix;
use domain::{Envelope, Key, limit};
use ports::ledger::{self, Mark};
use ports::{Commit, Committed, Error, ErrorKind, Expect, Page, Record, Records, Result, Version};
use serde::Serialize;
use serde_json::Value;

use super::lock;

/// Rows in a sorted map. Values are kept as text, as in every real table, so that a value that
/// does not survive being written and read is found here already.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    rows: Mutex<Rows>,
}

type Rows = BTreeMap<Key, Row>;

#[derive(Clone, Debug)]
struct Row {
    version: Version,
    text: String,
}

impl MemoryRecords {
    /// A copy with a life of its own.
    pub fn fork(&self) -> MemoryRecords {
        MemoryRecords { rows: Mutex::new(lock(&self.rows).clone()) }
    }

    /// Every row with its version and canonical text, apart from the handled marks: equal dumps
    /// mean that nothing has changed.
    pub fn dump(&self) -> BTreeMap<Key, (Version, String)> {
        let unmarked = |key: &Key| !key.sort.starts_with(prefix::HANDLED);
        let rows = lock(&self.rows);
        rows.iter()
            .filter(|(key, _)| unmarked(key))
            .map(|(key, row)| (key.clone(), (row.version, row.text.clone())))
            .collect()
    }

    /// Commits, and answers the events as they were sealed; none where the id was committed before.
    ///
    /// # Errors
    /// Those of [`Records::commit`].
    pub fn commit_sealed(&self, commit: &Commit) -> Result<Option<Vec<Envelope>>> {
        commit.check()?;
        let pipeline = &commit.pipeline;
        let mut rows = lock(&self.rows);
        let mark = ledger::handled_key(pipeline, &commit.id);
        if rows.contains_key(&mark) {
            return Ok(None);
        }
        check_expectations(&rows, commit)?;
        let head_key = ledger::head_key(pipeline);
        let head = match rows.get(&head_key) {
            Some(row) => Some(serde_json::from_str(&row.text).map_err(|error| {
                Error::new(ErrorKind::Invalid, format!("commit {}: the head of {pipeline}", commit.id))
                    .because(error)
            })?),
            None => None,
        };
        let sealed = ledger::seal(head, commit);
        // Nothing below can fail: from here on everything is written.
        for write in &commit.writes {
            match &write.value {
                Some(value) => put(&mut rows, write.key.clone(), value),
                None => {
                    rows.remove(&write.key);
                }
            }
        }
        for event in &sealed.events {
            put(&mut rows, ledger::event_key(pipeline, event.sequence), event);
        }
        if let Some(head) = &sealed.head {
            put(&mut rows, head_key, head);
        }
        put(&mut rows, mark, &Mark { at: commit.at });
        Ok(Some(sealed.events))
    }

    /// Shows every row's key and text, in order, without copying them.
    pub fn each(&self, mut look: impl FnMut(&Key, &str)) {
        lock(&self.rows).iter().for_each(|(key, row)| look(key, &row.text));
    }

    /// Changes a row behind the ledger's back, as someone with a database client would: no
    /// condition, no event, no version. None removes the row.
    pub fn tamper(&self, key: &Key, value: Option<Value>) {
        let mut rows = lock(&self.rows);
        match value {
            Some(value) => {
                let version = rows.get(key).map_or(1, |row| row.version);
                rows.insert(key.clone(), Row { version, text: value.to_string() });
            }
            None => {
                rows.remove(key);
            }
        }
    }
}

fn record(key: &Key, row: &Row) -> Result<Record> {
    let value = serde_json::from_str(&row.text).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("read {}/{}: not JSON", key.partition, key.sort))
            .because(error)
    })?;
    Ok(Record { key: key.clone(), version: row.version, value })
}

fn put<T: Serialize>(rows: &mut Rows, key: Key, value: &T) {
    let version = rows.get(&key).map_or(0, |row| row.version) + 1;
    rows.insert(key, Row { version, text: domain::digest::canonical(value) });
}

fn check_expectations(rows: &Rows, commit: &Commit) -> Result<()> {
    for write in &commit.writes {
        let found = rows.get(&write.key).map(|row| row.version);
        let expected = match write.expect {
            Expect::Absent => None,
            Expect::Version(version) => Some(version),
        };
        if found != expected {
            let Key { partition, sort } = &write.key;
            let name = |version: Option<Version>| {
                version.map_or_else(|| "no row".to_owned(), |version| format!("version {version}"))
            };
            let what = format!(
                "commit {}: {partition}/{sort}: expected {}, found {}",
                commit.id,
                name(expected),
                name(found)
            );
            return Err(Error::new(ErrorKind::Conflict, what));
        }
    }
    Ok(())
}

#[async_trait]
impl Records for MemoryRecords {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let rows = lock(&self.rows);
        rows.get(key).map(|row| record(key, row)).transpose()
    }

    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> Result<Page> {
        let at = |sort: &str| Key { partition: partition.to_owned(), sort: sort.to_owned() };
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(at(after)),
            _ => Bound::Included(at(prefix)),
        };
        let rows = lock(&self.rows);
        let mut found = rows
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| key.partition == partition && key.sort.starts_with(prefix));
        let mut page = Page::default();
        for (key, row) in found.by_ref().take(limit::PAGE_ROWS_MAX) {
            page.records.push(record(key, row)?);
        }
        if found.next().is_some() {
            page.next = page.records.last().map(|record| record.key.sort.clone());
        }
        Ok(page)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed> {
        let sealed = self.commit_sealed(commit)?;
        Ok(if sealed.is_some() { Committed::Now } else { Committed::Before })
    }
}
