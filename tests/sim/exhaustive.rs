//! Every crash point and every lost reply of every function, and of every request of people, singly
//! and in pairs: whatever one delivery goes through, once it has been delivered again, or one
//! request, once it has been asked again, the deployment is exactly what it would have been.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use domain::key::prefix;
use domain::{Actor, BlobPath};
use ports::http::Request;
use serde_json::{Value, json};
use simulation::check::Checker;
use simulation::chooser::{Choose as _, Exhaustive};
use simulation::deployment::{Deployment, JobEnd, News};
use simulation::gate::{Moment, TaskId, Verdict};

use crate::calm::{Calm, path};
use crate::toy::{Declared, NAME, csv};

/// Deliveries with fewer calls than this are tried with two faults as well: the count grows with
/// the square.
const PAIRS_CALLS_MAX: usize = 16;

/// What a fault must not change: rows, jobs and endpoints. How often the relay's cursor moved says
/// nothing, and what waits for `notify` waits because of the fault.
fn told(deployment: &Deployment, mut tell: impl FnMut(&str, &str)) {
    let waits = format!("{}notify", prefix::WAITING);
    deployment.records.each(|key, text| {
        if !key.sort.starts_with(&waits) && !key.sort.starts_with(prefix::HANDLED) {
            tell(&key.sort, text);
        }
    });
    tell("jobs", &format!("{:?}", deployment.jobs.dump()));
    tell("endpoints", &format!("{:?}", deployment.endpoints.dump()));
}

/// A hash of all that: it is compared thousands of times.
fn hash(deployment: &Deployment) -> u64 {
    let mut hasher = DefaultHasher::new();
    told(deployment, |what, text| (what, text).hash(&mut hasher));
    hasher.finish()
}

/// Names the first thing that is not as it was in the calm.
fn differs(calm: &Deployment, found: &Deployment) -> String {
    let all = |deployment| {
        let mut all = BTreeMap::new();
        told(deployment, |what, text| _ = all.insert(what.to_owned(), text.to_owned()));
        all
    };
    let (calm, found) = (all(calm), all(found));
    let names: BTreeSet<&String> = calm.keys().chain(found.keys()).collect();
    let other = names.into_iter().find(|name| calm.get(*name) != found.get(*name));
    let name = other.expect("their hashes differ");
    format!("{name}:\ncalm:  {:?}\nfound: {:?}", calm.get(name), found.get(name))
}

/// Faults that a call can meet beside going well.
fn faults(moment: Moment) -> &'static [Option<Verdict>] {
    match moment {
        // A death, no answer, too fast.
        Moment::Before => &[None, Some(Verdict::Lose), Some(Verdict::Throttle)],
        Moment::After => &[None, Some(Verdict::Lose)],
    }
}

/// What is played with every choice of faults.
#[derive(Clone, Copy)]
enum Subject<'a> {
    /// A delivery.
    Delivery(u64),
    /// A request, asked again under its id until it is answered.
    Request(&'a Request),
}

impl Subject<'_> {
    fn is_over(self, deployment: &Deployment) -> bool {
        match self {
            Subject::Delivery(id) => deployment.delivery(id).is_none(),
            Subject::Request(request) => {
                let answer = deployment.answers.get(&request.id);
                answer.is_some_and(|answer| answer.status < 500 && answer.status != 409)
            }
        }
    }

    /// Begins an attempt; none where it ended without a call.
    fn start(self, deployment: &mut Deployment) -> Option<TaskId> {
        match self {
            Subject::Delivery(id) => {
                deployment.hurry(id);
                deployment.start(id)
            }
            Subject::Request(request) => {
                deployment.answers.remove(&request.id);
                deployment.post(request.clone());
                deployment.tasks().first().copied()
            }
        }
    }
}

/// What every history of one thing must come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// What the calm came to.
    Same,
    /// An end at which every invariant holds.
    Well,
}

/// Attempts after which something that meets at most two faults must have ended.
const ATTEMPTS_MAX: usize = 4;

/// Plays something to its end with every choice of at most `faults_max` faults; answers how many
/// histories there were.
fn explore(
    before: &Deployment,
    checker: &Checker,
    (subject, ends): (Subject<'_>, Ends),
    faults_max: usize,
) -> usize {
    let mut choices = Exhaustive::default();
    let mut calm: Option<(u64, Deployment)> = None;
    let mut histories = 0;
    loop {
        let mut deployment = before.fork();
        let mut checker = checker.clone();
        let (mut left, mut attempts) = (faults_max, 0);
        while !subject.is_over(&deployment) {
            attempts += 1;
            assert!(attempts <= ATTEMPTS_MAX, "it never ends\n{}", deployment.story.text());
            let Some(task) = subject.start(&mut deployment) else { continue };
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
        let found = hash(&deployment);
        match &calm {
            None => calm = Some((found, deployment)),
            Some((expected, calm)) if *expected != found && ends == Ends::Same => {
                let story = deployment.story.text();
                panic!("{}\n{story}", differs(calm, &deployment));
            }
            Some(_) => {}
        }
        if !choices.advance() {
            return histories;
        }
    }
}

/// A life played calmly, in which everything that is not like something earlier is explored.
struct Spine {
    calm: Calm,
    /// What happens in the life's part at hand is not like what happened in another.
    part: &'static str,
    ends: Ends,
    explored: BTreeSet<String>,
    singly: usize,
    in_pairs: usize,
}

impl Spine {
    fn new() -> Spine {
        let (part, explored) = ("", BTreeSet::new());
        Spine { calm: Calm::new(), part, ends: Ends::Same, explored, singly: 0, in_pairs: 0 }
    }

    /// A person asks, and is answered.
    fn ask(&mut self, who: &str, path: &str, body: &Value) -> Value {
        let kind = path.split('/').filter(|word| word.parse::<u32>().is_err()).collect::<Vec<_>>().join("/");
        if self.explored.insert(format!("{} {kind}", self.part)) {
            let request = Request {
                method: "POST".into(),
                path: path.to_owned(),
                query: BTreeMap::new(),
                body: if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) },
                actor: Actor::person(who),
                id: format!("explored-{}", self.explored.len()),
            };
            self.explore(Subject::Request(&request));
        }
        self.calm.ask(who, path, body)
    }

    fn upload(&mut self, file: usize, rows: usize, bad: usize) {
        let answer = self.ask("dora", &path("uploads"), &json!({ "file": format!("f{file}.csv") }));
        let path = BlobPath::parse(answer["path"].as_str().unwrap()).unwrap();
        self.calm.deployment.land(&path, csv(file, rows, bad).as_bytes(), "dora", News::Told);
        self.settle(JobEnd::Well(2), Move::Up);
    }

    /// Everything that can happen happens, jobs and endpoints ending like this; each delivery of a
    /// new kind is explored first.
    fn settle(&mut self, end: JobEnd, moved: Move) {
        loop {
            let deployment = &mut self.calm.deployment;
            if let Some(id) = deployment.ready().first().copied() {
                let delivery = deployment.delivery(id).unwrap();
                let kind = delivery.event["detail-type"].as_str().unwrap_or_default();
                let name = format!("{} {} {kind}", self.part, delivery.function);
                if self.explored.insert(name) {
                    self.explore(Subject::Delivery(id));
                }
                if let Some(task) = self.calm.deployment.start(id) {
                    self.calm.finish(task);
                }
            } else if let Some(job) = deployment.running().first() {
                // Predictions are made whatever becomes of trainings.
                let end = if job.contains("-predict-") { WELL } else { end };
                deployment.end_job(job, end, News::Told);
            } else if let Some(name) = deployment.coming_up().first() {
                match moved {
                    Move::Up => deployment.bring_up(name, News::Told),
                    Move::Fail => deployment.fail_endpoint(name, News::Told),
                    // What is tried comes up; what is to take over is taken back.
                    Move::RollBack if name.contains('-') => deployment.bring_up(name, News::Told),
                    Move::RollBack => deployment.roll_back(name, News::Told),
                }
            } else {
                return;
            }
            self.calm.look();
        }
    }

    fn explore(&mut self, subject: Subject<'_>) {
        let mut fork = self.calm.deployment.fork();
        let task = subject.start(&mut fork);
        let mut calls = 0;
        while task.is_some_and(|task| fork.tasks().contains(&task)) {
            fork.resume(task.unwrap(), Verdict::Pass);
            calls += 1;
        }
        let (before, checker) = (&self.calm.deployment, &self.calm.checker);
        self.singly += explore(before, checker, (subject, self.ends), 1);
        if calls <= PAIRS_CALLS_MAX {
            self.in_pairs += explore(before, checker, (subject, self.ends), 2);
        }
    }

    /// What must hold at the end, and what was tried.
    fn end(&self, least: usize) -> String {
        self.calm.rest();
        assert!(self.explored.len() >= least, "{:?}", self.explored);
        format!(
            "{} kinds of deliveries and requests: {} histories with one fault, {} with up to two",
            self.explored.len(),
            self.singly,
            self.in_pairs
        )
    }
}

/// How endpoints move.
#[derive(Clone, Copy)]
enum Move {
    Up,
    Fail,
    RollBack,
}

const WELL: JobEnd = JobEnd::Well(2);

fn declared() -> Declared {
    Declared { margin: 50.0, cooldown: 0, test: 0.5, budget: None, importances: true, note: 0 }
}

#[test]
fn every_crash_and_every_lost_reply_ends_as_the_calm_does() {
    let mut spine = Spine::new();
    spine.ask("ana", "/api/pipelines", &declared().application());
    spine.settle(WELL, Move::Up);
    spine.upload(0, 100, 5);
    spine.ask("bianca", &path("models/1/approve"), &json!({ "reason": "good" }));
    spine.settle(WELL, Move::Up);
    spine.upload(1, 100, 40);
    // From here on hyperparameters are searched for.
    let searching = Declared { note: 1, ..declared() };
    spine.ask("ana", "/api/pipelines", &searching.application());
    spine.settle(WELL, Move::Up);
    spine.upload(2, 100, 0);
    spine.ask("bianca", &path("models/2/approve"), &json!({ "reason": "better" }));
    spine.settle(WELL, Move::Up);
    spine.ask("bianca", &path("rollback"), &json!({ "reason": "worse", "version": 1 }));
    spine.settle(WELL, Move::Up);
    spine.ask("dora", &path("drift"), &Value::Null);
    spine.settle(WELL, Move::Up);
    let next = spine.calm.deployment.next_time();
    spine.calm.deployment.advance(next.plus(domain::Time::HOUR));
    spine.settle(WELL, Move::Up);
    assert_eq!(spine.calm.facts().endpoints[NAME].champion, 1, "the rollback came through");
    println!("{}", spine.end(33));
}

#[test]
fn every_crash_and_every_lost_reply_ends_as_a_life_without_luck_does() {
    let mut spine = Spine::new();
    spine.calm.apply(&declared());
    spine.calm.land(0, 100, 0);
    spine.calm.settle();
    spine.calm.approve(1);
    spine.calm.settle();
    let run = |spine: &mut Spine, end| {
        spine.ask("dora", &path("runs"), &json!({ "reason": "once more" }));
        spine.settle(end, Move::Up);
    };
    for (part, end) in [
        ("a job that fails", JobEnd::Badly),
        ("a job that is stopped", JobEnd::Stopped),
        ("a job that is cut short with a model", JobEnd::Short(0)),
        ("a model that is no good", JobEnd::Well(3)),
    ] {
        spine.part = part;
        run(&mut spine, end);
    }
    spine.part = "a version that is turned down";
    run(&mut spine, JobEnd::Well(0));
    let version = spine.calm.facts().models.len();
    spine.ask("carlos", &path(&format!("models/{version}/reject")), &json!({ "reason": "no" }));
    spine.settle(WELL, Move::Up);
    for (part, moved) in [("an endpoint that fails", Move::Fail), ("one that is rolled back", Move::RollBack)]
    {
        spine.part = part;
        // What failed is tried once more by a delivery that died after it had cleared it away.
        spine.ends = Ends::Well;
        run(&mut spine, JobEnd::Well(0));
        let version = spine.calm.facts().models.len();
        spine.ask("bianca", &path(&format!("models/{version}/approve")), &json!({ "reason": "good" }));
        spine.settle(WELL, moved);
        // What is taken back is asked for again at each tick, and given up at last.
        for _ in 0..4 {
            let next = spine.calm.deployment.now().plus(domain::Time::HOUR);
            spine.calm.deployment.advance(next);
            spine.settle(WELL, moved);
        }
    }
    spine.part = "a run that is held for its budget and let";
    spine.ends = Ends::Same;
    spine.calm.apply(&Declared { budget: Some(9_000), note: 2, ..declared() });
    spine.calm.settle();
    let runs = spine.calm.facts().runs.len();
    run(&mut spine, JobEnd::Well(0));
    assert_eq!(spine.calm.facts().runs.len(), runs, "it is held");
    spine.ask("carlos", &path("budget"), &json!({ "reason": "worth it" }));
    spine.settle(JobEnd::Well(0), Move::Up);
    assert_eq!(spine.calm.facts().runs.len(), runs + 1, "it was let");
    assert_eq!(spine.calm.facts().endpoints[NAME].champion, 1, "what served goes on");
    println!("{}", spine.end(56));
}
