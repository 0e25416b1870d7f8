//! What a data contract demands, compiled before the first byte is read.
//!
//! Format: the Open Data Contract Standard (ODCS) v3.1.0, `docs/schema.md`, `docs/data-quality.md`
//! and `docs/service-level-agreement.md`. Every rule is enforced or refused by name, never passed
//! over. Where the standard leaves a choice:
//! - `mustBeBetween [a, b]` excludes both ends, as the text says.
//! - `required: true` means: never missing. Empty CSV cells are missing.
//! - `percent` is of all rows read.
//! - `duplicateValues` counts surplus rows: all but the first of equal ones.
//! - `invalidValues` looks at present values only.
//! - `latency` and `freshness` both mean: now − newest value of the element.
//!
//! What the cells of a row must keep together is a rule of `type: custom` for the engine
//! `millrace`, whose implementation is a condition in the language of [`crate::expression`]:
//! `{type: custom, engine: millrace, name: …, implementation: sold_at >= built_at}`. A row for
//! which it is false is bad (or reported, below `severity: error`); one for which it is missing
//! is not.

mod quality;
mod read;
mod row;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use domain::Problem;
use regex::Regex;

use crate::csv::Dialect;
use crate::csv::form::{Form, Offset};
use crate::table::{Field, Kind, Schema};

pub use quality::{Operator, Severity, Threshold, Unit};
pub use row::RowRule;

/// A contract, compiled.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The contract's name, or its id.
    pub name: String,
    /// The contract's version.
    pub version: String,
    /// The columns, in the contract's order.
    pub columns: Vec<ColumnPlan>,
    /// Columns whose values together may not repeat, each group with its rule's name.
    pub keys: Vec<KeyRule>,
    /// Conditions on the cells of each row together.
    pub rows: Vec<RowRule>,
    /// Rules about the whole file.
    pub totals: Vec<TotalRule>,
    /// How old the newest value of a column may be.
    pub latencies: Vec<LatencyRule>,
    /// Share of bad rows, in percent of rows read, above which the file is rejected.
    pub bad_rows_percent_max: f64,
    /// How the CSV is written.
    pub dialect: Dialect,
}

/// A column and what each of its cells must keep.
#[derive(Clone, Debug)]
pub struct ColumnPlan {
    /// The column's name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// How dates and times are written.
    pub form: Form,
    /// Whether an offset from UTC is written.
    pub offset: Offset,
    /// Whether a value must be there.
    pub required: bool,
    /// Whether its values are hidden in everything people see.
    pub masked: bool,
    /// Rules each value must keep.
    pub cells: Vec<CellRule>,
    /// Rules on how many values may break a test.
    pub counts: Vec<CountRule>,
}

/// A rule each present value of a column must keep.
#[derive(Clone, Debug)]
pub struct CellRule {
    /// The rule's name in the contract: `minimum`, `pattern`, …
    pub rule: String,
    /// The test.
    pub test: Test,
    /// Whether breaking it makes the row bad.
    pub severity: Severity,
}

/// A test of one value.
#[derive(Clone, Debug)]
pub enum Test {
    /// A number, a day or a millisecond within bounds.
    Range(Bounds),
    /// A length in characters within bounds.
    Length(Bounds),
    /// A text that a regular expression is found in.
    Pattern(Regex),
    /// A text, as written in the file, from a list.
    OneOf(BTreeSet<String>),
    /// Never a missing value or one of these texts (for counting `missingValues`).
    Missing(BTreeSet<String>),
}

/// Lower and upper bound, each with whether it is excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Lower bound; `true` excludes it.
    pub low: Option<(f64, bool)>,
    /// Upper bound; `true` excludes it.
    pub high: Option<(f64, bool)>,
}

impl Bounds {
    /// Whether a value is within.
    pub fn holds(&self, value: f64) -> bool {
        let above = self.low.is_none_or(|(low, excluded)| value > low || (!excluded && value == low));
        let below = self.high.is_none_or(|(high, excluded)| value < high || (!excluded && value == high));
        above && below
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low =
            self.low.map(|(low, excluded)| format!("{} {low}", if excluded { "above" } else { "at least" }));
        let high = self
            .high
            .map(|(high, excluded)| format!("{} {high}", if excluded { "below" } else { "at most" }));
        f.write_str(&[low, high].into_iter().flatten().collect::<Vec<_>>().join(" and "))
    }
}

/// How many values of a column may break a test.
#[derive(Clone, Debug)]
pub struct CountRule {
    /// The metric's name: `nullValues`, `missingValues`, `invalidValues`, `duplicateValues`.
    pub rule: String,
    /// What is counted; none counts missing values.
    pub test: Option<Test>,
    /// How many there may be.
    pub threshold: Threshold,
    /// What follows.
    pub severity: Severity,
}

/// Columns whose values together may not repeat.
#[derive(Clone, Debug)]
pub struct KeyRule {
    /// `primaryKey`, `unique` or `duplicateValues`.
    pub rule: String,
    /// Positions of the columns.
    pub columns: Vec<usize>,
    /// Where repeats are only counted: how many there may be, and what follows; else a repeat is
    /// a bad row.
    pub counted: Option<(Threshold, Severity)>,
}

/// A rule about the number of rows.
#[derive(Clone, Debug)]
pub struct TotalRule {
    /// The metric's name: `rowCount`.
    pub rule: String,
    /// How many there may be.
    pub threshold: Threshold,
    /// What follows.
    pub severity: Severity,
}

/// How old the newest value of a column may be.
#[derive(Clone, Debug)]
pub struct LatencyRule {
    /// `latency` or `freshness`.
    pub rule: String,
    /// Position of the column.
    pub column: usize,
    /// The age in milliseconds that is still fine.
    pub age_millis_max: i64,
    /// The age as the contract says it: `2 h`.
    pub age: String,
}

impl Contract {
    /// Reads and compiles a contract.
    ///
    /// # Errors
    /// Every fault, each with line and column: unknown fields, rules that contradict their
    /// column's type, rules that are not enforced (yet), each by name.
    pub fn parse(file: &str, text: &str) -> Result<Contract, Vec<Problem>> {
        read::contract(file, text)
    }

    /// The columns by name and kind.
    pub fn schema(&self) -> Schema {
        let field = |column: &ColumnPlan| Field { name: column.name.clone(), kind: column.kind };
        Schema { fields: self.columns.iter().map(field).collect() }
    }

    /// The schema, shared.
    pub fn shared_schema(&self) -> Arc<Schema> {
        Arc::new(self.schema())
    }
}

#[cfg(test)]
mod tests;
