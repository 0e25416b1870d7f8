//! What can a feature or a target be computed from: a closed language of row-wise expressions.
//!
//! An expression reads the columns of one row and nothing else: no other row, no clock, no file.
//! It is parsed and type-checked once against a [`Schema`], then evaluated over whole batches.
//!
//! | written | gives |
//! |---|---|
//! | `12`, `0.5`, `1e6`, `"text"`, `'text'`, `true`, `false`, `missing` | a constant |
//! | `area`, `` `total amount` `` | a column; backticks for names that are not letters, digits and `_` |
//! | `+ - * /`, `%`, unary `-` | numbers; the remainder has the divisor's sign (`-1 % 7` is 6) |
//! | `== != < <= > >=` | comparisons of two values of one kind; a date or timestamp also with a text constant such as `"2026-11-23"` |
//! | `and`, `or`, `not` | three-valued: `false and missing` is false, `true or missing` is true |
//! | `if(c, a, b)` | `a` where `c` holds, `b` where it does not |
//! | `log exp sqrt abs floor round log1p` | natural logarithm; `round` takes halves away from zero |
//! | `min(a, b, …)`, `max(a, b, …)`, `clip(x, low, high)` | `clip` is `min(max(x, low), high)` |
//! | `fill(x, v)`, `coalesce(a, b, …)` | the first that is not missing |
//! | `is_missing(x)` | never missing itself |
//! | `year month day weekday hour minute` | parts of a date or timestamp in UTC; Monday is 1, Sunday 7 |
//! | `seconds_between(a, b)`, `days_between(a, b)` | from `a` to `b`, negative when `b` is earlier |
//! | `map(x, "a", 1, "b", 2, default)` | by constant keys; without a default an unlisted value gives missing |
//! | `lower(t)`, `length(t)` | lower-case text; its number of characters |
//!
//! **Missing.** A missing operand makes the result missing, except as the table says. A number
//! that does not exist (division by zero, a logarithm of what is not positive, an overflow, NaN
//! or infinity in a column) is missing too, so no model ever sees one.
//!
//! Integers are computed with as 64-bit floats: above 2⁵³ they lose their last digits.

use std::collections::{BTreeMap, BTreeSet};

use domain::Problem;

use crate::table::{Batch, Column, Kind, Schema};

mod check;
mod evaluate;
mod syntax;

/// A parsed and type-checked expression.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    kind: Kind,
    /// The columns it reads, with the kinds it was checked against.
    columns: BTreeMap<String, Kind>,
    root: check::Node,
}

/// The names of the columns an expression reads, whether or not they exist.
///
/// # Errors
/// If the text is not an expression.
pub fn columns_read(text: &str) -> Result<BTreeSet<String>, Problem> {
    let mut columns = BTreeSet::new();
    syntax::columns(&syntax::parse(text)?, &mut columns);
    Ok(columns)
}

/// How a column of this name is written in an expression; `None` if it cannot be (a backtick
/// in the name).
pub fn written_column(name: &str) -> Option<String> {
    let plain = name.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_alphanumeric() || character == '_')
        && !["and", "or", "not", "true", "false", "missing"].contains(&name);
    match plain {
        true => Some(name.to_owned()),
        false => (!name.contains('`')).then(|| format!("`{name}`")),
    }
}

impl Expression {
    /// Parses a text and checks it against the columns it may read.
    ///
    /// # Errors
    /// One problem: its rule says what is wrong, `found` where in the expression, and the hint
    /// what to write instead. Its file is the word `expression`; the caller knows the real one.
    pub fn parse(text: &str, schema: &Schema) -> Result<Expression, Problem> {
        let tree = syntax::parse(text)?;
        let mut names = BTreeSet::new();
        syntax::columns(&tree, &mut names);
        let (root, kind) = check::check(text, &tree, schema)?;
        let columns = names
            .into_iter()
            .filter_map(|name| schema.position(&name).map(|position| (name, schema.fields[position].kind)))
            .collect();
        Ok(Expression { text: text.to_owned(), kind, columns, root })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The kind of its result. Computed numbers are [`Kind::Number`]; a bare column keeps its
    /// own kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The columns it reads, with their kinds.
    pub fn columns(&self) -> &BTreeMap<String, Kind> {
        &self.columns
    }

    /// Computes the result for each row of a batch.
    ///
    /// # Errors
    /// If the batch lacks a column, or has it as another kind; integers may stand for numbers.
    pub fn evaluate(&self, batch: &Batch) -> Result<Column, Problem> {
        for (name, kind) in &self.columns {
            let found = batch.column(name).map(Column::kind);
            if found != Some(*kind) && !(found == Some(Kind::Integer) && *kind == Kind::Number) {
                let found =
                    found.map_or("no such column".to_owned(), |found| check::kind_name(found).to_owned());
                return Err(Problem::new("expression", "column differs from the one compiled against")
                    .field(name)
                    .found(found)
                    .expected(check::kind_name(*kind)));
            }
        }
        Ok(evaluate::column(&self.root, self.kind, batch))
    }
}

#[cfg(test)]
mod tests;
