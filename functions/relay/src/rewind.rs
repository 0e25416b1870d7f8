//! How a bus that has lost what it was given is given it again.

use domain::key::prefix;
use domain::{Envelope, Key, PipelineName, Time, limit};
use ports::handler::Plan;
use ports::{Cx, Error, ErrorKind, Records, RecordsExt as _, Result, Write};

use crate::{Cursor, cursor_key};

/// Moves the cursor of a pipeline back, so that the next tick publishes every event again that
/// was recorded within [`limit::HANDLED_DAYS`]: as long as that, what was handled is known by its
/// mark, and publishing it again is harmless. Answers how many events those are.
///
/// # Errors
/// What the table fails with; `Invalid` where an event cannot be read.
pub async fn rewind(records: &dyn Records, cx: &Cx, pipeline: &PipelineName) -> Result<u64> {
    let row = records.read::<Cursor>(&cursor_key(pipeline)).await?;
    let (version, from) = row.map_or((None, 0), |row| (Some(row.version), row.value.sequence));
    let to = before(records, pipeline, cx.now.plus(-limit::HANDLED_DAYS * Time::DAY)).await?;
    if to >= from {
        return Ok(0);
    }
    // The version is part of the step: a second loss at the same moment is another one.
    let step = format!("rewind-{}-{to}", version.unwrap_or(0));
    let mut plan = Plan::caused("relay", cx, &step, pipeline, &step);
    plan.write(Write::put(cursor_key(pipeline), version, &Cursor { sequence: to }));
    plan.commit(records).await?;
    Ok(from - to)
}

/// The place of the last event before a moment.
async fn before(records: &dyn Records, pipeline: &PipelineName, moment: Time) -> Result<u64> {
    let (mut last, mut after) = (0, None);
    loop {
        let partition = Key::partition(pipeline);
        let page = records.list(&partition, prefix::EVENT, after.as_deref()).await?;
        for record in page.records {
            let sort = record.key.sort;
            let event: Envelope = serde_json::from_value(record.value).map_err(|error| {
                Error::new(ErrorKind::Invalid, format!("read {partition}/{sort}")).because(error)
            })?;
            if event.at >= moment {
                return Ok(last);
            }
            last = event.sequence;
        }
        after = page.next;
        if after.is_none() {
            return Ok(last);
        }
    }
}
