//! How large were a model's losses, overall and in each cell of each column?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::count::{CellFinder, Running};
use super::{Baseline, ColumnBaseline};
use crate::metrics::Loss;
use crate::table::Batch;

/// Losses of one model on labelled rows: of the withheld rows when it is registered, of a later
/// window when its labels arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorReference {
    /// Which loss.
    pub loss: Loss,
    /// Labelled rows.
    pub rows: u64,
    /// Their mean loss.
    pub mean: f64,
    /// The standard deviation of the losses, n − 1 in the denominator.
    pub deviation: f64,
    /// For each column of the baseline, the losses in each of its cells; missing values last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Vec<LossCell>>,
}

/// Losses of the rows in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossCell {
    /// Rows in the cell.
    pub rows: u64,
    /// The sum of their losses.
    pub sum: f64,
}

/// Gathers an [`ErrorReference`] in one pass.
pub struct LossCounter<'a> {
    loss: Loss,
    running: Running,
    columns: Vec<(&'a ColumnBaseline, CellFinder<'a>, Vec<LossCell>)>,
}

impl<'a> LossCounter<'a> {
    /// A counter over the cells of a baseline.
    pub fn new(baseline: &'a Baseline, loss: Loss) -> LossCounter<'a> {
        let column = |column: &'a ColumnBaseline| {
            (column, CellFinder::new(column), vec![LossCell::default(); column.cells.len() + 1])
        };
        LossCounter {
            loss,
            running: Running::default(),
            columns: baseline.columns.iter().map(column).collect(),
        }
    }

    /// Counts rows with their losses, as many as the batch has rows; rows without a finite loss
    /// are left out. Columns the batch lacks are left out.
    pub fn push(&mut self, batch: &Batch, losses: &[f64]) {
        self.push_losses(losses);
        for (baseline, finder, cells) in &mut self.columns {
            let Some(column) = batch.column(&baseline.name) else { continue };
            for (row, loss) in losses.iter().enumerate().take(batch.rows()) {
                if loss.is_finite() {
                    let missing = cells.len() - 1;
                    let cell = &mut cells[finder.cell(column, row).unwrap_or(missing)];
                    cell.rows += 1;
                    cell.sum += loss;
                }
            }
        }
    }

    /// Counts losses of rows whose columns are not at hand: they tell how much the error changed,
    /// not where.
    pub fn push_losses(&mut self, losses: &[f64]) {
        for loss in losses.iter().filter(|loss| loss.is_finite()) {
            self.running.push(*loss);
        }
    }

    /// The losses; `None` without any.
    pub fn finish(self) -> Option<ErrorReference> {
        let moments = self.running.moments()?;
        let mut columns = BTreeMap::new();
        for (baseline, _, cells) in self.columns {
            if cells.iter().any(|cell| cell.rows > 0) && cells.iter().all(|cell| cell.sum.is_finite()) {
                columns.insert(baseline.name.clone(), cells);
            }
        }
        Some(ErrorReference {
            loss: self.loss,
            rows: moments.count,
            mean: moments.mean,
            deviation: moments.deviation,
            columns,
        })
    }
}
