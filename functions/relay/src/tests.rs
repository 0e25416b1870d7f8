//! Events on their way in a world in memory; every input is delivered twice.

use domain::{Event, Input, Key, PipelineName};
use futures::executor::block_on;
use ports::{Fault, Write, ledger};
use simulation::World;

use crate::{Cursor, HANDLING_EVENTS_MAX, Relay, cursor_key};

fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

fn relay(world: &World) -> Relay {
    Relay { records: world.records.clone(), bus: world.bus.clone() }
}

fn happens() -> Event {
    Event::RetrainingRequested { reason: "news".into() }
}

/// A listed pipeline to which so much has happened.
async fn world(pipeline: &PipelineName, events: usize) -> World {
    let world = World::new();
    list(&world, pipeline).await;
    for _ in 0..events {
        world.given(pipeline, vec![], vec![happens()]).await;
    }
    world
}

async fn list(world: &World, pipeline: &PipelineName) {
    world.given(pipeline, vec![Write::insert(Key::listed(pipeline), &serde_json::json!({}))], vec![]).await;
}

async fn cursor(world: &World) -> Option<u64> {
    world.row::<Cursor>(&cursor_key(&name())).await.map(|cursor| cursor.sequence)
}

fn published(world: &World) -> Vec<u64> {
    world.bus.published().iter().map(|event| event.sequence).collect()
}

#[test]
fn an_event_of_the_stream_is_published_as_the_ledger_has_it() {
    block_on(async {
        let world = world(&name(), 0).await;
        let input = world.given_event(&name(), happens()).await;
        world.twice(&relay(&world), &input).await.unwrap();
        let Input::Event(event) = input else { panic!("an event") };
        assert_eq!(world.bus.published(), [*event]);
        assert_eq!(cursor(&world).await, Some(1));
    });
}

#[test]
fn a_late_event_brings_everything_before_it_in_order() {
    block_on(async {
        let world = world(&name(), 24).await;
        let input = world.given_event(&name(), happens()).await;
        world.twice(&relay(&world), input).await.unwrap();
        assert_eq!(published(&world), (1..=25).collect::<Vec<u64>>());
        assert_eq!(cursor(&world).await, Some(25));
    });
}

#[test]
fn an_event_at_or_before_the_cursor_is_nothing_to_do() {
    block_on(async {
        let world = world(&name(), 2).await;
        let events = world.events(&name()).await;
        let relay = relay(&world);
        world.twice(&relay, world.tick()).await.unwrap();
        world.given(&name(), vec![], vec![happens()]).await;
        for event in events {
            world.twice(&relay, Input::Event(Box::new(event))).await.unwrap();
        }
        assert_eq!(published(&world), [1, 2], "event 3 is left to its own news");
    });
}

#[test]
fn a_tick_carries_every_pipeline_past_the_end_of_a_page() {
    block_on(async {
        let world = world(&name(), 230).await;
        let other: PipelineName = "home".parse().unwrap();
        list(&world, &other).await;
        world.given(&other, vec![], vec![happens()]).await;
        world.twice(&relay(&world), world.tick()).await.unwrap();
        let of = |pipeline: &PipelineName| -> Vec<u64> {
            let all = world.bus.published();
            all.iter().filter(|event| event.pipeline == *pipeline).map(|event| event.sequence).collect()
        };
        assert_eq!(of(&name()), (1..=230).collect::<Vec<u64>>());
        assert_eq!(of(&other), [1]);
        assert_eq!(cursor(&world).await, Some(230));
    });
}

#[test]
fn an_event_that_is_not_taken_holds_those_after_it() {
    block_on(async {
        let world = world(&name(), 3).await;
        let relay = relay(&world);
        world.bus.refuse(1);
        let outcome = world.twice(&relay, world.tick()).await;
        assert!(matches!(outcome, Err(Fault::Retry(_))), "{outcome:?}");
        assert_eq!(cursor(&world).await, None, "event 1 was not taken");
        assert_eq!(published(&world), [2, 3], "what went out with its batch");
        // The same delivery again: its first end must not keep it from its end.
        world.twice(&relay, world.tick()).await.unwrap();
        assert_eq!(published(&world), [2, 3, 1, 2, 3], "all in order");
        assert_eq!(cursor(&world).await, Some(3));
    });
}

#[test]
fn what_went_out_before_a_failure_is_not_published_again() {
    block_on(async {
        let world = world(&name(), 10).await;
        let relay = relay(&world);
        world.twice(&relay, world.tick()).await.unwrap();
        let second = world.given(&name(), vec![], vec![happens(), happens()]).await;
        world.bus.refuse(1);
        let input = Input::Event(Box::new(second[1].clone()));
        let outcome = world.deliver(&relay, &input).await;
        assert!(matches!(outcome, Err(Fault::Retry(_))), "{outcome:?}");
        assert_eq!(cursor(&world).await, Some(10));
        world.twice(&relay, &input).await.unwrap();
        assert_eq!(cursor(&world).await, Some(12));
        assert_eq!(published(&world)[10..], [12, 11, 12]);
    });
}

#[test]
fn a_lost_cursor_is_found_again_by_the_same_delivery() {
    block_on(async {
        let world = world(&name(), 2).await;
        let relay = relay(&world);
        let tick = world.tick();
        world.twice(&relay, &tick).await.unwrap();
        world.records.tamper(&cursor_key(&name()), None);
        // The advance of this delivery was committed before: it must not pass for done.
        world.twice(&relay, &tick).await.unwrap();
        assert_eq!(cursor(&world).await, Some(2));
    });
}

#[test]
fn a_gap_or_a_broken_event_is_never_passed() {
    block_on(async {
        for broken in [None, Some(serde_json::json!({"v": 1}))] {
            let world = world(&name(), 4).await;
            world.records.tamper(&ledger::event_key(&name(), 3), broken);
            let outcome = world.twice(&relay(&world), world.tick()).await;
            let Err(Fault::Reject(reason)) = outcome else { panic!("{outcome:?}") };
            assert!(reason.starts_with("publish pipeline/taxi/event/00000000"), "{reason}");
            assert_eq!(published(&world), [1, 2]);
            assert_eq!(cursor(&world).await, Some(2), "what was right has gone out");
        }
    });
}

#[test]
fn one_pipelines_trouble_does_not_hold_the_others() {
    block_on(async {
        let world = world(&name(), 1).await;
        let broken: PipelineName = "a-broken-one".parse().unwrap();
        list(&world, &broken).await;
        world.given(&broken, vec![], vec![happens()]).await;
        world.records.tamper(&ledger::event_key(&broken, 1), Some(serde_json::json!(7)));
        let outcome = world.twice(&relay(&world), world.tick()).await;
        assert!(matches!(outcome, Err(Fault::Reject(_))), "{outcome:?}");
        assert_eq!(published(&world), [1]);
    });
}

#[test]
fn a_long_backlog_is_carried_by_several_ticks() {
    block_on(async {
        let world = world(&name(), 0).await;
        let events = HANDLING_EVENTS_MAX as usize + 150;
        for _ in 0..events.div_ceil(30) {
            world.given(&name(), vec![], vec![happens(); 30]).await;
        }
        let total = 30 * events.div_ceil(30) as u64;
        let relay = relay(&world);
        world.deliver(&relay, world.tick()).await.unwrap();
        assert_eq!(cursor(&world).await, Some(HANDLING_EVENTS_MAX));
        world.clock.advance(60_000);
        world.twice(&relay, world.tick()).await.unwrap();
        assert_eq!(published(&world), (1..=total).collect::<Vec<u64>>());
    });
}

#[test]
fn what_a_lost_queue_was_given_is_published_again_as_far_as_its_marks_are_kept() {
    block_on(async {
        let world = world(&name(), 3).await;
        let relay = relay(&world);
        let old = world.clock.now().plus(domain::limit::HANDLED_DAYS * domain::Time::DAY + 1);
        world.clock.set(old);
        for _ in 0..2 {
            world.given(&name(), vec![], vec![happens()]).await;
        }
        world.twice(&relay, world.tick()).await.unwrap();
        assert_eq!(cursor(&world).await, Some(5));
        for _ in 0..2 {
            let cx = world.cx(world.clock.now());
            assert_eq!(crate::rewind::rewind(&*world.records, &cx, &name()).await.unwrap(), 2);
            assert_eq!(crate::rewind::rewind(&*world.records, &cx, &name()).await.unwrap(), 0);
            let before = published(&world).len();
            world.clock.advance(domain::Time::SECOND);
            world.twice(&relay, world.tick()).await.unwrap();
            assert_eq!(published(&world)[before..], [4, 5]);
        }
    });
}
