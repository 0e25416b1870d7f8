//! How a check is made: what serves, its window of traffic, the comparison, the record of it.

use domain::row::{Check, File};
use domain::{BlobPath, Digest, Event, Input, PipelineName, Time};
use engine::drift::{self, DriftOptions, DriftReport};
use ports::handler::{Plan, decide_again, id_of};
use ports::{Blobs, BlobsExt, Error, Fault, Handler as _, Handling, RecordsExt, Write};
use tracing::info;

use crate::decide::{self, Cursor};
use crate::labels::Known;
use crate::rows::{self, Serving};
use crate::window::{Gathering, Window};
use crate::{Drift, traffic};

/// What was found, and where it is written down.
struct Found {
    id: String,
    report: DriftReport,
    window: Window,
    from: Time,
    to: Time,
    summary: String,
    result: File,
    page: File,
    last: Option<BlobPath>,
}

impl Drift {
    /// Checks the traffic of what serves, unless this very input has been answered, nothing
    /// serves, or a tick finds nothing due.
    pub(crate) async fn check(&self, handling: Handling<'_>) -> Result<(), Fault> {
        let Handling { cx, input, pipeline } = handling;
        let records = &*self.records;
        let mut attempt = 0;
        loop {
            let Some(serving) = rows::serving(records, pipeline).await? else {
                info!(pipeline = %pipeline, "nothing serves, so there is no traffic to check");
                return Ok(());
            };
            let id = id_of(&input.id(), &serving.endpoint.name);
            if records.get(&rows::check_key(pipeline, &id)).await?.is_some() {
                return Ok(());
            }
            let cursor = records.read::<Cursor>(&rows::cursor_key(pipeline)).await?;
            let (known_at, cursor) = (cursor.as_ref().map(|row| row.version), cursor.map(|row| row.value));
            let monitoring = &serving.applied.spec.monitoring;
            let is_tick = matches!(input, Input::Tick { .. });
            if is_tick && !decide::due(monitoring, &serving.endpoint, cursor.as_ref(), cx.now) {
                return Ok(());
            }
            let (from, to) = decide::window(monitoring, &serving.endpoint, cx.now);
            let files = traffic::files(&*self.blobs, &serving.endpoint.name, from, to).await?;
            if is_tick && !decide::is_new(&files, &serving.endpoint.name, cursor.as_ref()) {
                return Ok(());
            }
            let found = self.look(handling, &serving, id, (from, to), &files).await?;
            match self.record(handling, &serving, known_at, found).await {
                Ok(()) => return Ok(()),
                Err(error) if decide_again(&error, attempt) => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Compares the window with what the version was trained on, and writes that down.
    async fn look(
        &self,
        handling: Handling<'_>,
        serving: &Serving,
        id: String,
        (from, to): (Time, Time),
        files: &[BlobPath],
    ) -> Result<Found, Fault> {
        let (records, blobs, pipeline) = (&*self.records, &*self.blobs, handling.pipeline);
        let reference = rows::reference(blobs, pipeline, &serving.model).await?;
        let known = Known::read(blobs, rows::labels(records, pipeline).await?, from).await?;
        let gathering = Gathering::new(
            &reference.baseline,
            reference.features.inputs(),
            &reference.served,
            &known,
            (from, to),
        );
        let window = gathering.read(blobs, files).await?;
        let options = DriftOptions::from(&serving.applied.spec.monitoring);
        let compared =
            drift::Window { counts: &window.counts, errors: window.errors.as_ref(), now: Some(to) };
        let report = drift::check(&reference.baseline, &compared, &options);
        let summary = decide::summary(&report.reasons, window.unreadable_count(), window.cut);
        let result = serde_json::json!({
            "check": id,
            "pipeline": pipeline,
            "endpoint": serving.endpoint.name,
            "version": serving.endpoint.champion,
            "from": from,
            "to": to,
            "rows": window.counts.rows,
            "labelled": window.labelled,
            "summary": summary,
            "unreadable": window.unreadable,
            "labels_unreadable": known.unreadable,
            "cut": window.cut,
            "report": report,
        });
        let page = crate::page::page(pipeline, serving, (from, to), &window, &report);
        let result =
            keep(blobs, pipeline, (&id, "result", "json"), &domain::digest::canonical(&result)).await?;
        let page = keep(blobs, pipeline, (&id, "report", "html"), &page).await?;
        let last = files.last().cloned();
        Ok(Found { report, window, from, to, summary, result, page, last, id })
    }

    async fn record(
        &self,
        handling: Handling<'_>,
        serving: &Serving,
        cursor: Option<u64>,
        found: Found,
    ) -> Result<(), Error> {
        let Handling { cx, input, pipeline } = handling;
        let (endpoint, version) = (serving.endpoint.name.clone(), serving.endpoint.champion);
        let check = Check {
            id: found.id.clone(),
            endpoint: endpoint.clone(),
            version,
            from: found.from,
            to: found.to,
            at: cx.now,
            verdict: found.report.verdict,
            rows: found.window.counts.rows,
            labelled: found.window.labelled,
            columns: found.report.drifted(),
            summary: found.summary,
            result: found.result,
            report: found.page,
        };
        info!(pipeline = %pipeline, check = %check.id, version, verdict = %check.verdict, rows = check.rows, labelled = check.labelled, unreadable = found.window.unreadable_count(), "traffic is checked");
        let mut plan = Plan::new(self.name(), cx, input, pipeline, "");
        plan.emit(Event::DriftChecked {
            check: check.id.clone(),
            endpoint: endpoint.clone(),
            version,
            verdict: check.verdict,
            rows: check.rows,
            labelled: check.labelled,
            columns: check.columns.clone(),
            summary: check.summary.clone(),
            report: check.report.clone(),
        });
        if decide::asks_for_retraining(check.verdict) {
            plan.emit(Event::DriftDetected {
                check: check.id.clone(),
                endpoint: endpoint.clone(),
                version,
                verdict: check.verdict,
                columns: check.columns.clone(),
                summary: check.summary.clone(),
                cycle: serving.model.cycle + 1,
            });
        }
        plan.write(Write::insert(rows::check_key(pipeline, &check.id), &check));
        let seen = Cursor { at: cx.now, endpoint, last: found.last };
        plan.write(Write::put(rows::cursor_key(pipeline), cursor, &seen));
        plan.commit(&*self.records).await.map(|_| ())
    }
}

/// Writes a file of a check. Its path says its digest: two deliveries of one input look at two
/// windows, and what the recorded check names must stay.
async fn keep(
    blobs: &dyn Blobs,
    pipeline: &PipelineName,
    (check, name, ending): (&str, &str, &str),
    text: &str,
) -> ports::Result<File> {
    let name = format!("{name}-{}.{ending}", Digest::of(text.as_bytes()).short());
    blobs.put(&BlobPath::check(pipeline, check, &name), text.as_bytes()).await
}
