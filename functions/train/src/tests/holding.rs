//! What is held for its budget, and how it goes on.

use domain::row::{Ask, RunState};
use domain::{Actor, Event, Input, Key, Time};
use futures::executor::block_on;
use serde_json::{Value, json};
use simulation::World;

use crate::example::{accept, changed, name, newest, rejected, runs, ten, waiting, world};

/// A run may take 10,800 job-seconds: one at a time.
fn one_at_a_time() -> Value {
    json!({
        "budget": {"per_month": {"seconds": 20_000}}, "retraining": {"on": []},
        "training": {"minimum_rows": 5},
    })
}

async fn request(world: &World, reason: &str) -> Input {
    world.given_event(&name(), Event::RetrainingRequested { reason: reason.into() }).await
}

async fn kinds(world: &World, kind: &str) -> usize {
    world.events(&name()).await.iter().filter(|event| event.event.kind() == kind).count()
}

#[test]
fn what_two_people_ask_for_over_the_budget_waits_until_the_run_before_is_over() {
    block_on(async {
        let (world, train) = world(one_at_a_time()).await;
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        let first = request(&world, "a first model").await;
        world.twice(&train, first).await.unwrap();
        assert_eq!(newest(&world).await.spend.reserved.total(), 10_800);
        for reason in ["a second", "a third"] {
            let asked = request(&world, reason).await;
            world.twice(&train, asked).await.unwrap();
        }
        assert_eq!((runs(&world).await, kinds(&world, "RunHeld").await), (1, 2));
        assert_eq!(waiting(&world).await.iter().filter(|row| row.starts_with("ask-request-")).count(), 2);

        // The tick changes nothing, and tells nobody again.
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!((runs(&world).await, kinds(&world, "RunHeld").await), (1, 2));

        let run = newest(&world).await;
        let job = format!("taxi-train-{}", run.id);
        world.twice(&train, world.last(&name()).await).await.unwrap();
        let planned =
            world.events(&name()).await.into_iter().find(|event| event.event.kind() == "TrainingRequested");
        world.twice(&train, Input::Event(Box::new(planned.unwrap()))).await.unwrap();
        world.jobs.complete(&job, "a model");
        world.twice(&train, changed(&job)).await.unwrap();
        assert_eq!(newest(&world).await.spend.used.training, 60, "what memory's jobs take");
        let over = rejected(&world).await;
        world.twice(&train, over).await.unwrap();
        // One of the two has it; the other goes on waiting, and nobody is told anew.
        assert_eq!((runs(&world).await, kinds(&world, "RunHeld").await), (2, 2));
        assert_eq!(waiting(&world).await.iter().filter(|row| row.starts_with("ask-request-")).count(), 1);
    });
}

#[test]
fn whom_an_approver_lets_gets_the_run_that_was_held_and_no_other() {
    block_on(async {
        let small = json!({"budget": {"per_run": {"seconds": 60}}, "retraining": {"on": ["data"]}});
        let (world, train) = world(small).await;
        let accepted = accept(&world, &ten(), 1_000).await;
        world.twice(&train, &accepted).await.unwrap();
        assert_eq!((runs(&world).await, waiting(&world).await), (0, vec!["ask-data".to_owned()]));
        let held: Ask = world.row(&Key::waiting(&name(), "train", "ask-data")).await.unwrap();
        let id = held.held.unwrap();
        let why = "its jobs may take 10800 job-seconds, and budget.per_run.seconds is 60";
        assert_eq!(held.waits, why);
        let Input::Event(told) = world.last(&name()).await else { panic!() };
        assert_eq!(told.event, Event::RunHeld { run: id.clone(), reason: why.into() });

        let lift = |runs: &[&str]| Event::BudgetLifted {
            runs: runs.iter().map(|run| (*run).to_owned()).collect(),
            reason: "worth it".into(),
        };
        let other = world.given_event(&name(), lift(&["another"])).await;
        world.twice(&train, other).await.unwrap();
        assert_eq!(runs(&world).await, 0);
        let lifted = world.given_event(&name(), lift(&[&id])).await;
        world.twice(&train, &lifted).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((run.id, run.number, run.state), (id, 1, RunState::Requested));
        assert_eq!(run.spend.lifted, Some(Actor::person("tester")));

        // Neither the part's news nor the lift, come late, let another run go.
        world.deliver(&train, &accepted).await.unwrap();
        let more = accept(&world, &ten(), 1_000).await;
        world.twice(&train, more).await.unwrap();
        world.deliver(&train, &lifted).await.unwrap();
        assert_eq!(runs(&world).await, 1);
    });
}

#[test]
fn a_new_month_lets_what_was_held_go() {
    block_on(async {
        let (world, train) = world(one_at_a_time()).await;
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        for reason in ["a first model", "a second"] {
            let asked = request(&world, reason).await;
            world.twice(&train, asked).await.unwrap();
        }
        assert_eq!(runs(&world).await, 1);
        world.clock.advance(31 * Time::DAY);
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!(runs(&world).await, 2);
    });
}
