//! How does a drift check read as a page?

use domain::row::CheckVerdict;

use crate::drift::{
    Bar, ColumnReport, ColumnVerdict, DriftReport, ErrorChange, ErrorVerdict, Finding, Role, Subject,
};
use crate::page::{self, Cell, Html, Page, Size, Tone};
use crate::statistics::DistanceMethod;
use crate::text;

/// Most columns drawn: a page of thousands of charts helps nobody; the JSON has them all.
const DRAWN_MAX: usize = 120;

/// Characters of a cell's label inside a card.
const LABEL_CHARS_MAX: usize = 18;

/// The page of a drift check. `subtitle` says what was compared with what, and when.
pub fn html(report: &DriftReport, title: &str, subtitle: &str) -> String {
    let (changed, calm): (Vec<&ColumnReport>, Vec<&ColumnReport>) =
        report.columns.iter().partition(|column| column.verdict >= ColumnVerdict::Warning);
    let reasons = Html::list(report.reasons.iter().map(|reason| Html::text(reason)));
    let mut page = Page::new(title)
        .subtitle(Html::text(subtitle))
        .banner(tone(report.verdict), headline(report.verdict), reasons)
        .add(figures(report));
    if let Some(error) = &report.error {
        page = page.section("The model's error", error_section(error));
    }
    if !changed.is_empty() {
        page = page.section("What has changed", legend().then(cards(&changed)));
    }
    page = page.section("All columns", all_columns(report));
    if !calm.is_empty() {
        let summary = text::counted(calm.len() as u64, "column") + " without a finding";
        page = page.section("The rest", Html::details(&summary, legend().then(cards(&calm))));
    }
    page.section("How this was measured", method(report)).finish()
}

fn tone(verdict: CheckVerdict) -> Tone {
    match verdict {
        CheckVerdict::Ok => Tone::Good,
        CheckVerdict::Warning => Tone::Warning,
        CheckVerdict::Drift | CheckVerdict::ConceptDrift => Tone::Bad,
        CheckVerdict::InsufficientData => Tone::Plain,
    }
}

fn headline(verdict: CheckVerdict) -> &'static str {
    match verdict {
        CheckVerdict::Ok => "No drift: the window looks like the reference",
        CheckVerdict::Warning => "Warning: something to look at",
        CheckVerdict::Drift => "Drift: the window is no longer like the reference",
        CheckVerdict::ConceptDrift => "Concept drift: the model errs more than it did",
        CheckVerdict::InsufficientData => "Insufficient data: too few rows to say",
    }
}

fn column_tone(verdict: ColumnVerdict) -> Tone {
    match verdict {
        ColumnVerdict::NotCompared => Tone::Plain,
        ColumnVerdict::Ok => Tone::Good,
        ColumnVerdict::Warning => Tone::Warning,
        ColumnVerdict::Drift => Tone::Bad,
    }
}

fn figures(report: &DriftReport) -> Html {
    let of =
        |verdict: ColumnVerdict| report.columns.iter().filter(|column| column.verdict == verdict).count();
    let compared = report.columns.len() - of(ColumnVerdict::NotCompared) + report.absent.len();
    let drifted = of(ColumnVerdict::Drift) + report.absent.len();
    let mut facts = vec![
        ("rows in the window", text::count(report.rows_current)),
        ("rows in the reference", text::count(report.rows_reference)),
        ("columns drifted", format!("{drifted} of {compared}")),
    ];
    if let Some(ratio) = report.error.as_ref().and_then(|error| error.ratio) {
        facts.push(("loss now / at registration", format!("× {ratio:.2}")));
    }
    if let Some(staleness) = &report.staleness {
        facts.push(("age of the newest training data", text::counted(staleness.days.unsigned_abs(), "day")));
    }
    page::figures(&facts)
}

fn legend() -> Html {
    Html::note(
        "Grey: share of the reference's values. Blue: share of the window's. Bins were frozen with the reference; the outer ones are open.",
    )
}

fn cards(columns: &[&ColumnReport]) -> Html {
    let drawn = page::grid(columns.iter().take(DRAWN_MAX).map(|column| card(column)));
    if columns.len() <= DRAWN_MAX {
        return drawn;
    }
    drawn.then(Html::note(&format!("{} more are in the report's JSON.", columns.len() - DRAWN_MAX)))
}

fn card(column: &ColumnReport) -> Html {
    let mut title =
        Html::code(&column.name).then(Html::badge(column_tone(column.verdict), column.verdict.name()));
    if column.role == Role::Prediction {
        title = title.then(Html::badge(Tone::Plain, "the model's answers"));
    }
    let mut inside = Html::empty();
    if !column.bars.is_empty() {
        inside = inside.then(chart(Size::CARD, &column.bars));
    }
    if !column.note.is_empty() {
        inside = inside.then(Html::note(&column.note));
    }
    let mut facts: Vec<(&str, Html)> = Vec::new();
    for finding in &column.findings {
        facts.push((finding.subject.name(), Html::text(&measured(finding))));
    }
    if let (Some(before), Some(now)) = (column.moments_reference, column.moments_current) {
        facts.push(("mean", moved(text::number(before.mean), text::number(now.mean))));
        facts.push(("deviation", moved(text::number(before.deviation), text::number(now.deviation))));
    }
    if column.missing != [0.0, 0.0] {
        facts.push(("missing", moved(text::percent(column.missing[0]), text::percent(column.missing[1]))));
    }
    if !column.new.is_empty() {
        let names: Vec<String> = column
            .new
            .iter()
            .map(|(name, rows)| {
                format!("{} ({})", text::cut(name, text::SHOWN_CHARS_MAX), text::count(*rows))
            })
            .collect();
        facts.push(("new", Html::text(&names.join(", "))));
    }
    inside = inside.then(page::facts(&facts));
    if !column.bars.is_empty() {
        inside = inside.then(Html::details("all numbers", numbers(column)));
    }
    page::card(title, inside)
}

fn moved(before: String, now: String) -> Html {
    Html::text(&format!("{before} → {now}"))
}

/// A finding's size against what is drift, what chance gives, and its p-value.
fn measured(finding: &Finding) -> String {
    let p = finding.p_adjusted.map_or_else(|| "not tested".to_owned(), |p| format!("adjusted p {p}"));
    match finding.subject {
        Subject::Distribution => {
            let chance = finding
                .effect_by_chance
                .map_or_else(String::new, |chance| format!("; chance gives {chance:.3}"));
            format!("{:.3} (drift from {}{chance}), {p}", finding.effect.value, finding.effect_drift)
        }
        Subject::Missing | Subject::NewCategories => {
            format!(
                "{:+.1} points (drift from {}), {p}",
                finding.effect.value * 100.0,
                finding.effect_drift * 100.0
            )
        }
    }
}

fn chart(size: Size, bars: &[Bar]) -> Html {
    let series = |share: fn(&Bar) -> f64, whose: &str| -> Vec<page::Bar> {
        let label = |bar: &Bar| format!("{}: {} of {whose}", bar.label, text::percent(share(bar)));
        bars.iter().map(|bar| page::Bar { label: label(bar), value: share(bar) }).collect()
    };
    let reference = series(|bar| bar.reference_share, "the reference");
    let current = series(|bar| bar.current_share, "the window");
    page::paired_bars(size, &reference, &current)
}

/// The cells as figures and the distances, laid out for the width of a card.
fn numbers(column: &ColumnReport) -> Html {
    let labels: Vec<_> = column.bars.iter().map(|bar| text::cut(&bar.label, LABEL_CHARS_MAX)).collect();
    // One percent sign for both: a line of a card holds no more.
    let share = |bar: &Bar| {
        let before = text::percent(bar.reference_share);
        moved(before.trim_end_matches(" %").to_owned(), text::percent(bar.current_share))
    };
    let pairs: Vec<(&str, Html)> =
        labels.iter().zip(&column.bars).map(|(label, bar)| (label.as_ref(), share(bar))).collect();
    let mut lines = Vec::new();
    for distance in &column.distances {
        let chance = match (&distance.method, column.stability_by_chance) {
            (DistanceMethod::PopulationStabilityIndex { .. }, Some(chance)) => {
                format!(" (chance gives up to {chance:.3})")
            }
            _ => String::new(),
        };
        lines.push(format!("{}: {:.3}{chance}", distance.method.name(), distance.value));
    }
    for test in column.findings.iter().filter_map(|finding| finding.test.as_ref()) {
        let statistic = text::number(test.statistic);
        lines.push(format!("{}: {statistic}, p {} unadjusted", test.method.name(), test.p));
    }
    page::facts(&pairs).then(Html::list(lines.iter().map(|line| Html::text(line))).wrapped("div", "note"))
}

fn all_columns(report: &DriftReport) -> Html {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for name in &report.absent {
        rows.push(vec![
            Cell::code(name),
            Cell::badge(Tone::Bad, "absent"),
            Cell::text("not in the window"),
            Cell::Number("–".to_owned()),
            Cell::Number("–".to_owned()),
            Cell::text(""),
        ]);
    }
    for (place, column) in report.columns.iter().enumerate() {
        let leading = column.leading();
        let what = leading.map_or(column.note.as_str(), |finding| finding.subject.name());
        let drawn = place < DRAWN_MAX && !column.bars.is_empty();
        rows.push(vec![
            Cell::code(&column.name),
            Cell::badge(column_tone(column.verdict), column.verdict.name()),
            Cell::text(what),
            Cell::Number(leading.map_or_else(|| "–".to_owned(), size)),
            Cell::Number(
                leading
                    .and_then(|finding| finding.p_adjusted)
                    .map_or_else(|| "–".to_owned(), |p| p.to_string()),
            ),
            if drawn { Cell::Html(chart(Size::SPARK, &column.bars)) } else { Cell::text("") },
        ]);
    }
    for name in &report.unknown {
        rows.push(vec![
            Cell::code(name),
            Cell::badge(Tone::Plain, "unknown"),
            Cell::text("not in the reference"),
        ]);
    }
    page::table(
        &["column", "verdict", "largest change in", "size", "adjusted p", "reference and window"],
        &rows,
    )
}

fn size(finding: &Finding) -> String {
    match finding.subject {
        Subject::Distribution => format!("{:.3}", finding.effect.value),
        Subject::Missing | Subject::NewCategories => format!("{:+.1} points", finding.effect.value * 100.0),
    }
}

fn error_section(error: &ErrorChange) -> Html {
    let meaning = match error.verdict {
        ErrorVerdict::InsufficientData => "Too few labels have come to judge the error.",
        ErrorVerdict::Steady => "The interval holds zero: no change beyond chance.",
        ErrorVerdict::Smaller => "The error is smaller than it was, beyond chance.",
        ErrorVerdict::Larger => "The error is larger beyond chance, but maybe by less than matters.",
        ErrorVerdict::Grown => "The error has grown, beyond chance and by more than matters.",
    };
    let name = error.loss.name();
    let mut pairs = vec![
        ("mean ".to_owned() + name, moved(text::number(error.reference), text::number(error.current))),
        (
            "labelled rows".to_owned(),
            moved(text::count(error.rows_reference), text::count(error.rows_current)),
        ),
        (
            "change".to_owned(),
            Html::text(&format!(
                "{} ({} interval {} to {}, Welch)",
                text::number(error.difference),
                error.interval.confidence_shown(),
                text::number(error.interval.low),
                text::number(error.interval.high)
            )),
        ),
    ];
    if let Some([before, now]) = error.roots {
        pairs.insert(
            0,
            ("root mean squared error".to_owned(), moved(text::number(before), text::number(now))),
        );
    }
    let named: Vec<(&str, Html)> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let mut section = Html::paragraph(meaning).then(page::facts(&named));
    if error.verdict == ErrorVerdict::InsufficientData {
        return section;
    }
    let widest = error.interval.high.abs().max(error.interval.low.abs()) * 1.1;
    let interval =
        page::Interval { low: error.interval.low, estimate: error.difference, high: error.interval.high };
    section = section
        .then(page::interval(Size { width: 720, height: 36 }, (-widest, widest), Some(0.0), &interval))
        .then(Html::note(
            "Change of the mean loss with its interval; the dashed line is no change, right of it is worse.",
        ));
    if !matches!(error.verdict, ErrorVerdict::Grown | ErrorVerdict::Larger) {
        return section;
    }
    if error.explained.is_empty() {
        return section.then(Html::paragraph(
            "No column's movement explains the growth: the same inputs now mean something else. Learning again on newer rows is what helps.",
        ));
    }
    let rows: Vec<Vec<Cell>> = error
        .explained
        .iter()
        .map(|share| vec![Cell::code(&share.column), Cell::percent(share.share)])
        .collect();
    section
        .then(Html::heading("What explains the growth"))
        .then(page::table(&["column", "share of the growth its movement explains"], &rows))
        .then(Html::note("Each share asks how much the error would have grown had only this column's distribution moved and the model erred in each bin as before. Columns that move together share the same part, so shares do not add up."))
}

fn method(report: &DriftReport) -> Html {
    let options = &report.options;
    let pairs: Vec<(&str, Html)> = vec![
        (
            "drift",
            Html::text("needs a change of at least the floor and an adjusted p-value at or below the level"),
        ),
        (
            "distribution",
            Html::text(&format!(
                "Jensen–Shannon distance, base 2, on bins frozen with the reference; floor {}, warning from {}. Two-sample chi-square test on the same bins, bins with fewer than 5 expected rows pooled, or tested apart by Fisher's exact test",
                options.distance_drift, options.distance_warning
            )),
        ),
        (
            "missing, new values",
            Html::text(&format!(
                "change of share; floor {}, warning from {}. Fisher's exact test, or the two-proportion z-test where counts are large",
                text::percent(options.share_drift),
                text::percent(options.share_warning)
            )),
        ),
        (
            "level",
            Html::text(&format!(
                "{} after Benjamini–Hochberg over {}: if nothing changed, at most that share of checks calls anything. Repeated checks are not corrected for each other",
                options.alpha,
                text::counted(report.tests as u64, "test")
            )),
        ),
        ("minimum", Html::text(&format!("{} rows, {} labels", options.minimum_rows, options.minimum_labels))),
        (
            "concept drift",
            Html::text(&format!(
                "the lower end of the {} interval of the loss's growth is at least {} of the reference loss",
                text::number(options.loss_confidence * 100.0) + " %",
                text::percent(options.loss_growth)
            )),
        ),
    ];
    page::facts(&pairs)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::baseline::{BaselineBuilder, Counter};
    use crate::drift::{DriftOptions, Window, check};
    use crate::table::{Batch, Column, Schema};

    #[test]
    fn names_and_values_from_outside_are_escaped() {
        let hostile = "<script>alert(1)</script>";
        let batch = |value: &str, rows: usize| {
            let schema = Schema::of([(hostile, crate::table::Kind::Text)]);
            Batch::new(Arc::new(schema), vec![Column::Text(vec![Some(value.to_owned()); rows])])
        };
        let mut builder = BaselineBuilder::new(batch("", 0).schema());
        builder.push(&batch("a", 500));
        let baseline = builder.finish();
        let mut counter = Counter::new(&baseline);
        counter.push(&batch(hostile, 500));
        let counts = counter.finish();
        let window = Window { counts: &counts, errors: None, now: None };
        let report = check(&baseline, &window, &DriftOptions::default());
        let page = html(&report, hostile, hostile);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
        assert!(page.contains("Drift: the window is no longer like the reference"));
        assert_eq!(page, html(&report, hostile, hostile));
        let lines = crate::drift::terminal(&report, 80);
        assert!(lines.starts_with("DRIFT"));
    }
}
