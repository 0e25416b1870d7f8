//! What storms have found, told as the shortest history in which it went wrong.

use domain::{BlobPath, Time};
use serde_json::{Value, json};
use simulation::deployment::{JobEnd, News};
use simulation::gate::Verdict;

use crate::calm::{Calm, path};
use crate::toy::{Declared, NAME, captured};

const DECLARED: Declared =
    Declared { margin: 50.0, cooldown: 0, test: 0.5, budget: None, importances: false, note: 0 };

/// A delivery of an event to a function, and a second one of the same.
fn twice(calm: &mut Calm, function: &str, kind: &str) -> (u64, u64) {
    let there = calm.settle_until(|deployment| !deployment.deliveries_of(function, kind).is_empty());
    assert!(there, "{function} gets no {kind}");
    let first = calm.deployment.deliveries_of(function, kind)[0];
    calm.deployment.double(first);
    (first, calm.deployment.deliveries_of(function, kind)[1])
}

/// A calm deployment whose version 1 serves.
fn served(declared: &Declared) -> Calm {
    let mut calm = Calm::new();
    calm.apply(declared);
    calm.land(0, 140, 0);
    calm.settle();
    calm.approve(1);
    calm.settle();
    calm
}

/// Whatever was in its way, it comes to rest.
fn comes_to_rest(mut calm: Calm) {
    calm.settle();
    for _ in 0..3 {
        calm.tick();
    }
    calm.rest();
}

/// Of two deliveries that judge one run the slower one wrote its page over the one that the version
/// names, because the declaration was applied anew between them.
#[test]
fn two_judgements_of_a_run_under_two_declarations_leave_what_the_version_names() {
    let mut calm = Calm::new();
    calm.apply(&DECLARED);
    calm.land(0, 140, 0);
    let is_predicting = |name: &String| name.contains("-predict-");
    assert!(calm.settle_until(|deployment| deployment.running().iter().any(is_predicting)));
    let job = calm.deployment.running().remove(0);
    calm.deployment.end_job(&job, JobEnd::Well(0), News::Told);
    let (first, second) = twice(&mut calm, "register", "SageMaker Transform Job State Change");
    let first = calm.hold(first, "records.commit", 1);
    calm.apply(&Declared { margin: 0.5, note: 1, ..DECLARED });
    let second = calm.hold(second, "records.commit", 1);
    calm.finish(first);
    calm.finish(second);
    comes_to_rest(calm);
}

/// Of two deliveries of one request for a check the slower one looked at more traffic, and wrote its
/// result over the one that the check names.
#[test]
fn two_checks_for_one_request_leave_what_the_recorded_one_names() {
    let mut calm = served(&DECLARED);
    let traffic = |calm: &mut Calm, count: usize| {
        let at = calm.deployment.now();
        let capture =
            BlobPath::parse(&format!("{}/{count}.jsonl", BlobPath::capture_hour(NAME, at))).unwrap();
        calm.deployment.blobs.insert(&capture, captured(count, 0.0, at));
    };
    traffic(&mut calm, 1);
    calm.deployment.advance(calm.deployment.now().plus(Time::HOUR));
    calm.settle();
    traffic(&mut calm, 2);
    calm.ask("dora", &path("drift"), &Value::Null);
    let (first, second) = twice(&mut calm, "drift", "DriftCheckRequested");
    let first = calm.hold(first, "records.commit", 1);
    traffic(&mut calm, 3);
    calm.deployment.advance(calm.deployment.now().plus(60 * Time::SECOND));
    let second = calm.hold(second, "records.commit", 1);
    calm.finish(first);
    calm.finish(second);
    comes_to_rest(calm);
}

/// A slower delivery asked for the staging again after the deployment had failed, and died before it
/// could take that back: it would have run, and cost, for ever.
#[test]
fn what_is_staged_after_its_deployments_end_does_not_stay() {
    let mut calm = Calm::new();
    calm.apply(&DECLARED);
    calm.land(0, 140, 0);
    calm.settle();
    calm.approve(1);
    assert!(calm.settle_until(|deployment| !deployment.coming_up().is_empty()));
    let staging = calm.deployment.coming_up().remove(0);
    calm.deployment.fail_endpoint(&staging, News::Told);
    let (first, second) = twice(&mut calm, "deploy", "SageMaker Endpoint State Change");
    let slow = calm.hold(second, "endpoints.put", 1);
    let quick = calm.deployment.start(first).unwrap();
    calm.finish(quick);
    calm.deployment.resume(slow, Verdict::Pass);
    assert!(calm.deployment.endpoints.names().contains(&staging), "it was put again");
    calm.deployment.crash(slow);
    comes_to_rest(calm);
}

/// Of two deliveries that begin one judgement the slower one met another champion, and wrote the
/// rows that are fair against that one over those that the first had asked predictions for.
#[test]
fn two_beginnings_of_a_judgement_under_two_champions_leave_what_is_predicted() {
    // Each version withholds more than the one before, so that it was shown some of the rows that
    // the next one withholds, and others than the one before was.
    let mut calm = served(&Declared { test: 0.3, ..DECLARED });
    calm.apply(&Declared { test: 0.4, note: 1, ..DECLARED });
    calm.land(1, 140, 0);
    calm.settle();
    calm.apply(&Declared { test: 0.5, note: 2, ..DECLARED });
    calm.land(2, 140, 0);
    let (first, second) = twice(&mut calm, "register", "TrainingCompleted");
    let first = calm.hold(first, "records.commit", 1);
    let said = json!({ "reason": "better" });
    calm.ask("bianca", &path("models/2/approve"), &said);
    let is_champion = |calm: &Calm| calm.facts().endpoints[NAME].champion == 2;
    while !is_champion(&calm) {
        // The second delivery waits for its turn.
        let ready = calm.deployment.ready().into_iter().find(|id| *id != second);
        if let Some(task) = ready.and_then(|id| calm.deployment.start(id)) {
            calm.finish(task);
        } else if let Some(name) = calm.deployment.coming_up().first() {
            calm.deployment.bring_up(name, News::Told);
        } else if ready.is_none() {
            let next = calm.deployment.next_time();
            calm.deployment.advance(next);
        }
        calm.look();
    }
    let second = calm.hold(second, "records.commit", 1);
    calm.finish(first);
    calm.finish(second);
    comes_to_rest(calm);
}
