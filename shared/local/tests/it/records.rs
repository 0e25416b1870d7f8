//! Whether the table in a file conforms, also when it is opened twice, closed, or not a table.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::time::ClockKind;
use domain::{Actor, Draft, Envelope, Event, Key, PipelineName, Time, limit};
use futures::executor::block_on;
use local::SqliteRecords;
use ports::ledger::{self, verify};
use ports::{Commit, Committed, ErrorKind, Page, Record, Records, Result, Write};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

pub(crate) fn taxi() -> PipelineName {
    "taxi".parse().unwrap()
}

pub(crate) fn at() -> Time {
    Time::from_millis(1_767_603_600_000)
}

pub(crate) fn draft(id: &str) -> Draft {
    Draft {
        id: id.into(),
        event: Event::RetrainingRequested { reason: id.into() },
        at: at(),
        as_of: None,
        actor: Actor::person("alice"),
        cause: "cause".into(),
        correlation: "cause".into(),
        trace: None,
        clock: ClockKind::Virtual,
    }
}

pub(crate) fn commit(id: &str, writes: Vec<Write>, events: &[&str]) -> Commit {
    let events = events.iter().map(|id| draft(id)).collect();
    Commit { id: id.into(), pipeline: taxi(), at: at(), writes, events }
}

fn waiting(id: &str) -> Key {
    Key::waiting(&taxi(), "test", id)
}

fn table(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("millrace.db")
}

fn opened(path: &Path) -> SqliteRecords {
    SqliteRecords::open(path).unwrap()
}

/// Fresh tables, in folders that live as long as this.
#[derive(Default)]
struct Tables(Mutex<Vec<TempDir>>);

impl Tables {
    fn fresh(&self) -> std::path::PathBuf {
        let folder = tempfile::tempdir().unwrap();
        let path = table(&folder);
        self.0.lock().unwrap().push(folder);
        path
    }
}

/// What two processes have open: calls go to one and the other in turn.
#[derive(Debug)]
struct Turns {
    tables: [SqliteRecords; 2],
    calls: AtomicUsize,
}

impl Turns {
    fn next(&self) -> &SqliteRecords {
        &self.tables[self.calls.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

#[async_trait]
impl Records for Turns {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.next().get(key).await
    }

    async fn list(&self, partition: &str, prefix: &str, after: Option<&str>) -> Result<Page> {
        self.next().list(partition, prefix, after).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed> {
        self.next().commit(commit).await
    }
}

#[test]
fn the_table_in_a_file_conforms() {
    let tables = Tables::default();
    let make = async || Arc::new(opened(&tables.fresh())) as Arc<dyn Records>;
    block_on(conformance::records::records(make));
}

#[test]
fn a_table_that_is_opened_twice_conforms() {
    let tables = Tables::default();
    let make = async || {
        let path = tables.fresh();
        let tables = [opened(&path), opened(&path)];
        Arc::new(Turns { tables, calls: AtomicUsize::default() }) as Arc<dyn Records>
    };
    block_on(conformance::records::records(make));
}

#[test]
fn opening_again_sees_everything() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3u64 {
        let records = opened(&table(&folder));
        let row = Key::numbered(&taxi(), "part/", number);
        let id = format!("commit {number}");
        let commit = commit(&id, vec![Write::insert(row, &number)], &["a", "b"]);
        assert_eq!(block_on(records.commit(&commit)).unwrap(), Committed::Now);
        drop(records);
        let records = opened(&table(&folder));
        assert_eq!(block_on(records.commit(&commit)).unwrap(), Committed::Before);
        let found = block_on(verify(&records, &taxi(), None)).unwrap();
        assert_eq!((found.events, found.rows), ((number + 1) * 2, number + 1));
        assert_eq!(found.findings, []);
    }
}

/// The files as they stand now: what a process leaves that is killed now.
fn killed(folder: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["millrace.db", "millrace.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[test]
fn an_acknowledged_commit_outlives_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let records = opened(&table(&folder));
    let big = "x".repeat(50_000);
    for number in 1..=40u64 {
        let id = number.to_string();
        // Enough for the log to be carried over into the table meanwhile.
        let row = Write::insert(Key::numbered(&taxi(), "part/", number), &big);
        block_on(records.commit(&commit(&id, vec![row], &[&id]))).unwrap();
        if number % 5 == 0 {
            let left = killed(&folder);
            let found = block_on(verify(&opened(&table(&left)), &taxi(), None)).unwrap();
            assert_eq!((found.events, found.rows, found.findings), (number, number, Vec::new()));
        }
    }
}

#[test]
fn half_a_commit_leaves_nothing_when_its_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let records = opened(&table(&folder));
    block_on(records.commit(&commit("1", vec![Write::insert(waiting("x"), &1)], &["a"]))).unwrap();
    // More rows than fit in memory, so that some are in the file before they are committed.
    let other = Connection::open(table(&folder)).unwrap();
    other
        .execute_batch(
            "PRAGMA cache_size = 10; BEGIN IMMEDIATE; DELETE FROM rows;
             WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1000)
             INSERT INTO rows SELECT 'half', n, 1, hex(zeroblob(2000)) FROM number",
        )
        .unwrap();
    let left = killed(&folder);
    assert!(left.path().join("millrace.db-wal").metadata().unwrap().len() > 1_000_000);
    let records = opened(&table(&left));
    assert_eq!(block_on(records.list("half", "", None)).unwrap().records, []);
    assert!(block_on(records.get(&waiting("x"))).unwrap().is_some());
    let found = block_on(verify(&records, &taxi(), None)).unwrap();
    assert_eq!((found.events, found.findings), (1, Vec::new()));
}

#[test]
fn a_table_that_many_open_at_once_is_made_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = table(&folder);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let id = number.to_string();
                    block_on(opened(path).commit(&commit(&id, Vec::new(), &[&id]))).unwrap();
                });
            }
        });
        let found = block_on(verify(&opened(&path), &taxi(), None)).unwrap();
        assert_eq!((found.events, found.findings), (8, Vec::new()));
    }
}

#[test]
fn a_reader_does_not_wait_for_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let records = opened(&table(&folder));
    let write = |id: &str| commit(id, vec![Write::insert(waiting(id), &1)], &[]);
    block_on(records.commit(&write("before"))).unwrap();
    // Another process is in the middle of a commit, for as long as it likes.
    let other = Connection::open(table(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM rows").unwrap();
    assert!(block_on(records.get(&waiting("before"))).unwrap().is_some());
    let listed = block_on(records.list(&Key::partition(&taxi()), "waiting/", None)).unwrap();
    assert_eq!(listed.records.len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    block_on(records.commit(&write("after"))).unwrap();
}

#[test]
fn listeners_are_told_of_sealed_events_alone() {
    let folder = tempfile::tempdir().unwrap();
    let records = Arc::new(opened(&table(&folder)));
    let told: Arc<Mutex<Vec<(PipelineName, Envelope)>>> = Arc::default();
    let (to, table) = (told.clone(), Arc::downgrade(&records));
    records.listen(Arc::new(move |pipeline: &PipelineName, events: &[Envelope]| {
        // It is told when the events can be read, and may use the table itself.
        let table = table.upgrade().unwrap();
        let reading = std::thread::scope(|scope| {
            let read = || {
                let stands = |event: &Envelope| {
                    let key = ledger::event_key(pipeline, event.sequence);
                    block_on(table.get(&key)).unwrap().is_some()
                };
                events.iter().all(stands)
            };
            scope.spawn(read).join()
        });
        assert!(reading.unwrap());
        to.lock().unwrap().extend(events.iter().map(|event| (pipeline.clone(), event.clone())));
    }));
    block_on(async {
        records.commit(&commit("1", Vec::new(), &["a", "b"])).await.unwrap();
        records.commit(&commit("1", Vec::new(), &["a", "b"])).await.unwrap();
        records.commit(&commit("2", vec![Write::insert(waiting("x"), &1)], &[])).await.unwrap();
        let conflict = commit("3", vec![Write::insert(waiting("x"), &1)], &["c"]);
        assert_eq!(records.commit(&conflict).await.unwrap_err().kind(), ErrorKind::Conflict);
        records.commit(&commit("4", Vec::new(), &["d"])).await.unwrap();
    });
    let told = told.lock().unwrap();
    let ids: Vec<(&str, u64)> = told.iter().map(|(_, event)| (&*event.id, event.sequence)).collect();
    assert_eq!(ids, [("a", 1), ("b", 2), ("d", 3)]);
    assert!(told.iter().all(|(pipeline, _)| *pipeline == taxi()));
}

#[test]
fn old_marks_are_forgotten_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let records = opened(&table(&folder));
    let days = |days: i64| at().plus(days * Time::DAY);
    block_on(async {
        // More than one batch of old ones, in two pipelines.
        for number in 0..1_100 {
            let mut commit = commit(&format!("old {number}"), Vec::new(), &[]);
            commit.pipeline = if number % 2 == 0 { taxi() } else { "weather".parse().unwrap() };
            records.commit(&commit).await.unwrap();
        }
        let mut recent = commit("recent", vec![Write::insert(waiting("x"), &1)], &["a"]);
        recent.at = days(1);
        records.commit(&recent).await.unwrap();
        let odd = Key { partition: Key::PIPELINES.into(), sort: "handled/x".into() };
        records.commit(&commit("odd", vec![Write::insert(odd.clone(), &json!({}))], &[])).await.unwrap();

        let now = days(limit::HANDLED_DAYS);
        assert_eq!(records.forget_handled(now).unwrap(), 0, "on the last day they are kept");
        assert_eq!(records.forget_handled(now.plus(1)).unwrap(), 1_101);
        assert_eq!(records.forget_handled(now.plus(1)).unwrap(), 0);
        assert_eq!(records.commit(&recent).await.unwrap(), Committed::Before);
        assert_eq!(records.commit(&commit("old 0", Vec::new(), &[])).await.unwrap(), Committed::Now);
        assert!(records.get(&odd).await.unwrap().is_some());
        assert!(records.get(&waiting("x")).await.unwrap().is_some());
        assert_eq!(verify(&records, &taxi(), None).await.unwrap().events, 1);
    });
}

fn refusal(path: &Path) -> (ErrorKind, String) {
    let error = SqliteRecords::open(path).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn a_table_of_a_newer_version_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    drop(opened(&table(&folder)));
    Connection::open(table(&folder)).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    let (kind, text) = refusal(&table(&folder));
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.contains("millrace.db: it was written by a newer Millrace, in format 2"), "{text}");
}

#[test]
fn what_is_no_table_of_ours_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text_file = folder.path().join("notes.txt");
    let text = "Dear diary, this is no database at all. ".repeat(100);
    std::fs::write(&text_file, &text).unwrap();
    let (kind, said) = refusal(&text_file);
    assert_eq!(kind, ErrorKind::Invalid, "{said}");
    assert!(said.contains("notes.txt"), "{said}");
    assert_eq!(std::fs::read_to_string(&text_file).unwrap(), text);

    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE rows (x)").unwrap();
    let before = std::fs::read(&other).unwrap();
    let (kind, said) = refusal(&other);
    assert_eq!(kind, ErrorKind::Invalid, "{said}");
    assert!(said.contains("other.db: it is a database of another program"), "{said}");
    assert_eq!(std::fs::read(&other).unwrap(), before);

    let (kind, said) = refusal(&folder.path().join("no folder").join("millrace.db"));
    assert_eq!(kind, ErrorKind::Unavailable, "{said}");
    assert_eq!(refusal(folder.path()).0, ErrorKind::Unavailable);
}

#[test]
fn a_damaged_table_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let records = opened(&table(&folder));
    let big = "x".repeat(100_000);
    for number in 0..20 {
        let row = Write::insert(waiting(&number.to_string()), &big);
        block_on(records.commit(&commit(&number.to_string(), vec![row], &[]))).unwrap();
    }
    drop(records);
    // All pages but the first, which says that this is a table.
    let mut bytes = std::fs::read(table(&folder)).unwrap();
    bytes[4096..].fill(0xAB);
    std::fs::write(table(&folder), bytes).unwrap();
    let records = opened(&table(&folder));
    let error = block_on(records.get(&waiting("1"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().starts_with("read pipeline/taxi/waiting/test/1: "), "{error}");
    let error = block_on(records.commit(&commit("new", Vec::new(), &["a"]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn a_value_that_is_no_json_is_told_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let records = opened(&table(&folder));
    block_on(records.commit(&commit("1", vec![Write::insert(waiting("x"), &1)], &[]))).unwrap();
    let raw = Connection::open(table(&folder)).unwrap();
    raw.execute("UPDATE rows SET value = '{' WHERE sort = 'waiting/test/x'", []).unwrap();
    let error = block_on(records.get(&waiting("x"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with("read pipeline/taxi/waiting/test/x: not JSON"), "{error}");
}

#[test]
fn a_commit_never_writes_over_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let records = opened(&table(&folder));
    block_on(records.commit(&commit("1", Vec::new(), &["a", "b"]))).unwrap();
    let raw = Connection::open(table(&folder)).unwrap();
    raw.execute("DELETE FROM rows WHERE sort = 'head'", []).unwrap();
    let error = block_on(records.commit(&commit("2", Vec::new(), &["c"]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("the ledger was edited"), "{error}");
    let kept = block_on(records.get(&ledger::event_key(&taxi(), 1))).unwrap().unwrap();
    assert_eq!(kept.value["id"], "a");
}
