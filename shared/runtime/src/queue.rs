//! The durable queue: which event is still to be handled by which function, and what was given up.
//!
//! It stands for what EventBridge and Lambda's asynchronous invocation keep on AWS: an accepted
//! event is delivered at least once, retried, and put aside as a dead letter in the end. Nothing
//! is removed before its handling succeeded.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ports::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde_json::Value;

/// One event on its way to one function.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its number: deliveries are handed out in this order.
    pub id: i64,
    /// The function's name.
    pub function: String,
    /// The event as EventBridge shapes it.
    pub event: Value,
    /// How often it was tried and failed.
    pub attempts: u32,
}

/// A delivery that was given up, kept until a person redrives it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// The function's name.
    pub function: String,
    /// When it was given up, in milliseconds of the machine's clock.
    pub at_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: String,
    /// The event as EventBridge shapes it.
    pub event: Value,
}

/// How many deliveries there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting or being handled.
    pub waiting: u64,
    /// Given up.
    pub dead: u64,
}

/// The queue, in a SQLite file of its own.
#[derive(Debug)]
pub struct Queue {
    connection: Mutex<Connection>,
}

/// Increase it with every change of the tables, and migrate.
const SCHEMA: i64 = 1;

const TABLES: &str = "
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    function TEXT NOT NULL,
    subject TEXT NOT NULL,
    event TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER NOT NULL,
    dead_ms INTEGER,
    error TEXT
);
CREATE INDEX deliveries_ready ON deliveries (dead_ms, due_ms, id);
CREATE INDEX deliveries_subject ON deliveries (function, subject);
";

/// What is ready for one function is found without looking at what waits for another. A queue of
/// an earlier release gets it when it is opened; without it everything works as well, but slower.
const WAITING: &str = "
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (function, id) WHERE dead_ms IS NULL;
";

impl Queue {
    /// Opens the queue, making it where there is none.
    ///
    /// # Errors
    /// `Invalid` where the file is no queue, or of a later release.
    pub fn open(path: &Path) -> Result<Queue> {
        let failed = |error: rusqlite::Error| failed(&format!("open {}", path.display()), error);
        let connection = Connection::open(path).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(failed)?;
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        match version {
            0 => {
                let tables = format!("BEGIN; {TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;");
                connection.execute_batch(&tables).map_err(failed)?;
            }
            SCHEMA => {}
            later => {
                let what = format!(
                    "open {}: written by a later release (schema {later}, this one knows {SCHEMA})",
                    path.display()
                );
                return Err(Error::new(ErrorKind::Invalid, what));
            }
        }
        connection.execute_batch(WAITING).map_err(failed)?;
        // What waited for its time is due at a start: the clock may have been moved meanwhile, and
        // a time that is far off now would be waited for.
        connection.execute("UPDATE deliveries SET due_ms = 0 WHERE due_ms > 0", []).map_err(failed)?;
        Ok(Queue { connection: Mutex::new(connection) })
    }

    /// Whether a queue's file can be read to its end; also where there is none yet.
    ///
    /// # Errors
    /// Where nothing can be told: the file may not be opened, say.
    pub fn is_whole(path: &Path) -> Result<bool> {
        let check = || -> rusqlite::Result<bool> {
            let answer = Connection::open(path)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
            answer.map(|answer: String| answer == "ok")
        };
        let tried = format!("check {}", path.display());
        match check().map_err(|error| failed(&tried, error)) {
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(false),
            answer => answer,
        }
    }

    /// Adds an event for some functions, all or none. Where `once` names a subject, a function
    /// for which an event of that subject already waits does not get another: ticks do not pile
    /// up. Answers how many deliveries were added.
    pub fn push(&self, event: &Value, functions: &[&str], once: Option<&str>, due_ms: i64) -> Result<usize> {
        let mut connection = self.lock();
        let failed = |error| failed("queue an event", error);
        let transaction = connection.transaction().map_err(failed)?;
        let text = event.to_string();
        let mut added = 0;
        for function in functions {
            if let Some(subject) = once {
                let waiting: Option<i64> = transaction
                    .prepare(
                        "SELECT id FROM deliveries WHERE function = ? AND subject = ? AND dead_ms IS NULL LIMIT 1",
                    )
                    .and_then(|mut query| query.query_row(params![function, subject], |row| row.get(0)).optional())
                    .map_err(failed)?;
                if waiting.is_some() {
                    continue;
                }
            }
            transaction
                .prepare("INSERT INTO deliveries (function, subject, event, due_ms) VALUES (?, ?, ?, ?)")
                .and_then(|mut insert| {
                    insert.execute(params![function, once.unwrap_or_default(), text, due_ms])
                })
                .map_err(failed)?;
            added += 1;
        }
        transaction.commit().map_err(failed)?;
        Ok(added)
    }

    /// The functions for which something waits, due or not.
    pub fn functions(&self) -> Result<Vec<String>> {
        let connection = self.lock();
        let failed = |error| failed("read the queue", error);
        let mut query = connection
            .prepare("SELECT DISTINCT function FROM deliveries WHERE dead_ms IS NULL")
            .map_err(failed)?;
        let functions = query.query_map([], |row| row.get(0)).map_err(failed)?;
        functions.collect::<std::result::Result<_, _>>().map_err(failed)
    }

    /// Deliveries to one function that are due and not among `taken`, oldest first, at most `most`.
    pub fn ready(
        &self,
        function: &str,
        now_ms: i64,
        most: usize,
        taken: &dyn Fn(i64) -> bool,
    ) -> Result<Vec<Delivery>> {
        let connection = self.lock();
        let failed = |error| failed("read the queue", error);
        let mut query = connection
            .prepare(
                "SELECT id, function, event, attempts FROM deliveries \
                 WHERE function = ? AND dead_ms IS NULL AND due_ms <= ? ORDER BY id",
            )
            .map_err(failed)?;
        let mut rows = query.query(params![function, now_ms]).map_err(failed)?;
        let mut ready = Vec::new();
        while ready.len() < most
            && let Some(row) = rows.next().map_err(failed)?
        {
            let id: i64 = row.get(0).map_err(failed)?;
            if taken(id) {
                continue;
            }
            let text: String = row.get(2).map_err(failed)?;
            ready.push(Delivery {
                id,
                function: row.get(1).map_err(failed)?,
                event: json(&text),
                attempts: row.get(3).map_err(failed)?,
            });
        }
        Ok(ready)
    }

    /// When the next delivery after `now_ms` is due; none where nothing waits for its time.
    pub fn next_due(&self, now_ms: i64) -> Result<Option<i64>> {
        let query = "SELECT min(due_ms) FROM deliveries WHERE dead_ms IS NULL AND due_ms > ?";
        self.lock()
            .query_row(query, params![now_ms], |row| row.get(0))
            .map_err(|e| failed("read the queue", e))
    }

    /// A delivery was handled: it is removed.
    pub fn handled(&self, id: i64) -> Result<()> {
        self.execute("DELETE FROM deliveries WHERE id = ?", params![id]).map(|_| ())
    }

    /// A delivery failed and is to be tried again.
    pub fn again(&self, id: i64, due_ms: i64, error: &str) -> Result<()> {
        let text = "UPDATE deliveries SET attempts = attempts + 1, due_ms = ?, error = ? WHERE id = ?";
        self.execute(text, params![due_ms, error, id]).map(|_| ())
    }

    /// A delivery is given up.
    pub fn give_up(&self, id: i64, at_ms: i64, error: &str) -> Result<()> {
        let text = "UPDATE deliveries SET attempts = attempts + 1, dead_ms = ?, error = ? WHERE id = ?";
        self.execute(text, params![at_ms, error, id]).map(|_| ())
    }

    /// What was given up, oldest first, at most `limit`.
    pub fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        let connection = self.lock();
        let failed = |error| failed("read the dead letters", error);
        let mut query = connection
            .prepare(
                "SELECT id, function, dead_ms, attempts, error, event FROM deliveries \
                 WHERE dead_ms IS NOT NULL ORDER BY id LIMIT ?",
            )
            .map_err(failed)?;
        let letters = query
            .query_map(params![limit as i64], |row| {
                let event: String = row.get(5)?;
                Ok(DeadLetter {
                    id: row.get(0)?,
                    function: row.get(1)?,
                    at_ms: row.get(2)?,
                    attempts: row.get(3)?,
                    error: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
                    event: json(&event),
                })
            })
            .map_err(failed)?;
        letters.collect::<std::result::Result<_, _>>().map_err(failed)
    }

    /// Delivers what was given up once more, to its one function: one letter, or all of them.
    /// Answers how many.
    pub fn redrive(&self, id: Option<i64>) -> Result<u64> {
        let text = "UPDATE deliveries SET dead_ms = NULL, attempts = 0, due_ms = 0 \
                    WHERE dead_ms IS NOT NULL AND (?1 IS NULL OR id = ?1)";
        self.execute(text, params![id]).map(|changed| changed as u64)
    }

    /// How many deliveries there are.
    pub fn depth(&self) -> Result<Depth> {
        let count = |row: &rusqlite::Row<'_>, place| row.get(place).map(|count: i64| count.unsigned_abs());
        let query = "SELECT count(*) FILTER (WHERE dead_ms IS NULL), count(*) FILTER (WHERE dead_ms IS NOT NULL) \
                     FROM deliveries";
        self.lock()
            .query_row(query, [], |row| Ok(Depth { waiting: count(row, 0)?, dead: count(row, 1)? }))
            .map_err(|error| failed("read the queue", error))
    }

    fn execute(&self, text: &str, values: impl rusqlite::Params) -> Result<usize> {
        let connection = self.lock();
        let changed = connection.prepare(text).and_then(|mut statement| statement.execute(values));
        changed.map_err(|error| failed("write the queue", error))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was written here as JSON.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn failed(tried: &str, error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => ErrorKind::Throttled,
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, tried).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn queue() -> (tempfile::TempDir, Queue) {
        let place = tempfile::tempdir().unwrap();
        let queue = Queue::open(&place.path().join("queue.db")).unwrap();
        (place, queue)
    }

    fn ready(queue: &Queue, now_ms: i64) -> Vec<(i64, String)> {
        let of = |function: String| queue.ready(&function, now_ms, 9, &|_| false).unwrap();
        let ready = queue.functions().unwrap().into_iter().flat_map(of);
        let mut ready: Vec<_> = ready.map(|delivery| (delivery.id, delivery.function)).collect();
        ready.sort();
        ready
    }

    #[test]
    fn what_was_pushed_is_there_after_reopening_until_it_was_handled() {
        let (place, queue) = queue();
        queue.push(&json!({"n": 1}), &["train", "notify"], None, 0).unwrap();
        drop(queue);
        let queue = Queue::open(&place.path().join("queue.db")).unwrap();
        assert_eq!(ready(&queue, 0), [(1, "train".into()), (2, "notify".into())]);
        queue.handled(1).unwrap();
        assert_eq!(ready(&queue, 0), [(2, "notify".into())]);
        assert_eq!(queue.ready("notify", 0, 1, &|_| false).unwrap()[0].event, json!({"n": 1}));
        assert_eq!(queue.ready("notify", 0, 1, &|id| id == 2).unwrap(), []);
    }

    #[test]
    fn a_delivery_to_be_tried_again_waits_for_its_time() {
        let (_place, queue) = queue();
        queue.push(&json!({}), &["train"], None, 0).unwrap();
        queue.again(1, 500, "throttled").unwrap();
        assert_eq!(ready(&queue, 499), []);
        assert_eq!(queue.next_due(499).unwrap(), Some(500));
        assert_eq!(queue.ready("train", 500, 1, &|_| false).unwrap()[0].attempts, 1);
        assert_eq!(queue.next_due(500).unwrap(), None);
    }

    #[test]
    fn dead_letters_are_kept_and_redriven_to_their_one_function() {
        let (_place, queue) = queue();
        queue.push(&json!({"n": 1}), &["train", "notify"], None, 0).unwrap();
        queue.give_up(1, 77, "no such pipeline").unwrap();
        assert_eq!(ready(&queue, 99), [(2, "notify".into())]);
        let dead = queue.dead(10).unwrap();
        assert_eq!((dead[0].id, dead[0].at_ms, dead[0].attempts), (1, 77, 1));
        assert_eq!(dead[0].error, "no such pipeline");
        assert_eq!(queue.depth().unwrap(), Depth { waiting: 1, dead: 1 });
        assert_eq!(queue.redrive(Some(9)).unwrap(), 0);
        assert_eq!(queue.redrive(None).unwrap(), 1);
        assert_eq!(ready(&queue, 99), [(1, "train".into()), (2, "notify".into())]);
        assert_eq!(queue.ready("train", 99, 1, &|_| false).unwrap()[0].attempts, 0);
    }

    #[test]
    fn however_much_waits_for_one_function_another_is_served() {
        let (_place, queue) = queue();
        for number in 0..600 {
            queue.push(&json!({ "n": number }), &["ingest"], None, 0).unwrap();
        }
        queue.push(&json!({}), &["notify"], None, 0).unwrap();
        assert_eq!(queue.functions().unwrap(), ["ingest", "notify"]);
        let ids = |function: &str, taken: &dyn Fn(i64) -> bool| -> Vec<i64> {
            queue.ready(function, 0, 2, taken).unwrap().into_iter().map(|delivery| delivery.id).collect()
        };
        assert_eq!(ids("ingest", &|_| false), [1, 2]);
        assert_eq!(ids("ingest", &|id| id == 1), [2, 3]);
        assert_eq!(ids("notify", &|_| false), [601]);
    }

    #[test]
    fn ticks_do_not_pile_up() {
        let (_place, queue) = queue();
        for _ in 0..3 {
            queue.push(&json!({}), &["train"], Some("Tick"), 0).unwrap();
        }
        queue.push(&json!({}), &["train"], None, 0).unwrap();
        assert_eq!(ready(&queue, 0).len(), 2);
        queue.handled(1).unwrap();
        queue.push(&json!({}), &["train"], Some("Tick"), 0).unwrap();
        assert_eq!(ready(&queue, 0).len(), 2);
    }

    #[test]
    fn a_file_of_a_later_release_is_refused_by_name() {
        let (place, queue) = queue();
        queue.lock().pragma_update(None, "user_version", 9).unwrap();
        drop(queue);
        let error = Queue::open(&place.path().join("queue.db")).unwrap_err();
        assert!(error.to_string().contains("schema 9"), "{error}");
    }
}
