//! What must hold once a server that was killed so often was left alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::http::{Asked, Caller};
use crate::server::Server;
use crate::small::PIPELINE;

/// How a request ended for whoever made it.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// It was answered that it is done.
    Acknowledged(Value),
    /// It was answered that it is not done, and why.
    Refused(String),
    /// No answer came, and nobody asked again.
    Unknown,
}

/// By what a request is known in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// It leaves nothing there.
    None,
    /// By its reason.
    Reason(String),
    /// By the revision of a declaration.
    Revision(u64),
    /// By the digest of labels.
    Labels(String),
    /// By its id: a check has nothing else.
    Check(String),
    /// By its upload.
    Upload { id: String, path: String, kind: &'static str, text: String },
}

/// A request and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) asked: String,
    pub(super) mark: Mark,
    pub(super) ended: Ended,
}

/// The whole chain, as it can be read.
pub(crate) struct Ledger {
    pub(crate) events: Vec<Value>,
    lists: BTreeMap<&'static str, Vec<Value>>,
    status: Value,
}

fn at(rest: &str) -> String {
    format!("/api/pipelines/{PIPELINE}/{rest}")
}

pub(crate) fn items(server: &Server, collection: &str) -> Vec<Value> {
    server.get(&at(collection))["items"].as_array().unwrap().clone()
}

fn events(server: &Server) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let page = items(server, &format!("events?after={}&limit=1000", events.len()));
        if page.is_empty() {
            return events;
        }
        events.extend(page.into_iter().map(|item| item["envelope"].clone()));
    }
}

/// Leaves the server alone until nothing waits or works, two looks in a row.
pub(crate) fn settle(server: &Server) {
    let mut calm = 0;
    server.until("rest", || {
        calm = if is_at_rest(server) { calm + 1 } else { 0 };
        (calm == 2).then_some(())
    });
    let letters = server.get("/api/dead-letters");
    assert_eq!(letters["items"].as_array().unwrap().len(), 0, "given up: {letters:#}");
}

fn is_at_rest(server: &Server) -> bool {
    let runtime = server.get("/api/runtime");
    if runtime["waiting"] != 0 || runtime["working"] != 0 {
        return false;
    }
    let over = ["deployed", "failed", "superseded"];
    let is_over = |deployment: &Value| over.contains(&deployment["state"]["state"].as_str().unwrap());
    server.get("/api/status")["pipelines"][0]["busy"].as_array().unwrap().is_empty()
        && items(server, "deployments").iter().all(is_over)
        && told(server).len() == events(server).len()
}

/// The places in the ledger of which there was a notice.
fn told(server: &Server) -> BTreeSet<u64> {
    let notices = std::fs::read_to_string(server.data().join("notices.jsonl")).unwrap_or_default();
    // The last line may be on its way.
    let notices = notices.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    notices.map(|notice| notice["sequence"].as_u64().unwrap()).collect()
}

impl Ledger {
    pub(crate) fn read(server: &Server) -> Ledger {
        let collections = ["uploads", "parts", "runs", "models", "deployments", "endpoints", "labels"];
        let verification = server.get(&at("verify"));
        assert_eq!(verification["findings"].as_array().unwrap().len(), 0, "{verification:#}");
        Ledger {
            events: events(server),
            lists: collections.into_iter().map(|name| (name, items(server, name))).collect(),
            status: server.get("/api/status")["pipelines"][0].clone(),
        }
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| event["kind"] == kind).count()
    }

    /// How many events tell of a request.
    fn told_of(&self, mark: &Mark) -> usize {
        let is_told = |event: &&Value| {
            let (kind, data) = (event["kind"].as_str().unwrap(), &event["data"]);
            match mark {
                Mark::None | Mark::Upload { .. } => false,
                Mark::Reason(reason) => data["reason"] == *reason && kind != "TrainingRequested",
                Mark::Revision(revision) => kind == "PipelineApplied" && data["revision"] == *revision,
                Mark::Labels(digest) => kind == "LabelsReceived" && data["labels"]["digest"] == *digest,
                Mark::Check(id) => {
                    let cause = domain::Digest::of_parts(&["request", "alice", id]).hex();
                    kind == "DriftCheckRequested" && event["cause"] == *cause
                }
            }
        };
        self.events.iter().filter(is_told).count()
    }

    /// What was acknowledged is there once; what was refused is not; what got no answer is there
    /// at most once.
    pub(super) fn holds_what_was_promised(&self, answers: &[Answer]) {
        for Answer { asked, mark, ended } in answers {
            let told = self.told_of(mark);
            match (ended, mark) {
                (_, Mark::None | Mark::Upload { .. }) => {}
                (Ended::Acknowledged(_), _) => assert_eq!(told, 1, "{asked} was acknowledged ({mark:?})"),
                (Ended::Refused(why), _) => assert_eq!(told, 0, "{asked} was refused ({mark:?}): {why}"),
                (Ended::Unknown, _) => assert!(told <= 1, "{asked} was done twice ({mark:?})"),
            }
        }
    }

    /// Places, numbers of parts, runs, versions and revisions count from 1; no content is a part
    /// twice, no cause has two events of a kind and subject.
    pub(crate) fn is_without_gaps(&self) {
        let numbers = |values: &[Value], name: &str| {
            let mut found: Vec<u64> = values.iter().map(|value| value[name].as_u64().unwrap()).collect();
            found.sort_unstable();
            found
        };
        let counted = |found: Vec<u64>| {
            let expected: Vec<u64> = (1..=found.len() as u64).collect();
            assert_eq!(found, expected);
        };
        counted(numbers(&self.events, "sequence"));
        for (collection, name, total) in
            [("parts", "number", "parts"), ("runs", "number", "runs"), ("models", "version", "versions")]
        {
            let found = numbers(&self.lists[collection], name);
            assert_eq!(self.status[total], found.len(), "{collection}");
            counted(found);
        }
        let distinct = |values: &[Value], name: &str| {
            let found: BTreeSet<String> = values.iter().map(|value| value[name].to_string()).collect();
            assert_eq!(found.len(), values.len(), "{name}");
        };
        distinct(&self.lists["parts"], "digest");
        distinct(&self.lists["parts"], "upload");
        distinct(&self.lists["models"], "run");
        distinct(&self.events, "id");
        let said: BTreeSet<String> = self
            .events
            .iter()
            .map(|event| format!("{} {} {}", event["cause"], event["kind"], event["data"]))
            .collect();
        assert_eq!(said.len(), self.events.len(), "a cause has told the same twice");
        assert!(self.lists["endpoints"].len() <= 1, "one endpoint");
    }
}

/// Every acknowledged upload has the one fate that its content deserves, and its bytes.
pub(super) fn uploads_have_their_fates(server: &Server, answers: &[Answer]) {
    let uploads = items(server, "uploads");
    let mut contents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for upload in &uploads {
        if upload["fate"]["state"] != "rejected" {
            let parts = contents.entry(upload["content"].to_string()).or_default();
            parts.insert(upload["fate"]["part"].to_string());
        }
    }
    assert!(contents.values().all(|parts| parts.len() == 1), "one content in two parts: {contents:?}");
    let mut seen = 0;
    for answer in answers {
        let Answer { asked, mark: Mark::Upload { id, path, kind, text }, ended } = answer else { continue };
        let found: Vec<&Value> = uploads.iter().filter(|upload| upload["id"] == **id).collect();
        assert!(found.len() <= 1, "{asked} has two fates: {found:?}");
        let Ended::Acknowledged(_) = ended else { continue };
        seen += 1;
        let [upload] = found[..] else { panic!("{asked} ({kind}) has no fate") };
        let state = upload["fate"]["state"].as_str().unwrap();
        match *kind {
            "broken" => assert_eq!(state, "rejected", "{asked}: {upload:#}"),
            _ => assert!(["accepted", "duplicate"].contains(&state), "{asked} ({kind}): {upload:#}"),
        }
        let bytes = std::fs::read(server.data().join("incoming").join(path)).unwrap();
        assert!(bytes == text.as_bytes(), "{asked}: other bytes");
        assert_eq!(upload["bytes"], text.len(), "{asked}");
    }
    assert!(seen > 10, "{seen} uploads were acknowledged");
}

/// The endpoint answers the champion's golden requests as the champion was seen to answer them.
pub(super) fn the_endpoint_answers_with_the_champion(server: &Server) {
    let endpoints = items(server, "endpoints");
    let champion = endpoints[0]["champion"].as_u64().unwrap();
    let model = server.get(&at(&format!("models/{champion}")));
    assert_eq!(model["approval"]["state"], "approved");
    let golden = server.data().join("blobs").join(model["golden"]["path"].as_str().unwrap());
    let golden = std::fs::read_to_string(golden).unwrap();
    let (requests, known): (Vec<&str>, Vec<f64>) = golden
        .lines()
        .map(|line| line.rsplit_once(',').unwrap())
        .map(|(request, answer)| (request, answer.parse::<f64>().unwrap()))
        .unzip();
    assert!(!known.is_empty());
    let asked = Asked::invocation(PIPELINE, "golden", &format!("{}\n", requests.join("\n")));
    // After a start the model comes up beside everything else.
    let answer = server.until("an answer", || match Caller::new().send(&server.address(), &asked) {
        Ok((200, body)) => Some(String::from_utf8(body).unwrap()),
        _ => None,
    });
    let answers: Vec<f64> = answer.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(answers.len(), known.len());
    for (answer, known) in answers.iter().zip(&known) {
        assert!((answer - known).abs() <= 1e-6 * known.abs(), "version {champion}: {answer}, not {known}");
    }
}

/// No job was started that no run owns.
pub(super) fn jobs_belong_to_runs(server: &Server, ledger: &Ledger) {
    let mut known = BTreeSet::new();
    for event in &ledger.events {
        known.extend(event["data"]["job"].as_str().map(str::to_owned));
        let jobs = event["data"]["jobs"].as_array().into_iter().flatten();
        known.extend(jobs.filter_map(|job| job.as_str().map(str::to_owned)));
    }
    let mut jobs = 0;
    for entry in std::fs::read_dir(server.data().join("jobs")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            jobs += 1;
            assert!(known.contains(&name), "job {name} belongs to no run");
            assert!(entry.path().join("done.json").exists(), "job {name} is not over");
        }
    }
    assert_eq!(jobs, known.len(), "a run names a job that is not there");
}

/// Every event has its notice.
pub(crate) fn everyone_was_told(server: &Server, ledger: &Ledger) {
    let places: BTreeSet<u64> = (1..=ledger.events.len() as u64).collect();
    assert_eq!(told(server), places);
}
