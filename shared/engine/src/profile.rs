//! What a table holds, column by column: gathered in one pass, in bounded memory.
//!
//! A profile is a function of the rows in their order. Moments follow Welford (1962) as given by
//! Chan, Golub and LeVeque (1983). Quantiles and the histogram come from a grid of exact counts
//! whose cells are within 1 % of the value ([`crate::baseline::grid`]); distinct values are
//! counted exactly up to [`domain::limit::DISTINCT_MAX`], beyond which the count is a lower bound.

mod distinct;
mod infer;

use serde::{Deserialize, Serialize};

use self::distinct::Distinct;
use crate::baseline::grid::{Grid, edges};
use crate::table::{Batch, Column, Field, Kind, Schema};

pub use infer::{Inference, infer_schema};

/// The version of the profile's format.
pub const VERSION: u32 = 1;

/// Most frequent values that a profile names.
const TOP: usize = 10;

/// Bars of a histogram.
const BARS: usize = 12;

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The format's version.
    pub version: u32,
    /// Rows.
    pub rows: u64,
    /// The columns, in the schema's order.
    pub columns: Vec<ColumnProfile>,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// Missing values.
    pub missing: u64,
    /// Present values.
    pub present: u64,
    /// Different values, exact where `distinct_exact`, else at least this many.
    pub distinct: u64,
    /// Whether `distinct` is exact.
    pub distinct_exact: bool,
    /// Smallest value as written; none where hidden, or where texts were too many to keep.
    pub minimum: Option<String>,
    /// Largest value as written.
    pub maximum: Option<String>,
    /// Of numbers: figures over the present values.
    pub numbers: Option<NumberProfile>,
    /// Of texts: lengths in characters: shortest, mean, longest.
    pub lengths: Option<(u64, f64, u64)>,
    /// Most frequent values with their counts, most first; empty where hidden or where nearly all
    /// values differ. The counts are exact; where `distinct` is not, a value that came first
    /// after the others were too many is not among them.
    pub top: Vec<(String, u64)>,
}

/// Figures over the numbers of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberProfile {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (divisor n − 1).
    pub sd: f64,
    /// Zeros.
    pub zeros: u64,
    /// Values below zero.
    pub negatives: u64,
    /// Quantiles .01 .05 .25 .5 .75 .95 .99, each within 1 % of the value.
    pub quantiles: [f64; 7],
    /// Inner edges of the histogram's bars.
    pub edges: Vec<f64>,
    /// Values in each bar; one more than edges.
    pub bars: Vec<u64>,
}

/// Gathers a profile batch by batch.
#[derive(Debug)]
pub struct Profiler {
    columns: Vec<Gathering>,
    rows: u64,
}

#[derive(Debug)]
struct Gathering {
    name: String,
    kind: Kind,
    masked: bool,
    missing: u64,
    present: u64,
    distinct: Distinct,
    mean: f64,
    squares: f64,
    zeros: u64,
    negatives: u64,
    extremes: Option<(f64, f64)>,
    grid: Grid,
    lengths: Option<(u64, u64, u64)>,
}

impl Profiler {
    /// A profiler of rows under a schema. Values of `masked` columns are counted, never shown.
    pub fn new(schema: &Schema, masked: &[&str]) -> Profiler {
        let gathering = |field: &Field| Gathering {
            name: field.name.clone(),
            kind: field.kind,
            masked: masked.contains(&field.name.as_str()),
            missing: 0,
            present: 0,
            distinct: Distinct::of(field.kind),
            mean: 0.0,
            squares: 0.0,
            zeros: 0,
            negatives: 0,
            extremes: None,
            grid: Grid::default(),
            lengths: None,
        };
        Profiler { columns: schema.fields.iter().map(gathering).collect(), rows: 0 }
    }

    /// Adds rows.
    ///
    /// # Panics
    /// If the batch has other columns than the schema: a mistake of the program.
    pub fn push(&mut self, batch: &Batch) {
        self.push_columns(batch.columns());
    }

    /// Adds rows by their columns alone.
    ///
    /// # Panics
    /// As [`Profiler::push`].
    pub fn push_columns(&mut self, columns: &[Column]) {
        assert_eq!(self.columns.len(), columns.len(), "the columns of the profiler's schema");
        self.rows += columns.first().map_or(0, Column::len) as u64;
        for (gathering, column) in self.columns.iter_mut().zip(columns) {
            gathering.push(column);
        }
    }

    /// The profile.
    pub fn finish(self) -> Profile {
        let columns = self.columns.into_iter().map(Gathering::finish).collect();
        Profile { version: VERSION, rows: self.rows, columns }
    }
}

impl Gathering {
    fn push(&mut self, column: &Column) {
        match column {
            Column::Text(values) => self.each(values, |gathering, text| gathering.text(text)),
            Column::Boolean(values) => {
                self.each(values, |gathering, truth| gathering.number(f64::from(u8::from(*truth))));
            }
            Column::Integer(values) | Column::Timestamp(values) => {
                self.each(values, |gathering, whole| gathering.number(*whole as f64));
            }
            Column::Number(values) => self.each(values, |gathering, number| gathering.number(*number)),
            Column::Date(values) => self.each(values, |gathering, days| gathering.number(f64::from(*days))),
        }
        self.distinct.push(column);
    }

    fn each<T>(&mut self, values: &[Option<T>], gather: impl Fn(&mut Gathering, &T)) {
        for value in values {
            match value {
                Some(value) => gather(self, value),
                None => self.missing += 1,
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.present += 1;
        let length = text.chars().count() as u64;
        let (shortest, sum, longest) = self.lengths.unwrap_or((length, 0, length));
        self.lengths = Some((shortest.min(length), sum + length, longest.max(length)));
    }

    fn number(&mut self, value: f64) {
        self.present += 1;
        let before = value - self.mean;
        self.mean += before / self.present as f64;
        self.squares += before * (value - self.mean);
        self.zeros += u64::from(value == 0.0);
        self.negatives += u64::from(value < 0.0);
        let (low, high) = self.extremes.unwrap_or((value, value));
        self.extremes = Some((low.min(value), high.max(value)));
        self.grid.push(value);
    }

    fn finish(self) -> ColumnProfile {
        let (distinct, distinct_exact) = (self.distinct.len() as u64, self.distinct.is_exact());
        let values = self.distinct.finish();
        let repeats = distinct * 10 <= self.present * 9;
        let mut top: Vec<(String, u64)> = Vec::new();
        if repeats && !self.masked {
            top.clone_from(&values);
            // Where not every value was kept, one seen once tells nothing: keys, free texts.
            top.retain(|(_, count)| distinct_exact || *count > 1);
            top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            top.truncate(TOP);
        }
        let ends = match (self.masked, self.kind, self.extremes) {
            (false, Kind::Text, _) => {
                // In the order of their bytes; only where every value was kept.
                let ends = values.first().zip(values.last());
                ends.filter(|_| distinct_exact).map(|((first, _), (last, _))| (first.clone(), last.clone()))
            }
            (false, kind, Some((low, high))) => Some((shown(kind, low), shown(kind, high))),
            _ => None,
        };
        let is_figure = matches!(self.kind, Kind::Integer | Kind::Number);
        let numbers = (is_figure && self.present > 0 && !self.masked).then(|| {
            let (cells, _) = self.grid.finish();
            let (inner, bars) = edges(&cells, BARS);
            let quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];
            NumberProfile {
                mean: self.mean,
                sd: if self.present > 1 { (self.squares / (self.present - 1) as f64).sqrt() } else { 0.0 },
                zeros: self.zeros,
                negatives: self.negatives,
                quantiles: quantiles.map(|share| quantile(&cells, self.present, share, self.extremes)),
                edges: inner,
                bars,
            }
        });
        ColumnProfile {
            name: self.name,
            kind: self.kind,
            missing: self.missing,
            present: self.present,
            distinct,
            distinct_exact,
            minimum: ends.as_ref().map(|(low, _)| low.clone()),
            maximum: ends.map(|(_, high)| high),
            numbers,
            lengths: self.lengths.map(|(low, sum, high)| (low, sum as f64 / self.present as f64, high)),
            top,
        }
    }
}

/// A float as a value of the kind it came from.
fn shown(kind: Kind, value: f64) -> String {
    let column = match kind {
        Kind::Boolean => Column::Boolean(vec![Some(value != 0.0)]),
        Kind::Integer => Column::Integer(vec![Some(value as i64)]),
        Kind::Date => Column::Date(vec![Some(value as i32)]),
        Kind::Timestamp => Column::Timestamp(vec![Some(value as i64)]),
        Kind::Number | Kind::Text => Column::Number(vec![Some(value)]),
    };
    column.written(0).unwrap_or_default()
}

/// The value below which a share of the values lies, from cells (least value, count) in order.
fn quantile(cells: &[(f64, u64)], present: u64, share: f64, extremes: Option<(f64, f64)>) -> f64 {
    let rank = share * present as f64;
    let mut seen = 0;
    for (value, count) in cells {
        seen += count;
        if seen as f64 >= rank {
            return extremes.map_or(*value, |(low, high)| value.clamp(low, high));
        }
    }
    extremes.map_or(0.0, |(_, high)| high)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::limit;

    use super::*;

    fn profile_of(column: Column) -> ColumnProfile {
        let schema = Arc::new(Schema { fields: vec![Field { name: "x".into(), kind: column.kind() }] });
        let mut profiler = Profiler::new(&schema, &[]);
        profiler.push(&Batch::new(schema, vec![column]));
        profiler.finish().columns.remove(0)
    }

    #[test]
    fn figures_of_a_small_column_are_those_worked_by_hand() {
        // 2 4 4 4 5 5 7 9: mean 5, sum of squares 32, sd √(32/7).
        let values = [2, 4, 4, 4, 5, 5, 7, 9].map(Some).to_vec();
        let column = profile_of(Column::Integer([values, vec![None]].concat()));
        let numbers = column.numbers.unwrap();
        assert_eq!((column.present, column.missing, column.distinct), (8, 1, 5));
        assert!((numbers.mean - 5.0).abs() < 1e-12);
        assert!((numbers.sd - (32.0f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!((column.minimum.as_deref(), column.maximum.as_deref()), (Some("2"), Some("9")));
        assert_eq!(column.top[0], ("4".to_owned(), 3));
        assert_eq!(numbers.bars.iter().sum::<u64>(), 8);
    }

    #[test]
    fn quantiles_are_within_one_percent() {
        let column = profile_of(Column::Number((1..=10_000).map(|i| Some(f64::from(i))).collect()));
        let quantiles = column.numbers.unwrap().quantiles;
        for (found, exact) in
            quantiles.iter().zip([100.0, 500.0, 2_500.0, 5_000.0, 7_500.0, 9_500.0, 9_900.0])
        {
            assert!((found / exact - 1.0).abs() <= 0.0101, "{found} {exact}");
        }
    }

    #[test]
    fn top_counts_are_exact_where_values_are_too_many_to_keep() {
        // The value 7 in every other row, among more different ones than are kept.
        let rows = 3 * limit::DISTINCT_MAX as i64;
        let values: Vec<i64> = (0..rows).map(|row| if row % 2 == 0 { 7 } else { row + 100 }).collect();
        let most = rows as u64 / 2;
        let texts = values.iter().map(|value| Some(value.to_string())).collect();
        let integers = values.iter().copied().map(Some).collect();
        let numbers = values.iter().map(|value| Some(*value as f64)).collect();
        for column in [Column::Text(texts), Column::Integer(integers), Column::Number(numbers)] {
            let column = profile_of(column);
            assert_eq!(column.top, [("7".to_owned(), most)]);
            assert_eq!((column.distinct, column.distinct_exact), (limit::DISTINCT_MAX as u64, false));
        }
    }

    #[test]
    fn masked_columns_show_no_value() {
        let schema = Arc::new(Schema::of([("secret", Kind::Text)]));
        let mut profiler = Profiler::new(&schema, &["secret"]);
        profiler.push(&Batch::new(schema, vec![Column::Text(vec![Some("s3cr3t".into()); 4])]));
        assert!(!format!("{:?}", profiler.finish()).contains("s3cr3t"));
    }
}
