//! What is refused before anything is looked up.

use domain::{Event, Key, limit};
use ports::{Commit, ErrorKind, Records, Write};
use serde_json::json;

use super::{all, at, commit, draft, get, name, named, now, part, refused, value, waiting, whole};

fn rows(count: usize) -> Vec<Write> {
    (0..count).map(|number| Write::insert(part(number as u64), &number)).collect()
}

fn with_events(count: usize) -> Commit {
    let events = (0..count).map(|number| draft(&number.to_string())).collect();
    Commit { id: format!("{count} events"), pipeline: name(), at: at(), writes: Vec::new(), events }
}

/// So many of the largest rows.
fn large(count: usize) -> Commit {
    let row = text(limit::ROW_BYTES_MAX);
    let rows = (0..count).map(|number| Write::insert(waiting(&format!("large/{number}")), &row));
    commit(&format!("{count} large rows"), rows.collect(), &[])
}

/// A text whose JSON has this many bytes.
fn text(bytes: usize) -> String {
    "x".repeat(bytes - 2)
}

fn with_event_of(bytes: usize) -> Commit {
    let mut commit = commit(&format!("event of {bytes}"), Vec::new(), &["large"]);
    let around = r#"{"kind":"RetrainingRequested","data":{"reason":""}}"#.len();
    commit.events[0].event = Event::RetrainingRequested { reason: "x".repeat(bytes - around) };
    commit
}

/// What is just within every limit is taken.
pub async fn the_largest_commit_is_taken(records: &dyn Records) {
    // Mark, head and event are actions too.
    let most = limit::COMMIT_ACTIONS_MAX - 3;
    now(records, &commit("actions", rows(most), &["event"])).await;
    assert_eq!(all(records, &Key::partition(&name()), "part/").await.len(), most);
    now(records, &with_events(limit::COMMIT_EVENTS_MAX)).await;
    let row = text(limit::ROW_BYTES_MAX);
    now(records, &commit("row", vec![Write::insert(waiting("large"), &row)], &[])).await;
    assert_eq!(value(records, &waiting("large")).await, Some(json!(row)));
    now(records, &large(limit::COMMIT_BYTES_MAX / limit::ROW_BYTES_MAX)).await;
    now(records, &with_event_of(limit::EVENT_BYTES_MAX)).await;
    assert_eq!(whole(records, &name()).await, limit::COMMIT_EVENTS_MAX as u64 + 2);
}

/// What is just over a limit is `TooLarge`, names the limit, and leaves nothing.
pub async fn a_commit_over_a_limit_is_refused_by_name(records: &dyn Records) {
    let row = text(limit::ROW_BYTES_MAX + 1);
    let most = limit::COMMIT_ACTIONS_MAX - 3;
    for (limit, commit) in [
        ("COMMIT_ACTIONS_MAX", commit("actions", rows(most + 1), &["event"])),
        ("COMMIT_EVENTS_MAX", with_events(limit::COMMIT_EVENTS_MAX + 1)),
        ("ROW_BYTES_MAX", commit("row", vec![Write::insert(waiting("large"), &row)], &[])),
        ("COMMIT_BYTES_MAX", large(limit::COMMIT_BYTES_MAX / limit::ROW_BYTES_MAX + 1)),
        ("EVENT_BYTES_MAX", with_event_of(limit::EVENT_BYTES_MAX + 1)),
    ] {
        let (kind, text) = refused(records, &commit).await;
        assert_eq!(kind, ErrorKind::TooLarge, "{text}");
        assert!(text.contains(limit), "{text} names {limit}");
    }
    assert_eq!(all(records, &Key::partition(&name()), "").await, []);
}

/// A row twice, a fact without an event or of another chain, and the rows that only the adapter
/// writes are `Invalid` and leave nothing.
pub async fn a_commit_that_breaks_a_rule_is_refused(records: &dyn Records) {
    let write = |key: Key| vec![Write::insert(key, &json!({}))];
    let ours = |sort: &str| Key::of(&name(), sort);
    let twice = vec![Write::insert(waiting("x"), &1), Write::insert(waiting("x"), &2)];
    for (rule, commit) in [
        ("written twice", commit("twice", twice, &[])),
        ("a fact without an event", commit("fact", write(part(1)), &[])),
        ("a fact of another chain", commit("other", write(Key::of(&named("other"), "counts")), &["x"])),
        ("only the adapter", commit("head", write(ours("head")), &["x"])),
        ("only the adapter", commit("event", write(ours("event/000000001")), &["x"])),
        ("only the adapter", commit("mark", write(ours("handled/x")), &["x"])),
    ] {
        let (kind, text) = refused(records, &commit).await;
        assert_eq!(kind, ErrorKind::Invalid, "{text}");
        assert!(text.contains(rule), "{text} says: {rule}");
    }
    for pipeline in [name(), named("other")] {
        assert_eq!(all(records, &Key::partition(&pipeline), "").await, []);
    }
    // Also the removal of a fact needs its event.
    now(records, &commit("insert", write(part(1)), &["x"])).await;
    let (kind, _) = refused(records, &commit("remove", vec![Write::remove(part(1), 1)], &[])).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(get(records, &part(1)).await.is_some());
}
