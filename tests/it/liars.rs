//! Whether a program that lies or hangs is found out, by name, and what serves goes on.

use std::fs;

use home_insurance as homes;
use serde_json::{Value, json};

use crate::http::{Asked, Caller};
use crate::restart::python_is_here;
use crate::server::Server;
use crate::small::{self, PIPELINE};

const CLOCK: &str = "2026-03-01T09:00:00Z";

/// Applies a declaration whose program tells this lie here.
fn apply(server: &Server, lie: &str, place: &str) {
    let folder = server.data().parent().unwrap();
    fs::write(folder.join("liar.py"), include_str!("liar.py")).unwrap();
    let program = "program: {command: {run: [python3, liar.py], files: [liar.py]}}";
    let asked = format!("{{lie: {lie}, where: {place}}}");
    let declaration = small::declaration(&[
        ("program: boost", program),
        ("{num_round: 8, eta: 0.1, max_depth: 5, early_stopping_rounds: 20, seed: 7}", &asked),
        ("window_parts: 3", "window_parts: 3\n  timeout_minutes: 1"),
    ]);
    small::apply(server, &declaration);
}

/// Asks for something and waits for what comes of it: the event's kind and its reason.
fn outcome(server: &Server, person: &str, arguments: &[&str]) -> (String, String) {
    let ran = server.ask(person, &[arguments, &["--reason", "to see", "--wait", "--json"]].concat());
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    let kind = told["kind"].as_str().unwrap_or_else(|| panic!("{told:#}{}", ran.err)).to_owned();
    let events = server.get(&format!("/api/pipelines/{PIPELINE}/events?limit=1000"));
    let events = events["items"].as_array().unwrap().iter().map(|item| &item["envelope"]);
    let newest = events.rev().find(|event| event["kind"] == *kind).unwrap();
    let reason = newest["data"]["reason"].as_str().unwrap_or_default().to_owned();
    (kind, reason)
}

fn train(server: &Server) -> (String, String) {
    outcome(server, "alice", &["train", PIPELINE])
}

fn approve(server: &Server, version: u32) -> (String, String) {
    outcome(server, "bianca", &["approve", PIPELINE, &version.to_string()])
}

/// A server whose version 1 answers 100 to every row.
fn honest() -> Server {
    let server = Server::fresh(CLOCK);
    apply(&server, "none", "nowhere");
    small::upload(&server, 1);
    assert_eq!(train(&server).0, "ModelRegistered");
    assert_eq!(approve(&server, 1).0, "ModelDeployed");
    server
}

#[test]
fn a_model_that_lies_to_its_judges_is_rejected_by_name() {
    if !python_is_here() {
        return;
    }
    let server = honest();
    for (lie, complaint) in [
        ("garbage", "answer 1: found \"<html>\", expected a finite number"),
        ("nan", "answer 1: found \"nan\", expected a finite number"),
        ("fewer", "answers to"),
        ("more", "answers to"),
        ("emptiness", "0 answers to"),
        ("refusal", "answered with status 500: out of memory"),
        ("silence", "no answer"),
    ] {
        apply(&server, lie, "evaluation");
        let (kind, reason) = train(&server);
        assert_eq!(kind, "ModelRejected", "{lie}: {reason}");
        assert!(reason.contains(complaint), "{lie}: {reason}");
    }
}

#[test]
fn a_model_that_answers_otherwise_than_it_was_judged_never_serves() {
    if !python_is_here() {
        return;
    }
    let server = honest();
    let lies = [
        ("garbage", "found \"<html>\", expected a finite number"),
        ("nan", "found \"nan\", expected a finite number"),
        ("fewer", "answers for"),
        ("more", "answers for"),
        ("emptiness", "0 answers for"),
        ("refusal", "the golden requests were answered with status 500: out of memory"),
        ("error", "was answered 101, recorded is 100"),
    ];
    for ((lie, complaint), version) in lies.into_iter().zip(2..) {
        apply(&server, lie, "endpoint");
        assert_eq!(train(&server).0, "ModelRegistered", "{lie}");
        let (kind, reason) = approve(&server, version);
        assert_eq!(kind, "DeploymentFailed", "{lie}: {reason}");
        assert!(reason.contains(complaint), "{lie}: {reason}");
    }
    // One that says nothing at all is asked again, as long as a start may take.
    apply(&server, "silence", "endpoint");
    assert_eq!(train(&server).0, "ModelRegistered");
    server.json("bianca", &["approve", PIPELINE, "9", "--reason", "to see"]);
    let deployments = || server.get(&format!("/api/pipelines/{PIPELINE}/deployments"));
    let of_version = |version: u32| {
        let listed = deployments();
        let found = listed["items"].as_array().unwrap().iter().find(|row| row["version"] == version).cloned();
        found.map(|row| row["state"].clone())
    };
    server.until("the deployment", || of_version(9));
    let later = json!({ "now": "2026-03-01T10:30:00Z" });
    let moved = Asked::post("alice", "later", "/api/clock", &later);
    assert_eq!(Caller::new().send(&server.address(), &moved).unwrap().0, 200);
    let state = server.until("its end", || of_version(9).filter(|state| state["state"] == "failed"));
    assert_eq!(state["reason"], "it did not come up within 60 minutes");

    let endpoints = server.get(&format!("/api/pipelines/{PIPELINE}/endpoints"));
    assert_eq!(endpoints["items"][0]["champion"], 1, "what served goes on");
    let rows = format!("{}\n", homes::month(9, 1, 1)[0].request());
    let (status, body) =
        Caller::new().send(&server.address(), &Asked::invocation(PIPELINE, "1", &rows)).unwrap();
    assert_eq!((status, body.as_slice()), (200, b"100\n".as_slice()));
}

#[test]
fn a_training_that_hangs_is_ended_by_its_timeout_and_its_run_fails() {
    if !python_is_here() {
        return;
    }
    let server = Server::fresh(CLOCK);
    // A minute is the shortest that a declaration may ask for.
    apply(&server, "hang", "everywhere");
    small::upload(&server, 1);
    let (kind, reason) = train(&server);
    assert_eq!(kind, "TrainingFailed");
    assert_eq!(reason, "the job was stopped: ran longer than its 60 seconds");
    let status = server.get("/api/status");
    assert_eq!(status["pipelines"][0]["busy"].as_array().unwrap().len(), 0, "{status:#}");
}
