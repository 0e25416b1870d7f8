//! Uploads in a world in memory; every input is delivered twice.

mod arriving;
mod reconciling;
mod together;
mod versions;

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::input::ObjectCreated;
use domain::key::prefix;
use domain::row::{Accepted, Applied, Counts, Fate, File, Part, Ticket, Upload};
use domain::{Actor, BlobPath, Digest, Event, Input, Key, Pipeline, PipelineName, Time, limit};
use engine::part::{self, BUCKET, ROW};
use engine::profile::Profile;
use engine::report::DataReport;
use engine::table::{Batch, Column};
use futures::executor::block_on;
use ports::{BlobsExt as _, Fault, Handler as _, RecordsExt as _, Write};
use simulation::World;

use crate::Ingest;

const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: trips
version: 1.0.0
status: active
schema:
  - name: trips
    properties:
      - {name: id, logicalType: string, required: true, primaryKey: true}
      - {name: fare, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
      - {name: rider, logicalType: string, classification: restricted}
      - {name: day, logicalType: date}
slaProperties:
  - {property: latency, value: 40, unit: d, element: trips.day}
customProperties:
  - {property: maxQuarantinePercent, value: 40}
";

/// Five rows; the third breaks the bound of `fare`, so that rows 1, 2, 4 and 5 are good.
const TOLERATED: &str = "id,fare,rider,day\na,1.5,ann,2025-12-31\nb,2,,2025-12-31\nc,-3,cid,2025-12-31\nd,4,dan,\ne,5,eve,2025-12-30\n";

const GOOD: &str = "id,fare,rider,day\na,1.5,ann,2025-12-31\nb,2,,2025-12-31\n";

fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

fn ingest(world: &World) -> Ingest {
    Ingest { records: world.records.clone(), blobs: world.blobs.clone(), incoming: world.incoming.clone() }
}

async fn put(world: &World, path: &str, bytes: &[u8]) -> File {
    world.blobs.put(&BlobPath::parse(path).unwrap(), bytes).await.unwrap()
}

/// Declares the pipeline `taxi` under a contract, for the first time or again.
async fn apply(world: &World, contract: &str) {
    let spec: Pipeline = serde_json::from_value(serde_json::json!({
        "name": "taxi", "contract": "contract.yaml", "target": "fare", "problem": "regression",
        "entity": ["id"], "approval": {"approvers": ["alice"]},
    }))
    .unwrap();
    let key = Key::of(&name(), prefix::PIPELINE);
    let before = world.records.read::<Applied>(&key).await.unwrap();
    let digest = Digest::of(contract.as_bytes());
    let applied = Applied {
        revision: before.as_ref().map_or(1, |row| row.value.revision + 1),
        digest: spec.digest(),
        spec,
        contract: put(world, &format!("config/taxi/{}/contract.yaml", digest.short()), contract.as_bytes())
            .await,
        features: put(world, "config/taxi/features.json", b"{}").await,
        program: BTreeMap::new(),
        program_digest: Digest::of(b"boost"),
        by: Actor::person("bob"),
        at: world.clock.now(),
    };
    let mut writes = vec![Write::put(key, before.as_ref().map(|row| row.version), &applied)];
    if before.is_none() {
        writes.push(Write::insert(Key::listed(&name()), &serde_json::json!({})));
    }
    let event = Event::PipelineApplied {
        revision: applied.revision,
        pipeline_digest: applied.digest,
        contract_digest: digest,
    };
    world.given(&name(), writes, vec![event]).await;
}

/// A world with the pipeline, and the function in it.
async fn world() -> (World, Ingest) {
    let world = World::new();
    apply(&world, CONTRACT).await;
    let ingest = ingest(&world);
    (world, ingest)
}

/// Puts an object into the incoming bucket, and answers the news of it.
fn land(world: &World, key: &str, bytes: impl Into<Bytes>) -> Input {
    let bytes = bytes.into();
    let size = bytes.len() as u64;
    let version = world.incoming.insert(&BlobPath::parse(key).unwrap(), bytes);
    Input::ObjectCreated(ObjectCreated {
        bucket: "incoming".into(),
        key: key.into(),
        size: Some(size),
        identity: version.clone(),
        version: Some(version),
        requester: "111122223333".into(),
        at: world.clock.now(),
    })
}

/// The same news, of a bucket that keeps no versions.
fn unversioned(news: Input) -> Input {
    let Input::ObjectCreated(object) = news else { panic!("{news:?}") };
    Input::ObjectCreated(ObjectCreated { version: None, ..object })
}

/// Announces an upload by the person `ann`; answers the key it is to be put under.
async fn announce(world: &World, upload: &str, file: &str, as_of: Option<&str>) -> String {
    let as_of = as_of.map(|time| time.parse::<Time>().unwrap());
    let ticket = Ticket { file: file.into(), as_of, by: Actor::person("ann"), at: world.clock.now() };
    let key = Key::named(&name(), prefix::TICKET, upload);
    world.given(&name(), vec![Write::insert(key, &ticket)], Vec::new()).await;
    BlobPath::incoming(&name(), as_of, upload, file).unwrap().to_string()
}

async fn tickets(world: &World) -> usize {
    world.rows::<Ticket>(&name(), prefix::TICKET).await.len()
}

async fn upload(world: &World, id: &str) -> Upload {
    world.row(&Key::named(&name(), prefix::UPLOAD, id)).await.unwrap()
}

async fn uploads(world: &World) -> Vec<Upload> {
    world.rows(&name(), prefix::UPLOAD).await
}

async fn parts(world: &World) -> Vec<Part> {
    world.rows(&name(), prefix::PART).await
}

async fn counts(world: &World) -> Option<Counts> {
    world.row(&Key::of(&name(), prefix::COUNTS)).await
}

/// A file of ours, whose bytes are the recorded ones.
fn bytes(world: &World, file: &File) -> Bytes {
    let bytes = world.blobs.read(&file.path).unwrap();
    assert_eq!(Digest::of(&bytes), file.digest, "{}", file.path);
    bytes
}

fn table(world: &World, file: &File) -> Batch {
    part::read_all("file", &bytes(world, file)).unwrap()
}

fn text(values: &[Option<&str>]) -> Column {
    Column::Text(values.iter().map(|value| value.map(str::to_owned)).collect())
}

fn integers(values: &[i64]) -> Column {
    Column::Integer(values.iter().map(|value| Some(*value)).collect())
}

/// Names of our files of uploads, without their folders.
fn written(world: &World) -> Vec<String> {
    let paths = world.blobs.paths();
    let ours = paths.iter().filter(|path| path.as_str().starts_with("parts/"));
    ours.map(|path| path.file_name().to_owned()).collect()
}

fn rejected(upload: &Upload) -> &str {
    match &upload.fate {
        Fate::Rejected { reason } => reason,
        fate => panic!("{fate:?} in place of a rejection"),
    }
}

#[test]
fn a_good_upload_becomes_a_part_with_everything_that_tells_of_it() {
    block_on(async {
        let (world, ingest) = world().await;
        let key = announce(&world, "u1", "january.csv", Some("2025-12-31")).await;
        let input = land(&world, &key, GOOD);
        world.twice(&ingest, &input).await.unwrap();

        let upload = upload(&world, "u1").await;
        assert_eq!(upload.fate, Fate::Accepted { part: 1 });
        assert_eq!((upload.file.as_str(), upload.path.as_str()), ("january.csv", key.as_str()));
        assert_eq!((upload.content, upload.bytes), (Digest::of(GOOD.as_bytes()), GOOD.len() as u64));
        assert_eq!((upload.by, upload.rows_read, upload.rows_bad), (Actor::person("ann"), 2, 0));
        assert_eq!(upload.as_of, "2025-12-31".parse().unwrap());
        assert_eq!(upload.quarantine, None);
        let report = upload.report.unwrap();
        let report_json = bytes(&world, &upload.report_json.unwrap());
        assert!(bytes(&world, &report).starts_with(b"<!doctype html>"));
        let told: DataReport = serde_json::from_slice(&report_json).unwrap();
        assert_eq!((told.file.as_str(), told.rows_good), ("january.csv", 2));

        let parts = parts(&world).await;
        let [part] = parts.as_slice() else { panic!("{parts:?}") };
        let contract = Digest::of(CONTRACT.as_bytes());
        assert_eq!(part.digest, Digest::of_parts(&[&Digest::of(GOOD.as_bytes()).hex(), &contract.hex()]));
        assert_eq!((part.number, part.rows, part.rows_bad, part.contract), (1, 2, 0, contract));
        assert_eq!((part.upload.as_str(), part.as_of), ("u1", upload.as_of));
        assert_eq!(part.bytes, bytes(&world, &part.data).len() as u64);
        let profile: Profile = serde_json::from_slice(&bytes(&world, &part.profile)).unwrap();
        assert_eq!(profile, told.profile);
        assert_eq!(counts(&world).await.unwrap().parts, 1);
        let accepted: Accepted =
            world.row(&Key::named(&name(), prefix::ACCEPTED, &part.digest.hex())).await.unwrap();
        assert_eq!(accepted, Accepted { part: 1, upload: "u1".into() });
        assert_eq!(tickets(&world).await, 0, "the ticket is used up");

        let event = world.events(&name()).await.pop().unwrap();
        assert_eq!(
            (event.actor, event.as_of, event.cause),
            (Actor::person("ann"), Some(part.as_of), input.id())
        );
        let Event::PartAccepted { upload, part: number, digest, rows, rows_bad, report: page } = event.event
        else {
            panic!("{:?}", event.event)
        };
        assert_eq!((upload.as_str(), number, digest, rows, rows_bad), ("u1", 1, part.digest, 2, 0));
        assert_eq!(page, report);
    });
}

#[test]
fn the_part_holds_the_good_rows_with_their_place_and_bucket_and_quarantine_the_bad_ones() {
    block_on(async {
        let (world, ingest) = world().await;
        let key = announce(&world, "u1", "january.csv", None).await;
        world.twice(&ingest, land(&world, &key, TOLERATED)).await.unwrap();

        let parts = parts(&world).await;
        let good = table(&world, &parts[0].data);
        assert_eq!(good.column("id").unwrap(), &text(&[Some("a"), Some("b"), Some("d"), Some("e")]));
        assert_eq!(
            good.column("fare").unwrap(),
            &Column::Number(vec![Some(1.5), Some(2.0), Some(4.0), Some(5.0)])
        );
        assert_eq!(good.column("rider").unwrap(), &text(&[Some("ann"), None, Some("dan"), Some("eve")]));
        // Days since 1970: 2025-12-31 is 20453.
        let days = vec![Some(20_453), Some(20_453), None, Some(20_452)];
        assert_eq!(good.column("day").unwrap(), &Column::Date(days));
        assert_eq!(good.column(ROW).unwrap(), &integers(&[1, 2, 4, 5]));
        // Python: parts = ['taxi', id]; int.from_bytes(sha256(b''.join(len(p).to_bytes(8,'big')+p
        // for p in parts)).digest()[:8],'big') % 10000
        assert_eq!(good.column(BUCKET).unwrap(), &integers(&[2820, 2765, 7994, 2211]));

        let upload = upload(&world, "u1").await;
        assert_eq!((upload.rows_read, upload.rows_bad, parts[0].rows, parts[0].rows_bad), (5, 1, 4, 1));
        let bad = table(&world, &upload.quarantine.unwrap());
        assert_eq!(bad.column("source_row").unwrap(), &integers(&[3]));
        assert_eq!(bad.column("text").unwrap(), &text(&[Some("c,-3,cid,2025-12-31")]));
        let event = world.events(&name()).await.pop().unwrap();
        assert!(matches!(event.event, Event::PartAccepted { rows: 4, rows_bad: 1, .. }), "{event:?}");
    });
}

#[test]
fn a_file_of_many_chunks_gives_the_part_of_the_same_rows() {
    block_on(async {
        let (world, ingest) = world().await;
        let mut csv = "id,fare,rider,day\n".to_owned();
        let rows = 60_000;
        for i in 0..rows {
            csv.push_str(&format!("trip-{i},{}.25,rider {i},2026-01-0{}\n", i % 100, 1 + i % 4));
        }
        assert!(csv.len() > 2 * limit::CHUNK_BYTES);
        let input = land(&world, "taxi/all.csv", csv.clone());
        world.twice(&ingest, input).await.unwrap();
        let parts = parts(&world).await;
        assert_eq!((parts[0].rows, parts[0].rows_bad), (rows, 0));
        assert_eq!(uploads(&world).await[0].content, Digest::of(csv.as_bytes()));
        let table = table(&world, &parts[0].data);
        let numbers: Vec<i64> = (1..=rows as i64).collect();
        assert_eq!(table.column(ROW).unwrap(), &integers(&numbers));
    });
}

#[test]
fn a_rejected_upload_leaves_a_report_and_its_bad_rows_and_no_part() {
    block_on(async {
        let (world, ingest) = world().await;
        let key = announce(&world, "u1", "bad.csv", None).await;
        let csv = "id,fare,rider,day\na,1,ann,\na,2,bob,\nb,x,secret,\nc,3,cid,\n";
        world.twice(&ingest, land(&world, &key, csv)).await.unwrap();

        let upload = upload(&world, "u1").await;
        assert_eq!(rejected(&upload), "2 of 4 rows are bad (50.0 %), the contract tolerates 40 %");
        assert_eq!((upload.rows_read, upload.rows_bad), (4, 2));
        assert_eq!(table(&world, upload.quarantine.as_ref().unwrap()).rows(), 2);
        assert_eq!(written(&world), ["quarantine.parquet", "report.html", "report.json"]);
        assert!(parts(&world).await.is_empty());
        assert_eq!((counts(&world).await, tickets(&world).await), (None, 0));
        let event = world.events(&name()).await.pop().unwrap();
        let Event::PartRejected { upload: id, file, reason, report } = event.event else { panic!() };
        assert_eq!((id.as_str(), file.as_str(), reason.as_str()), ("u1", "bad.csv", rejected(&upload)));
        assert_eq!(report, upload.report);
    });
}

#[test]
fn files_that_are_no_table_are_rejected_with_what_they_are() {
    let cases: [(&[u8], &str); 8] = [
        (b"\x1f\x8b\x08\x00", "x.csv: packing: found an end in the middle, expected a whole gzip file"),
        (b"\x28\xb5\x2f\xfd\x04", "x.csv: packing: found an end in the middle, expected a whole zstd file"),
        (b"PAR1\x15\x04", "x.csv: Parquet: found no Parquet footer, expected the end of a Parquet file"),
        (b"PK\x03\x04\x14", "x.csv: encoding: found a zip archive or a spreadsheet"),
        (b"\xff\xfei\0d\0", "x.csv: encoding: found UTF-16"),
        (b"", "x.csv: header: found an empty file"),
        (
            b"a,b\n1,2\n",
            "x.csv:1: missing header: found a first line of 2 fields, none of them the name of a column",
        ),
        (b"id,fare,rider,day\n", "there is no row below the header"),
    ];
    for (content, complaint) in cases {
        block_on(async {
            let (world, ingest) = world().await;
            let key = announce(&world, "u1", "x.csv", None).await;
            world.twice(&ingest, land(&world, &key, content.to_vec())).await.unwrap();
            let upload = upload(&world, "u1").await;
            assert!(rejected(&upload).starts_with(complaint), "{}", rejected(&upload));
            assert_eq!((upload.content, upload.quarantine), (Digest::of(content), None));
            assert_eq!(written(&world), ["report.html", "report.json"]);
        });
    }
}

#[test]
fn the_same_bytes_again_are_a_duplicate_and_add_nothing() {
    block_on(async {
        let (world, ingest) = world().await;
        let first = announce(&world, "u1", "a.csv", None).await;
        world.twice(&ingest, land(&world, &first, TOLERATED)).await.unwrap();
        let second = announce(&world, "u2", "b.csv", None).await;
        world.twice(&ingest, land(&world, &second, TOLERATED)).await.unwrap();

        let upload = upload(&world, "u2").await;
        assert_eq!((upload.fate, upload.quarantine), (Fate::Duplicate { part: 1 }, None));
        assert!(upload.report.is_some());
        assert_eq!((parts(&world).await.len(), counts(&world).await.unwrap().parts), (1, 1));
        let made = written(&world).iter().filter(|file| *file == "part.parquet").count();
        assert_eq!((made, tickets(&world).await), (1, 0));
        let event = world.events(&name()).await.pop().unwrap();
        let repeated = Event::UploadRepeated { upload: "u2".into(), file: "b.csv".into(), part: 1 };
        assert_eq!((event.event, event.actor), (repeated, Actor::person("ann")));
    });
}

#[test]
fn the_same_bytes_under_another_contract_are_another_part() {
    block_on(async {
        let (world, ingest) = world().await;
        world.twice(&ingest, land(&world, "taxi/a/trips.csv", GOOD)).await.unwrap();
        apply(&world, &CONTRACT.replace("minimum: 0", "minimum: 1")).await;
        world.twice(&ingest, land(&world, "taxi/b/trips.csv", GOOD)).await.unwrap();
        let parts = parts(&world).await;
        assert_eq!(parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 2]);
        assert_ne!(parts[0].digest, parts[1].digest);
        assert_ne!(parts[0].contract, parts[1].contract);
        assert_eq!(world.kinds(&name()).await.iter().filter(|kind| **kind == "PartAccepted").count(), 2);
    });
}

#[test]
fn a_contract_that_cannot_be_read_is_our_fault_and_keeps_the_upload() {
    block_on(async {
        let (world, ingest) = world().await;
        let applied: Applied = world.row(&Key::of(&name(), prefix::PIPELINE)).await.unwrap();
        world.blobs.insert(&applied.contract.path, "schema: []");
        let Err(Fault::Reject(reason)) = world.twice(&ingest, land(&world, "taxi/a.csv", GOOD)).await else {
            panic!("a contract that was tampered with")
        };
        assert!(reason.contains("has other bytes than were applied"), "{reason}");
        assert!(uploads(&world).await.is_empty() && written(&world).is_empty());
    });
}
