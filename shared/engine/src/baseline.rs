//! What must be remembered of the training rows so that drift can be counted later?
//!
//! A [`Baseline`] is small and frozen: for each column the bins or categories, their exact counts,
//! missing values, moments; never the rows themselves. A [`count::Counter`] counts a later window
//! into the same cells, so a check costs one pass over the window and the reference is never read
//! again.

pub mod category;
pub mod count;
pub mod error;
mod gather;
pub mod grid;

use std::collections::BTreeMap;

use domain::{Problem, Time};
use serde::{Deserialize, Serialize};

use crate::table::{Batch, Column, Kind, Schema};

pub use count::{Counter, Counts};
pub use error::{ErrorReference, LossCounter};

/// The version of the baseline's format that this program writes.
pub const VERSION: u32 = 1;

/// Bins of a numeric column, at most: enough to see shape, few enough that fifty rows fill them.
pub const BINS_MAX: usize = 10;

/// A numeric column with at most this many distinct values, each ten times on average, is counted
/// by value: a code, a rating, a constant.
pub const CODES_MAX: usize = 20;

/// The frozen reference of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The format's version: [`VERSION`].
    pub version: u32,
    /// Rows counted.
    pub rows: u64,
    /// The columns, in the schema's order.
    pub columns: Vec<ColumnBaseline>,
    /// The model's outputs on the withheld rows, set when a model is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions: Option<ColumnBaseline>,
    /// The model's losses on the withheld rows, set when a model is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_error: Option<ErrorReference>,
    /// The newest business time among the training data, for its staleness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Time>,
}

/// The frozen reference of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnBaseline {
    /// The column's name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether its values are replaced by digests and bin numbers wherever they would be shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// How its values fall into cells.
    pub cells: Cells,
    /// What was counted.
    pub counts: ColumnCounts,
}

/// How values fall into cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Cells {
    /// Numbers by frozen edges. Cell i < edges + 1 holds what lies at or above edge i − 1 and
    /// below edge i, the outer two being open; then follow cells for NaN, −∞, +∞ and for text
    /// that is no number.
    Bins {
        /// Ascending, finite.
        edges: Vec<f64>,
    },
    /// Values by name, the most frequent first; one more cell holds all others.
    Categories {
        /// The names, distinct.
        names: Vec<String>,
    },
    /// Nearly every value is its own: nothing but presence can be compared.
    Distinct,
    /// Dates and times: they move by nature, so nothing but presence is compared.
    Times,
}

/// Cells of a numeric column beside its bins: NaN, −∞, +∞, unreadable.
const NUMBER_EXTRAS: [&str; 4] = ["NaN", "−∞", "+∞", "not a number"];

impl Cells {
    /// How many cells there are; missing values have none.
    pub fn len(&self) -> usize {
        match self {
            Cells::Bins { edges } => edges.len() + 1 + NUMBER_EXTRAS.len(),
            Cells::Categories { names } => names.len() + 1,
            Cells::Distinct | Cells::Times => 1,
        }
    }

    /// Whether there is no cell: never, but asked for wherever there is a length.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many cells are ordered bins.
    pub fn bins(&self) -> usize {
        if let Cells::Bins { edges } = self { edges.len() + 1 } else { 0 }
    }

    /// A cell's label for people.
    pub fn label(&self, cell: usize, hidden: bool) -> String {
        match self {
            Cells::Bins { edges } if cell <= edges.len() => match (hidden, cell.checked_sub(1)) {
                (true, _) => format!("bin {}", cell + 1),
                (false, None) if edges.is_empty() => "any".to_owned(),
                (false, None) => format!("< {}", short(edges[0])),
                (false, Some(below)) if cell == edges.len() => format!("≥ {}", short(edges[below])),
                (false, Some(below)) => format!("{} – {}", short(edges[below]), short(edges[cell])),
            },
            Cells::Bins { edges } => NUMBER_EXTRAS[cell - edges.len() - 1].to_owned(),
            Cells::Categories { names } => names.get(cell).cloned().unwrap_or_else(|| "(other)".to_owned()),
            Cells::Distinct | Cells::Times => "present".to_owned(),
        }
    }
}

/// A number in at most four significant digits, without an exponent where that is readable.
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..15.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (3.0 - magnitude).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// What was counted of one column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnCounts {
    /// Rows in each cell.
    pub cells: Vec<u64>,
    /// Rows without a value.
    pub missing: u64,
    /// Moments of the finite numbers; absent for text or without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments: Option<Moments>,
    /// Some of the values counted as "other", with their counts: names a report can show. Values
    /// first met after this list was full are counted in their cell only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, u64>,
}

impl ColumnCounts {
    /// Rows with a value.
    pub fn present(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.present() + self.missing
    }
}

/// Moments of the finite numbers of a column (dates in days, times in milliseconds).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many numbers.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, n − 1 in the denominator; 0 for one number.
    pub deviation: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// Gathers a baseline in one pass; memory is bounded by the number of columns, never by rows.
pub struct BaselineBuilder {
    rows: u64,
    newest: Option<Time>,
    columns: Vec<gather::Gathering>,
}

impl BaselineBuilder {
    /// A builder for the columns of a schema.
    pub fn new(schema: &Schema) -> BaselineBuilder {
        let columns =
            schema.fields.iter().map(|field| gather::Gathering::new(&field.name, field.kind)).collect();
        BaselineBuilder { rows: 0, newest: None, columns }
    }

    /// Hides the values of these columns: personal or restricted data never enters a baseline by
    /// name.
    #[must_use]
    pub fn hide<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> BaselineBuilder {
        for name in names {
            for column in self.columns.iter_mut().filter(|column| column.name == name) {
                column.hidden = true;
            }
        }
        self
    }

    /// Notes that the data reaches up to this business time.
    pub fn newest(&mut self, time: Time) {
        self.newest = self.newest.max(Some(time));
    }

    /// Counts the rows of a batch. Columns of the schema that the batch lacks count as missing
    /// values.
    pub fn push(&mut self, batch: &Batch) {
        self.rows += batch.rows() as u64;
        for gathering in &mut self.columns {
            match batch.column(&gathering.name) {
                Some(column) => gathering.push(column),
                None => gathering.missing += batch.rows() as u64,
            }
        }
    }

    /// The baseline of everything pushed.
    pub fn finish(self) -> Baseline {
        Baseline {
            version: VERSION,
            rows: self.rows,
            columns: self.columns.into_iter().map(gather::Gathering::finish).collect(),
            predictions: None,
            reference_error: None,
            newest: self.newest,
        }
    }
}

impl ColumnBaseline {
    /// The baseline of one column at hand: a model's outputs, for example.
    pub fn of(name: &str, column: &Column) -> ColumnBaseline {
        let mut gathering = gather::Gathering::new(name, column.kind());
        gathering.push(column);
        gathering.finish()
    }
}

impl Baseline {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnBaseline> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Reads a baseline that this program or an older one wrote as JSON. `file` is what errors
    /// name.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Baseline, Problem> {
        let baseline: Baseline = serde_json::from_slice(bytes).map_err(|error| {
            Problem::new(file, "a baseline").found(error).expected("the JSON that millrace writes")
        })?;
        if baseline.version != VERSION {
            let found = format!("version {}", baseline.version);
            return Err(Problem::new(file, "a baseline").found(found).expected(format!("version {VERSION}")));
        }
        for column in baseline.columns.iter().chain(&baseline.predictions) {
            let ascending = if let Cells::Bins { edges } = &column.cells { edges.is_sorted() } else { true };
            if column.counts.cells.len() != column.cells.len() || !ascending {
                let rule = "a baseline whose counts fit its cells";
                return Err(Problem::new(file, rule)
                    .field(&column.name)
                    .hint("the file was changed by hand"));
            }
        }
        Ok(baseline)
    }

    /// The baseline as JSON: the same bytes for the same rows in the same order.
    pub fn written(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a baseline holds finite numbers only")
    }
}

#[cfg(test)]
mod tests;
