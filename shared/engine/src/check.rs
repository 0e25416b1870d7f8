//! What one row breaks, and what all rows together break.

mod keys;

use std::collections::BTreeMap;

use domain::limit;
use serde::{Deserialize, Serialize};

use crate::contract::{Contract, CountRule, Severity, Test};
use crate::csv::cell::Value;

pub use keys::KeySet;

/// A rule that was broken, with how often and a few examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// The rule's name in the contract: `type`, `required`, `range`, `primaryKey`, …
    pub rule: String,
    /// The column, or the columns of a key; none for the file as a whole.
    pub column: Option<String>,
    /// What it leads to.
    pub severity: Severity,
    /// Rows, or values, that broke it.
    pub count: u64,
    /// Share of the rows read, in percent.
    pub percent: f64,
    /// What the rule asks for.
    pub expected: String,
    /// A few cases, first ones first.
    pub examples: Vec<Example>,
    /// The change of the contract that would accept it.
    pub acceptance: String,
}

/// A case of a broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// 1-based row below the header.
    pub row: u64,
    /// 1-based line of the file; 0 where its format has no lines.
    pub line: u64,
    /// What was found; `(hidden)` for a masked column.
    pub found: String,
}

impl Example {
    /// Where it stands, for a person.
    pub fn place(&self) -> String {
        match self.line {
            0 => format!("row {}", self.row),
            line => format!("row {}, line {line}", self.row),
        }
    }
}

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// 1-based row below the header.
    pub row: u64,
    /// 1-based line of the file; 0 where its format has no lines.
    pub line: u64,
}

#[derive(Debug)]
struct Tally {
    severity: Severity,
    count: u64,
    expected: String,
    examples: Vec<Example>,
    acceptance: String,
}

/// Collects what was broken; violations come out sorted by column and rule.
#[derive(Debug, Default)]
pub struct Tallies(BTreeMap<(usize, String), Tally>);

/// Stands for the file as a whole where a column's position is asked for.
pub const WHOLE: usize = usize::MAX;

impl Tallies {
    /// Notes a case. `column` orders and names it; `expected` and `acceptance` are asked for once.
    pub fn note(
        &mut self,
        column: usize,
        rule: &str,
        severity: Severity,
        example: Example,
        told: impl FnOnce() -> (String, String),
    ) {
        let tally = self.0.entry((column, rule.to_owned())).or_insert_with(|| {
            let (expected, acceptance) = told();
            Tally { severity, count: 0, expected, examples: Vec::new(), acceptance }
        });
        tally.count += 1;
        if tally.examples.len() < limit::EXAMPLES_MAX {
            tally.examples.push(example);
        }
    }

    /// Notes a rule about many rows at once.
    pub fn total(
        &mut self,
        column: usize,
        rule: &str,
        severity: Severity,
        count: u64,
        told: (String, String),
    ) {
        let (expected, acceptance) = told;
        let tally = Tally { severity, count, expected, examples: Vec::new(), acceptance };
        self.0.insert((column, rule.to_owned()), tally);
    }

    /// Everything that was broken.
    pub fn finish(self, contract: &Contract, rows: u64) -> Vec<Violation> {
        let violation = |((column, rule), tally): ((usize, String), Tally)| {
            let Tally { severity, count, expected, examples, acceptance } = tally;
            let column = contract.columns.get(column).map(|column| column.name.clone());
            let percent = if rows == 0 { 0.0 } else { 100.0 * count as f64 / rows as f64 };
            Violation { rule, column, severity, count, percent, expected, examples, acceptance }
        };
        self.0.into_iter().map(violation).collect()
    }
}

impl Test {
    /// Whether a present value, with its text as written, keeps the test.
    pub fn holds(&self, value: Value<'_>, text: &str) -> bool {
        match self {
            Test::Range(bounds) => match value {
                Value::Integer(number) => bounds.holds(number as f64),
                Value::Number(number) => bounds.holds(number),
                Value::Date(days) => bounds.holds(f64::from(days)),
                Value::Timestamp(millis) => bounds.holds(millis as f64),
                Value::Missing | Value::Boolean(_) | Value::Text(_) => true,
            },
            Test::Length(bounds) => bounds.holds(text.chars().count() as f64),
            Test::Pattern(pattern) => pattern.is_match(text),
            Test::OneOf(values) => values.contains(text),
            Test::Missing(values) => !values.contains(text),
        }
    }

    /// What the test asks for.
    pub fn expected(&self) -> String {
        match self {
            Test::Range(bounds) => format!("{bounds}"),
            Test::Length(bounds) => format!("{bounds} characters"),
            Test::Pattern(pattern) => format!("a text that matches {pattern}"),
            Test::OneOf(values) => {
                format!("one of {}", values.iter().take(12).cloned().collect::<Vec<_>>().join(", "))
            }
            Test::Missing(_) => "a value that stands for something".into(),
        }
    }

    /// The change of the contract that would accept a value.
    pub fn acceptance(&self, column: &str, text: &str) -> String {
        match self {
            Test::Range(_) => format!("widen minimum or maximum of {column}"),
            Test::Length(_) => format!("widen minLength or maxLength of {column}"),
            Test::Pattern(_) => format!("widen the pattern of {column}"),
            Test::OneOf(_) => format!("add {text:?} to validValues of {column}"),
            Test::Missing(_) => format!("take {text:?} out of missingValues of {column}"),
        }
    }
}

/// Values counted for a rule with a threshold.
#[derive(Debug, Default)]
pub struct Counted {
    /// How many broke the test.
    pub count: u64,
}

impl Counted {
    /// Counts a cell.
    pub fn cell(&mut self, rule: &CountRule, value: Value<'_>, text: &str) {
        let broken = match (&rule.test, value) {
            (None, value) => value == Value::Missing,
            (Some(Test::Missing(values)), Value::Missing) => values.contains(""),
            (Some(_), Value::Missing) => false,
            (Some(test), value) => !test.holds(value, text),
        };
        self.count += u64::from(broken);
    }
}
