//! What a commit does to the chain.

use domain::{Digest, Envelope, Key};
use ports::ledger::{self, Head};
use ports::{Records, RecordsExt, Write};
use serde_json::json;

use super::{at, commit, draft, events, get, name, named, now, part, value, waiting, whole};

/// Events are numbered from 1 across commits, say everything their drafts said, and name the
/// hash of the one before; the head is the last.
pub async fn events_stand_in_their_chain_as_they_were_sealed(records: &dyn Records) {
    now(records, &commit("1", vec![Write::insert(part(1), &1)], &["a", "b"])).await;
    now(records, &commit("2", Vec::new(), &["c"])).await;
    let chain = events(records, &name()).await.expect("events can be read");
    let mut previous = None;
    for (place, (event, id)) in chain.iter().zip(["a", "b", "c"]).enumerate() {
        let sequence = place as u64 + 1;
        let expected = Envelope::seal(&draft(id), &name(), sequence, previous, event.rows.clone());
        assert_eq!(event, &expected);
        let stored = value(records, &ledger::event_key(&name(), sequence)).await.expect("it has its row");
        assert_eq!(Digest::of_json(&stored), event.hash(), "it stands there as it was hashed");
        previous = Some(event.hash());
    }
    assert_eq!(chain.len(), 3);
    let head = records.need::<Head>(&ledger::head_key(&name())).await.expect("there is a head").value;
    assert_eq!(Some(head), chain.last().map(Head::of));
    assert_eq!(whole(records, &name()).await, 3);
}

/// A commit without events neither makes a head nor moves one.
pub async fn a_commit_without_events_leaves_the_chain_alone(records: &dyn Records) {
    let head = ledger::head_key(&name());
    now(records, &commit("1", vec![Write::insert(waiting("a"), &1)], &[])).await;
    assert_eq!(get(records, &head).await, None);
    now(records, &commit("2", Vec::new(), &["event"])).await;
    let before = get(records, &head).await;
    now(records, &commit("3", vec![Write::insert(waiting("b"), &1)], &[])).await;
    assert_eq!(get(records, &head).await, before);
    assert_eq!(whole(records, &name()).await, 1);
}

/// Each pipeline's chain counts for itself, and the same commit id in two of them is two commits.
pub async fn pipelines_have_chains_of_their_own(records: &dyn Records) {
    for pipeline in ["a", "a-b", "b"] {
        let pipeline = named(pipeline);
        let mut commit = commit("1", Vec::new(), &["x", "y"]);
        commit.pipeline = pipeline.clone();
        now(records, &commit).await;
        assert_eq!(whole(records, &pipeline).await, 2);
    }
    assert_eq!(whole(records, &name()).await, 0);
}

/// The first event of a commit carries the digest of every fact row written or removed, and of
/// nothing else.
pub async fn the_first_event_vouches_for_the_rows(records: &dyn Records) {
    let row = json!({ "b": 0.1 + 0.2, "a": "é" });
    let writes = vec![
        Write::insert(part(1), &row),
        Write::insert(part(2), &row),
        Write::insert(waiting("w"), &row),
        Write::insert(Key::listed(&name()), &row),
    ];
    now(records, &commit("1", writes, &["a", "b"])).await;
    let writes = vec![Write::update(part(1), 1, &json!(2)), Write::remove(part(2), 1)];
    now(records, &commit("2", writes, &["c"])).await;
    let chain = events(records, &name()).await.expect("events can be read");
    let said = |place: usize| -> Vec<(&str, Option<Digest>)> {
        chain[place].rows.iter().map(|(sort, digest)| (sort.as_str(), *digest)).collect()
    };
    let digest = Some(Digest::of(r#"{"a":"é","b":0.30000000000000004}"#.as_bytes()));
    assert_eq!(said(0), [("part/000000001", digest), ("part/000000002", digest)]);
    assert_eq!(said(1), []);
    assert_eq!(said(2), [("part/000000001", Some(Digest::of(b"2"))), ("part/000000002", None)]);
    assert_eq!(whole(records, &name()).await, 3);
}

/// A chain of several pages is whole, and its events come in order.
pub async fn a_chain_longer_than_a_page_is_whole(records: &dyn Records) {
    for number in 0..15 {
        let ids: Vec<String> = (0..16).map(|place| format!("{number}-{place}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        now(records, &commit(&number.to_string(), vec![Write::insert(part(number), &number)], &ids)).await;
    }
    assert_eq!(whole(records, &name()).await, 240);
    let chain = events(records, &name()).await.expect("events can be read");
    assert!(chain.iter().map(|event| event.sequence).eq(1..=240));
    assert!(chain.iter().all(|event| event.at == at()));
}
