//! What everything that runs jobs must do.

use std::sync::Arc;

use ports::{ErrorKind, JobSpec, Jobs, Started};

use crate::race::{CALLERS, gather};
use crate::{Race, threads};

/// Everything, each claim on fresh jobs. Beside the port `make` answers a job that can be
/// started (its name is replaced); how it ends is no matter.
pub async fn jobs(make: impl AsyncFn() -> (Arc<dyn Jobs>, JobSpec)) {
    jobs_with(make, threads).await;
}

/// Everything, with another way to let callers race.
pub async fn jobs_with(make: impl AsyncFn() -> (Arc<dyn Jobs>, JobSpec), race: Race) {
    let (jobs, _) = make().await;
    an_unknown_job_is_not_found(&*jobs).await;
    let (jobs, job) = make().await;
    a_name_that_is_none_is_refused(&*jobs, &job).await;
    let (jobs, job) = make().await;
    a_second_start_starts_nothing(&*jobs, &job).await;
    let (jobs, job) = make().await;
    a_job_is_known_by_its_whole_name(&*jobs, &job).await;
    let (jobs, job) = make().await;
    a_job_can_be_stopped_twice(&*jobs, &job).await;
    let (jobs, job) = make().await;
    one_of_racing_starts_starts(jobs, job, race).await;
}

fn named(job: &JobSpec, name: &str) -> JobSpec {
    JobSpec { name: name.to_owned(), ..job.clone() }
}

/// What was never started has no status and cannot be stopped.
pub async fn an_unknown_job_is_not_found(jobs: &dyn Jobs) {
    let status = jobs.status("never-started").await;
    assert_eq!(status.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    let stop = jobs.stop("never-started").await;
    assert_eq!(stop.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}

/// Names that SageMaker would refuse, or that would lead out of a directory, are `Invalid`.
pub async fn a_name_that_is_none_is_refused(jobs: &dyn Jobs, job: &JobSpec) {
    for name in ["", "a b", "a/b", "..", "../x", "a_b", "é", "-a", "a-", &"a".repeat(64)] {
        let start = jobs.start(&named(job, name)).await;
        assert_eq!(start.map_err(|error| error.kind()), Err(ErrorKind::Invalid), "{name:?}");
    }
}

/// The name is the idempotency key: a second start is `Before`, also of another specification,
/// and also when the job is over.
pub async fn a_second_start_starts_nothing(jobs: &dyn Jobs, job: &JobSpec) {
    let job = named(job, "conformance-twice");
    assert_eq!(jobs.start(&job).await.expect("a job can be started"), Started::Now);
    jobs.status(&job.name).await.expect("a started job is there");
    let other = JobSpec { timeout_seconds: job.timeout_seconds + 1, ..job.clone() };
    for again in [&job, &other] {
        assert_eq!(jobs.start(again).await.expect("a repeat is no error"), Started::Before);
    }
    jobs.stop(&job.name).await.expect("a job can be stopped");
    assert_eq!(jobs.start(&job).await.expect("a repeat is no error"), Started::Before);
}

/// Names that begin alike are of different jobs, and the longest name is one.
pub async fn a_job_is_known_by_its_whole_name(jobs: &dyn Jobs, job: &JobSpec) {
    let longest = "n".repeat(63);
    for name in ["conformance-1", "conformance-11", &longest] {
        assert_eq!(jobs.start(&named(job, name)).await.expect("a job can be started"), Started::Now);
    }
    let status = jobs.status("conformance").await;
    assert_eq!(status.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}

/// Stopping is no error, neither of a job that runs nor of one that is over.
pub async fn a_job_can_be_stopped_twice(jobs: &dyn Jobs, job: &JobSpec) {
    let job = named(job, "conformance-stop");
    jobs.start(&job).await.expect("a job can be started");
    for _ in 0..2 {
        jobs.stop(&job.name).await.expect("a job can be stopped");
        jobs.status(&job.name).await.expect("a stopped job is there");
    }
}

/// Of callers that start the same job one starts it.
pub async fn one_of_racing_starts_starts(jobs: Arc<dyn Jobs>, job: JobSpec, race: Race) {
    let job = named(&job, "conformance-race");
    let start = |_| {
        let (jobs, job) = (jobs.clone(), job.clone());
        async move { jobs.start(&job).await.expect("a repeat is no error") }
    };
    let answers = gather(race, start).await;
    let now = answers.iter().filter(|answer| **answer == Started::Now).count();
    assert_eq!((now, answers.len()), (1, CALLERS));
    jobs.stop("conformance-race").await.expect("a job can be stopped");
}
