//! What is behind a version, a part, an answer; and pages that tell it.

use domain::pipeline::Trigger;
use domain::row::Fate;
use domain::row::{Check, CheckVerdict, Deployment, DeploymentState, File, Part, Run, RunState, Upload};
use ports::{BlobsExt as _, Write};

use super::*;

const HOSTILE: &str = "<script>alert(1)</script>";

fn name() -> PipelineName {
    "home-insurance".parse().unwrap()
}

fn file(path: &str) -> File {
    File { path: BlobPath::parse(path).unwrap(), digest: Digest::of(path.as_bytes()) }
}

fn run(number: u64, parts: &[u64], state: RunState) -> Run {
    Run {
        id: format!("r{number}"),
        number,
        trigger: Trigger::Request,
        reason: HOSTILE.into(),
        by: Actor::person("dora"),
        cycle: 0,
        pipeline: Digest::of(b"p"),
        contract: Digest::of(b"c"),
        features: file("features.json"),
        program: Digest::of(b"boost"),
        selection: file("selection.json"),
        parts: parts.to_vec(),
        rows: 1_000,
        newest: Time::default(),
        at: Time::from_millis(number as i64),
        state,
        prepared: None,
        artifact: None,
        seconds: 3,
        spend: Default::default(),
        tuned: None,
        champion: None,
        evaluation: None,
        report: None,
    }
}

fn part(number: u64) -> (Part, Upload) {
    let part = Part {
        number,
        digest: Digest::of(&number.to_le_bytes()),
        upload: format!("u{number}"),
        data: file("part.parquet"),
        bytes: 10,
        profile: file("profile.json"),
        rows: 500,
        rows_bad: 2,
        contract: Digest::of(b"c"),
        as_of: Time::default(),
        at: Time::default(),
    };
    let upload = Upload {
        id: format!("u{number}"),
        file: format!("{HOSTILE}-{number}.csv"),
        path: BlobPath::parse("home-insurance/u/a.csv").unwrap(),
        version: None,
        content: Digest::of(b"content"),
        bytes: 10,
        by: Actor::person("dora"),
        at: Time::default(),
        as_of: Time::default(),
        fate: Fate::Accepted { part: number },
        rows_read: 502,
        rows_bad: 2,
        report: Some(file("report.html")),
        report_json: None,
        quarantine: None,
    };
    (part, upload)
}

/// Two parts; run 1 learned from the first and became version 1, run 2 from both and failed;
/// version 1 was deployed and has answered.
fn played() -> Console {
    let console = console();
    assert_eq!(ask(&console, "ana", "POST", "/api/pipelines", "1", &application(PIPELINE)).0, 200);
    let mut writes = Vec::new();
    for number in [1, 2] {
        let (part, upload) = part(number);
        writes.push(Write::insert(Key::numbered(&name(), prefix::PART, number), &part));
        writes.push(Write::insert(Key::named(&name(), prefix::UPLOAD, &upload.id), &upload));
    }
    for run in [
        run(1, &[1], RunState::Registered { version: 1 }),
        run(2, &[1, 2], RunState::Failed { reason: HOSTILE.into() }),
    ] {
        writes.push(Write::insert(Key::named(&name(), prefix::RUN, &run.id), &run));
    }
    let version =
        Model { run: "r1".into(), metrics: BTreeMap::from([("rmse".into(), 0.25)]), ..model("dora") };
    writes.push(Write::insert(Key::numbered(&name(), prefix::MODEL, 1), &version));
    let deployment = Deployment {
        id: "d1".into(),
        endpoint: "home-insurance".into(),
        version: 1,
        from: None,
        by: Actor::person("bianca"),
        at: Time::default(),
        state: DeploymentState::Deployed,
    };
    writes.push(Write::insert(Key::named(&name(), prefix::DEPLOYMENT, "d1"), &deployment));
    let check = Check {
        id: "k1".into(),
        endpoint: "home-insurance".into(),
        version: 1,
        from: Time::default(),
        to: Time::default(),
        at: Time::default(),
        verdict: CheckVerdict::Drift,
        rows: 100,
        labelled: 0,
        columns: vec![HOSTILE.into()],
        summary: HOSTILE.into(),
        result: file("check.json"),
        report: file("check.html"),
    };
    writes.push(Write::insert(Key::named(&name(), prefix::CHECK, "k1"), &check));
    let plan = |console: &Console| {
        let cx = Cx { now: Time::default(), deadline: Time::MAX, trace: None, clock: Default::default() };
        let mut plan = ports::handler::Plan::caused("test", &cx, "given", &name(), "given");
        writes.iter().cloned().for_each(|write| plan.write(write));
        plan.emit_as(domain::Event::DriftCheckRequested {}, Actor::person("ana"), None);
        block_on(plan.commit(&*console.records)).unwrap();
        let line = |id: &str| {
            let metadata =
                json!({"eventId": "e", "inferenceId": id, "inferenceTime": "1970-01-01T00:00:00Z"});
            json!({"captureData": {"endpointInput": {"data": "1,2"}}, "eventMetadata": metadata}).to_string()
        };
        let text = format!("{}\n{}\nnot JSON \"odd id\"\n", line("a\"b"), line("odd id"));
        let path = BlobPath::parse("capture/home-insurance/AllTraffic/1970/01/01/00/d1.jsonl").unwrap();
        block_on(console.blobs.put(&path, text.as_bytes())).unwrap();
        block_on(console.blobs.put(&BlobPath::parse("check.json").unwrap(), b"{}")).unwrap();
    };
    plan(&console);
    console
}

fn get(console: &Console, path: &str) -> (u16, Value) {
    ask(console, "rita", "GET", path, "q", &Value::Null)
}

#[test]
fn a_part_tells_which_runs_and_versions_saw_it() {
    let console = played();
    let (status, first) = get(&console, "/api/pipelines/home-insurance/parts/1/lineage");
    assert_eq!((status, &first["versions"]), (200, &json!([1])));
    let seen: Vec<&Value> = first["runs"].as_array().unwrap().iter().map(|run| &run["number"]).collect();
    assert_eq!(seen, [1, 2]);
    let (_, second) = get(&console, "/api/pipelines/home-insurance/parts/2/lineage");
    assert_eq!((&second["versions"], second["runs"].as_array().unwrap().len()), (&json!([]), 1));
    let (status, missing) = get(&console, "/api/pipelines/home-insurance/parts/3/lineage");
    assert_eq!((status, missing["error"].as_str()), (404, Some("home-insurance has no part 3")));
}

#[test]
fn an_answer_leads_to_the_version_that_gave_it_and_what_it_is_made_of() {
    let console = played();
    for id in ["odd id", "a\"b"] {
        let path = format!("/api/pipelines/home-insurance/predictions/{id}");
        let (status, found) = get(&console, &path);
        assert_eq!((status, &found["version"]), (200, &json!(1)), "{found}");
        assert_eq!(found["captured"]["endpointInput"]["data"], "1,2");
        assert_eq!(found["lineage"]["parts"][0]["number"], 1);
    }
    let (status, told) = get(&console, "/api/pipelines/home-insurance/predictions/other");
    assert_eq!(status, 404);
    assert!(
        told["error"].as_str().unwrap().contains("was not asked anything under the inference id \"other\"")
    );
}

#[test]
fn every_page_is_there_and_nothing_from_outside_is_markup() {
    let console = played();
    let home = "/pipelines/home-insurance";
    let pages = [
        ("/".to_owned(), "home-insurance"),
        (home.to_owned(), "waits for approval"),
        (format!("{home}/parts/1"), "What learned from it"),
        (format!("{home}/runs/1"), "Registered as version 1"),
        (format!("{home}/runs/2"), "Failed"),
        (format!("{home}/models"), "0.25"),
        (format!("{home}/models/1"), "It waits for approval"),
        (format!("{home}/drift"), "Column by column"),
        (format!("{home}/endpoint"), "Deployments"),
        (format!("{home}/ledger"), "PipelineApplied"),
        (format!("{home}/ledger?before=1"), "None yet."),
    ];
    for (path, told) in pages {
        let (status, page) = get(&console, &path);
        let page = page.as_str().unwrap_or_else(|| panic!("{path}: {page}"));
        assert_eq!(status, 200, "{path}");
        assert!(page.contains(told), "{path} does not say {told:?}");
        assert!(!page.contains("<script"), "{path}");
    }
    for path in ["/models/2", "/runs/9", "/parts/x", "/models/1/x", "/nothing"] {
        let (status, told) = get(&console, &format!("{home}{path}"));
        assert!([400, 404].contains(&status), "{path}: {status} {told}");
    }
}
