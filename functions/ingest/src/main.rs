//! Where ingest begins on Lambda.

use aws::{Clients, Settings};
use ingest::Ingest;

// One more thread, on which the next piece of an upload comes in while this one is checked.
#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry();
    let clients = Clients::new(Settings::from_env()?);
    let ingest = Ingest { records: clients.records(), blobs: clients.blobs(), incoming: clients.incoming() };
    lambda::run(ingest).await
}
