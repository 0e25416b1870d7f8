//! When a run is planned, from what, and what waits.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::key::prefix;
use domain::pipeline::Trigger;
use domain::row::{Ask, CheckVerdict, Counts, Cut, RunState, Selection};
use domain::{Actor, BlobPath, Digest, Event, Input, Key, Time, limit};
use futures::executor::block_on;
use ports::{Commit, Committed, Cx, Handler as _, Page, Record, Records};
use serde_json::json;
use simulation::{MemoryRecords, World};

use crate::Train;
use crate::example::{self, accept, name, newest, runs, ten, waiting, world};

fn drift(cycle: u32) -> Event {
    Event::DriftDetected {
        check: "c".into(),
        endpoint: "taxi".into(),
        version: 1,
        verdict: CheckVerdict::Drift,
        columns: vec!["distance".into()],
        summary: "distance has moved".into(),
        cycle,
    }
}

#[test]
fn the_first_rows_start_a_run_of_a_frozen_selection() {
    block_on(async {
        let (world, train) = world(json!({})).await;
        let few = accept(&world, &ten(), 4).await;
        world.twice(&train, few).await.unwrap();
        assert_eq!((runs(&world).await, waiting(&world).await), (0, vec!["ask-data".to_owned()]));
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, &accepted).await.unwrap();

        let run = newest(&world).await;
        assert_eq!(
            (run.number, run.trigger, run.cycle, run.state),
            (1, Trigger::Data, 0, RunState::Requested)
        );
        assert_eq!((run.by, run.reason.as_str()), (Actor::person("bob"), "the first 14 rows"));
        assert_eq!((run.parts, run.rows, run.newest), (vec![1, 2], 14, world.clock.now()));
        let bytes = world.blobs.read(&run.selection.path).unwrap();
        assert_eq!(run.selection.digest, Digest::of(&bytes));
        let short = run.selection.digest.short();
        assert_eq!(run.selection.path.as_str(), format!("runs/taxi/{}/selection-{short}.json", run.id));
        let selection: Selection = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(selection.cut, Cut::Entity { test: 2_000, validation: 1_000 });
        assert_eq!(selection.parts.iter().map(|part| part.rows).collect::<Vec<u64>>(), [4, 10]);
        assert_eq!(waiting(&world).await, [format!("run-{}", run.id)]);
        let counts: Counts = world.row(&Key::of(&name(), prefix::COUNTS)).await.unwrap();
        assert_eq!((counts.parts, counts.runs), (2, 1));
        let Input::Event(event) = world.last(&name()).await else { panic!() };
        let Input::Event(cause) = accepted else { panic!() };
        assert_eq!((event.event.kind(), &event.correlation), ("TrainingRequested", &cause.correlation));

        // A part that comes later is not in it.
        let third = accept(&world, &ten(), 10).await;
        world.twice(&train, third).await.unwrap();
        assert_eq!((newest(&world).await.selection, runs(&world).await), (run.selection, 1));
    });
}

#[test]
fn a_run_learns_from_the_newest_parts_of_its_window() {
    block_on(async {
        let training = json!({"minimum_rows": 5, "window_parts": 2});
        let (world, train) = world(json!({ "training": training, "retraining": {"on": []} })).await;
        for _ in 0..3 {
            let accepted = accept(&world, &ten(), 10).await;
            world.twice(&train, accepted).await.unwrap();
        }
        // No trigger is declared, so nothing waits.
        assert_eq!((runs(&world).await, waiting(&world).await), (0, Vec::new()));
        let asked = Event::RetrainingRequested { reason: "I want to see".into() };
        let asked = world.given_event(&name(), asked).await;
        world.twice(&train, asked).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((run.parts, run.rows), (vec![2, 3], 20));
    });
}

#[test]
fn a_person_gets_a_run_at_once_or_is_told_why_not() {
    block_on(async {
        let (world, train) = world(json!({})).await;
        let ask = || Event::RetrainingRequested { reason: "a better target".into() };
        let asked = world.given_event(&name(), ask()).await;
        world.twice(&train, asked).await.unwrap();
        let Input::Event(event) = world.last(&name()).await else { panic!() };
        let Event::TrainingFailed { reason, .. } = &event.event else { panic!("{event:?}") };
        assert_eq!(reason, "there is no accepted row to learn from");
        assert_eq!((runs(&world).await, waiting(&world).await), (0, Vec::new()));

        // Within the cooldown, and while another run is under way.
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        let asked = world.given_event(&name(), ask()).await;
        world.twice(&train, asked).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((run.number, run.trigger, run.cycle), (2, Trigger::Request, 0));
        assert_eq!((run.by, run.reason.as_str()), (Actor::person("tester"), "a better target"));
    });
}

#[test]
fn new_data_waits_for_the_cooldown_and_the_tick_ends_it() {
    block_on(async {
        let (world, train) = world(json!({})).await;
        example::one_run_over(&world, &train).await;
        world.clock.advance(Time::HOUR);
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, &accepted).await.unwrap();
        let row: Ask = world.row(&Key::waiting(&name(), "train", "ask-data")).await.unwrap();
        assert_eq!(row.waits, "the cooldown ends at 2026-01-06T09:00:00.000Z");
        assert_eq!((row.cause, row.by), (accepted.id(), Actor::person("bob")));

        world.clock.advance(22 * Time::HOUR);
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!(runs(&world).await, 1);
        world.clock.advance(Time::HOUR);
        world.twice(&train, world.tick()).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((run.number, run.reason.as_str(), run.by), (2, "10 new rows", Actor::person("bob")));
        assert_eq!(waiting(&world).await, [format!("run-{}", run.id)]);

        // The news of the part comes again, long after.
        world.deliver(&train, &accepted).await.unwrap();
        assert_eq!(runs(&world).await, 2);
        assert_eq!(waiting(&world).await, [format!("run-{}", run.id)]);
    });
}

#[test]
fn a_changed_declaration_wakes_what_waits_for_a_run() {
    block_on(async {
        let (world, train) = world(json!({ "training": {"minimum_rows": 100} })).await;
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        assert_eq!((runs(&world).await, waiting(&world).await), (0, vec!["ask-data".to_owned()]));
        example::apply(&world, example::spec(json!({ "training": {"minimum_rows": 5} }))).await;
        let applied = world.last(&name()).await;
        world.twice(&train, applied).await.unwrap();
        assert_eq!((runs(&world).await, newest(&world).await.rows), (1, 10));
    });
}

#[test]
fn drift_waits_for_a_part_that_nothing_was_learned_from() {
    block_on(async {
        let (world, train) = world(json!({})).await;
        example::one_run_over(&world, &train).await;
        world.clock.advance(2 * Time::DAY);
        let found = world.given_event(&name(), drift(3)).await;
        world.twice(&train, found).await.unwrap();
        for _ in 0..3 {
            world.clock.advance(Time::DAY);
            world.twice(&train, world.tick()).await.unwrap();
        }
        assert_eq!((runs(&world).await, waiting(&world).await), (1, vec!["ask-drift".to_owned()]));

        // Too few new rows for the trigger `data`; enough for drift.
        let accepted = accept(&world, &ten(), 7).await;
        world.twice(&train, accepted).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((run.number, run.trigger, run.cycle), (2, Trigger::Drift, 3));
        assert_eq!((run.by, run.reason.as_str()), (Actor::function("drift"), "distance has moved"));
        assert_eq!(run.parts, [1, 2]);
    });
}

#[test]
fn what_waits_for_a_run_under_way_goes_on_when_it_is_over() {
    block_on(async {
        let retraining = json!({"on": ["data", "drift"], "minimum_new_rows": 8, "cooldown_hours": 0});
        let (world, train) = world(json!({ "retraining": retraining })).await;
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        let row: Ask = world.row(&Key::waiting(&name(), "train", "ask-data")).await.unwrap();
        assert_eq!(row.waits, "run 1 is under way");
        let over = example::rejected(&world).await;
        world.twice(&train, over).await.unwrap();
        assert_eq!(newest(&world).await.parts, [1, 2]);
        assert_eq!(runs(&world).await, 2);
    });
}

#[test]
fn a_schedule_runs_when_its_days_have_passed_and_there_is_a_new_part() {
    block_on(async {
        let retraining = json!({"on": ["schedule"], "every_days": 7, "cooldown_hours": 24});
        let (world, train) = world(json!({ "retraining": retraining })).await;
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        assert_eq!((runs(&world).await, waiting(&world).await), (0, Vec::new()));
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!(newest(&world).await.trigger, Trigger::Schedule);
        example::rejected(&world).await;

        world.clock.advance(8 * Time::DAY);
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!(runs(&world).await, 1, "nothing is new");
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        world.clock.advance(Time::HOUR);
        world.twice(&train, world.tick()).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((run.number, run.reason.as_str()), (2, "7 days after run 1"));
    });
}

/// A table where something else is handled between a handling's reads and its first commit.
#[derive(Debug)]
struct Interrupted {
    records: Arc<MemoryRecords>,
    first: Mutex<Option<(Train, Cx, Input)>>,
}

#[async_trait]
impl Records for Interrupted {
    async fn get(&self, key: &Key) -> ports::Result<Option<Record>> {
        self.records.get(key).await
    }

    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> ports::Result<Page> {
        self.records.list(partition, prefix, after).await
    }

    async fn commit(&self, commit: &Commit) -> ports::Result<Committed> {
        let first = self.first.lock().unwrap().take();
        if let Some((train, cx, input)) = first {
            train.handle(&cx, &input).await.unwrap();
        }
        self.records.commit(commit).await
    }
}

fn interrupted(world: &World, first: Input, later: i64) -> Train {
    let cx = world.cx(world.clock.now().plus(later));
    let first = Mutex::new(Some((example::train(world), cx, first)));
    let records = Arc::new(Interrupted { records: world.records.clone(), first });
    Train { records, ..example::train(world) }
}

#[test]
fn two_that_wake_the_same_ask_at_once_plan_one_run() {
    block_on(async {
        let (world, train) = world(json!({})).await;
        example::one_run_over(&world, &train).await;
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        world.clock.advance(25 * Time::HOUR);
        let other = Input::Tick { at: world.clock.now().plus(Time::SECOND) };
        let both = interrupted(&world, other, Time::SECOND);
        world.deliver(&both, world.tick()).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((runs(&world).await, run.number), (2, 2));
        assert_eq!(waiting(&world).await, [format!("run-{}", run.id)]);
    });
}

#[test]
fn drift_and_data_at_once_plan_one_run_after_the_other() {
    block_on(async {
        let (world, train) = world(json!({})).await;
        example::one_run_over(&world, &train).await;
        world.clock.advance(2 * Time::DAY);
        let found = world.given_event(&name(), drift(1)).await;
        let accepted = accept(&world, &ten(), 10).await;
        let both = interrupted(&world, found, 0);
        world.deliver(&both, accepted).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((runs(&world).await, run.trigger), (2, Trigger::Drift));
        let row: Ask = world.row(&Key::waiting(&name(), "train", "ask-data")).await.unwrap();
        assert_eq!(row.waits, "run 2 is under way");
    });
}

#[test]
fn a_chain_of_retrainings_without_a_person_ends() {
    block_on(async {
        let (world, train) = world(json!({})).await;
        example::one_run_over(&world, &train).await;
        world.clock.advance(2 * Time::DAY);
        let found = world.given_event(&name(), drift(limit::RETRAIN_CYCLES_MAX + 1)).await;
        world.twice(&train, found).await.unwrap();
        assert_eq!((runs(&world).await, waiting(&world).await), (1, Vec::new()));
    });
}

#[test]
fn a_split_by_time_is_frozen_when_the_run_is_planned() {
    block_on(async {
        let split = json!({"by": "time", "test": 0.2, "validation": 0.1});
        let (world, train) = world(json!({ "split": split })).await;
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        let run = newest(&world).await;
        let selection: Selection =
            serde_json::from_slice(&world.blobs.read(&run.selection.path).unwrap()).unwrap();
        // Hours 0 to 9: the last two are the test, the one before them the validation.
        let hour = 3_600_000;
        let cut = Cut::Time { column: "at".into(), validation: 7 * hour, test: 8 * hour };
        assert_eq!(selection.cut, cut);
    });
}

#[test]
fn an_ask_that_cannot_be_planned_fails_where_it_can_be_seen() {
    block_on(async {
        let split = json!({"by": "time", "test": 0.2, "validation": 0.1});
        let (world, train) = world(json!({ "split": split })).await;
        let accepted = accept(&world, b"no part at all", 10).await;
        world.twice(&train, accepted).await.unwrap();
        let Input::Event(event) = world.last(&name()).await else { panic!() };
        let Event::TrainingFailed { reason, .. } = &event.event else { panic!("{event:?}") };
        assert!(reason.starts_with("parts/taxi/u1/part.parquet: part: found no Parquet footer"), "{reason}");
        assert_eq!((runs(&world).await, waiting(&world).await), (0, Vec::new()));
        let selections = |path: &&BlobPath| path.as_str().contains("selection");
        assert_eq!(world.blobs.paths().iter().filter(selections).count(), 0);
    });
}
