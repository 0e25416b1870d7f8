//! Whether a program written for SageMaker gets its predictions here unchanged.

use std::io::Write as _;
use std::process::{Command, Stdio};

use home_insurance as homes;
use serde_json::Value;

use crate::command::root;
use crate::http::{Asked, Caller};
use crate::server::Server;
use crate::small::{self, PIPELINE};

#[test]
fn boto3_as_it_comes_gets_the_predictions_that_others_get() {
    let python = root().join(".venv/bin/python");
    let has_boto = Command::new(&python).args(["-c", "import boto3"]).stderr(Stdio::null()).status();
    if !has_boto.is_ok_and(|status| status.success()) {
        println!("skipped: boto3 is not in .venv (make .venv/aws)");
        return;
    }
    let server = Server::fresh("2026-03-01T09:00:00Z");
    small::apply(&server, &small::declaration(&[]));
    small::upload(&server, 1);
    server.json("alice", &["train", PIPELINE, "--reason", "a first one", "--wait"]);
    server.json("bianca", &["approve", PIPELINE, "1", "--reason", "fine", "--wait"]);

    let rows: String = homes::month(9, 1, 3).iter().map(|quote| format!("{}\n", quote.request())).collect();
    let mut asking = Command::new(&python)
        .arg(root().join("tests/it/boto.py"))
        .args([&format!("http://{}", server.address().host), PIPELINE, "quote-17"])
        // No setting of whoever runs the tests leads elsewhere.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    asking.stdin.take().unwrap().write_all(rows.as_bytes()).unwrap();
    let asked = asking.wait_with_output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let told: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let (status, body) =
        Caller::new().send(&server.address(), &Asked::invocation(PIPELINE, "quote-18", &rows)).unwrap();
    assert_eq!((status, told["body"].as_str()), (200, Some(std::str::from_utf8(&body).unwrap())));
    assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), 3, "one line a row");
    assert!(told["content_type"].as_str().unwrap().starts_with("text/csv"), "{told}");
    assert_eq!(told["variant"], "AllTraffic");
    assert!(told["refused"].as_str().unwrap().contains("nobody"), "{told}");
}
