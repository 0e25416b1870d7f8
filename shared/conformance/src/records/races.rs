//! What holds when many commit at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use ports::{Committed, ErrorKind, Records, RecordsExt, Write};
use serde_json::json;

use super::{commit, draft, events, name, now, part, value, whole};
use crate::Race;
use crate::race::{CALLERS, gather};

/// How often each caller commits.
const ROUNDS: usize = 12;

/// Whether a commit may be tried again as it is: the adapter gave way to another.
fn gave_way(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Throttled | ErrorKind::Unavailable)
}

/// Callers that read, add one and compare-and-set lose no addition.
pub async fn racing_updates_lose_nothing(records: Arc<dyn Records>, race: Race) {
    now(&*records, &commit("start", vec![Write::insert(part(0), &0u64)], &["start"])).await;
    let add = |caller: usize| {
        let records = records.clone();
        async move {
            for round in 0..ROUNDS {
                let id = format!("{caller}-{round}");
                loop {
                    let row = records.need::<u64>(&part(0)).await.expect("the row is there");
                    let write = Write::update(part(0), row.version, &(row.value + 1));
                    match records.commit(&commit(&id, vec![write], &[&id])).await {
                        Ok(_) => break,
                        Err(error) if error.kind() == ErrorKind::Conflict || gave_way(error.kind()) => {}
                        Err(error) => panic!("commit {id}: {error:?}"),
                    }
                }
            }
        }
    };
    gather(race, add).await;
    let additions = (CALLERS * ROUNDS) as u64;
    assert_eq!(value(&*records, &part(0)).await, Some(json!(additions)));
    assert_eq!(whole(&*records, &name()).await, additions + 1);
}

/// Callers that share nothing but the chain never see a conflict, and their events stand in one
/// chain without gaps, each caller's in its order.
pub async fn racing_committers_make_one_chain(records: Arc<dyn Records>, race: Race) {
    let write = |caller: usize| {
        let records = records.clone();
        async move {
            for round in 0..ROUNDS {
                let id = format!("{caller}-{round:02}");
                let row = part((caller * ROUNDS + round) as u64);
                let mut commit = commit(&id, vec![Write::insert(row, &id)], &[]);
                commit.events = vec![draft(&id), draft(&format!("{id}b"))];
                loop {
                    match records.commit(&commit).await {
                        Ok(_) => break,
                        Err(error) if gave_way(error.kind()) => {}
                        Err(error) => panic!("a conflict on the head is retried within: {error:?}"),
                    }
                }
            }
        }
    };
    gather(race, write).await;
    let count = CALLERS * ROUNDS * 2;
    assert_eq!(whole(&*records, &name()).await, count as u64);
    let chain = events(&*records, &name()).await.expect("events can be read");
    assert!(chain.iter().map(|event| event.sequence).eq(1..=count as u64));
    let ids: BTreeSet<&str> = chain.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), count, "no event stands twice");
    for caller in 0..CALLERS {
        let own = chain.iter().filter(|event| event.id.starts_with(&format!("{caller}-")));
        assert!(own.map(|event| &event.id).is_sorted(), "each caller's events stand in their order");
    }
    for pair in chain.chunks(2) {
        assert_eq!(format!("{}b", pair[0].id), pair[1].id, "events of one commit stand together");
    }
}

/// Of callers that insert the same row one wins; the others conflict and leave no event.
pub async fn one_of_racing_inserts_wins(records: Arc<dyn Records>, race: Race) {
    for round in 0..ROUNDS {
        let insert = |caller: usize| {
            let records = records.clone();
            async move {
                let id = format!("{round}-{caller}");
                let commit = commit(&id, vec![Write::insert(part(round as u64), &caller)], &[&id]);
                loop {
                    match records.commit(&commit).await {
                        Ok(_) => return Some(caller),
                        Err(error) if error.kind() == ErrorKind::Conflict => return None,
                        Err(error) if gave_way(error.kind()) => {}
                        Err(error) => panic!("commit {id}: {error:?}"),
                    }
                }
            }
        };
        let winners: Vec<usize> = gather(race, insert).await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "one wins");
        assert_eq!(value(&*records, &part(round as u64)).await, Some(json!(winners[0])));
        assert_eq!(whole(&*records, &name()).await, round as u64 + 1);
    }
}

/// Callers with one commit id: one is answered `Now`, the others `Before`; it happens once.
pub async fn a_commit_that_races_with_itself_happens_once(records: Arc<dyn Records>, race: Race) {
    for round in 0..ROUNDS as u64 {
        let deliver = |_| {
            let records = records.clone();
            async move {
                let id = format!("round {round}");
                let commit = commit(&id, vec![Write::insert(part(round), &round)], &[&id]);
                loop {
                    match records.commit(&commit).await {
                        Ok(done) => return done,
                        Err(error) if gave_way(error.kind()) => {}
                        Err(error) => panic!("commit {id}: {error:?}"),
                    }
                }
            }
        };
        let answers = gather(race, deliver).await;
        let now = answers.iter().filter(|answer| **answer == Committed::Now).count();
        assert_eq!((now, answers.len()), (1, CALLERS));
        assert_eq!(whole(&*records, &name()).await, round + 1);
    }
}
