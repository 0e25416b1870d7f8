//! Who may use the file when: one writer, and as many readers as read at once.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use ports::{Error, ErrorKind, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::schema;
use crate::lock;

/// How long a commit waits for one of another process: longer than a commit with its
/// checkpoint takes, and well within what a handler is given.
const BUSY: Duration = Duration::from_secs(10);

/// Readers kept open between reads: more may read at once, but then open the file anew.
const IDLE_READERS_MAX: usize = 8;

/// Attempts to turn a new file to write-ahead logging: that alone does not wait for others.
const JOURNAL_ATTEMPTS_MAX: usize = 100;

/// The connections to one file.
pub(super) struct Connections {
    path: PathBuf,
    // Readers come first, so that they are closed first: whoever closes last tidies the file
    // up, and only the writer can.
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Connection>,
}

/// What something within a transaction answers.
pub(super) type Within<T> = std::result::Result<T, Stop>;

/// Why something within a transaction went no further.
pub(super) enum Stop {
    /// SQLite would not; what was being done is added by whoever knows.
    Sql(rusqlite::Error),
    /// It is told already.
    Told(Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Stop {
        Stop::Sql(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Told(error)
    }
}

impl Stop {
    fn tell(self, tried: impl FnOnce() -> String) -> Error {
        match self {
            Stop::Told(error) => error,
            Stop::Sql(error) => Error::new(kind(&error), tried()).because(error),
        }
    }
}

/// What a caller can do about a refusal of SQLite.
fn kind(error: &rusqlite::Error) -> ErrorKind {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Throttled,
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed,
        ) => ErrorKind::Unavailable,
        Some(ErrorCode::TooBig) => ErrorKind::TooLarge,
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => ErrorKind::Denied,
        // A damaged file, one that is no database, a value of another type than was written.
        _ => ErrorKind::Invalid,
    }
}

impl Connections {
    pub(super) fn open(path: &Path) -> Result<Connections> {
        let tried = || format!("open the table {}", path.display());
        // An absolute path cannot be one of SQLite's special names, such as `:memory:`.
        let path = std::path::absolute(path).map_err(|error| crate::fault::system(tried(), error))?;
        let writer = open_writer(&path).map_err(|stop| stop.tell(tried))?;
        Ok(Connections { path, readers: Mutex::default(), writer: Mutex::new(writer) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what was committed last.
    pub(super) fn read<T>(
        &self,
        tried: impl FnOnce() -> String,
        read: impl FnOnce(&Connection) -> Within<T>,
    ) -> Result<T> {
        let idle = lock(&self.readers).pop();
        let reader = match idle {
            Some(reader) => Ok(reader),
            None => open_reader(&self.path),
        };
        let answer = reader.map_err(Stop::Sql).and_then(|reader| {
            let answer = read(&reader)?;
            let mut idle = lock(&self.readers);
            if idle.len() < IDLE_READERS_MAX {
                idle.push(reader);
            }
            Ok(answer)
        });
        answer.map_err(|stop| stop.tell(tried))
    }

    /// Writes within a transaction that begins when no other writes, and leaves nothing where
    /// `write` fails.
    pub(super) fn write<T>(
        &self,
        tried: impl FnOnce() -> String,
        write: impl FnOnce(&Connection) -> Within<T>,
    ) -> Result<T> {
        let mut writer = lock(&self.writer);
        let within = || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = write(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        within().map_err(|stop: Stop| stop.tell(tried))
    }
}

fn open_writer(path: &Path) -> Within<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // Before anything is changed: a file that is not ours is left as it is.
    schema::prepare(&mut connection, path)?;
    log_ahead(&connection)?;
    // The log is synced at every commit: an acknowledged one survives a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // macOS keeps what was synced in the disk's own memory, unless it is asked for more.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    Ok(connection)
}

/// With a write-ahead log, readers and the writer do not wait for each other.
fn log_ahead(connection: &Connection) -> Within<()> {
    let mut attempt = 0;
    loop {
        let turned = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        attempt += 1;
        match turned {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let what = format!("keeps a journal of kind {mode}, where a write-ahead log is needed");
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!("open the table: its file system {what}"),
                )
                .into());
            }
            Err(error) if kind(&error) == ErrorKind::Throttled && attempt < JOURNAL_ATTEMPTS_MAX => {
                std::thread::yield_now();
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}
