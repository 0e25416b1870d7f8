//! Has the model's error grown, beyond chance, and do the inputs explain it?

use domain::row::CheckVerdict;
use serde::{Deserialize, Serialize};

use super::DriftOptions;
use crate::baseline::error::LossCell;
use crate::baseline::{Baseline, ErrorReference};
use crate::metrics::Loss;
use crate::statistics::Interval;
use crate::statistics::special::student_upper_quantile;
use crate::text;

/// Least share of a growing error that names a column.
const SHARE_NAMED: f64 = 0.1;

/// What follows from the losses, from calm to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorVerdict {
    /// Too few labels.
    InsufficientData,
    /// The interval holds no change.
    Steady,
    /// The error is smaller than it was, beyond chance.
    Smaller,
    /// The error is larger beyond chance, but maybe by less than the floor.
    Larger,
    /// The error has grown by at least the floor, beyond chance.
    Grown,
}

/// How much of the growth the movement of one column explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnShare {
    /// The column.
    pub column: String,
    /// The part of the growth that would have come anyway had the model erred in each cell of the
    /// column as it did on the reference, and only the cells' shares had moved. Columns that move
    /// together explain the same part, so shares do not add up.
    pub share: f64,
}

/// The change of the mean loss between the withheld rows at registration and a labelled window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorChange {
    /// Which loss.
    pub loss: Loss,
    /// Labelled rows of the reference.
    pub rows_reference: u64,
    /// Labelled rows of the window.
    pub rows_current: u64,
    /// Mean loss on the reference.
    pub reference: f64,
    /// Mean loss on the window.
    pub current: f64,
    /// Current − reference.
    pub difference: f64,
    /// Welch's interval of the difference.
    pub interval: Interval,
    /// Current / reference; absent where the reference is zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// For the squared error: both means as root mean squared errors, in the target's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<[f64; 2]>,
    /// What follows.
    pub verdict: ErrorVerdict,
    /// Columns whose movement explains a part of the growth, most first; empty when the error
    /// did not grow or no column explains any: then what the inputs mean has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explained: Vec<ColumnShare>,
}

/// The change between the baseline's losses and a window's, where both are known and alike.
pub(super) fn between(
    baseline: &Baseline,
    current: Option<&ErrorReference>,
    options: &DriftOptions,
) -> Option<ErrorChange> {
    error_change(baseline.reference_error.as_ref()?, current?, options)
}

/// The change of the mean loss, by Welch's unequal-variance interval (1947). `None` if the two
/// are different losses or either has no rows.
pub fn error_change(
    reference: &ErrorReference,
    current: &ErrorReference,
    options: &DriftOptions,
) -> Option<ErrorChange> {
    if reference.loss != current.loss || reference.rows == 0 || current.rows == 0 {
        return None;
    }
    let difference = current.mean - reference.mean;
    let half = welch_half_width(reference, current, options.loss_confidence);
    let interval =
        Interval { low: difference - half, high: difference + half, confidence: options.loss_confidence };
    if !difference.is_finite() || !half.is_finite() {
        return None;
    }
    let few = reference.rows.min(current.rows) < options.minimum_labels.max(2);
    let verdict = if few {
        ErrorVerdict::InsufficientData
    } else if interval.low > 0.0 && interval.low >= options.loss_growth * reference.mean.abs() {
        ErrorVerdict::Grown
    } else if interval.low > 0.0 {
        ErrorVerdict::Larger
    } else if interval.high < 0.0 {
        ErrorVerdict::Smaller
    } else {
        ErrorVerdict::Steady
    };
    let grown = matches!(verdict, ErrorVerdict::Grown | ErrorVerdict::Larger);
    let ratio = current.mean / reference.mean;
    let root = |mean: f64| mean.max(0.0).sqrt();
    Some(ErrorChange {
        loss: reference.loss,
        rows_reference: reference.rows,
        rows_current: current.rows,
        reference: reference.mean,
        current: current.mean,
        difference,
        interval,
        ratio: ratio.is_finite().then_some(ratio),
        roots: (reference.loss == Loss::SquaredError).then(|| [root(reference.mean), root(current.mean)]),
        verdict,
        explained: if grown { explained(reference, current, difference) } else { Vec::new() },
    })
}

/// Half the width of Welch's interval; infinite where a sample has one row.
fn welch_half_width(reference: &ErrorReference, current: &ErrorReference, confidence: f64) -> f64 {
    let (n, m) = (reference.rows as f64, current.rows as f64);
    if n < 2.0 || m < 2.0 {
        // One row has no spread; the widest number that still fits a report.
        return f64::MAX / 4.0;
    }
    let (a, b) = (reference.deviation.powi(2) / n, current.deviation.powi(2) / m);
    if a + b == 0.0 {
        return 0.0;
    }
    let degrees = (a + b).powi(2) / (a * a / (n - 1.0) + b * b / (m - 1.0));
    student_upper_quantile((1.0 - confidence) / 2.0, degrees) * (a + b).sqrt()
}

fn explained(reference: &ErrorReference, current: &ErrorReference, difference: f64) -> Vec<ColumnShare> {
    let mut shares = Vec::new();
    for (column, before) in &reference.columns {
        let Some(now) = current.columns.get(column).filter(|now| now.len() == before.len()) else { continue };
        let share = moved(before, now, reference.mean) / difference;
        if share.is_finite() && share >= SHARE_NAMED {
            shares.push(ColumnShare { column: column.clone(), share });
        }
    }
    shares.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.column.cmp(&b.column)));
    shares
}

/// Σ (current share − reference share) × reference loss over cells; a cell without reference rows
/// is taken to err like the average, so it explains nothing it cannot show.
fn moved(before: &[LossCell], now: &[LossCell], mean: f64) -> f64 {
    let rows = |cells: &[LossCell]| cells.iter().map(|cell| cell.rows).sum::<u64>().max(1) as f64;
    let (n, m) = (rows(before), rows(now));
    let mut change = 0.0;
    for (before, now) in before.iter().zip(now) {
        let loss = if before.rows > 0 { before.sum / before.rows as f64 } else { mean };
        change += (now.rows as f64 / m - before.rows as f64 / n) * (loss - mean);
    }
    change
}

impl ErrorChange {
    /// The verdict and the sentence this adds to a report, if any.
    pub(super) fn reason(&self, floor: f64) -> Option<(CheckVerdict, String)> {
        let (name, before, now) = match self.roots {
            Some([before, now]) => ("root mean squared error", before, now),
            None => (self.loss.name(), self.reference, self.current),
        };
        let figures = format!(
            "{name} {} → {} on {}",
            text::number(before),
            text::number(now),
            text::counted(self.rows_current, "labelled row")
        );
        match self.verdict {
            ErrorVerdict::Grown => {
                let ratio = self.ratio.map_or_else(String::new, |ratio| format!(", loss × {ratio:.2}"));
                let why = match self.explained.as_slice() {
                    [] => "no column's movement explains it".to_owned(),
                    [most, ..] => {
                        format!("the movement of {} explains {}", most.column, text::percent(most.share))
                    }
                };
                Some((CheckVerdict::ConceptDrift, format!("the error has grown: {figures}{ratio}; {why}")))
            }
            ErrorVerdict::Larger => {
                let small = format!(
                    "the error is larger, but maybe by less than {}: {figures}",
                    text::percent(floor)
                );
                Some((CheckVerdict::Warning, small))
            }
            ErrorVerdict::Steady | ErrorVerdict::Smaller => {
                Some((CheckVerdict::Ok, format!("the error has not grown: {figures}")))
            }
            ErrorVerdict::InsufficientData => None,
        }
    }
}
