//! The taxi story: the same life on real trips of New York's yellow taxis.
//!
//! A model of how long a trip takes learns from six months of 2018. December 2019 is calm; in
//! April 2020 the streets are empty, and the labels show it. Somebody says which months still
//! describe the world; drift asks for a run on them; the challenger wins on June and takes over.

use std::path::{Path, PathBuf};

use domain::row::{CheckVerdict, Fate, Model};
use domain::{Event, Time};
use serde_json::json;

use crate::acts;
use crate::output::{self, Done, Error, say};
use crate::story::Story;

const NAME: &str = "nyc-taxi";
const CONTRACT: &str = include_str!("../../examples/nyc-taxi/contract.yaml");
const DECLARATION: &str = include_str!("../../examples/nyc-taxi/pipeline.yaml");
const DECLARATION_2020: &str = include_str!("../../examples/nyc-taxi/pipeline-2020.yaml");

/// The months that the story needs.
const MONTHS: [&str; 10] = [
    "2018-01", "2018-02", "2018-03", "2018-04", "2018-05", "2018-06", "2019-12", "2020-04", "2020-05",
    "2020-06",
];

/// Requests of one month's traffic.
const REQUESTS: usize = 2_000;

/// A trip as a rider asks about it, and how long it took.
struct Trip {
    request: String,
    seconds: f64,
}

pub(crate) fn taxi(months: &Path, into: &Path) -> Done {
    if let Some(missing) = MONTHS.iter().find(|month| !file(months, month).exists()) {
        say(&format!(
            "skipped: {} is not there, so there are no trips to tell of",
            file(months, missing).display()
        ));
        return Ok(std::process::ExitCode::SUCCESS);
    }
    let mut story = Story::begin(into, NAME, "2018-07-01T08:00:00Z")?;
    first_half_of_2018(&mut story, months)?;
    december_2019(&mut story, months)?;
    april_2020(&mut story, months)?;
    summer_2020(&mut story, months)?;
    acts::afterwards(&mut story, 2, 3)?;
    story.end()
}

fn file(months: &Path, month: &str) -> PathBuf {
    months.join(format!("{month}.csv"))
}

fn apply(story: &mut Story, file: &str, text: &str, revision: u64) -> Result<(), Error> {
    let application = json!({
        "pipeline_file": file, "pipeline": text, "contract_file": "contract.yaml", "contract": CONTRACT,
    });
    let applied = story.person("alice")?.apply(&application)?;
    let happened = applied["revision"].as_u64() == Some(revision);
    story.act(&format!("{file} is declared"), happened, "recorded by digest with its contract", "");
    Ok(())
}

/// Uploads a month; its bad rows are real ones.
fn upload(story: &mut Story, months: &Path, month: &str, last_day: &str) -> Result<(), Error> {
    let path = file(months, month);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
    let upload =
        acts::upload(story, "alice", &format!("{month}.csv"), &text, &format!("{last_day}T23:59:59Z"))?;
    let happened = matches!(upload.fate, Fate::Accepted { .. }) && upload.rows_bad > 0;
    let told = format!("{} of {} rows in quarantine", upload.rows_bad, upload.rows_read);
    let page = acts::left(story, upload.report.as_ref());
    story.act(&format!("{month} is accepted without its bad rows"), happened, &told, &page);
    Ok(())
}

fn first_half_of_2018(story: &mut Story, months: &Path) -> Result<(), Error> {
    story.scene("Alice declares how long a trip will take, and uploads the first half of 2018");
    apply(story, "pipeline.yaml", DECLARATION, 1)?;
    for (month, last) in MONTHS.iter().zip(["01-31", "02-28", "03-31", "04-30", "05-31", "06-30"]) {
        upload(story, months, month, &format!("2018-{last}"))?;
    }
    story.person("alice")?.train(story.pipeline(), "the first model of trips")?;
    let version = acts::registered(story, "a model of half a year is judged on its newest month")?;
    acts::approve(story, "bianca", version)?;
    acts::deployed(story, "it serves", version)
}

fn december_2019(story: &mut Story, months: &Path) -> Result<(), Error> {
    story.scene("December 2019: one and a half years later the city still moves alike");
    story.clock("2019-12-31T12:00:00Z")?;
    let (verdict, summary, page) = month_of_traffic(story, months, "2019-12")?;
    let calm = matches!(verdict, CheckVerdict::Ok | CheckVerdict::Warning);
    story.act("December 2019 is calm", calm, &format!("{verdict}: {summary}"), &page);
    Ok(())
}

fn april_2020(story: &mut Story, months: &Path) -> Result<(), Error> {
    story.scene("April 2020: the streets are empty");
    story.clock("2020-04-30T12:00:00Z")?;
    let (verdict, summary, page) = month_of_traffic(story, months, "2020-04")?;
    let drifted = verdict == CheckVerdict::ConceptDrift;
    story.act("late labels show that the error has grown", drifted, &summary, &page);
    Ok(())
}

fn summer_2020(story: &mut Story, months: &Path) -> Result<(), Error> {
    story.scene("Summer 2020: Alice says which months still describe the world");
    story.clock("2020-07-01T08:00:00Z")?;
    for (month, last) in [("2020-04", "04-30"), ("2020-05", "05-31"), ("2020-06", "06-30")] {
        upload(story, months, month, &format!("2020-{last}"))?;
    }
    apply(story, "pipeline-2020.yaml", DECLARATION_2020, 2)?;
    let (verdict, summary, page) = month_of_traffic(story, months, "2020-06")?;
    let drifted = verdict == CheckVerdict::ConceptDrift;
    story.act("June's traffic is not the old model's either", drifted, &summary, &page);
    let version = acts::registered(story, "a challenger of April and May wins on June")?;
    let model: Model = story.client().row(story.pipeline(), "models", &version.to_string())?;
    let told = format!("asked for by {}", model.requested_by);
    story.act("drift asked for it", model.champion == Some(1) && model.cycle == 1, &told, "");
    acts::approve(story, "carlos", version)?;
    acts::deployed(story, "the challenger is promoted", version)
}

/// A month's riders ask, and what their trips took arrives late: the check that follows.
fn month_of_traffic(
    story: &mut Story,
    months: &Path,
    month: &str,
) -> Result<(CheckVerdict, String, String), Error> {
    let trips = trips(&file(months, month))?;
    let requests: Vec<String> = trips.iter().map(|trip| trip.request.clone()).collect();
    story.ask(NAME, month, &requests)?;
    let labels = Story::labels_of(month, trips.iter().map(|trip| trip.seconds.ln().to_string()));
    story.person("alice")?.labels(story.pipeline(), labels.as_bytes())?;
    let (verdict, summary, report) = story.until_event("the check of its labels", |event| match event {
        Event::DriftChecked { verdict, summary, report, labelled, .. } if *labelled > 0 => {
            Some((*verdict, summary.clone(), report.clone()))
        }
        _ => None,
    })?;
    story.digest(&format!("drift report of {month}"), report.digest);
    let page = story.place(&report.path);
    Ok((verdict, summary, page))
}

/// Trips evenly drawn from a month's file, of those that a rider would call one: a broken meter
/// asks nobody how long it will take.
fn trips(path: &Path) -> Result<Vec<Trip>, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("read {}: {error}", path.display()))?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let place = |name: &str| {
        header.iter().position(|found| *found == name).ok_or_else(|| format!("{}: no {name}", path.display()))
    };
    let (from, to) = (place("pickup_datetime")?, place("dropoff_datetime")?);
    let (distance, fare) = (place("trip_distance")?, place("fare_amount")?);
    let asked = [
        from,
        place("passenger_count")?,
        distance,
        place("pickup_location_id")?,
        place("dropoff_location_id")?,
    ];
    let mut found = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        if cells.len() != header.len() {
            return output::error(format!("{}: a row of {} cells", path.display(), cells.len()));
        }
        let time = |cell: &str| format!("{}Z", cell.replace(' ', "T")).parse::<Time>();
        let number = |place: usize| cells[place].parse::<f64>().unwrap_or(0.0);
        let seconds = (time(cells[to])?.millis() - time(cells[from])?.millis()) as f64 / 1_000.0;
        let sensible = (60.0..=10_800.0).contains(&seconds) && number(distance) > 0.0 && number(fare) > 0.0;
        if sensible {
            let request = asked.map(|place| cells[place]).join(",");
            found.push(Trip { request, seconds });
        }
    }
    let step = (found.len() / REQUESTS).max(1);
    Ok(found.into_iter().step_by(step).take(REQUESTS).collect())
}
