//! Whether the table in a file and the table in memory answer every history alike.
//!
//! Histories are made and, where one is answered differently, shortened by proptest's state
//! machines: the table in memory is the model. A failure is kept in `tests/proptest-regressions`
//! and played first from then on.

use std::collections::BTreeMap;
use std::path::Path;

use domain::{Key, PipelineName};
use futures::executor::block_on;
use local::SqliteRecords;
use ports::{Commit, Committed, ErrorKind, Expect, Page, Records, Version, Write};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use rusqlite::Connection;
use serde_json::{Value, json};
use simulation::MemoryRecords;
use tempfile::TempDir;

use crate::records::{at, draft};

/// Rows of a [`Step::Fill`]: two of them are more than a page.
const FILL_ROWS: usize = 60;

/// A step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// A commit, perhaps under an id that was used before.
    Commit(Act),
    /// The last commit, word for word.
    Again,
    /// A commit of many rows, so that listings have pages.
    Fill { pipeline: usize, number: usize },
    /// A row is read.
    Get { pipeline: usize, row: usize },
    /// A page is read.
    List { pipeline: usize, prefix: &'static str, after: Option<&'static str> },
    /// Every page is read, each from where the one before ended.
    Walk { pipeline: usize, prefix: &'static str },
    /// The table is closed, and opened again.
    Reopen,
}

#[derive(Clone, Debug)]
struct Act {
    id: usize,
    pipeline: usize,
    changes: Vec<Change>,
    events: usize,
}

/// Which of few rows is changed, expecting what, to what; none removes it.
#[derive(Clone, Debug)]
struct Change {
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

fn change() -> impl Strategy<Value = Change> {
    let guess = prop_oneof![
        3 => Just(Guess::Absent),
        1 => (0..4u64).prop_map(Guess::Version),
        1 => any::<u64>().prop_map(Guess::Version),
        8 => Just(Guess::Right),
    ];
    let row = prop_oneof![20 => 0..5usize, 1 => Just(5usize)];
    let value = proptest::option::weighted(0.8, value());
    (row, guess, value).prop_map(|(row, expect, value)| Change { row, expect, value })
}

fn act() -> impl Strategy<Value = Act> {
    (0..12usize, 0..3usize, proptest::collection::vec(change(), 0..4), 0..3usize)
        .prop_map(|(id, pipeline, changes, events)| Act { id, pipeline, changes, events })
}

fn step() -> impl Strategy<Value = Step> {
    let prefix = || prop::sample::select(&["", "event/", "ticket/", "ticket/u0", "p", "none/"][..]);
    let after = prop::option::of(prop::sample::select(&["", "a", "event/000000001", "ticket/u070", "~"][..]));
    prop_oneof![
        12 => act().prop_map(Step::Commit),
        2 => Just(Step::Again),
        2 => (0..3usize, 0..3usize).prop_map(|(pipeline, number)| Step::Fill { pipeline, number }),
        3 => (0..3usize, 0..6usize).prop_map(|(pipeline, row)| Step::Get { pipeline, row }),
        3 => (0..3usize, prefix(), after)
            .prop_map(|(pipeline, prefix, after)| Step::List { pipeline, prefix, after }),
        2 => (0..3usize, prefix()).prop_map(|(pipeline, prefix)| Step::Walk { pipeline, prefix }),
        1 => Just(Step::Reopen),
    ]
}

/// What a commit was answered: the same error is the same kind and the same sentence.
type Answer = Result<Committed, (ErrorKind, String)>;

fn commit(records: &dyn Records, commit: &Commit) -> Answer {
    block_on(records.commit(commit)).map_err(|error| (error.kind(), error.to_string()))
}

/// The table in memory, with the last commit and its answer.
#[derive(Debug, Default)]
struct Model {
    memory: MemoryRecords,
    last: Option<(Commit, Answer)>,
}

impl Clone for Model {
    fn clone(&self) -> Model {
        Model { memory: self.memory.fork(), last: self.last.clone() }
    }
}

impl Model {
    /// The commit of an act, with what stands in the rows where that is to be expected.
    fn resolved(&self, act: &Act) -> Commit {
        let pipeline = pipeline(act.pipeline);
        let write = |change: &Change| {
            let key = key(&pipeline, change.row);
            let expect = match change.expect {
                Guess::Absent => Expect::Absent,
                Guess::Version(version) => Expect::Version(version),
                Guess::Right => block_on(self.memory.get(&key))
                    .unwrap()
                    .map_or(Expect::Absent, |record| Expect::Version(record.version)),
            };
            Write { key, expect, value: change.value.clone() }
        };
        let writes = act.changes.iter().map(write).collect();
        let events = (0..act.events).map(|number| draft(&format!("{}-{number}", act.id))).collect();
        Commit { id: format!("commit {}", act.id), pipeline, at: at(), writes, events }
    }

    fn fill(number: usize, pipeline: PipelineName) -> Commit {
        let row = |row: usize| {
            let name = format!("u{:03}", number * FILL_ROWS + row);
            Write::insert(Key::named(&pipeline, "ticket/", &name), &json!(row))
        };
        let writes = (0..FILL_ROWS).map(row).collect();
        Commit { id: format!("fill {number}"), pipeline, at: at(), writes, events: Vec::new() }
    }
}

impl ReferenceStateMachine for Model {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::default()).boxed()
    }

    fn transitions(_: &Model) -> BoxedStrategy<Step> {
        step().boxed()
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        let asked = match step {
            Step::Commit(act) => Some(model.resolved(act)),
            Step::Fill { pipeline: number, number: fill } => Some(Model::fill(*fill, pipeline(*number))),
            Step::Again => model.last.take().map(|(commit, _)| commit),
            Step::Get { .. } | Step::List { .. } | Step::Walk { .. } | Step::Reopen => return model,
        };
        model.last = asked.map(|asked| {
            let answer = commit(&model.memory, &asked);
            (asked, answer)
        });
        model
    }
}

/// The table in a file, in a folder that lives as long.
struct File {
    folder: TempDir,
    records: SqliteRecords,
}

fn table(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("millrace.db")
}

impl File {
    fn open(folder: TempDir) -> File {
        let records = SqliteRecords::open(&table(&folder)).unwrap();
        File { folder, records }
    }

    fn reopened(self) -> File {
        let File { folder, records } = self;
        drop(records);
        File::open(folder)
    }
}

/// Every page of a listing.
fn walk(records: &dyn Records, partition: &str, prefix: &str) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page.next.clone());
        if !pages.is_empty() && after.is_none() {
            return pages;
        }
        pages.push(block_on(records.list(partition, prefix, after.as_deref())).unwrap());
    }
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

struct Alike;

impl StateMachineTest for Alike {
    type SystemUnderTest = File;
    type Reference = Model;

    fn init_test(_: &Model) -> File {
        File::open(tempfile::tempdir().unwrap())
    }

    fn apply(file: File, model: &Model, step: Step) -> File {
        let (records, memory) = (&file.records, &model.memory);
        let same_row = |key: &Key| {
            assert_eq!(block_on(records.get(key)).unwrap(), block_on(memory.get(key)).unwrap());
        };
        match step {
            Step::Commit(_) | Step::Again | Step::Fill { .. } => {
                let Some((asked, answer)) = &model.last else { return file };
                assert_eq!(&commit(records, asked), answer);
                for write in &asked.writes {
                    same_row(&write.key);
                }
            }
            Step::Get { pipeline: number, row } => same_row(&key(&pipeline(number), row)),
            Step::List { pipeline: number, prefix, after } => {
                let partition = Key::partition(&pipeline(number));
                let expected = block_on(memory.list(&partition, prefix, after)).unwrap();
                assert_eq!(block_on(records.list(&partition, prefix, after)).unwrap(), expected);
            }
            Step::Walk { pipeline: number, prefix } => {
                let partition = Key::partition(&pipeline(number));
                assert_eq!(walk(records, &partition, prefix), walk(memory, &partition, prefix));
            }
            Step::Reopen => return file.reopened(),
        }
        file
    }

    fn teardown(file: File, model: Model) {
        assert_eq!(dump(&table(&file.folder)), model.memory.dump());
        for number in 0..3 {
            let found = block_on(ports::ledger::verify(&file.records, &pipeline(number), None)).unwrap();
            assert_eq!(found.findings, vec![]);
        }
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 64, ..Default::default() })]

    #[test]
    fn every_history_is_answered_as_in_memory(sequential 1..40 => Alike);
}
