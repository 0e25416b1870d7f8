//! What a tick finds, and what it lets go.

use super::*;

#[test]
fn an_upload_whose_event_was_lost_is_found_by_the_tick() {
    block_on(async {
        let (world, ingest) = world().await;
        let key = announce(&world, "0a", "a.csv", Some("2025-12-31")).await;
        world.twice(&ingest, world.tick()).await.unwrap();
        assert_eq!((uploads(&world).await.len(), tickets(&world).await), (0, 1), "nothing is there yet");

        let event = land(&world, &key, GOOD);
        world.clock.advance(Time::HOUR);
        let tick = world.tick();
        world.twice(&ingest, &tick).await.unwrap();
        let found = upload(&world, "0a").await;
        assert_eq!((found.fate, found.by), (Fate::Accepted { part: 1 }, Actor::person("ann")));
        assert_eq!((found.as_of, tickets(&world).await), ("2025-12-31".parse().unwrap(), 0));
        let recorded = world.events(&name()).await.pop().unwrap();
        assert_eq!((recorded.cause, recorded.correlation.as_str()), (tick.id(), "0a"));

        // The event comes after all.
        let before = world.records.dump();
        world.twice(&ingest, &event).await.unwrap();
        assert_eq!(world.records.dump(), before);
    });
}

#[test]
fn tick_and_event_make_the_same_files_of_an_upload() {
    let files = |by_tick: bool| {
        block_on(async {
            let (world, ingest) = world().await;
            let key = announce(&world, "0a", "a.csv", None).await;
            world.clock.advance(2 * Time::HOUR);
            let event = land(&world, &key, TOLERATED);
            let input = if by_tick { world.tick() } else { event };
            world.clock.advance(Time::HOUR);
            world.twice(&ingest, input).await.unwrap();
            world.blobs.dump()
        })
    };
    assert_eq!(files(true), files(false));
}

#[test]
fn a_ticket_without_an_object_goes_after_a_week() {
    block_on(async {
        let (world, ingest) = world().await;
        announce(&world, "0a", "never.csv", None).await;
        world.clock.advance(7 * Time::DAY - 1);
        world.twice(&ingest, world.tick()).await.unwrap();
        assert_eq!(tickets(&world).await, 1);
        let events = world.kinds(&name()).await.len();
        world.clock.advance(1);
        world.twice(&ingest, world.tick()).await.unwrap();
        assert_eq!((tickets(&world).await, world.kinds(&name()).await.len()), (0, events));
    });
}

#[test]
fn an_old_ticket_whose_object_is_there_is_taken_in_not_let_go() {
    block_on(async {
        let (world, ingest) = world().await;
        let key = announce(&world, "0a", "late.csv", None).await;
        land(&world, &key, GOOD);
        world.clock.advance(30 * Time::DAY);
        world.twice(&ingest, world.tick()).await.unwrap();
        assert_eq!(upload(&world, "0a").await.fate, Fate::Accepted { part: 1 });
    });
}

#[test]
fn a_tick_is_bounded_and_the_next_ones_take_the_rest() {
    block_on(async {
        let (world, ingest) = world().await;
        let all = 2 * limit::TICK_UPLOADS_MAX + 1;
        for number in 0..all {
            let key = announce(&world, &Digest::of(&[number as u8]).short(), "a.csv", None).await;
            land(&world, &key, GOOD.replace("1.5", &number.to_string()));
        }
        for taken in [limit::TICK_UPLOADS_MAX, 2 * limit::TICK_UPLOADS_MAX, all] {
            world.clock.advance(300 * Time::SECOND);
            world.deliver(&ingest, world.tick()).await.unwrap();
            assert_eq!(uploads(&world).await.len(), taken);
        }
        assert_eq!(tickets(&world).await, 0);
    });
}

#[test]
fn every_ticket_is_looked_at_wherever_a_tick_begins() {
    block_on(async {
        let (world, ingest) = world().await;
        // Over several pages of a listing, with one object among them, at either end or amid.
        let ids: Vec<String> = (0..250_u32).map(|n| Digest::of(&n.to_be_bytes()).short()).collect();
        let mut keys = Vec::new();
        for id in &ids {
            keys.push((id.clone(), announce(&world, id, "a.csv", None).await));
        }
        keys.sort();
        for (number, place) in [0, 99, 100, 124, 249].into_iter().enumerate() {
            land(&world, &keys[place].1, GOOD.replace("1.5", &number.to_string()));
            world.clock.advance(300 * Time::SECOND);
            world.twice(&ingest, world.tick()).await.unwrap();
            assert_eq!(uploads(&world).await.len(), number + 1, "ticket {place}");
        }
    });
}

#[test]
fn one_uploads_fault_does_not_keep_the_others_waiting() {
    block_on(async {
        let (world, ingest) = world().await;
        // A pipeline that is listed but was never applied.
        let other: PipelineName = "bus".parse().unwrap();
        let ticket =
            Ticket { file: "b.csv".into(), as_of: None, by: Actor::person("ann"), at: world.clock.now() };
        let writes = vec![
            Write::insert(Key::listed(&other), &serde_json::json!({})),
            Write::insert(Key::named(&other, prefix::TICKET, "0b"), &ticket),
        ];
        world.given(&other, writes, Vec::new()).await;
        land(&world, "bus/0b/b.csv", GOOD);
        let key = announce(&world, "0a", "a.csv", None).await;
        land(&world, &key, GOOD);
        match world.deliver(&ingest, world.tick()).await {
            Err(Fault::Reject(reason)) => assert!(reason.contains("no pipeline \"bus\""), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(upload(&world, "0a").await.fate, Fate::Accepted { part: 1 });
    });
}
