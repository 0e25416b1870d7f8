//! One attempt of a commit as one transaction, and what its refusal means.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem};
use domain::digest::canonical;
use domain::{Key, Time, limit};
use ports::ledger::{self, Head, Mark};
use ports::{Commit, Committed, Error, ErrorKind, Expect, Result, Version, Write};

use super::{Table, item};
use crate::error;

/// What is to be done after an attempt.
pub(super) enum Verdict {
    /// It is over, and well.
    Committed(Committed),
    /// It is over: no attempt at the same decision will help.
    Refused(Error),
    /// Only others were in the way: with the head read anew it may go through.
    Again(Error),
}

/// Where the action of the handled mark stands in every transaction: before all others.
const MARK: usize = 0;

impl Table {
    /// Sends a commit after a head that was read.
    pub(super) async fn attempt(&self, commit: &Commit, head: Option<(Head, Version)>) -> Result<Verdict> {
        let actions = self.actions(commit, head)?;
        let sent = self.client.transact_write_items().set_transact_items(Some(actions)).send().await;
        let Err(refused) = sent else { return Ok(Verdict::Committed(Committed::Now)) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            refused.as_service_error()
        {
            return Ok(verdict(commit, cancelled.cancellation_reasons()));
        }
        // Where no answer came it may have happened: the mark will say so to whoever tries again.
        Ok(Verdict::Refused(error::of(format!("commit {}", commit.id), &refused)))
    }

    /// The actions, in this order: mark, rows as in the commit, events, head.
    fn actions(&self, commit: &Commit, head: Option<(Head, Version)>) -> Result<Vec<TransactWriteItem>> {
        let pipeline = &commit.pipeline;
        let sealed = ledger::seal(head.map(|(head, _)| head), commit);
        let mark_key = ledger::handled_key(pipeline, &commit.id);
        let mut mark = item::row(&mark_key, 1, canonical(&Mark { at: commit.at }));
        let expires = commit.at.plus(limit::HANDLED_DAYS * Time::DAY).millis().div_euclid(Time::SECOND);
        mark.insert(item::EXPIRES.into(), item::number(expires));
        let mut actions = vec![self.put(mark, Expect::Absent)?];
        for write in &commit.writes {
            actions.push(self.action(write)?);
        }
        for event in &sealed.events {
            let row = item::row(&ledger::event_key(pipeline, event.sequence), 1, canonical(event));
            actions.push(self.put(row, Expect::Absent)?);
        }
        if let Some(next) = &sealed.head {
            let version = head.map(|(_, version)| version);
            let row = item::row(&ledger::head_key(pipeline), version.unwrap_or(0) + 1, canonical(next));
            actions.push(self.put(row, version.map_or(Expect::Absent, Expect::Version))?);
        }
        Ok(actions)
    }

    fn action(&self, write: &Write) -> Result<TransactWriteItem> {
        let Write { key, expect, value } = write;
        match (value, expect) {
            (Some(value), Expect::Absent) => self.put(item::row(key, 1, value.to_string()), *expect),
            (Some(value), Expect::Version(version)) => {
                self.put(item::row(key, version + 1, value.to_string()), *expect)
            }
            (None, Expect::Absent) => {
                let check = ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(item::key(key)))
                    .condition_expression("attribute_not_exists(#partition)")
                    .expression_attribute_names("#partition", item::PARTITION)
                    .build()
                    .map_err(|cause| unbuilt(key, cause))?;
                Ok(TransactWriteItem::builder().condition_check(check).build())
            }
            (None, Expect::Version(version)) => {
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(item::key(key)))
                    .condition_expression("#version = :version")
                    .expression_attribute_names("#version", item::VERSION)
                    .expression_attribute_values(":version", item::number(version))
                    .build()
                    .map_err(|cause| unbuilt(key, cause))?;
                Ok(TransactWriteItem::builder().delete(delete).build())
            }
        }
    }

    fn put(&self, row: item::Item, expect: Expect) -> Result<TransactWriteItem> {
        let put = Put::builder().table_name(&self.table).set_item(Some(row));
        let put = match expect {
            Expect::Absent => put
                .condition_expression("attribute_not_exists(#partition)")
                .expression_attribute_names("#partition", item::PARTITION),
            Expect::Version(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", item::VERSION)
                .expression_attribute_values(":version", item::number(version)),
        };
        let put = put.build().map_err(|cause| {
            Error::new(ErrorKind::Invalid, "make an action of a transaction").because(cause)
        })?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

fn unbuilt(key: &Key, cause: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::new(ErrorKind::Invalid, format!("write {}/{}", key.partition, key.sort)).because(cause)
}

/// What the reasons of a cancelled transaction mean. They stand in the order of its actions, and
/// an action that was not in the way says `None`.
fn verdict(commit: &Commit, reasons: &[CancellationReason]) -> Verdict {
    let code = |place: usize| reasons.get(place).and_then(CancellationReason::code).unwrap_or("None");
    let failed = |place: usize| error::of_code(code(place)) == Some(ErrorKind::Conflict);
    if failed(MARK) {
        return Verdict::Committed(Committed::Before);
    }
    let others = |place: usize| error::of_code(code(place)) == Some(ErrorKind::Throttled);
    if others(MARK) {
        // Whoever holds the mark commits under this very id: whether the rows still are as
        // expected says nothing before that is over.
        return Verdict::Again(Error::new(
            ErrorKind::Throttled,
            format!("commit {}: it is being committed by another", commit.id),
        ));
    }
    for (place, write) in (MARK + 1..).zip(&commit.writes) {
        let Key { partition, sort } = &write.key;
        if failed(place) {
            let expected = match write.expect {
                Expect::Absent => "no row".to_owned(),
                Expect::Version(version) => format!("version {version}"),
            };
            let what = format!("commit {}: {partition}/{sort}: expected {expected}", commit.id);
            return Verdict::Refused(Error::new(ErrorKind::Conflict, what));
        }
    }
    let is_wrong = |reason: &&CancellationReason| {
        let code = reason.code().unwrap_or("None");
        !matches!(code, "None")
            && !matches!(error::of_code(code), Some(ErrorKind::Conflict | ErrorKind::Throttled))
    };
    match reasons.iter().find(is_wrong) {
        Some(reason) => {
            let code = reason.code().unwrap_or_default();
            let kind = error::of_code(code).unwrap_or(ErrorKind::Invalid);
            let message = reason.message().unwrap_or_default();
            Verdict::Refused(Error::new(kind, format!("commit {}: {code} {message}", commit.id)))
        }
        // The chain's head moved, or another transaction holds one of the rows.
        None => Verdict::Again(Error::new(
            ErrorKind::Throttled,
            format!("commit {}: others were in the way each time", commit.id),
        )),
    }
}

#[cfg(test)]
mod tests;
