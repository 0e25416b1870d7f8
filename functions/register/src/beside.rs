//! What a candidate is held against beside the champion, and whether the data can be trusted: read
//! once from the rows trained on and the rows withheld, in bounded memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::row::{Applied, File, Prepared, Run, Served};
use domain::{Digest, limit};
use engine::contract::Contract;
use engine::csv::{Dialect, Header, Record, Records, read_rows};
use engine::evaluation::bins::Bins;
use engine::evaluation::leakage::{self, Known};
use engine::evaluation::slices::{Coded, SEARCHED_COLUMNS_MAX};
use engine::evaluation::{Baseline, Checks, Naive, Skill, labels};
use engine::features::Features;
use engine::linear::Linear;
use engine::metrics::{Prediction, Truth};
use engine::statistics::bootstrap::quantile_sorted;
use engine::table::{Batch, Column, Field, Schema};
use ports::{Blobs, BlobsExt};

use crate::Stop;
use crate::compare::quoted;
use crate::read::{Batches, Chunks};
use crate::rows::Ask;

/// Rows looked at of either side at most: a linear model of twenty coefficients is known to a
/// percent by then, and more rows only cost time.
const SAMPLE_ROWS_MAX: u64 = 20_000;

/// Cells looked at at most: some tens of megabytes for the widest table.
const SAMPLE_CELLS_MAX: u64 = 2_000_000;

/// Row visits of the linear models of several classes: each class takes a model of its own.
const LINEAR_ROWS_MAX: usize = 40_000;

/// What was found.
pub(crate) struct Beside {
    pub(crate) baselines: Vec<Baseline>,
    pub(crate) columns: Vec<Coded>,
    pub(crate) checks: Checks,
}

/// What is judged, as far as it is needed here.
pub(crate) struct Judged<'a> {
    pub(crate) run: &'a Run,
    pub(crate) prepared: &'a Prepared,
    pub(crate) applied: &'a Applied,
    pub(crate) served: &'a Served,
    pub(crate) features: &'a Features,
    pub(crate) ask: &'a Ask,
    pub(crate) naive: &'a Naive,
    /// What happened in the rows that `ask` predicts: as it is written, and as it is measured by.
    pub(crate) target: &'a Column,
    pub(crate) truth: &'a Truth,
}

/// Evenly many rows of a file.
struct Sample {
    rows: Batch,
    truth: Truth,
}

impl Judged<'_> {
    /// Reads both sides and looks at them.
    pub(crate) async fn beside(&self, blobs: &dyn Blobs) -> Result<Beside, Stop> {
        let keys = self.withheld_keys(blobs).await?;
        let (train, duplicates) = self.trained_on(blobs, &keys).await?;
        drop(keys);
        let gates = &self.applied.spec.evaluation;
        let linear = if gates.baselines { self.linear(&train)? } else { None };
        let mut columns = self.columns(blobs, &train.rows).await?;
        let step = step(self.truth.rows() as u64, self.features.inputs().fields.len());
        let mut predicted = Vec::new();
        let mut sampled: Vec<Batch> = Vec::new();
        let mut kept: Vec<bool> = Vec::with_capacity(self.truth.rows());
        let mut batches = self.withheld(blobs);
        while let Some(batch) = batches.next().await? {
            if let Some(linear) = &linear {
                predicted.push(linear.predict(&self.features.apply(&batch)?));
            }
            for column in &mut columns {
                let values = batch.column(column.bins.name()).expect("a serving column");
                column.codes.extend(column.bins.codes(values));
            }
            let keep: Vec<bool> = (kept.len()..kept.len() + batch.rows())
                .map(|row| (row as u64).is_multiple_of(step))
                .collect();
            sampled.push(batch.filtered(&keep));
            kept.extend(keep);
        }
        let test = Sample {
            rows: engine::part::joined(self.features.inputs(), sampled),
            truth: self.truth.filtered(&kept),
        };
        let baselines = if gates.baselines { self.baselines(&train, joined(predicted)) } else { Vec::new() };
        let known = Known { rows: &test.rows, truth: &test.truth };
        let scores = leakage::scores(Known { rows: &train.rows, truth: &train.truth }, known);
        let prepared = self.prepared;
        let with_target = prepared.train_rows + prepared.validation_rows + prepared.test_rows;
        let checks = Checks {
            leaks: leakage::leaks(&scores, known, gates.leakage),
            scores,
            bound: gates.leakage,
            duplicates,
            labels: labels::labels(&train.truth, &test.truth, self.run.rows.saturating_sub(with_target)),
            rows: [train.rows.rows() as u64, test.rows.rows() as u64],
        };
        Ok(Beside { baselines, columns, checks })
    }

    fn withheld<'b>(&self, blobs: &'b dyn Blobs) -> Batches<'b>
    where
        Self: 'b,
    {
        Batches::new(blobs, &self.ask.input, self.features.inputs().clone(), Header::Absent)
    }

    /// A key of each withheld row, target and all, and how many rows have it.
    async fn withheld_keys(&self, blobs: &dyn Blobs) -> Result<BTreeMap<u64, u64>, Stop> {
        let mut keys = BTreeMap::new();
        let mut row = 0;
        let mut line = Vec::new();
        each_record(blobs, &self.ask.input, |record| {
            if let Some(target) = (row < self.target.len()).then(|| self.target.written(row)).flatten() {
                line.clear();
                line.extend_from_slice(record.raw);
                line.push(b',');
                quoted(target.as_bytes(), false, &mut line);
                *keys.entry(key(&line)).or_default() += 1;
            }
            row += 1;
        })
        .await?;
        Ok(keys)
    }

    /// A sample of the rows trained on, and how many withheld rows are among all of them.
    async fn trained_on(&self, blobs: &dyn Blobs, keys: &BTreeMap<u64, u64>) -> Result<(Sample, u64), Stop> {
        let train = self.prepared.channels.get("train");
        let train = train.ok_or_else(|| Stop::Reject("the run has no train channel".into()))?;
        let target = self.features.target();
        let mut fields = self.features.inputs().fields.clone();
        fields.push(Field { name: target.name.clone(), kind: target.kind });
        let schema = Arc::new(Schema { fields });
        let step = step(self.prepared.train_rows, schema.fields.len());
        let mut found = BTreeMap::new();
        let mut text = Vec::new();
        each_record(blobs, train, |record| {
            let Some(row) = record.number.checked_sub(1) else { return };
            if let Some((key, rows)) = keys.get_key_value(&key(record.raw)) {
                found.insert(*key, *rows);
            }
            if row.is_multiple_of(step) {
                text.extend_from_slice(record.raw);
                text.extend_from_slice(b"\r\n");
            }
        })
        .await?;
        let all = read_rows(train.path.file_name(), &schema, &text)?;
        let names: Vec<&str> =
            self.features.inputs().fields.iter().map(|field| field.name.as_str()).collect();
        let rows = all.selected(&names).expect("the channel has every serving column");
        let target = all.columns().last().expect("the target is a column");
        let truth = Truth::of(train.path.as_str(), self.served.problem, target, &self.served.classes)?;
        Ok((Sample { rows, truth }, found.values().sum()))
    }

    fn linear(&self, train: &Sample) -> Result<Option<Linear>, Stop> {
        let features = self.features.apply(&train.rows)?;
        let classes = match &train.truth {
            Truth::Classes { count, .. } => *count,
            _ => 2,
        };
        let rows = LINEAR_ROWS_MAX / classes.max(2);
        let step = features.rows().div_ceil(rows.max(1)).max(1);
        let keep: Vec<bool> = (0..features.rows()).map(|row| row.is_multiple_of(step)).collect();
        Ok(Linear::fit(&features.filtered(&keep), &train.truth.filtered(&keep)))
    }

    fn baselines(&self, train: &Sample, linear: Option<Prediction>) -> Vec<Baseline> {
        let rows = self.truth.rows();
        let guess =
            |name: &str, prediction| Baseline { name: name.to_owned(), skill: Skill::None, prediction };
        let mut baselines = match &train.truth {
            Truth::Numbers(values) => {
                let mut values = values.clone();
                values.sort_unstable_by(f64::total_cmp);
                let median = Prediction::Numbers(vec![quantile_sorted(&values, 0.5); rows]);
                vec![guess("mean", self.naive.prediction(rows)), guess("median", median)]
            }
            _ => {
                let majority = self.naive.majority().prediction(rows);
                vec![guess("prior", self.naive.prediction(rows)), guess("majority", majority)]
            }
        };
        let linear = linear.filter(|prediction| prediction.rows() == rows);
        let name = "linear".to_owned();
        baselines.extend(linear.map(|prediction| Baseline { name, skill: Skill::Model, prediction }));
        baselines
    }

    /// The groups of each column to tell rows apart by: the declared ones, then others as far as
    /// the search goes.
    async fn columns(&self, blobs: &dyn Blobs, train: &Batch) -> Result<Vec<Coded>, Stop> {
        let bytes = blobs.small(&self.applied.contract.path, limit::CONFIG_BYTES_MAX).await?;
        let file = self.applied.contract.path.file_name();
        let text = String::from_utf8_lossy(&bytes);
        let contract = Contract::parse(file, &text).map_err(|problems| {
            Stop::Reject(problems.first().map_or_else(|| format!("{file} is empty"), ToString::to_string))
        })?;
        let is_masked =
            |name: &str| contract.columns.iter().any(|column| column.name == name && column.masked);
        let gates = &self.applied.spec.evaluation;
        let declared = gates.slices.iter().chain(&gates.fairness).map(|gates| gates.column.as_str());
        let all = train.schema().fields.iter().map(|field| field.name.as_str());
        let mut named = BTreeSet::new();
        let mut columns = Vec::new();
        let declared: Vec<&str> = declared.collect();
        for (place, name) in declared.iter().copied().chain(all).enumerate() {
            let is_wanted = place < declared.len() || columns.len() < SEARCHED_COLUMNS_MAX;
            if let Some(column) = train.column(name).filter(|_| is_wanted && named.insert(name)) {
                columns.push(Coded { bins: Bins::of(name, column, is_masked(name)), codes: Vec::new() });
            }
        }
        Ok(columns)
    }
}

/// Every how many rows one is looked at.
fn step(rows: u64, columns: usize) -> u64 {
    let most = SAMPLE_ROWS_MAX.min(SAMPLE_CELLS_MAX / columns.max(1) as u64).max(1);
    rows.div_ceil(most).max(1)
}

fn key(line: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&Digest::of(line).bytes()[..8]);
    u64::from_be_bytes(first)
}

/// Reads a CSV blob record by record; faulty ones are passed over, the typed reading names them.
async fn each_record(blobs: &dyn Blobs, file: &File, mut take: impl FnMut(&Record<'_>)) -> Result<(), Stop> {
    let mut records = Records::new(file.path.file_name(), &Dialect::default());
    let mut chunks = Chunks::new(blobs, &file.path);
    let mut each = |record: &Record<'_>| {
        if record.fault.is_none() {
            take(record);
        }
        Ok(())
    };
    while let Some(bytes) = chunks.next().await? {
        records.push(&bytes, &mut each)?;
    }
    records.finish(&mut each)?;
    Ok(())
}

/// Predictions of batches one after another; none where there are none.
fn joined(predictions: Vec<Prediction>) -> Option<Prediction> {
    predictions.into_iter().reduce(|mut all, next| {
        match (&mut all, next) {
            (Prediction::Numbers(all), Prediction::Numbers(next))
            | (Prediction::Probabilities(all), Prediction::Probabilities(next))
            | (
                Prediction::Distributions { values: all, .. },
                Prediction::Distributions { values: next, .. },
            ) => {
                all.extend(next);
            }
            _ => unreachable!("one model answers in one form"),
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_bounded_in_rows_and_cells() {
        for (rows, columns, expected) in
            [(0, 5, 1), (20_000, 5, 1), (20_001, 5, 2), (1_000_000, 5, 50), (20_000, 2_000, 20)]
        {
            assert_eq!(step(rows, columns), expected, "{rows} rows of {columns} columns");
        }
    }
}
