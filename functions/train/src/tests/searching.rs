//! How a run whose declaration says how hyperparameters are searched for comes to its model.

use domain::row::{File, RunState};
use domain::{BlobPath, Digest, Event, Input, Time};
use futures::executor::block_on;
use ports::{Jobs as _, Work};
use serde_json::{Value, json};
use simulation::World;

use crate::Train;
use crate::example::{accept, changed, name, newest, ten, waiting, world};

fn declared() -> Value {
    json!({"training": {"minimum_rows": 5, "timeout_minutes": 2, "hyperparameters": {"seed": 7}, "tuning": {
        "objective": {"metric": "validation:rmse", "type": "minimize"},
        "ranges": {"integer": {"max_depth": {"min": 2, "max": 8}}},
        "limits": {"max_trials": 20, "max_parallel": 2},
    }}})
}

/// A world with a run whose search runs, and the job's name.
async fn searching() -> (World, Train, String) {
    let (world, train) = world(declared()).await;
    let accepted = accept(&world, &ten(), 10).await;
    world.twice(&train, accepted).await.unwrap();
    world.twice(&train, world.last(&name()).await).await.unwrap();
    let job = world.jobs.running().remove(0);
    (world, train, job)
}

#[test]
fn a_run_with_a_declared_search_is_searched_for_and_its_best_trial_recorded() {
    block_on(async {
        let (world, train, job) = searching().await;
        let run = newest(&world).await;
        assert_eq!(job, format!("tune-{}", run.id), "SageMaker gives it 32 characters");
        assert!(job.len() <= 32);
        assert_eq!(run.state, RunState::Training { job: job.clone() });
        let spec = world.jobs.spec(&job);
        // Twenty trials of two minutes each, one after the other.
        assert_eq!(spec.timeout_seconds, 20 * 120);
        let Work::Tune { tuning, hyperparameters, channels, artifact, trials, trial_seconds } = spec.work
        else {
            panic!("a search");
        };
        assert_eq!((tuning.limits.max_trials, trial_seconds), (Some(20), 120));
        let told: Vec<(&str, &str)> =
            hyperparameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(told, [("problem", "regression"), ("seed", "7")]);
        assert_eq!(channels.keys().collect::<Vec<_>>(), ["features", "train", "validation"]);
        assert_eq!(artifact, BlobPath::run(&name(), &run.id, "model.tar.gz"));
        assert_eq!(trials, BlobPath::run(&name(), &run.id, "trials.json"));

        world.jobs.complete(&job, "the best model");
        world.twice(&train, changed(&job)).await.unwrap();
        let run = newest(&world).await;
        assert_eq!(run.state, RunState::Trained);
        assert_eq!(run.artifact, Some(File { path: artifact, digest: Digest::of(b"the best model") }));
        let tuned = run.tuned.clone().unwrap();
        assert_eq!((tuned.trials, tuned.best, tuned.value), (1, 1, 0.5));
        assert_eq!(tuned.metric, "validation:rmse");
        assert!(tuned.hyperparameters["max_depth"].parse::<u32>().is_ok());
        let record = world.blobs.read(&trials).unwrap();
        assert_eq!(tuned.record, File { path: trials, digest: Digest::of(&record) });
        let Input::Event(event) = world.last(&name()).await else { panic!("an event") };
        let Event::TrainingCompleted { tuned: told, .. } = event.event else { panic!("its completion") };
        assert_eq!(told, run.tuned);
        assert_eq!(waiting(&world).await, Vec::<String>::new());
    });
}

#[test]
fn a_search_whose_end_no_event_told_is_finished_by_a_tick() {
    block_on(async {
        let (world, train, job) = searching().await;
        world.jobs.complete(&job, "the best model");
        world.clock.advance(300 * Time::SECOND);
        world.twice(&train, world.tick()).await.unwrap();
        let run = newest(&world).await;
        assert_eq!((run.state, run.tuned.unwrap().best), (RunState::Trained, 1));
    });
}

#[test]
fn a_search_ends_its_run_in_every_way() {
    block_on(async {
        let reason = |reason: &str| RunState::Failed { reason: reason.to_owned() };
        for (case, expected) in [
            ("failed", reason("no trial made a model")),
            ("stopped", reason("the job was stopped: asked to stop")),
            ("cut short with a model", RunState::Trained),
            ("cut short without", reason("the job was stopped: too late")),
            ("without its record", reason("read runs/taxi/RUN/trials.json: no such blob")),
            ("with a broken record", reason("runs/taxi/RUN/trials.json: not the record of a search")),
        ] {
            let (world, train, job) = searching().await;
            let id = newest(&world).await.id;
            let record = BlobPath::run(&name(), &id, "trials.json");
            match case {
                "failed" => world.jobs.fail(&job, "no trial made a model"),
                "stopped" => world.jobs.stop(&job).await.unwrap(),
                "cut short with a model" => world.jobs.cut_short(&job, Some("m".into()), "too late"),
                "cut short without" => world.jobs.cut_short(&job, None, "too late"),
                _ => {
                    world.jobs.complete(&job, "m");
                    match case {
                        "without its record" => ports::Blobs::delete(&*world.blobs, &record).await.unwrap(),
                        _ => drop(world.blobs.insert(&record, "{}")),
                    }
                }
            }
            world.twice(&train, changed(&job)).await.unwrap();
            let run = newest(&world).await;
            match (&run.state, &expected) {
                (RunState::Failed { reason: found }, RunState::Failed { reason }) => {
                    let reason = reason.replace("RUN", &id);
                    assert!(found.starts_with(&reason), "{case}: {found}");
                    assert_eq!(run.tuned, None);
                }
                (found, expected) => assert_eq!(found, expected, "{case}"),
            }
            assert_eq!(waiting(&world).await, Vec::<String>::new(), "{case}");
        }
    });
}

#[test]
fn news_of_searches_that_are_not_ours_are_passed_over() {
    block_on(async {
        let (world, train, job) = searching().await;
        for name in ["tune-", "tune-unknown", "tuned-1"] {
            world.twice(&train, changed(name)).await.unwrap();
        }
        assert_eq!(world.jobs.running(), [job]);
    });
}
