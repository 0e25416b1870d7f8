//! Who uploads, asks, approves, goes back and redrives, at any time and not always rightly.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::row::Fate;
use domain::{Actor, BlobPath, Digest, Event, PipelineName};
use futures::executor::block_on;
use ports::http::Request;
use ports::{Cx, RecordsExt as _};
use serde_json::{Value, json};
use simulation::MemoryRecords;
use simulation::check::rest::rows;
use simulation::check::{Checker, Holds, Violation, invariant};
use simulation::chooser::Choose;
use simulation::deployment::{Deployment, News};
use simulation::storm::People;

use crate::toy::{Declared, NAME, captured, csv};

/// How much worse than the champion a version may be; the first lets nearly all pass.
const MARGINS: [f64; 3] = [50.0, 0.5, 0.0];

/// Job-seconds of a month: a run may take 14,400 or with a search 21,600, and takes some hundred.
const BUDGETS: [Option<u64>; 4] = [None, None, Some(25_000), Some(9_000)];

/// Shares of the rows that are withheld.
const TESTS: [f64; 3] = [0.5, 0.4, 0.3];

fn pipeline() -> PipelineName {
    NAME.parse().expect("a name")
}

/// What a request is for.
#[derive(Clone, Debug)]
enum Purpose {
    /// To upload these bytes.
    Upload(String),
    /// To tell the truth about predictions: the same labels are recorded once.
    Labels(Digest),
    /// Whatever stands in the ledger then.
    Event,
}

/// A request, kept to be repeated until it is answered.
#[derive(Clone, Debug)]
struct Asked {
    request: Request,
    purpose: Purpose,
    is_over: bool,
}

/// The people of one simulation.
#[derive(Debug)]
pub(crate) struct Crowd {
    declared: Declared,
    acts: usize,
    asked: BTreeMap<String, Asked>,
    files: Vec<String>,
    count: usize,
}

impl Crowd {
    /// People who will do so many things. The declaration is applied before the storm begins.
    pub(crate) fn new(deployment: &mut Deployment, choose: &mut dyn Choose, acts: usize) -> Crowd {
        let margin = MARGINS[choose.pick(3)];
        let cooldown = [0, 1, 24][choose.pick(3)];
        // Every other declaration searches, from the first or from the second on.
        let declared = Declared {
            margin,
            cooldown,
            test: TESTS[0],
            budget: BUDGETS[choose.pick(4)],
            importances: true,
            note: usize::from(cooldown == 1),
        };
        let mut crowd = Crowd { declared, acts, asked: BTreeMap::new(), files: Vec::new(), count: 0 };
        crowd.apply(deployment);
        while let Some(task) = deployment.tasks().first().copied() {
            deployment.resume(task, simulation::gate::Verdict::Pass);
        }
        crowd
    }

    fn apply(&mut self, deployment: &mut Deployment) {
        let application = self.declared.application();
        self.ask(deployment, "ana", "/api/pipelines", &application, Purpose::Event);
    }

    fn ask(&mut self, deployment: &mut Deployment, who: &str, path: &str, body: &Value, purpose: Purpose) {
        let bytes = Bytes::from(body.to_string());
        self.post(deployment, who, path, bytes, purpose);
    }

    fn post(&mut self, deployment: &mut Deployment, who: &str, path: &str, body: Bytes, purpose: Purpose) {
        self.count += 1;
        let request = Request {
            method: "POST".into(),
            path: path.to_owned(),
            query: BTreeMap::new(),
            body,
            actor: Actor::person(who),
            id: format!("request-{}", self.count),
        };
        deployment.post(request.clone());
        self.asked.insert(request.id.clone(), Asked { request, purpose, is_over: false });
    }

    /// One of the newest versions, often the newest.
    fn version(deployment: &Deployment, choose: &mut dyn Choose) -> Option<u64> {
        let models = rows(deployment, &pipeline(), "model/");
        let back = if choose.pick(3) == 0 { choose.pick(models.len().max(1)) } else { 0 };
        let model = models.iter().rev().nth(back)?;
        model.1["version"].as_u64()
    }

    /// A version that nobody has decided on.
    fn pending(deployment: &Deployment) -> Option<u64> {
        let models = rows(deployment, &pipeline(), "model/");
        let pending = models.iter().find(|(_, model)| model["approval"]["state"] == json!("pending"));
        pending.and_then(|(_, model)| model["version"].as_u64())
    }

    /// Whether a run is held for its budget.
    fn holds(deployment: &Deployment) -> bool {
        let asks = rows(deployment, &pipeline(), "waiting/train/ask-");
        asks.iter().any(|(_, ask)| !ask["held"].is_null())
    }

    fn upload(&mut self, deployment: &mut Deployment, choose: &mut dyn Choose, news: News) {
        let file = self.files.len();
        let text = match choose.pick(10) {
            9 => "id,z\nr1,2\n".to_owned(),
            8 => csv(file, 100, 40),
            7 => csv(file, 100, 7),
            6 if file > 0 => self.files[choose.pick(file)].clone(),
            _ => csv(file, 80 + choose.pick(3) * 30, 0),
        };
        self.files.push(text.clone());
        match choose.pick(8) {
            7 => {
                let path = BlobPath::parse(&format!("{NAME}/direct/f{file}.csv")).expect("a path");
                // Nobody announced it, so nothing but its event tells of it.
                let news = if news == News::Lost { News::Told } else { news };
                deployment.land(&path, text.as_bytes(), "111122223333", news);
            }
            6 if choose.pick(4) == 3 => {
                let path = BlobPath::parse(&format!("nobody/f{file}.csv")).expect("a path");
                deployment.land(&path, text.as_bytes(), "111122223333", News::Told);
            }
            _ => {
                let body = json!({ "file": format!("f{file}.csv") });
                let path = format!("/api/pipelines/{NAME}/uploads");
                self.ask(deployment, "dora", &path, &body, Purpose::Upload(text));
            }
        }
    }

    fn traffic(&mut self, deployment: &mut Deployment, choose: &mut dyn Choose) {
        let Some(spec) = deployment.endpoints.serving(NAME) else { return };
        self.count += 1;
        let at = deployment.now();
        let hour = BlobPath::capture_hour(NAME, at);
        let path = BlobPath::parse(&format!("{hour}/{}.jsonl", spec.config)).expect("a path");
        let mut text = deployment.blobs.read(&path).map(|bytes| bytes.to_vec()).unwrap_or_default();
        let shift = [0.0, 0.0, 50.0][choose.pick(3)];
        text.extend_from_slice(captured(self.count, shift, at).as_bytes());
        deployment.tell(format!("thirty requests reach {NAME}, shifted by {shift}"));
        deployment.blobs.insert(&path, text);
    }
}

/// Lets the relay publish everything again.
fn rewind(records: &MemoryRecords, cx: Cx) {
    block_on(async {
        for pipeline in records.pipelines().await.expect("memory answers") {
            relay::rewind::rewind(records, &cx, &pipeline).await.expect("memory answers");
        }
    });
}

impl People for Crowd {
    fn act(&mut self, deployment: &mut Deployment, choose: &mut dyn Choose, news: News) -> bool {
        self.acts = self.acts.saturating_sub(1);
        let path = |rest: &str| format!("/api/pipelines/{NAME}/{rest}");
        let said = json!({ "reason": "because" });
        if let Some(version) = Crowd::pending(deployment)
            && choose.pick(4) < 3
        {
            let who = ["bianca", "carlos"][choose.pick(2)];
            let path = path(&format!("models/{version}/approve"));
            self.ask(deployment, who, &path, &said, Purpose::Event);
            return self.acts > 0;
        }
        if Crowd::holds(deployment) && choose.pick(3) == 0 {
            let who = ["bianca", "carlos", "dora"][choose.pick(3)];
            self.ask(deployment, who, &path("budget"), &said, Purpose::Event);
            return self.acts > 0;
        }
        match choose.pick(21) {
            0..=5 => self.upload(deployment, choose, news),
            6..=10 => {
                let who = ["bianca", "bianca", "carlos", "dora", "ana"][choose.pick(5)];
                if let Some(version) = Crowd::version(deployment, choose) {
                    let path = path(&format!("models/{version}/approve"));
                    self.ask(deployment, who, &path, &said, Purpose::Event);
                }
            }
            11 => {
                if let Some(version) = Crowd::version(deployment, choose) {
                    let path = path(&format!("models/{version}/reject"));
                    self.ask(deployment, "carlos", &path, &said, Purpose::Event);
                }
            }
            12 => {
                let who = ["dora", "bianca"][choose.pick(2)];
                self.ask(deployment, who, &path("runs"), &said, Purpose::Event);
            }
            13 => {
                let version = Crowd::version(deployment, choose);
                let body = json!({ "reason": "worse", "version": version });
                self.ask(deployment, "bianca", &path("rollback"), &body, Purpose::Event);
            }
            14 | 15 => self.traffic(deployment, choose),
            16 => {
                let count = self.count.max(1);
                let of = choose.pick(count) + 1;
                let rows: String = (0..30).map(|row| format!("t{of}-{row},{}\n", row * 3)).collect();
                let body = Bytes::from(format!("inference_id,label\n{rows}"));
                let purpose = Purpose::Labels(Digest::of(&body));
                self.post(deployment, "dora", &path("labels"), body, purpose);
            }
            17 => self.ask(deployment, "dora", &path("drift"), &Value::Null, Purpose::Event),
            18 => {
                let dead: Vec<u64> = deployment.dead().keys().copied().collect();
                if !dead.is_empty() {
                    deployment.redrive(dead[choose.pick(dead.len())]);
                }
            }
            // Rarely enough that most storms have one queue from begin to end.
            20 if choose.pick(4) == 3 => deployment.lose_queue(rewind),
            _ => {
                self.declared.note += 1;
                self.declared.margin = MARGINS[choose.pick(3)];
                self.declared.test = TESTS[choose.pick(3)];
                self.declared.budget = BUDGETS[choose.pick(4)];
                self.apply(deployment);
            }
        }
        self.acts > 0
    }

    fn tend(&mut self, deployment: &mut Deployment, news: News) -> bool {
        let mut done = false;
        for asked in self.asked.values_mut().filter(|asked| !asked.is_over) {
            let id = &asked.request.id;
            if deployment.is_asking(id) {
                continue;
            }
            done = true;
            let answer = deployment.answers.get(id).cloned();
            match answer.filter(|answer| answer.status < 500 && answer.status != 409) {
                // Nobody answered, or the world did not: asking again under the same id is harmless.
                None if deployment.answers.get(id).is_some_and(|answer| answer.status == 409) => {
                    asked.is_over = true;
                }
                None => {
                    deployment.answers.remove(id);
                    deployment.post(asked.request.clone());
                }
                Some(answer) => {
                    asked.is_over = true;
                    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                    let path = said["path"].as_str().and_then(|path| BlobPath::parse(path).ok());
                    if let (Purpose::Upload(text), Some(path)) = (&asked.purpose, path) {
                        deployment.land(&path, text.as_bytes(), "dora", news);
                    }
                }
            }
        }
        done
    }

    fn satisfied(&self, deployment: &Deployment, checker: &Checker) -> Holds {
        let Some(facts) = checker.facts.get(&pipeline()) else { return Ok(()) };
        for (id, asked) in &self.asked {
            let status = deployment.answers.get(id).map_or(0, |answer| answer.status);
            let said = deployment.answers.get(id).map(|answer| answer.body.clone()).unwrap_or_default();
            let said: Value = serde_json::from_slice(&said).unwrap_or_default();
            let stands = match &asked.purpose {
                Purpose::Upload(_) => {
                    let upload = said["upload"].as_str().unwrap_or_default();
                    facts.uploads.contains_key(upload)
                }
                Purpose::Labels(digest) => facts.events.iter().any(|event| {
                    matches!(&event.event, Event::LabelsReceived { labels, .. } if labels.digest == *digest)
                }),
                Purpose::Event => facts.events.iter().any(|event| event.cause == *id),
            };
            let unchanged = said["changed"] == json!(false);
            if (200..300).contains(&status) && !stands && !unchanged {
                let found = format!("{} {} was answered {status}", asked.request.path, id);
                return Err(Violation { invariant: invariant::ACKNOWLEDGED, found });
            }
        }
        // Rows are counted by hand: what the toy writes is known.
        for upload in facts.uploads.values() {
            let Some(bytes) = deployment.incoming.read(&upload.path) else { continue };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (rows, bad) = (text.lines().count() as u64 - 1, text.matches("much").count() as u64);
            let right = match &upload.fate {
                Fate::Accepted { .. } => {
                    upload.rows_read == rows && upload.rows_bad == bad && bad * 5 <= rows
                }
                Fate::Rejected { .. } => bad * 5 > rows || text.starts_with("id,z"),
                Fate::Duplicate { .. } => true,
            };
            if !right {
                let found = format!("{}: {rows} rows, {bad} bad, recorded {upload:?}", upload.path);
                return Err(Violation { invariant: invariant::ROWS, found });
            }
        }
        Ok(())
    }
}
