//! An upload in one pass: every cell checked, good rows to a part, bad rows to quarantine, all of
//! it profiled and digested, in bounded memory.
//!
//! Sans-IO: bytes are pushed in, and ranges of them given again where the format asks for it (see
//! [`Feed`]); the bytes of the two growing Parquet files are taken out.

mod row;

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use domain::digest::Hasher;
use domain::{Digest, Problem, Time, limit};
use serde::{Deserialize, Serialize};

use crate::check::{Counted, Example, KeySet, Place, Tallies, Violation, WHOLE};
use crate::contract::{Contract, Severity, Test};
use crate::csv::bind_header;
use crate::csv::cell::{self, Value};
use crate::part::{self, Writer};
use crate::profile::{Profile, Profiler};
use crate::record::{Record, Shape};
use crate::source::{Columns, Feed, Source};
use crate::split;
use crate::table::{Batch, Column, Field, Kind, Schema};
use crate::text;

/// What an intake is told beside the contract.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// How errors name the file.
    pub file: String,
    /// What rows are split by; then each row's bucket is kept with it.
    pub split: Option<SplitKey>,
    /// Now, for rules about age.
    pub now: Time,
}

/// What rows are split by.
#[derive(Clone, Debug)]
pub struct SplitKey {
    /// The columns that name the thing a row is about; all columns where none is named.
    pub entity: Vec<String>,
    /// The pipeline's salt.
    pub salt: String,
}

/// Whether a file kept its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It did, but for a tolerated share of bad rows.
    Accepted,
    /// It did not.
    Rejected,
}

/// What became of a file.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether it kept its contract.
    pub verdict: Verdict,
    /// Why it was rejected, one sentence each; empty where it was accepted.
    pub reasons: Vec<String>,
    /// Everything that was broken, columns first.
    pub violations: Vec<Violation>,
    /// Columns of the file that the contract does not know; they are left out of the part.
    pub unknown_columns: Vec<String>,
    /// Rows read: good and bad.
    pub rows_read: u64,
    /// Rows in the part.
    pub rows_good: u64,
    /// Rows in quarantine.
    pub rows_bad: u64,
    /// Of the file's bytes.
    pub content: Digest,
    /// How many bytes.
    pub bytes: u64,
    /// What the good rows hold.
    pub profile: Profile,
    /// The last bytes of the part.
    pub part_tail: Vec<u8>,
    /// The last bytes of the quarantine.
    pub quarantine_tail: Vec<u8>,
}

/// An upload being read.
#[derive(Debug)]
pub struct Intake {
    source: Source,
    content: Hasher,
    bytes: u64,
    fatal: Option<Problem>,
    rows: Rows,
}

#[derive(Debug)]
struct Rows {
    contract: Arc<Contract>,
    options: IntakeOptions,
    entity: Vec<usize>,
    positions: Option<Vec<usize>>,
    unknown: Vec<String>,
    width: usize,
    schema: Arc<Schema>,
    /// Of the part: the contract's columns and ours.
    stored: Arc<Schema>,
    columns: Vec<Column>,
    numbers: Vec<Option<i64>>,
    buckets: Vec<Option<i64>>,
    part: Writer,
    bad: Bad,
    quarantine: Writer,
    profiler: Profiler,
    tallies: Tallies,
    counted: Vec<Vec<Counted>>,
    keys: Vec<(KeySet, u64)>,
    newest: Vec<Option<i64>>,
    rows_read: u64,
    rows_good: u64,
    rows_bad: u64,
}

#[derive(Debug, Default)]
struct Bad {
    reasons: Vec<Option<String>>,
    rows: Vec<Option<i64>>,
    lines: Vec<Option<i64>>,
    texts: Vec<Option<String>>,
}

fn quarantine_schema() -> Arc<Schema> {
    let fields = [
        ("reasons", Kind::Text),
        ("source_row", Kind::Integer),
        ("source_line", Kind::Integer),
        ("text", Kind::Text),
    ];
    Arc::new(Schema::of(fields))
}

impl Intake {
    /// An intake at the start of a file.
    pub fn new(contract: &Arc<Contract>, options: IntakeOptions) -> Intake {
        let schema = contract.shared_schema();
        let masked: Vec<&str> = contract
            .columns
            .iter()
            .filter(|column| column.masked)
            .map(|column| column.name.as_str())
            .collect();
        let named = options.split.iter().flat_map(|split| &split.entity);
        let mut entity: Vec<usize> = named.filter_map(|name| schema.position(name)).collect();
        if entity.is_empty() {
            entity = (0..schema.fields.len()).collect();
        }
        let stored = Arc::new(part_schema(&schema, options.split.is_some()));
        let rows = Rows {
            entity,
            positions: None,
            unknown: Vec::new(),
            width: 0,
            columns: empty(&schema),
            numbers: Vec::new(),
            buckets: Vec::new(),
            part: Writer::new(stored.clone()),
            stored,
            bad: Bad::default(),
            quarantine: Writer::new(quarantine_schema()),
            profiler: Profiler::new(&schema, &masked),
            tallies: Tallies::default(),
            counted: contract
                .columns
                .iter()
                .map(|c| c.counts.iter().map(|_| Counted::default()).collect())
                .collect(),
            keys: contract.keys.iter().map(|_| (KeySet::default(), 0)).collect(),
            newest: contract.latencies.iter().map(|_| None).collect(),
            rows_read: 0,
            rows_good: 0,
            rows_bad: 0,
            schema,
            contract: contract.clone(),
            options,
        };
        let names = contract.columns.iter().map(|column| column.name.clone()).collect();
        let source = Source::new(&rows.options.file, &contract.dialect, Columns::Named(names));
        Intake { source, content: Hasher::default(), bytes: 0, fatal: None, rows }
    }

    /// Takes the next bytes. After a fault of the whole file the rest is only digested; the fault
    /// is the outcome's reason.
    pub fn push(&mut self, bytes: &[u8]) {
        self.content.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.fatal.is_none() {
            let rows = &mut self.rows;
            self.fatal = self.source.push(bytes, &mut |record| rows.take(record)).err();
        }
    }

    /// When all bytes were pushed: the range of the file that is to be given next; none where
    /// nothing more is needed.
    pub fn wants(&mut self) -> Option<Range<u64>> {
        if self.fatal.is_some() {
            return None;
        }
        let rows = &mut self.rows;
        match self.source.wants(&mut |record| rows.take(record)) {
            Ok(range) => range,
            Err(problem) => {
                self.fatal = Some(problem);
                None
            }
        }
    }

    /// Takes the bytes of the range that was wanted.
    pub fn give(&mut self, bytes: Bytes) {
        if self.fatal.is_none() {
            let rows = &mut self.rows;
            self.fatal = self.source.give(bytes, &mut |record| rows.take(record)).err();
        }
    }

    /// Bytes of the part that are ready.
    pub fn take_part(&mut self) -> Vec<u8> {
        self.rows.part.take()
    }

    /// Bytes of the quarantine that are ready.
    pub fn take_quarantine(&mut self) -> Vec<u8> {
        self.rows.quarantine.take()
    }

    /// What became of the file.
    pub fn finish(mut self) -> Outcome {
        if let Some(range) = self.wants() {
            let unread = Problem::new(&self.rows.options.file, "Parquet");
            self.fatal = Some(unread.found(format_args!("bytes {range:?} that were not read")));
        }
        if self.fatal.is_none() && self.rows.positions.is_none() {
            let empty = Problem::new(&self.rows.options.file, "header").found("an empty file");
            self.fatal = Some(empty.expected("a line that names the columns"));
        }
        self.rows.unknown.extend(self.source.unknown());
        self.rows.finish(self.fatal, self.content.finish(), self.bytes)
    }
}

/// A cell for a person, with what its format says of it where that is why it does not fit.
fn told(shape: Shape, found: &str) -> String {
    match shape {
        Shape::Written | Shape::Null => format!("{found:?}"),
        Shape::Text => format!("the text {found:?}"),
        Shape::Boolean => format!("the boolean {found}"),
        Shape::Number => format!("the number {found}"),
        Shape::Moment => format!("the moment {found}"),
        Shape::Nested if found.starts_with('[') => format!("the array {found}"),
        Shape::Nested => format!("the object {found}"),
    }
}

/// What is wrong with the file is the outcome's reason, so nothing can fail here.
impl Feed for Intake {
    type Error = Infallible;

    fn push(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        Intake::push(self, bytes);
        Ok(())
    }

    fn wants(&mut self) -> Result<Option<Range<u64>>, Infallible> {
        Ok(Intake::wants(self))
    }

    fn give(&mut self, bytes: Bytes) -> Result<(), Infallible> {
        Intake::give(self, bytes);
        Ok(())
    }
}

fn empty(schema: &Schema) -> Vec<Column> {
    schema.fields.iter().map(|field| Column::empty(field.kind)).collect()
}

/// The columns of a part: the contract's, the source row, and the bucket where rows are split.
fn part_schema(schema: &Schema, split: bool) -> Schema {
    let mut fields = schema.fields.clone();
    fields.push(Field { name: part::ROW.into(), kind: Kind::Integer });
    if split {
        fields.push(Field { name: part::BUCKET.into(), kind: Kind::Integer });
    }
    Schema { fields }
}

impl Rows {
    fn take(&mut self, record: &Record<'_>) -> Result<(), Problem> {
        let Some(positions) = self.positions.take() else {
            let wanted: Vec<&str> = self.contract.columns.iter().map(|column| column.name.as_str()).collect();
            let (positions, unknown) = bind_header(&self.options.file, record, &wanted)?;
            self.width = record.len();
            self.unknown = unknown;
            self.positions = Some(positions);
            return Ok(());
        };
        self.rows_read += 1;
        let taken = self.row(record, &positions);
        self.positions = Some(positions);
        taken
    }

    fn row(&mut self, record: &Record<'_>, positions: &[usize]) -> Result<(), Problem> {
        let contract = self.contract.clone();
        let place = Place { row: record.number, line: record.line };
        let mut reasons: Vec<String> = Vec::new();
        let whole = match (&record.fault, record.text()) {
            (Some(fault), _) => Err(("record", fault.to_string(), fault.expected().to_owned())),
            (None, None) => Err(("encoding", "bytes that are not UTF-8".into(), "UTF-8".into())),
            (None, Some(_)) if record.len() != self.width => {
                Err(("columns", format!("{} fields", record.len()), format!("{} fields", self.width)))
            }
            (None, Some(text)) => Ok(text),
        };
        let text = match whole {
            Ok(text) => text,
            Err((rule, found, expected)) => {
                reasons.push(format!("{rule}: found {found}, expected {expected}"));
                let example = Example { row: place.row, line: place.line, found };
                let acceptance = || (expected, "mend the file: no contract can accept it".to_owned());
                self.tallies.note(WHOLE, rule, Severity::Error, example, acceptance);
                self.quarantine_row(record, place, &reasons);
                return Ok(());
            }
        };
        let mut values: Vec<Value<'_>> = Vec::with_capacity(positions.len());
        for (index, (column, &position)) in contract.columns.iter().zip(positions).enumerate() {
            let cell = (&text[record.span(position)], record.shape(position));
            values.push(self.cell(&contract, index, column.kind, cell, place, &mut reasons));
        }
        let texts: Vec<&str> = positions.iter().map(|&position| &text[record.span(position)]).collect();
        self.together(&contract, &texts, &values, place, &mut reasons);
        if reasons.is_empty() {
            self.keys(&contract, &texts, &values, place, &mut reasons)?;
        }
        if reasons.is_empty() {
            self.keep(&contract, &values, &texts, place);
        } else {
            self.quarantine_row(record, place, &reasons);
        }
        Ok(())
    }

    /// Checks one cell; what makes the row bad goes to `reasons`.
    fn cell<'t>(
        &mut self,
        contract: &Contract,
        index: usize,
        kind: Kind,
        (cell_text, shape): (&'t str, Shape),
        place: Place,
        reasons: &mut Vec<String>,
    ) -> Value<'t> {
        let column = &contract.columns[index];
        let found =
            || if column.masked { "(hidden)".to_owned() } else { text::cut(cell_text, 60).into_owned() };
        let example = || Example { row: place.row, line: place.line, found: found() };
        let Some(value) = cell::read_as(shape, kind, &column.form, column.offset, cell_text) else {
            let expected = cell::expected(kind, &column.form);
            let shown = told(shape, &found());
            reasons.push(format!("{}: type: found {shown}, expected {expected}", column.name));
            let told = || (expected, format!("declare {} as a string", column.name));
            self.tallies.note(index, "type", Severity::Error, example(), told);
            return Value::Missing;
        };
        for (counted, rule) in self.counted[index].iter_mut().zip(&column.counts) {
            counted.cell(rule, value, cell_text);
        }
        if value == Value::Missing {
            if column.required {
                reasons.push(format!("{}: required: found nothing, expected a value", column.name));
                let example = Example { row: place.row, line: place.line, found: "nothing".into() };
                let told = || ("a value".to_owned(), format!("set required: false for {}", column.name));
                self.tallies.note(index, "required", Severity::Error, example, told);
            }
            for rule in &column.cells {
                if matches!(&rule.test, Test::Missing(texts) if texts.contains("")) {
                    reasons.push(format!("{}: {}: found nothing", column.name, rule.rule));
                    let told = || (rule.test.expected(), rule.test.acceptance(&column.name, ""));
                    self.tallies.note(index, &rule.rule, rule.severity, example(), told);
                }
            }
            return value;
        }
        for rule in &column.cells {
            if !rule.test.holds(value, cell_text) {
                let expected = rule.test.expected();
                reasons.push(format!(
                    "{}: {}: found {:?}, expected {expected}",
                    column.name,
                    rule.rule,
                    found()
                ));
                let told = || (expected, rule.test.acceptance(&column.name, &found()));
                self.tallies.note(index, &rule.rule, rule.severity, example(), told);
            }
        }
        value
    }

    /// Checks the keys of a row whose cells are all good, so that a bad row never takes a key.
    fn keys(
        &mut self,
        contract: &Contract,
        texts: &[&str],
        values: &[Value<'_>],
        place: Place,
        reasons: &mut Vec<String>,
    ) -> Result<(), Problem> {
        for (rule, (seen, surplus)) in contract.keys.iter().zip(&mut self.keys) {
            if rule.columns.iter().all(|&column| values[column] == Value::Missing) {
                continue;
            }
            let key: Vec<&str> = rule.columns.iter().map(|&column| texts[column]).collect();
            let Some(is_new) = seen.insert(&key) else {
                return Err(Problem::new(&self.options.file, rule.rule.as_str())
                    .found(format_args!("more than {} different keys", limit::UNIQUE_KEYS_MAX))
                    .expected("a file whose keys fit in memory (UNIQUE_KEYS_MAX)")
                    .hint("split the file"));
            };
            if is_new {
                continue;
            }
            *surplus += 1;
            if rule.counted.is_none() {
                let names: Vec<&str> =
                    rule.columns.iter().map(|&column| contract.columns[column].name.as_str()).collect();
                let masked = rule.columns.iter().any(|&column| contract.columns[column].masked);
                let found =
                    if masked { "(hidden)".to_owned() } else { text::cut(&key.join(", "), 60).into_owned() };
                reasons.push(format!("{}: {}: found {found:?} again", names.join(", "), rule.rule));
                let example = Example { row: place.row, line: place.line, found };
                let told = || {
                    let names = names.join(", ");
                    (
                        format!("each {names} once"),
                        format!("take {} of {names} out of the contract", rule.rule),
                    )
                };
                self.tallies.note(rule.columns[0], &rule.rule, Severity::Error, example, told);
            }
        }
        Ok(())
    }

    fn keep(&mut self, contract: &Contract, values: &[Value<'_>], texts: &[&str], place: Place) {
        self.rows_good += 1;
        for (newest, rule) in self.newest.iter_mut().zip(&contract.latencies) {
            let moment = match values[rule.column] {
                Value::Timestamp(millis) => Some(millis),
                Value::Date(days) => Some(i64::from(days) * Time::DAY),
                _ => None,
            };
            *newest = (*newest).max(moment);
        }
        for (column, value) in self.columns.iter_mut().zip(values) {
            cell::append(column, *value);
        }
        self.numbers.push(Some(place.row as i64));
        if let Some(key) = &self.options.split {
            // One value is one entity, however it was written: 1 and 1.0, a day with or without zeros.
            let entity: Vec<Cow<'_, str>> = (self.entity.iter())
                .map(|&column| match (values[column], &self.columns[column]) {
                    (Value::Text(_), _) => Cow::Borrowed(texts[column]),
                    (_, stored) => Cow::Owned(stored.written(stored.len() - 1).unwrap_or_default()),
                })
                .collect();
            let entity: Vec<&str> = entity.iter().map(AsRef::as_ref).collect();
            self.buckets.push(Some(split::bucket(&entity, &key.salt) as i64));
        }
        if self.numbers.len() == limit::BATCH_ROWS {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if self.numbers.is_empty() {
            return;
        }
        let mut columns = std::mem::replace(&mut self.columns, empty(&self.schema));
        self.profiler.push_columns(&columns);
        columns.push(Column::Integer(std::mem::take(&mut self.numbers)));
        if self.options.split.is_some() {
            columns.push(Column::Integer(std::mem::take(&mut self.buckets)));
        }
        self.part.push(Batch::new(self.stored.clone(), columns));
    }

    fn quarantine_row(&mut self, record: &Record<'_>, place: Place, reasons: &[String]) {
        self.rows_bad += 1;
        self.bad.reasons.push(Some(reasons.join("; ")));
        self.bad.rows.push(Some(place.row as i64));
        self.bad.lines.push(Some(place.line as i64));
        self.bad.texts.push(Some(record.shown().into_owned()));
        if self.bad.rows.len() == limit::BATCH_ROWS {
            self.seal_bad();
        }
    }

    fn seal_bad(&mut self) {
        let Bad { reasons, rows, lines, texts } = std::mem::take(&mut self.bad);
        let columns =
            vec![Column::Text(reasons), Column::Integer(rows), Column::Integer(lines), Column::Text(texts)];
        self.quarantine.push(Batch::new(quarantine_schema(), columns));
    }

    fn finish(mut self, fatal: Option<Problem>, content: Digest, bytes: u64) -> Outcome {
        self.seal();
        self.seal_bad();
        let mut reasons = Vec::new();
        match &fatal {
            Some(problem) => reasons.push(problem.to_string()),
            None => self.totals(&mut reasons),
        }
        let verdict = if reasons.is_empty() { Verdict::Accepted } else { Verdict::Rejected };
        Outcome {
            verdict,
            reasons,
            violations: self.tallies.finish(&self.contract, self.rows_read),
            unknown_columns: self.unknown,
            rows_read: self.rows_read,
            rows_good: self.rows_good,
            rows_bad: self.rows_bad,
            content,
            bytes,
            profile: self.profiler.finish(),
            part_tail: self.part.finish(),
            quarantine_tail: self.quarantine.finish(),
        }
    }

    /// Rules about the file as a whole; what rejects it goes to `reasons`.
    fn totals(&mut self, reasons: &mut Vec<String>) {
        let contract = self.contract.clone();
        let rows = self.rows_read;
        let mut broken =
            |tallies: &mut Tallies, column: usize, rule: &str, severity, count: u64, expected: String| {
                let name = contract.columns.get(column).map_or("the file", |column| column.name.as_str());
                if severity == Severity::Error {
                    reasons
                        .push(format!("{name}: {rule}: found {count} in {rows} rows, expected {expected}"));
                }
                let acceptance =
                    format!("change the threshold of {rule} of {name}, or set severity: warning");
                tallies.total(column, rule, severity, count, (expected, acceptance));
            };
        for (index, (column, counted)) in contract.columns.iter().zip(&self.counted).enumerate() {
            for (rule, counted) in column.counts.iter().zip(counted) {
                if !rule.threshold.holds(counted.count, rows) {
                    broken(
                        &mut self.tallies,
                        index,
                        &rule.rule,
                        rule.severity,
                        counted.count,
                        rule.threshold.to_string(),
                    );
                }
            }
        }
        for (rule, (_, surplus)) in contract.keys.iter().zip(&self.keys) {
            if let Some((threshold, severity)) = rule.counted {
                if !threshold.holds(*surplus, rows) {
                    broken(
                        &mut self.tallies,
                        rule.columns[0],
                        &rule.rule,
                        severity,
                        *surplus,
                        threshold.to_string(),
                    );
                }
            }
        }
        for rule in &contract.totals {
            if !rule.threshold.holds(rows, rows) {
                broken(
                    &mut self.tallies,
                    WHOLE,
                    &rule.rule,
                    rule.severity,
                    rows,
                    format!("{} rows", rule.threshold),
                );
            }
        }
        for (rule, newest) in contract.latencies.iter().zip(&self.newest) {
            let Some(newest) = newest else { continue };
            let age = self.options.now.millis() - newest;
            if age > rule.age_millis_max {
                let name = &contract.columns[rule.column].name;
                let newest = Time::from_millis(*newest);
                reasons.push(format!(
                    "{name}: {}: the newest row is of {newest}, expected at most {} ago",
                    rule.rule, rule.age
                ));
                let told = (
                    format!("the newest value at most {} old", rule.age),
                    format!("raise {} of {name}", rule.rule),
                );
                self.tallies.total(rule.column, &rule.rule, Severity::Error, 1, told);
            }
        }
        if rows == 0 {
            reasons.push("there is no row below the header".into());
        }
        let percent = 100.0 * self.rows_bad as f64 / rows.max(1) as f64;
        if percent > contract.bad_rows_percent_max {
            let most = contract.bad_rows_percent_max;
            reasons.push(format!(
                "{} of {rows} rows are bad ({percent:.1} %), the contract tolerates {most} %",
                self.rows_bad
            ));
        }
    }
}

#[cfg(test)]
mod tests;
