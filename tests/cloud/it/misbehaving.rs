//! What the adapters do when the server is slow, too busy, broken, or loses its answers.

use std::time::Duration;

use aws::Clients;
use cloud::{Fault, Server, Stack};
use domain::{Actor, BlobPath, Draft, Envelope, Event, Key, PipelineName, Time};
use ports::{Blobs, BlobsExt as _, Bus, Commit, Committed, ErrorKind, PutExpect, Records, Write, ledger};
use serde_json::json;

fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

fn at() -> Time {
    Time::from_millis(1_767_603_600_000)
}

fn draft(id: &str, reason: &str) -> Draft {
    Draft {
        id: id.into(),
        event: Event::RetrainingRequested { reason: reason.into() },
        at: at(),
        as_of: None,
        actor: Actor::person("ann"),
        cause: id.into(),
        correlation: id.into(),
        trace: None,
        clock: Default::default(),
    }
}

/// A commit of a row and an event.
fn commit(id: &str) -> Commit {
    let row = Write::insert(Key::waiting(&name(), "ingest", id), &json!(1));
    Commit { id: id.into(), pipeline: name(), at: at(), writes: vec![row], events: vec![draft(id, "news")] }
}

fn path(text: &str) -> BlobPath {
    BlobPath::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_happens_once() {
    let Some(server) = Server::start() else { return };
    let table = Stack::make(&server).clients().records();
    server.misbehave(Fault::Lose, "TransactWriteItems", 0, 1);
    // The repeat within finds the mark of its own first attempt: it may not pass for a conflict.
    assert!(table.commit(&commit("a")).await.is_ok());
    assert_eq!(table.commit(&commit("a")).await.unwrap(), Committed::Before);
    // Where every answer is lost nobody knows, until somebody asks again.
    server.misbehave(Fault::Lose, "TransactWriteItems", 0, 1_000);
    let unknown = table.commit(&commit("b")).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unavailable, "{unknown}");
    server.behave();
    assert_eq!(table.commit(&commit("b")).await.unwrap(), Committed::Before);
    let found = ledger::verify(&*table, &name(), None).await.unwrap();
    assert_eq!((found.events, found.findings), (2, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_for_and_what_lasts_is_told() {
    let Some(server) = Server::start() else { return };
    let table = Stack::make(&server).clients().records();
    for (fault, kind) in [(Fault::Throttle, ErrorKind::Throttled), (Fault::Fail, ErrorKind::Unavailable)] {
        let id = format!("{kind:?}");
        server.misbehave(fault, "TransactWriteItems", 0, 2);
        assert_eq!(table.commit(&commit(&id)).await.unwrap(), Committed::Now, "{kind:?}");
        server.misbehave(fault, "DynamoDB", 0, 1_000);
        let lasting = table.commit(&commit(&format!("{id} again"))).await.unwrap_err();
        assert_eq!(lasting.kind(), kind, "{lasting}");
        let lasting = table.list(&Key::partition(&name()), "", None).await.unwrap_err();
        assert_eq!(lasting.kind(), kind, "{lasting}");
        server.behave();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_given_up() {
    let Some(server) = Server::start() else { return };
    let stack = Stack::make(&server);
    let clients = Clients::waiting(stack.settings().clone(), Duration::from_millis(300));
    server.misbehave(Fault::Hang, "", 0, 1_000);
    let key = Key::waiting(&name(), "ingest", "a");
    assert_eq!(clients.records().get(&key).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(clients.blobs().head(&path("a")).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let lost = clients.blobs().put(&path("a"), b"x").await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Unavailable, "{lost}");
    server.behave();
    assert_eq!(clients.blobs().head(&path("a")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_whose_answer_is_lost_is_not_taken_for_anothers() {
    let Some(server) = Server::start() else { return };
    let blobs = Stack::make(&server).clients().blobs();
    for (at, bytes, request) in [
        ("small", 10, "PUT /"),
        // Two parts, completed by a POST.
        ("large", 9 * 1024 * 1024, "uploadId"),
    ] {
        let content = vec![7u8; bytes];
        let mut writer = blobs.writer(&path(at), PutExpect::Absent).await.unwrap();
        writer.write(&content).await.unwrap();
        // The upload's last part is one such request, its completion the next.
        server.misbehave(Fault::Lose, request, u32::from(at == "large"), 1);
        writer.finish().await.unwrap_or_else(|error| panic!("{at}: {error}"));
        server.behave();
        assert!(blobs.range(&path(at), 0, u64::MAX).await.unwrap() == content, "{at}");
        let mut another = blobs.writer(&path(at), PutExpect::Absent).await.unwrap();
        another.write(b"other").await.unwrap();
        assert_eq!(another.finish().await.unwrap_err().kind(), ErrorKind::Conflict, "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_piece_of_a_version_is_on_its_way_before_it_is_asked_for() {
    let Some(server) = Server::start() else { return };
    let blobs = Stack::make(&server).clients().blobs();
    let content: Vec<u8> = (0..250u8).cycle().take(2_500).collect();
    blobs.put(&path("a"), &content).await.unwrap();
    let version = blobs.head(&path("a")).await.unwrap().unwrap().version.unwrap();
    blobs.put(&path("a"), b"another").await.unwrap();
    server.seen();
    assert!(blobs.range_of(&path("a"), &version, 0, 1_000).await.unwrap() == content[..1_000]);
    // It comes by itself, so this ends.
    let mut asked = 0;
    while asked < 2 {
        asked += server.seen().iter().filter(|request| request.contains("GET /")).count();
        tokio::task::yield_now().await;
    }
    server.misbehave(Fault::Fail, "GET /", 0, 1_000);
    assert!(blobs.range_of(&path("a"), &version, 1_000, 1_000).await.unwrap() == content[1_000..2_000]);
    let failed = blobs.range_of(&path("a"), &version, 2_000, 1_000).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed}");
    server.behave();
    // Elsewhere, and on from there.
    for (from, until) in [(1_500, 2_500), (2_500, 2_500), (0, 1_000), (1_000, 2_000), (2_000, 2_500)] {
        let read = blobs.range_of(&path("a"), &version, from as u64, 1_000).await.unwrap();
        assert!(read == content[from..until], "from {from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_large_events_are_published_within_the_limit_of_a_call() {
    let Some(server) = Server::start() else { return };
    let stack = Stack::make(&server);
    let reason = "x".repeat(60_000);
    let events: Vec<Envelope> = (1..=10)
        .map(|n| Envelope::seal(&draft(&n.to_string(), &reason), &name(), n, None, Default::default()))
        .collect();
    let outcomes = stack.clients().bus().publish(&events).await.unwrap();
    assert!(outcomes.len() == 10 && outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(stack.take(&server, "published").len(), 10);
    let eleven = [events.clone(), events[..1].to_vec()].concat();
    let refused = stack.clients().bus().publish(&eleven).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    server.misbehave(Fault::Fail, "PutEvents", 0, 1_000);
    let outcomes = stack.clients().bus().publish(&events[..2]).await.unwrap();
    assert_eq!(outcomes.len(), 2);
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_not_there_is_a_mistake_not_an_empty_one() {
    let Some(server) = Server::start() else { return };
    let mut settings = Stack::make(&server).settings().clone();
    settings.table = "nowhere".into();
    settings.bucket = "nowhere".into();
    let clients = Clients::new(settings);
    let key = Key::waiting(&name(), "ingest", "a");
    assert_eq!(clients.records().get(&key).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(clients.records().commit(&commit("a")).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(clients.blobs().list("", None).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(clients.blobs().put(&path("a"), b"x").await.unwrap_err().kind(), ErrorKind::Invalid);
}
