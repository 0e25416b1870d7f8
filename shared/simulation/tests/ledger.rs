//! Whether every way of tampering with a ledger is found, and nothing else.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use domain::{Digest, Event, Key, PipelineName, Time};
use futures::executor::block_on;
use ports::ledger::{self, Finding, Head, Verification, event_key, head_key, verify};
use ports::{ErrorKind, Records, RecordsExt, Write};
use serde_json::{Value, json};
use simulation::World;

const EVENTS: u64 = 5;

fn taxi() -> PipelineName {
    "taxi".parse().unwrap()
}

fn part(number: u64) -> Key {
    Key::numbered(&taxi(), "part/", number)
}

/// A ledger of five events: each but the last writes a row of its own and changes a shared
/// one; the last removes row 1.
fn ledger() -> World {
    let world = World::new();
    block_on(async {
        for number in 1..=EVENTS {
            world.clock.advance(Time::HOUR);
            let counts = Key::of(&taxi(), "counts");
            let version = (number > 1).then_some(number - 1);
            let mut writes =
                vec![Write::put(counts, version, &json!({ "parts": number, "mean": 0.1 + 0.2 }))];
            if number < EVENTS {
                writes.push(Write::insert(part(number), &json!({ "number": number })));
            } else {
                writes.push(Write::remove(part(1), 1));
            }
            let reason = format!("reason {number}");
            world.given(&taxi(), writes, vec![Event::RetrainingRequested { reason }]).await;
        }
    });
    world
}

fn check(world: &World, anchor: Option<(u64, Digest)>) -> Verification {
    block_on(verify(&*world.records, &taxi(), anchor)).unwrap()
}

fn value(world: &World, key: &Key) -> Value {
    block_on(world.records.get(key)).unwrap().unwrap().value
}

/// The findings as `place: what`, hashes left out.
fn found(world: &World, anchor: Option<(u64, Digest)>) -> Vec<String> {
    let without_hashes = |finding: &Finding| {
        let text = finding.to_string();
        let words = text.split(' ').map(|word| {
            let hash = word.trim_start_matches('(').starts_with("sha256:");
            if hash { "HASH" } else { word }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    check(world, anchor).findings.iter().map(without_hashes).collect()
}

fn edit(world: &World, key: &Key, pointer: &str, to: Value) {
    let mut row = value(world, key);
    *row.pointer_mut(pointer).unwrap() = to;
    world.records.tamper(key, Some(row));
}

#[test]
fn an_untouched_ledger_is_whole() {
    let world = ledger();
    let verification = check(&world, None);
    assert_eq!(verification.findings, []);
    assert_eq!((verification.events, verification.rows), (EVENTS, 4));
    let head = block_on(world.records.need::<Head>(&head_key(&taxi()))).unwrap().value;
    assert_eq!(verification.head, Some(head));
    assert_eq!(check(&world, Some((head.sequence, head.hash))).findings, []);
}

#[test]
fn an_empty_ledger_is_whole() {
    let verification = check(&World::new(), None);
    assert_eq!(verification, Verification { events: 0, rows: 0, head: None, findings: Vec::new() });
}

#[test]
fn working_rows_need_no_event() {
    let world = ledger();
    let waiting = Key::waiting(&taxi(), "train", "run");
    block_on(world.given(&taxi(), vec![Write::insert(waiting, &json!({}))], Vec::new()));
    assert_eq!(found(&world, None), [""; 0]);
}

#[test]
fn an_edited_event_is_found() {
    let world = ledger();
    edit(&world, &event_key(&taxi(), 3), "/data/reason", json!("another reason"));
    assert_eq!(
        found(&world, None),
        [
            "event/000000004: follows HASH but event 3 hashes to HASH event 3 was edited or reordered, or this one inserted"
        ]
    );
}

#[test]
fn the_last_event_edited_is_found() {
    let world = ledger();
    edit(&world, &event_key(&taxi(), EVENTS), "/actor", json!("person:mallory"));
    assert_eq!(
        found(&world, None),
        ["head: says HASH but event 5 hashes to HASH event 5 was edited, or the head"]
    );
}

#[test]
fn a_field_added_to_an_event_is_found() {
    let world = ledger();
    let key = event_key(&taxi(), 2);
    let mut event = value(&world, &key);
    event["note"] = json!("nobody wrote this");
    world.records.tamper(&key, Some(event));
    assert_eq!(found(&world, None).len(), 1);
}

#[test]
fn an_event_that_is_no_event_is_found() {
    let world = ledger();
    world.records.tamper(&event_key(&taxi(), 2), Some(json!({ "kind": "Nonsense" })));
    let findings = found(&world, None);
    assert!(findings[0].starts_with("event/000000002: cannot be read as an event"), "{findings:?}");
}

#[test]
fn a_removed_event_is_found() {
    let world = ledger();
    world.records.tamper(&event_key(&taxi(), 3), None);
    // The row that event 3 vouched for stands alone now, too.
    assert_eq!(
        found(&world, None),
        [
            "event/000000004: event 3 is missing before this one: removed",
            "part/000000003: no event vouches for this row: it was inserted",
        ]
    );
}

#[test]
fn a_removed_tail_is_found() {
    let world = ledger();
    for sequence in 4..=EVENTS {
        world.records.tamper(&event_key(&taxi(), sequence), None);
    }
    let findings = found(&world, None);
    assert_eq!(findings[0], "head: says event 5, but the chain ends at event 3: the tail was removed");
}

#[test]
fn a_tail_removed_with_its_rows_and_head_is_found_against_an_anchor() {
    let world = ledger();
    let anchor = check(&world, None).head.map(|head| (head.sequence, head.hash));
    // Back to what stood there after event 4, by someone thorough.
    world.records.tamper(&event_key(&taxi(), 5), None);
    let last = value(&world, &event_key(&taxi(), 4));
    world.records.tamper(&head_key(&taxi()), Some(json!({ "sequence": 4, "hash": Digest::of_json(&last) })));
    world.records.tamper(&part(1), Some(json!({ "number": 1 })));
    world.records.tamper(&Key::of(&taxi(), "counts"), Some(json!({ "parts": 4, "mean": 0.1 + 0.2 })));
    assert_eq!(found(&world, None), [""; 0]);
    assert_eq!(
        found(&world, anchor),
        ["head: the chain ends at event 4, but the head kept elsewhere is event 5: the tail was removed"]
    );
}

#[test]
fn reordered_events_are_found() {
    let world = ledger();
    let (second, third) = (event_key(&taxi(), 2), event_key(&taxi(), 3));
    let (two, three) = (value(&world, &second), value(&world, &third));
    world.records.tamper(&second, Some(three));
    world.records.tamper(&third, Some(two));
    let findings = found(&world, None);
    assert_eq!(findings[0], "event/000000002: says that it is event 3: reordered or inserted");
    assert_eq!(findings[1], "event/000000003: says that it is event 2: reordered or inserted");
}

#[test]
fn reordered_and_renumbered_events_are_found() {
    let world = ledger();
    let (second, third) = (event_key(&taxi(), 2), event_key(&taxi(), 3));
    let (mut two, mut three) = (value(&world, &second), value(&world, &third));
    two["sequence"] = json!(3);
    three["sequence"] = json!(2);
    world.records.tamper(&second, Some(three));
    world.records.tamper(&third, Some(two));
    let findings = found(&world, None);
    for (finding, place) in findings.iter().zip(["event/000000002", "event/000000003", "event/000000004"]) {
        assert!(finding.starts_with(&format!("{place}: follows HASH")), "{finding}");
    }
}

#[test]
fn an_inserted_event_is_found() {
    let world = ledger();
    // Between 3 and 4: what came after moves up by one, and its number with it.
    for sequence in (4..=EVENTS).rev() {
        let mut event = value(&world, &event_key(&taxi(), sequence));
        event["sequence"] = json!(sequence + 1);
        world.records.tamper(&event_key(&taxi(), sequence + 1), Some(event));
    }
    let third = value(&world, &event_key(&taxi(), 3));
    let mut inserted = third.clone();
    inserted["sequence"] = json!(4);
    inserted["previous"] = json!(Digest::of_json(&third));
    inserted.as_object_mut().unwrap().remove("rows");
    world.records.tamper(&event_key(&taxi(), 4), Some(inserted));
    let findings = found(&world, None);
    assert!(findings[0].starts_with("event/000000005: follows HASH"), "{findings:?}");
    assert!(findings.last().unwrap().starts_with("head: says event 5, but the chain goes on to event 6"));
}

#[test]
fn an_event_at_an_impossible_place_is_found() {
    let world = ledger();
    let event = value(&world, &event_key(&taxi(), 2));
    for sort in ["event/2", "event/+00000002", "event/000000002x", "event/"] {
        world.records.tamper(&Key::of(&taxi(), sort), Some(event.clone()));
        assert_eq!(found(&world, None), [format!("{sort}: no event has such a place: the row was inserted")]);
        world.records.tamper(&Key::of(&taxi(), sort), None);
    }
}

#[test]
fn an_event_of_another_chain_is_found() {
    let world = ledger();
    let other: PipelineName = "weather".parse().unwrap();
    let Ok(domain::Input::Event(event)) =
        Ok::<_, ()>(block_on(world.given_event(&other, Event::DriftCheckRequested {})))
    else {
        unreachable!("an event was given")
    };
    // The first of its chain fits in as the first of ours, but for its pipeline.
    world.records.tamper(&event_key(&taxi(), 1), Some(serde_json::to_value(event).unwrap()));
    let findings = found(&world, None);
    assert_eq!(findings[0], "event/000000001: says that it belongs to weather: inserted from another chain");
}

#[test]
fn an_edited_row_is_found() {
    let world = ledger();
    edit(&world, &part(2), "/number", json!(7));
    assert_eq!(
        found(&world, None),
        ["part/000000002: is no longer what event 2 vouched for HASH the row was edited"]
    );
}

#[test]
fn an_older_version_of_a_row_put_back_is_found() {
    let world = ledger();
    edit(&world, &Key::of(&taxi(), "counts"), "/parts", json!(4));
    assert_eq!(
        found(&world, None),
        ["counts: is no longer what event 5 vouched for HASH the row was edited"]
    );
}

#[test]
fn an_inserted_row_is_found() {
    let world = ledger();
    world.records.tamper(&Key::of(&taxi(), "model/000000009"), Some(json!({})));
    assert_eq!(found(&world, None), ["model/000000009: no event vouches for this row: it was inserted"]);
}

#[test]
fn a_removed_row_put_back_is_found() {
    let world = ledger();
    world.records.tamper(&part(1), Some(json!({ "number": 1 })));
    assert_eq!(
        found(&world, None),
        ["part/000000001: event 5 removed this row, yet it stands there: it was inserted"]
    );
}

#[test]
fn a_removed_row_is_found() {
    let world = ledger();
    world.records.tamper(&part(2), None);
    assert_eq!(
        found(&world, None),
        ["part/000000002: event 2 vouches for this row, but it is not there: it was removed"]
    );
}

#[test]
fn a_removed_or_edited_head_is_found() {
    let world = ledger();
    world.records.tamper(&head_key(&taxi()), None);
    assert_eq!(found(&world, None), ["head: is missing, but the chain ends at event 5: removed"]);
    world.records.tamper(&head_key(&taxi()), Some(json!(5)));
    assert!(found(&world, None)[0].starts_with("head: cannot be read, so it was edited"));
}

#[test]
fn a_full_recompute_is_found_against_an_anchor() {
    let world = ledger();
    let kept: Vec<Value> =
        (1..=EVENTS).map(|sequence| value(&world, &event_key(&taxi(), sequence))).collect();
    // Someone edits event 2 and recomputes everything after it.
    let mut previous = Digest::of_json(&kept[0]);
    for sequence in 2..=EVENTS {
        let mut event = kept[sequence as usize - 1].clone();
        if sequence == 2 {
            event["actor"] = json!("person:mallory");
        }
        event["previous"] = json!(previous);
        previous = Digest::of_json(&event);
        world.records.tamper(&event_key(&taxi(), sequence), Some(event));
    }
    world.records.tamper(&head_key(&taxi()), Some(json!({ "sequence": EVENTS, "hash": previous })));
    assert_eq!(found(&world, None), [""; 0], "the table alone cannot tell");
    for sequence in 2..=EVENTS {
        let anchor = (sequence, Digest::of_json(&kept[sequence as usize - 1]));
        assert_eq!(
            found(&world, Some(anchor)),
            [format!(
                "event/{sequence:09}: hashes to HASH but the head kept elsewhere says HASH the chain was rewritten up to here"
            )]
        );
    }
    assert_eq!(found(&world, Some((1, Digest::of_json(&kept[0])))), [""; 0], "nothing before 2 was changed");
}

#[test]
fn an_anchor_that_no_event_can_have_is_refused() {
    let world = ledger();
    let refused = block_on(verify(&*world.records, &taxi(), Some((0, Digest::of(b"")))));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_long_chain_is_read_across_pages() {
    let world = World::new();
    block_on(async {
        for number in 1..=250u64 {
            let row = Write::insert(part(number), &json!({ "number": number }));
            world.given(&taxi(), vec![row], vec![Event::DriftCheckRequested {}]).await;
        }
    });
    let verification = check(&world, None);
    assert_eq!((verification.events, verification.rows), (250, 250));
    assert_eq!(verification.findings, []);
}

#[test]
fn findings_are_listed_up_to_their_limit() {
    let world = World::new();
    for number in 0..1_500 {
        world.records.tamper(&part(number), Some(json!({})));
    }
    let findings = found(&world, None);
    assert_eq!(findings.len(), 1_000);
    assert!(findings[999].ends_with("more is wrong from here on than is worth listing"));
}

#[test]
fn every_number_of_a_row_is_read_as_it_was_written() {
    // Numbers whose shortest decimal form a sloppy reader gets wrong in the last bit.
    let world = World::new();
    let numbers: Vec<f64> = (1u64..=20_000)
        .map(|seed| f64::from_bits(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) & 0xBFFF_FFFF_FFFF_FFFF))
        .filter(|number| number.is_finite())
        .collect();
    let row = Write::insert(part(1), &json!({ "numbers": numbers[..10_000] }));
    block_on(world.given(&taxi(), vec![row], vec![Event::DriftCheckRequested {}]));
    assert_eq!(found(&world, None), [""; 0]);
}

#[test]
fn only_the_first_event_of_a_commit_carries_the_digests_of_its_rows() {
    let world = World::new();
    let row = json!({ "number": 1 });
    let waiting = Key::waiting(&taxi(), "train", "run");
    let writes = vec![Write::insert(part(1), &row), Write::insert(waiting, &row)];
    let events = block_on(world.given(
        &taxi(),
        writes,
        vec![Event::DriftCheckRequested {}, Event::DriftCheckRequested {}],
    ));
    let rows: Vec<_> = events[0].rows.iter().collect();
    assert_eq!(rows, [(&"part/000000001".to_owned(), &Some(Digest::of(br#"{"number":1}"#)))]);
    assert!(events[1].rows.is_empty());
    assert_eq!((events[0].previous, events[1].previous), (None, Some(events[0].hash())));
    assert_eq!(ledger::Head::of(&events[1]).sequence, 2);
}
