//! How the checks of the data read: leaks, duplicates, labels.

use crate::evaluation::leakage::{ColumnScore, Leak};
use crate::evaluation::{Checks, Evaluation};
use crate::page::{self, Bar, Cell, Html, Size, Tone};
use crate::text;

/// Columns whose scores are shown; the JSON has them all.
const SHOWN_SCORES_MAX: usize = 12;

/// The section.
pub(super) fn checks(evaluation: &Evaluation, checks: &Checks) -> Html {
    let mut rows: Vec<Vec<Cell>> = checks.leaks.iter().map(leak).collect();
    if rows.is_empty() {
        rows.push(vec![
            Cell::badge(Tone::Good, "leakage"),
            Cell::text(format!(
                "no column predicts the target almost alone (from {})",
                text::number(checks.bound)
            )),
        ]);
    }
    rows.push(vec![
        badge("duplicates", checks.duplicates == 0),
        Cell::text(format!(
            "{} of {} withheld rows are among the training rows, target and all",
            text::count(checks.duplicates),
            text::count(evaluation.rows)
        )),
    ]);
    let labels = &checks.labels;
    let p = labels.significance.as_ref().map_or_else(|| "–".to_owned(), |found| found.p.to_string());
    let moved = if labels.shifted { "moved" } else { "is alike" };
    rows.push(vec![
        badge("target", !labels.shifted && !labels.constant),
        Cell::text(if labels.constant {
            "every withheld row has the same target".to_owned()
        } else {
            format!(
                "between training and withheld rows it {moved}: distance {}, p {p}",
                text::number(labels.distance)
            )
        }),
    ]);
    rows.push(vec![
        badge("missing targets", labels.missing == 0),
        Cell::text(format!(
            "{} had no target and were left out",
            text::counted(labels.missing, "selected row")
        )),
    ]);
    page::table(&["check", "found"], &rows).then(classes(evaluation, checks)).then(scores(checks))
}

fn badge(name: &str, fine: bool) -> Cell {
    Cell::badge(if fine { Tone::Good } else { Tone::Warning }, name)
}

fn leak(leak: &Leak) -> Vec<Cell> {
    vec![badge("leakage", false), Cell::text(sentence(leak))]
}

/// A leak in words.
pub(super) fn sentence(leak: &Leak) -> String {
    let score = text::number(leak.score);
    match &leak.with {
        None => format!("{} predicts the target almost alone (score {score})", leak.column),
        Some(ColumnScore { column, score: together }) => format!(
            "{} makes up the target together with {column} (R² {}; alone {score})",
            leak.column,
            text::number(*together)
        ),
    }
}

fn classes(evaluation: &Evaluation, checks: &Checks) -> Html {
    if checks.labels.classes.is_empty() {
        return Html::empty();
    }
    let row = |share: &crate::evaluation::labels::ClassShare| {
        let name = evaluation.classes.get(share.class).cloned();
        vec![
            Cell::text(name.unwrap_or_else(|| format!("class {}", share.class + 1))),
            Cell::percent(share.train),
            Cell::percent(share.test),
        ]
    };
    let rows: Vec<Vec<Cell>> = checks.labels.classes.iter().map(row).collect();
    page::table(&["class", "of the training rows", "of the withheld rows"], &rows)
}

fn scores(checks: &Checks) -> Html {
    let shown = &checks.scores[..checks.scores.len().min(SHOWN_SCORES_MAX)];
    let bar = |score: &ColumnScore| Bar {
        label: format!("{}: {}", score.column, text::number(score.score)),
        value: score.score,
    };
    let bars: Vec<Bar> = shown.iter().map(bar).collect();
    let row = |score: &ColumnScore| vec![Cell::code(&score.column), Cell::number(score.score)];
    let rows: Vec<Vec<Cell>> = shown.iter().map(row).collect();
    Html::heading("What each column predicts alone")
        .then(page::bars(Size { width: 720, height: 90 }, &bars))
        .then(page::table(&["column", "score"], &rows))
        .then(Html::note(&format!(
            "The share of the naive loss that the column takes away by itself, learned from {} training rows and measured on {} withheld rows: R² for a number, McFadden's for classes.",
            text::count(checks.rows[0]),
            text::count(checks.rows[1])
        )))
}
