//! Whether someone who edits the file with a client of SQLite is found out.

use domain::{Digest, Key};
use futures::executor::block_on;
use local::SqliteRecords;
use ports::ledger::{Verification, verify};
use ports::{Records, Write};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::records::{commit, taxi};

/// Events of the ledger.
const EVENTS: u64 = 6;

/// A ledger of six events, each writing a part, in a file with a client open beside it.
struct Tampered {
    raw: Connection,
    records: SqliteRecords,
    _folder: TempDir,
}

impl Tampered {
    fn new() -> Tampered {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("millrace.db");
        let records = SqliteRecords::open(&path).unwrap();
        for number in 1..=EVENTS {
            let id = number.to_string();
            let row = Write::insert(Key::numbered(&taxi(), "part/", number), &json!({ "rows": number * 10 }));
            block_on(records.commit(&commit(&id, vec![row], &[&id]))).unwrap();
        }
        Tampered { raw: Connection::open(&path).unwrap(), records, _folder: folder }
    }

    fn sql(&self, statement: &str) {
        self.raw.execute_batch(statement).unwrap();
    }

    fn check(&self, anchor: Option<(u64, Digest)>) -> Verification {
        block_on(verify(&self.records, &taxi(), anchor)).unwrap()
    }

    /// The findings, one a line, without their hashes.
    fn found(&self) -> Vec<String> {
        let without_hash = |text: String| {
            let start = text.find("sha256:");
            start.map_or(text.clone(), |start| text[..start].trim_end().to_owned())
        };
        self.check(None).findings.iter().map(|finding| without_hash(finding.to_string())).collect()
    }

    fn anchor(&self) -> Option<(u64, Digest)> {
        self.check(None).head.map(|head| (head.sequence, head.hash))
    }

    fn event(&self, sequence: u64) -> Value {
        let sort = format!("event/{sequence:09}");
        let query = "SELECT value FROM rows WHERE partition = 'pipeline/taxi' AND sort = ?1";
        let text: String = self.raw.query_row(query, [sort], |row| row.get(0)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn set(&self, sort: &str, value: &Value) {
        let statement = "INSERT OR REPLACE INTO rows VALUES ('pipeline/taxi', ?1, 1, ?2)";
        self.raw.execute(statement, params![sort, value.to_string()]).unwrap();
    }
}

#[test]
fn an_untouched_file_is_whole() {
    let ledger = Tampered::new();
    let found = ledger.check(ledger.anchor());
    assert_eq!((found.events, found.rows, found.findings), (EVENTS, EVENTS, Vec::new()));
}

#[test]
fn an_edited_event_is_found() {
    let ledger = Tampered::new();
    ledger.sql(
        "UPDATE rows SET value = replace(value, 'person:alice', 'person:mallory') WHERE sort = 'event/000000003'",
    );
    assert_eq!(ledger.found(), ["event/000000004: follows"]);
    let finding = ledger.check(None).findings[0].to_string();
    assert!(finding.contains("event 3 was edited or reordered"), "{finding}");
}

#[test]
fn an_edited_row_is_found() {
    let ledger = Tampered::new();
    ledger.sql(r#"UPDATE rows SET value = '{"rows":21}' WHERE sort = 'part/000000002'"#);
    assert_eq!(ledger.found(), ["part/000000002: is no longer what event 2 vouched for ("]);
}

#[test]
fn a_removed_tail_is_found() {
    let ledger = Tampered::new();
    ledger.sql("DELETE FROM rows WHERE sort >= 'event/000000005' AND sort < 'event0'");
    assert_eq!(
        ledger.found(),
        [
            "head: says event 6, but the chain ends at event 4: the tail was removed",
            "part/000000005: no event vouches for this row: it was inserted",
            "part/000000006: no event vouches for this row: it was inserted",
        ]
    );
}

#[test]
fn a_tail_removed_with_rows_and_head_is_found_against_an_anchor() {
    let ledger = Tampered::new();
    let anchor = ledger.anchor();
    ledger.sql(
        "DELETE FROM rows WHERE sort >= 'event/000000005' AND sort < 'event0';
         DELETE FROM rows WHERE sort IN ('part/000000005', 'part/000000006')",
    );
    ledger.set("head", &json!({ "sequence": 4, "hash": Digest::of_json(&ledger.event(4)) }));
    assert_eq!(ledger.found(), [""; 0], "the table alone cannot tell");
    let findings = ledger.check(anchor).findings;
    assert_eq!(findings.len(), 1);
    assert!(findings[0].what.ends_with("the head kept elsewhere is event 6: the tail was removed"));
}

#[test]
fn a_reordered_pair_is_found() {
    let ledger = Tampered::new();
    ledger.sql(
        "UPDATE rows SET sort = 'event/x' WHERE sort = 'event/000000002';
         UPDATE rows SET sort = 'event/000000002' WHERE sort = 'event/000000003';
         UPDATE rows SET sort = 'event/000000003' WHERE sort = 'event/x'",
    );
    assert_eq!(
        ledger.found()[..2],
        [
            "event/000000002: says that it is event 3: reordered or inserted",
            "event/000000003: says that it is event 2: reordered or inserted",
        ]
    );
}

#[test]
fn an_inserted_event_is_found() {
    let ledger = Tampered::new();
    // After the last, fitting on in every way but that the head does not know of it.
    let last = ledger.event(EVENTS);
    let mut inserted = last.clone();
    inserted["sequence"] = json!(EVENTS + 1);
    inserted["previous"] = json!(Digest::of_json(&last));
    inserted.as_object_mut().unwrap().remove("rows");
    ledger.set("event/000000007", &inserted);
    assert_eq!(
        ledger.found(),
        ["head: says event 6, but the chain goes on to event 7: events were inserted, or the head edited"]
    );
}

#[test]
fn a_full_recompute_is_found_against_an_anchor_alone() {
    let ledger = Tampered::new();
    let anchor = ledger.anchor();
    let mut previous = Digest::of_json(&ledger.event(1));
    for sequence in 2..=EVENTS {
        let mut event = ledger.event(sequence);
        if sequence == 2 {
            event["actor"] = json!("person:mallory");
        }
        event["previous"] = json!(previous);
        previous = Digest::of_json(&event);
        ledger.set(&format!("event/{sequence:09}"), &event);
    }
    ledger.set("head", &json!({ "sequence": EVENTS, "hash": previous }));
    assert_eq!(ledger.found(), [""; 0], "the table alone cannot tell");
    let findings = ledger.check(anchor).findings;
    assert_eq!(findings.len(), 1);
    assert!(findings[0].what.ends_with("the chain was rewritten up to here"), "{}", findings[0]);
    // And the head goes on from there: the forger's chain stays apart from the anchored one.
    block_on(ledger.records.commit(&commit("more", Vec::new(), &["more"]))).unwrap();
    assert_eq!(ledger.check(anchor).findings.len(), 1);
}
