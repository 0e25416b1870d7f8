//! Whether the world finds out handlers that a second delivery makes do something again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use domain::{BlobPath, Event, Input, Key, PipelineName, Time};
use futures::executor::block_on;
use ports::handler::Plan;
use ports::{BlobsExt, Cx, Error, ErrorKind, Fault, Handler, Records, Write};
use simulation::World;

fn taxi() -> PipelineName {
    "taxi".parse().unwrap()
}

/// What a handler does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    CountsDeliveries,
    StoresNow,
    CommitsAnew,
    Rejects,
    RejectsOnce,
    Retries,
}

struct Careless {
    world: Arc<World>,
    wrong: Wrong,
    deliveries: AtomicU64,
}

#[async_trait]
impl Handler for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> Result<(), Fault> {
        let delivery = self.deliveries.fetch_add(1, Ordering::SeqCst);
        let mut step = String::new();
        let mut content = input.id();
        match self.wrong {
            Wrong::Nothing => {}
            Wrong::CountsDeliveries => content = delivery.to_string(),
            Wrong::StoresNow => content = cx.now.to_string(),
            Wrong::CommitsAnew => step = delivery.to_string(),
            Wrong::Rejects => return Err(Fault::Reject("for good".into())),
            Wrong::RejectsOnce if delivery == 0 => return Err(Fault::Reject("once".into())),
            Wrong::RejectsOnce => return Ok(()),
            Wrong::Retries => return Err(Error::new(ErrorKind::Unavailable, "tried").into()),
        }
        let path = BlobPath::parse("report").unwrap();
        self.world.blobs.put(&path, content.as_bytes()).await?;
        let mut plan = Plan::new("careless", cx, input, &taxi(), &step);
        plan.write(Write::insert(Key::waiting(&taxi(), "careless", &delivery.to_string()), &1));
        plan.emit(Event::DriftCheckRequested {});
        plan.commit(&*self.world.records).await?;
        Ok(())
    }
}

/// Delivers a tick twice; answers the world, how it ended, and how often it was delivered.
fn twice(wrong: Wrong) -> (Arc<World>, Result<(), Fault>, u64) {
    let world = Arc::new(World::new());
    let handler = Careless { world: world.clone(), wrong, deliveries: AtomicU64::new(0) };
    let ended = block_on(world.twice(&handler, world.tick()));
    (world, ended, handler.deliveries.into_inner())
}

#[test]
fn a_careful_handler_happens_once() {
    let (world, ended, deliveries) = twice(Wrong::Nothing);
    ended.unwrap();
    assert_eq!(deliveries, 2);
    assert_eq!(block_on(world.kinds(&taxi())), ["DriftCheckRequested"]);
    assert_eq!(block_on(world.rows::<u64>(&taxi(), "waiting/")), [1]);
}

#[test]
#[should_panic(expected = "careless: the second delivery changed the blob report")]
fn a_handler_that_counts_deliveries_is_found() {
    let _ = twice(Wrong::CountsDeliveries);
}

#[test]
#[should_panic(expected = "careless: the second delivery changed the blob report")]
fn a_handler_that_stores_the_time_of_delivery_is_found() {
    let _ = twice(Wrong::StoresNow);
}

#[test]
#[should_panic(expected = "careless: the second delivery changed the row")]
fn a_handler_that_commits_anew_is_found() {
    let _ = twice(Wrong::CommitsAnew);
}

#[test]
#[should_panic(expected = "careless: the first delivery ended with")]
fn a_handler_that_rejects_only_once_is_found() {
    let _ = twice(Wrong::RejectsOnce);
}

#[test]
fn a_rejection_is_answered() {
    let (_, ended, deliveries) = twice(Wrong::Rejects);
    assert!(matches!(ended, Err(Fault::Reject(reason)) if reason == "for good"));
    assert_eq!(deliveries, 2);
}

#[test]
fn after_a_retry_there_is_no_second_delivery() {
    let (_, ended, deliveries) = twice(Wrong::Retries);
    assert!(matches!(ended, Err(Fault::Retry(_))));
    assert_eq!(deliveries, 1);
}

#[test]
fn the_clock_moves_only_when_it_is_moved() {
    let world = World::new();
    assert_eq!(world.clock.now().to_string(), "2026-01-05T09:00:00.000Z");
    world.clock.advance(Time::DAY);
    assert_eq!(world.tick(), Input::Tick { at: "2026-01-06T09:00:00Z".parse().unwrap() });
}

#[test]
fn what_is_given_stands_in_the_ledger() {
    let world = World::new();
    let counts = Key::of(&taxi(), "counts");
    let given = block_on(async {
        world.given_event(&taxi(), Event::DriftCheckRequested {}).await;
        let write = Write::insert(counts.clone(), &7);
        world.given(&taxi(), vec![write], vec![Event::DriftCheckRequested {}]).await
    });
    assert_eq!(given.len(), 1);
    assert_eq!((given[0].sequence, given[0].rows.len()), (2, 1));
    assert_eq!(block_on(world.row::<u64>(&counts)), Some(7));
    assert_eq!(block_on(world.last(&taxi())), Input::Event(Box::new(given[0].clone())));
    assert!(block_on(world.records.get(&counts)).unwrap().is_some());
}
