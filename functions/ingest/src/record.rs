//! How an upload's fate is recorded: its rows and its event in one commit.

use domain::key::prefix;
use domain::row::{Accepted, Counts, Fate, Part, Upload};
use domain::{Event, Input, Key};
use ports::handler::{Plan, decide_again};
use ports::records::Typed;
use ports::{Fault, Handler as _, Handling, RecordsExt, Write};
use tracing::info;

use crate::arrival::Arrival;
use crate::decide::{self, Finding};
use crate::judge::{Judged, accepted_key};
use crate::{Ingest, rows};

impl Ingest {
    /// Records an upload's fate, once: whoever finds it recorded has nothing to do.
    pub(crate) async fn record(
        &self,
        handling: Handling<'_>,
        arrival: &Arrival,
        judged: &Judged,
        step: &str,
    ) -> Result<(), Fault> {
        let Handling { pipeline, .. } = handling;
        let records = &*self.records;
        let mut attempt = 0;
        loop {
            if rows::has_fate(records, pipeline, &arrival.upload).await? {
                return Ok(());
            }
            let accepted = records.read::<Accepted>(&accepted_key(pipeline, &judged.digest)).await?;
            let counts = records.read::<Counts>(&Key::of(pipeline, prefix::COUNTS)).await?;
            let parts = counts.as_ref().map_or(0, |counts| counts.value.parts);
            let fate = decide::fate(&judged.finding, accepted.as_ref().map(|row| &row.value), parts);
            let mut plan = handling.plan(self.name(), step);
            if let Input::Tick { .. } = handling.input {
                // One tick begins several stories: each is its upload's.
                plan.correlate(&arrival.upload);
            }
            write(&mut plan, handling, (arrival, judged), &fate, counts);
            let ticket = Key::named(pipeline, prefix::TICKET, &arrival.upload);
            if let Some(row) = records.get(&ticket).await? {
                plan.write(Write::remove(ticket, row.version));
            }
            match plan.commit(records).await {
                Ok(_) => {
                    let word = word(&fate);
                    info!(pipeline = %pipeline, upload = %arrival.upload, fate = word, rows = judged.rows_read, rows_bad = judged.rows_bad, bytes = judged.bytes, "an upload has its fate");
                    return Ok(());
                }
                Err(error) if decide_again(&error, attempt) => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Accepted { .. } => "accepted",
        Fate::Rejected { .. } => "rejected",
        Fate::Duplicate { .. } => "duplicate",
    }
}

/// Adds the rows and the event of a fate.
fn write(
    plan: &mut Plan,
    handling: Handling<'_>,
    (arrival, judged): (&Arrival, &Judged),
    fate: &Fate,
    counts: Option<Typed<Counts>>,
) {
    let Handling { cx, pipeline, .. } = handling;
    let upload = Upload {
        id: arrival.upload.clone(),
        file: arrival.file.clone(),
        path: arrival.path.clone(),
        version: arrival.version.clone(),
        content: judged.content,
        bytes: judged.bytes,
        by: arrival.by.clone(),
        at: cx.now,
        as_of: arrival.as_of,
        fate: fate.clone(),
        rows_read: judged.rows_read,
        rows_bad: judged.rows_bad,
        report: judged.report.clone(),
        report_json: judged.report_json.clone(),
        quarantine: judged.quarantine.clone(),
    };
    plan.write(Write::insert(rows::upload_key(pipeline, &upload.id), &upload));
    let event = match (fate, &judged.finding, &judged.report) {
        (Fate::Accepted { part: number }, Finding::Good(files), Some(report)) => {
            let part = Part {
                number: *number,
                digest: judged.digest,
                upload: upload.id.clone(),
                data: files.data.clone(),
                bytes: files.bytes,
                profile: files.profile.clone(),
                rows: judged.rows_good,
                rows_bad: judged.rows_bad,
                contract: judged.contract,
                as_of: arrival.as_of,
                at: cx.now,
            };
            let (version, mut given) =
                counts.map_or((None, Counts::default()), |row| (Some(row.version), row.value));
            given.parts = *number;
            let accepted = Accepted { part: *number, upload: upload.id.clone() };
            plan.write(Write::insert(Key::numbered(pipeline, prefix::PART, *number), &part));
            plan.write(Write::insert(accepted_key(pipeline, &judged.digest), &accepted));
            plan.write(Write::put(Key::of(pipeline, prefix::COUNTS), version, &given));
            Event::PartAccepted {
                upload: upload.id,
                part: *number,
                digest: judged.digest,
                rows: judged.rows_good,
                rows_bad: judged.rows_bad,
                report: report.clone(),
            }
        }
        (Fate::Accepted { .. }, ..) => unreachable!("only a good upload with its report is accepted"),
        (Fate::Rejected { reason }, ..) => Event::PartRejected {
            upload: upload.id,
            file: upload.file,
            reason: reason.clone(),
            report: upload.report,
        },
        (Fate::Duplicate { part }, ..) => {
            Event::UploadRepeated { upload: upload.id, file: upload.file, part: *part }
        }
    };
    plan.emit_as(event, arrival.by.clone(), Some(arrival.as_of));
}
