//! Typed rows in memory: a batch of columns under a schema.

use std::sync::Arc;

use domain::time::Time;
use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A signed 64-bit integer.
    Integer,
    /// A 64-bit float.
    Number,
    /// UTF-8 text.
    Text,
    /// A calendar date: days since 1970-01-01.
    Date,
    /// A moment: milliseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

/// A column's name and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The column's name, as in the file's header.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// The columns of a table, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The columns, with distinct names.
    pub fields: Vec<Field>,
}

impl Schema {
    /// A schema of these names and kinds.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a str, Kind)>) -> Schema {
        let fields = fields.into_iter().map(|(name, kind)| Field { name: name.to_owned(), kind }).collect();
        Schema { fields }
    }

    /// Where the column of this name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// The values of one column; `None` is missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Booleans.
    Boolean(Vec<Option<bool>>),
    /// Integers.
    Integer(Vec<Option<i64>>),
    /// Floats.
    Number(Vec<Option<f64>>),
    /// Texts.
    Text(Vec<Option<String>>),
    /// Days since 1970-01-01.
    Date(Vec<Option<i32>>),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(Vec<Option<i64>>),
}

impl Column {
    /// An empty column of a kind.
    pub fn empty(kind: Kind) -> Column {
        match kind {
            Kind::Boolean => Column::Boolean(Vec::new()),
            Kind::Integer => Column::Integer(Vec::new()),
            Kind::Number => Column::Number(Vec::new()),
            Kind::Text => Column::Text(Vec::new()),
            Kind::Date => Column::Date(Vec::new()),
            Kind::Timestamp => Column::Timestamp(Vec::new()),
        }
    }

    /// What the column holds.
    pub fn kind(&self) -> Kind {
        match self {
            Column::Boolean(_) => Kind::Boolean,
            Column::Integer(_) => Kind::Integer,
            Column::Number(_) => Kind::Number,
            Column::Text(_) => Kind::Text,
            Column::Date(_) => Kind::Date,
            Column::Timestamp(_) => Kind::Timestamp,
        }
    }

    /// How many values there are, missing ones included.
    pub fn len(&self) -> usize {
        match self {
            Column::Boolean(v) => v.len(),
            Column::Integer(v) => v.len(),
            Column::Number(v) => v.len(),
            Column::Text(v) => v.len(),
            Column::Date(v) => v.len(),
            Column::Timestamp(v) => v.len(),
        }
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value as a float, where that has a meaning: booleans are 0 and 1, dates are days,
    /// timestamps are milliseconds; text has none.
    pub fn number(&self, row: usize) -> Option<f64> {
        match self {
            Column::Boolean(v) => v[row].map(|b| f64::from(u8::from(b))),
            Column::Integer(v) => v[row].map(|i| i as f64),
            Column::Number(v) => v[row],
            Column::Text(_) => None,
            Column::Date(v) => v[row].map(f64::from),
            Column::Timestamp(v) => v[row].map(|i| i as f64),
        }
    }

    /// The value as it is written in CSV: floats in the shortest form that reads back the same,
    /// dates and times as ISO 8601. `None` is missing.
    pub fn written(&self, row: usize) -> Option<String> {
        match self {
            Column::Boolean(v) => v[row].map(|b| b.to_string()),
            Column::Integer(v) => v[row].map(|i| i.to_string()),
            Column::Number(v) => v[row].map(|n| n.to_string()),
            Column::Text(v) => v[row].clone(),
            Column::Date(v) => v[row].map(|days| Time::from_millis(i64::from(days) * Time::DAY).date()),
            Column::Timestamp(v) => v[row].map(|millis| Time::from_millis(millis).to_string()),
        }
    }

    /// The values of these rows, in their order; a row may come more than once.
    #[must_use]
    pub fn taken(&self, rows: &[usize]) -> Column {
        fn take<T: Clone>(values: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|row| values[*row].clone()).collect()
        }
        match self {
            Column::Boolean(v) => Column::Boolean(take(v, rows)),
            Column::Integer(v) => Column::Integer(take(v, rows)),
            Column::Number(v) => Column::Number(take(v, rows)),
            Column::Text(v) => Column::Text(take(v, rows)),
            Column::Date(v) => Column::Date(take(v, rows)),
            Column::Timestamp(v) => Column::Timestamp(take(v, rows)),
        }
    }

    /// Keeps the rows whose mark is set, in order.
    #[must_use]
    pub fn filtered(&self, keep: &[bool]) -> Column {
        fn pick<T: Clone>(values: &[T], keep: &[bool]) -> Vec<T> {
            values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| value.clone()).collect()
        }
        match self {
            Column::Boolean(v) => Column::Boolean(pick(v, keep)),
            Column::Integer(v) => Column::Integer(pick(v, keep)),
            Column::Number(v) => Column::Number(pick(v, keep)),
            Column::Text(v) => Column::Text(pick(v, keep)),
            Column::Date(v) => Column::Date(pick(v, keep)),
            Column::Timestamp(v) => Column::Timestamp(pick(v, keep)),
        }
    }
}

/// Some rows of a table: one column for each field of the schema, all of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    schema: Arc<Schema>,
    columns: Vec<Column>,
    rows: usize,
}

impl Batch {
    /// Binds columns to a schema.
    ///
    /// # Panics
    /// If number, kinds or lengths of the columns disagree: a mistake of the program, never of
    /// its input.
    pub fn new(schema: Arc<Schema>, columns: Vec<Column>) -> Batch {
        assert_eq!(schema.fields.len(), columns.len(), "a column for each field");
        let rows = columns.first().map_or(0, Column::len);
        for (field, column) in schema.fields.iter().zip(&columns) {
            assert!(
                field.kind == column.kind() && column.len() == rows,
                "column {} fits its field",
                field.name
            );
        }
        Batch { schema, columns, rows }
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// All columns, in the schema's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.schema.position(name).map(|index| &self.columns[index])
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Keeps the rows whose mark is set, in order.
    #[must_use]
    pub fn filtered(&self, keep: &[bool]) -> Batch {
        let columns = self.columns.iter().map(|column| column.filtered(keep)).collect();
        Batch::new(self.schema.clone(), columns)
    }

    /// Keeps these columns, in this order; `None` if one is not there.
    pub fn selected(&self, names: &[&str]) -> Option<Batch> {
        let positions: Option<Vec<usize>> = names.iter().map(|name| self.schema.position(name)).collect();
        let positions = positions?;
        let fields = positions.iter().map(|&index| self.schema.fields[index].clone()).collect();
        let columns = positions.iter().map(|&index| self.columns[index].clone()).collect();
        Some(Batch::new(Arc::new(Schema { fields }), columns))
    }
}
