//! The table on one machine: a file of SQLite.

mod connections;
mod schema;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use domain::digest::canonical;
use domain::{Envelope, Key, PipelineName, Time, limit};
use ports::ledger::{self, Head, Mark};
use ports::{Commit, Committed, Error, ErrorKind, Expect, Page, Record, Records, Result, Version};
use rusqlite::{Connection, OptionalExtension, Row, params};

use connections::{Connections, Within};

/// What is told of each commit that sealed events: the pipeline, and the events in order.
pub type Listener = Arc<dyn Fn(&PipelineName, &[Envelope]) + Send + Sync>;

/// Handled marks removed in one transaction: commits wait for no more than these.
const FORGET_BATCH: usize = 500;

/// The table, in one file of SQLite (with `-wal` and `-shm` beside it while it is open).
///
/// An acknowledged commit survives a power cut. Reads never wait for a commit. Several
/// processes may have the file open; their commits take turns. A process that has it open must
/// not read or copy it as a plain file: closing that would drop SQLite's locks, on every Unix.
pub struct SqliteRecords {
    connections: Connections,
    listeners: RwLock<Vec<Listener>>,
}

impl SqliteRecords {
    /// Opens the table in a file, which is made where it is missing; its folder must be there.
    /// `Invalid`: the file is no table of Millrace, is damaged, or was written by a newer
    /// version.
    pub fn open(path: &Path) -> Result<SqliteRecords> {
        Ok(SqliteRecords { connections: Connections::open(path)?, listeners: RwLock::default() })
    }

    /// Reads the whole file and checks that it is put together as SQLite puts it together: in
    /// about the time it takes to read it. What the rows say is not looked at.
    ///
    /// # Errors
    /// `Invalid` where the file is damaged.
    pub fn check(&self) -> Result<()> {
        let tried = || format!("check the table {}", self.connections.path().display());
        let found = self.connections.read(tried, |connection| {
            Ok(connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?)
        })?;
        match found.as_str() {
            "ok" => Ok(()),
            wrong => Err(Error::new(ErrorKind::Invalid, format!("{}: it is damaged: {wrong}", tried()))),
        }
    }

    /// From now on, tells `listener` of each commit of this `SqliteRecords` that sealed events:
    /// after it is durable, on the thread that committed, before the commit is answered.
    /// That thread runs an executor, so a listener cannot `block_on` another.
    ///
    /// Commits that happen at once may be told in another order than that of the chain, and
    /// commits of other processes are not told: who must miss nothing reads the ledger.
    pub fn listen(&self, listener: Listener) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Removes the marks of commits handled more than [`limit::HANDLED_DAYS`] before `now`, in
    /// batches between which commits go on. Answers how many.
    pub fn forget_handled(&self, now: Time) -> Result<u64> {
        let oldest = canonical(&Mark { at: now.plus(-limit::HANDLED_DAYS * Time::DAY) });
        let mut forgotten = 0;
        loop {
            let removed = self.connections.write(
                || format!("forget what was handled before {now}"),
                |connection| Ok(connection.execute(schema::FORGET, params![oldest, FORGET_BATCH as i64])?),
            )?;
            forgotten += removed as u64;
            if removed < FORGET_BATCH {
                return Ok(forgotten);
            }
        }
    }

    fn tell(&self, pipeline: &PipelineName, events: &[Envelope]) {
        // The listeners are called without the lock, so that one of them may commit or listen.
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner).clone();
        for listener in &listeners {
            listener(pipeline, events);
        }
    }
}

impl std::fmt::Debug for SqliteRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteRecords").field("path", &self.connections.path()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Records for SqliteRecords {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let Key { partition, sort } = key;
        let found = self.connections.read(
            || format!("read {partition}/{sort}"),
            |connection| {
                let mut statement = connection.prepare(schema::GET)?;
                Ok(statement.query_row([partition, sort], stored).optional()?)
            },
        )?;
        found.map(|row| row.into_record(key.clone())).transpose()
    }

    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> Result<Page> {
        let (query, start) = match after {
            Some(after) if after >= prefix => (schema::LIST_AFTER, after),
            _ => (schema::LIST_FROM, prefix),
        };
        let most = limit::PAGE_ROWS_MAX;
        let rows = self.connections.read(
            || format!("list {partition}/{prefix}"),
            |connection| {
                let mut statement = connection.prepare(query)?;
                let mut rows = statement.query(params![partition, start, most as i64 + 1])?;
                let mut found: Vec<(String, Stored)> = Vec::new();
                while let Some(row) = rows.next()? {
                    let sort: String = row.get(2)?;
                    if !sort.starts_with(prefix) {
                        break;
                    }
                    found.push((sort, stored(row)?));
                }
                Ok(found)
            },
        )?;
        let more = rows.len() > most;
        let mut page = Page::default();
        for (sort, row) in rows.into_iter().take(most) {
            page.records.push(row.into_record(Key { partition: partition.to_owned(), sort })?);
        }
        if more {
            page.next = page.records.last().map(|record| record.key.sort.clone());
        }
        Ok(page)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed> {
        commit.check()?;
        let sealed = self
            .connections
            .write(|| format!("commit {}", commit.id), |connection| apply(connection, commit))?;
        let Some(events) = sealed else {
            return Ok(Committed::Before);
        };
        if !events.is_empty() {
            self.tell(&commit.pipeline, &events);
        }
        Ok(Committed::Now)
    }
}

/// A row's version and text, as they stand in the file.
struct Stored {
    version: Version,
    text: String,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let version: i64 = row.get(0)?;
    let version =
        Version::try_from(version).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, version))?;
    Ok(Stored { version, text: row.get(1)? })
}

impl Stored {
    fn into_record(self, key: Key) -> Result<Record> {
        let value = serde_json::from_str(&self.text).map_err(|error| {
            Error::new(ErrorKind::Invalid, format!("read {}/{}: not JSON", key.partition, key.sort))
                .because(error)
        })?;
        Ok(Record { key, version: self.version, value })
    }
}

/// Everything a commit does, within a transaction that has the file to itself. Answers the
/// sealed events; none where the id had been committed before.
fn apply(connection: &Connection, commit: &Commit) -> Within<Option<Vec<Envelope>>> {
    let pipeline = &commit.pipeline;
    let mark = ledger::handled_key(pipeline, &commit.id);
    if look(connection, &mark)?.is_some() {
        return Ok(None);
    }
    check_expectations(connection, commit)?;
    let head_key = ledger::head_key(pipeline);
    let head_row = look(connection, &head_key)?;
    let head: Option<Head> = match &head_row {
        Some(row) => Some(serde_json::from_str(&row.text).map_err(|error| {
            Error::new(ErrorKind::Invalid, format!("commit {}: the head of {pipeline}", commit.id))
                .because(error)
        })?),
        None => None,
    };
    let sealed = ledger::seal(head, commit);
    for write in &commit.writes {
        match &write.value {
            Some(value) => {
                let version = match write.expect {
                    Expect::Absent => 1,
                    Expect::Version(version) => version + 1,
                };
                put(connection, &write.key, version, &canonical(value))?;
            }
            None => {
                connection.execute(schema::REMOVE, [&write.key.partition, &write.key.sort])?;
            }
        }
    }
    for event in &sealed.events {
        let key = ledger::event_key(pipeline, event.sequence);
        // An event is never written over, also where the head was edited to say so.
        if look(connection, &key)?.is_some() {
            tracing::error!(invariant = "I-7", pipeline = %pipeline, sequence = event.sequence, "an event is already in the place of the one that is to come");
            let what = format!(
                "commit {}: the head of {pipeline} says that event {} is still to come, but it stands there: \
                 the ledger was edited",
                commit.id, event.sequence
            );
            return Err(Error::new(ErrorKind::Invalid, what).into());
        }
        put(connection, &key, 1, &canonical(event))?;
    }
    if let Some(head) = &sealed.head {
        let version = head_row.map_or(0, |row| row.version) + 1;
        put(connection, &head_key, version, &canonical(head))?;
    }
    put(connection, &mark, 1, &canonical(&Mark { at: commit.at }))?;
    Ok(Some(sealed.events))
}

fn look(connection: &Connection, key: &Key) -> Within<Option<Stored>> {
    let mut statement = connection.prepare(schema::GET)?;
    Ok(statement.query_row([&key.partition, &key.sort], stored).optional()?)
}

fn put(connection: &Connection, key: &Key, version: Version, text: &str) -> Within<()> {
    let version = i64::try_from(version).expect("a row does not change 2^63 times");
    connection.execute(schema::PUT, params![key.partition, key.sort, version, text])?;
    Ok(())
}

fn check_expectations(connection: &Connection, commit: &Commit) -> Within<()> {
    for write in &commit.writes {
        let found = look(connection, &write.key)?.map(|row| row.version);
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
            return Err(Error::new(ErrorKind::Conflict, what).into());
        }
    }
    Ok(())
}
