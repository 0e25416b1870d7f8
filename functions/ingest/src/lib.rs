//! Ingest: an upload becomes a part, or a page that says what is wrong with it.
//!
//! It reads the upload's ticket and the pipeline as applied, streams the object through the data
//! engine while part and quarantine grow, and commits the upload's fate with `PartAccepted`,
//! `PartRejected` or `UploadRepeated`. Its tick finds the tickets whose object landed untold.

pub mod arrival;
pub mod decide;
mod judge;
pub mod landing;
mod read;
mod reconcile;
mod record;
mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use domain::Input;
use domain::input::ObjectCreated;
use ports::{Blobs, Cx, Fault, Handler, Handling, Records};
use tracing::info;

use crate::arrival::Arrival;
use crate::landing::Landing;

/// The function.
#[derive(Debug)]
pub struct Ingest {
    /// The table.
    pub records: Arc<dyn Records>,
    /// Our own files: parts, profiles, reports, quarantine.
    pub blobs: Arc<dyn Blobs>,
    /// Where uploads land. It is read, never written.
    pub incoming: Arc<dyn Blobs>,
}

#[async_trait]
impl Handler for Ingest {
    fn name(&self) -> &'static str {
        "ingest"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> Result<(), Fault> {
        match input {
            Input::ObjectCreated(object) => self.landed(cx, input, object).await,
            Input::Tick { at } => self.reconcile(cx, input, *at).await,
            Input::Event(_) | Input::JobChanged(_) | Input::EndpointChanged(_) => Ok(()),
        }
    }
}

impl Ingest {
    /// Answers an object that landed.
    async fn landed(&self, cx: &Cx, input: &Input, object: &ObjectCreated) -> Result<(), Fault> {
        let Some(landing) = Landing::read(&object.key, object.size).map_err(Fault::Reject)? else {
            info!(key = %object.key, "a folder was made in the incoming bucket");
            return Ok(());
        };
        let handling = Handling { cx, input, pipeline: &landing.pipeline };
        let Some(arrival) = self.arrival(&landing, object, &input.id()).await? else {
            info!(pipeline = %landing.pipeline, key = %object.key, "an upload was told again");
            return Ok(());
        };
        self.take_in(handling, &arrival, "").await?;
        let is_announced = arrival.upload == landing.folder;
        if !is_announced || object.version.is_none() {
            return Ok(());
        }
        // While this version was read, another one of the same key may have used up its ticket.
        match self.arrival(&landing, object, &input.id()).await? {
            Some(another) => self.take_in(handling, &another, "").await,
            None => Ok(()),
        }
    }

    /// Takes an upload in, unless it has a fate already. `step` tells apart several uploads of one
    /// input.
    pub(crate) async fn take_in(
        &self,
        handling: Handling<'_>,
        arrival: &Arrival,
        step: &str,
    ) -> Result<(), Fault> {
        let pipeline = handling.pipeline;
        if rows::has_fate(&*self.records, pipeline, &arrival.upload).await? {
            info!(pipeline = %pipeline, upload = %arrival.upload, "an upload was told again");
            return Ok(());
        }
        let Some(terms) = self.terms(pipeline).await? else {
            return Err(Fault::Reject(landing::unknown(arrival.path.as_str(), pipeline.as_str())));
        };
        match self.judge(pipeline, arrival, &terms).await? {
            Some(judged) => self.record(handling, arrival, &judged, step).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
