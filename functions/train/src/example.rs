//! What the tests of this crate build on: a taxi company's contract, declaration and parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::key::prefix;
use domain::pipeline::Target as Declared;
use domain::row::{Applied, Counts, Fate, File, Part, Run, RunState, Upload};
use domain::{Actor, BlobPath, Digest, Event, Input, Key, Pipeline, PipelineName, Time};
use engine::contract::Contract;
use engine::features::{Features, Target};
use engine::part::{BUCKET, ROW, write_all};
use engine::table::{Batch, Column, Kind, Schema};
use ports::{BlobsExt as _, RecordsExt as _, Write};
use serde_json::{Value, json};
use simulation::World;

use crate::{Train, rows};

pub(crate) const CONTRACT: &str = "\
apiVersion: v3.1.0
kind: DataContract
id: trips
version: 1.0.0
status: active
schema:
  - name: trips
    properties:
      - {name: id, logicalType: string}
      - {name: at, logicalType: timestamp}
      - {name: distance, logicalType: number}
      - {name: place, logicalType: string, classification: restricted}
      - {name: fare, logicalType: number}
";

pub(crate) fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

pub(crate) fn train(world: &World) -> Train {
    Train { records: world.records.clone(), blobs: world.blobs.clone(), jobs: world.jobs.clone() }
}

/// The declaration, with some of its fields replaced.
pub(crate) fn spec(changes: Value) -> Pipeline {
    let mut spec = json!({
        "name": "taxi", "contract": "contract.yaml", "target": "fare", "problem": "regression",
        "entity": ["id"], "time": "at", "withhold": ["at"],
        "approval": {"approvers": ["alice"]},
        "evaluation": {"importances": false},
        "training": {"minimum_rows": 5, "hyperparameters": {"eta": 0.5, "seed": 7, "note": "as is"}},
        "retraining": {"on": ["data", "drift"], "minimum_new_rows": 8, "cooldown_hours": 24},
    });
    for (field, value) in changes.as_object().unwrap() {
        spec[field] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

/// Applies a declaration, as the console does.
pub(crate) async fn apply(world: &World, spec: Pipeline) -> Applied {
    let schema = Contract::parse("contract.yaml", CONTRACT).unwrap().schema();
    let expression = match &spec.target {
        Declared::Column(_) => None,
        Declared::Expression { expression, .. } => Some(expression.as_str()),
    };
    let target = Target::compile(spec.target.name(), expression, &schema).unwrap();
    let mut hidden = target.made_of();
    hidden.extend(spec.entity.iter().chain(&spec.withhold).cloned());
    let fields = schema.fields.into_iter().filter(|field| !hidden.contains(&field.name)).collect();
    let features = Features::compile(&Schema { fields }, &spec.features, &spec.drop, &target).unwrap();
    let bytes = features.to_json();
    let path = BlobPath::config(&name(), &Digest::of(&bytes), "features.json");
    let key = Key::of(&name(), prefix::PIPELINE);
    let before = world.records.read::<Applied>(&key).await.unwrap();
    let applied = Applied {
        revision: before.as_ref().map_or(1, |before| before.value.revision + 1),
        digest: spec.digest(),
        spec,
        contract: put(world, "config/contract.yaml", CONTRACT.as_bytes()).await,
        features: world.blobs.put(&path, &bytes).await.unwrap(),
        program: BTreeMap::new(),
        program_digest: Digest::of(b"boost"),
        by: Actor::person("alice"),
        at: world.clock.now(),
    };
    let mut writes = vec![Write::put(key, before.as_ref().map(|row| row.version), &applied)];
    if before.is_none() {
        writes.push(Write::insert(Key::listed(&name()), &json!({})));
    }
    let event = Event::PipelineApplied {
        revision: applied.revision,
        pipeline_digest: applied.digest,
        contract_digest: applied.contract.digest,
    };
    world.given(&name(), writes, vec![event]).await;
    applied
}

pub(crate) async fn put(world: &World, path: &str, bytes: &[u8]) -> File {
    world.blobs.put(&BlobPath::parse(path).unwrap(), bytes).await.unwrap()
}

/// A trip: when, how far, where, for how much, and its bucket.
pub(crate) type Trip = (Option<i64>, Option<f64>, Option<&'static str>, Option<f64>, i64);

/// A part as ingest writes it.
pub(crate) fn trips(trips: &[Trip]) -> Vec<u8> {
    let schema = Schema::of([
        ("id", Kind::Text),
        ("at", Kind::Timestamp),
        ("distance", Kind::Number),
        ("place", Kind::Text),
        ("fare", Kind::Number),
        (ROW, Kind::Integer),
        (BUCKET, Kind::Integer),
    ]);
    let numbers = 1..=trips.len() as i64;
    let columns = vec![
        Column::Text(numbers.clone().map(|number| Some(format!("T{number}"))).collect()),
        Column::Timestamp(trips.iter().map(|trip| trip.0).collect()),
        Column::Number(trips.iter().map(|trip| trip.1).collect()),
        Column::Text(trips.iter().map(|trip| trip.2.map(str::to_owned)).collect()),
        Column::Number(trips.iter().map(|trip| trip.3).collect()),
        Column::Integer(numbers.map(Some).collect()),
        Column::Integer(trips.iter().map(|trip| Some(trip.4)).collect()),
    ];
    let schema = Arc::new(schema);
    write_all(&schema, [Batch::new(schema.clone(), columns)])
}

/// Ten trips, evenly over the buckets: with 20 % withheld and 10 % for validation, the first two
/// are the test and the third is the validation.
pub(crate) fn ten() -> Vec<u8> {
    let trip =
        |i: i64| (Some(i * Time::HOUR), Some(i as f64), Some("north"), Some(2.0 * i as f64), i * 1_000);
    trips(&(0..10).map(trip).collect::<Vec<Trip>>())
}

/// Accepts a part of so many rows, uploaded by bob; answers the news of it.
pub(crate) async fn accept(world: &World, bytes: &[u8], rows: u64) -> Input {
    let key = Key::of(&name(), prefix::COUNTS);
    let before = world.records.read::<Counts>(&key).await.unwrap();
    let version = before.as_ref().map(|row| row.version);
    let mut counts = before.map_or_else(Counts::default, |row| row.value);
    counts.parts += 1;
    let (number, now) = (counts.parts, world.clock.now());
    let data = put(world, &format!("parts/taxi/u{number}/part.parquet"), bytes).await;
    let upload = Upload {
        id: format!("u{number}"),
        file: "trips.csv".into(),
        path: data.path.clone(),
        version: None,
        content: data.digest,
        bytes: 1,
        by: Actor::person("bob"),
        at: now,
        as_of: now,
        fate: Fate::Accepted { part: number },
        rows_read: rows,
        rows_bad: 0,
        report: None,
        report_json: None,
        quarantine: None,
    };
    let part = Part {
        number,
        digest: data.digest,
        upload: upload.id.clone(),
        data: data.clone(),
        bytes: bytes.len() as u64,
        profile: data.clone(),
        rows,
        rows_bad: 0,
        contract: Digest::of(CONTRACT.as_bytes()),
        as_of: now,
        at: now,
    };
    let writes = vec![
        Write::put(key, version, &counts),
        Write::insert(Key::named(&name(), prefix::UPLOAD, &upload.id), &upload),
        Write::insert(Key::numbered(&name(), prefix::PART, number), &part),
    ];
    let event = Event::PartAccepted {
        upload: upload.id.clone(),
        part: number,
        digest: part.digest,
        rows,
        rows_bad: 0,
        report: data,
    };
    let mut events = world.given(&name(), writes, vec![event]).await;
    Input::Event(Box::new(events.remove(0)))
}

/// A world where the pipeline is applied.
pub(crate) async fn world(changes: Value) -> (World, Train) {
    let world = World::new();
    apply(&world, spec(changes)).await;
    let train = train(&world);
    (world, train)
}

/// The newest run.
pub(crate) async fn newest(world: &World) -> Run {
    rows::runs(&*world.records, &name()).await.unwrap().pop().expect("a run was planned")
}

/// How many runs there are.
pub(crate) async fn runs(world: &World) -> usize {
    rows::runs(&*world.records, &name()).await.unwrap().len()
}

/// The newest run becomes something that is not train's to decide; answers the news of it.
pub(crate) async fn becomes(world: &World, state: RunState, event: Event) -> Input {
    let mut run = newest(world).await;
    let key = rows::run_key(&name(), &run.id);
    let version = world.records.read::<Run>(&key).await.unwrap().unwrap().version;
    run.state = state;
    let mut events = world.given(&name(), vec![Write::update(key, version, &run)], vec![event]).await;
    Input::Event(Box::new(events.remove(0)))
}

/// The newest run is judged and turned down; answers the news of it.
pub(crate) async fn rejected(world: &World) -> Input {
    let (run, reason) = (newest(world).await.id, "not better".to_owned());
    let event = Event::ModelRejected { run, version: None, reason: reason.clone() };
    becomes(world, RunState::Rejected { reason }, event).await
}

/// A run of the first part that is planned, trained and turned down.
pub(crate) async fn one_run_over(world: &World, train: &Train) {
    let accepted = accept(world, &ten(), 10).await;
    world.twice(train, accepted).await.unwrap();
    world.twice(train, world.last(&name()).await).await.unwrap();
    let job = world.jobs.running().remove(0);
    world.jobs.complete(&job, "a model");
    world.twice(train, changed(&job)).await.unwrap();
    let over = rejected(world).await;
    world.twice(train, over).await.unwrap();
    assert_eq!(waiting(world).await, Vec::<String>::new());
}

pub(crate) fn changed(job: &str) -> Input {
    let (name, status) = (job.to_owned(), "Completed".to_owned());
    Input::JobChanged(domain::input::Changed { name, status, identity: "1".into() })
}

/// What waits, by the ends of the rows' keys.
pub(crate) async fn waiting(world: &World) -> Vec<String> {
    let prefix = Key::waiting(&name(), "train", "").sort;
    let rows = world.records.all::<Value>(&Key::partition(&name()), &prefix).await.unwrap();
    rows.into_iter().map(|(sort, _)| sort[prefix.len()..].to_owned()).collect()
}
