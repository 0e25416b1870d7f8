//! A file of any format under a known schema, batch by batch. Strict: the first cell that does not
//! fit ends the reading.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use domain::Problem;

use super::{Columns, Feed, Source};
use crate::csv::{Dialect, Header, Rows};
use crate::table::{Batch, Schema};

/// A table being read, in batches of [`domain::limit::BATCH_ROWS`] rows.
#[derive(Debug)]
pub struct Table {
    source: Source,
    rows: Rows,
}

impl Table {
    /// A table at the start of a file; `file` is how errors name it. Columns may come in any order,
    /// and others than the schema's are passed over.
    pub fn new(file: &str, schema: Arc<Schema>) -> Table {
        let names = schema.fields.iter().map(|field| field.name.clone()).collect();
        let source = Source::new(file, &Dialect::default(), Columns::Named(names));
        Table { source, rows: Rows::new(file, schema, Header::Present) }
    }

    /// The batches that are full since the last call.
    pub fn ready(&mut self) -> Vec<Batch> {
        self.rows.ready()
    }

    /// The rest: at most two batches, none where there was no row.
    ///
    /// # Errors
    /// The first fault, with its place; an empty file.
    pub fn finish(mut self) -> Result<Vec<Batch>, Problem> {
        self.wants()?;
        self.rows.finish()
    }
}

impl Feed for Table {
    type Error = Problem;

    fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let Table { source, rows } = self;
        source.push(bytes, &mut |record| rows.take(record))
    }

    fn wants(&mut self) -> Result<Option<Range<u64>>, Problem> {
        let Table { source, rows } = self;
        source.wants(&mut |record| rows.take(record))
    }

    fn give(&mut self, bytes: Bytes) -> Result<(), Problem> {
        let Table { source, rows } = self;
        source.give(bytes, &mut |record| rows.take(record))
    }
}
