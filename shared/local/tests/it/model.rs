//! Whether the table in a file and the table in memory answer every history alike.

use std::collections::BTreeMap;
use std::path::Path;

use domain::{Key, PipelineName};
use futures::executor::block_on;
use local::SqliteRecords;
use ports::{Commit, Expect, Records, Version, Write};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};
use simulation::MemoryRecords;

use crate::records::{at, draft};

/// A write of a history: which of few rows, expecting what, writing what.
#[derive(Clone, Debug)]
struct Step {
    row: usize,
    expect: Guess,
    value: Option<Value>,
}

/// Few versions, and often the right one.
#[derive(Clone, Debug)]
enum Guess {
    Absent,
    Version(Version),
    /// What stands there.
    Right,
}

#[derive(Clone, Debug)]
struct Act {
    id: usize,
    pipeline: usize,
    steps: Vec<Step>,
    events: usize,
}

fn pipeline(number: usize) -> PipelineName {
    ["a", "a-b", "b"][number].parse().unwrap()
}

fn key(pipeline: &PipelineName, row: usize) -> Key {
    match row {
        0 => Key::numbered(pipeline, "part/", 1),
        1 => Key::of(pipeline, "counts"),
        2 => Key::waiting(pipeline, "train", "ä/1"),
        3 => Key::named(pipeline, "ticket/", ""),
        // A row that all pipelines share.
        4 => Key { partition: Key::PIPELINES.into(), sort: "shared".into() },
        _ => Key::of(pipeline, "head"),
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_map(|number| json!({ "z": number, "a": [number] })),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        ".*".prop_map(|text| json!({ "text": text })),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let guess = prop_oneof![
        3 => Just(Guess::Absent),
        1 => (0..4u64).prop_map(Guess::Version),
        1 => any::<u64>().prop_map(Guess::Version),
        8 => Just(Guess::Right),
    ];
    let row = prop_oneof![20 => 0..5usize, 1 => Just(5usize)];
    (row, guess, proptest::option::weighted(0.8, value())).prop_map(|(row, expect, value)| Step {
        row,
        expect,
        value,
    })
}

fn act() -> impl Strategy<Value = Act> {
    (0..12usize, 0..3usize, proptest::collection::vec(step(), 0..4), 0..3usize)
        .prop_map(|(id, pipeline, steps, events)| Act { id, pipeline, steps, events })
}

fn commit_of(act: &Act, memory: &MemoryRecords) -> Commit {
    let pipeline = pipeline(act.pipeline);
    let write = |step: &Step| {
        let key = key(&pipeline, step.row);
        let expect = match step.expect {
            Guess::Absent => Expect::Absent,
            Guess::Version(version) => Expect::Version(version),
            Guess::Right => block_on(memory.get(&key))
                .unwrap()
                .map_or(Expect::Absent, |record| Expect::Version(record.version)),
        };
        Write { key, expect, value: step.value.clone() }
    };
    let writes = act.steps.iter().map(write).collect();
    let events = (0..act.events).map(|number| draft(&format!("{}-{number}", act.id))).collect();
    Commit { id: format!("commit {}", act.id), pipeline, at: at(), writes, events }
}

/// Every row of the file but the handled marks, as `MemoryRecords::dump` says them.
fn dump(path: &Path) -> BTreeMap<Key, (Version, String)> {
    let raw = Connection::open(path).unwrap();
    let mut statement = raw.prepare("SELECT partition, sort, version, value FROM rows").unwrap();
    let rows = statement.query_map([], |row| {
        let key = Key { partition: row.get(0)?, sort: row.get(1)? };
        Ok((key, (row.get::<_, i64>(2)? as Version, row.get(3)?)))
    });
    let rows = rows.unwrap().map(Result::unwrap);
    rows.filter(|(key, _)| !key.sort.starts_with("handled/")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_history_is_answered_as_in_memory(
        acts in proptest::collection::vec(act(), 1..30),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("millrace.db");
        let memory = MemoryRecords::default();
        let mut file = SqliteRecords::open(&path).unwrap();
        for (place, act) in acts.iter().enumerate() {
            let commit = commit_of(act, &memory);
            let told = |answer: ports::Result<_>| answer.map_err(|error| (error.kind(), error.to_string()));
            let expected = told(block_on(memory.commit(&commit)));
            prop_assert_eq!(told(block_on(file.commit(&commit))), expected);
            for step in &act.steps {
                let key = key(&commit.pipeline, step.row);
                prop_assert_eq!(block_on(file.get(&key)).unwrap(), block_on(memory.get(&key)).unwrap());
            }
            if place % 10 == 9 {
                drop(file);
                file = SqliteRecords::open(&path).unwrap();
            }
        }
        prop_assert_eq!(dump(&path), memory.dump());
        for number in 0..3 {
            let partition = Key::partition(&pipeline(number));
            for (prefix, after) in [("", None), ("event/", None), ("", Some("event/000000001")), ("p", Some("a"))] {
                let expected = block_on(memory.list(&partition, prefix, after)).unwrap();
                prop_assert_eq!(block_on(file.list(&partition, prefix, after)).unwrap(), expected);
            }
            let found = block_on(ports::ledger::verify(&file, &pipeline(number), None)).unwrap();
            prop_assert_eq!(found.findings, vec![]);
        }
    }
}
