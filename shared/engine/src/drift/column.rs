//! Has one column changed, how, and by how much?

use serde::{Deserialize, Serialize};

use super::DriftOptions;
use crate::baseline::{Cells, ColumnBaseline, ColumnCounts, Moments};
use crate::statistics::distance::{
    jensen_shannon, jensen_shannon_by_chance, kolmogorov_smirnov_binned, population_stability,
    population_stability_threshold, shares,
};
use crate::statistics::significance::{self, proportions};
use crate::statistics::{Distance, DistanceMethod, PValue, Significance};
use crate::table::Kind;
use crate::text;

/// Names of new categories that a report shows.
const NEW_NAMES_MAX: usize = 5;

/// What was found about a column, from calm to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnVerdict {
    /// Too few values, or values that cannot be compared.
    NotCompared,
    /// Nothing beyond chance and floor.
    Ok,
    /// Beyond chance, but too small to act on.
    Warning,
    /// Beyond chance and large.
    Drift,
}

impl ColumnVerdict {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            ColumnVerdict::NotCompared => "not compared",
            ColumnVerdict::Ok => "ok",
            ColumnVerdict::Warning => "warning",
            ColumnVerdict::Drift => "drift",
        }
    }
}

/// What a column is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Something the model is given.
    Input,
    /// What the model answered.
    Prediction,
}

/// Which aspect of a column was tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// How its values are distributed over the cells.
    Distribution,
    /// The share of rows without a value.
    Missing,
    /// The share of values that no row of the baseline had.
    NewCategories,
}

impl Subject {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Distribution => "distribution",
            Subject::Missing => "missing values",
            Subject::NewCategories => "new values",
        }
    }
}

/// One aspect of a column, tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which aspect.
    pub subject: Subject,
    /// How large the change is.
    pub effect: Distance,
    /// The effect that chance alone is expected to give at these sample sizes, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_by_chance: Option<f64>,
    /// The effect from which the change is drift.
    pub effect_drift: f64,
    /// The effect from which it is worth a warning.
    pub effect_warning: f64,
    /// How surprising it is; absent where there was too little to test.
    pub test: Option<Significance>,
    /// The test's p-value adjusted over all tests of the check (Benjamini–Hochberg).
    pub p_adjusted: Option<PValue>,
    /// What follows.
    pub verdict: ColumnVerdict,
}

/// One cell of a column, in both samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What the cell holds.
    pub label: String,
    /// Rows of the baseline.
    pub reference: u64,
    /// Rows of the window.
    pub current: u64,
    /// Share of the baseline's values.
    pub reference_share: f64,
    /// Share of the window's values.
    pub current_share: f64,
}

/// What was found about a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// The column's name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// What it is to the model.
    pub role: Role,
    /// The gravest of its findings.
    pub verdict: ColumnVerdict,
    /// Why it was not compared, or what else a reader should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Its tested aspects.
    pub findings: Vec<Finding>,
    /// Further distances, not judged: what other tools report for the same data.
    pub distances: Vec<Distance>,
    /// The population stability index that chance exceeds with probability alpha (Yurdakul 2018).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability_by_chance: Option<f64>,
    /// Share of rows without a value, in the baseline and in the window.
    pub missing: [f64; 2],
    /// Moments of the baseline's numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments_reference: Option<Moments>,
    /// Moments of the window's numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments_current: Option<Moments>,
    /// Values that no row of the baseline had, the most frequent first, with their rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<(String, u64)>,
    /// The cells.
    pub bars: Vec<Bar>,
}

impl ColumnReport {
    /// Measures and tests a column; verdicts come after the p-values of all columns are adjusted.
    pub(super) fn new(
        reference: &ColumnBaseline,
        current: &ColumnCounts,
        role: Role,
        options: &DriftOptions,
    ) -> ColumnReport {
        let (hidden, before) = (reference.hidden, &reference.counts);
        let times = reference.cells == Cells::Times;
        let mut report = ColumnReport {
            name: reference.name.clone(),
            kind: reference.kind,
            role,
            verdict: ColumnVerdict::NotCompared,
            note: String::new(),
            findings: Vec::new(),
            distances: Vec::new(),
            stability_by_chance: None,
            missing: [before, current].map(|counts| share(counts.missing, counts.rows())),
            moments_reference: before.moments.filter(|_| !hidden),
            moments_current: current.moments.filter(|_| !hidden),
            new: Vec::new(),
            bars: bars(reference, current),
        };
        if matches!(reference.cells, Cells::Bins { .. } | Cells::Categories { .. }) {
            report.compare_distributions(reference, current, options);
            report.compare_new_values(reference, current, options);
        } else if times {
            report.note = "times move by nature: only presence is compared".to_owned();
        } else {
            report.note = "nearly every value is its own: only presence is compared".to_owned();
        }
        let missing = [before.missing, current.missing];
        let rows = [before.rows(), current.rows()];
        if missing[0] + missing[1] > 0 {
            report.findings.push(share_finding(Subject::Missing, missing, rows, options));
        }
        report
    }

    fn compare_distributions(
        &mut self,
        reference: &ColumnBaseline,
        current: &ColumnCounts,
        options: &DriftOptions,
    ) {
        let (before, now) = (&reference.counts.cells, &current.cells);
        let (n, m) = (reference.counts.present(), current.present());
        if n < options.minimum_rows || m < options.minimum_rows {
            self.note = format!("{} in the window: too few to compare", text::counted(m, "value"));
            return;
        }
        self.findings.push(Finding {
            subject: Subject::Distribution,
            effect: jensen_shannon(before, now),
            effect_by_chance: Some(jensen_shannon_by_chance(before, now)),
            effect_drift: options.distance_drift,
            effect_warning: options.distance_warning,
            test: significance::chi_square_homogeneity(before, now),
            p_adjusted: None,
            verdict: ColumnVerdict::NotCompared,
        });
        let used: Vec<usize> = (0..before.len()).filter(|&cell| before[cell] + now[cell] > 0).collect();
        let pick = |counts: &[u64]| used.iter().map(|&cell| counts[cell]).collect::<Vec<u64>>();
        self.distances.push(population_stability(&pick(before), &pick(now)));
        self.stability_by_chance =
            (used.len() > 1).then(|| population_stability_threshold(used.len(), n, m, options.alpha));
        let bins = reference.cells.bins();
        if bins > 1 {
            self.distances.push(kolmogorov_smirnov_binned(&before[..bins], &now[..bins]));
        }
        if let (Some(before), Some(now)) = (self.moments_reference, self.moments_current) {
            let shift = (now.mean - before.mean) / before.deviation;
            if shift.is_finite() {
                self.distances
                    .push(Distance { method: DistanceMethod::StandardisedMeanDifference, value: shift });
            }
        }
    }

    /// Only where the baseline names every value can a new one be told from a rare one.
    fn compare_new_values(
        &mut self,
        reference: &ColumnBaseline,
        current: &ColumnCounts,
        options: &DriftOptions,
    ) {
        let Cells::Categories { names } = &reference.cells else { return };
        let others = [reference.counts.cells[names.len()], current.cells[names.len()]];
        if others[0] > 0 || others[1] == 0 {
            return;
        }
        let rows = [reference.counts.present(), current.present()];
        self.findings.push(share_finding(Subject::NewCategories, others, rows, options));
        let mut new: Vec<(String, u64)> = current.others.clone().into_iter().collect();
        new.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        new.truncate(NEW_NAMES_MAX);
        self.new = new;
    }

    /// Gives each finding its verdict, and the column the gravest.
    pub(super) fn judge(&mut self, enough: bool, options: &DriftOptions) {
        for finding in &mut self.findings {
            let (Some(p), true) = (finding.p_adjusted, enough) else { continue };
            let size = finding.effect.value.abs();
            finding.verdict = if !p.significant(options.alpha) || size < finding.effect_warning {
                ColumnVerdict::Ok
            } else if size < finding.effect_drift {
                ColumnVerdict::Warning
            } else {
                ColumnVerdict::Drift
            };
        }
        let gravest = self.findings.iter().map(|finding| finding.verdict).max();
        self.verdict = gravest.unwrap_or(ColumnVerdict::NotCompared);
        let constant = enough && self.verdict == ColumnVerdict::NotCompared && self.note.is_empty();
        if constant {
            self.verdict = ColumnVerdict::Ok;
            self.note = "one cell holds every value, then and now".to_owned();
        }
    }

    /// The finding that weighs most: the gravest, then the one furthest beyond its floor.
    pub fn leading(&self) -> Option<&Finding> {
        let weight =
            |finding: &Finding| finding.effect.value.abs() / finding.effect_drift.max(f64::MIN_POSITIVE);
        self.findings.iter().max_by(|a, b| a.verdict.cmp(&b.verdict).then(weight(a).total_cmp(&weight(b))))
    }

    /// The size of the leading finding relative to the floor of drift, for ranking columns.
    pub(super) fn effect(&self) -> f64 {
        self.leading()
            .map_or(0.0, |finding| finding.effect.value.abs() / finding.effect_drift.max(f64::MIN_POSITIVE))
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn share_finding(subject: Subject, found: [u64; 2], rows: [u64; 2], options: &DriftOptions) -> Finding {
    let value = share(found[1], rows[1]) - share(found[0], rows[0]);
    Finding {
        subject,
        effect: Distance { method: DistanceMethod::ShareDifference, value },
        effect_by_chance: None,
        effect_drift: options.share_drift,
        effect_warning: options.share_warning,
        test: proportions(found, rows),
        p_adjusted: None,
        verdict: ColumnVerdict::NotCompared,
    }
}

/// The cells as bars. Cells beside bins and categories appear only where something fell into them.
fn bars(reference: &ColumnBaseline, current: &ColumnCounts) -> Vec<Bar> {
    let cells = &reference.cells;
    let always = match cells {
        Cells::Bins { edges } => edges.len() + 1,
        Cells::Categories { names } => names.len(),
        Cells::Distinct | Cells::Times => 0,
    };
    let (before, now) = (&reference.counts.cells, &current.cells);
    let (before_shares, now_shares) = (shares(before), shares(now));
    let shown =
        (0..cells.len()).filter(|&cell| cell < always || (always > 0 && before[cell] + now[cell] > 0));
    shown
        .map(|cell| Bar {
            label: cells.label(cell, reference.hidden),
            reference: before[cell],
            current: now[cell],
            reference_share: before_shares[cell],
            current_share: now_shares[cell],
        })
        .collect()
}

/// One sentence about columns of one verdict and role.
pub(super) fn sentence(columns: &[&ColumnReport]) -> String {
    let worst = columns[0];
    let found = match (worst.verdict, worst.role) {
        (ColumnVerdict::Drift, Role::Prediction) => "the model's answers have drifted",
        (_, Role::Prediction) => "the model's answers have moved a little",
        (ColumnVerdict::Drift, Role::Input) if columns.len() == 1 => "has drifted",
        (ColumnVerdict::Drift, Role::Input) => "have drifted",
        (_, Role::Input) if columns.len() == 1 => "has moved a little",
        (_, Role::Input) => "have moved a little",
    };
    let detail = worst.leading().map(describe).unwrap_or_default();
    if worst.role == Role::Prediction {
        return format!("{found} ({detail})");
    }
    let names: Vec<&str> = columns.iter().take(5).map(|column| column.name.as_str()).collect();
    let more = if columns.len() > 5 { format!(" and {} more", columns.len() - 5) } else { String::new() };
    let lead = if columns.len() == 1 { String::new() } else { format!("{}: ", worst.name) };
    format!("{}{more} {found} ({lead}{detail})", names.join(", "))
}

/// A finding in a few words.
pub(super) fn describe(finding: &Finding) -> String {
    let p = finding.p_adjusted.map_or_else(String::new, |p| match p.to_string() {
        below if below.starts_with('<') => format!(", adjusted p {below}"),
        value => format!(", adjusted p {value}"),
    });
    match finding.subject {
        Subject::Distribution => format!("Jensen–Shannon distance {:.3}{p}", finding.effect.value),
        Subject::Missing => format!("missing values {:+.1} points{p}", finding.effect.value * 100.0),
        Subject::NewCategories => format!("new values in {}{p}", text::percent(finding.effect.value)),
    }
}
