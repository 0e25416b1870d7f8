//! Thresholds of quality rules: how much of something there may be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What breaking a rule leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is reported.
    Info,
    /// It is reported, and somebody should look.
    Warning,
    /// The row is bad, or the file is rejected.
    Error,
}

impl Severity {
    /// As the contract writes it.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Of what a threshold speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of rows.
    Rows,
    /// A percentage of the rows read.
    Percent,
}

/// How a measure is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operator {
    /// `mustBe`.
    Be(f64),
    /// `mustNotBe`.
    NotBe(f64),
    /// `mustBeGreaterThan`.
    Greater(f64),
    /// `mustBeGreaterOrEqualTo`.
    AtLeast(f64),
    /// `mustBeLessThan`.
    Less(f64),
    /// `mustBeLessOrEqualTo`.
    AtMost(f64),
    /// `mustBeBetween`, both ends excluded.
    Between(f64, f64),
    /// `mustNotBeBetween`, both ends excluded.
    NotBetween(f64, f64),
}

/// How much of something there may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// The comparison.
    pub operator: Operator,
    /// Of what.
    pub unit: Unit,
}

impl Threshold {
    /// Whether a count among some rows keeps the threshold.
    pub fn holds(&self, count: u64, rows: u64) -> bool {
        let measure = match self.unit {
            Unit::Rows => count as f64,
            Unit::Percent if rows == 0 => 0.0,
            Unit::Percent => 100.0 * count as f64 / rows as f64,
        };
        match self.operator {
            Operator::Be(value) => measure == value,
            Operator::NotBe(value) => measure != value,
            Operator::Greater(value) => measure > value,
            Operator::AtLeast(value) => measure >= value,
            Operator::Less(value) => measure < value,
            Operator::AtMost(value) => measure <= value,
            Operator::Between(low, high) => low < measure && measure < high,
            Operator::NotBetween(low, high) => !(low < measure && measure < high),
        }
    }

    /// Whether it says: none at all. Then each single case is a bad row.
    pub fn is_none_at_all(&self) -> bool {
        matches!(self.operator, Operator::Be(0.0) | Operator::AtMost(0.0))
            || (self.unit == Unit::Rows && self.operator == Operator::Less(1.0))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.unit == Unit::Percent { " %" } else { "" };
        match self.operator {
            Operator::Be(value) => write!(f, "exactly {value}{unit}"),
            Operator::NotBe(value) => write!(f, "other than {value}{unit}"),
            Operator::Greater(value) => write!(f, "more than {value}{unit}"),
            Operator::AtLeast(value) => write!(f, "at least {value}{unit}"),
            Operator::Less(value) => write!(f, "less than {value}{unit}"),
            Operator::AtMost(value) => write!(f, "at most {value}{unit}"),
            Operator::Between(low, high) => write!(f, "between {low} and {high}{unit}, ends excluded"),
            Operator::NotBetween(low, high) => write!(f, "not between {low} and {high}{unit}"),
        }
    }
}
