//! Notices on their way in a world in memory; every input is delivered twice.

use std::collections::BTreeMap;

use domain::key::prefix;
use domain::pipeline::Channel;
use domain::row::{Applied, File};
use domain::{Actor, BlobPath, Digest, Event, Input, Key, Pipeline, PipelineName, Time};
use futures::executor::block_on;
use ports::{ErrorKind, Fault, Write};
use simulation::World;

use crate::resend::TICK_NOTICES_MAX;
use crate::rows::Waiting;
use crate::{Notify, rows};

fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

fn hook(host: &str) -> Channel {
    Channel::Webhook { url: format!("https://{host}/services/T0/secret"), secret: "env:HOOK".into() }
}

fn notify(world: &World) -> Notify {
    Notify { records: world.records.clone(), notices: world.notices.clone() }
}

/// A pipeline that tells the file of everything and two webhooks of approvals.
async fn world() -> World {
    let world = World::new();
    let spec: Pipeline = serde_json::from_value(serde_json::json!({
        "name": "taxi", "contract": "contract.yaml", "target": "fare", "problem": "regression",
        "approval": {"approvers": ["alice"]},
        "notices": [
            {"kinds": ["ModelApproved"], "to": hook("a.example")},
            {"to": "file"},
            {"kinds": ["ModelApproved", "PartAccepted"], "to": hook("b.example")},
        ],
    }))
    .unwrap();
    let file =
        |text: &str| File { path: BlobPath::parse(text).unwrap(), digest: Digest::of(text.as_bytes()) };
    let applied = Applied {
        revision: 1,
        digest: spec.digest(),
        spec,
        contract: file("contract"),
        features: file("features"),
        program: BTreeMap::new(),
        program_digest: Digest::of(b"boost"),
        by: Actor::person("bob"),
        at: world.clock.now(),
    };
    let event = Event::PipelineApplied {
        revision: 1,
        pipeline_digest: applied.digest,
        contract_digest: applied.contract.digest,
    };
    let writes = vec![
        Write::insert(Key::of(&name(), prefix::PIPELINE), &applied),
        Write::insert(Key::listed(&name()), &serde_json::json!({})),
    ];
    world.given(&name(), writes, vec![event]).await;
    world
}

async fn approval(world: &World) -> Input {
    let event = Event::ModelApproved { version: 3, binding: Digest::of(b"v3"), reason: "good".into() };
    world.given_event(&name(), event).await
}

fn sent(world: &World) -> Vec<Channel> {
    world.notices.sent().into_iter().map(|(channel, _)| channel).collect()
}

async fn waiting(world: &World) -> Vec<Waiting> {
    world.rows(&name(), prefix::WAITING).await
}

/// A tick some minutes later.
fn later(world: &World, minutes: i64) -> Input {
    world.clock.advance(minutes * 60 * Time::SECOND);
    world.tick()
}

#[test]
fn everyone_who_asked_is_told_once_and_with_the_head() {
    block_on(async {
        let world = world().await;
        let input = approval(&world).await;
        world.twice(&notify(&world), &input).await.unwrap();
        assert_eq!(sent(&world), [hook("a.example"), Channel::File, hook("b.example")]);
        let Input::Event(envelope) = input else { panic!("an event") };
        let notices: Vec<_> = world.notices.sent().into_iter().map(|(_, notice)| notice).collect();
        for notice in &notices {
            assert_eq!(notice.text, "tester approved version 3");
            assert_eq!((notice.kind.as_str(), notice.subject.as_str()), ("ModelApproved", "model/3"));
            assert_eq!((notice.sequence, notice.head), (2, envelope.hash()));
        }
        assert!(notices[0].id != notices[1].id && notices[1].id != notices[2].id);
        assert!(waiting(&world).await.is_empty());
    });
}

#[test]
fn kinds_that_a_rule_does_not_name_are_not_told() {
    block_on(async {
        let world = world().await;
        world.twice(&notify(&world), world.last(&name()).await).await.unwrap();
        assert_eq!(sent(&world), [Channel::File]);
    });
}

#[test]
fn an_event_of_a_pipeline_that_is_not_declared_tells_nobody() {
    block_on(async {
        let world = World::new();
        let input = approval(&world).await;
        world.twice(&notify(&world), input).await.unwrap();
        assert!(sent(&world).is_empty());
    });
}

#[test]
fn what_does_not_get_through_waits_and_is_sent_by_a_tick() {
    block_on(async {
        let world = world().await;
        let notify = notify(&world);
        world.notices.close(&hook("a.example"), ErrorKind::Unavailable);
        let input = approval(&world).await;
        world.twice(&notify, &input).await.unwrap();
        assert_eq!(sent(&world), [Channel::File, hook("b.example")], "the others were told");
        let rows = waiting(&world).await;
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.attempts, row.since), (1, world.clock.now()));
        assert_eq!(row.next, world.clock.now().plus(60_000));

        world.twice(&notify, world.tick()).await.unwrap();
        assert_eq!(waiting(&world).await, rows, "nothing is due yet");

        world.notices.open(&hook("a.example"));
        world.twice(&notify, later(&world, 1)).await.unwrap();
        let last = world.notices.sent().pop().unwrap();
        assert_eq!(last, (hook("a.example"), row.notice.clone()));
        assert!(waiting(&world).await.is_empty());

        world.notices.refuse(3);
        world.twice(&notify, &input).await.unwrap();
        assert_eq!(sent(&world).len(), 3, "a late redelivery tells nobody again");
        assert!(waiting(&world).await.is_empty());
    });
}

#[test]
fn waits_double_while_the_channel_is_silent() {
    block_on(async {
        let world = world().await;
        let notify = notify(&world);
        world.notices.close(&Channel::File, ErrorKind::Throttled);
        world.twice(&notify, world.last(&name()).await).await.unwrap();
        for (attempts, minutes) in [(2, 2), (3, 4), (4, 8), (5, 16)] {
            let due = waiting(&world).await[0].next;
            world.clock.set(due);
            world.twice(&notify, world.tick()).await.unwrap();
            let row = waiting(&world).await.remove(0);
            assert_eq!((row.attempts, row.next), (attempts, due.plus(minutes * 60_000)));
        }
    });
}

#[test]
fn a_silent_channel_is_tried_once_a_tick() {
    block_on(async {
        let world = world().await;
        let notify = notify(&world);
        world.notices.close(&Channel::File, ErrorKind::Unavailable);
        for _ in 0..3 {
            let input = world.given_event(&name(), Event::DriftCheckRequested {}).await;
            world.twice(&notify, input).await.unwrap();
        }
        world.notices.open(&Channel::File);
        world.notices.refuse(1);
        world.twice(&notify, later(&world, 1)).await.unwrap();
        assert!(sent(&world).is_empty(), "one attempt failed, and it stood for all three");
        let attempts: Vec<u32> = waiting(&world).await.iter().map(|row| row.attempts).collect();
        assert_eq!(attempts, [2, 2, 2]);
        world.twice(&notify, later(&world, 2)).await.unwrap();
        assert_eq!(sent(&world).len(), 3);
    });
}

#[test]
fn what_cannot_get_through_is_rejected_by_name_after_the_others_were_told() {
    block_on(async {
        let world = world().await;
        let notify = notify(&world);
        world.notices.close(&hook("a.example"), ErrorKind::Denied);
        let input = approval(&world).await;
        let outcome = world.twice(&notify, &input).await;
        let Err(Fault::Reject(reason)) = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("to webhook a.example: "), "{reason}");
        assert!(!reason.contains("secret"), "{reason}");
        assert_eq!(sent(&world), [Channel::File, hook("b.example")]);
        assert!(waiting(&world).await.is_empty());

        // Redriven from the dead letters: those who know are not told again.
        world.notices.open(&hook("a.example"));
        world.twice(&notify, &input).await.unwrap();
        assert_eq!(sent(&world), [Channel::File, hook("b.example"), hook("a.example")]);
    });
}

#[test]
fn what_waited_three_days_ends_in_the_dead_letters_and_can_be_redriven() {
    block_on(async {
        let world = world().await;
        let notify = notify(&world);
        world.notices.close(&hook("b.example"), ErrorKind::Unavailable);
        world.twice(&notify, approval(&world).await).await.unwrap();
        let id = waiting(&world).await[0].notice.id.clone();
        let mut ticks = 0;
        let (tick, reason) = loop {
            let tick = later(&world, 60);
            ticks += 1;
            match world.twice(&notify, &tick).await {
                Ok(()) => assert!(ticks < 80, "never given up"),
                Err(Fault::Reject(reason)) => break (tick, reason),
                Err(fault) => panic!("{fault:?}"),
            }
        };
        assert!((72..=78).contains(&ticks), "given up at the first attempt after 72 hours: {ticks}");
        assert!(reason.contains(&id) && reason.contains("webhook b.example"), "{reason}");
        assert!(reason.contains("ModelApproved of taxi is given up after"), "{reason}");

        let Input::Tick { at } = tick else { panic!("a tick") };
        let kept: Vec<Waiting> = world.rows(&name(), &rows::given_up_prefix(at)).await;
        assert_eq!(kept.len(), 1, "it is not lost");
        world.twice(&notify, later(&world, 60)).await.unwrap();
        assert_eq!(sent(&world).len(), 2, "no other tick looks at it");

        world.notices.open(&hook("b.example"));
        world.twice(&notify, &tick).await.unwrap();
        assert_eq!(world.notices.sent().pop().unwrap(), (hook("b.example"), kept[0].notice.clone()));
        assert!(waiting(&world).await.is_empty());
    });
}

#[test]
fn a_waiting_notice_that_is_refused_is_given_up_at_once() {
    block_on(async {
        let world = world().await;
        let notify = notify(&world);
        world.notices.close(&Channel::File, ErrorKind::Unavailable);
        world.twice(&notify, world.last(&name()).await).await.unwrap();
        world.notices.close(&Channel::File, ErrorKind::Invalid);
        let outcome = world.twice(&notify, later(&world, 1)).await;
        assert!(matches!(outcome, Err(Fault::Reject(_))), "{outcome:?}");
    });
}

#[test]
fn a_tick_sends_no_more_than_its_time_allows() {
    block_on(async {
        let world = world().await;
        let notify = notify(&world);
        world.notices.close(&Channel::File, ErrorKind::Unavailable);
        for _ in 0..=TICK_NOTICES_MAX {
            let input = world.given_event(&name(), Event::DriftCheckRequested {}).await;
            world.deliver(&notify, input).await.unwrap();
        }
        world.notices.open(&Channel::File);
        world.deliver(&notify, later(&world, 1)).await.unwrap();
        assert_eq!((sent(&world).len(), waiting(&world).await.len()), (TICK_NOTICES_MAX, 1));
        world.twice(&notify, later(&world, 5)).await.unwrap();
        assert!(waiting(&world).await.is_empty());
    });
}

#[test]
fn one_pipelines_trouble_does_not_keep_the_others_waiting() {
    block_on(async {
        let world = world().await;
        let notify = notify(&world);
        let broken: PipelineName = "a-broken-one".parse().unwrap();
        let writes = vec![
            Write::insert(Key::listed(&broken), &serde_json::json!({})),
            Write::insert(rows::waiting_key(&broken, "x"), &serde_json::json!({"not": "a notice"})),
        ];
        world.given(&broken, writes, vec![]).await;
        world.notices.close(&Channel::File, ErrorKind::Unavailable);
        world.twice(&notify, world.last(&name()).await).await.unwrap();
        world.notices.open(&Channel::File);
        let outcome = world.twice(&notify, later(&world, 1)).await;
        assert!(matches!(outcome, Err(Fault::Reject(_))), "{outcome:?}");
        assert_eq!(sent(&world), [Channel::File]);
    });
}
