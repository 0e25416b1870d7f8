//! A deployment in which nothing goes wrong by itself: a test says what happens, step by step.

use domain::{BlobPath, PipelineName};
use serde_json::{Value, json};
use simulation::check::{Checker, Facts, rest};
use simulation::deployment::{Deployment, JobEnd, News};
use simulation::gate::{Moment, TaskId, Verdict};

use crate::toy::{Declared, NAME, csv};
use crate::whole;

/// Lines of the story that are told where something does not hold.
const STORY_LINES: usize = 60;

/// A calm deployment.
pub(crate) struct Calm {
    pub(crate) deployment: Deployment,
    pub(crate) checker: Checker,
    asked: usize,
}

/// A path of the toy's pipeline.
pub(crate) fn path(rest: &str) -> String {
    format!("/api/pipelines/{NAME}/{rest}")
}

impl Calm {
    pub(crate) fn new() -> Calm {
        let deployment = whole::deployment(whole::real(), STORY_LINES);
        Calm { deployment, checker: Checker::default(), asked: 0 }
    }

    /// What is known of the toy's pipeline.
    pub(crate) fn facts(&self) -> &Facts {
        let pipeline: PipelineName = NAME.parse().unwrap();
        &self.checker.facts[&pipeline]
    }

    /// Checks everything that took effect.
    pub(crate) fn look(&mut self) {
        if let Err(violation) = self.checker.look(&self.deployment) {
            panic!("{violation}\n{}", self.deployment.story.text());
        }
    }

    /// An id that no request had.
    pub(crate) fn request(&mut self) -> String {
        self.asked += 1;
        format!("request-{}", self.asked)
    }

    /// A person asks, and is answered.
    pub(crate) fn ask(&mut self, who: &str, path: &str, body: &Value) -> Value {
        let id = self.request();
        self.deployment.ask(who, "POST", path, &id, body);
        let task = self.deployment.tasks().last().copied();
        if let Some(task) = task {
            self.finish(task);
        }
        let answer = &self.deployment.answers[&id];
        assert!(answer.status < 300, "{path}: {answer:?}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) fn apply(&mut self, declared: &Declared) {
        self.ask("ana", "/api/pipelines", &declared.application());
    }

    pub(crate) fn approve(&mut self, version: u32) {
        self.ask("bianca", &path(&format!("models/{version}/approve")), &json!({ "reason": "good" }));
    }

    /// A file lands, and nothing else happens yet.
    pub(crate) fn land(&mut self, file: usize, rows: usize, bad: usize) {
        let body = json!({ "file": format!("f{file}.csv") });
        let answer = self.ask("dora", &path("uploads"), &body);
        let path = BlobPath::parse(answer["path"].as_str().unwrap()).unwrap();
        self.deployment.land(&path, csv(file, rows, bad).as_bytes(), "dora", News::Told);
    }

    /// A task goes on to its end.
    pub(crate) fn finish(&mut self, task: TaskId) {
        while self.deployment.tasks().contains(&task) {
            self.deployment.resume(task, Verdict::Pass);
        }
        self.look();
    }

    /// A delivery begins, and goes on until it is about to make a call of this name, the `nth` of
    /// them from 1.
    pub(crate) fn hold(&mut self, delivery: u64, call: &str, nth: usize) -> TaskId {
        let task = self.deployment.start(delivery).expect("it makes a call");
        let mut met = 0;
        loop {
            let held = self.deployment.held(task);
            met += usize::from(held.name == call && held.moment == Moment::Before);
            if met == nth && held.moment == Moment::Before {
                return task;
            }
            self.deployment.resume(task, Verdict::Pass);
            self.look();
            assert!(self.deployment.tasks().contains(&task), "it ends without {nth} calls of {call}");
        }
    }

    /// Everything that can happen happens, one thing after the other, until `enough`; answers
    /// whether it was.
    pub(crate) fn settle_until(&mut self, mut enough: impl FnMut(&Deployment) -> bool) -> bool {
        loop {
            if enough(&self.deployment) {
                return true;
            }
            if !self.step() {
                return false;
            }
        }
    }

    /// Everything that can happen happens.
    pub(crate) fn settle(&mut self) {
        assert!(!self.settle_until(|_| false));
    }

    /// The next thing happens; whether there was one.
    fn step(&mut self) -> bool {
        let deployment = &mut self.deployment;
        if let Some(id) = deployment.ready().first().copied() {
            if let Some(task) = deployment.start(id) {
                self.finish(task);
            }
        } else if let Some(job) = deployment.running().first() {
            deployment.end_job(job, JobEnd::Well(2), News::Told);
        } else if let Some(name) = deployment.coming_up().first() {
            deployment.bring_up(name, News::Told);
        } else {
            return false;
        }
        self.look();
        true
    }

    /// Time passes to the next tick and a little more, and everything happens that then can.
    pub(crate) fn tick(&mut self) {
        let next = self.deployment.next_time();
        self.deployment.advance(next);
        self.settle();
    }

    /// What must hold once nothing moves.
    pub(crate) fn rest(&self) {
        if let Err(violation) = rest::at_rest(&self.deployment, &self.checker) {
            panic!("{violation}\n{}", self.deployment.story.text());
        }
    }
}
