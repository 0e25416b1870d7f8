//! Drift: compares captured traffic, and late labels, with what the model was trained on.
//!
//! It reads the endpoint, its version with the frozen baseline, the captured traffic of a window
//! and the labels that have come; it commits the check with `DriftChecked`, and with
//! `DriftDetected` where the world has moved.

pub mod capture;
pub mod check;
pub mod decide;
pub mod labels;
mod page;
pub mod rows;
pub mod traffic;
pub mod window;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, Input};
use ports::{Blobs, Cx, Fault, Handler, Handling, Records, RecordsExt as _};
use tracing::info;

/// The function.
#[derive(Debug)]
pub struct Drift {
    /// The table.
    pub records: Arc<dyn Records>,
    /// Our own files, captured traffic among them.
    pub blobs: Arc<dyn Blobs>,
}

#[async_trait]
impl Handler for Drift {
    fn name(&self) -> &'static str {
        "drift"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> Result<(), Fault> {
        match input {
            Input::Event(envelope) => match &envelope.event {
                Event::DriftCheckRequested {} | Event::LabelsReceived { .. } => {
                    self.check(Handling { cx, input, pipeline: &envelope.pipeline }).await
                }
                _ => Ok(()),
            },
            Input::Tick { .. } => {
                let mut first = Ok(());
                for pipeline in self.records.pipelines().await? {
                    let handling = Handling { cx, input, pipeline: &pipeline };
                    if let Err(fault) = self.check(handling).await {
                        info!(pipeline = %pipeline, fault = %fault, "traffic could not be checked");
                        first = first.and(Err(fault));
                    }
                }
                first
            }
            Input::ObjectCreated(_) | Input::JobChanged(_) | Input::EndpointChanged(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
