//! Who may do what, and that a request made twice is done once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use domain::key::prefix;
use domain::row::{ApprovalState, Endpoint, Lineage, Model};
use domain::{Actor, BlobPath, Digest, Key, PipelineName, Time};
use futures::executor::block_on;
use ports::http::{Answer as _, Request, Response};
use ports::{Cx, RecordsExt as _};
use serde_json::{Value, json};
use simulation::memory::{MemoryBlobs, MemoryRecords};

use super::*;

mod looking;

const PIPELINE: &str = include_str!("../../../examples/home-insurance/pipeline.yaml");
const CONTRACT: &str = include_str!("../../../examples/home-insurance/contract.yaml");

fn console() -> Console {
    Console { records: Arc::new(MemoryRecords::default()), blobs: Arc::new(MemoryBlobs::default()) }
}

fn ask(console: &Console, who: &str, method: &str, path: &str, id: &str, body: &Value) -> (u16, Value) {
    let cx =
        Cx { now: Time::from_millis(1_000), deadline: Time::MAX, trace: None, clock: Default::default() };
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let request = Request {
        method: method.into(),
        path: path.into(),
        query,
        body,
        actor: Actor::person(who),
        id: id.into(),
    };
    let Response { status, body, .. } = block_on(console.answer(&cx, request));
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body))))
}

fn application(pipeline: &str) -> Value {
    json!({ "pipeline_file": "pipeline.yaml", "pipeline": pipeline, "contract_file": "contract.yaml", "contract": CONTRACT })
}

fn model(requested_by: &str) -> Model {
    let digest = Digest::of(b"x");
    let lineage = Lineage {
        selection: digest,
        parts: vec![digest],
        contract: digest,
        pipeline: digest,
        features: digest,
        program: digest,
        artifact: digest,
        hyperparameters: BTreeMap::new(),
        evaluation: digest,
        report: digest,
    };
    let file = domain::row::File { path: BlobPath::parse("a/b").unwrap(), digest };
    Model {
        version: 1,
        run: "r".into(),
        binding: Digest::of_json(&lineage),
        lineage,
        artifact: file.clone(),
        baseline: file.clone(),
        golden: file.clone(),
        features: file.clone(),
        report: file,
        metrics: BTreeMap::new(),
        champion: None,
        requested_by: Actor::person(requested_by),
        newest: Time::default(),
        cycle: 0,
        at: Time::default(),
        approval: ApprovalState::Pending,
    }
}

#[test]
fn a_declaration_is_applied_once_however_often_it_is_sent() {
    let console = console();
    let apply = |id: &str| ask(&console, "ana", "POST", "/api/pipelines", id, &application(PIPELINE));
    assert_eq!(apply("1"), (200, json!({ "pipeline": "home-insurance", "revision": 1, "changed": true })));
    assert_eq!(apply("2"), (200, json!({ "pipeline": "home-insurance", "revision": 1, "changed": false })));
    // Whoever did not hear the first answer hears it again.
    assert_eq!(apply("1"), (200, json!({ "pipeline": "home-insurance", "revision": 1, "changed": true })));
    let (_, events) = ask(&console, "ana", "GET", "/api/pipelines/home-insurance/events", "3", &Value::Null);
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
    let (_, verified) =
        ask(&console, "ana", "GET", "/api/pipelines/home-insurance/verify", "4", &Value::Null);
    assert_eq!(verified["findings"], json!([]));
}

#[test]
fn a_second_pipeline_cannot_take_an_endpoint() {
    let console = console();
    let apply =
        |id: &str, pipeline: &str| ask(&console, "ana", "POST", "/api/pipelines", id, &application(pipeline));
    let named = |name: &str, endpoint: &str| {
        let renamed = PIPELINE.replace("name: home-insurance", &format!("name: {name}"));
        format!("{renamed}serving: {{endpoint: {endpoint}}}\n")
    };
    assert_eq!(apply("1", PIPELINE).0, 200);
    for (id, endpoint) in [("2", "home-insurance"), ("3", "home-insurance")] {
        let (status, answer) = apply(id, &named("homes", endpoint));
        assert_eq!(status, 409, "{answer}");
        let told = answer["error"].as_str().unwrap();
        assert!(told.contains("the pipeline home-insurance answers as home-insurance already"), "{told}");
    }
    assert_eq!(apply("4", &named("homes", "quotes")).0, 200);
    // A name that was given up stays whose it was, and its own pipeline may come back to it.
    assert_eq!(apply("5", &named("home-insurance", "premiums")).0, 200);
    assert_eq!(apply("6", &named("homes", "home-insurance")).0, 409);
    assert_eq!(apply("7", PIPELINE).0, 200);
    let (_, listed) = ask(&console, "ana", "GET", "/api/pipelines", "8", &Value::Null);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "a claim is no pipeline");
}

#[test]
fn faults_of_a_declaration_are_told_with_their_field() {
    let console = console();
    let cases = [
        ("target: claim_cost", "target: claim_costs", "claim_costs"),
        ("by: entity", "by: moon", "pipeline.yaml:10:"),
        ("entity: [quote_id]", "entity: [quote]", "entity: unknown column"),
        ("log(market_value)", "log(market_valeu)", "log_value"),
        ("log(market_value)", "log(claim_cost)", "claim_cost"),
        ("approvers: [bianca, carlos]", "approvers: []", "approval.approvers"),
    ];
    for (before, after, complaint) in cases {
        let (status, answer) = ask(
            &console,
            "ana",
            "POST",
            "/api/pipelines",
            "1",
            &application(&PIPELINE.replace(before, after)),
        );
        assert_eq!(status, 422, "{after}");
        assert!(answer.to_string().contains(complaint), "{after}: {answer}");
    }
    let (_, status) = ask(&console, "ana", "GET", "/api/status", "2", &Value::Null);
    assert_eq!(status["pipelines"], json!([]));
}

#[test]
fn who_approves_is_changed_only_by_one_who_does() {
    let console = console();
    ask(&console, "ana", "POST", "/api/pipelines", "1", &application(PIPELINE));
    let walk_round = application(&PIPELINE.replace("[bianca, carlos]", "[ana]"));
    let (status, answer) = ask(&console, "ana", "POST", "/api/pipelines", "2", &walk_round);
    assert_eq!(status, 403, "{answer}");
    assert_eq!(ask(&console, "bianca", "POST", "/api/pipelines", "3", &walk_round).0, 200);
}

#[test]
fn approval_needs_a_named_second_person_and_the_very_bytes() {
    let console = console();
    ask(&console, "ana", "POST", "/api/pipelines", "1", &application(PIPELINE));
    let (_, answer) = ask(&console, "ana", "GET", "/api/pipelines/home-insurance", "2", &Value::Null);
    let applied: domain::row::Applied = serde_json::from_value(answer["applied"].clone()).unwrap();
    let person = Actor::person;
    let mut changed = model("dora");
    changed.lineage.artifact = Digest::of(b"other bytes");
    let mut done = model("dora");
    done.approval =
        ApprovalState::Rejected { by: person("carlos"), at: Time::default(), reason: "no".into() };
    let cases = [
        (person("bianca"), model("dora"), None, None),
        (person("bianca"), model("dora"), Some(Digest::of(b"other")), Some("is bound to")),
        (person("bianca"), model("bianca"), None, Some("four eyes")),
        (person("ana"), model("dora"), None, Some("not an approver")),
        (person("mallory"), model("dora"), None, Some("not an approver")),
        (Actor::function("bianca"), model("dora"), None, Some("not an approver")),
        (person("bianca"), changed, None, Some("not what was registered")),
        (person("bianca"), done, None, Some("already rejected by carlos")),
    ];
    for (actor, model, binding, complaint) in cases {
        let found = may_approve(&actor, &applied, &model, binding).err();
        let as_told = match (&found, complaint) {
            (None, None) => true,
            (Some(found), Some(complaint)) => found.contains(complaint),
            _ => false,
        };
        assert!(as_told, "{actor:?}: {found:?} {complaint:?}");
    }
}

#[test]
fn rollback_goes_only_to_an_approved_version_that_does_not_serve() {
    let endpoint = Endpoint {
        name: "e".into(),
        champion: 2,
        previous: Some(1),
        deployment: "d".into(),
        since: Time::default(),
    };
    let approved =
        ApprovalState::Approved { by: Actor::person("b"), at: Time::default(), binding: Digest::of(b"x") };
    let state = |version: u32| match version {
        1 | 2 => Some(approved.clone()),
        3 => Some(ApprovalState::Pending),
        _ => None,
    };
    assert_eq!(rollback_target(&endpoint, None, state), Ok(1));
    assert_eq!(rollback_target(&endpoint, Some(1), state), Ok(1));
    for (asked, complaint) in [(2, "already"), (3, "pending"), (9, "no version 9")] {
        assert!(rollback_target(&endpoint, Some(asked), state).unwrap_err().contains(complaint));
    }
    let first = Endpoint { previous: None, ..endpoint };
    assert!(rollback_target(&first, None, state).is_err());
}

#[test]
fn who_decides_again_because_no_answer_came_hears_that_it_was_accepted() {
    let console = console();
    ask(&console, "ana", "POST", "/api/pipelines", "1", &application(PIPELINE));
    let name: PipelineName = "home-insurance".parse().unwrap();
    let decide = |version: u32, id: &str| {
        let word = if version == 1 { "approve" } else { "reject" };
        let path = format!("/api/pipelines/home-insurance/models/{version}/{word}");
        ask(&console, "bianca", "POST", &path, id, &json!({ "reason": "read it" }))
    };
    for version in [1, 2] {
        let cx =
            Cx { now: Time::from_millis(1_000), deadline: Time::MAX, trace: None, clock: Default::default() };
        let model = Model { version, ..model("dora") };
        let mut plan = ports::handler::Plan::caused("register", &cx, &version.to_string(), &name, "");
        plan.write(ports::Write::insert(Key::numbered(&name, prefix::MODEL, version.into()), &model));
        plan.emit(domain::Event::DriftCheckRequested {});
        block_on(plan.commit(&*console.records)).unwrap();
        let first = decide(version, "a");
        assert_eq!(first, (202, json!({ "accepted": true, "repeated": false })));
        assert_eq!(decide(version, "a"), (202, json!({ "accepted": true, "repeated": true })));
        assert_eq!(decide(version, "b").0, 403, "another request is another decision");
    }
}

#[test]
fn an_upload_gets_one_ticket_and_a_place_that_cannot_be_left() {
    let console = console();
    ask(&console, "ana", "POST", "/api/pipelines", "1", &application(PIPELINE));
    let path = "/api/pipelines/home-insurance/uploads";
    let asked = json!({ "file": "q 1.csv", "as_of": "2026-01-31" });
    let first = ask(&console, "ana", "POST", path, "2", &asked);
    assert_eq!(first.0, 201);
    assert_eq!(first, ask(&console, "ana", "POST", path, "2", &asked));
    assert!(first.1["path"].as_str().unwrap().starts_with("home-insurance/as_of=2026-01-31T00:00:00.000Z/"));
    for file in ["../x", "a/b", "", "a\nb"] {
        assert_eq!(ask(&console, "ana", "POST", path, "3", &json!({ "file": file })).0, 400, "{file:?}");
    }
    let name: PipelineName = "home-insurance".parse().unwrap();
    let tickets = block_on(console.records.all::<Value>(&Key::partition(&name), prefix::TICKET)).unwrap();
    assert_eq!(tickets.len(), 1);
}

#[test]
fn an_approver_lets_what_is_held_go_over_the_budget_once() {
    let console = console();
    let declared =
        format!("{PIPELINE}budget: {{per_month: {{seconds: 600, money: 2}}, prices: {{training: 3.6}}}}\n");
    assert_eq!(ask(&console, "ana", "POST", "/api/pipelines", "1", &application(&declared)).0, 200);
    let path = "/api/pipelines/home-insurance/budget";
    let said = json!({ "reason": "worth it" });
    let (status, answer) = ask(&console, "carlos", "POST", path, "2", &said);
    assert_eq!(
        (status, answer["error"].as_str()),
        (409, Some("no run of home-insurance is held for its budget"))
    );

    let name: PipelineName = "home-insurance".parse().unwrap();
    let held = domain::row::Ask {
        trigger: domain::pipeline::Trigger::Request,
        cause: "c".into(),
        correlation: "c".into(),
        by: Actor::person("bianca"),
        cycle: 0,
        at: Time::from_millis(0),
        reason: "to see".into(),
        waits: "too dear".into(),
        held: Some("r1".into()),
        lifted: None,
    };
    let cx = Cx { now: Time::from_millis(0), deadline: Time::MAX, trace: None, clock: Default::default() };
    let mut plan = ports::handler::Plan::caused("train", &cx, "9", &name, "hold");
    plan.write(ports::Write::insert(Key::waiting(&name, "train", "ask-request-r1"), &held));
    block_on(plan.commit(&*console.records)).unwrap();

    let (_, shown) = ask(&console, "ana", "GET", path, "3", &Value::Null);
    assert_eq!((shown["month"].as_str(), &shown["held"][0]["run"]), (Some("1970-01"), &json!("r1")));
    assert_eq!(shown["taken"], json!({ "seconds": 0, "money": 0.0 }));
    let (_, page) = ask(&console, "ana", "GET", "/pipelines/home-insurance", "4", &Value::Null);
    assert!(
        page.as_str().unwrap().contains("too dear") && page.as_str().unwrap().contains("0 of 600"),
        "{page}"
    );

    for (who, body, status) in
        [("ana", &said, 403), ("carlos", &json!({}), 400), ("carlos", &said, 202), ("carlos", &said, 202)]
    {
        assert_eq!(ask(&console, who, "POST", path, "5", body).0, status, "{who} {body}");
    }
    let (_, events) = ask(&console, "ana", "GET", "/api/pipelines/home-insurance/events", "6", &Value::Null);
    let events = events["items"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["envelope"]["data"], json!({ "runs": ["r1"], "reason": "worth it" }));
    assert_eq!(events[1]["line"], "carlos let a run go over the budget: worth it");
}

#[test]
fn labels_are_received_once_and_refused_with_row_and_column() {
    let console = console();
    ask(&console, "ana", "POST", "/api/pipelines", "1", &application(PIPELINE));
    let send = |text: &str, id: &str| {
        let cx =
            Cx { now: Time::from_millis(1_000), deadline: Time::MAX, trace: None, clock: Default::default() };
        let request = Request {
            method: "POST".into(),
            path: "/api/pipelines/home-insurance/labels".into(),
            query: BTreeMap::new(),
            body: Bytes::from(text.to_owned()),
            actor: Actor::person("ana"),
            id: id.into(),
        };
        let response = block_on(console.answer(&cx, request));
        (response.status, String::from_utf8(response.body.to_vec()).unwrap())
    };
    assert_eq!(send("inference_id,label\na,1.5\n", "2").0, 202);
    assert!(send("inference_id,label\na,1.5\n", "3").1.contains("before"));
    assert!(send("inference_id,label\na,\n", "4").1.contains("row 1"));
    assert_eq!(send("inference_id,label\n", "5").0, 422);
    assert!(send("id,label\na,1\n", "6").1.contains("inference_id"));
}

#[test]
fn what_is_not_there_is_not_found_and_what_is_malformed_is_refused() {
    let console = console();
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("GET", "/api/pipelines/UPPER", 400),
        ("GET", "/api/pipelines/none", 404),
        ("POST", "/api/pipelines/none/runs", 404),
        ("GET", "/api/blobs/../../etc/passwd", 400),
        ("GET", "/api/blobs/nothing", 404),
        ("DELETE", "/api/pipelines", 404),
    ] {
        assert_eq!(ask(&console, "ana", method, path, "1", &Value::Null).0, status, "{method} {path}");
    }
    assert_eq!(ask(&console, "ana", "GET", "/", "1", &Value::Null).0, 200);
}

#[test]
fn what_the_target_is_made_of_is_withheld_but_for_what_is_known_by_then() {
    let declared = |rest: &str| {
        let target = format!("target: {{name: burden, expression: claim_cost / market_value{rest}}}");
        let pipeline = PIPELINE.replace("target: claim_cost", &target);
        check("pipeline.yaml", &pipeline, "contract.yaml", CONTRACT)
    };
    let checked = declared(", known: [market_value]").unwrap();
    let served = |name: &str| checked.features.inputs().position(name).is_some();
    assert!(served("market_value") && !served("claim_cost"));
    // Two declared features read the market value, which is withheld where nothing is said.
    let faults = declared("").unwrap_err();
    assert_eq!(faults.len(), 2);
    assert!(faults[0].to_string().contains("what the target is made of"), "{}", faults[0]);
    let strange = declared(", known: [alarm]").unwrap_err();
    assert!(strange[0].to_string().contains("target.known"), "{}", strange[0]);
    assert!(declared(", knwon: [market_value]").is_err(), "an unknown field is refused");
}
