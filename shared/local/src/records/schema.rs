//! How the table stands in its file, and every statement about it.

use std::path::Path;

use ports::{Error, ErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use super::connections::Within;

/// Marks the file as ours (`Mill`), so that no other database is taken for one.
const APPLICATION: i64 = 0x4D69_6C6C;

/// The version of [`TABLES`]; a file of a newer one is refused.
const VERSION: i64 = 1;

/// Values are canonical JSON, so that anyone with a client of SQLite can read them and a digest
/// can be recomputed from the file alone.
///
/// The index knows the handled marks alone, by their time: a mark is `{"at":"<RFC 3339>"}`,
/// whose text sorts as its moment does.
const TABLES: &str = "
CREATE TABLE rows (
    partition TEXT NOT NULL,
    sort TEXT NOT NULL,
    version INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (partition, sort)
) STRICT, WITHOUT ROWID;
CREATE INDEX handled ON rows (value)
    WHERE partition >= 'pipeline/' AND partition < 'pipeline0' AND sort >= 'handled/' AND sort < 'handled0';
";

pub(super) const GET: &str = "SELECT version, value FROM rows WHERE partition = ?1 AND sort = ?2";

pub(super) const LIST_FROM: &str = "
SELECT version, value, sort FROM rows WHERE partition = ?1 AND sort >= ?2 ORDER BY sort LIMIT ?3";

pub(super) const LIST_AFTER: &str = "
SELECT version, value, sort FROM rows WHERE partition = ?1 AND sort > ?2 ORDER BY sort LIMIT ?3";

pub(super) const PUT: &str = "
INSERT INTO rows (partition, sort, version, value) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (partition, sort) DO UPDATE SET version = excluded.version, value = excluded.value";

pub(super) const REMOVE: &str = "DELETE FROM rows WHERE partition = ?1 AND sort = ?2";

pub(super) const FORGET: &str = "
DELETE FROM rows WHERE (partition, sort) IN (
    SELECT partition, sort FROM rows INDEXED BY handled
    WHERE partition >= 'pipeline/' AND partition < 'pipeline0' AND sort >= 'handled/' AND sort < 'handled0'
        AND value < ?1
    ORDER BY value LIMIT ?2)";

/// Makes the table in an empty file; refuses a file that is not ours, or that is newer.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Within<()> {
    // Whoever opens a file at the same time waits here, and finds the table made.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |query: &str| transaction.query_row(query, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let invalid = |why: String| {
        let what = format!("open the table {}: {why}", path.display());
        Err(Error::new(ErrorKind::Invalid, what).into())
    };
    if application == 0 && version == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        return Ok(());
    }
    if application != APPLICATION {
        return invalid("it is a database of another program".to_owned());
    }
    if version > VERSION {
        return invalid(format!(
            "it was written by a newer Millrace, in format {version}; this one knows formats up to {VERSION}"
        ));
    }
    if version < VERSION {
        return invalid(format!("it says format {version}, which no Millrace has written"));
    }
    Ok(())
}
