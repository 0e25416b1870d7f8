//! What is gathered of one column while its training rows pass by?

use super::category::{Categories, name_at};
use super::count::Running;
use super::grid::{Grid, Resolution, edges};
use super::{BINS_MAX, CODES_MAX, Cells, ColumnBaseline, ColumnCounts, NUMBER_EXTRAS};
use crate::table::{Column, Kind};

pub(super) struct Gathering {
    pub(super) name: String,
    pub(super) hidden: bool,
    pub(super) missing: u64,
    kind: Kind,
    running: Running,
    /// NaN, −∞, +∞, unreadable.
    extras: [u64; NUMBER_EXTRAS.len()],
    by: By,
}

enum By {
    Numbers(Grid),
    Categories(Categories),
    Times(u64),
}

impl Gathering {
    pub(super) fn new(name: &str, kind: Kind) -> Gathering {
        let by = match kind {
            Kind::Integer | Kind::Number => By::Numbers(Grid::default()),
            Kind::Boolean | Kind::Text => By::Categories(Categories::default()),
            Kind::Date | Kind::Timestamp => By::Times(0),
        };
        let name = name.to_owned();
        Gathering { name, hidden: false, missing: 0, kind, running: Running::default(), extras: [0; 4], by }
    }

    pub(super) fn push(&mut self, column: &Column) {
        for row in 0..column.len() {
            match &mut self.by {
                By::Categories(categories) => match name_at(column, row, self.hidden) {
                    Some(name) => categories.push(&name),
                    None => self.missing += 1,
                },
                By::Times(present) => match column.number(row) {
                    Some(number) => {
                        *present += 1;
                        self.running.push(number);
                    }
                    None => self.missing += 1,
                },
                By::Numbers(grid) => match column.number(row) {
                    None => self.missing += 1,
                    Some(number) if number.is_finite() => {
                        grid.push(number);
                        self.running.push(number);
                    }
                    Some(number) if number.is_nan() => self.extras[0] += 1,
                    Some(number) if number < 0.0 => self.extras[1] += 1,
                    Some(_) => self.extras[2] += 1,
                },
            }
        }
    }

    pub(super) fn finish(self) -> ColumnBaseline {
        let (cells, counted) = match self.by {
            By::Times(present) => (Cells::Times, vec![present]),
            By::Categories(categories) => {
                let (named, others) = categories.finish();
                by_name(named, others)
            }
            By::Numbers(grid) => by_number(grid, self.extras, self.hidden),
        };
        let moments = self.running.moments();
        let counts =
            ColumnCounts { cells: counted, missing: self.missing, moments, others: Default::default() };
        ColumnBaseline { name: self.name, kind: self.kind, hidden: self.hidden, cells, counts }
    }
}

fn by_name(named: Vec<(String, u64)>, others: u64) -> (Cells, Vec<u64>) {
    let covered: u64 = named.iter().map(|(_, count)| count).sum();
    // Names that cover less than half of the rows would compare noise: an identifier, a free text.
    if covered < others {
        return (Cells::Distinct, vec![covered + others]);
    }
    let (names, mut counted): (Vec<String>, Vec<u64>) = named.into_iter().unzip();
    counted.push(others);
    (Cells::Categories { names }, counted)
}

fn by_number(grid: Grid, extras: [u64; 4], hidden: bool) -> (Cells, Vec<u64>) {
    let (values, resolution) = grid.finish();
    let rows: u64 = values.iter().map(|value| value.1).sum();
    let codes = resolution == Resolution::Values
        && (1..=CODES_MAX).contains(&values.len())
        && rows >= 10 * values.len() as u64
        && extras == [0; 4];
    if codes {
        let mut named: Vec<(f64, u64)> = values;
        named.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.total_cmp(&b.0)));
        let names = named
            .iter()
            .map(|(value, _)| super::category::name(&(value + 0.0).to_string(), hidden).into_owned())
            .collect();
        let mut counted: Vec<u64> = named.iter().map(|(_, count)| *count).collect();
        counted.push(0);
        return (Cells::Categories { names }, counted);
    }
    let (edges, mut counted) = edges(&values, BINS_MAX);
    counted.extend(extras);
    (Cells::Bins { edges }, counted)
}
