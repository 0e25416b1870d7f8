//! `millrace upload`: files go in, and what becomes of each is told.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use domain::row::{self, Fate};
use domain::{PipelineName, Time};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Waiting;
use crate::client::{Client, Ticket, Upload};
use crate::output::{self, Done, Error, Form};

#[derive(Debug, Args)]
pub(crate) struct UploadArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// Tables: CSV with a header, JSON Lines (either packed with gzip or zstd, or not), or Parquet.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The business time of the rows: a date or an RFC 3339 time; now where none is given.
    #[arg(long, value_name = "TIME")]
    pub(crate) as_of: Option<Time>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

pub(super) fn upload(client: &Client, arguments: &UploadArguments, form: Form) -> Done {
    // Whatever is wrong with a file is told before the first is sent.
    for file in &arguments.files {
        readable(file)?;
    }
    let mut sent = Vec::new();
    for file in &arguments.files {
        let ticket = send(client, arguments, file)
            .map_err(|error| format!("{error} ({} of {} uploaded)", sent.len(), arguments.files.len()))?;
        if form == Form::Text && !arguments.waiting.wait {
            output::line(&format!("{}: uploaded as {}", file.display(), ticket.upload));
        }
        sent.push((file, ticket));
    }
    if arguments.waiting.wait {
        return fates(client, arguments, &sent, form);
    }
    if form == Form::Json {
        let items: Vec<_> = sent
            .iter()
            .map(|(file, ticket)| {
                json!({ "file": file.display().to_string(), "upload": ticket.upload, "path": ticket.path })
            })
            .collect();
        output::json(&json!({ "items": items }));
    }
    Ok(ExitCode::SUCCESS)
}

fn readable(file: &Path) -> Result<(), Error> {
    let failed = |error| format!("read {}: {error}", file.display());
    let opened = std::fs::File::open(file).map_err(failed)?;
    if !opened.metadata().map_err(failed)?.is_file() {
        return output::error(format!("read {}: it is not a file", file.display()));
    }
    Ok(())
}

/// Sends one file, with a bar on a terminal.
fn send(client: &Client, arguments: &UploadArguments, file: &Path) -> Result<Ticket, Error> {
    let bytes = std::fs::metadata(file).map_err(|error| format!("read {}: {error}", file.display()))?.len();
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(engine::text::terminal(&file.display().to_string()).into_owned());
    let sent = |gone| bar.set_position(gone);
    let ticket = client.upload(&arguments.pipeline, Upload::of_file(file, arguments.as_of, &sent)?);
    bar.finish_and_clear();
    ticket.map_err(|failure| format!("upload {}: {failure}", file.display()).into())
}

/// Waits for what becomes of each file, and tells it.
fn fates(client: &Client, arguments: &UploadArguments, sent: &[(&PathBuf, Ticket)], form: Form) -> Done {
    let mut uploads = Vec::new();
    for (file, ticket) in sent {
        let spinner = output::spinner(&format!("{}: being checked", file.display()));
        let found = client.wait_for_upload(&arguments.pipeline, &ticket.upload, arguments.waiting.patience());
        spinner.finish_and_clear();
        let upload = found?;
        if form == Form::Text {
            output::line(&told(&upload));
            if let Some(report) = &upload.report {
                output::line(&format!("  report: {}", report.path));
            }
        }
        uploads.push(upload);
    }
    if form == Form::Json {
        output::json(&json!({ "items": uploads }));
    }
    let rejected = uploads.iter().any(|upload| matches!(upload.fate, Fate::Rejected { .. }));
    Ok(ExitCode::from(if rejected { output::NOT_WELL } else { output::OK }))
}

/// An upload's fate in one line.
fn told(upload: &row::Upload) -> String {
    let rows = engine::text::counted(upload.rows_read, "row");
    match upload.rows_bad {
        0 => format!("{}: {} · {rows}", upload.file, fate(&upload.fate)),
        bad => format!("{}: {} · {rows}, {} bad", upload.file, fate(&upload.fate), engine::text::count(bad)),
    }
}

/// A fate in a few words.
pub(super) fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Accepted { part } => format!("accepted as part {part}"),
        Fate::Rejected { reason } => format!("rejected: {reason}"),
        Fate::Duplicate { part } => format!("the same bytes as part {part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn upload(fate: &Value, rows_bad: u64) -> row::Upload {
        let value = json!({
            "id": "1f", "file": "q.csv", "path": "a/q.csv", "content": format!("sha256:{}", "0".repeat(64)),
            "bytes": 1, "by": "person:ana", "at": "2026-01-01", "as_of": "2026-01-01", "fate": fate,
            "rows_read": 1000, "rows_bad": rows_bad, "report": null, "report_json": null, "quarantine": null,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_fate_is_told_in_one_line() {
        for (fate, bad, line) in [
            (json!({ "state": "accepted", "part": 3 }), 0, "q.csv: accepted as part 3 · 1,000 rows"),
            (json!({ "state": "accepted", "part": 3 }), 20, "q.csv: accepted as part 3 · 1,000 rows, 20 bad"),
            (json!({ "state": "duplicate", "part": 1 }), 0, "q.csv: the same bytes as part 1 · 1,000 rows"),
            (
                json!({ "state": "rejected", "reason": "too many" }),
                999,
                "q.csv: rejected: too many · 1,000 rows, 999 bad",
            ),
        ] {
            assert_eq!(told(&upload(&fate, bad)), line);
        }
    }

    #[test]
    fn only_files_that_can_be_read_are_uploaded() {
        let place = tempfile::tempdir().unwrap();
        assert!(readable(place.path()).unwrap_err().to_string().contains("not a file"));
        assert!(readable(&place.path().join("x.csv")).unwrap_err().to_string().contains("No such file"));
    }
}
