//! Whether a person who changes the ledger behind the server's back is found out by the command.

use domain::digest::canonical;
use domain::{Digest, Envelope};
use home_insurance as homes;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::command::Ran;
use crate::server::Server;
use crate::small::{self, PIPELINE};

const CLOCK: &str = "2026-03-01T09:00:00Z";

/// The ledger's file, opened as anyone can who owns it.
fn opened(server: &Server) -> Connection {
    Connection::open(server.data().join("ledger.db")).unwrap()
}

fn value(ledger: &Connection, sort: &str) -> Value {
    let query = "SELECT value FROM rows WHERE partition = 'pipeline/home-insurance' AND sort = ?1";
    let text: String = ledger.query_row(query, [sort], |row| row.get(0)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn put(ledger: &Connection, sort: &str, value: &str) {
    let query = "UPDATE rows SET value = ?2 WHERE partition = 'pipeline/home-insurance' AND sort = ?1";
    assert_eq!(ledger.execute(query, params![sort, value]).unwrap(), 1, "{sort}");
}

fn event(sequence: u64) -> String {
    format!("event/{sequence:09}")
}

/// Says that the third event was about another file.
fn retold(ledger: &Connection) -> Envelope {
    let mut third = value(ledger, &event(3));
    assert_eq!(third["kind"], "PartRejected");
    third["data"]["file"] = json!("nothing-to-see.csv");
    serde_json::from_value(third).unwrap()
}

/// What somebody does to a ledger of four events.
type Tampering = fn(&Connection);

fn edit_an_event(ledger: &Connection) {
    put(ledger, &event(3), &canonical(&retold(ledger)));
}

fn edit_a_row(ledger: &Connection) {
    let mut part = value(ledger, "part/000000001");
    part["rows"] = json!(299);
    put(ledger, "part/000000001", &canonical(&part));
}

fn remove_the_tail(ledger: &Connection) {
    let query = "DELETE FROM rows WHERE partition = 'pipeline/home-insurance' AND sort = ?1";
    assert_eq!(ledger.execute(query, [event(4)]).unwrap(), 1);
}

/// Tells the third event anew and forges every link after it, the head too.
fn recompute_everything(ledger: &Connection) {
    let third = retold(ledger);
    let mut fourth: Envelope = serde_json::from_value(value(ledger, &event(4))).unwrap();
    fourth.previous = Some(third.hash());
    put(ledger, &event(3), &canonical(&third));
    put(ledger, &event(4), &canonical(&fourth));
    put(ledger, "head", &canonical(&json!({ "sequence": 4, "hash": fourth.hash() })));
}

fn verified(server: &Server, head: Option<&str>) -> Ran {
    let mut arguments = vec!["audit", "verify", PIPELINE];
    arguments.extend(head.iter().flat_map(|head| ["--head", head]));
    server.ask("olga", &arguments)
}

#[test]
fn whoever_changes_the_ledger_is_found_out() {
    let mut server = Server::fresh(CLOCK);
    small::apply(&server, &small::declaration(&[]));
    small::upload(&server, 1);
    let folder = server.data().parent().unwrap().to_owned();
    std::fs::write(folder.join("broken.csv"), homes::csv_broken(&homes::month(7, 2, 300))).unwrap();
    let broken = server.ask("dora", &["upload", PIPELINE, "broken.csv", "--wait"]);
    assert_eq!(broken.code, 3, "{}", broken.err);
    small::upload(&server, 3);

    let whole = verified(&server, None);
    assert_eq!(whole.code, 0, "{}", whole.out);
    let head = whole.out.lines().find_map(|line| line.strip_prefix("head: ")).unwrap().to_owned();
    assert!(head.starts_with("4:sha256:"), "{head}");
    assert_eq!(verified(&server, Some(&head)).code, 0, "the head holds while nothing has changed");
    server.kill();

    let cases: [(&str, Tampering, &[&str]); 3] = [
        ("an edited event", edit_an_event, &["event/000000004: "]),
        ("an edited row", edit_a_row, &["part/000000001: "]),
        ("a removed tail", remove_the_tail, &["head: "]),
    ];
    for (what, tamper, places) in cases {
        let kept = std::fs::read(server.data().join("ledger.db")).unwrap();
        let ledger = opened(&server);
        // Nothing is left in the log beside the file, so the file alone is the ledger.
        ledger.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let whole = std::fs::read(server.data().join("ledger.db")).unwrap();
        assert!(whole.len() >= kept.len());
        tamper(&ledger);
        drop(ledger);
        server.start();
        let ran = verified(&server, None);
        assert_eq!(ran.code, 3, "{what}: {}{}", ran.out, ran.err);
        for place in places {
            assert!(ran.out.contains(&format!("✕ {place}")), "{what}: {}", ran.out);
        }
        server.kill();
        for beside in ["ledger.db-wal", "ledger.db-shm"] {
            let _ = std::fs::remove_file(server.data().join(beside));
        }
        std::fs::write(server.data().join("ledger.db"), whole).unwrap();
    }

    // Who owns the file can forge all of it, and only a head that was kept elsewhere tells.
    recompute_everything(&opened(&server));
    server.start();
    let forged = verified(&server, None);
    assert_eq!(forged.code, 0, "{}", forged.out);
    let against = verified(&server, Some(&head));
    assert_eq!(against.code, 3, "{}", against.out);
    assert!(against.out.contains("✕ event/000000004: "), "{}", against.out);
    let unknown = format!("9:{}", Digest::of(b"no such event"));
    assert_eq!(verified(&server, Some(&unknown)).code, 3, "a head beyond the end");
}
