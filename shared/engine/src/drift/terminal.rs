//! How does a drift report read in a terminal?

use std::fmt::Write as _;

use super::{ColumnReport, DriftReport, Role};
use crate::text;

/// Narrowest and widest layout.
const WIDTHS: (usize, usize) = (60, 160);

/// The report as lines of plain text, at most `width` columns wide (60 at least).
pub fn terminal(report: &DriftReport, width: usize) -> String {
    let width = width.clamp(WIDTHS.0, WIDTHS.1);
    let mut out = String::new();
    let rows = format!(
        "{} against {} of reference",
        text::counted(report.rows_current, "row"),
        text::count(report.rows_reference)
    );
    let _ = writeln!(out, "{}  {rows}\n", report.verdict.to_string().to_uppercase());
    for reason in &report.reasons {
        wrap(&mut out, reason, width);
    }
    let name_width =
        report.columns.iter().map(|column| text::width(&column.name)).max().unwrap_or(0).clamp(6, 28);
    // Verdict, size, p and two sparklines take 58 columns beside the name.
    let drawn = width >= name_width + 58;
    let header = format!(
        "{} {:<12} {:>9} {:>8}",
        text::fit("column", name_width + 2),
        "verdict",
        "distance",
        "adj. p"
    );
    let _ = write!(out, "\n{header}");
    let _ = writeln!(out, "{}", if drawn { "  reference   current" } else { "" });
    for column in &report.columns {
        line(&mut out, column, name_width, drawn);
    }
    for name in &report.absent {
        let _ = writeln!(out, "{} {:<12} not in the window", text::fit(name, name_width + 2), "drift");
    }
    for name in &report.unknown {
        let _ =
            writeln!(out, "{} {:<12} not in the reference", text::fit(name, name_width + 2), "not compared");
    }
    let _ = writeln!(
        out,
        "\ndistance: Jensen–Shannon, base 2, on frozen bins (or change of share); drift from {}, warning from {}",
        report.options.distance_drift, report.options.distance_warning
    );
    let _ = writeln!(
        out,
        "p: adjusted over {} (Benjamini–Hochberg), level {}",
        text::counted(report.tests as u64, "test"),
        report.options.alpha
    );
    out
}

fn line(out: &mut String, column: &ColumnReport, name_width: usize, drawn: bool) {
    let marked =
        if column.role == Role::Prediction { format!("{} ◂", column.name) } else { column.name.clone() };
    let leading = column.leading();
    let size = leading.map_or_else(|| "–".to_owned(), |finding| format!("{:.3}", finding.effect.value.abs()));
    let p = leading.and_then(|finding| finding.p_adjusted).map_or_else(|| "–".to_owned(), |p| p.to_string());
    let _ =
        write!(out, "{} {:<12} {size:>9} {p:>8}", text::fit(&marked, name_width + 2), column.verdict.name());
    let bars = &column.bars[..column.bars.len().min(10)];
    if drawn && !bars.is_empty() {
        let top = bars.iter().map(|bar| bar.reference_share.max(bar.current_share)).fold(0.0, f64::max);
        // The common top keeps both on one scale; it is cut off again.
        let draw = |share: fn(&super::Bar) -> f64| {
            let mut values: Vec<f64> = bars.iter().map(share).collect();
            values.push(top);
            text::sparkline(&values).chars().take(bars.len()).collect::<String>()
        };
        let (before, now) = (draw(|bar| bar.reference_share), draw(|bar| bar.current_share));
        let _ = write!(out, "  {} {}", text::fit(&before, 11), now);
    }
    let _ = writeln!(out);
    if let Some(finding) = leading.filter(|_| column.verdict >= super::ColumnVerdict::Warning) {
        let mut detail = finding.subject.name().to_owned();
        if let (Some(before), Some(now)) = (column.moments_reference, column.moments_current) {
            let _ = write!(detail, ", mean {} → {}", text::number(before.mean), text::number(now.mean));
        }
        if !column.new.is_empty() {
            let new: Vec<String> = column.new.iter().map(|(name, rows)| format!("{name} ({rows})")).collect();
            let _ = write!(detail, ", new: {}", new.join(", "));
        }
        let _ = writeln!(out, "    {}", text::terminal(&detail));
    }
}

fn wrap(out: &mut String, sentence: &str, width: usize) {
    let mut used = 0;
    for (index, word) in text::terminal(sentence).split(' ').enumerate() {
        let next = text::width(word);
        if index == 0 {
            out.push_str("· ");
            used = 2;
        } else if used + 1 + next > width {
            out.push_str("\n  ");
            used = 2;
        } else {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += next;
    }
    out.push('\n');
}
