//! What a person reads of a check.

use domain::{PipelineName, Time};
use engine::drift::DriftReport;
use engine::{drift_report, text};

use crate::rows::Serving;
use crate::window::Window;

/// The check's page.
pub(crate) fn page(
    pipeline: &PipelineName,
    serving: &Serving,
    (from, to): (Time, Time),
    window: &Window,
    report: &DriftReport,
) -> String {
    let title = format!("{pipeline}: drift check of {}", to.date());
    drift_report::html(report, &title, &subtitle(serving, (from, to), window))
}

fn subtitle(serving: &Serving, (from, to): (Time, Time), window: &Window) -> String {
    let mut line = format!(
        "Traffic of {} answered by version {} from {} to {} ({}, {} with a label) against the rows that version was trained on.",
        serving.endpoint.name,
        serving.endpoint.champion,
        moment(from),
        moment(to),
        text::counted(window.counts.rows, "row"),
        text::count(window.labelled)
    );
    if !window.unreadable.is_empty() {
        let reasons: Vec<String> =
            window.unreadable.iter().map(|(reason, count)| format!("{reason} ({count})")).collect();
        line.push_str(&format!(" Could not be read: {}.", reasons.join(", ")));
    }
    if window.cut {
        line.push_str(" Older traffic of the window was left out because there was too much.");
    }
    line
}

/// A moment to the minute, for people.
fn moment(time: Time) -> String {
    time.to_string()[..16].replace('T', " ")
}
