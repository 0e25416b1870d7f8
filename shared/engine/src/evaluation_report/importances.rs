//! How the importances of columns read.

use crate::evaluation::Evaluation;
use crate::evaluation::importance::Importance;
use crate::page::{self, Bar, Cell, Html, Size};
use crate::text;

/// Columns shown; the JSON has them all.
const SHOWN_MAX: usize = 20;

/// A chart and a table; nothing where none were measured.
pub(super) fn importances(evaluation: &Evaluation) -> Option<Html> {
    let shown = &evaluation.importances[..evaluation.importances.len().min(SHOWN_MAX)];
    if shown.is_empty() {
        return None;
    }
    let widest = shown
        .iter()
        .flat_map(|one| [one.increase, one.interval.map_or(0.0, |interval| interval.high)])
        .fold(0.0, f64::max);
    let row = |one: &Importance| {
        let (low, high) = one.interval.map_or((one.increase, one.increase), |found| (found.low, found.high));
        let drawn = page::Interval { low, estimate: one.increase, high };
        let scale = (-0.1 * widest, 1.05 * widest);
        vec![
            Cell::code(&one.column),
            Cell::Html(page::interval(Size { width: 240, height: 20 }, scale, Some(0.0), &drawn)),
            Cell::number(one.increase),
            Cell::Number(format!("{} to {}", text::number(low), text::number(high))),
        ]
    };
    let rows: Vec<Vec<Cell>> = shown.iter().map(row).collect();
    let bar = |one: &Importance| Bar {
        label: format!("{}: +{}", one.column, text::number(one.increase)),
        value: one.increase,
    };
    let bars: Vec<Bar> = shown.iter().map(bar).collect();
    let grows = format!("mean {} grows by", evaluation.difference.loss.name());
    Some(page::bars(Size { width: 720, height: 90 }, &bars)
        .then(page::table(&["column shuffled", "", &grows, "interval"], &rows))
        .then(Html::note(
            "Permutation importance: withheld rows are predicted again with one column in another order. Columns that say the same share their importance between them.",
        )))
}
