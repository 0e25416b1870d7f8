//! Where relay begins on Lambda.

use aws::{Clients, Settings};
use relay::Relay;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry();
    let clients = Clients::new(Settings::from_env()?);
    lambda::run(Relay { records: clients.records(), bus: clients.bus() }).await
}
