//! Is the world still the one the model was trained on?
//!
//! [`check`] compares a window, counted into the baseline's frozen cells, with the baseline. A
//! column is called changed only if the change is *large enough to matter* (its effect reaches a
//! floor) **and** *too large for chance* at the sample sizes at hand (its p-value, corrected over
//! everything the check looked at, reaches alpha). So a small window does not alarm by noise and a
//! huge one does not alarm by trifles. With nothing changed, the chance that a check calls
//! anything at all is at most alpha; checks repeated day after day are not corrected for each
//! other.
//!
//! Grave over calm: `concept drift` (the error has grown), `drift`, `warning`, `ok`,
//! `insufficient data`; the verdict is the gravest that any part reached.

pub mod column;
pub mod error;
pub mod tables;
pub mod terminal;

use std::collections::BTreeSet;

use domain::pipeline::Monitoring;
use domain::row::CheckVerdict;
use domain::{Time, limit};
use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, Counts, ErrorReference};
use crate::statistics::PValue;
use crate::statistics::significance::benjamini_hochberg;
use crate::text::counted;

pub use column::{Bar, ColumnReport, ColumnVerdict, Finding, Role, Subject};
pub use error::{ColumnShare, ErrorChange, ErrorVerdict, error_change};
pub use tables::compare_tables;
pub use terminal::terminal;

/// The version of the report's format.
pub const VERSION: u32 = 1;

/// When a change matters, and when it is beyond chance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftOptions {
    /// Fewer rows than this, in the window or in the baseline, give no verdict.
    pub minimum_rows: u64,
    /// Fewer labelled rows than this, in either, give no verdict on the error.
    pub minimum_labels: u64,
    /// Level of the Benjamini–Hochberg adjusted p-values.
    pub alpha: f64,
    /// Jensen–Shannon distance (base 2) from which a distribution has drifted.
    pub distance_drift: f64,
    /// … and from which it is worth a warning.
    pub distance_warning: f64,
    /// Change of the share of missing values, or share of new categories, that is drift.
    pub share_drift: f64,
    /// … and that is worth a warning.
    pub share_warning: f64,
    /// Growth of the mean loss, relative to the reference, that is concept drift: the interval's
    /// lower end must reach it.
    pub loss_growth: f64,
    /// Two-sided confidence of the interval of the loss's change.
    pub loss_confidence: f64,
    /// Age of the newest training data, in days, after which there is a warning.
    pub stale_days: Option<u32>,
}

impl Default for DriftOptions {
    fn default() -> DriftOptions {
        DriftOptions {
            minimum_rows: 50,
            minimum_labels: 30,
            alpha: 0.01,
            distance_drift: 0.1,
            distance_warning: 0.05,
            share_drift: 0.05,
            share_warning: 0.01,
            loss_growth: 0.1,
            loss_confidence: 0.99,
            stale_days: None,
        }
    }
}

impl From<&Monitoring> for DriftOptions {
    fn from(monitoring: &Monitoring) -> DriftOptions {
        DriftOptions {
            minimum_rows: monitoring.minimum_rows,
            alpha: monitoring.alpha,
            distance_drift: monitoring.effect,
            distance_warning: monitoring.effect / 2.0,
            loss_growth: monitoring.loss_growth,
            stale_days: Some(monitoring.stale_days),
            ..DriftOptions::default()
        }
    }
}

/// What a check looks at beside the baseline.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The window's rows, counted into the baseline's cells.
    pub counts: &'a Counts,
    /// The losses of the window's labelled rows, where labels have come.
    pub errors: Option<&'a ErrorReference>,
    /// The moment of the check, for staleness.
    pub now: Option<Time>,
}

/// How old the training data is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Staleness {
    /// The newest business time among the training data.
    pub newest: Time,
    /// The moment of the check.
    pub now: Time,
    /// Days between them.
    pub days: i64,
    /// Days allowed.
    pub days_max: Option<u32>,
    /// `ok` or `warning`.
    pub verdict: CheckVerdict,
}

/// A check's outcome, complete enough to be judged again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// The format's version: [`VERSION`].
    pub version: u32,
    /// The gravest of all parts.
    pub verdict: CheckVerdict,
    /// Why, one sentence each, gravest first.
    pub reasons: Vec<String>,
    /// Rows of the baseline.
    pub rows_reference: u64,
    /// Rows of the window.
    pub rows_current: u64,
    /// Tests made, over which p-values are adjusted (Benjamini–Hochberg).
    pub tests: usize,
    /// The settings.
    pub options: DriftOptions,
    /// Inputs and the model's outputs: gravest first, then by size of the change.
    pub columns: Vec<ColumnReport>,
    /// Columns of the baseline that the window lacks; each is drift.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub absent: BTreeSet<String>,
    /// Columns of the window that the baseline does not know; they are not judged.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<String>,
    /// The age of the training data, where both times are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staleness: Option<Staleness>,
    /// The change of the error, where labels have come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorChange>,
}

impl DriftReport {
    /// Names of the columns that drifted, most first; the model's outputs are not among them.
    pub fn drifted(&self) -> Vec<String> {
        let drifted =
            |column: &&ColumnReport| column.verdict == ColumnVerdict::Drift && column.role == Role::Input;
        let named = self.columns.iter().filter(drifted).map(|column| column.name.clone());
        self.absent.iter().cloned().chain(named).collect()
    }

    /// The outcome in one sentence.
    pub fn summary(&self) -> String {
        self.reasons.first().cloned().unwrap_or_else(|| self.verdict.to_string())
    }

    /// The report as JSON: the same bytes for the same inputs.
    pub fn written(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a report holds finite numbers only")
    }
}

/// Compares a window with a baseline. Pure: equal inputs give equal reports. Columns whose counts
/// were made for other cells than the baseline's are left out.
pub fn check(baseline: &Baseline, window: &Window<'_>, options: &DriftOptions) -> DriftReport {
    let counts = window.counts;
    let enough = counts.rows >= options.minimum_rows && baseline.rows >= options.minimum_rows;
    let mut columns = Vec::new();
    for reference in &baseline.columns {
        let current = counts.columns.get(&reference.name);
        if let Some(current) = current.filter(|current| current.cells.len() == reference.cells.len()) {
            columns.push(ColumnReport::new(reference, current, Role::Input, options));
        }
    }
    if let (Some(reference), Some(current)) = (&baseline.predictions, &counts.predictions)
        && current.cells.len() == reference.cells.len()
    {
        columns.push(ColumnReport::new(reference, current, Role::Prediction, options));
    }
    let tests = adjust(&mut columns);
    for column in &mut columns {
        column.judge(enough, options);
    }
    columns.sort_by(|a, b| {
        b.verdict.cmp(&a.verdict).then(b.effect().total_cmp(&a.effect())).then_with(|| a.name.cmp(&b.name))
    });
    let mut report = DriftReport {
        version: VERSION,
        verdict: CheckVerdict::InsufficientData,
        reasons: Vec::new(),
        rows_reference: baseline.rows,
        rows_current: counts.rows,
        tests,
        options: options.clone(),
        columns,
        absent: if counts.rows > 0 { counts.absent.clone() } else { BTreeSet::new() },
        unknown: counts.unknown.clone(),
        staleness: staleness(baseline, window.now, options),
        error: error::between(baseline, window.errors, options),
    };
    conclude(&mut report, enough);
    report
}

/// Adjusts the p-values of all findings together; answers how many there were.
fn adjust(columns: &mut [ColumnReport]) -> usize {
    let findings = || columns.iter().flat_map(|column| &column.findings);
    let p: Vec<PValue> = findings().filter_map(|finding| finding.test.as_ref()).map(|test| test.p).collect();
    let mut adjusted = benjamini_hochberg(&p).into_iter();
    for finding in columns.iter_mut().flat_map(|column| &mut column.findings) {
        if finding.test.is_some() {
            finding.p_adjusted = adjusted.next();
        }
    }
    p.len()
}

fn staleness(baseline: &Baseline, now: Option<Time>, options: &DriftOptions) -> Option<Staleness> {
    let (newest, now) = (baseline.newest?, now?);
    let days = (now.millis() - newest.millis()).div_euclid(Time::DAY).max(0);
    let old = options.stale_days.is_some_and(|limit| days > i64::from(limit));
    let verdict = if old { CheckVerdict::Warning } else { CheckVerdict::Ok };
    Some(Staleness { newest, now, days, days_max: options.stale_days, verdict })
}

/// Finds the gravest verdict and says why.
fn conclude(report: &mut DriftReport, enough: bool) {
    let mut reasons: Vec<(CheckVerdict, String)> = Vec::new();
    if let Some(error) = &report.error {
        reasons.extend(error.reason(report.options.loss_growth));
    }
    for name in &report.absent {
        reasons.push((CheckVerdict::Drift, format!("the column {name} is absent from the window")));
    }
    for role in [Role::Prediction, Role::Input] {
        for (found, verdict) in
            [(ColumnVerdict::Drift, CheckVerdict::Drift), (ColumnVerdict::Warning, CheckVerdict::Warning)]
        {
            let columns: Vec<&ColumnReport> = report
                .columns
                .iter()
                .filter(|column| column.verdict == found && column.role == role)
                .collect();
            if !columns.is_empty() {
                reasons.push((verdict, column::sentence(&columns)));
            }
        }
    }
    if let Some(stale) = report.staleness.as_ref().filter(|stale| stale.verdict == CheckVerdict::Warning) {
        let limit = stale.days_max.map_or_else(String::new, |days| format!(", {days} are allowed"));
        reasons.push((
            CheckVerdict::Warning,
            format!("the newest training data is {} days old{limit}", stale.days),
        ));
    }
    if enough {
        let compared =
            report.columns.iter().filter(|column| column.verdict != ColumnVerdict::NotCompared).count();
        let calm = format!(
            "{} compared, none has changed beyond chance and floor",
            counted(compared as u64, "column")
        );
        reasons.push((CheckVerdict::Ok, calm));
    } else {
        let sentence = format!(
            "{} in the window and {} in the baseline; {} are needed",
            counted(report.rows_current, "row"),
            counted(report.rows_reference, "row"),
            report.options.minimum_rows
        );
        reasons.push((CheckVerdict::InsufficientData, sentence));
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.0));
    report.verdict = reasons[0].0;
    // That all is calm, or that rows are too few, goes unsaid where something graver was found.
    reasons.retain(|reason| reason.0 > CheckVerdict::Ok || reason.0 == report.verdict);
    report.reasons = reasons.into_iter().map(|reason| reason.1).take(limit::COLUMNS_MAX).collect();
}

#[cfg(test)]
mod tests;
