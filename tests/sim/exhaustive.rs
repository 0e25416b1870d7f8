//! Every crash point and every lost reply of every function, singly and in pairs: whatever one
//! delivery goes through, once it has been delivered again the deployment is exactly what it
//! would have been.

use std::collections::{BTreeMap, BTreeSet};

use domain::key::prefix;
use domain::{Key, PipelineName};
use serde_json::{Value, json};
use simulation::check::{Checker, rest};
use simulation::chooser::{Choose as _, Exhaustive};
use simulation::deployment::{Deployment, JobEnd, News};
use simulation::gate::{Moment, Verdict};

use crate::toy::{Declared, NAME, csv};
use crate::whole;

/// Deliveries with fewer calls than this are tried with two faults as well: the count grows with
/// the square.
const PAIRS_CALLS_MAX: usize = 16;

/// What a fault must not change.
#[derive(Debug, PartialEq)]
struct State {
    rows: BTreeMap<String, String>,
    jobs: String,
    endpoints: String,
}

/// Rows as they are. How often the relay's cursor moved says nothing, and what waits for `notify`
/// waits because of the fault.
fn state(deployment: &Deployment) -> State {
    let told = |key: &Key| key.sort.starts_with(&format!("{}notify", prefix::WAITING));
    let dump = deployment.records.dump().into_iter().filter(|(key, _)| !told(key));
    State {
        rows: dump.map(|(key, (_, text))| (format!("{}/{}", key.partition, key.sort), text)).collect(),
        jobs: format!("{:?}", deployment.jobs.dump()),
        endpoints: format!("{:?}", deployment.endpoints.dump()),
    }
}

/// Faults that a call can meet beside going well.
fn faults(moment: Moment) -> &'static [Option<Verdict>] {
    match moment {
        // A death, no answer, too fast.
        Moment::Before => &[None, Some(Verdict::Lose), Some(Verdict::Throttle)],
        Moment::After => &[None, Some(Verdict::Lose)],
    }
}

/// Plays one delivery to its end with every choice of at most `faults_max` faults; answers how many
/// histories there were.
fn explore(before: &Deployment, checker: &Checker, id: u64, faults_max: usize) -> usize {
    let mut choices = Exhaustive::default();
    let mut calm: Option<State> = None;
    let mut histories = 0;
    loop {
        let mut deployment = before.fork();
        let mut checker = checker.clone();
        let mut left = faults_max;
        while deployment.delivery(id).is_some() {
            deployment.hurry(id);
            let Some(task) = deployment.start(id) else { continue };
            while deployment.tasks().contains(&task) {
                let faults = faults(deployment.held(task).moment);
                let picked = if left > 0 { choices.pick(faults.len() + 1) } else { 0 };
                left -= usize::from(picked > 0);
                match picked.checked_sub(1).map(|fault| faults[fault]) {
                    None => deployment.resume(task, Verdict::Pass),
                    Some(None) => deployment.crash(task),
                    Some(Some(verdict)) => deployment.resume(task, verdict),
                }
                if let Err(violation) = checker.look(&deployment) {
                    panic!("{violation}\n{}", deployment.story.text());
                }
            }
        }
        histories += 1;
        let found = state(&deployment);
        match &calm {
            None => calm = Some(found),
            Some(calm) => {
                let story = deployment.story.text();
                for (row, text) in &calm.rows {
                    assert_eq!(found.rows.get(row), Some(text), "{row} differs from the calm\n{story}");
                }
                assert_eq!(&found, calm, "the deployment differs from the calm\n{story}");
            }
        }
        if !choices.advance() {
            return histories;
        }
    }
}

/// A story played calmly, in which every delivery that is not like an earlier one is explored.
struct Spine {
    deployment: Deployment,
    checker: Checker,
    explored: BTreeSet<String>,
    singly: usize,
    in_pairs: usize,
    asked: usize,
}

impl Spine {
    fn new() -> Spine {
        Spine {
            deployment: whole::deployment(whole::real(), 60),
            checker: Checker::default(),
            explored: BTreeSet::new(),
            singly: 0,
            in_pairs: 0,
            asked: 0,
        }
    }

    fn look(&mut self) {
        if let Err(violation) = self.checker.look(&self.deployment) {
            panic!("{violation}\n{}", self.deployment.story.text());
        }
    }

    /// A person asks, and is answered.
    fn ask(&mut self, who: &str, path: &str, body: &Value) -> Value {
        self.asked += 1;
        let id = format!("request-{}", self.asked);
        self.deployment.ask(who, "POST", path, &id, body);
        while let Some(task) = self.deployment.tasks().first().copied() {
            self.deployment.resume(task, Verdict::Pass);
        }
        let answer = &self.deployment.answers[&id];
        assert!(answer.status < 300, "{path}: {answer:?}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn upload(&mut self, file: usize, rows: usize, bad: usize) {
        let body = json!({ "file": format!("f{file}.csv") });
        let answer = self.ask("dora", &format!("/api/pipelines/{NAME}/uploads"), &body);
        let path = domain::BlobPath::parse(answer["path"].as_str().unwrap()).unwrap();
        self.deployment.land(&path, csv(file, rows, bad).as_bytes(), "dora", News::Told);
        self.settle();
    }

    /// Everything that can happen happens, one delivery after the other; each new kind of delivery
    /// is explored first.
    fn settle(&mut self) {
        loop {
            if let Some(id) = self.deployment.ready().first().copied() {
                let delivery = self.deployment.delivery(id).unwrap();
                let kind = delivery.event["detail-type"].as_str().unwrap_or_default();
                let name = format!("{} {kind}", delivery.function);
                if self.explored.insert(name) {
                    self.explore(id);
                }
                self.play(id);
            } else if let Some(job) = self.deployment.running().first() {
                self.deployment.end_job(job, JobEnd::Well(2), News::Told);
            } else if let Some(name) = self.deployment.coming_up().first() {
                self.deployment.bring_up(name, News::Told);
            } else {
                return;
            }
            self.look();
        }
    }

    fn play(&mut self, id: u64) -> usize {
        let Some(task) = self.deployment.start(id) else { return 0 };
        let mut calls = 0;
        while self.deployment.tasks().contains(&task) {
            self.deployment.resume(task, Verdict::Pass);
            calls += 1;
        }
        calls
    }

    fn explore(&mut self, id: u64) {
        let mut fork = self.deployment.fork();
        let task = fork.start(id);
        let mut calls = 0;
        while task.is_some_and(|task| fork.tasks().contains(&task)) {
            fork.resume(task.unwrap(), Verdict::Pass);
            calls += 1;
        }
        self.singly += explore(&self.deployment, &self.checker, id, 1);
        if calls <= PAIRS_CALLS_MAX {
            self.in_pairs += explore(&self.deployment, &self.checker, id, 2);
        }
    }
}

#[test]
fn every_crash_and_every_lost_reply_ends_as_the_calm_does() {
    let mut spine = Spine::new();
    let declared = Declared { margin: 50.0, cooldown: 0, note: 0 };
    spine.ask("ana", "/api/pipelines", &declared.application());
    spine.settle();
    spine.upload(0, 100, 5);
    let path = |rest: &str| format!("/api/pipelines/{NAME}/{rest}");
    spine.ask("bianca", &path("models/1/approve"), &json!({ "reason": "good" }));
    spine.settle();
    spine.upload(1, 100, 40);
    // From here on hyperparameters are searched for.
    let searching = Declared { note: 1, ..declared };
    spine.ask("ana", "/api/pipelines", &searching.application());
    spine.settle();
    spine.upload(2, 100, 0);
    spine.ask("bianca", &path("models/2/approve"), &json!({ "reason": "better" }));
    spine.settle();
    spine.ask("bianca", &path("rollback"), &json!({ "reason": "worse", "version": 1 }));
    spine.settle();
    spine.ask("dora", &path("drift"), &Value::Null);
    spine.settle();
    let next = spine.deployment.next_time();
    spine.deployment.advance(next.plus(domain::Time::HOUR));
    spine.settle();
    if let Err(violation) = rest::at_rest(&spine.deployment, &spine.checker) {
        panic!("{violation}\n{}", spine.deployment.story.text());
    }
    let pipeline: PipelineName = NAME.parse().unwrap();
    let facts = &spine.checker.facts[&pipeline];
    assert_eq!(facts.endpoints[NAME].champion, 1, "the rollback came through");
    println!(
        "{} kinds of deliveries: {} histories with one fault, {} with up to two",
        spine.explored.len(),
        spine.singly,
        spine.in_pairs
    );
    assert!(spine.explored.len() > 25, "{:?}", spine.explored);
}
