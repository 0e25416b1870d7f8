//! How a planned run is trained, also when events are lost, early or late.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::row::{File, RunState};
use domain::{BlobPath, Digest, Event, Input, Time};
use futures::executor::block_on;
use ports::{
    Blobs as _, Error, ErrorKind, Fault, JobSpec, JobStatus, Jobs, ProgramSpec, Result, Started, Work,
};
use serde_json::json;
use simulation::{MemoryJobs, World};

use crate::Train;
use crate::example::{self, accept, changed, name, newest, ten, waiting, world};

/// A world with a planned run.
async fn planned(changes: serde_json::Value) -> (World, Train) {
    let (world, train) = world(changes).await;
    let accepted = accept(&world, &ten(), 10).await;
    world.twice(&train, accepted).await.unwrap();
    (world, train)
}

/// A world with a run whose job runs, and the job's name.
async fn training() -> (World, Train, String) {
    let (world, train) = planned(json!({})).await;
    world.twice(&train, world.last(&name()).await).await.unwrap();
    let job = world.jobs.running().remove(0);
    (world, train, job)
}

#[test]
fn a_planned_run_is_prepared_and_trained() {
    block_on(async {
        let (world, train, job) = training().await;
        let run = newest(&world).await;
        assert_eq!(job, format!("taxi-train-{}", run.id));
        assert_eq!(run.state, RunState::Training { job: job.clone() });
        let spec = world.jobs.spec(&job);
        let path = |file: &str| BlobPath::run(&name(), &run.id, file);
        let text = |texts: &[(&str, &str)]| {
            texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let hyperparameters: BTreeMap<String, String> =
            text(&[("eta", "0.5"), ("note", "as is"), ("problem", "regression"), ("seed", "7")]);
        let channels = BTreeMap::from([
            ("features".to_owned(), path("features/features.json")),
            ("train".to_owned(), path("train/train.csv")),
            ("validation".to_owned(), path("validation/validation.csv")),
        ]);
        let artifact = path("model.tar.gz");
        assert_eq!(spec.work, Work::Train { hyperparameters, channels, artifact: artifact.clone() });
        assert_eq!((spec.program, spec.timeout_seconds), (ProgramSpec::Boost, 3_600));
        let prepared = run.prepared.unwrap();
        assert_eq!((prepared.train_rows, prepared.validation_rows, prepared.test_rows), (7, 1, 2));

        // Nothing happens while it runs.
        world.twice(&train, world.last(&name()).await).await.unwrap();
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!(newest(&world).await.state.word(), "training");

        world.jobs.complete(&job, "a model");
        world.twice(&train, changed(&job)).await.unwrap();
        let run = newest(&world).await;
        let file = File { path: artifact, digest: Digest::of(b"a model") };
        assert_eq!((run.state, run.artifact, run.seconds), (RunState::Trained, Some(file), 60));
        let kinds = world.kinds(&name()).await;
        assert_eq!(kinds[2..], ["TrainingRequested", "TrainingStarted", "TrainingCompleted"]);
        assert_eq!(waiting(&world).await, Vec::<String>::new());
        let events = world.events(&name()).await;
        assert!(events[1..].iter().all(|event| event.correlation == events[1].correlation));
    });
}

#[test]
fn a_run_whose_events_are_lost_is_finished_by_ticks() {
    block_on(async {
        let (world, train) = planned(json!({})).await;
        world.clock.advance(13 * 60 * Time::SECOND);
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!(newest(&world).await.state, RunState::Requested, "its event may still come");
        world.clock.advance(2 * 60 * Time::SECOND);
        world.twice(&train, world.tick()).await.unwrap();
        let job = world.jobs.running().remove(0);
        world.jobs.complete(&job, "a model");
        world.clock.advance(300 * Time::SECOND);
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!(newest(&world).await.state, RunState::Trained);
    });
}

#[test]
fn a_later_declaration_does_not_change_a_planned_run() {
    block_on(async {
        let (world, train) = planned(json!({})).await;
        let before = newest(&world).await;
        let training = json!({"hyperparameters": {"eta": 0.9}, "timeout_minutes": 5});
        let split = json!({"by": "time"});
        let later = json!({"target": "distance", "training": training, "split": split});
        example::apply(&world, example::spec(later)).await;
        let requested = world.events(&name()).await.into_iter().rev().nth(1).unwrap();
        world.twice(&train, Input::Event(Box::new(requested))).await.unwrap();
        let job = world.jobs.running().remove(0);
        let spec = world.jobs.spec(&job);
        let Work::Train { hyperparameters, channels, .. } = spec.work else { panic!() };
        assert_eq!((hyperparameters["eta"].as_str(), spec.timeout_seconds), ("0.5", 3_600));
        assert_eq!(world.blobs.text(&channels["train"]).lines().next(), Some("distance,place,fare"));
        let run = newest(&world).await;
        assert_eq!((run.pipeline, run.features), (before.pipeline, before.features));
    });
}

#[test]
fn a_job_that_fails_ends_the_run_with_its_reason() {
    block_on(async {
        let (world, train, job) = training().await;
        world.jobs.fail(&job, "out of memory");
        world.twice(&train, changed(&job)).await.unwrap();
        let reason = "out of memory".to_owned();
        assert_eq!(newest(&world).await.state, RunState::Failed { reason: reason.clone() });
        let Input::Event(event) = world.last(&name()).await else { panic!() };
        assert_eq!(event.event, Event::TrainingFailed { run: newest(&world).await.id, reason });
        assert_eq!(waiting(&world).await, Vec::<String>::new());
    });
}

#[test]
fn a_job_that_was_stopped_counts_if_it_left_a_model() {
    block_on(async {
        for (model, expected) in [(Some("so far"), "trained"), (None, "failed")] {
            let (world, train, job) = training().await;
            world.jobs.stop(&job).await.unwrap();
            let run = newest(&world).await;
            if let Some(model) = model {
                world.blobs.insert(&BlobPath::run(&name(), &run.id, "model.tar.gz"), model);
            }
            world.twice(&train, changed(&job)).await.unwrap();
            let state = newest(&world).await.state;
            assert_eq!(state.word(), expected);
            if let RunState::Failed { reason } = state {
                assert_eq!(reason, "the job was stopped: asked to stop");
            }
        }
    });
}

#[test]
fn a_job_without_its_model_is_no_success() {
    block_on(async {
        let (world, train, job) = training().await;
        world.jobs.complete(&job, "a model");
        let path = BlobPath::run(&name(), &newest(&world).await.id, "model.tar.gz");
        world.blobs.delete(&path).await.unwrap();
        world.twice(&train, changed(&job)).await.unwrap();
        let reason = "the job ended without a model".to_owned();
        assert_eq!(newest(&world).await.state, RunState::Failed { reason });
    });
}

#[test]
fn a_job_that_is_not_there_is_started_again_as_it_was() {
    block_on(async {
        let (world, train, job) = training().await;
        let before = world.jobs.spec(&job);
        let jobs = Arc::new(MemoryJobs::new((*world.blobs).clone()));
        let train = Train { jobs: jobs.clone(), ..train };
        world.twice(&train, world.tick()).await.unwrap();
        assert_eq!(jobs.spec(&job), before);
        assert_eq!(newest(&world).await.state.word(), "training");
    });
}

#[test]
fn news_of_jobs_that_are_not_ours_are_passed_over() {
    block_on(async {
        let (world, train, job) = training().await;
        for name in ["taxi-predict-1", "other-train-1", "taxi-train-unknown", "Not a name-train-1", ""] {
            world.twice(&train, changed(name)).await.unwrap();
        }
        assert_eq!(world.jobs.running(), [job]);
    });
}

/// Jobs that end before their start is recorded, or cannot be started.
#[derive(Debug)]
struct Odd {
    jobs: Arc<MemoryJobs>,
    refusal: Option<ErrorKind>,
}

#[async_trait]
impl Jobs for Odd {
    async fn start(&self, job: &JobSpec) -> Result<Started> {
        if let Some(kind) = self.refusal {
            return Err(Error::new(kind, format!("start {}: no", job.name)));
        }
        let started = self.jobs.start(job).await?;
        if started == Started::Now {
            self.jobs.complete(&job.name, "a model");
        }
        Ok(started)
    }

    async fn status(&self, name: &str) -> Result<JobStatus> {
        self.jobs.status(name).await
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.jobs.stop(name).await
    }
}

#[test]
fn a_job_that_ends_before_its_start_is_recorded_is_not_missed() {
    block_on(async {
        let (world, train) = planned(json!({})).await;
        let train = Train { jobs: Arc::new(Odd { jobs: world.jobs.clone(), refusal: None }), ..train };
        world.twice(&train, world.last(&name()).await).await.unwrap();
        assert_eq!(newest(&world).await.state, RunState::Trained);
        assert_eq!(
            world.kinds(&name()).await[2..],
            ["TrainingRequested", "TrainingStarted", "TrainingCompleted"]
        );
    });
}

#[test]
fn a_job_that_cannot_be_started_ends_the_run_or_is_tried_again() {
    block_on(async {
        let (world, train) = planned(json!({})).await;
        let requested = world.last(&name()).await;
        let odd = |kind| Train {
            jobs: Arc::new(Odd { jobs: world.jobs.clone(), refusal: Some(kind) }),
            ..example::train(&world)
        };
        let full = world.twice(&odd(ErrorKind::Throttled), &requested).await;
        assert!(matches!(full, Err(Fault::Retry(_))), "{full:?}");
        assert_eq!(newest(&world).await.state, RunState::Requested);
        world.twice(&odd(ErrorKind::Denied), &requested).await.unwrap();
        let RunState::Failed { reason } = newest(&world).await.state else { panic!() };
        assert_eq!(reason, format!("start taxi-train-{}: no", newest(&world).await.id));
        // The next run is not kept waiting by it.
        world.clock.advance(2 * Time::DAY);
        let accepted = accept(&world, &ten(), 10).await;
        world.twice(&train, accepted).await.unwrap();
        assert_eq!(newest(&world).await.number, 2);
    });
}
