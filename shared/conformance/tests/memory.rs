//! Whether the adapters in memory do what every adapter must.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use conformance::{blobs, endpoints, jobs, notices, records};
use domain::BlobPath;
use futures::executor::block_on;
use ports::endpoints::Capture;
use ports::{Blobs, Bus, EndpointSpec, Endpoints, JobSpec, Jobs, Notices, ProgramSpec, Records, Work};
use simulation::{MemoryBlobs, MemoryBus, MemoryEndpoints, MemoryJobs, MemoryNotices, MemoryRecords};

fn path(text: &str) -> BlobPath {
    BlobPath::parse(text).unwrap()
}

#[test]
fn the_table_in_memory_conforms() {
    block_on(records::records(async || Arc::new(MemoryRecords::default()) as Arc<dyn Records>));
}

#[test]
fn files_in_memory_conform() {
    let make = async || Arc::new(MemoryBlobs::default()) as Arc<dyn Blobs>;
    block_on(blobs::blobs(make));
    block_on(blobs::with_versions(make));
}

#[test]
fn jobs_in_memory_conform() {
    let job = JobSpec {
        name: "replaced".into(),
        program: ProgramSpec::Boost,
        work: Work::Predict { artifact: path("model"), input: path("input"), output: path("output") },
        timeout_seconds: 60,
    };
    block_on(jobs::jobs(async || (Arc::new(MemoryJobs::default()) as Arc<dyn Jobs>, job.clone())));
}

#[test]
fn endpoints_in_memory_conform() {
    let spec = EndpointSpec {
        name: "replaced".into(),
        config: "replaced".into(),
        program: ProgramSpec::Boost,
        artifact: path("model"),
        capture: Capture::Nothing,
    };
    let make = async || (Arc::new(MemoryEndpoints::default()) as Arc<dyn Endpoints>, spec.clone());
    block_on(endpoints::endpoints(make));
}

#[test]
fn notices_and_bus_in_memory_conform() {
    block_on(notices::notices(async || Arc::new(MemoryNotices::default()) as Arc<dyn Notices>));
    block_on(notices::bus(async || Arc::new(MemoryBus::default()) as Arc<dyn Bus>));
}

#[test]
fn an_endpoint_answers_with_what_serves_while_the_next_comes_up() {
    let endpoints = MemoryEndpoints::default();
    endpoints.predict(|spec, row| format!("{}:{row}", spec.config));
    let put = |config: &str| {
        let spec = EndpointSpec {
            name: "taxi".into(),
            config: config.into(),
            program: ProgramSpec::Boost,
            artifact: path("model"),
            capture: Capture::All,
        };
        block_on(endpoints.put(&spec)).unwrap();
    };
    let ask = || {
        let reply = block_on(endpoints.invoke("taxi", "text/csv", Bytes::from_static(b"1,2\n"))).unwrap();
        String::from_utf8(reply.body.to_vec()).unwrap()
    };
    put("one");
    endpoints.settle();
    put("two");
    assert_eq!(ask(), "one:1,2\n");
    endpoints.fail("taxi", "it would not start");
    assert_eq!(ask(), "one:1,2\n");
    put("three");
    endpoints.settle();
    assert_eq!(ask(), "three:1,2\n");
}
