//! What a person reads about a file: did it keep its contract, what is wrong with it, what it holds.

use serde::{Deserialize, Serialize};

use crate::check::Violation;
use crate::contract::{Contract, Severity};
use crate::intake::{Outcome, Verdict};
use crate::page::{self, Bar, Cell, Html, Page, Size, Tone};
use crate::profile::{ColumnProfile, NumberProfile, Profile};
use crate::table::Kind;
use crate::text;

/// The report in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataReport {
    /// The file as the person named it.
    pub file: String,
    /// The contract's name and version.
    pub contract: String,
    /// Whether it kept its contract.
    pub verdict: Verdict,
    /// Why it was rejected.
    pub reasons: Vec<String>,
    /// Everything that was broken.
    pub violations: Vec<Violation>,
    /// Columns that the contract does not know.
    pub unknown_columns: Vec<String>,
    /// Rows read.
    pub rows_read: u64,
    /// Rows that kept the contract.
    pub rows_good: u64,
    /// Rows in quarantine.
    pub rows_bad: u64,
    /// Of the file's bytes.
    pub content: domain::Digest,
    /// What the good rows hold.
    pub profile: Profile,
}

impl DataReport {
    /// The report of an intake.
    pub fn of(file: &str, contract: &Contract, outcome: &Outcome) -> DataReport {
        DataReport {
            file: file.to_owned(),
            contract: format!("{} {}", contract.name, contract.version),
            verdict: outcome.verdict,
            reasons: outcome.reasons.clone(),
            violations: outcome.violations.clone(),
            unknown_columns: outcome.unknown_columns.clone(),
            rows_read: outcome.rows_read,
            rows_good: outcome.rows_good,
            rows_bad: outcome.rows_bad,
            content: outcome.content,
            profile: outcome.profile.clone(),
        }
    }

    /// The page.
    pub fn html(&self) -> String {
        let subtitle = format!("{} · held against {} · {}", self.file, self.contract, self.content.short());
        let reasons = Html::list(self.reasons.iter().map(|reason| Html::text(reason)));
        let mut page = Page::new("Data report").subtitle(Html::text(&subtitle));
        page = match (self.verdict, self.rows_bad) {
            (Verdict::Rejected, _) => {
                page.banner(Tone::Bad, "Rejected: the file breaks its contract", reasons)
            }
            (Verdict::Accepted, 0) => {
                page.banner(Tone::Good, "Accepted: every row keeps the contract", Html::empty())
            }
            (Verdict::Accepted, bad) => {
                let told = format!(
                    "{} went to quarantine, within what the contract tolerates",
                    text::counted(bad, "bad row")
                );
                page.banner(Tone::Warning, "Accepted, with bad rows", Html::text(&told))
            }
        };
        page = page.add(page::figures(&[
            ("rows read", text::count(self.rows_read)),
            ("good rows", text::count(self.rows_good)),
            ("bad rows", text::count(self.rows_bad)),
            ("rules broken", self.violations.len().to_string()),
        ]));
        if !self.violations.is_empty() {
            page = page.section("What is wrong", violations_table(&self.violations));
        }
        if !self.unknown_columns.is_empty() {
            let told = format!(
                "The contract does not know {}; left out of the part.",
                self.unknown_columns.join(", ")
            );
            page = page.section("Unknown columns", Html::paragraph(&told));
        }
        let holds = match self.rows_good {
            0 => Html::note("No row is good, so there is nothing to describe."),
            _ => columns_table(&self.profile),
        };
        page.section("What the good rows hold", holds).finish()
    }

    /// The same for a terminal of some columns.
    pub fn terminal(&self, width: usize) -> String {
        let verdict = if self.verdict == Verdict::Accepted { "accepted" } else { "rejected" };
        let mut lines = vec![format!(
            "{}: {verdict} · {} rows read, {} good, {} bad",
            text::terminal(&self.file),
            text::count(self.rows_read),
            text::count(self.rows_good),
            text::count(self.rows_bad)
        )];
        lines.extend(self.reasons.iter().map(|reason| format!("  {}", text::terminal(reason))));
        // A reason may be longer than a line, and ends with what to do.
        let whole = lines.len();
        for violation in &self.violations {
            let column = violation.column.as_deref().unwrap_or("the file");
            let mark = if violation.severity == Severity::Error { "✕" } else { "!" };
            lines.push(String::new());
            lines.push(
                text::terminal(&format!(
                    "{mark} {column}: {}: {} ({}), expected {}",
                    violation.rule,
                    text::counted(violation.count, "case"),
                    text::percent(violation.percent / 100.0),
                    violation.expected
                ))
                .into_owned(),
            );
            for example in &violation.examples {
                let told = format!("    {}: {:?}", example.place(), example.found);
                lines.push(text::terminal(&told).into_owned());
            }
            lines.push(text::terminal(&format!("    to accept it: {}", violation.acceptance)).into_owned());
        }
        if !self.unknown_columns.is_empty() {
            let unknown = format!("! the contract does not know: {}", self.unknown_columns.join(", "));
            lines.push(text::terminal(&unknown).into_owned());
        }
        for line in &mut lines[whole..] {
            *line = text::cut(line, width.max(40)).into_owned();
        }
        lines.join("\n")
    }
}

fn violations_table(violations: &[Violation]) -> Html {
    let rows: Vec<Vec<Cell>> = violations
        .iter()
        .map(|violation| {
            let tone = if violation.severity == Severity::Error { Tone::Bad } else { Tone::Warning };
            let example = |e: &crate::check::Example| Html::text(&format!("{}: {}", e.place(), e.found));
            vec![
                Cell::Code(violation.column.clone().unwrap_or_else(|| "the file".into())),
                Cell::badge(tone, &violation.rule),
                Cell::count(violation.count),
                Cell::percent(violation.percent / 100.0),
                Cell::text(violation.expected.clone()),
                Cell::Html(Html::list(violation.examples.iter().map(example))),
                Cell::text(violation.acceptance.clone()),
            ]
        })
        .collect();
    page::table(&["column", "rule", "cases", "of rows", "expected", "examples", "to accept it"], &rows)
}

fn columns_table(profile: &Profile) -> Html {
    let rows: Vec<Vec<Cell>> = profile
        .columns
        .iter()
        .map(|column| {
            let missing = if profile.rows == 0 { 0.0 } else { column.missing as f64 / profile.rows as f64 };
            let numbers = column.numbers.as_ref();
            vec![
                Cell::Code(column.name.clone()),
                Cell::text(format!("{:?}", column.kind).to_lowercase()),
                Cell::percent(missing),
                Cell::Number(distinct_text(column)),
                end_cell(column, column.minimum.as_deref()),
                Cell::optional(numbers.map(|numbers| numbers.quantiles[3])),
                Cell::optional(numbers.map(|numbers| numbers.mean)),
                end_cell(column, column.maximum.as_deref()),
                Cell::Html(chart(column)),
            ]
        })
        .collect();
    let headers =
        ["column", "holds", "missing", "distinct", "least", "median", "mean", "greatest", "distribution"];
    page::table(&headers, &rows)
}

fn distinct_text(column: &ColumnProfile) -> String {
    let count = text::count(column.distinct);
    if column.distinct_exact { count } else { format!("> {count}") }
}

/// The histogram of numbers, or the most frequent values.
/// Steps of equal width in which a distribution of numbers is drawn.
const STEPS: usize = 16;

/// A column's numbers as they are spread: labels and rows of steps of equal width. The profile's
/// own bars hold about equally many rows each, so that their heights would tell nothing; rows are
/// taken to lie evenly within one. The outer hundredths lie in the outer steps, so that a few
/// extreme values do not press all others into one. Few different values are shown as they are.
fn shape(column: &ColumnProfile, numbers: &NumberProfile) -> Vec<(String, f64)> {
    let as_they_are = || {
        let label = |index: usize| match index.checked_sub(1).and_then(|index| numbers.edges.get(index)) {
            Some(edge) => format!("from {}", text::number(*edge)),
            None => "the smallest".to_owned(),
        };
        numbers.bars.iter().enumerate().map(|(index, rows)| (label(index), *rows as f64)).collect()
    };
    let (low, high) = (numbers.quantiles[0], numbers.quantiles[6]);
    let are_few = column.distinct_exact && column.distinct <= numbers.bars.len() as u64;
    if are_few || numbers.edges.is_empty() || high <= low || !(high - low).is_finite() {
        return as_they_are();
    }
    let width = (high - low) / STEPS as f64;
    let mut steps = vec![0.0; STEPS];
    for (index, rows) in numbers.bars.iter().enumerate() {
        let rows = *rows as f64;
        let from = index.checked_sub(1).map_or(low, |index| numbers.edges[index].clamp(low, high));
        let to = numbers.edges.get(index).map_or(high, |edge| edge.clamp(low, high)).max(from);
        let step_of = |value: f64| (((value - low) / width) as usize).min(STEPS - 1);
        if to <= from {
            steps[step_of(from)] += rows;
            continue;
        }
        for (step, total) in steps.iter_mut().enumerate().take(step_of(to) + 1).skip(step_of(from)) {
            let (begins, ends) = (low + step as f64 * width, low + (step + 1) as f64 * width);
            *total += rows * ((ends.min(to) - begins.max(from)) / (to - from)).max(0.0);
        }
    }
    let label = |step: usize| format!("from {}", text::number(low + step as f64 * width));
    steps.into_iter().enumerate().map(|(step, rows)| (label(step), rows)).collect()
}

/// The smallest or greatest value: a moment without the parts that say nothing.
fn end_cell(column: &ColumnProfile, value: Option<&str>) -> Cell {
    match (value, column.kind) {
        (None, _) => Cell::text("–"),
        (Some(moment), Kind::Timestamp) => {
            Cell::whole(moment.trim_end_matches('Z').trim_end_matches(".000").replace('T', " "))
        }
        (Some(day), Kind::Date) => Cell::whole(day),
        (Some(value), _) => Cell::text(value),
    }
}

fn chart(column: &ColumnProfile) -> Html {
    let bars: Vec<Bar> = match &column.numbers {
        Some(numbers) => shape(column, numbers)
            .into_iter()
            .map(|(label, rows)| Bar {
                label: format!("{label}: about {}", text::count(rows.round() as u64)),
                value: rows,
            })
            .collect(),
        None => column
            .top
            .iter()
            .map(|(value, count)| Bar { label: format!("{value}: {count}"), value: *count as f64 })
            .collect(),
    };
    if bars.is_empty() { Html::text("–") } else { page::bars(Size::SPARK, &bars) }
}

/// A profile's page, for a file that no contract speaks of.
pub fn profile_html(file: &str, profile: &Profile) -> String {
    let missing: u64 = profile.columns.iter().map(|column| column.missing).sum();
    Page::new("Profile")
        .subtitle(Html::text(file))
        .add(page::figures(&[
            ("rows", text::count(profile.rows)),
            ("columns", profile.columns.len().to_string()),
            ("missing cells", text::count(missing)),
        ]))
        .section("Columns", columns_table(profile))
        .section("Most frequent values", top_table(profile))
        .finish()
}

fn top_table(profile: &Profile) -> Html {
    let rows: Vec<Vec<Cell>> = profile
        .columns
        .iter()
        .filter(|column| !column.top.is_empty() && column.numbers.is_none())
        .map(|column| {
            let top: Vec<String> =
                column.top.iter().map(|(value, count)| format!("{value} ({count})")).collect();
            vec![Cell::Code(column.name.clone()), Cell::text(top.join(", "))]
        })
        .collect();
    if rows.is_empty() {
        Html::note("No column repeats its values.")
    } else {
        page::table(&["column", "values"], &rows)
    }
}

/// A profile for a terminal: a line for each column as cells, sparkline last.
pub fn profile_rows(profile: &Profile) -> Vec<Vec<String>> {
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), text::number);
    profile
        .columns
        .iter()
        .map(|column| {
            let missing = if profile.rows == 0 { 0.0 } else { column.missing as f64 / profile.rows as f64 };
            let numbers = column.numbers.as_ref();
            let counts: Vec<f64> = match numbers {
                Some(numbers) => shape(column, numbers).into_iter().map(|(_, rows)| rows).collect(),
                None => column.top.iter().map(|(_, count)| *count as f64).collect(),
            };
            let end = |value: &Option<String>| text::cut(value.as_deref().unwrap_or("–"), 24).into_owned();
            vec![
                column.name.clone(),
                format!("{:?}", column.kind).to_lowercase(),
                text::percent(missing),
                distinct_text(column),
                end(&column.minimum),
                optional(numbers.map(|numbers| numbers.quantiles[3])),
                optional(numbers.map(|numbers| numbers.mean)),
                end(&column.maximum),
                text::sparkline(&counts),
            ]
        })
        .collect()
}

/// The headers of [`profile_rows`].
pub const PROFILE_HEADERS: [&str; 9] =
    ["column", "holds", "missing", "distinct", "least", "median", "mean", "greatest", "distribution"];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::intake::{Intake, IntakeOptions};

    fn report(csv: &[u8]) -> DataReport {
        let text = "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    properties:\n      - {name: a, logicalType: string, logicalTypeOptions: {maxLength: 4}}\n";
        let contract = Arc::new(Contract::parse("c", text).unwrap());
        let options = IntakeOptions { file: "f".into(), split: None, now: domain::Time::default() };
        let mut intake = Intake::new(&contract, options);
        intake.push(csv);
        DataReport::of("<b>f</b>", &contract, &intake.finish())
    }

    #[test]
    fn hostile_cells_and_names_are_shown_not_obeyed() {
        let report = report(b"a\n<script>alert(1)</script>\n\"\x1b[31mred\"\n");
        let html = report.html();
        assert!(!html.contains("<script>") && !html.contains("<b>f</b>"));
        assert!(html.contains("&lt;script&gt;"));
        assert!(!report.terminal(120).contains('\u{1b}'));
    }

    #[test]
    fn a_rejection_says_what_is_wrong_where_and_how_to_accept_it() {
        let told = report(b"a\nfine\ntoolong\n").terminal(200);
        assert!(told.contains("rejected · 2 rows read, 1 good, 1 bad"), "{told}");
        assert!(told.contains("1 of 2 rows are bad (50.0 %), the contract tolerates 0 %"), "{told}");
        assert!(told.contains("row 2, line 3: \"toolong\""), "{told}");
        assert!(told.contains("to accept it: widen minLength or maxLength of a"), "{told}");
    }

    #[test]
    fn a_distribution_is_drawn_over_steps_of_equal_width() {
        use crate::profile::Profiler;
        use crate::table::{Batch, Column, Schema};

        // A tent: few at the ends, most in the middle, which bars of equal counts would hide.
        let mut values: Vec<Option<f64>> = Vec::new();
        for place in 1_u32..=400 {
            let height = 1 + place.min(401 - place) / 10;
            values.extend((0..height).map(|_| Some(f64::from(place))));
        }
        let rows = values.len() as f64;
        let schema = Arc::new(Schema::of([("a", Kind::Number)]));
        let mut profiler = Profiler::new(&schema, &[]);
        profiler.push(&Batch::new(schema.clone(), vec![Column::Number(values)]));
        let profile = profiler.finish();
        let column = &profile.columns[0];
        let steps: Vec<f64> =
            shape(column, column.numbers.as_ref().unwrap()).into_iter().map(|(_, rows)| rows).collect();
        assert_eq!(steps.len(), STEPS);
        assert!((steps.iter().sum::<f64>() - rows).abs() < 1e-6, "{steps:?}");
        let middle = steps[7].min(steps[8]);
        assert!(middle > 2.5 * steps[1] && middle > 2.5 * steps[14], "{steps:?}");
    }

    #[test]
    fn where_no_row_is_good_nothing_is_described() {
        let html = report(b"a\ntoolong\n").html();
        assert!(html.contains("No row is good, so there is nothing to describe."), "{html}");
    }

    #[test]
    fn the_report_reads_back_from_its_json() {
        let report = report(b"a\nx\n");
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<DataReport>(&text).unwrap(), report);
    }
}
