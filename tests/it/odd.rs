//! What is left where the machine itself is odd: its disk full, its directory closed, its clock
//! moved back. Whatever was acknowledged is there afterwards.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use home_insurance as homes;
use serde_json::{Value, json};

use crate::http::{Asked, Caller};
use crate::kill::promises::{Ledger, everyone_was_told, items, settle};
use crate::server::Server;
use crate::small::{self, PIPELINE, ROWS};

/// Says why a test is not played here.
fn skipped(why: &str) {
    let mut stdout = std::io::stdout();
    std::io::Write::write_all(&mut stdout, format!("skipped: {why}\n").as_bytes()).unwrap();
}

/// The library that makes a machine odd; none, with the reason said, where it cannot be loaded
/// before the C library.
fn oddness(folder: &Path) -> Option<PathBuf> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        skipped("what stands in for the system's calls is made for glibc");
        return None;
    }
    let (source, library) = (folder.join("odd.c"), folder.join("odd.so"));
    fs::write(&source, include_str!("odd.c")).unwrap();
    let ran =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(library)
}

/// A server on an odd machine, not started yet.
fn odd() -> Option<Server> {
    let mut server = Server::unborn();
    let library = oddness(server.data().parent().unwrap())?;
    server.environment.insert("LD_PRELOAD", library.into_os_string());
    Some(server)
}

/// A request's status and what was said.
fn ask(server: &Server, asked: &Asked) -> (u16, Value) {
    let (status, body) = Caller::new().send(&server.address(), asked).unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// Announces an upload, and answers its id and path.
fn ticket(server: &Server, number: u64) -> (String, String) {
    let path = format!("/api/pipelines/{PIPELINE}/uploads");
    let body = json!({ "file": format!("{number}.csv"), "as_of": "2026-01-31" });
    let (status, ticket) = ask(server, &Asked::post("dora", &format!("ticket {number}"), &path, &body));
    assert_eq!(status, 201, "{ticket}");
    let text = |name: &str| ticket[name].as_str().unwrap().to_owned();
    (text("upload"), text("path"))
}

fn put(server: &Server, path: &str, number: u64) -> (u16, Value) {
    let text = homes::csv(&homes::month(number, 1, ROWS));
    ask(server, &Asked::put("dora", &format!("/incoming/{path}"), text.as_bytes()))
}

/// Every upload that was acknowledged has become a part.
fn all_are_parts(server: &Server, uploads: &[String]) {
    let listed = items(server, "uploads");
    for upload in uploads {
        let found = listed.iter().find(|row| row["id"] == **upload);
        let state = found.map(|row| row["fate"]["state"].clone()).unwrap_or_default();
        assert_eq!(state, "accepted", "{upload}: {listed:#?}");
    }
}

#[test]
fn a_full_disk_refuses_by_name_and_loses_nothing() {
    let Some(mut server) = odd() else { return };
    let mark = server.data().parent().unwrap().join("full");
    server.environment.insert("ODD_DISK", mark.clone().into_os_string());
    server.start();
    small::apply(&server, &small::declaration(&[]));
    let mut acknowledged = Vec::new();
    // One is taken in the moment before there is no room any more.
    let (upload, path) = ticket(&server, 1);
    let (second, second_path) = ticket(&server, 2);
    assert_eq!(put(&server, &path, 1).0, 201);
    acknowledged.push(upload);
    fs::write(&mark, "").unwrap();

    let (status, said) = put(&server, &second_path, 2);
    assert!(status >= 500 && said["error"].as_str().unwrap().contains("No space left"), "{status} {said}");
    let reason = json!({ "reason": "in spite of it all" });
    let run = Asked::post("alice", "run", &format!("/api/pipelines/{PIPELINE}/runs"), &reason);
    let (status, said) = ask(&server, &run);
    assert!(status >= 500 && said["error"].as_str().unwrap().contains("full"), "{status} {said}");
    // What is there can be looked at.
    assert_eq!(items(&server, "events")[0]["envelope"]["kind"], "PipelineApplied");
    // A start says what is in its way.
    server.kill();
    let complaints = server.try_start().unwrap_err();
    assert!(complaints.contains("full") || complaints.contains("No space left"), "{complaints}");

    fs::remove_file(&mark).unwrap();
    server.start();
    assert_eq!(put(&server, &second_path, 2).0, 201, "the ticket is still good");
    acknowledged.push(second);
    assert_eq!(ask(&server, &run).0, 202);
    // What could not be done in its time waits for a person, and is done when told.
    server.until("a look at dead letters", || (server.get("/api/runtime")["working"] == 0).then_some(()));
    server.ask("dora", &["redrive", "--all"]);
    settle(&server);
    all_are_parts(&server, &acknowledged);
    let ledger = Ledger::read(&server);
    ledger.is_without_gaps();
    assert_eq!(ledger.count("RetrainingRequested"), 1, "what was refused and asked again is done once");
    everyone_was_told(&server, &ledger);
}

#[test]
fn a_clock_that_was_moved_back_leaves_the_ledger_in_order_and_nothing_waiting() {
    let Some(mut server) = odd() else { return };
    let two_days = 2 * 24 * 3_600;
    server.environment.insert("ODD_CLOCK", two_days.to_string().into());
    server.start();
    small::apply(&server, &small::declaration(&[]));
    let mut uploads = Vec::new();
    for number in 1..=4 {
        let (upload, path) = ticket(&server, number);
        assert_eq!(put(&server, &path, number).0, 201);
        uploads.push(upload);
    }
    server.kill();
    server.environment.insert("ODD_CLOCK", OsString::from("0"));
    server.start();
    assert!(server.complaints().contains("behind the ledger"), "{}", server.complaints());
    settle(&server);
    let (upload, path) = ticket(&server, 5);
    assert_eq!(put(&server, &path, 5).0, 201);
    uploads.push(upload);
    settle(&server);
    all_are_parts(&server, &uploads);
    let ledger = Ledger::read(&server);
    ledger.is_without_gaps();
    let moments: Vec<&str> = ledger.events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    // What is handled side by side may be recorded some milliseconds out of order; nothing falls
    // back to before the declaration, and what came last is the latest.
    let (first, last) = (moments[0], moments[moments.len() - 1]);
    assert!(moments.iter().all(|moment| (first..=last).contains(moment)), "{moments:?}");
    everyone_was_told(&server, &ledger);
}

/// Someone who may not do everything, unless the test itself is run by one.
fn nobody() -> Option<u32> {
    rustix::process::getuid().is_root().then_some(65_534)
}

/// Changes who may write to a directory and all that is in it.
fn permit(place: &Path, directories: u32, files: u32) {
    let is_directory = place.is_dir();
    if is_directory {
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
        for entry in fs::read_dir(place).unwrap() {
            permit(&entry.unwrap().path(), directories, files);
        }
    }
    let mode = if is_directory { directories } else { files };
    fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_is_told_by_name() {
    let mut server = Server::unborn();
    let folder = server.data().parent().unwrap().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    if let Some(user) = nobody() {
        let reaches = |path: &Path| {
            path.ancestors()
                .skip(1)
                .all(|it| fs::metadata(it).is_ok_and(|it| it.permissions().mode() & 1 == 1))
        };
        if !reaches(crate::command::millrace()) {
            return skipped("an unprivileged user cannot reach the command");
        }
        server.run_as(user);
    }
    server.start();
    let (upload, path) = {
        small::apply(&server, &small::declaration(&[]));
        ticket(&server, 1)
    };
    // Closed under its hands: what was acknowledged waits where a person sees it.
    let blobs = server.data().join("blobs");
    permit(&blobs, 0o555, 0o444);
    assert_eq!(put(&server, &path, 1).0, 201, "uploads land elsewhere");
    let letter = server.until("a dead letter", || {
        server.get("/api/dead-letters")["items"].as_array().unwrap().first().cloned()
    });
    let why = letter["error"].as_str().unwrap();
    assert!(why.contains("Permission denied") && why.contains("part"), "{why}");
    permit(&blobs, 0o755, 0o644);
    let ran = server.ask("dora", &["redrive", "--all"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    settle(&server);
    all_are_parts(&server, &[upload]);

    // Closed between two starts.
    server.kill();
    let data = server.data().to_owned();
    permit(&data, 0o555, 0o444);
    let complaints = server.try_start().unwrap_err();
    let expected = format!("{} cannot be written by", data.canonicalize().unwrap().display());
    assert!(complaints.contains(&expected) && complaints.contains("--data"), "{complaints}");
    permit(&data, 0o755, 0o644);
    server.start();
    assert_eq!(items(&server, "parts").len(), 1);
}
