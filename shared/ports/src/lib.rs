//! What Millrace asks of the world: the ports, the one error, and the shape of a handler.

pub mod blobs;
pub mod bus;
pub mod endpoints;
pub mod jobs;
pub mod notices;
pub mod records;

pub mod error;
pub mod handler;
pub mod http;
pub mod ledger;

pub use blobs::{BlobInfo, BlobWriter, Blobs, BlobsExt, PutExpect};
pub use bus::{Bus, Outcome};
pub use endpoints::{EndpointSpec, EndpointState, EndpointStatus, Endpoints, Reply};
pub use error::{Error, ErrorKind, Result};
pub use handler::{Cx, Fault, Handler, Handling};
pub use jobs::{JobSpec, JobState, JobStatus, Jobs, ProgramSpec, Started, Work};
pub use notices::{Notice, Notices};
pub use records::{Commit, Committed, Expect, Page, Record, Records, RecordsExt, Version, Write};
