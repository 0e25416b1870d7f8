//! How much does the candidate need each column: the rows it predicts once more for that, and what
//! is made of the answers.

use domain::row::{File, Run, Served};
use domain::{BlobPath, Digest, PipelineName};
use engine::csv::{Header, write_rows};
use engine::evaluation::importance::{self, Importance};
use engine::features::Features;
use engine::metrics::{Outcomes, Truth};
use engine::statistics::bootstrap::Bootstrap;
use engine::table::Batch;
use ports::{Blobs, BlobsExt};

use crate::read::Batches;
use crate::rows::{Ask, Waiting};
use crate::{Register, Stop};

impl Register {
    /// Writes the blocks of rows with one column shuffled each; none where there are too few rows.
    pub(crate) async fn shuffled(
        &self,
        pipeline: &PipelineName,
        run: &Run,
        features: &Features,
        input: &File,
        rows: u64,
    ) -> Result<Option<File>, Stop> {
        let sample = sample(&*self.blobs, features, input, rows).await?;
        if sample.rows() < importance::ROWS_MIN {
            return Ok(None);
        }
        let mut text = Vec::new();
        for block in importance::shuffled(&sample, seed(input)) {
            write_rows(&block, &mut text);
        }
        Ok(Some(self.blobs.put(&BlobPath::run(pipeline, &run.id, "shuffled.csv"), &text).await?))
    }

    /// Whether the shuffled rows need not be waited for: they are predicted, or never will be. A
    /// model is not refused for what people only look at.
    pub(crate) async fn is_over(
        &self,
        ask: &Ask,
        pipeline: &PipelineName,
        seconds: u64,
    ) -> Result<bool, Stop> {
        match self.is_there(pipeline, ask, "the candidate", seconds).await {
            Err(Stop::Reject(_)) => Ok(true),
            other => other,
        }
    }

    /// The importances; none where the shuffled rows were not predicted, or not as they should be.
    pub(crate) async fn importances(
        &self,
        waiting: &Waiting,
        served: &Served,
        columns: &[String],
        truth: &Truth,
        losses: &[f64],
        bootstrap: Bootstrap,
    ) -> Result<Vec<Importance>, Stop> {
        let Some(ask) = &waiting.shuffled else { return Ok(Vec::new()) };
        if self.blobs.head(&ask.output).await?.is_none() {
            return Ok(Vec::new());
        }
        let columns = &columns[..columns.len().min(importance::COLUMNS_MAX)];
        let keep = kept(truth.rows() as u64);
        let plain: Vec<f64> =
            losses.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(loss, _)| *loss).collect();
        let repeated = truth.filtered(&keep).repeated(columns.len());
        let prediction = match self.predictions(ask, served, repeated.rows()).await {
            Ok(prediction) => prediction,
            Err(Stop::Reject(_)) => return Ok(Vec::new()),
            Err(stop) => return Err(stop),
        };
        let Ok(outcomes) = Outcomes::new("the shuffled rows' predictions", &repeated, &prediction) else {
            return Ok(Vec::new());
        };
        Ok(importance::importances(columns, &plain, outcomes.losses(), bootstrap))
    }
}

/// Which of the withheld rows are in the blocks.
fn kept(rows: u64) -> Vec<bool> {
    let step = importance::step(rows);
    (0..rows).map(|row| row.is_multiple_of(step)).collect()
}

async fn sample(blobs: &dyn Blobs, features: &Features, input: &File, rows: u64) -> Result<Batch, Stop> {
    let keep = kept(rows);
    let mut batches = Batches::new(blobs, input, features.inputs().clone(), Header::Absent);
    let (mut sampled, mut from) = (Vec::new(), 0);
    while let Some(batch) = batches.next().await? {
        let to = (from + batch.rows()).min(keep.len());
        sampled.push(batch.filtered(&keep[from.min(to)..to]));
        from = to;
    }
    Ok(engine::part::joined(features.inputs(), sampled))
}

/// The seed of the orders: of the rows, so that every candidate is shuffled alike on them.
fn seed(input: &File) -> u64 {
    let digest = Digest::of_parts(&["shuffled", &input.digest.hex()]);
    let mut first = [0; 8];
    first.copy_from_slice(&digest.bytes()[..8]);
    u64::from_be_bytes(first)
}
