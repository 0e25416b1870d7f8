//! The home-insurance story: one model's whole life on this machine, on seeded data.
//!
//! Month by month: a pipeline is declared, files arrive, a model is trained, judged, approved by
//! someone else than who asked for it, and answers. In month 4 property prices have moved: the
//! traffic drifts, the labels show that the error has grown, a challenger is trained on the
//! newer parts, wins, takes over; and the way back works, and forward again.

use std::path::PathBuf;

use clap::Args;
use domain::row::{CheckVerdict, Fate, Model};
use home_insurance as homes;
use serde_json::{Value, json};

use crate::acts::{accepted, afterwards, approve, checked, deployed, left, registered, upload};
use crate::output::{Done, Error};
use crate::story::Story;
use crate::taxi;

/// Rows of one month's file.
const ROWS: usize = 4_000;

/// Requests of one month's traffic.
const REQUESTS: usize = 1_500;

const NAME: &str = "home-insurance";
const CONTRACT: &str = include_str!("../../examples/home-insurance/contract.yaml");
const DECLARATION: &str = include_str!("../../examples/home-insurance/pipeline.yaml");

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The same seed gives the same files, parts, models, reports and verdicts.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// The folder for everything the story leaves; an earlier story's is removed.
    #[arg(long, default_value = "demo-data", value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Tell of New York's taxis instead: the folder of their monthly files, `YYYY-MM.csv`.
    #[arg(long, value_name = "DIR")]
    pub(crate) taxi: Option<PathBuf>,
}

pub(crate) fn demo(arguments: &DemoArguments) -> Done {
    if let Some(months) = &arguments.taxi {
        return taxi::taxi(months, &arguments.into);
    }
    let mut story = Story::begin(&arguments.into, NAME, "2026-03-01T09:00:00Z")?;
    let seed = arguments.seed;
    let version = first_month(&mut story, seed)?;
    third_month(&mut story, seed)?;
    fourth_month(&mut story, seed)?;
    let newer = challenge(&mut story, seed, version)?;
    there_and_back(&mut story, version, newer)?;
    afterwards(&mut story, newer, 3)?;
    story.end()
}

/// Month 1: declared, filled, trained, approved, deployed.
fn first_month(story: &mut Story, seed: u64) -> Result<u32, Error> {
    story.scene("Alice declares the pipeline and uploads what the business knows");
    let application = json!({
        "pipeline_file": "pipeline.yaml", "pipeline": DECLARATION,
        "contract_file": "contract.yaml", "contract": CONTRACT,
    });
    let applied = story.person("alice")?.apply(&application)?;
    let revision = applied["revision"].as_u64();
    story.act("a pipeline is declared", revision == Some(1), "recorded by digest with its contract", "");

    let month = |number: u32| homes::month(seed, number, ROWS);
    let good = upload(story, "dora", "quotes-2026-01.csv", &homes::csv(&month(1)), "2026-01-31")?;
    accepted(story, "a good file is accepted", &good);
    let broken =
        upload(story, "dora", "quotes-2026-02-broken.csv", &homes::csv_broken(&month(2)), "2026-02-28")?;
    let rejected = matches!(broken.fate, Fate::Rejected { .. }) && broken.rows_bad == broken.rows_read;
    let reason = if let Fate::Rejected { reason } = &broken.fate { reason.clone() } else { String::new() };
    let page = left(story, broken.report.as_ref());
    story.act("a broken export is refused with the page that explains it", rejected, &reason, &page);
    let mended =
        upload(story, "dora", "quotes-2026-02.csv", &homes::csv_with_bad_rows(&month(2)), "2026-02-28")?;
    accepted(story, "the mended export is accepted", &mended);
    let quarantine = left(story, mended.quarantine.as_ref());
    let told = format!("{} of {} rows", mended.rows_bad, mended.rows_read);
    story.act("its bad rows are in quarantine", mended.rows_bad == ROWS as u64 / 50, &told, &quarantine);

    story.scene("Bianca asks for a model");
    story.person("bianca")?.train(story.pipeline(), "the first model of the year")?;
    let version = registered(story, "the first model is trained, judged and registered")?;

    story.scene("Bianca may approve, but not what she asked for herself");
    let refused = story.person("bianca")?.approve(story.pipeline(), version, "mine is fine", None);
    let why = refused.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let held = refused.is_err_and(|failure| failure.status() == Some(403));
    story.act("nobody approves what they asked for", held, &why, "");
    approve(story, "carlos", version)?;
    deployed(story, "the version is tried, then serves", version)?;
    Ok(version)
}

/// Month 3: traffic like what was learned.
fn third_month(story: &mut Story, seed: u64) -> Result<(), Error> {
    story.scene("March: homes are what they were");
    story.clock("2026-03-15T12:00:00Z")?;
    let quotes = homes::month(seed, 3, REQUESTS);
    let requests: Vec<String> = quotes.iter().map(homes::Quote::request).collect();
    let answers = story.ask(NAME, "march", &requests)?;
    let known: Vec<f64> = quotes.iter().map(|quote| quote.claim_cost).collect();
    let error = relative_error(&answers, &known);
    let told = format!("{} predictions, off by {:.0} % on average", answers.len(), 100.0 * error);
    story.act("predictions are answered over HTTP", error < 0.3, &told, "");
    story.clock("2026-03-31T12:00:00Z")?;
    let (verdict, _, summary, page) = checked(story)?;
    story.act("captured traffic of a calm month is calm", verdict == CheckVerdict::Ok, &summary, &page);
    Ok(())
}

/// Month 4: property prices have moved; the inputs tell at once, the labels tell later.
fn fourth_month(story: &mut Story, seed: u64) -> Result<(), Error> {
    story.scene("April: property prices have moved");
    story.clock("2026-04-15T12:00:00Z")?;
    let quotes = homes::month(seed, 4, REQUESTS);
    let requests: Vec<String> = quotes.iter().map(homes::Quote::request).collect();
    story.ask(NAME, "april", &requests)?;
    story.clock("2026-04-30T12:00:00Z")?;
    let (verdict, columns, summary, page) = checked(story)?;
    let named = verdict == CheckVerdict::Drift && columns.iter().any(|column| column == "market_value");
    story.act("the schedule's check finds drift and names the column", named, &summary, &page);

    let labels = Story::labels_of("april", quotes.iter().map(|quote| quote.claim_cost.to_string()));
    story.person("dora")?.labels(story.pipeline(), labels.as_bytes())?;
    let (verdict, _, summary, page) = checked(story)?;
    let grown = verdict == CheckVerdict::ConceptDrift;
    story.act("the labels show that the error has grown", grown, &summary, &page);
    Ok(())
}

/// The newer part arrives, and what waited for it goes on by itself.
fn challenge(story: &mut Story, seed: u64, version: u32) -> Result<u32, Error> {
    story.scene("April's file arrives: retraining, which waited for newer data, begins by itself");
    let april =
        upload(story, "dora", "quotes-2026-04.csv", &homes::csv(&homes::month(seed, 4, ROWS)), "2026-04-30")?;
    accepted(story, "April is accepted", &april);
    let newer = registered(story, "the challenger beats the champion on rows neither was trained on")?;
    let model: Model = story.client().row(story.pipeline(), "models", &newer.to_string())?;
    let run: Value = story.client().row(story.pipeline(), "runs", &model.run)?;
    let told = format!(
        "{}: {}",
        run["trigger"].as_str().unwrap_or_default(),
        run["reason"].as_str().unwrap_or_default()
    );
    let by_drift = run["trigger"] == "drift" && model.champion == Some(version);
    story.act("drift asked for the retraining", by_drift, &told, "");
    approve(story, "carlos", newer)?;
    deployed(story, "the challenger takes over", newer)?;
    let quotes = homes::month(seed, 4, REQUESTS);
    let requests: Vec<String> = quotes.iter().map(homes::Quote::request).collect();
    let answers = story.ask(NAME, "april-again", &requests)?;
    let known: Vec<f64> = quotes.iter().map(|quote| quote.claim_cost).collect();
    let error = relative_error(&answers, &known);
    let told = format!("off by {:.0} % on average", 100.0 * error);
    story.act("its answers fit the moved market", error < 0.3, &told, "");
    Ok(newer)
}

/// Back to the first version, and forward again.
fn there_and_back(story: &mut Story, version: u32, newer: u32) -> Result<(), Error> {
    story.scene("Bianca goes back to the first version, and forward again");
    story.person("bianca")?.roll_back(story.pipeline(), None, "compare on the books")?;
    deployed(story, "rollback: the first version serves again", version)?;
    story.person("bianca")?.roll_back(story.pipeline(), Some(newer), "the newer one it is")?;
    deployed(story, "and forward: the newer one serves", newer)
}

/// The mean distance of answers from what turned out to be true, in shares of the true mean.
fn relative_error(answers: &[f64], known: &[f64]) -> f64 {
    let distance: f64 = answers.iter().zip(known).map(|(answer, known)| (answer - known).abs()).sum();
    distance / known.iter().sum::<f64>()
}
