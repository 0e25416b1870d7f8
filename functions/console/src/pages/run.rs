//! One run from its cause to its model, and one part from its upload to the models that saw it.

use domain::key::prefix;
use domain::row::{Run, RunState, Upload};
use domain::{Key, PipelineName};
use engine::page::{Cell, Html, Page, Tone, facts, figures};
use engine::text;
use ports::RecordsExt;
use ports::http::Response;

use super::{crumbs, report_link, run_badge, some};
use crate::lineage::Learned;
use crate::{Console, Granted, Refusal};

impl Console {
    /// One run.
    pub(crate) async fn run_page(&self, name: &PipelineName, number: u64) -> Granted {
        self.applied(name).await?;
        let runs: Vec<Run> = self.rows(name, prefix::RUN).await?;
        let missing = || Refusal::Because(404, format!("{name} has no run {number}"));
        let run = runs.into_iter().find(|run| run.number == number).ok_or_else(missing)?;
        let (tone, headline, why) = match &run.state {
            RunState::Registered { version } => {
                let card = Html::link(&format!("/pipelines/{name}/models/{version}"), "the version's card");
                (Tone::Good, format!("Registered as version {version}"), card)
            }
            RunState::Rejected { reason } => (Tone::Warning, "Rejected".to_owned(), Html::text(reason)),
            RunState::Failed { reason } => (Tone::Bad, "Failed".to_owned(), Html::text(reason)),
            other => (Tone::Plain, format!("It is {}", other.word()), Html::text("Look again in a moment.")),
        };
        let mut page = Page::new(&format!("{name}, run {number}"))
            .subtitle(crumbs(name, &format!("run {number}")))
            .banner(tone, &headline, why)
            .add(figures(&[
                ("rows selected", text::count(run.rows)),
                ("parts", text::count(run.parts.len() as u64)),
                ("newest data", run.newest.date()),
                ("seconds of its job", text::count(run.seconds)),
            ]));
        let mut told = vec![
            ("why", Html::text(&run.reason)),
            ("asked for by", Html::text(&run.by.to_string())),
            ("planned", Html::text(&run.at.to_string())),
            ("retrainings without a person", Html::text(&run.cycle.to_string())),
        ];
        if let RunState::Training { job } = &run.state {
            told.push(("job", Html::code(job)));
        }
        if let Some(prepared) = &run.prepared {
            told.push(("rows shown to the trainer", Html::text(&text::count(prepared.train_rows))));
            told.push(("rows for early stopping", Html::text(&text::count(prepared.validation_rows))));
            told.push(("rows withheld for the judgement", Html::text(&text::count(prepared.test_rows))));
        }
        if let Some(champion) = run.champion {
            let link =
                Html::link(&format!("/pipelines/{name}/models/{champion}"), &format!("version {champion}"));
            told.push(("judged against", link));
        }
        for (label, digest) in
            [("declaration", run.pipeline), ("contract", run.contract), ("program", run.program)]
        {
            told.push((label, Html::code(&digest.to_string())));
        }
        page = page.section("What ran", facts(&told));
        if let Some(report) = &run.report {
            page = page.section("How it was judged", report_link(report, "The evaluation"));
        }
        let parts: Vec<Vec<Cell>> = (self.selected(name, &run).await?.iter())
            .map(|(part, upload)| {
                let link = format!("/pipelines/{name}/parts/{}", part.number);
                vec![
                    Cell::Html(Html::link(&link, &format!("part {}", part.number))),
                    Cell::text(upload.as_ref().map_or("–", |upload| upload.file.as_str())),
                    Cell::count(part.rows),
                    Cell::whole(part.as_of.date()),
                ]
            })
            .collect();
        page = page.section("What it learned from", some(&["part", "file", "rows", "as of"], &parts));
        Ok(Response::html(200, page.finish()))
    }

    /// One part.
    pub(crate) async fn part_page(&self, name: &PipelineName, number: u64) -> Granted {
        let part = self.part(name, number).await?;
        let upload = self.records.read::<Upload>(&Key::named(name, prefix::UPLOAD, &part.upload)).await?;
        let upload = upload.map(|row| row.value);
        let file = upload.as_ref().map_or("–", |upload| upload.file.as_str());
        let mut told = vec![
            ("file", Html::text(file)),
            ("as of", Html::text(&part.as_of.to_string())),
            ("accepted", Html::text(&part.at.to_string())),
        ];
        if let Some(upload) = &upload {
            told.push(("uploaded by", Html::text(&upload.by.to_string())));
            told.push(("bytes as they came", Html::code(&upload.content.to_string())));
        }
        told.push(("part", Html::code(&part.digest.to_string())));
        told.push(("contract", Html::code(&part.contract.to_string())));
        let report = upload.as_ref().and_then(|upload| upload.report.as_ref());
        let learned: Vec<Vec<Cell>> = (self.learned_from(name, number).await?.iter())
            .map(|Learned { run, version }| {
                let version = match version {
                    Some(version) => {
                        let label = format!("version {version}");
                        Cell::Html(Html::link(&format!("/pipelines/{name}/models/{version}"), &label))
                    }
                    None => Cell::text("–"),
                };
                let link = format!("/pipelines/{name}/runs/{}", run.number);
                vec![
                    Cell::Html(Html::link(&link, &format!("run {}", run.number))),
                    Cell::Html(run_badge(&run.state)),
                    version,
                    Cell::text(run.reason.clone()),
                    Cell::whole(run.at.date()),
                ]
            })
            .collect();
        let mut page = Page::new(&format!("{name}, part {number}"))
            .subtitle(crumbs(name, &format!("part {number}")))
            .add(figures(&[
                ("good rows", text::count(part.rows)),
                ("rows in quarantine", text::count(part.rows_bad)),
                ("bytes", text::count(part.bytes)),
            ]))
            .section("What it is", facts(&told));
        if let Some(report) = report {
            page = page.section("What it holds", report_link(report, "Its checks and its profile"));
        }
        page = page
            .section("What learned from it", some(&["run", "state", "version", "why", "planned"], &learned));
        Ok(Response::html(200, page.finish()))
    }
}
