//! The table on AWS: DynamoDB, one transaction for each commit.

mod attempt;
mod item;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use domain::{Key, limit};
use ports::ledger::{self, Head};
use ports::{Commit, Committed, Error, ErrorKind, Page, Record, Records, Result, Version};

use crate::error;
use attempt::Verdict;

/// Attempts of one commit while others move the chain's head: with the waits between them, some
/// seconds of a crowd.
const HEAD_ATTEMPTS_MAX: u32 = 24;

/// The wait after the first lost attempt; it doubles up to [`WAIT_MAX_MS`].
const WAIT_MS: u64 = 4;

/// The longest wait between two attempts: a transaction takes tens of milliseconds.
const WAIT_MAX_MS: u64 = 250;

/// The table, in one table of DynamoDB with the key `partition` and `sort`.
///
/// An item says `version` (a number), `value` (JSON in the text that was hashed), and for the
/// mark of a handled commit `expires`, by which DynamoDB removes it.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    table: String,
}

impl Table {
    /// The table of a name.
    pub fn new(client: Client, table: String) -> Table {
        Table { client, table }
    }

    async fn head(&self, commit: &Commit) -> Result<Option<(Head, Version)>> {
        let key = ledger::head_key(&commit.pipeline);
        let Some(record) = self.get(&key).await? else { return Ok(None) };
        let head = serde_json::from_value(record.value).map_err(|cause| {
            let what = format!("commit {}: the head of {}", commit.id, commit.pipeline);
            Error::new(ErrorKind::Invalid, what).because(cause)
        })?;
        Ok(Some((head, record.version)))
    }
}

#[async_trait]
impl Records for Table {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let tried = || format!("read {}/{}", key.partition, key.sort);
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::key(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|refused| error::of(tried(), &refused))?;
        found.item.map(|item| item::record(&item)).transpose()
    }

    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> Result<Page> {
        // DynamoDB refuses a start outside of what is asked for.
        let after = match after {
            Some(after) if after > prefix && !after.starts_with(prefix) => return Ok(Page::default()),
            Some(after) if after >= prefix && !after.is_empty() => Some(after),
            _ => None,
        };
        let start = after.map(|sort| item::key(&Key { partition: partition.into(), sort: sort.into() }));
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .limit(limit::PAGE_ROWS_MAX as i32)
            .set_exclusive_start_key(start)
            .expression_attribute_names("#partition", item::PARTITION)
            .expression_attribute_values(":partition", item::text(partition));
        query = if prefix.is_empty() {
            query.key_condition_expression("#partition = :partition")
        } else {
            query
                .key_condition_expression("#partition = :partition AND begins_with(#sort, :prefix)")
                .expression_attribute_names("#sort", item::SORT)
                .expression_attribute_values(":prefix", item::text(prefix))
        };
        let page = query
            .send()
            .await
            .map_err(|refused| error::of(format!("list {partition}/{prefix}"), &refused))?;
        let records = page.items().iter().map(item::record).collect::<Result<Vec<Record>>>()?;
        let next = page.last_evaluated_key.as_ref().map(item::sort).transpose()?;
        Ok(Page { records, next })
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed> {
        commit.check()?;
        let mut last = None;
        for number in 0..HEAD_ATTEMPTS_MAX {
            let head = if commit.events.is_empty() { None } else { self.head(commit).await? };
            match self.attempt(commit, head).await? {
                Verdict::Committed(committed) => return Ok(committed),
                Verdict::Refused(error) => return Err(error),
                Verdict::Again(error) => last = Some(error),
            }
            wait(&commit.id, number).await;
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::Throttled, format!("commit {}", commit.id))))
    }
}

/// Waits before the next attempt: longer each time, and each commit differently long, so that
/// those who collided do not collide again.
async fn wait(commit: &str, number: u32) {
    let longest = (WAIT_MS << number.min(16)).min(WAIT_MAX_MS);
    let drawn = domain::Digest::of_parts(&["wait", commit, &number.to_string()]);
    let share = u64::from(drawn.bytes()[0]);
    tokio::time::sleep(Duration::from_millis(longest / 4 + longest * share / 256)).await;
}
