//! What a start does where a data directory is damaged: it goes on from the ledger where it can,
//! and says exactly what is wrong where it cannot.

use std::fs;
use std::path::{Path, PathBuf};

use domain::{Envelope, PipelineName};
use futures::executor::block_on;
use local::{Clock, SqliteRecords};
use ports::ledger::{self, Head};
use ports::{Cx, RecordsExt as _};
use runtime::Queue;

use crate::files;
use crate::output::{Error, error};

/// Damaged queues that are kept beside each other; who meets more has a disk to replace.
const DAMAGED_MAX: usize = 100;

/// Its being there says that what the queue held is to be said again.
const TO_SAY_AGAIN: &str = "queue.lost";

/// Whether the queue holds what it held when the machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It does.
    All,
    /// It begins anew: everything is to be said again.
    Nothing,
}

/// Opens the ledger. Nothing can stand in for it, so a damaged one is refused.
pub(crate) fn ledger(data: &Path) -> Result<SqliteRecords, Error> {
    let path = data.join("ledger.db");
    let opened = SqliteRecords::open(&path).and_then(|records| records.check().map(|()| records));
    opened.or_else(|why| match why.kind() {
        ports::ErrorKind::Invalid => error(format!(
            "{why}\n{} is the record of everything and nothing can stand in for it, so it is left as it is. \
             Put a copy of it in its place, with the files ledger.db-wal and ledger.db-shm as they were copied with \
             it, or without them where there were none; then start again, and see `millrace audit verify`",
            path.display()
        )),
        _ => error(format!("{why}; see whether its disk is full, or broken")),
    })
}

/// Opens the queue, a new one where it is lost or damaged; a damaged one is kept beside it.
pub(crate) fn queue(data: &Path, is_new: bool) -> Result<(Queue, Held), Error> {
    let path = data.join("queue.db");
    let is_damaged = path.exists() && !Queue::is_whole(&path)?;
    let is_lost = is_damaged || (!path.exists() && !is_new);
    if is_lost {
        // Written first, so that a start that dies before all was said is made up for by the next.
        files::write(&data.join(TO_SAY_AGAIN), b"the queue was lost: all is to be said again\n")?;
    }
    if is_damaged {
        let aside = set_aside(data)?;
        let (path, aside) = (path.display(), aside.display());
        tracing::warn!("{path} is damaged and begins anew; the damaged one is kept as {aside}");
    }
    let held = if data.join(TO_SAY_AGAIN).exists() { Held::Nothing } else { Held::All };
    Ok((Queue::open(&path)?, held))
}

/// All was said again.
pub(crate) fn said_again(data: &Path) -> Result<(), Error> {
    let path = data.join(TO_SAY_AGAIN);
    fs::remove_file(&path).map_err(|why| format!("remove {}: {why}", path.display()).into())
}

/// Moves a damaged queue out of the way, with the files that SQLite keeps beside it.
fn set_aside(data: &Path) -> Result<PathBuf, Error> {
    let name = |number: usize| format!("queue.db.damaged-{number}");
    let Some(free) = (1..=DAMAGED_MAX).map(name).find(|name| !data.join(name).exists()) else {
        return error(format!("{}: {DAMAGED_MAX} damaged queues are kept there already", data.display()));
    };
    for ending in ["-wal", "-shm", ""] {
        let (from, to) = (data.join(format!("queue.db{ending}")), data.join(format!("{free}{ending}")));
        if from.exists() {
            fs::rename(&from, &to).map_err(|why| format!("move {}: {why}", from.display()))?;
        }
    }
    Ok(data.join(free))
}

/// Lets the relay publish again what a lost queue was given. Answers how many events those are.
pub(crate) fn say_again(records: &SqliteRecords, clock: &Clock) -> Result<u64, Error> {
    let now = clock.now();
    let cx = Cx { now, deadline: now, trace: None, clock: clock.kind() };
    let mut events = 0;
    for pipeline in block_on(records.pipelines())? {
        events += block_on(relay::rewind::rewind(records, &cx, &pipeline))?;
    }
    Ok(events)
}

/// Keeps the clock from telling a moment before the ledger's newest: the machine's may have been
/// moved back since.
pub(crate) fn keep_order(records: &SqliteRecords, clock: &Clock) -> Result<(), Error> {
    let mut newest = None;
    for pipeline in block_on(records.pipelines())? {
        newest = newest.max(block_on(newest_event(records, &pipeline))?.map(|event| event.at));
    }
    let Some(newest) = newest else { return Ok(()) };
    let behind = clock.not_before(newest);
    if behind > 0 {
        tracing::warn!(
            behind_ms = behind,
            "the machine's clock is {} s behind the ledger, whose newest event is of {newest}: the ledger's time goes \
             on from there, at half its pace until the two meet",
            behind / 1_000
        );
    }
    Ok(())
}

async fn newest_event(records: &SqliteRecords, pipeline: &PipelineName) -> ports::Result<Option<Envelope>> {
    let head = records.read::<Head>(&ledger::head_key(pipeline)).await?;
    let Some(head) = head.map(|row| row.value) else { return Ok(None) };
    let key = ledger::event_key(pipeline, head.sequence);
    Ok(records.read::<Envelope>(&key).await?.map(|row| row.value))
}
