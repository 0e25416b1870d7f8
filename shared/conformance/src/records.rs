//! What every table must do.

mod chain;
mod commits;
mod listing;
mod races;
mod refusals;

use std::sync::Arc;

use domain::{Actor, Draft, Envelope, Event, Key, PipelineName, Time, key::prefix};
use ports::ledger::{self, Head};
use ports::{Commit, Committed, ErrorKind, Record, Records, RecordsExt, Result, Write};
use serde_json::Value;

use crate::{Race, threads};

pub use chain::*;
pub use commits::*;
pub use listing::*;
pub use races::*;
pub use refusals::*;

/// Everything, each claim on a fresh table.
pub async fn records(make: impl AsyncFn() -> Arc<dyn Records>) {
    records_with(make, threads).await;
}

/// Everything, with another way to let callers race.
pub async fn records_with(make: impl AsyncFn() -> Arc<dyn Records>, race: Race) {
    a_row_is_read_as_it_was_written(&*make().await).await;
    a_row_counts_its_changes(&*make().await).await;
    a_missing_row_is_none(&*make().await).await;
    a_removed_row_is_gone(&*make().await).await;
    an_expectation_that_does_not_hold_is_a_conflict(&*make().await).await;
    a_commit_is_all_or_nothing(&*make().await).await;
    a_repeated_commit_changes_nothing(&*make().await).await;
    a_refused_commit_is_not_remembered(&*make().await).await;
    an_acknowledged_commit_is_seen_at_once(&*make().await).await;
    a_row_of_the_list_of_pipelines_is_written_like_any_other(&*make().await).await;

    events_stand_in_their_chain_as_they_were_sealed(&*make().await).await;
    a_commit_without_events_leaves_the_chain_alone(&*make().await).await;
    pipelines_have_chains_of_their_own(&*make().await).await;
    the_first_event_vouches_for_the_rows(&*make().await).await;
    a_chain_longer_than_a_page_is_whole(&*make().await).await;

    pages_hold_every_row_once_and_in_order(&*make().await).await;
    a_prefix_is_plain_text(&*make().await).await;
    a_listing_starts_after_any_text(&*make().await).await;
    partitions_are_apart(&*make().await).await;
    odd_keys_are_keys(&*make().await).await;

    the_largest_commit_is_taken(&*make().await).await;
    a_commit_over_a_limit_is_refused_by_name(&*make().await).await;
    a_commit_that_breaks_a_rule_is_refused(&*make().await).await;

    racing_updates_lose_nothing(make().await, race).await;
    racing_committers_make_one_chain(make().await, race).await;
    one_of_racing_inserts_wins(make().await, race).await;
    a_commit_that_races_with_itself_happens_once(make().await, race).await;
}

/// The pipeline of most claims.
fn name() -> PipelineName {
    named("conformance")
}

fn named(name: &str) -> PipelineName {
    name.parse().expect("a well-formed name")
}

fn at() -> Time {
    Time::from_millis(1_767_603_600_000)
}

/// A working row: it needs no event.
fn waiting(id: &str) -> Key {
    Key::waiting(&name(), "conformance", id)
}

/// A fact row.
fn part(number: u64) -> Key {
    Key::numbered(&name(), prefix::PART, number)
}

fn draft(id: &str) -> Draft {
    Draft {
        id: id.to_owned(),
        event: Event::RetrainingRequested { reason: format!("because of {id}") },
        at: at(),
        as_of: Some(at().plus(-Time::DAY)),
        actor: Actor::person("Zoë Ångström"),
        cause: format!("cause of {id}"),
        correlation: "the first input".into(),
        trace: None,
        clock: Default::default(),
    }
}

fn commit(id: &str, writes: Vec<Write>, events: &[&str]) -> Commit {
    let events = events.iter().map(|id| draft(id)).collect();
    Commit { id: id.to_owned(), pipeline: name(), at: at(), writes, events }
}

/// Commits what must succeed.
async fn now(records: &dyn Records, commit: &Commit) {
    let done = records.commit(commit).await.expect("the commit is in order");
    assert_eq!(done, Committed::Now, "commit {} had not been committed before", commit.id);
}

/// The kind of refusal of what must not succeed, and its text.
async fn refused(records: &dyn Records, commit: &Commit) -> (ErrorKind, String) {
    match records.commit(commit).await {
        Ok(done) => panic!("commit {} must be refused, but was answered {done:?}", commit.id),
        Err(error) => (error.kind(), error.to_string()),
    }
}

async fn get(records: &dyn Records, key: &Key) -> Option<Record> {
    records.get(key).await.expect("a row can be read")
}

async fn value(records: &dyn Records, key: &Key) -> Option<Value> {
    get(records, key).await.map(|record| record.value)
}

/// All rows under a prefix, page by page, with the checks that hold for every page.
async fn all(records: &dyn Records, partition: &str, prefix: &str) -> Vec<Record> {
    let mut rows: Vec<Record> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = records.list(partition, prefix, after.as_deref()).await.expect("a page can be read");
        assert!(page.records.len() <= domain::limit::PAGE_ROWS_MAX, "a page is bounded");
        if let Some(next) = &page.next {
            let last = page.records.last().map(|record| &record.key.sort);
            assert!(last.is_none_or(|last| next >= last), "a page is continued at its end");
            assert!(after.as_ref().is_none_or(|after| next > after), "a listing comes to its end");
        }
        rows.extend(page.records);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let sorts: Vec<&str> = rows.iter().map(|row| row.key.sort.as_str()).collect();
    assert!(sorts.is_sorted_by(|a, b| a < b), "rows come in the order of their keys' bytes: {sorts:?}");
    assert!(rows.iter().all(|row| row.key.partition == partition && row.key.sort.starts_with(prefix)));
    rows
}

async fn events(records: &dyn Records, pipeline: &PipelineName) -> Result<Vec<Envelope>> {
    let rows = records.all::<Envelope>(&Key::partition(pipeline), prefix::EVENT).await?;
    Ok(rows.into_iter().map(|(_, event)| event.value).collect())
}

/// Asserts that a chain is whole and answers how many events it has.
async fn whole(records: &dyn Records, pipeline: &PipelineName) -> u64 {
    let found = ledger::verify(records, pipeline, None).await.expect("the ledger can be read");
    assert_eq!(found.findings, [], "the chain of {pipeline} is whole");
    let head = records.read::<Head>(&ledger::head_key(pipeline)).await.expect("the head can be read");
    assert_eq!(head.map(|head| head.value), found.head, "the head is the last event");
    found.events
}
