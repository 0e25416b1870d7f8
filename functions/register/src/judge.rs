//! What is made of the predictions: the evaluation, the golden requests, the baseline to watch by.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::row::{Applied, File, Run, Served};
use domain::{BlobPath, Digest, PipelineName, limit};
use engine::answer;
use engine::baseline::{Baseline, ColumnBaseline, LossCounter};
use engine::csv::{Dialect, Header, Records};
use engine::evaluation::Candidates;
use engine::metrics::{Loss, Outcomes, Prediction, Truth};
use engine::statistics::bootstrap::Units;
use engine::table::{Column, Field, Kind, Schema};
use ports::BlobsExt;
use ports::Handling;

use crate::beside::Judged;
use crate::evaluate::{Found, evaluation, guess, options};
use crate::read::{self, Batches, Chunks};
use crate::rows::{self, Ask, Waiting};
use crate::{Register, Stop};

/// A judgement with everything it left behind.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) passed: bool,
    pub(crate) reason: String,
    pub(crate) metrics: BTreeMap<String, f64>,
    pub(crate) json: File,
    pub(crate) html: File,
    pub(crate) golden: File,
    pub(crate) baseline: File,
}

/// What happened in the rows that are judged by.
struct Happened {
    target: Column,
    truth: Truth,
    /// Each row's bucket of its entity, where every row has one.
    buckets: Option<Vec<u64>>,
}

impl Register {
    pub(crate) async fn judge(
        &self,
        handling: Handling<'_>,
        run: &Run,
        waiting: &Waiting,
        served: &Served,
        applied: &Applied,
    ) -> Result<Judgement, Stop> {
        let pipeline = handling.pipeline;
        let features = rows::features(&*self.blobs, &run.features).await?;
        let Happened { target, truth, buckets } =
            self.happened(waiting, served, features.target().kind).await?;
        let candidate = self.predictions(&waiting.candidate, served, truth.rows()).await?;
        let champion = match &waiting.champion {
            Some(ask) => Some(self.predictions(ask, served, truth.rows()).await?),
            None => None,
        };
        let outcomes = Outcomes::new("the candidate's predictions", &truth, &candidate)?;
        let golden = self.golden(pipeline, run, &waiting.candidate, &candidate).await?;
        let baseline = self
            .baseline(
                pipeline,
                run,
                &waiting.candidate,
                features.inputs(),
                served,
                &candidate,
                outcomes.losses(),
            )
            .await?;
        let naive = guess(&waiting.naive, served.problem);
        let missing = || Stop::Reject("the run has no prepared rows".into());
        let judged = Judged {
            run,
            prepared: run.prepared.as_ref().ok_or_else(missing)?,
            applied,
            served,
            features: &features,
            ask: &waiting.candidate,
            naive: &naive,
            target: &target,
            truth: &truth,
        };
        let beside = judged.beside(&*self.blobs).await?;
        // Rows of one entity share a bucket, and do not vary by themselves.
        let units = match buckets {
            Some(buckets) if !applied.spec.entity.is_empty() => Units::clusters(&buckets),
            _ => Units::rows(truth.rows()),
        };
        let candidates = Candidates {
            truth: &truth,
            candidate: &candidate,
            champion: champion.as_ref(),
            naive: &naive,
            baselines: beside.baselines,
            columns: &beside.columns,
            units,
        };
        let options = options(waiting, applied);
        let columns: Vec<String> = features.inputs().fields.iter().map(|field| field.name.clone()).collect();
        let importances = self
            .importances(waiting, served, &columns, &truth, outcomes.losses(), options.bootstrap())
            .await?;
        let found = Found { checks: beside.checks, importances };
        let evaluation = evaluation(run, waiting, applied, served, &candidates, &options, found)?;
        let json = self.keep(pipeline, run, "json", &evaluation.json).await?;
        let html = self.keep(pipeline, run, "html", evaluation.html.as_bytes()).await?;
        let (passed, reason, metrics) = (evaluation.passed, evaluation.reason, evaluation.metrics);
        Ok(Judgement { passed, reason, metrics, json, html, golden, baseline })
    }

    /// Writes a file of the evaluation. Its path says its digest: where the declaration is applied
    /// anew between two deliveries they judge differently, and what a version names must stay.
    async fn keep(
        &self,
        pipeline: &PipelineName,
        run: &Run,
        ending: &str,
        bytes: &[u8],
    ) -> ports::Result<File> {
        let name = format!("evaluation-{}.{ending}", Digest::of(bytes).short());
        self.blobs.put(&BlobPath::run(pipeline, &run.id, &name), bytes).await
    }

    /// What happened in the rows that are judged by.
    async fn happened(
        &self,
        waiting: &Waiting,
        served: &Served,
        kind: engine::table::Kind,
    ) -> Result<Happened, Stop> {
        let field = |name: &str, kind| Field { name: name.into(), kind };
        let fields = vec![field("truth", kind), field("bucket", Kind::Integer)];
        let schema = Arc::new(Schema { fields });
        let mut batches = Batches::new(&*self.blobs, &waiting.truth, schema.clone(), Header::Present);
        let mut all = Vec::new();
        while let Some(batch) = batches.next().await? {
            all.push(batch);
        }
        let whole = engine::part::joined(&schema, all);
        let target = whole.columns()[0].clone();
        let truth = Truth::of(waiting.truth.path.as_str(), served.problem, &target, &served.classes)?;
        let buckets = match &whole.columns()[1] {
            Column::Integer(buckets) => {
                buckets.iter().map(|bucket| bucket.and_then(|bucket| u64::try_from(bucket).ok())).collect()
            }
            _ => None,
        };
        Ok(Happened { target, truth, buckets })
    }

    /// A model's predictions as its job left them.
    pub(crate) async fn predictions(
        &self,
        ask: &Ask,
        served: &Served,
        rows: usize,
    ) -> Result<Prediction, Stop> {
        let text = read::text(&*self.blobs, &ask.output).await?;
        let wrong = |problem: String| Stop::Reject(format!("job {}: {problem}", ask.job));
        let answers = answer::read(&text, rows).map_err(wrong)?;
        answer::prediction(served.problem, served.classes.len(), answers).map_err(wrong)
    }

    /// Writes the first rows with their predictions: what any later serving must answer alike.
    async fn golden(
        &self,
        pipeline: &PipelineName,
        run: &Run,
        ask: &Ask,
        prediction: &Prediction,
    ) -> Result<File, Stop> {
        let mut text = Vec::new();
        let mut taken = 0;
        let mut records = Records::new(ask.input.path.file_name(), &Dialect::default());
        let mut chunks = Chunks::new(&*self.blobs, &ask.input.path);
        let rows = prediction.rows().min(limit::GOLDEN_ROWS);
        while taken < rows {
            let chunk = chunks.next().await?;
            let mut take = |record: &engine::csv::Record<'_>| {
                if taken < rows && record.fault.is_none() {
                    text.extend_from_slice(record.raw);
                    text.extend_from_slice(recorded(prediction, taken).as_bytes());
                    taken += 1;
                }
                Ok(())
            };
            match &chunk {
                Some(bytes) => records.push(bytes, &mut take)?,
                None => records.finish(&mut take)?,
            }
            if chunk.is_none() {
                break;
            }
        }
        Ok(self.blobs.put(&BlobPath::run(pipeline, &run.id, "golden.csv"), &text).await?)
    }

    /// Adds what the model answers and how large its losses are to the train rows' baseline.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the judgement at hand")]
    async fn baseline(
        &self,
        pipeline: &PipelineName,
        run: &Run,
        ask: &Ask,
        inputs: &Arc<Schema>,
        served: &Served,
        prediction: &Prediction,
        losses: &[f64],
    ) -> Result<File, Stop> {
        let Some(prepared) = &run.prepared else {
            return Err(Stop::Reject("the run has no prepared rows".into()));
        };
        let file = &prepared.baseline.path;
        let bytes = self.blobs.small(file, rows::DOCUMENT_BYTES_MAX).await?;
        let mut baseline = Baseline::read(file.as_str(), &bytes)?;
        let reference = {
            let mut counter = LossCounter::new(&baseline, Loss::of(served.problem));
            let mut batches = Batches::new(&*self.blobs, &ask.input, inputs.clone(), Header::Absent);
            let mut from = 0;
            while let Some(batch) = batches.next().await? {
                let to = (from + batch.rows()).min(losses.len());
                counter.push(&batch, &losses[from..to]);
                from = to;
            }
            counter.finish()
        };
        baseline.reference_error = reference;
        baseline.predictions = Some(ColumnBaseline::of("prediction", &prediction.column(&served.classes)));
        baseline.newest = Some(run.newest);
        let path = BlobPath::run(pipeline, &run.id, "baseline-served.json");
        Ok(self.blobs.put(&path, &baseline.written()).await?)
    }
}

/// A prediction as the last field of a golden request.
fn recorded(prediction: &Prediction, row: usize) -> String {
    match prediction {
        Prediction::Numbers(values) | Prediction::Probabilities(values) => format!(",{}\r\n", values[row]),
        Prediction::Distributions { classes, values } => {
            let shares: Vec<String> =
                values[row * classes..(row + 1) * classes].iter().map(f64::to_string).collect();
            format!(",\"{}\"\r\n", shares.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_golden_answer_is_one_field_however_many_numbers_it_has() {
        assert_eq!(recorded(&Prediction::Numbers(vec![1.0, -0.25]), 1), ",-0.25\r\n");
        let shares = Prediction::Distributions { classes: 2, values: vec![1.0, 0.0, 0.25, 0.75] };
        assert_eq!(recorded(&shares, 1), ",\"0.25,0.75\"\r\n");
    }
}
