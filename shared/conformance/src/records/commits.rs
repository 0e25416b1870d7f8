//! What a commit does to rows.

use domain::Key;
use ports::{Committed, ErrorKind, Expect, Records, Write};
use serde_json::{Value, json};

use super::{all, commit, get, name, named, now, part, refused, value, waiting, whole};

/// Every JSON value comes back as it was, numbers to the last bit.
pub async fn a_row_is_read_as_it_was_written(records: &dyn Records) {
    let values = [
        json!({}),
        json!([]),
        json!("Grüße, 世界 😀 \u{0} \u{7f} \" \\ / \n"),
        json!({ "": { "b": 1, "a": [null, true, false, -1, 0, 1.5] }, "key with space": "" }),
        json!([0.1 + 0.2, 1e-320, f64::MAX, f64::MIN_POSITIVE, -0.0, 1.0, 123_456_789.123_456_79]),
        json!([u64::MAX, i64::MIN, 9_007_199_254_740_993_u64]),
        json!("x".repeat(100_000)),
    ];
    for (number, expected) in values.iter().enumerate() {
        let key = waiting(&number.to_string());
        now(records, &commit(&format!("w{number}"), vec![Write::insert(key.clone(), expected)], &[])).await;
        let found = value(records, &key).await.expect("the row was written");
        assert_eq!(&found, expected);
        assert_eq!(found.to_string(), expected.to_string(), "also in its spelling");
    }
}

/// A row's version counts its changes, from 1, and listings say the same version.
pub async fn a_row_counts_its_changes(records: &dyn Records) {
    let key = waiting("row");
    now(records, &commit("1", vec![Write::insert(key.clone(), &1)], &[])).await;
    for version in 1..5u64 {
        let row = get(records, &key).await.expect("the row is there");
        assert_eq!((row.version, row.value), (version, json!(version)));
        let write = Write::update(key.clone(), version, &(version + 1));
        now(records, &commit(&format!("to {}", version + 1), vec![write], &[])).await;
    }
    let listed = all(records, &key.partition, &key.sort).await;
    assert_eq!((listed.len(), listed[0].version, &listed[0].value), (1, 5, &json!(5)));
}

/// What was never written is none, not an error.
pub async fn a_missing_row_is_none(records: &dyn Records) {
    assert_eq!(get(records, &waiting("nothing")).await, None);
    assert_eq!(all(records, "pipeline/nobody", "").await, []);
}

/// A removed row can neither be read nor listed, and can be written anew.
pub async fn a_removed_row_is_gone(records: &dyn Records) {
    let (first, second) = (waiting("first"), waiting("second"));
    let writes = vec![Write::insert(first.clone(), &1), Write::insert(second.clone(), &2)];
    now(records, &commit("write", writes, &[])).await;
    now(records, &commit("remove", vec![Write::remove(first.clone(), 1)], &[])).await;
    assert_eq!(get(records, &first).await, None);
    let listed = all(records, &first.partition, "waiting/").await;
    assert_eq!(listed.iter().map(|row| &row.key).collect::<Vec<_>>(), [&second]);
    let again = refused(records, &commit("again", vec![Write::remove(first.clone(), 1)], &[])).await;
    assert_eq!(again.0, ErrorKind::Conflict, "what is not there has no version");
    now(records, &commit("anew", vec![Write::insert(first.clone(), &3)], &[])).await;
    assert_eq!(value(records, &first).await, Some(json!(3)));
}

/// `Absent` and `Version` are conditions, for writing as for removing.
pub async fn an_expectation_that_does_not_hold_is_a_conflict(records: &dyn Records) {
    let (here, missing) = (waiting("here"), waiting("missing"));
    now(records, &commit("1", vec![Write::insert(here.clone(), &1)], &[])).await;
    now(records, &commit("2", vec![Write::update(here.clone(), 1, &2)], &[])).await;
    let removal = |key: &Key, expect| Write { key: key.clone(), expect, value: None };
    let wrong = [
        ("absent, but there", Write::insert(here.clone(), &9)),
        ("an old version", Write::update(here.clone(), 1, &9)),
        ("a version to come", Write::update(here.clone(), 3, &9)),
        ("version 0", Write::update(here.clone(), 0, &9)),
        ("a version of nothing", Write::update(missing.clone(), 1, &9)),
        ("removal of an old version", Write::remove(here.clone(), 1)),
        ("removal of nothing", Write::remove(missing.clone(), 1)),
        ("removal as absent, but there", removal(&here, Expect::Absent)),
    ];
    for (what, write) in wrong {
        let (kind, text) = refused(records, &commit(what, vec![write.clone()], &["an event"])).await;
        assert_eq!(kind, ErrorKind::Conflict, "{what}: {text}");
        assert_eq!(value(records, &here).await, Some(json!(2)), "{what}");
        assert_eq!(get(records, &missing).await, None, "{what}");
    }
    assert_eq!(whole(records, &name()).await, 0, "a conflict leaves no event");
    // A mere condition: that something stays away.
    now(records, &commit("condition", vec![removal(&missing, Expect::Absent)], &[])).await;
    assert_eq!(get(records, &missing).await, None);
}

/// One condition that does not hold keeps every row and event from being written, wherever it
/// stands in the commit.
pub async fn a_commit_is_all_or_nothing(records: &dyn Records) {
    let taken = waiting("m");
    now(records, &commit("before", vec![Write::insert(taken.clone(), &"kept")], &["before"])).await;
    for place in 0..3 {
        let mut writes = vec![Write::insert(part(1), &1), Write::insert(waiting("z"), &2)];
        writes.insert(place, Write::insert(taken.clone(), &"overwritten"));
        let (kind, _) = refused(records, &commit(&format!("at {place}"), writes, &["a", "b"])).await;
        assert_eq!(kind, ErrorKind::Conflict);
        assert_eq!(get(records, &part(1)).await, None);
        assert_eq!(get(records, &waiting("z")).await, None);
        assert_eq!(value(records, &taken).await, Some(json!("kept")));
        assert_eq!(whole(records, &name()).await, 1);
    }
    let writes = vec![Write::insert(part(1), &1), Write::update(taken.clone(), 1, &"changed")];
    now(records, &commit("after", writes, &["a", "b"])).await;
    assert_eq!(value(records, &part(1)).await, Some(json!(1)));
    assert_eq!(value(records, &taken).await, Some(json!("changed")));
    assert_eq!(whole(records, &name()).await, 3);
}

/// A repeated id is answered `Before`, whatever else the commit says, and nothing is written.
pub async fn a_repeated_commit_changes_nothing(records: &dyn Records) {
    let first = commit("once", vec![Write::insert(part(1), &1)], &["event"]);
    now(records, &first).await;
    let others = [
        first.clone(),
        commit("once", vec![Write::insert(part(2), &2)], &["another event"]),
        commit("once", vec![Write::update(part(1), 1, &9)], &["another event"]),
        commit("once", Vec::new(), &[]),
    ];
    for other in &others {
        let done = records.commit(other).await.expect("a repeat is no error");
        assert_eq!(done, Committed::Before);
        assert_eq!(value(records, &part(1)).await, Some(json!(1)));
        assert_eq!(get(records, &part(2)).await, None);
        assert_eq!(whole(records, &name()).await, 1);
    }
    let nothing = commit("nothing to write", Vec::new(), &[]);
    now(records, &nothing).await;
    let done = records.commit(&nothing).await.expect("a repeat is no error");
    assert_eq!(done, Committed::Before, "the mark alone is a commit too");
}

/// A commit that was refused may be decided again under its id.
pub async fn a_refused_commit_is_not_remembered(records: &dyn Records) {
    now(records, &commit("before", vec![Write::insert(waiting("row"), &1)], &[])).await;
    let (kind, _) = refused(records, &commit("id", vec![Write::insert(waiting("row"), &2)], &["x"])).await;
    assert_eq!(kind, ErrorKind::Conflict);
    now(records, &commit("id", vec![Write::update(waiting("row"), 1, &2)], &["x"])).await;
    assert_eq!(value(records, &waiting("row")).await, Some(json!(2)));
    assert_eq!(whole(records, &name()).await, 1);
}

/// Reads are strong: what was acknowledged is seen by the next read and the next listing.
pub async fn an_acknowledged_commit_is_seen_at_once(records: &dyn Records) {
    let key = waiting("row");
    let mut version = None;
    for number in 1..=50u64 {
        let write = Write::put(key.clone(), version, &number);
        now(records, &commit(&number.to_string(), vec![write], &[])).await;
        assert_eq!(value(records, &key).await, Some(json!(number)));
        let listed: Vec<Value> =
            all(records, &key.partition, "waiting/").await.into_iter().map(|row| row.value).collect();
        assert_eq!(listed, [json!(number)]);
        version = Some(number);
    }
}

/// The list of pipelines needs no event, even for a pipeline that is called like an adapter's
/// row.
pub async fn a_row_of_the_list_of_pipelines_is_written_like_any_other(records: &dyn Records) {
    for pipeline in ["head", "taxi"] {
        let key = Key::listed(&named(pipeline));
        now(records, &commit(pipeline, vec![Write::insert(key.clone(), &json!({}))], &[])).await;
        assert_eq!(value(records, &key).await, Some(json!({})));
    }
    let listed: Vec<String> =
        all(records, Key::PIPELINES, "").await.into_iter().map(|row| row.key.sort).collect();
    assert_eq!(listed, ["head", "taxi"]);
}
