//! How slices and groups read.

use crate::evaluation::Evaluation;
use crate::evaluation::fairness::{FairColumn, FairGroup, FairMeasure};
use crate::evaluation::slices::{Found, SLICE_ROWS_MIN, Search, Slice, SlicedColumn};
use crate::page::{self, Bar, Cell, Html, Size};
use crate::text;

/// Metrics shown of each slice; the JSON has them all.
const SHOWN_METRICS_MAX: usize = 6;

/// The declared slices, each column with a chart and a table; nothing where there are none.
pub(super) fn slices(evaluation: &Evaluation) -> Option<Html> {
    let pieces = evaluation.slices.iter().map(|column| sliced(column, evaluation.difference.loss.name()));
    pieces.reduce(Html::then)
}

fn sliced(column: &SlicedColumn, loss: &str) -> Html {
    let bar = |slice: &Slice| Bar {
        label: format!("{}: mean {loss} {}", slice.value, text::number(slice.loss)),
        value: slice.loss,
    };
    let bars: Vec<Bar> = column.slices.iter().map(bar).collect();
    let first = column.slices.first().map_or(&[][..], |slice| &slice.measures[..]);
    let names: Vec<String> =
        first.iter().take(SHOWN_METRICS_MAX).map(|measure| measure.metric.name().into_owned()).collect();
    let mean = format!("mean {loss}");
    let mut headers = vec!["value", "rows", &mean, "p, worse than the rest"];
    headers.extend(names.iter().map(String::as_str));
    let row = |slice: &Slice| {
        let p = slice.p.map_or_else(|| "–".to_owned(), |p| p.to_string());
        let mut cells = vec![
            Cell::text(&slice.value),
            Cell::count(slice.rows),
            Cell::number(slice.loss),
            Cell::Number(p),
        ];
        cells.extend(
            slice.measures.iter().take(SHOWN_METRICS_MAX).map(|measure| Cell::optional(measure.value)),
        );
        cells
    };
    let rows: Vec<Vec<Cell>> = column.slices.iter().map(row).collect();
    let small = match column.rows_in_small {
        0 => Html::empty(),
        rows => Html::note(&format!(
            "{} in slices of fewer than {SLICE_ROWS_MIN} are not shown.",
            text::counted(rows, "row")
        )),
    };
    Html::heading(&column.column)
        .then(page::bars(Size { width: 720, height: 90 }, &bars))
        .then(page::table(&headers, &rows))
        .then(small)
}

/// What the search found.
pub(super) fn search(search: &Search, loss: &str) -> Html {
    let how = format!(
        "Searched: {} and their pairs, {} of at least {}; Welch's t-test against all other rows, corrected over all tries (Bonferroni).",
        search.columns.join(", "),
        text::counted(search.tried, "slice"),
        text::counted(search.rows_min, "row")
    );
    if search.found.is_empty() {
        return Html::paragraph("No slice is worse than the rest beyond chance.").then(Html::note(&how));
    }
    let row = |found: &Found| {
        let condition = |(column, value): &(String, String)| format!("{column}: {value}");
        vec![
            Cell::text(found.conditions.iter().map(condition).collect::<Vec<_>>().join(" and ")),
            Cell::count(found.rows),
            Cell::number(found.loss),
            Cell::number(found.other),
            Cell::Number(found.p.to_string()),
        ]
    };
    let rows: Vec<Vec<Cell>> = search.found.iter().map(row).collect();
    let mean = format!("mean {loss}");
    page::table(&["slice", "rows", &mean, "all other rows", "p"], &rows).then(Html::note(&how))
}

/// The declared groups; nothing where there are none.
pub(super) fn fairness(evaluation: &Evaluation) -> Option<Html> {
    let pieces = evaluation.fairness.iter().map(|column| fair(column, evaluation.difference.loss.name()));
    pieces.reduce(Html::then)
}

fn fair(column: &FairColumn, loss: &str) -> Html {
    let mean = format!("mean {loss}");
    let mut headers = vec!["group", "rows", mean.as_str()];
    let is_binary = column.groups.iter().any(|group| group.selection_rate.is_some());
    if is_binary {
        headers.extend(["selection rate", "true positive rate", "false positive rate"]);
    }
    let row = |group: &FairGroup| {
        let mut cells = vec![Cell::text(&group.value), Cell::count(group.rows), Cell::number(group.loss)];
        if is_binary {
            let rates = [group.selection_rate, group.true_positive_rate, group.false_positive_rate];
            cells.extend(rates.map(Cell::optional));
        }
        cells
    };
    let groups: Vec<Vec<Cell>> = column.groups.iter().map(row).collect();
    let row = |measure: &FairMeasure| {
        let interval = measure.interval.map_or_else(
            || "–".to_owned(),
            |interval| format!("{} to {}", text::number(interval.low), text::number(interval.high)),
        );
        vec![Cell::code(measure.measure.name()), Cell::optional(measure.value), Cell::Number(interval)]
    };
    let measures: Vec<Vec<Cell>> = column.measures.iter().map(row).collect();
    let small = match column.small.as_slice() {
        [] => Html::empty(),
        small => {
            Html::note(&format!("Not compared, of fewer than {SLICE_ROWS_MIN} rows: {}.", small.join(", ")))
        }
    };
    Html::heading(&column.column)
        .then(page::table(&headers, &groups))
        .then(page::table(&["between groups", "value", "interval"], &measures))
        .then(small)
}
