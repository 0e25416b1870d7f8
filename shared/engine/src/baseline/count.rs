//! How many rows of a later window fall into each frozen cell?

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::category::{self, name_at};
use super::{Baseline, Cells, ColumnBaseline, ColumnCounts, Moments};
use crate::table::{Batch, Column};

/// How many of the names counted as "other" are kept.
const OTHERS_MAX: usize = 64;

/// What was counted of a window, in the baseline's cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows counted.
    pub rows: u64,
    /// Each column of the baseline that the window had.
    pub columns: BTreeMap<String, ColumnCounts>,
    /// The model's outputs, if any were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions: Option<ColumnCounts>,
    /// Columns of the baseline that some batch lacked.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub absent: BTreeSet<String>,
    /// Columns of the window that the baseline does not know.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<String>,
}

/// Counts a window into the cells of a baseline.
pub struct Counter<'a> {
    baseline: &'a Baseline,
    columns: Vec<ColumnCounter<'a>>,
    predictions: Option<ColumnCounter<'a>>,
    rows: u64,
    absent: BTreeSet<String>,
    unknown: BTreeSet<String>,
}

impl<'a> Counter<'a> {
    /// A counter with nothing counted.
    pub fn new(baseline: &'a Baseline) -> Counter<'a> {
        Counter {
            baseline,
            columns: baseline.columns.iter().map(ColumnCounter::new).collect(),
            predictions: baseline.predictions.as_ref().map(ColumnCounter::new),
            rows: 0,
            absent: BTreeSet::new(),
            unknown: BTreeSet::new(),
        }
    }

    /// Counts the rows of a batch, column by column by name.
    pub fn push(&mut self, batch: &Batch) {
        self.rows += batch.rows() as u64;
        for counter in &mut self.columns {
            match batch.column(&counter.baseline.name) {
                Some(column) => counter.push(column),
                None => {
                    self.absent.insert(counter.baseline.name.clone());
                }
            }
        }
        for field in &batch.schema().fields {
            if self.baseline.column(&field.name).is_none() {
                self.unknown.insert(field.name.clone());
            }
        }
    }

    /// Counts outputs of the model; without predictions in the baseline they are left out.
    pub fn push_predictions(&mut self, outputs: &Column) {
        if let Some(counter) = &mut self.predictions {
            counter.push(outputs);
        }
    }

    /// What was counted.
    pub fn finish(self) -> Counts {
        let absent = self.absent;
        let finished = |counter: ColumnCounter<'a>| (counter.baseline.name.clone(), counter.finish());
        Counts {
            rows: self.rows,
            columns: self
                .columns
                .into_iter()
                .map(finished)
                .filter(|(name, _)| !absent.contains(name))
                .collect(),
            predictions: self.predictions.map(ColumnCounter::finish).filter(|counts| counts.rows() > 0),
            absent,
            unknown: self.unknown,
        }
    }
}

struct ColumnCounter<'a> {
    baseline: &'a ColumnBaseline,
    finder: CellFinder<'a>,
    counts: ColumnCounts,
    running: Running,
}

impl<'a> ColumnCounter<'a> {
    fn new(baseline: &'a ColumnBaseline) -> ColumnCounter<'a> {
        let counts = ColumnCounts { cells: vec![0; baseline.cells.len()], ..ColumnCounts::default() };
        ColumnCounter { baseline, finder: CellFinder::new(baseline), counts, running: Running::default() }
    }

    fn push(&mut self, column: &Column) {
        let other =
            if let Cells::Categories { names } = &self.baseline.cells { Some(names.len()) } else { None };
        let numeric = matches!(self.baseline.cells, Cells::Bins { .. } | Cells::Times);
        for row in 0..column.len() {
            let Some(cell) = self.finder.cell(column, row) else {
                self.counts.missing += 1;
                continue;
            };
            self.counts.cells[cell] += 1;
            if Some(cell) == other {
                self.note_other(column, row);
            } else if numeric && let Some(number) = column.number(row).filter(|number| number.is_finite()) {
                self.running.push(number);
            }
        }
    }

    fn note_other(&mut self, column: &Column, row: usize) {
        let Some(name) = name_at(column, row, self.baseline.hidden) else { return };
        if let Some(count) = self.counts.others.get_mut(name.as_ref()) {
            *count += 1;
        } else if self.counts.others.len() < OTHERS_MAX {
            self.counts.others.insert(name.into_owned(), 1);
        }
    }

    fn finish(mut self) -> ColumnCounts {
        self.counts.moments = self.running.moments();
        self.counts
    }
}

/// Finds the cell of a value in the frozen cells of a column.
pub struct CellFinder<'a> {
    cells: &'a Cells,
    hidden: bool,
    places: BTreeMap<&'a str, usize>,
}

impl<'a> CellFinder<'a> {
    /// A finder for a column's cells.
    pub fn new(baseline: &'a ColumnBaseline) -> CellFinder<'a> {
        let mut places = BTreeMap::new();
        if let Cells::Categories { names } = &baseline.cells {
            places.extend(names.iter().enumerate().map(|(place, name)| (name.as_str(), place)));
        }
        CellFinder { cells: &baseline.cells, hidden: baseline.hidden, places }
    }

    /// The cell of a row's value; `None` is missing. Values of another kind than the baseline's
    /// are understood where they can be: text as numbers, numbers as names.
    pub fn cell(&self, column: &Column, row: usize) -> Option<usize> {
        match self.cells {
            Cells::Categories { names } => {
                let name: std::borrow::Cow<'_, str> = match column {
                    Column::Text(values) => category::name(values[row].as_deref()?, self.hidden),
                    other => name_at(other, row, self.hidden)?,
                };
                Some(self.places.get(name.as_ref()).copied().unwrap_or(names.len()))
            }
            Cells::Bins { edges } => {
                let number = match column {
                    Column::Text(values) => values[row].as_deref()?.trim().parse().ok(),
                    other => Some(other.number(row)?),
                };
                Some(number_cell(edges, number))
            }
            Cells::Distinct | Cells::Times => match column {
                Column::Text(values) => values[row].is_some().then_some(0),
                other => other.number(row).is_some().then_some(0),
            },
        }
    }
}

/// The cell of a number among frozen edges; `None` is text that is no number.
fn number_cell(edges: &[f64], number: Option<f64>) -> usize {
    let extras = edges.len() + 1;
    match number {
        None => extras + 3,
        Some(number) if number.is_nan() => extras,
        Some(number) if number == f64::NEG_INFINITY => extras + 1,
        Some(number) if number == f64::INFINITY => extras + 2,
        Some(number) => edges.partition_point(|edge| *edge <= number),
    }
}

/// Moments gathered number by number (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Running {
    count: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Running {
    pub(super) fn push(&mut self, number: f64) {
        if self.count == 0 {
            (self.min, self.max) = (number, number);
        }
        self.count += 1;
        let step = number - self.mean;
        self.mean += step / self.count as f64;
        self.squares += step * (number - self.mean);
        self.min = self.min.min(number);
        self.max = self.max.max(number);
    }

    /// The moments; `None` without numbers, or where they leave the range of floats.
    pub(super) fn moments(self) -> Option<Moments> {
        let deviation = if self.count > 1 { (self.squares / (self.count - 1) as f64).sqrt() } else { 0.0 };
        let usable = self.count > 0 && self.mean.is_finite() && deviation.is_finite();
        let Running { count, mean, min, max, .. } = self;
        usable.then_some(Moments { count, mean, deviation, min, max })
    }
}
