//! The real functions over the real wiring.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use ports::Handler;
use simulation::deployment::{Compose, Deployment, Functions, Ports};
use wiring::Wiring;

use crate::toy::Toy;

/// The wiring that deploys.
pub(crate) fn wiring() -> Arc<Wiring> {
    static WIRING: OnceLock<Arc<Wiring>> = OnceLock::new();
    let read = || {
        let text = include_str!("../../infra/template.yaml");
        let parameters = BTreeMap::new();
        let account = simulation::delivery::ACCOUNT;
        let region = simulation::delivery::REGION;
        match Wiring::read("infra/template.yaml", text, &parameters, account, region) {
            Ok(wiring) => Arc::new(wiring),
            Err(problems) => panic!("{problems:?}"),
        }
    };
    Arc::clone(WIRING.get_or_init(read))
}

/// Every function with the ports it uses, as the command composes them.
pub(crate) fn functions(ports: &Ports) -> Functions {
    let records = || Arc::clone(&ports.records);
    let blobs = || Arc::clone(&ports.blobs);
    let jobs = || Arc::clone(&ports.jobs);
    let handlers: Vec<Arc<dyn Handler>> = vec![
        Arc::new(ingest::Ingest {
            records: records(),
            blobs: blobs(),
            incoming: Arc::clone(&ports.incoming),
        }),
        Arc::new(train::Train { records: records(), blobs: blobs(), jobs: jobs() }),
        Arc::new(register::Register { records: records(), blobs: blobs(), jobs: jobs() }),
        Arc::new(deploy::Deploy {
            records: records(),
            blobs: blobs(),
            endpoints: Arc::clone(&ports.endpoints),
        }),
        Arc::new(drift::Drift { records: records(), blobs: blobs() }),
        Arc::new(notify::Notify { records: records(), notices: Arc::clone(&ports.notices) }),
        Arc::new(relay::Relay { records: records(), bus: Arc::clone(&ports.bus) }),
    ];
    Functions { handlers, console: Arc::new(console::Console { records: records(), blobs: blobs() }) }
}

/// Composes the functions as they are.
pub(crate) fn real() -> Compose {
    Arc::new(functions)
}

/// An empty deployment of these functions.
pub(crate) fn deployment(compose: Compose, keep: usize) -> Deployment {
    Deployment::new(wiring(), compose, Arc::new(Toy), keep)
}
