//! What serves, how its traffic has moved over time, and what the ledger says.

use domain::key::prefix;
use domain::row::{Check, Deployment, Endpoint};
use domain::{Envelope, Key, PipelineName, limit};
use engine::drift::DriftReport;
use engine::page::{Bar, Cell, Html, Page, Size, Tone, bars, card, facts, grid, line, table};
use engine::text;
use ports::http::{Request, Response};
use ports::{BlobsExt, Error, RecordsExt};

use super::model::deployments_table;
use super::{checks_table, crumbs, some};
use crate::read::parameter;
use crate::{Console, Granted};

/// Checks that a page draws: a year of fortnights, or a month of days.
const CHECKS_DRAWN: usize = 30;

/// Columns whose movement is drawn each on its own.
const COLUMNS_DRAWN: usize = 12;

/// Events of one page of the ledger.
const EVENTS_SHOWN: u64 = 200;

impl Console {
    /// What serves, and every deployment.
    pub(crate) async fn endpoint_page(&self, name: &PipelineName) -> Granted {
        let applied = self.applied(name).await?.value;
        let endpoint = applied.spec.endpoint();
        let key = Key::named(name, prefix::ENDPOINT, endpoint.as_str());
        let serving = self.records.read::<Endpoint>(&key).await?.map(|row| row.value);
        let deployments: Vec<Deployment> = self.rows(name, prefix::DEPLOYMENT).await?;
        let in_flight = deployments.iter().find(|deployment| deployment.state.in_flight());
        let mut page = Page::new(&format!("{name}: endpoint")).subtitle(crumbs(name, ""));
        page = match (&serving, in_flight) {
            (_, Some(deployment)) => {
                let headline = format!("{endpoint} is moving to version {}", deployment.version);
                page.banner(Tone::Plain, &headline, Html::text("What served goes on serving until then."))
            }
            (Some(serving), None) => {
                let headline = format!("{endpoint} serves version {}", serving.champion);
                let link = Html::link(&format!("/pipelines/{name}/models/{}", serving.champion), "its card");
                page.banner(Tone::Good, &headline, link)
            }
            (None, None) => page.banner(Tone::Plain, "Nothing serves yet", Html::empty()),
        };
        if let Some(serving) = &serving {
            let before =
                serving.previous.map_or_else(|| "nothing".to_owned(), |version| format!("version {version}"));
            page = page.add(facts(&[
                ("since", Html::text(&serving.since.to_string())),
                ("before it", Html::text(&before)),
                ("asked at", Html::code(&format!("/endpoints/{endpoint}/invocations"))),
                ("back to the one before", Html::code(&format!("millrace rollback {name} --reason '…'"))),
            ]));
        }
        let all: Vec<&Deployment> = deployments.iter().collect();
        page = page.section("Deployments", deployments_table(&all));
        Ok(Response::html(200, page.finish()))
    }

    /// How the traffic has moved, check by check.
    pub(crate) async fn drift_page(&self, name: &PipelineName) -> Granted {
        self.applied(name).await?;
        let checks = self.checks_of(name, None).await?;
        let drawn = &checks[checks.len().saturating_sub(CHECKS_DRAWN)..];
        let mut reports = Vec::new();
        for check in drawn {
            reports.push(self.drift_report(check).await?);
        }
        let mut page = Page::new(&format!("{name}: drift")).subtitle(crumbs(name, ""));
        if checks.is_empty() {
            page = page.add(Html::note("Its traffic was not checked yet."));
            return Ok(Response::html(200, page.finish()));
        }
        page = page
            .section("Over time", over_time(drawn, &reports))
            .section("Column by column", columns_over_time(drawn, &reports))
            .section("Checks", checks_table(&checks));
        Ok(Response::html(200, page.finish()))
    }

    /// A check in full; none where its file is of a form that is no longer read.
    async fn drift_report(&self, check: &Check) -> Result<Option<DriftReport>, Error> {
        /// What is read of a check's file.
        #[derive(serde::Deserialize)]
        struct Told {
            report: DriftReport,
        }
        let bytes = self.blobs.small(&check.result.path, limit::GROUP_BYTES).await?;
        Ok(serde_json::from_slice(&bytes).ok().map(|told: Told| told.report))
    }

    /// A page of the ledger, newest events first.
    pub(crate) async fn ledger_page(&self, name: &PipelineName, request: &Request) -> Granted {
        self.applied(name).await?;
        let events: Vec<Envelope> = self.rows(name, prefix::EVENT).await?;
        let last = events.last().map_or(0, |event| event.sequence);
        let before = parameter(request, "before")?.unwrap_or(last + 1);
        let shown = events.iter().rev().filter(|event| event.sequence < before).take(EVENTS_SHOWN as usize);
        let rows: Vec<Vec<Cell>> = shown
            .map(|event| {
                vec![
                    Cell::count(event.sequence),
                    Cell::whole(event.at.to_string()[..19].replace('T', " ")),
                    Cell::code(event.event.kind()),
                    Cell::text(event.event.line(&event.actor)),
                    Cell::text(event.actor.to_string()),
                    Cell::code(event.cause.chars().take(16).collect::<String>()),
                ]
            })
            .collect();
        let oldest = before.saturating_sub(EVENTS_SHOWN);
        let mut page = Page::new(&format!("{name}: ledger"))
            .subtitle(crumbs(name, ""))
            .add(Html::note(&format!(
                "{}; `millrace audit verify {name}` checks every link between them.",
                text::counted(last, "event")
            )))
            .add(some(&["#", "when", "kind", "what happened", "who", "cause"], &rows));
        if oldest > 1 {
            page =
                page.add(Html::link(&format!("/pipelines/{name}/ledger?before={oldest}"), "earlier events"));
        }
        Ok(Response::html(200, page.finish()))
    }
}

fn label(check: &Check) -> String {
    format!("{} – {}: {}, {}", check.from.date(), check.to.date(), check.verdict, check.summary)
}

/// How many columns drifted, and how the loss stood against the one promised.
fn over_time(checks: &[Check], reports: &[Option<DriftReport>]) -> Html {
    let drifted: Vec<Bar> =
        checks.iter().map(|check| Bar { label: label(check), value: check.columns.len() as f64 }).collect();
    let loss: Vec<f64> = reports
        .iter()
        .map(|report| {
            let error = report.as_ref().and_then(|report| report.error.as_ref());
            error.and_then(|error| error.ratio).unwrap_or(f64::NAN)
        })
        .collect();
    let newest = loss.iter().rev().find(|ratio| ratio.is_finite());
    let told = match newest {
        Some(ratio) => format!("last {}", text::number(*ratio)),
        None => "no labels yet".to_owned(),
    };
    let title = |name: &str, told: &str| Html::text(name).then(Html::badge(Tone::Plain, told));
    let most = drifted.iter().map(|bar| bar.value).fold(0.0, f64::max);
    grid([
        card(
            title("columns that drifted, check by check", &format!("at most {most}")),
            bars(Size::CARD, &drifted),
        ),
        card(title("loss against the one on withheld rows, times", &told), line(Size::CARD, &loss)),
    ])
}

/// The largest effect found in each column, check by check; those that moved most come first.
fn columns_over_time(checks: &[Check], reports: &[Option<DriftReport>]) -> Html {
    let mut series: std::collections::BTreeMap<&str, Vec<f64>> = std::collections::BTreeMap::new();
    for (index, report) in reports.iter().enumerate() {
        for column in report.iter().flat_map(|report| &report.columns) {
            let values = series.entry(&column.name).or_insert_with(|| vec![f64::NAN; checks.len()]);
            let effects = column.findings.iter().map(|finding| finding.effect.value);
            values[index] = effects.fold(f64::NAN, f64::max);
        }
    }
    let most = |values: &[f64]| values.iter().copied().fold(f64::NAN, f64::max);
    let mut columns: Vec<(&str, Vec<f64>)> = series.into_iter().collect();
    columns.sort_by(|a, b| most(&b.1).total_cmp(&most(&a.1)).then(a.0.cmp(b.0)));
    if columns.is_empty() {
        return Html::note("None of these checks can be drawn.");
    }
    let (drawn, rest) = columns.split_at(columns.len().min(COLUMNS_DRAWN));
    let cards = drawn.iter().map(|(name, values)| {
        let bars_of: Vec<Bar> = checks
            .iter()
            .zip(values)
            .map(|(check, value)| {
                let told = if value.is_finite() { text::number(*value) } else { "not told".to_owned() };
                Bar { label: format!("{} – {}: {told}", check.from.date(), check.to.date()), value: *value }
            })
            .collect();
        let most = most(values);
        let told = if most.is_finite() { text::number(most) } else { "–".to_owned() };
        card(
            Html::code(name).then(Html::badge(Tone::Plain, &format!("at most {told}"))),
            bars(Size::CARD, &bars_of),
        )
    });
    let mut all = grid(cards);
    if !rest.is_empty() {
        let rows: Vec<Vec<Cell>> =
            rest.iter().map(|(name, values)| vec![Cell::code(*name), Cell::number(most(values))]).collect();
        all = all.then(Html::details(
            &format!("{} more columns", rest.len()),
            table(&["column", "largest effect"], &rows),
        ));
    }
    all.then(Html::note("Bars are the largest effect of a check: a distance between 0 (the same) and 1."))
}
