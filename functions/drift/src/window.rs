//! What a window's traffic was: counted into the baseline's cells, its losses where labels came.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::row::Served;
use domain::{BlobPath, Time, limit};
use engine::answer;
use engine::baseline::{Baseline, Counter, Counts, ErrorReference, LossCounter};
use engine::csv::read_rows;
use engine::metrics::{Loss, Outcomes};
use engine::table::{Batch, Schema};
use ports::{Blobs, Result};
use serde_json::Value;

use crate::capture::{self, Captured};
use crate::labels::{Known, Label};

/// A captured line longer than this is no request: two of the largest bodies, escaped.
const LINE_BYTES_MAX: usize = 4 * limit::INVOCATION_BYTES_MAX;

/// What is known of a window.
#[derive(Debug)]
pub struct Window {
    /// Rows in the baseline's cells.
    pub counts: Counts,
    /// Losses of the labelled rows.
    pub errors: Option<ErrorReference>,
    /// Rows with a label.
    pub labelled: u64,
    /// What could not be read, by reason: captured requests or rows.
    pub unreadable: BTreeMap<String, u64>,
    /// Whether older traffic was left out because there was too much.
    pub cut: bool,
}

impl Window {
    /// Captured requests or rows that could not be read.
    pub fn unreadable_count(&self) -> u64 {
        self.unreadable.values().sum()
    }
}

/// Gathers a window.
pub struct Gathering<'a> {
    schema: &'a Arc<Schema>,
    served: &'a Served,
    known: &'a Known,
    from: Time,
    to: Time,
    counter: Counter<'a>,
    losses: LossCounter<'a>,
    rows: Vec<(String, Vec<u8>, Vec<f64>)>,
    taken: u64,
    labelled: u64,
    unreadable: BTreeMap<String, u64>,
}

impl<'a> Gathering<'a> {
    /// Nothing yet, of the traffic answered in `[from, to]`.
    pub fn new(
        baseline: &'a Baseline,
        schema: &'a Arc<Schema>,
        served: &'a Served,
        known: &'a Known,
        (from, to): (Time, Time),
    ) -> Gathering<'a> {
        Gathering {
            schema,
            served,
            known,
            from,
            to,
            counter: Counter::new(baseline),
            losses: LossCounter::new(baseline, Loss::of(served.problem)),
            rows: Vec::new(),
            taken: 0,
            labelled: 0,
            unreadable: BTreeMap::new(),
        }
    }

    /// Reads captured files, the newest first, until there are rows enough.
    pub async fn read(mut self, blobs: &dyn Blobs, files: &[BlobPath]) -> Result<Window> {
        let mut cut = false;
        for path in files.iter().rev() {
            if self.taken >= limit::WINDOW_ROWS_MAX as u64 {
                cut = true;
                break;
            }
            self.file(blobs, path).await?;
        }
        self.flush();
        let errors = self.losses.finish();
        Ok(Window {
            counts: self.counter.finish(),
            errors,
            labelled: self.labelled,
            unreadable: self.unreadable,
            cut,
        })
    }

    async fn file(&mut self, blobs: &dyn Blobs, path: &BlobPath) -> Result<()> {
        let mut from = 0;
        let mut rest: Vec<u8> = Vec::new();
        loop {
            let bytes = blobs.range(path, from, limit::CHUNK_BYTES as u64).await?;
            from += bytes.len() as u64;
            rest.extend_from_slice(&bytes);
            if bytes.is_empty() {
                self.line(&rest);
                return Ok(());
            }
            if let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') {
                for line in rest[..end].split(|byte| *byte == b'\n') {
                    self.line(line);
                }
                rest.drain(..=end);
            }
            if rest.len() > LINE_BYTES_MAX {
                self.unreadable("a line that does not end", 1);
                return Ok(());
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        match self.captured(line) {
            Ok(None) => {}
            Ok(Some(captured)) => {
                let rows = captured.rows.into_iter().zip(captured.answers);
                self.rows.extend(rows.map(|((id, row), answer)| (id, row, answer)));
                if self.rows.len() >= limit::BATCH_ROWS {
                    self.flush();
                }
            }
            Err(reason) => self.unreadable(&reason, 1),
        }
    }

    /// A captured request, if it was answered within the window.
    fn captured(&self, line: &[u8]) -> std::result::Result<Option<Captured>, String> {
        let line: Value = serde_json::from_slice(line).map_err(|_| "a line that is not JSON")?;
        let at = capture::time(&line)?;
        if at < self.from || at > self.to {
            return Ok(None);
        }
        let width = answer::width(self.served.problem, self.served.classes.len());
        capture::read(&line, self.schema, width).map(Some)
    }

    fn unreadable(&mut self, reason: &str, count: u64) {
        *self.unreadable.entry(reason.to_owned()).or_default() += count;
    }

    /// Counts the rows at hand.
    fn flush(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return;
        }
        let batch = match batch(self.schema, &rows) {
            Some(batch) => batch,
            None => {
                // One row does not fit the schema: find it, and count the others.
                let before = rows.len();
                rows.retain(|row| batch(self.schema, std::slice::from_ref(row)).is_some());
                self.unreadable("a row that does not fit the serving columns", (before - rows.len()) as u64);
                match batch(self.schema, &rows) {
                    Some(batch) if !rows.is_empty() => batch,
                    _ => return,
                }
            }
        };
        self.taken += batch.rows() as u64;
        let losses = self.labels(&rows);
        let classes = &self.served.classes;
        let answers = rows.into_iter().map(|(_, _, answer)| answer).collect();
        if let Ok(prediction) = answer::prediction(self.served.problem, classes.len(), answers) {
            self.counter.push_predictions(&prediction.column(classes));
        }
        self.counter.push(&batch);
        self.losses.push(&batch, &losses);
    }

    /// The loss of each row; not a number where no label has come.
    fn labels(&mut self, rows: &[(String, Vec<u8>, Vec<f64>)]) -> Vec<f64> {
        let mut losses = vec![f64::NAN; rows.len()];
        let (problem, classes) = (self.served.problem, &self.served.classes);
        let mut places = Vec::new();
        let mut labels = Vec::new();
        for (place, (id, _, _)) in rows.iter().enumerate() {
            let Some(text) = self.known.get(id) else { continue };
            match Label::read(text, problem, classes) {
                Some(label) => {
                    places.push(place);
                    labels.push(label);
                }
                None => *self.unreadable.entry("a label that fits no truth".into()).or_default() += 1,
            }
        }
        if places.is_empty() {
            return losses;
        }
        let answers = places.iter().map(|place| rows[*place].2.clone()).collect();
        let truth = Label::truth(&labels, problem, classes.len());
        let outcomes = answer::prediction(problem, classes.len(), answers).and_then(|found| {
            Outcomes::new("captured answers", &truth, &found).map_err(|problem| problem.rule)
        });
        match outcomes {
            Ok(outcomes) => {
                self.labelled += places.len() as u64;
                for (place, loss) in places.into_iter().zip(outcomes.losses()) {
                    losses[place] = *loss;
                }
            }
            Err(_) => self.unreadable("answers that no truth can be held against", places.len() as u64),
        }
        losses
    }
}

/// Rows as a batch, if each of them fits the schema.
fn batch(schema: &Arc<Schema>, rows: &[(String, Vec<u8>, Vec<f64>)]) -> Option<Batch> {
    let mut text = Vec::new();
    for (_, row, _) in rows {
        text.extend_from_slice(row);
        text.push(b'\n');
    }
    read_rows("captured rows", schema, &text).ok().filter(|batch| batch.rows() == rows.len())
}
