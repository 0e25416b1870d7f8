//! The pages people read in a browser: what there is, what happened, and the reports behind it.

mod model;
mod run;
mod watch;

use domain::key::prefix;
use domain::row::{ApprovalState, Check, CheckVerdict, Fate, File, Model, Run, RunState, Upload};
use domain::{Envelope, Key, PipelineName};
use engine::page::{Cell, Html, Page, Tone, table};
use ports::http::Response;
use ports::records::Typed;
use ports::{Cx, Error, RecordsExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Console, Granted};

/// Events shown on a pipeline's page, newest first.
const EVENTS_SHOWN: usize = 60;

impl Console {
    /// All pipelines.
    pub(crate) async fn overview_page(&self) -> Granted {
        let mut rows = Vec::new();
        for name in self.records.pipelines().await? {
            let summary = self.summary(&name).await?;
            let number = |field: &str| Cell::count(summary[field].as_u64().unwrap_or_default());
            rows.push(vec![
                Cell::Html(Html::link(&format!("/pipelines/{name}"), name.as_str())),
                number("parts"),
                number("runs"),
                number("versions"),
                Cell::text(serving_text(&summary)),
                Cell::text(pending_text(&summary)),
                verdict_cell(&summary),
            ]);
        }
        let page = Page::new("Pipelines");
        let page = if rows.is_empty() {
            page.add(Html::paragraph(
                "There is no pipeline yet. Declare one with `millrace apply pipeline.yaml`.",
            ))
        } else {
            page.add(table(
                &["pipeline", "parts", "runs", "versions", "serving", "waiting for approval", "last check"],
                &rows,
            ))
        };
        Ok(Response::html(200, page.finish()))
    }

    /// One pipeline: its uploads, runs, versions, checks and newest events.
    pub(crate) async fn pipeline_page(&self, cx: &Cx, name: &PipelineName) -> Granted {
        let applied = self.applied(name).await?.value;
        let summary = self.summary(name).await?;
        let mut page = Page::new(name.as_str())
            .subtitle(Html::text(&applied.spec.description))
            .subtitle(Html::link("/", "all pipelines").then(places(name)));
        let serving = serving_text(&summary);
        let last = &summary["last_check"];
        page = match last["verdict"].as_str() {
            Some(verdict @ ("drift" | "concept drift")) if last["version"] == summary["champion"] => {
                let what = last["summary"].as_str().unwrap_or_default();
                page.banner(
                    Tone::Bad,
                    &format!("{serving}; the last check found {verdict}"),
                    Html::text(what),
                )
            }
            Some(_) if last["version"] != summary["champion"] => {
                let told = format!("{}; its traffic was not checked yet", pending_text(&summary));
                page.banner(Tone::Plain, &serving, Html::text(&told))
            }
            _ => page.banner(Tone::Plain, &serving, Html::text(&pending_text(&summary))),
        };
        page = page
            .section("Model versions", self.models_table(name).await?)
            .section("Drift checks", checks_table(&self.checks_of(name, None).await?))
            .section("Runs", self.runs_table(name).await?);
        if let Some(budget) = self.budget_section(name, cx.now).await? {
            page = page.section("Budget", budget);
        }
        page = page
            .section("Uploads", self.uploads_table(name).await?)
            .section("Events", self.events_table(name).await?);
        Ok(Response::html(200, page.finish()))
    }

    /// All rows of a type.
    pub(crate) async fn rows<T: DeserializeOwned + Send>(
        &self,
        name: &PipelineName,
        prefix: &str,
    ) -> Result<Vec<T>, Error> {
        let rows = self.records.all::<T>(&Key::partition(name), prefix).await?;
        Ok(rows.into_iter().map(|(_, Typed { value, .. })| value).collect())
    }

    async fn models_table(&self, name: &PipelineName) -> Result<Html, Error> {
        let mut models: Vec<Model> = self.rows(name, prefix::MODEL).await?;
        models.reverse();
        let rows: Vec<Vec<Cell>> = models
            .iter()
            .map(|model| {
                let metrics: Vec<String> =
                    model.metrics.iter().take(4).map(|(name, value)| format!("{name} {value:.4}")).collect();
                vec![
                    numbered(name, "models", model.version.into()),
                    Cell::Html(approval_badge(&model.approval)),
                    Cell::text(metrics.join(", ")),
                    Cell::code(model.binding.short()),
                    Cell::whole(model.at.date()),
                    file_cell(Some(&model.report), "evaluation"),
                ]
            })
            .collect();
        Ok(some(&["version", "approval", "metrics", "binding", "registered", "report"], &rows))
    }

    async fn runs_table(&self, name: &PipelineName) -> Result<Html, Error> {
        let mut runs: Vec<Run> = self.rows(name, prefix::RUN).await?;
        runs.sort_by_key(|run| std::cmp::Reverse(run.number));
        let rows: Vec<Vec<Cell>> = runs
            .iter()
            .map(|run| {
                let why = match &run.state {
                    RunState::Rejected { reason } | RunState::Failed { reason } => reason.clone(),
                    _ => run.reason.clone(),
                };
                vec![
                    numbered(name, "runs", run.number),
                    Cell::Html(run_badge(&run.state)),
                    Cell::text(why),
                    Cell::count(run.rows),
                    Cell::whole(run.at.date()),
                    file_cell(run.report.as_ref(), "evaluation"),
                ]
            })
            .collect();
        Ok(some(&["run", "state", "why", "rows", "planned", "report"], &rows))
    }

    async fn uploads_table(&self, name: &PipelineName) -> Result<Html, Error> {
        let mut uploads: Vec<Upload> = self.rows(name, prefix::UPLOAD).await?;
        uploads.sort_by(|a, b| (b.at, b.as_of).cmp(&(a.at, a.as_of)).then_with(|| a.file.cmp(&b.file)));
        let rows: Vec<Vec<Cell>> = uploads
            .iter()
            .map(|upload| {
                let fate = match &upload.fate {
                    Fate::Accepted { part } => {
                        let link = format!("/pipelines/{name}/parts/{part}");
                        Cell::Html(Html::link(&link, &format!("part {part}")).wrapped("span", "badge good"))
                    }
                    Fate::Rejected { .. } => Cell::badge(Tone::Bad, "rejected"),
                    Fate::Duplicate { part } => Cell::badge(Tone::Warning, &format!("same as part {part}")),
                };
                vec![
                    Cell::text(upload.file.clone()),
                    fate,
                    Cell::count(upload.rows_read),
                    Cell::count(upload.rows_bad),
                    Cell::whole(upload.as_of.date()),
                    Cell::text(upload.by.to_string()),
                    file_cell(upload.report.as_ref(), "data"),
                ]
            })
            .collect();
        Ok(some(&["file", "fate", "rows", "bad rows", "as of", "by", "report"], &rows))
    }

    async fn events_table(&self, name: &PipelineName) -> Result<Html, Error> {
        let mut events: Vec<Envelope> = self.rows(name, prefix::EVENT).await?;
        events.reverse();
        let rows: Vec<Vec<Cell>> = events
            .iter()
            .take(EVENTS_SHOWN)
            .map(|event| {
                vec![
                    Cell::count(event.sequence),
                    Cell::whole(event.at.to_string()[..16].replace('T', " ")),
                    Cell::code(event.event.kind()),
                    Cell::text(event.event.line(&event.actor)),
                ]
            })
            .collect();
        Ok(some(&["#", "when", "kind", "what happened"], &rows))
    }
}

/// Where else one can look, under the title; `here` is what is below those pages.
fn crumbs(name: &PipelineName, here: &str) -> Html {
    let here = if here.is_empty() { Html::empty() } else { Html::text(&format!(" · {here}")) };
    Html::link("/", "all pipelines")
        .then(Html::text(" · "))
        .then(Html::link(&format!("/pipelines/{name}"), name.as_str()))
        .then(places(name))
        .then(here)
}

/// The pages of a pipeline.
fn places(name: &PipelineName) -> Html {
    let places = [("models", "versions"), ("endpoint", "endpoint"), ("drift", "drift"), ("ledger", "ledger")];
    places.into_iter().fold(Html::empty(), |links, (path, label)| {
        links.then(Html::text(" · ")).then(Html::link(&format!("/pipelines/{name}/{path}"), label))
    })
}

/// A number that leads to its page.
fn numbered(name: &PipelineName, what: &str, number: u64) -> Cell {
    Cell::Html(Html::link(&format!("/pipelines/{name}/{what}/{number}"), &number.to_string()))
}

fn approval_badge(approval: &ApprovalState) -> Html {
    let (tone, word) = match approval {
        ApprovalState::Pending => (Tone::Warning, "pending".to_owned()),
        ApprovalState::Approved { by, .. } => (Tone::Good, format!("approved by {by}")),
        ApprovalState::Rejected { by, .. } => (Tone::Bad, format!("rejected by {by}")),
    };
    Html::badge(tone, &word)
}

fn run_badge(state: &RunState) -> Html {
    let (tone, word) = match state {
        RunState::Registered { version } => (Tone::Good, format!("registered as version {version}")),
        RunState::Rejected { .. } => (Tone::Warning, "rejected".to_owned()),
        RunState::Failed { .. } => (Tone::Bad, "failed".to_owned()),
        other => (Tone::Plain, other.word().to_owned()),
    };
    Html::badge(tone, &word)
}

fn metric(value: f64) -> Cell {
    Cell::Number(format!("{value:.6}"))
}

/// Checks, newest first.
fn checks_table(checks: &[Check]) -> Html {
    let row = |check: &Check| {
        vec![
            Cell::whole(format!("{} – {}", check.from.date(), check.to.date())),
            Cell::badge(tone_of(check.verdict), &check.verdict.to_string()),
            Cell::count(check.version.into()),
            Cell::count(check.rows),
            Cell::count(check.labelled),
            Cell::text(check.summary.clone()),
            file_cell(Some(&check.report), "drift"),
        ]
    };
    let rows: Vec<Vec<Cell>> = checks.iter().rev().map(row).collect();
    some(&["window", "verdict", "version", "rows", "labelled", "found", "report"], &rows)
}

fn report_link(file: &File, label: &str) -> Html {
    Html::link(&format!("/api/blobs/{}", file.path), label)
}

pub(crate) fn some(headers: &[&str], rows: &[Vec<Cell>]) -> Html {
    if rows.is_empty() { Html::note("None yet.") } else { table(headers, rows) }
}

fn file_cell(file: Option<&File>, label: &str) -> Cell {
    match file {
        Some(file) => Cell::Html(report_link(file, label)),
        None => Cell::text("–"),
    }
}

fn tone_of(verdict: CheckVerdict) -> Tone {
    match verdict {
        CheckVerdict::Ok => Tone::Good,
        CheckVerdict::InsufficientData => Tone::Plain,
        CheckVerdict::Warning => Tone::Warning,
        CheckVerdict::Drift | CheckVerdict::ConceptDrift => Tone::Bad,
    }
}

fn serving_text(summary: &Value) -> String {
    match summary["champion"].as_u64() {
        Some(version) => format!("version {version} serves"),
        None => "nothing serves yet".into(),
    }
}

fn pending_text(summary: &Value) -> String {
    let pending: Vec<String> =
        summary["pending"].as_array().into_iter().flatten().map(Value::to_string).collect();
    match pending.len() {
        0 => "no version waits for approval".into(),
        1 => format!("version {} waits for approval", pending[0]),
        _ => format!("versions {} wait for approval", pending.join(", ")),
    }
}

fn verdict_cell(summary: &Value) -> Cell {
    match summary["last_check"]["verdict"].as_str() {
        Some(word @ ("drift" | "concept drift")) => Cell::badge(Tone::Bad, word),
        Some(word @ "warning") => Cell::badge(Tone::Warning, word),
        Some(word @ "ok") => Cell::badge(Tone::Good, word),
        Some(word) => Cell::badge(Tone::Plain, word),
        None => Cell::text("–"),
    }
}
