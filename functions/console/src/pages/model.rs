//! The card of a model version: what it is for, what it learned, how it was judged, who let it
//! serve, how it fares; every line a recorded fact. And versions side by side.

use std::collections::BTreeSet;

use domain::key::prefix;
use domain::pipeline::Target;
use domain::row::{Applied, ApprovalState, Deployment, DeploymentState, Model, Part, Run, Upload};
use domain::{Key, PipelineName};
use engine::page::{Cell, Html, Page, Tone, facts, table};
use engine::text;
use ports::RecordsExt;
use ports::http::Response;

use super::{approval_badge, checks_table, crumbs, file_cell, metric, report_link, some};
use crate::{Console, Granted};

/// Versions shown side by side: what fits a screen.
const COMPARED_MAX: usize = 8;

impl Console {
    /// The card of one version.
    pub(crate) async fn model_page(&self, name: &PipelineName, version: u32) -> Granted {
        let model = self.model(name, version).await?.value;
        let applied = self.applied(name).await?.value;
        let run = self.records.need::<Run>(&Key::named(name, prefix::RUN, &model.run)).await?.value;
        let parts = self.selected(name, &run).await?;
        let checks = self.checks_of(name, Some(version)).await?;
        let deployments: Vec<Deployment> = self.rows(name, prefix::DEPLOYMENT).await?;
        let served: Vec<&Deployment> = deployments.iter().filter(|d| d.version == version).collect();

        let (tone, headline, told) = approval(name, &model);
        let page = Page::new(&format!("{name}, version {version}"))
            .subtitle(crumbs(name, &format!("version {version}")))
            .banner(tone, &headline, told)
            .section("What it is for", purpose(&applied, &model))
            .section("What it learned from", learned(name, &run, &parts))
            .section("How it was judged", judged(&model))
            .section("Where it served", deployments_table(&served))
            .section("How it fares", checks_table(&checks))
            .section("What it is made of", lineage_graph(name, &model, &run, &parts))
            .section("Digests", digests(&model));
        Ok(Response::html(200, page.finish()))
    }

    /// Versions side by side, newest first.
    pub(crate) async fn comparison_page(&self, name: &PipelineName) -> Granted {
        self.applied(name).await?;
        let mut models: Vec<Model> = self.rows(name, prefix::MODEL).await?;
        models.reverse();
        models.truncate(COMPARED_MAX);
        let mut page = Page::new(&format!("{name}: versions")).subtitle(crumbs(name, ""));
        if models.is_empty() {
            page = page.add(Html::note("There is no version yet."));
            return Ok(Response::html(200, page.finish()));
        }
        let runs: Vec<Run> = self.rows(name, prefix::RUN).await?;
        let run_of = |model: &Model| runs.iter().find(|run| run.id == model.run);
        let row = |label: &str, cell: &dyn Fn(&Model) -> Cell| {
            let mut cells = vec![Cell::text(label)];
            cells.extend(models.iter().map(cell));
            cells
        };
        let mut rows = vec![
            row("approval", &|model| Cell::Html(approval_badge(&model.approval))),
            row("registered", &|model| Cell::whole(model.at.date())),
            row("asked for by", &|model| Cell::text(model.requested_by.to_string())),
            row("newest data", &|model| Cell::whole(model.newest.date())),
            row("parts", &|model| Cell::count(model.lineage.parts.len() as u64)),
            row("rows", &|model| run_of(model).map_or_else(|| Cell::text("–"), |run| Cell::count(run.rows))),
            row("training seconds", &|model| {
                run_of(model).map_or_else(|| Cell::text("–"), |run| Cell::count(run.seconds))
            }),
            row("judged against", &|model| match model.champion {
                Some(champion) => Cell::text(format!("version {champion}")),
                None => Cell::text("nobody"),
            }),
        ];
        let measures: BTreeSet<&String> = models.iter().flat_map(|model| model.metrics.keys()).collect();
        for measure in measures {
            rows.push(row(measure, &|model| Cell::optional(model.metrics.get(measure).copied())));
        }
        rows.push(row("evaluation", &|model| file_cell(Some(&model.report), "page")));
        rows.push(row("binding", &|model| Cell::code(model.binding.short())));
        let mut headers = vec!["".to_owned()];
        headers.extend(models.iter().map(|model| format!("version {}", model.version)));
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let links = models.iter().map(|model| {
            let label = format!("card of version {}", model.version);
            Html::link(&format!("/pipelines/{name}/models/{}", model.version), &label)
        });
        page = page.add(table(&headers, &rows)).add(Html::row(links)).add(Html::note(
            "Each version was measured on rows that were withheld from it; two versions' figures are of the \
             same rows only where one was judged against the other, and its evaluation says so.",
        ));
        Ok(Response::html(200, page.finish()))
    }
}

/// Whether it may serve, and what a person can do about it.
fn approval(name: &PipelineName, model: &Model) -> (Tone, String, Html) {
    let version = model.version;
    match &model.approval {
        ApprovalState::Pending => {
            let command = format!("millrace approve {name} {version} --reason '…'");
            let told = Html::paragraph(&format!(
                "Asked for by {}. An approver who neither asked for it nor declared the pipeline decides, on the evidence below:",
                model.requested_by
            ));
            let told = told.then(Html::code(&command)).then(Html::text(" or "));
            let told = told.then(Html::code(&format!("millrace reject {name} {version} --reason '…'")));
            (Tone::Warning, "It waits for approval".to_owned(), told)
        }
        ApprovalState::Approved { by, at, binding } => {
            let told = Html::text("Bound to exactly this: ").then(Html::code(&binding.to_string()));
            (Tone::Good, format!("Approved by {by} on {}", at.date()), told)
        }
        ApprovalState::Rejected { by, at, reason } => {
            (Tone::Bad, format!("Rejected by {by} on {}", at.date()), Html::text(reason))
        }
    }
}

fn purpose(applied: &Applied, model: &Model) -> Html {
    let spec = &applied.spec;
    let target = match &spec.target {
        Target::Column(column) => Html::code(column),
        Target::Expression { name, expression, .. } => {
            Html::code(name).then(Html::text(" = ")).then(Html::code(expression))
        }
    };
    let as_declared = match model.lineage.pipeline == applied.digest {
        true => format!("revision {}, which applies now", applied.revision),
        false => format!("an earlier revision than {}, which applies now", applied.revision),
    };
    facts(&[
        ("use", Html::text(&spec.description)),
        ("predicts", target),
        ("problem", Html::text(&format!("{:?}", spec.problem).to_lowercase())),
        ("declared by", Html::text(&as_declared)),
        ("approvers", Html::text(&spec.approval.approvers.join(", "))),
    ])
}

fn learned(name: &PipelineName, run: &Run, parts: &[(Part, Option<Upload>)]) -> Html {
    let rows: Vec<Vec<Cell>> = parts
        .iter()
        .map(|(part, upload)| {
            let file = upload.as_ref().map_or("–", |upload| upload.file.as_str());
            let by = upload.as_ref().map_or_else(|| "–".to_owned(), |upload| upload.by.to_string());
            vec![
                Cell::Html(Html::link(
                    &format!("/pipelines/{name}/parts/{}", part.number),
                    &format!("part {}", part.number),
                )),
                Cell::text(file),
                Cell::count(part.rows),
                Cell::whole(part.as_of.date()),
                Cell::text(by),
                Cell::code(part.digest.short()),
            ]
        })
        .collect();
    let counts = match &run.prepared {
        Some(prepared) => format!(
            "{} trained it, {} stopped its training, {} were withheld for the judgement.",
            text::counted(prepared.train_rows, "row"),
            text::count(prepared.validation_rows),
            text::count(prepared.test_rows)
        ),
        None => text::counted(run.rows, "row"),
    };
    let run_link =
        Html::link(&format!("/pipelines/{name}/runs/{}", run.number), &format!("Run {}", run.number));
    let why = run_link.then(Html::text(&format!(" · {} · asked for by {}", run.reason, run.by)));
    Html::paragraph(&counts)
        .then(why.wrapped("p", ""))
        .then(some(&["part", "file", "rows", "as of", "uploaded by", "digest"], &rows))
}

fn judged(model: &Model) -> Html {
    let rows: Vec<Vec<Cell>> =
        model.metrics.iter().map(|(name, value)| vec![Cell::code(name), metric(*value)]).collect();
    let against = match model.champion {
        Some(champion) => format!("Held against version {champion} on rows that neither was shown."),
        None => "The first of its kind: held against a constant answer.".to_owned(),
    };
    Html::paragraph(&against)
        .then(some(&["metric", "on withheld rows"], &rows))
        .then(report_link(&model.report, "The evaluation with its intervals and gates").wrapped("p", ""))
}

/// The deployments of a version or an endpoint.
pub(super) fn deployments_table(deployments: &[&Deployment]) -> Html {
    let mut sorted: Vec<&Deployment> = deployments.to_vec();
    sorted.sort_by_key(|deployment| std::cmp::Reverse(deployment.at));
    let rows: Vec<Vec<Cell>> = sorted
        .iter()
        .map(|deployment| {
            let (tone, word) = match &deployment.state {
                DeploymentState::Waiting => (Tone::Plain, "waiting".to_owned()),
                DeploymentState::Staging => (Tone::Plain, "staging".to_owned()),
                DeploymentState::Switching { .. } => (Tone::Plain, "switching".to_owned()),
                DeploymentState::Deployed => (Tone::Good, "deployed".to_owned()),
                DeploymentState::Failed { reason } => (Tone::Bad, format!("failed: {reason}")),
                DeploymentState::Superseded { by } => (Tone::Warning, format!("made way for version {by}")),
            };
            vec![
                Cell::whole(deployment.at.to_string()[..16].replace('T', " ")),
                Cell::text(deployment.endpoint.clone()),
                Cell::count(deployment.version.into()),
                Cell::text(deployment.from.map_or_else(|| "–".to_owned(), |from| format!("version {from}"))),
                Cell::badge(tone, &word),
                Cell::text(deployment.by.to_string()),
            ]
        })
        .collect();
    some(&["asked for", "endpoint", "version", "in place of", "state", "by"], &rows)
}

/// What the version is made of as a tree: from the version back to the files that were uploaded.
fn lineage_graph(name: &PipelineName, model: &Model, run: &Run, parts: &[(Part, Option<Upload>)]) -> Html {
    let node = |what: &str, digest: &domain::Digest| {
        Html::text(&format!("{what} ")).then(Html::code(&digest.short()))
    };
    let uploads = parts.iter().map(|(part, upload)| {
        let link =
            Html::link(&format!("/pipelines/{name}/parts/{}", part.number), &format!("part {}", part.number));
        let part_node = link.then(Html::text(" ")).then(Html::code(&part.digest.short()));
        let of = match upload {
            Some(upload) => format!("{} uploaded by {} on {}", upload.file, upload.by, upload.at.date()),
            None => part.upload.clone(),
        };
        part_node.then(Html::list([Html::text(&of)]))
    });
    let lineage = &model.lineage;
    let run_link =
        Html::link(&format!("/pipelines/{name}/runs/{}", run.number), &format!("run {}", run.number));
    let inputs = [
        node("selection of rows", &lineage.selection).then(Html::list(uploads)),
        node("data contract", &lineage.contract),
        node("declaration", &lineage.pipeline),
        node("compiled features", &lineage.features),
        node("training program", &lineage.program),
    ];
    let made = [
        node("model", &lineage.artifact)
            .then(Html::text(" made by "))
            .then(run_link)
            .then(Html::list(inputs)),
        node("judgement", &lineage.evaluation)
            .then(Html::text(" and "))
            .then(node("its page", &lineage.report)),
    ];
    let top = Html::text(&format!("version {} ", model.version)).then(Html::code(&model.binding.short()));
    Html::list([top.then(Html::list(made))])
}

fn digests(model: &Model) -> Html {
    let lineage = &model.lineage;
    let code = |digest: &domain::Digest| Html::code(&digest.to_string());
    facts(&[
        ("binding", code(&model.binding)),
        ("selection", code(&lineage.selection)),
        ("contract", code(&lineage.contract)),
        ("declaration", code(&lineage.pipeline)),
        ("features", code(&lineage.features)),
        ("program", code(&lineage.program)),
        ("model", code(&lineage.artifact)),
        ("evaluation", code(&lineage.evaluation)),
        ("report", code(&lineage.report)),
    ])
}
