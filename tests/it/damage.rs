//! What a start does where its files are damaged: it goes on where it can, and says exactly what
//! is wrong where it cannot.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use home_insurance as homes;
use serde_json::{Value, json};

use crate::http::{Asked, Caller};
use crate::kill::promises::{Ledger, everyone_was_told, items, settle};
use crate::server::Server;
use crate::small::{self, PIPELINE, ROWS};

const CLOCK: &str = "2026-03-01T09:00:00Z";

/// Uploads a file: through a ticket where there is one, else straight to a path.
fn upload(server: &Server, number: u64) -> String {
    let text = homes::csv(&homes::month(100 + number, 1, ROWS));
    let path = match number % 2 {
        0 => format!("{PIPELINE}/straight/{number}.csv"),
        _ => {
            let body = json!({ "file": format!("{number}.csv"), "as_of": "2026-01-31" });
            let path = format!("/api/pipelines/{PIPELINE}/uploads");
            let asked = Asked::post("dora", &number.to_string(), &path, &body);
            let (status, body) = Caller::new().send(&server.address(), &asked).unwrap();
            assert_eq!(status, 201);
            serde_json::from_slice::<Value>(&body).unwrap()["path"].as_str().unwrap().to_owned()
        }
    };
    let put = Asked::put("dora", &format!("/incoming/{path}"), text.as_bytes());
    assert_eq!(Caller::new().send(&server.address(), &put).unwrap().0, 201);
    path
}

/// Writes over a file from some place on.
fn spoil(file: &Path, from: u64, bytes: usize) {
    let file = fs::File::options().write(true).open(file).unwrap();
    file.write_all_at(&vec![0x5a; bytes], from).unwrap();
}

#[test]
fn a_lost_queue_begins_anew_and_everything_comes_to_its_end() {
    let mut server = Server::fresh(CLOCK);
    small::apply(&server, &small::declaration(&[]));
    small::upload(&server, 1);
    let mut uploads: Vec<String> = (2..=7).map(|number| upload(&server, number)).collect();
    server.json("alice", &["train", PIPELINE, "--reason", "whatever comes"]);
    uploads.push(upload(&server, 8));
    server.kill();
    for name in ["queue.db", "queue.db-wal", "queue.db-shm"] {
        // There is a log only while it is open.
        let _ = fs::remove_file(server.data().join(name));
    }
    server.start();
    settle(&server);
    let listed = items(&server, "uploads");
    for path in &uploads {
        let found: Vec<_> = listed.iter().filter(|row| row["path"] == **path).collect();
        assert_eq!(found.len(), 1, "{path}");
        assert_eq!(found[0]["fate"]["state"], "accepted", "{path}");
    }
    let ledger = Ledger::read(&server);
    ledger.is_without_gaps();
    assert_eq!(ledger.count("ModelRegistered"), 1, "asked for once, done once");
    everyone_was_told(&server, &ledger);
}

/// Brings a database's log into its one file.
fn fold_in(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

#[test]
fn a_damaged_ledger_is_refused_with_what_to_do_and_left_as_it_is() {
    let mut server = Server::fresh(CLOCK);
    small::apply(&server, &small::declaration(&[]));
    small::upload(&server, 1);
    settle(&server);
    let before = Ledger::read(&server).events;
    server.kill();
    let ledger = server.data().join("ledger.db");
    fold_in(&ledger);
    let whole = fs::read(&ledger).unwrap();
    for from in [0, 4_096, whole.len() as u64 - 4_096] {
        spoil(&ledger, from, 4_000);
        let spoilt = fs::read(&ledger).unwrap();
        let complaints = server.try_start().unwrap_err();
        for told in ["ledger.db", "nothing can stand in for it", "Put a copy", "audit verify"] {
            assert!(complaints.contains(told), "{from}: no {told:?} in {complaints}");
        }
        assert!(fs::read(&ledger).unwrap() == spoilt, "{from}: it was touched");
        fs::write(&ledger, &whole).unwrap();
    }
    server.start();
    assert_eq!(Ledger::read(&server).events, before);
}
