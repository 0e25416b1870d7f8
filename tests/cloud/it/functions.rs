//! Whether the real executables do on AWS what the handlers do in memory, for the same input.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud::{Answer, Fault, Function, Server, Stack};
use domain::input::ObjectCreated;
use domain::key::prefix;
use domain::row::{Applied, Part, Ticket, Upload};
use domain::{Actor, BlobPath, Digest, Draft, Envelope, Event, Input, Key, Pipeline, PipelineName, Time};
use local::{Directory, SqliteRecords};
use ports::{Blobs, BlobsExt as _, Commit, Committed, Handler as _, Records, RecordsExt as _, Write, ledger};
use serde_json::{Value, json};
use simulation::World;

const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: trips
version: 1.0.0
status: active
schema:
  - name: trips
    properties:
      - {name: id, logicalType: string, required: true, primaryKey: true}
      - {name: fare, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
customProperties:
  - {property: maxQuarantinePercent, value: 40}
";

/// One bad row of four.
const TOLERATED: &str = "id,fare\na,1.5\nb,2\nc,-3\nd,4\n";

/// Nothing but bad rows.
const BROKEN: &str = "id,fare\na,-1\nb,-2\n";

/// A key with everything that a wrong decoding would change.
const ODD: &str = "taxi/a b+c%20d/ä 1%2B.csv";

fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

/// Makes it so that the pipeline was applied and an upload announced, on any adapters.
async fn given(records: &dyn Records, blobs: &dyn Blobs, now: Time) {
    let spec: Pipeline = serde_json::from_value(json!({
        "name": "taxi", "contract": "contract.yaml", "target": "fare", "problem": "regression",
        "entity": ["id"], "approval": {"approvers": ["alice"]},
    }))
    .unwrap();
    let contract = blobs.put(&path("config/taxi/contract.yaml"), CONTRACT.as_bytes()).await.unwrap();
    let event = Event::PipelineApplied {
        revision: 1,
        pipeline_digest: spec.digest(),
        contract_digest: contract.digest,
    };
    let applied = Applied {
        revision: 1,
        digest: spec.digest(),
        spec,
        contract,
        features: blobs.put(&path("config/taxi/features.json"), b"{}").await.unwrap(),
        program: BTreeMap::new(),
        program_digest: Digest::of(b"boost"),
        by: Actor::person("bob"),
        at: now,
    };
    let ticket = Ticket { file: "january.csv".into(), as_of: None, by: Actor::person("ann"), at: now };
    let draft = Draft {
        id: "applied".into(),
        event,
        at: now,
        as_of: None,
        actor: Actor::person("bob"),
        cause: "apply".into(),
        correlation: "apply".into(),
        trace: None,
        clock: Default::default(),
    };
    let commit = Commit {
        id: "apply".into(),
        pipeline: name(),
        at: now,
        writes: vec![
            Write::insert(Key::of(&name(), prefix::PIPELINE), &applied),
            Write::insert(Key::listed(&name()), &json!({})),
            Write::insert(Key::named(&name(), prefix::TICKET, "u1"), &ticket),
        ],
        events: vec![draft],
    };
    assert_eq!(records.commit(&commit).await.unwrap(), Committed::Now);
}

fn path(text: &str) -> BlobPath {
    BlobPath::parse(text).unwrap()
}

/// What must be the same wherever the same input was handled: the fate of every upload, the
/// parts with their digests, and what happened, without ids and times.
#[derive(Debug, PartialEq)]
struct End {
    uploads: BTreeMap<(String, String), Value>,
    parts: Vec<(u64, Digest, Digest, Digest, u64, u64)>,
    kinds: Vec<&'static str>,
    tickets: usize,
}

async fn end(records: &dyn Records) -> End {
    let partition = Key::partition(&name());
    let uploads = records.all::<Upload>(&partition, prefix::UPLOAD).await.unwrap();
    let parts = records.all::<Part>(&partition, prefix::PART).await.unwrap();
    let events = records.all::<Envelope>(&partition, prefix::EVENT).await.unwrap();
    let found = ledger::verify(records, &name(), None).await.unwrap();
    assert_eq!(found.findings, [], "the ledger is whole");
    let told = |upload: Upload| {
        let fate = json!([upload.fate, upload.content, upload.bytes, upload.rows_read, upload.rows_bad]);
        ((upload.path.to_string(), upload.content.hex()), fate)
    };
    let mut parts: Vec<_> = parts
        .into_iter()
        .map(|(_, part)| part.value)
        .map(|part| {
            (part.number, part.digest, part.data.digest, part.profile.digest, part.rows, part.rows_bad)
        })
        .collect();
    parts.sort();
    End {
        uploads: uploads.into_iter().map(|(_, upload)| told(upload.value)).collect(),
        parts,
        kinds: events.iter().map(|(_, event)| event.value.event.kind()).collect(),
        tickets: records.all::<Ticket>(&partition, prefix::TICKET).await.unwrap().len(),
    }
}

/// The three uploads of the story: announced and tolerated, plainly copied under an odd key and
/// broken, and the first one's bytes again.
fn uploads() -> [(&'static str, &'static str); 3] {
    [("taxi/u1/january.csv", TOLERATED), (ODD, BROKEN), ("taxi/again.csv", TOLERATED)]
}

/// The same story in memory: all of it lands, then all of it is handled.
async fn in_memory(uploads: &[(&str, &str)]) -> End {
    let world = World::new();
    given(&*world.records, &*world.blobs, world.clock.now()).await;
    let ingest = ingest::Ingest {
        records: world.records.clone(),
        blobs: world.blobs.clone(),
        incoming: world.incoming.clone(),
    };
    let mut news = Vec::new();
    for (key, content) in uploads {
        let version = world.incoming.insert(&path(key), content.as_bytes().to_vec());
        news.push(landed(key, content, Some(version), world.clock.now()));
    }
    for input in &news {
        world.twice(&ingest, input).await.unwrap();
    }
    end(&*world.records).await
}

/// The news of an object, where a version is named or none.
fn landed(key: &str, content: &str, version: Option<String>, at: Time) -> Input {
    Input::ObjectCreated(ObjectCreated {
        bucket: "incoming".into(),
        key: key.into(),
        size: Some(content.len() as u64),
        identity: version.clone().unwrap_or_else(|| Digest::of(content.as_bytes()).short()),
        version,
        requester: "ann".into(),
        at,
    })
}

/// The same story over the adapters of one machine.
async fn on_one_machine(uploads: &[(&str, &str)]) -> End {
    let folder = tempfile::tempdir().unwrap();
    let records = Arc::new(SqliteRecords::open(&folder.path().join("ledger.db")).unwrap());
    let open = |name: &str| Arc::new(Directory::open(&folder.path().join(name)).unwrap());
    let (blobs, incoming) = (open("blobs"), open("incoming"));
    let world = World::new();
    let now = world.clock.now();
    given(&*records, &*blobs, now).await;
    let ingest = ingest::Ingest { records: records.clone(), blobs, incoming: incoming.clone() };
    for (key, content) in uploads {
        incoming.put(&path(key), content.as_bytes()).await.unwrap();
        for _ in 0..2 {
            ingest.handle(&world.cx(now), &landed(key, content, None, now)).await.unwrap();
        }
    }
    end(&*records).await
}

/// Puts an object into the incoming bucket and answers the news that S3 sends of it.
async fn land(server: &Server, stack: &Stack, key: &str, content: &str) -> Value {
    stack.clients().incoming().put(&path(key), content.as_bytes()).await.unwrap();
    let mut news = stack.take(server, "landed");
    assert_eq!(news.len(), 1, "S3 tells of it once: {news:?}");
    news.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_from_s3_through_ingest_ledger_stream_and_relay_to_the_bus() {
    let Some(server) = Server::start() else { return };
    let mut stack = Stack::make(&server);
    let table = stack.clients().records();
    given(&*table, &*stack.clients().blobs(), Time::from_millis(1_767_603_600_000)).await;
    let mut ingest = Function::start("ingest", &stack.environment()).await;
    let mut first = None;
    for (key, content) in uploads() {
        let news = land(&server, &stack, key, content).await;
        assert_eq!(news.pointer("/detail/object/key"), Some(&json!(key)), "the key is as it is");
        for delivery in ["first", "second"] {
            let answer = ingest.invoke(&news.to_string()).await;
            assert_eq!(answer, Answer::Response(json!({})), "{key}: {delivery} delivery");
        }
        first.get_or_insert(news);
    }
    // Late, under another id of the transport, after its ticket was used up.
    let mut late = first.unwrap();
    late["id"] = json!("another");
    assert_eq!(ingest.invoke(&late.to_string()).await, Answer::Response(json!({})));
    let ended = end(&*table).await;
    assert_eq!(ended, in_memory(&uploads()).await, "as in memory");
    assert_eq!(ended, on_one_machine(&uploads()).await, "as on one machine");

    let mut relay = Function::start("relay", &stack.environment()).await;
    let batch = stack.told_by_stream(&server);
    assert!(batch["Records"].as_array().is_some_and(|records| records.len() > 4), "{batch}");
    let mut reordered = batch.clone();
    reordered["Records"].as_array_mut().unwrap().reverse();
    for (delivery, batch) in [("first", &reordered), ("second", &batch)] {
        let answer = relay.invoke(&batch.to_string()).await;
        assert_eq!(answer, Answer::Response(json!({ "batchItemFailures": [] })), "{delivery} delivery");
    }
    let published: Vec<Envelope> = stack
        .take(&server, "published")
        .iter()
        .map(|event| serde_json::from_value(event["detail"].clone()).unwrap())
        .collect();
    let ledger = table.all::<Envelope>(&Key::partition(&name()), prefix::EVENT).await.unwrap();
    let ledger: Vec<Envelope> = ledger.into_iter().map(|(_, event)| event.value).collect();
    assert_eq!(published, ledger, "once each, in order, as the ledger has them");

    // Every line of the log says when, how grave, and of which event.
    let lines = ingest.end();
    assert!(!lines.is_empty());
    for line in &lines {
        assert!(line["timestamp"].as_str().unwrap().parse::<Time>().is_ok(), "{line}");
        assert!(line["level"].is_string() && line["span"]["event"].is_string(), "{line}");
    }
    assert!(!lines.iter().any(|line| line.to_string().contains("1.5")), "no row is logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_answered_and_the_next_event_is_handled() {
    let Some(server) = Server::start() else { return };
    let stack = Stack::make(&server);
    let table = stack.clients().records();
    given(&*table, &*stack.clients().blobs(), Time::from_millis(1_767_603_600_000)).await;
    let mut ingest = Function::start("ingest", &stack.environment()).await;
    for (payload, expected) in [
        (json!({}), "Malformed"),
        (json!("text"), "Malformed"),
        (json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {}}), "Malformed"),
        // Of no pipeline that was ever applied.
        (
            json!({"source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-23T09:00:00Z",
                "detail": {"bucket": {"name": "in"}, "object": {"key": "nobody/a.csv", "size": 3}}}),
            "Reject",
        ),
    ] {
        match ingest.invoke(&payload.to_string()).await {
            Answer::Error { kind, message } => assert_eq!(kind, expected, "{message}"),
            answer => panic!("{payload}: {answer:?}"),
        }
    }
    let news = land(&server, &stack, "taxi/u1/january.csv", TOLERATED).await;
    assert_eq!(ingest.invoke(&news.to_string()).await, Answer::Response(json!({})));
    assert_eq!(end(&*table).await.kinds, ["PipelineApplied", "PartAccepted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_killed_after_its_effect_leaves_what_the_next_one_finishes() {
    let Some(server) = Server::start() else { return };
    let stack = Stack::make(&server);
    let table = stack.clients().records();
    given(&*table, &*stack.clients().blobs(), Time::from_millis(1_767_603_600_000)).await;
    let mut news = Vec::new();
    for (key, content) in uploads() {
        news.push(land(&server, &stack, key, content).await.to_string());
    }
    let mut ingest = Function::start("ingest", &stack.environment()).await;
    // Every answer to a commit is lost: it has happened, and the function cannot know.
    server.misbehave(Fault::Lose, "TransactWriteItems", 0, 1_000);
    match ingest.invoke(&news[0]).await {
        Answer::Error { kind, message } => assert_eq!(kind, "Retry", "{message}"),
        answer => panic!("{answer:?}"),
    }
    server.behave();
    drop(ingest);
    let mut another = Function::start("ingest", &stack.environment()).await;
    // Reordered, and the first one again.
    for event in [&news[0], &news[1], &news[0], &news[2], &news[1]] {
        assert_eq!(another.invoke(event).await, Answer::Response(json!({})));
    }
    assert_eq!(end(&*table).await, in_memory(&uploads()).await, "as in memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_written_over_before_it_is_read_is_judged_as_it_was() {
    let Some(server) = Server::start() else { return };
    // The announced key and a plain one, each good at first and then broken.
    let story = ["taxi/u1/january.csv", ODD].map(|key| [(key, TOLERATED), (key, BROKEN)]).concat();
    let expected = in_memory(&story).await;
    assert_eq!(expected.uploads.len(), 4, "every version has its fate");
    for is_reordered in [false, true] {
        let stack = Stack::make(&server);
        let table = stack.clients().records();
        given(&*table, &*stack.clients().blobs(), Time::from_millis(1_767_603_600_000)).await;
        let mut news = Vec::new();
        for (key, content) in &story {
            news.push(land(&server, &stack, key, content).await);
        }
        let deliveries = if is_reordered { [1, 0, 3, 2, 0, 1] } else { [0, 1, 2, 3, 0, 1] };
        let mut ingest = Function::start("ingest", &stack.environment()).await;
        for place in deliveries {
            assert_eq!(ingest.invoke(&news[place].to_string()).await, Answer::Response(json!({})));
        }
        let end = end(&*table).await;
        assert_eq!((&end.uploads.len(), &end.parts, end.tickets), (&4, &expected.parts, 0));
        if !is_reordered {
            assert_eq!(end, expected, "as in memory");
        }
        let uploads = table.all::<Upload>(&Key::partition(&name()), prefix::UPLOAD).await.unwrap();
        for (_, upload) in uploads {
            let Upload { path, version, content, .. } = upload.value;
            let kept = stack.clients().incoming().digest_of(&path, version.as_deref()).await.unwrap();
            assert_eq!(kept.1, content, "what was judged is kept under the version that is recorded");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_broken_or_silent_leaves_everything_to_the_next_delivery() {
    let Some(server) = Server::start() else { return };
    let stack = Stack::make(&server);
    let table = stack.clients().records();
    given(&*table, &*stack.clients().blobs(), Time::from_millis(1_767_603_600_000)).await;
    let mut ingest = Function::start("ingest", &stack.environment()).await;
    let faults = [
        (Fault::Throttle, "TransactWriteItems", 60_000, "Retry"),
        (Fault::Fail, "GET /", 60_000, "Retry"),
        // With no answer at all, the function answers before its time is over.
        (Fault::Hang, "", 2_000, "Deadline"),
    ];
    for ((key, content), (fault, matching, millis, expected)) in uploads().into_iter().zip(faults) {
        let news = land(&server, &stack, key, content).await.to_string();
        server.misbehave(fault, matching, 0, 1_000);
        match ingest.invoke_within(millis, &news).await {
            Answer::Error { kind, message } => assert_eq!(kind, expected, "{matching}: {message}"),
            answer => panic!("{matching}: {answer:?}"),
        }
        server.behave();
        for _ in 0..2 {
            assert_eq!(ingest.invoke(&news).await, Answer::Response(json!({})), "{matching}");
        }
    }
    assert_eq!(end(&*table).await, in_memory(&uploads()).await, "as in memory");
    let failed = ingest.end().into_iter().filter(|line| line["fault"].is_string());
    let told: Vec<(Value, Value)> =
        failed.map(|line| (line["fault"].clone(), line["level"].clone())).collect();
    let expected = [("Retry", "WARN"), ("Retry", "WARN"), ("Deadline", "ERROR")];
    assert_eq!(told, expected.map(|(fault, level)| (json!(fault), json!(level))), "each is logged once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_publishes_what_the_stream_never_told() {
    let Some(server) = Server::start() else { return };
    let stack = Stack::make(&server);
    given(&*stack.clients().records(), &*stack.clients().blobs(), Time::from_millis(1_767_603_600_000)).await;
    let mut relay = Function::start("relay", &stack.environment()).await;
    let tick =
        json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": "2026-11-23T09:00:00Z"});
    server.misbehave(Fault::Throttle, "PutEvents", 0, 1_000);
    match relay.invoke(&tick.to_string()).await {
        Answer::Error { kind, message } => assert_eq!(kind, "Retry", "{message}"),
        answer => panic!("{answer:?}"),
    }
    server.behave();
    for _ in 0..2 {
        assert_eq!(relay.invoke(&tick.to_string()).await, Answer::Response(json!({})));
    }
    let published = stack.take(&server, "published");
    assert_eq!(published.len(), 1, "{published:?}");
    assert_eq!(published[0]["detail-type"], "PipelineApplied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_told_too_little_says_all_that_is_missing() {
    let Some(server) = Server::start() else { return };
    let stack = Stack::make(&server);
    let few: Vec<_> =
        stack.environment().into_iter().filter(|(name, _)| !name.starts_with("MILLRACE_B")).collect();
    let lines = Function::refused("relay", &few);
    assert!(lines.contains("MILLRACE_BUS, MILLRACE_BUCKET not set"), "{lines}");
}
