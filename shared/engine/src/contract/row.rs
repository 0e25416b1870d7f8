//! Rules about the cells of one row together: what no cell can be blamed for alone.

use std::sync::Arc;

use domain::Problem;

use super::Severity;
use crate::csv::cell::{self, Value};
use crate::expression::Expression;
use crate::table::{Batch, Column, Kind, Schema};

/// A condition each row must keep, in the language of [`crate::expression`].
#[derive(Clone, Debug)]
pub struct RowRule {
    /// The rule's name in the contract; the condition itself where it has none.
    pub rule: String,
    /// Whether breaking it makes the row bad.
    pub severity: Severity,
    /// Positions of the columns it reads, ascending, one at least.
    pub columns: Vec<usize>,
    schema: Arc<Schema>,
    condition: Expression,
}

impl RowRule {
    /// Compiles a condition over the contract's columns.
    ///
    /// # Errors
    /// If the text is no expression, reads an unknown column or none, or yields anything but a
    /// boolean. The problem's file is the word `expression`; the caller knows the real one.
    pub(super) fn compile(
        rule: String,
        severity: Severity,
        text: &str,
        all: &Schema,
    ) -> Result<RowRule, Problem> {
        let condition = Expression::parse(text, all)?;
        let refuse = |found: String| Problem::new("expression", "kind of a rule about rows").found(found);
        if condition.kind() != Kind::Boolean {
            let found = format!("{text:?}, which is neither true nor false");
            return Err(refuse(found).expected("a condition, as in `sold_at >= built_at`"));
        }
        let mut columns: Vec<usize> =
            condition.columns().keys().filter_map(|name| all.position(name)).collect();
        columns.sort_unstable();
        if columns.is_empty() {
            return Err(refuse(format!("{text:?}, which reads no column")).expected("a condition on columns"));
        }
        let fields = columns.iter().map(|&column| all.fields[column].clone()).collect();
        Ok(RowRule { rule, severity, columns, schema: Arc::new(Schema { fields }), condition })
    }

    /// Whether a row, given as its values in the contract's order, keeps the condition. It does
    /// where the condition is missing, as with a SQL `CHECK`: that a value must be there is for
    /// `required` to say.
    pub fn holds(&self, values: &[Value<'_>]) -> bool {
        let cell = |(&column, field): (&usize, &crate::table::Field)| {
            let mut cell = Column::empty(field.kind);
            cell::append(&mut cell, values[column]);
            cell
        };
        let row = self.columns.iter().zip(&self.schema.fields).map(cell).collect();
        match self.condition.evaluate(&Batch::new(self.schema.clone(), row)) {
            Ok(Column::Boolean(held)) => held[0] != Some(false),
            other => unreachable!("a condition compiled over these columns yielded {other:?}"),
        }
    }

    /// What the rule asks for.
    pub fn expected(&self) -> &str {
        self.condition.text()
    }
}
