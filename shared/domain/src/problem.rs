//! What is wrong with something a person gave us, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One fault in a file: where it stands, which rule it breaks, what was found and expected.
/// Anything unknown is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file as the person named it.
    pub file: String,
    /// 1-based line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// 1-based column of the text, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The data column or the configuration field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The rule broken, for example `required` or `unknown field`.
    pub rule: String,
    /// What was there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// What would have been right.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// What the person can do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Problem {
    /// A fault in a file against a rule.
    pub fn new(file: impl Into<String>, rule: impl Into<String>) -> Problem {
        Problem { file: file.into(), rule: rule.into(), ..Problem::default() }
    }

    /// At this 1-based line and column of the text.
    #[must_use]
    pub fn at(mut self, line: u64, position: u64) -> Problem {
        self.line = Some(line);
        self.position = Some(position);
        self
    }

    /// In this data column or configuration field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Problem {
        self.field = Some(field.into());
        self
    }

    /// What was there.
    #[must_use]
    pub fn found(mut self, found: impl fmt::Display) -> Problem {
        self.found = found.to_string();
        self
    }

    /// What would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl fmt::Display) -> Problem {
        self.expected = expected.to_string();
        self
    }

    /// What the person can do next.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Problem {
        self.hint = hint.to_string();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        f.write_str(": ")?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.rule)?;
        if !self.found.is_empty() {
            write!(f, ": found {}", self.found)?;
        }
        if !self.expected.is_empty() {
            write!(f, ", expected {}", self.expected)?;
        }
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
