//! Whether the adapters of AWS do what every adapter must.

use std::sync::Arc;

use cloud::{Server, Stack};
use conformance::{Task, blobs, notices, records};
use ports::{Blobs, Bus, Records};

/// Callers race on the runtime that the SDK needs.
fn tasks(tasks: Vec<Task>) -> Task {
    Box::pin(async move {
        let callers: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        for caller in callers {
            if let Err(failed) = caller.await {
                std::panic::resume_unwind(failed.into_panic());
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_on_dynamodb_conforms() {
    let Some(server) = Server::start() else { return };
    let make = async || Stack::make(&server).clients().records() as Arc<dyn Records>;
    records::records_with(make, tasks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_on_s3_conform() {
    let Some(server) = Server::start() else { return };
    let make = async || Stack::make(&server).clients().blobs() as Arc<dyn Blobs>;
    blobs::blobs_with(&make, tasks).await;
    blobs::with_versions(&make).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_on_eventbridge_conforms() {
    let Some(server) = Server::start() else { return };
    notices::bus(async || Stack::make(&server).clients().bus() as Arc<dyn Bus>).await;
}
