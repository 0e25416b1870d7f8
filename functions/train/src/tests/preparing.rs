//! What a trainer is given: files of a small part, written out by hand.

use domain::row::{Prepared, RunState};
use domain::{Digest, Input, Time};
use engine::baseline::Baseline;
use futures::executor::block_on;
use serde_json::{Value, json};
use simulation::World;

use crate::example::{Trip, accept, name, newest, trips, waiting, world};

const HOUR: i64 = Time::HOUR;

/// Trips with buckets on every side of the cut (test below 2000, validation below 3000).
const TRIPS: [Trip; 8] = [
    (Some(HOUR), Some(1.5), Some("north, \"old\" town"), Some(10.0), 1_999),
    (None, None, None, Some(-0.5), 0),
    (Some(2 * HOUR), Some(2.0), Some("south"), Some(20.25), 2_000),
    (Some(3 * HOUR), Some(3.0), Some("south"), Some(30.0), 3_000),
    (Some(4 * HOUR), None, Some("north"), Some(40.0), 9_999),
    // Without a fare: it teaches nothing, whatever its side.
    (Some(5 * HOUR), Some(5.0), Some("west"), None, 1),
    (Some(6 * HOUR), Some(6.0), Some("west"), None, 5_000),
    (Some(7 * HOUR), Some(1e-7), Some("east"), Some(70.0), 4_000),
];

/// Has a run of some trips prepared.
async fn prepared(changes: Value, trips_of_part: &[Trip]) -> World {
    let (world, train) = world(changes).await;
    let accepted = accept(&world, &trips(trips_of_part), trips_of_part.len() as u64).await;
    world.twice(&train, accepted).await.unwrap();
    world.twice(&train, world.last(&name()).await).await.unwrap();
    world
}

async fn files(world: &World) -> Prepared {
    let run = newest(world).await;
    run.prepared.unwrap_or_else(|| panic!("{:?}", run.state))
}

async fn failure(world: &World) -> String {
    match newest(world).await.state {
        RunState::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_row_stands_on_its_side() {
    block_on(async {
        let world = prepared(json!({}), &TRIPS).await;
        let files = files(&world).await;
        let text = |path| world.blobs.text(path);
        assert_eq!(
            text(&files.channels["train"].path),
            "distance,place,fare\r\n3,south,30\r\n,north,40\r\n0.0000001,east,70\r\n"
        );
        assert_eq!(text(&files.channels["validation"].path), "distance,place,fare\r\n2,south,20.25\r\n");
        assert_eq!(text(&files.test.path), "1.5,\"north, \"\"old\"\" town\"\r\n,\r\n");
        assert_eq!(
            text(&files.truth.path),
            "truth,part,row,bucket,time\r\n10,1,1,1999,3600000\r\n-0.5,1,2,0,\r\n"
        );
        assert_eq!((files.train_rows, files.validation_rows, files.test_rows), (3, 1, 2));
        let run = newest(&world).await;
        assert_eq!(text(&files.channels["features"].path), text(&run.features.path));
        for file in files.channels.values().chain([&files.test, &files.truth, &files.baseline]) {
            assert_eq!(file.digest, Digest::of(text(&file.path).as_bytes()), "{}", file.path);
        }
    });
}

#[test]
fn the_baseline_is_of_the_train_rows_and_names_no_restricted_value() {
    block_on(async {
        let world = prepared(json!({}), &TRIPS).await;
        let file = files(&world).await.baseline;
        let baseline = Baseline::read("baseline.json", world.blobs.text(&file.path).as_bytes()).unwrap();
        assert_eq!((baseline.rows, baseline.newest), (3, Some(world.clock.now())));
        let columns: Vec<&str> = baseline.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, ["distance", "place"]);
        let distance = &baseline.columns[0].counts;
        assert_eq!((distance.present(), distance.missing), (2, 1));
        assert!(!baseline.columns[0].hidden && baseline.columns[1].hidden);
    });
}

#[test]
fn rows_are_cut_by_time_where_that_is_declared() {
    block_on(async {
        // Seven rows have a time: the newest two (hours 6, 7) are the test, hour 5 the validation;
        // hours 5 and 6 have no fare.
        let split = json!({"by": "time", "test": 0.29, "validation": 0.29});
        let world = prepared(json!({ "split": split }), &TRIPS).await;
        let files = files(&world).await;
        let text = |path| world.blobs.text(path);
        assert_eq!(
            text(&files.channels["train"].path),
            "distance,place,fare\r\n1.5,\"north, \"\"old\"\" town\",10\r\n,,-0.5\r\n2,south,20.25\r\n3,south,30\r\n"
        );
        assert_eq!(text(&files.channels["validation"].path), "distance,place,fare\r\n,north,40\r\n");
        assert_eq!(text(&files.truth.path), "truth,part,row,bucket,time\r\n70,1,8,4000,25200000\r\n");
    });
}

#[test]
fn a_target_that_is_an_expression_is_computed_and_what_it_is_made_of_withheld() {
    block_on(async {
        let target = json!({"name": "expensive", "expression": "fare / distance > 10"});
        let world = prepared(json!({ "target": target, "problem": "binary" }), &TRIPS).await;
        let files = files(&world).await;
        let text = |path| world.blobs.text(path);
        // Rows without a distance have no answer either; 30 / 3 is not above 10, 20.25 / 2 is.
        let train = text(&files.channels["train"].path);
        assert_eq!(train, "place,expensive\r\nsouth,false\r\neast,true\r\n");
        assert_eq!(text(&files.channels["validation"].path), "place,expensive\r\nsouth,true\r\n");
        assert_eq!(text(&files.test.path), "\"north, \"\"old\"\" town\"\r\n");
        assert_eq!(text(&files.truth.path), "truth,part,row,bucket,time\r\nfalse,1,1,1999,3600000\r\n");
    });
}

#[test]
fn a_validation_without_rows_is_no_channel() {
    block_on(async {
        let split = json!({"by": "entity", "test": 0.2, "validation": 0.0});
        let world = prepared(json!({ "split": split }), &TRIPS).await;
        let files = files(&world).await;
        let channels: Vec<&str> = files.channels.keys().map(String::as_str).collect();
        assert_eq!((channels, files.validation_rows), (vec!["features", "train"], 0));
        let written = world.blobs.paths().iter().any(|path| path.as_str().contains("validation"));
        assert!(!written);
    });
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    block_on(async {
        let digests = async || {
            let world = prepared(json!({}), &TRIPS).await;
            let files = files(&world).await;
            [files.test, files.truth, files.baseline, files.channels["train"].clone()].map(|file| file.digest)
        };
        assert_eq!(digests().await, digests().await);
    });
}

#[test]
fn rows_that_cannot_be_learned_from_end_the_run_and_nothing_is_started() {
    let fare = |fare: Option<f64>, bucket: i64| (None, Some(1.0), Some("north"), fare, bucket);
    let plain = json!({});
    let binary = json!({"target": {"name": "long", "expression": "distance > 2"}, "problem": "binary"});
    let multiclass = json!({"target": "place", "problem": "multiclass"});
    let text = json!({"target": "place", "problem": "regression"});
    for (changes, trip, reason) in [
        (&plain, fare(None, 1), "none of the 5 selected rows has a value of fare"),
        (&plain, fare(Some(1.0), 1), "none of the 5 selected rows with a value of fare is left to train on"),
        (
            &plain,
            fare(Some(1.0), 5_000),
            "none of the 5 selected rows with a value of fare is withheld to judge by",
        ),
        (&text, fare(Some(1.0), 1), "the target place is a text, a regression needs a number"),
    ] {
        block_on(async {
            let world = prepared(changes.clone(), &[trip; 5]).await;
            assert_eq!(failure(&world).await, reason);
            assert!(world.jobs.started().is_empty() && waiting(&world).await.is_empty());
            let Input::Event(event) = world.last(&name()).await else { panic!() };
            assert_eq!(event.event.kind(), "TrainingFailed");
            let partial = world.blobs.paths().iter().any(|path| path.as_str().ends_with(".csv"));
            assert!(!partial, "half a run's files are left behind");
        });
    }
    for (changes, reason) in [
        (binary, "long has 1 classes in the train rows, a binary problem has 2"),
        (multiclass, "place has one class only in the train rows"),
    ] {
        block_on(async {
            let mut trips = vec![fare(Some(1.0), 5_000); 5];
            trips.push(fare(Some(1.0), 1));
            assert_eq!(failure(&prepared(changes, &trips).await).await, reason);
        });
    }
}

#[test]
fn a_damaged_part_ends_the_run_with_its_name() {
    block_on(async {
        let (world, train) = world(json!({})).await;
        let accepted = accept(&world, b"no part at all", 8).await;
        world.twice(&train, accepted).await.unwrap();
        world.twice(&train, world.last(&name()).await).await.unwrap();
        let reason = failure(&world).await;
        assert!(reason.starts_with("parts/taxi/u1/part.parquet: part: found no Parquet footer"), "{reason}");
    });
    block_on(async {
        let (world, train) = world(json!({})).await;
        let accepted = accept(&world, &trips(&TRIPS), 9).await;
        world.twice(&train, accepted).await.unwrap();
        world.twice(&train, world.last(&name()).await).await.unwrap();
        assert_eq!(failure(&world).await, "part 1 holds 8 rows, 9 were accepted");
    });
}
