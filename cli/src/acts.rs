//! Acts that every story has: a file is taken in, a version is registered, approved, deployed,
//! traffic is checked, and what a risk officer asks afterwards.

use std::time::Duration;

use domain::row::{CheckVerdict, Fate, File, Model, Upload};
use domain::{Digest, Event};

use crate::client::{Client, Patience};
use crate::output::Error;
use crate::story::Story;

/// How long the last notice may take before the story says that someone was not told.
const NOTICES_PATIENCE: Patience = Patience(Some(Duration::from_secs(30)));

/// What a risk officer asks later.
pub(crate) fn afterwards(story: &mut Story, version: u32, parts: usize) -> Result<(), Error> {
    story.scene("Afterwards");
    let lineage = story.client().get(&Client::at(story.pipeline(), &format!("lineage/{version}")))?;
    let found = lineage["parts"].as_array().map_or(0, Vec::len);
    let by = lineage["approval"]["by"].as_str().unwrap_or_default().to_owned();
    let told = format!(
        "{parts} parts, requested by {}, approved by {by}",
        lineage["run"]["by"].as_str().unwrap_or_default()
    );
    story.act("lineage names what is behind the version", found == parts && by == "person:carlos", &told, "");
    let verified = story.client().get(&Client::at(story.pipeline(), "verify"))?;
    let whole = verified["findings"].as_array().is_some_and(Vec::is_empty);
    let told = format!("{} events and {} rows hold", verified["events"], verified["rows"]);
    story.act("the ledger is whole", whole, &told, "");
    let events = verified["events"].as_u64().unwrap_or_default() as usize;
    let page = story.folder().join("data/notices.jsonl");
    let notices = || std::fs::read_to_string(&page).unwrap_or_default().lines().count();
    // A notice follows its event by a moment. Where it does not come, the count says so.
    let _ =
        story.client().wait("the last notice", NOTICES_PATIENCE, || Ok((notices() >= events).then_some(())));
    let told = format!("{} notices of {events} events", notices());
    let is_told = notices() >= events;
    let page = page.display().to_string();
    story.act("people were told", is_told, &told, &page);
    Ok(())
}

/// Someone uploads a file and waits for its fate.
pub(crate) fn upload(
    story: &mut Story,
    person: &str,
    file: &str,
    text: &str,
    as_of: &str,
) -> Result<Upload, Error> {
    let as_of = Some(as_of.parse()?);
    let ticket = story.person(person)?.upload_bytes(story.pipeline(), file, text.as_bytes(), as_of)?;
    let id = ticket.upload.clone();
    story.until(&format!("the fate of {file}"), |recorded| {
        let upload = match &recorded.envelope.event {
            Event::PartAccepted { upload, .. }
            | Event::PartRejected { upload, .. }
            | Event::UploadRepeated { upload, .. } => upload,
            _ => return None,
        };
        (*upload == id).then_some(())
    })?;
    Ok(story.client().wait_for_upload(story.pipeline(), &ticket.upload, Patience::default())?)
}

/// An upload became a part, whose digests are told.
pub(crate) fn accepted(story: &mut Story, what: &str, upload: &Upload) {
    let page = left(story, upload.report.as_ref());
    let told = format!("{} rows read, {} bad", upload.rows_read, upload.rows_bad);
    let Fate::Accepted { part } = upload.fate else {
        return story.act(what, false, &format!("{:?}", upload.fate), &page);
    };
    story.act(what, true, &told, &page);
    if let Some(report) = &upload.report {
        story.digest(&format!("report of part {part}"), report.digest);
    }
    let found: Result<domain::row::Part, _> =
        story.client().row(story.pipeline(), "parts", &part.to_string());
    if let Ok(found) = found {
        story.digest(&format!("part {part}"), found.data.digest);
        story.digest(&format!("profile of part {part}"), found.profile.digest);
    }
}

/// Waits for a version.
pub(crate) fn registered(story: &mut Story, what: &str) -> Result<u32, Error> {
    let (version, reason) = story.until_event("a version", |event| match event {
        Event::ModelRegistered { version, reason, .. } => Some((*version, reason.clone())),
        _ => None,
    })?;
    let model: Model = story.client().row(story.pipeline(), "models", &version.to_string())?;
    let whole = Digest::of_json(&model.lineage) == model.binding;
    let page = story.place(&model.report.path);
    story.act(what, whole, &format!("version {version}: {reason}"), &page);
    story.digest(&format!("model {version}"), model.artifact.digest);
    story.digest(&format!("evaluation of model {version}"), model.lineage.evaluation);
    Ok(version)
}

/// Someone lets a version into production, bound to exactly what was registered.
pub(crate) fn approve(story: &mut Story, person: &str, version: u32) -> Result<(), Error> {
    let model: Model = story.client().row(story.pipeline(), "models", &version.to_string())?;
    let binding = model.binding;
    story.person(person)?.approve(story.pipeline(), version, "read the evaluation", Some(binding))?;
    let told = format!("bound to {}", binding.short());
    story.act(
        &format!("{person} approves version {version}"),
        *model.requested_by.to_string() != *person,
        &told,
        "",
    );
    Ok(())
}

/// Waits until a version serves.
pub(crate) fn deployed(story: &mut Story, what: &str, expected: u32) -> Result<(), Error> {
    let (version, rows) = story.until_event("the deployment", |event| match event {
        Event::ModelDeployed { version, smoke_rows, .. } => Some((*version, *smoke_rows)),
        _ => None,
    })?;
    let told = format!("version {version} serves; {rows} golden requests answered right");
    story.act(what, version == expected && rows > 0, &told, "");
    Ok(())
}

/// Waits for a check: its verdict, the columns it names, its summary, its page.
pub(crate) fn checked(story: &mut Story) -> Result<(CheckVerdict, Vec<String>, String, String), Error> {
    let (verdict, columns, summary, report) = story.until_event("a drift check", |event| match event {
        Event::DriftChecked { verdict, columns, summary, report, .. } => {
            Some((*verdict, columns.clone(), summary.clone(), report.clone()))
        }
        _ => None,
    })?;
    story.digest(&format!("drift report: {verdict}"), report.digest);
    let page = story.place(&report.path);
    Ok((verdict, columns, summary, page))
}

/// Where a file stands, if it was left.
pub(crate) fn left(story: &Story, file: Option<&File>) -> String {
    file.map(|file| story.place(&file.path)).unwrap_or_default()
}
