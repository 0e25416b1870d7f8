//! Where ingest begins on Lambda.

use aws::{Clients, Settings};
use ingest::Ingest;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry();
    let clients = Clients::new(Settings::from_env()?);
    let ingest = Ingest { records: clients.records(), blobs: clients.blobs(), incoming: clients.incoming() };
    lambda::run(ingest).await
}
