//! Checks in a world in memory; every input is delivered twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::key::prefix;
use domain::pipeline::{ProblemType, Program, Target as Declared};
use domain::row::{
    Applied, ApprovalState, Check, CheckVerdict, Endpoint, File, Labels, Lineage, Model, Served,
};
use domain::{Actor, BlobPath, Digest, Event, Input, Key, Pipeline, PipelineName, Time, digest};
use engine::baseline::{BaselineBuilder, ColumnBaseline, LossCounter};
use engine::features::{Features, Target};
use engine::metrics::Loss;
use engine::table::{Batch, Column, Kind, Schema};
use futures::executor::block_on;
use ports::{BlobsExt as _, Write};
use simulation::World;

use crate::Drift;

const ROWS: usize = 400;

fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

fn drift(world: &World) -> Drift {
    Drift { records: world.records.clone(), blobs: world.blobs.clone() }
}

/// Row `i`: a number that runs evenly from 0 to 10 over and over, a place, and the answer, which
/// is twice the number.
fn row(i: usize) -> (f64, &'static str, f64) {
    let x = (i * 37 % 100) as f64 / 10.0;
    (x, ["north", "south"][i / 3 % 2], 2.0 * x)
}

/// The error the model makes on row `i` when all is well: at most 0.3 either way.
fn error(i: usize) -> f64 {
    (i % 7) as f64 / 10.0 - 0.3
}

async fn put(world: &World, path: &str, bytes: &[u8]) -> File {
    world.blobs.put(&BlobPath::parse(path).unwrap(), bytes).await.unwrap()
}

fn batch(rows: usize) -> Batch {
    let schema = Schema::of([("x", Kind::Number), ("place", Kind::Text)]);
    let numbers = (0..rows).map(|i| Some(row(i).0)).collect();
    let places = (0..rows).map(|i| Some(row(i).1.to_owned())).collect();
    Batch::new(Arc::new(schema), vec![Column::Number(numbers), Column::Text(places)])
}

async fn baseline(world: &World) -> File {
    let trained = batch(1_000);
    let mut builder = BaselineBuilder::new(trained.schema());
    builder.push(&trained);
    let mut baseline = builder.finish();
    let losses: Vec<f64> = (0..1_000).map(|i| error(i) * error(i)).collect();
    let reference = {
        let mut counter = LossCounter::new(&baseline, Loss::SquaredError);
        counter.push(&trained, &losses);
        counter.finish()
    };
    baseline.reference_error = reference;
    let answers = Column::Number((0..1_000).map(|i| Some(row(i).2)).collect());
    baseline.predictions = Some(ColumnBaseline::of("prediction", &answers));
    baseline.newest = Some(world.clock.now());
    put(world, "runs/old/baseline-served.json", &baseline.written()).await
}

async fn model(world: &World) -> Model {
    let any = Digest::of(b"any");
    let target = Target { name: "y".into(), kind: Kind::Number, expression: None, known: Default::default() };
    let features = Features::compile(batch(0).schema(), &BTreeMap::new(), &[], &target).unwrap();
    let lineage = Lineage {
        selection: any,
        parts: Vec::new(),
        contract: any,
        pipeline: any,
        features: any,
        program: any,
        artifact: any,
        hyperparameters: BTreeMap::new(),
        evaluation: any,
        report: any,
    };
    let file = File { path: BlobPath::parse("any").unwrap(), digest: any };
    Model {
        version: 3,
        run: "old".into(),
        binding: Digest::of_json(&lineage),
        lineage,
        artifact: file.clone(),
        baseline: baseline(world).await,
        golden: file.clone(),
        features: put(world, "runs/old/features.json", &features.to_json()).await,
        report: file,
        metrics: BTreeMap::new(),
        champion: None,
        requested_by: Actor::person("bob"),
        newest: world.clock.now(),
        cycle: 1,
        at: world.clock.now(),
        approval: ApprovalState::Pending,
    }
}

/// Version 3 has served for ten days.
async fn world() -> World {
    let world = World::new();
    let file = |path: &str| File { path: BlobPath::parse(path).unwrap(), digest: Digest::of(b"any") };
    let spec: Pipeline = serde_json::from_value(serde_json::json!({
        "name": "taxi", "contract": "contract.yaml", "target": "y", "problem": "regression",
        "approval": {"approvers": ["alice"]},
        "monitoring": {"window_days": 31, "every_hours": 24, "minimum_rows": 100},
    }))
    .unwrap();
    let applied = Applied {
        revision: 1,
        digest: spec.digest(),
        spec,
        contract: file("contract.yaml"),
        features: file("features.json"),
        program: BTreeMap::new(),
        program_digest: Digest::of(b"boost"),
        by: Actor::person("bob"),
        at: world.clock.now(),
    };
    let served = Served {
        program: Program::Boost,
        files: BTreeMap::new(),
        target: Declared::Column("y".into()),
        problem: ProblemType::Regression,
        classes: Vec::new(),
    };
    let path = BlobPath::run(&name(), "old", Served::FILE);
    world.blobs.put(&path, digest::canonical(&served).as_bytes()).await.unwrap();
    let endpoint = Endpoint {
        name: "taxi".into(),
        champion: 3,
        previous: None,
        deployment: "d".into(),
        since: world.clock.now(),
    };
    let writes = vec![
        Write::insert(Key::of(&name(), prefix::PIPELINE), &applied),
        Write::insert(Key::listed(&name()), &serde_json::json!({})),
        Write::insert(Key::numbered(&name(), prefix::MODEL, 3), &model(&world).await),
        Write::insert(Key::named(&name(), prefix::ENDPOINT, "taxi"), &endpoint),
    ];
    world.given(&name(), writes, vec![Event::RetrainingRequested { reason: "facts".into() }]).await;
    world.clock.advance(10 * Time::DAY);
    world
}

/// Captures `rows` requests at a time, twenty rows each; `moved` is added to the number.
fn traffic(world: &World, at: Time, moved: f64) {
    let mut lines = String::new();
    for request in 0..ROWS / 20 {
        let rows = request * 20..(request + 1) * 20;
        let input: String = rows.clone().map(|i| format!("{},{}\n", row(i).0 + moved, row(i).1)).collect();
        let output: String = rows.map(|i| format!("{}\n", row(i).2)).collect();
        let line = serde_json::json!({
            "captureData": {
                "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": input, "encoding": "CSV"},
                "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": output, "encoding": "CSV"},
            },
            "eventMetadata": {"eventId": format!("e{request}"), "inferenceId": format!("r{request}"), "inferenceTime": at},
            "eventVersion": "0",
        });
        lines.push_str(&format!("{line}\n"));
    }
    capture(world, at, "00-00-000-a.jsonl", &lines);
}

fn capture(world: &World, at: Time, file: &str, lines: &str) {
    let path = format!("{}/{file}", BlobPath::capture_hour("taxi", at));
    world.blobs.insert(&BlobPath::parse(&path).unwrap(), lines.to_owned());
}

/// The truth of every row comes: `times` as far from the answer as on the withheld rows.
async fn labels(world: &World, times: f64) -> Input {
    let mut text = "inference_id,label\n".to_owned();
    for i in 0..ROWS {
        text.push_str(&format!("r{}/{},{}\n", i / 20, i % 20, row(i).2 + times * error(i)));
    }
    let file = put(world, "labels/taxi/some.csv", text.as_bytes()).await;
    let labels =
        Labels { file: file.clone(), rows: ROWS as u64, by: Actor::person("bob"), at: world.clock.now() };
    let key = Key::named(&name(), prefix::LABELS, "some");
    let event = Event::LabelsReceived { labels: file, rows: ROWS as u64 };
    let mut events = world.given(&name(), vec![Write::insert(key, &labels)], vec![event]).await;
    Input::Event(Box::new(events.remove(0)))
}

async fn asked(world: &World) -> Input {
    world.given_event(&name(), Event::DriftCheckRequested {}).await
}

async fn checks(world: &World) -> Vec<Check> {
    let mut checks: Vec<Check> = world.rows(&name(), prefix::CHECK).await;
    checks.sort_by_key(|check| check.at);
    checks
}

async fn only(world: &World) -> Check {
    let mut checks = checks(world).await;
    assert_eq!(checks.len(), 1);
    checks.remove(0)
}

#[test]
fn calm_traffic_is_ok_and_asks_for_nothing() {
    block_on(async {
        let world = world().await;
        traffic(&world, world.clock.now().plus(-Time::DAY), 0.0);
        world.twice(&drift(&world), asked(&world).await).await.unwrap();
        let check = only(&world).await;
        assert_eq!(
            (check.verdict, check.rows, check.labelled),
            (CheckVerdict::Ok, 400, 0),
            "{}",
            check.summary
        );
        assert_eq!((check.version, check.to), (3, world.clock.now()));
        assert!(check.columns.is_empty());
        assert_eq!(world.kinds(&name()).await.last(), Some(&"DriftChecked"));
        assert!(world.blobs.text(&check.report.path).contains("answered by version 3"));
        let result: serde_json::Value = serde_json::from_str(&world.blobs.text(&check.result.path)).unwrap();
        assert_eq!(result["report"]["verdict"], "ok");
    });
}

#[test]
fn traffic_that_moved_is_drift_with_its_columns_and_asks_for_retraining() {
    block_on(async {
        let world = world().await;
        traffic(&world, world.clock.now().plus(-Time::DAY), 5.0);
        world.twice(&drift(&world), asked(&world).await).await.unwrap();
        let check = only(&world).await;
        assert_eq!(check.verdict, CheckVerdict::Drift);
        assert_eq!(check.columns, ["x"], "the places and the answers are as they were");
        let last = world.events(&name()).await.pop().unwrap();
        let Event::DriftDetected { columns, cycle, version, check: id, summary, .. } = last.event else {
            panic!("{:?}", last.event)
        };
        assert_eq!((columns, cycle, version, id), (vec!["x".to_owned()], 2, 3, check.id));
        assert!(summary.contains('x'), "{summary}");
    });
}

#[test]
fn labels_show_that_the_error_has_grown() {
    block_on(async {
        let world = world().await;
        traffic(&world, world.clock.now().plus(-Time::DAY), 0.0);
        let drift = drift(&world);
        world.twice(&drift, labels(&world, 3.0).await).await.unwrap();
        let check = only(&world).await;
        assert_eq!((check.verdict, check.labelled), (CheckVerdict::ConceptDrift, 400), "{}", check.summary);
        assert!(check.summary.starts_with("the error has grown"), "{}", check.summary);
        let kinds = world.kinds(&name()).await;
        assert_eq!(kinds[kinds.len() - 2..], ["DriftChecked", "DriftDetected"]);
    });
}

#[test]
fn labels_that_agree_with_the_answers_change_nothing() {
    block_on(async {
        let world = world().await;
        traffic(&world, world.clock.now().plus(-Time::DAY), 0.0);
        world.twice(&drift(&world), labels(&world, 1.0).await).await.unwrap();
        let check = only(&world).await;
        assert_eq!((check.verdict, check.labelled), (CheckVerdict::Ok, 400), "{}", check.summary);
    });
}

#[test]
fn a_tick_checks_only_when_it_is_time_and_there_is_new_traffic() {
    block_on(async {
        let world = world().await;
        let drift = drift(&world);
        world.twice(&drift, world.tick()).await.unwrap();
        assert_eq!(checks(&world).await.len(), 0, "no traffic yet");
        traffic(&world, world.clock.now(), 0.0);
        for (hours, expected, why) in
            [(1, 1, "the first traffic"), (1, 1, "not time yet"), (24, 1, "time, but nothing new")]
        {
            world.clock.advance(hours * Time::HOUR);
            world.twice(&drift, world.tick()).await.unwrap();
            assert_eq!(checks(&world).await.len(), expected, "{why}");
        }
        traffic(&world, world.clock.now(), 5.0);
        world.twice(&drift, world.tick()).await.unwrap();
        let checks = checks(&world).await;
        assert_eq!((checks.len(), checks[1].rows), (2, 800), "the window reaches back");
    });
}

#[test]
fn traffic_before_the_version_took_over_is_not_looked_at() {
    block_on(async {
        let world = world().await;
        traffic(&world, world.clock.now().plus(-11 * Time::DAY), 5.0);
        world.twice(&drift(&world), asked(&world).await).await.unwrap();
        let check = only(&world).await;
        assert_eq!((check.verdict, check.rows), (CheckVerdict::InsufficientData, 0));
        assert_eq!(check.from, world.clock.now().plus(-10 * Time::DAY));
    });
}

#[test]
fn lines_that_cannot_be_read_are_counted_and_the_rest_is_checked() {
    block_on(async {
        let world = world().await;
        let at = world.clock.now().plus(-Time::DAY);
        traffic(&world, at, 0.0);
        let line = |input: &str, output: &str| {
            serde_json::json!({
                "captureData": {"endpointInput": {"data": input, "encoding": "CSV"}, "endpointOutput": {"data": output, "encoding": "CSV"}},
                "eventMetadata": {"eventId": "e", "inferenceTime": at},
            })
            .to_string()
        };
        let lines = [
            "not JSON".to_owned(),
            "{}".to_owned(),
            line("1,north", "bad request"),
            line("one,north", "1"),
            line("1,north,more", "1"),
            line("1,north", "2"),
        ];
        capture(&world, at, "30-00-000-b.jsonl", &lines.join("\n"));
        world.twice(&drift(&world), asked(&world).await).await.unwrap();
        let check = only(&world).await;
        assert_eq!((check.verdict, check.rows), (CheckVerdict::Ok, 401), "{}", check.summary);
        assert!(
            check.summary.ends_with("5 captured requests or rows could not be read"),
            "{}",
            check.summary
        );
        let result: serde_json::Value = serde_json::from_str(&world.blobs.text(&check.result.path)).unwrap();
        assert_eq!(
            result["unreadable"],
            serde_json::json!({"a line that is not JSON": 1, "no eventMetadata.inferenceTime": 1,
                "a row that does not fit the serving columns": 2, "the answers do not fit the rows asked": 1})
        );
    });
}

#[test]
fn where_nothing_serves_there_is_nothing_to_check() {
    block_on(async {
        let world = World::new();
        let request = asked(&world).await;
        world.twice(&drift(&world), request).await.unwrap();
        assert_eq!(world.kinds(&name()).await, ["DriftCheckRequested"]);
    });
}

/// Seed 1795566621450056 of the simulation: of two deliveries of one request the slower one looked
/// at a later window, and wrote its result over the one that the check names.
#[test]
fn a_slower_check_of_the_same_request_writes_over_nothing() {
    block_on(async {
        let world = world().await;
        traffic(&world, world.clock.now().plus(-Time::DAY), 0.0);
        let request = asked(&world).await;
        world.deliver(&drift(&world), &request).await.unwrap();
        let check = only(&world).await;

        // The slower delivery has not seen the check, and begins later.
        world.records.tamper(&crate::rows::check_key(&name(), &check.id), None);
        world.clock.advance(Time::HOUR);
        world.deliver(&drift(&world), &request).await.unwrap();

        for file in [&check.result, &check.report] {
            let bytes = world.blobs.read(&file.path).unwrap();
            assert_eq!(Digest::of(&bytes), file.digest, "{}", file.path);
        }
    });
}
