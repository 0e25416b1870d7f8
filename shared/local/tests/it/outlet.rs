//! Whether notices reach the file whole, and what a notice is.

use std::path::Path;
use std::sync::Arc;

use domain::pipeline::Channel;
use domain::{Digest, Time};
use futures::executor::block_on;
use local::{Clock, Outlet};
use ports::{ErrorKind, Notice, Notices};

/// A notice whose text needs care.
pub(crate) fn notice(id: &str) -> Notice {
    Notice {
        id: id.into(),
        pipeline: "taxi".parse().unwrap(),
        kind: "ModelDeployed".into(),
        subject: "endpoint/taxi".into(),
        text: "version 3 answers: Grüße \"世界\"\n".into(),
        at: Time::from_millis(1_767_603_600_000),
        sequence: 7,
        head: Digest::of(b"head"),
    }
}

/// The notice as it goes out, written by hand.
pub(crate) const BODY: &str = r#"{"id":"notice-1","pipeline":"taxi","kind":"ModelDeployed","subject":"endpoint/taxi","text":"version 3 answers: Grüße \"世界\"\n","at":"2026-01-05T09:00:00.000Z","sequence":7,"head":"sha256:9f2e6d33a3717ee826353a404ba4618d1aeeb6879ad7936bce8ed5f46814924d"}"#;

fn outlet(file: &Path) -> Outlet {
    Outlet::new(file, Clock::real(), |_| None)
}

#[test]
fn an_outlet_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notices.jsonl");
    block_on(conformance::notices::notices(async || Arc::new(outlet(&file)) as Arc<dyn Notices>));
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 3, "one line for each notice that was sent");
}

#[test]
fn a_notice_is_a_line_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notices.jsonl");
    block_on(outlet(&file).send(&Channel::File, &notice("notice-1"))).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{BODY}\n"));
}

#[test]
fn notices_of_several_senders_are_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notices.jsonl");
    let outlets = [outlet(&file), outlet(&file)];
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let outlet = &outlets[caller % 2];
            scope.spawn(move || {
                for round in 0..10 {
                    block_on(outlet.send(&Channel::File, &notice(&format!("{caller}-{round}")))).unwrap();
                }
            });
        }
    });
    let text = std::fs::read_to_string(&file).unwrap();
    let ids = text.lines().map(|line| {
        let notice: serde_json::Value = serde_json::from_str(line).unwrap();
        notice["id"].as_str().unwrap().to_owned()
    });
    assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 40);
}

#[test]
fn a_notices_file_that_was_moved_away_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notices.jsonl");
    let outlet = outlet(&file);
    for _ in 0..2 {
        block_on(outlet.send(&Channel::File, &notice("a"))).unwrap();
    }
    std::fs::remove_file(&file).unwrap();
    block_on(outlet.send(&Channel::File, &notice("notice-1"))).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{BODY}\n"));
}

#[test]
fn a_file_that_cannot_be_written_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = block_on(outlet(folder.path()).send(&Channel::File, &notice("a"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().starts_with("send notice a to "), "{error}");
    let missing = folder.path().join("no folder/notices.jsonl");
    let error = block_on(outlet(&missing).send(&Channel::File, &notice("a"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
