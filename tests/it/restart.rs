//! Whether a server that is started again goes on with what was begun: uploads, jobs, models.

use std::fs;
use std::process::Command;

use home_insurance as homes;
use serde_json::{Value, json};

use crate::command::root;
use crate::http::{Asked, Caller};
use crate::remnants::remnants;
use crate::server::Server;
use crate::small::{self, PIPELINE, ROWS};

const CLOCK: &str = "2026-03-01T09:00:00Z";

fn events_of(server: &Server, kind: &str) -> Vec<Value> {
    let page = server.get(&format!("/api/pipelines/{PIPELINE}/events?limit=1000"));
    let events = page["items"].as_array().unwrap().iter();
    events.map(|item| item["envelope"].clone()).filter(|event| event["kind"] == kind).collect()
}

#[test]
fn uploads_that_were_acknowledged_before_a_kill_get_their_fates_after_it() {
    let mut server = Server::fresh(CLOCK);
    small::apply(&server, &small::declaration(&[]));
    let caller = Caller::new();
    let mut uploads = Vec::new();
    for number in 1..=8 {
        let quotes = homes::month(number, 1, ROWS);
        let text = if number % 4 == 0 { homes::csv_broken(&quotes) } else { homes::csv(&quotes) };
        let path = format!("/api/pipelines/{PIPELINE}/uploads");
        let asked =
            Asked::post("dora", &number.to_string(), &path, &json!({ "file": format!("{number}.csv") }));
        let (status, body) = caller.send(&server.address(), &asked).unwrap();
        assert_eq!(status, 201);
        let ticket: Value = serde_json::from_slice(&body).unwrap();
        let path = format!("/incoming/{}", ticket["path"].as_str().unwrap());
        let put = Asked::put("dora", &path, text.as_bytes());
        assert_eq!(caller.send(&server.address(), &put).unwrap().0, 201);
        uploads.push((ticket["upload"].as_str().unwrap().to_owned(), number % 4 == 0));
    }
    server.kill();
    server.start();
    for (upload, is_broken) in uploads {
        let path = format!("/api/pipelines/{PIPELINE}/uploads");
        let fate = server.until("a fate", || {
            let listed = server.get(&path);
            let found = listed["items"].as_array().unwrap().iter().find(|row| row["id"] == *upload).cloned();
            found.map(|row| row["fate"]["state"].as_str().unwrap().to_owned())
        });
        assert_eq!(fate, if is_broken { "rejected" } else { "accepted" });
    }
    assert_eq!((events_of(&server, "PartAccepted").len(), events_of(&server, "PartRejected").len()), (6, 2));
}

/// A trainer that says that it has begun and waits until someone writes into a pipe; then it
/// learns with the example's Python program. It works four folders below the server's.
const TRAINER: &str = r#"#!/bin/sh
if [ "$1" = train ]; then
    echo begun >> ../../../../begun
    read -r _ < ../../../../go
fi
exec python3 train.py "$1"
"#;

/// Whether programs in Python can be played.
pub(crate) fn python_is_here() -> bool {
    let ran = Command::new("python3").arg("--version").output();
    let is_here = ran.is_ok_and(|output| output.status.success());
    if !is_here {
        let mut stdout = std::io::stdout();
        std::io::Write::write_all(&mut stdout, b"skipped: there is no python3\n").unwrap();
    }
    is_here
}

#[test]
fn a_job_that_works_while_its_server_is_killed_ends_once() {
    if !python_is_here() {
        return;
    }
    let mut server = Server::fresh(CLOCK);
    let folder = server.data().parent().unwrap().to_owned();
    fs::write(folder.join("trainer.sh"), TRAINER).unwrap();
    fs::copy(root().join("examples/python/train.py"), folder.join("train.py")).unwrap();
    let program = "program: {command: {run: [sh, ./trainer.sh], files: [trainer.sh, train.py]}}";
    let declaration = small::declaration(&[
        ("program: boost", program),
        ("{num_round: 8, eta: 0.1, max_depth: 5, early_stopping_rounds: 20, seed: 7}", "{ridge: 1.0}"),
    ]);
    small::apply(&server, &declaration);
    small::upload(&server, 1);
    let go = server.data().join("go");
    assert!(Command::new("mkfifo").arg(&go).status().unwrap().success());
    server.json("alice", &["train", PIPELINE, "--reason", "in python"]);

    let begun = server.data().join("begun");
    server.until("the trainer", || begun.exists().then_some(()));
    server.kill();
    server.start();
    // Its start may have been recorded only now; the job is the same.
    let job = server.until("the job", || {
        let run = server.get(&format!("/api/pipelines/{PIPELINE}/runs"))["items"][0].clone();
        run["state"]["job"].as_str().map(str::to_owned)
    });
    server.kill();
    // It ends while nobody serves.
    fs::write(&go, "go on\n").unwrap();
    assert_eq!(remnants(server.data()), [""; 0], "the job comes to its end");
    let exit = server.data().join("jobs").join(job).join("exit.json");
    assert!(exit.exists(), "the job's end is on record though no server saw it");
    server.start();
    server.until("a version", || events_of(&server, "ModelRegistered").pop());
    assert_eq!(fs::read_to_string(&begun).unwrap().lines().count(), 1, "trained once");
    for kind in ["TrainingStarted", "TrainingCompleted", "ModelRegistered"] {
        assert_eq!(events_of(&server, kind).len(), 1, "{kind}");
    }

    let approved = server.json("bianca", &["approve", PIPELINE, "1", "--reason", "fine", "--wait"]);
    assert_eq!(approved["kind"], "ModelDeployed", "{approved:#}");
    // What serves comes up again with the server.
    server.kill();
    server.start();
    let rows = format!("{}\n", homes::month(9, 1, 1)[0].request());
    let asked = Asked::invocation(PIPELINE, "again", &rows);
    let answer = server.until("an answer", || match Caller::new().send(&server.address(), &asked) {
        Ok((200, body)) => Some(String::from_utf8(body).unwrap()),
        _ => None,
    });
    answer.trim().parse::<f64>().unwrap();
}
