//! The home-insurance story on seeded data: what arrives, what is refused, what has drifted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use domain::Digest;
use domain::row::CheckVerdict;
use engine::contract::Contract;
use engine::drift::{self, DriftOptions};
use engine::intake::Verdict;
use engine::report::DataReport;
use home_insurance as homes;

use crate::data::{Taken, compared, taken};
use crate::files;
use crate::output::{self, Done, Error, say};

/// Rows of one month.
const ROWS: usize = 8_000;

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The same seed gives the same files, parts and digests.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Where files and pages are written.
    #[arg(long, default_value = "demo-data", value_name = "DIR")]
    pub(crate) into: PathBuf,
}

/// The contract, so that the story can be played from anywhere.
const CONTRACT: &str = include_str!("../../examples/home-insurance/contract.yaml");

/// One act: what happened, whether it is what the story needs, and what is left of it.
struct Act {
    what: &'static str,
    happened: bool,
    told: String,
    left: String,
}

pub(crate) fn demo(arguments: &DemoArguments) -> Done {
    let DemoArguments { seed, into } = arguments;
    std::fs::create_dir_all(into).map_err(|error| format!("make {}: {error}", into.display()))?;
    let contract = Contract::parse("examples/home-insurance/contract.yaml", CONTRACT);
    let contract = Arc::new(contract.map_err(|problems| problems[0].to_string())?);
    let month = |number: u32| homes::month(*seed, number, ROWS);
    let mut acts = Vec::new();

    let files = [
        ("quotes-2026-01.csv", homes::csv(&month(1)), "a good month is accepted", true, false),
        ("quotes-2026-02.csv", homes::csv_with_bad_rows(&month(2)), "bad rows go to quarantine", true, true),
        (
            "quotes-2026-03-broken.csv",
            homes::csv_broken(&month(3)),
            "a broken export is refused",
            false,
            true,
        ),
        ("quotes-2026-03.csv", homes::csv(&month(3)), "the mended export is accepted", true, false),
        ("quotes-2026-04.csv", homes::csv(&month(4)), "month 4 keeps the contract", true, false),
    ];
    for (name, text, what, accepted, some_bad) in &files {
        files::write(&into.join(name), text.as_bytes())?;
        let act = received(into, name, &contract, what)?;
        let as_told = act.1 == (if *accepted { Verdict::Accepted } else { Verdict::Rejected })
            && (act.2 > 0) == *some_bad;
        acts.push(Act { happened: as_told, ..act.0 });
    }
    let calm = watched(into, "quotes-2026-01.csv", "quotes-2026-03.csv", &contract, "month 3 is calm")?;
    acts.push(Act { happened: calm.1 == CheckVerdict::Ok, ..calm.0 });
    let moved = watched(into, "quotes-2026-01.csv", "quotes-2026-04.csv", &contract, "month 4 has drifted")?;
    let named = moved.2.iter().any(|column| column == "market_value");
    acts.push(Act { happened: moved.1 == CheckVerdict::Drift && named, ..moved.0 });

    let failed = acts.iter().filter(|act| !act.happened).count();
    let rows = acts.into_iter().map(|act| {
        let mark = if act.happened { "✓" } else { "✕ did not happen" };
        vec![mark.to_owned(), act.what.to_owned(), act.told, act.left]
    });
    say("");
    output::table(&["", "act", "what was found", "left behind"], rows.collect(), "");
    if failed > 0 {
        return output::error(format!("{failed} of the story's acts did not happen"));
    }
    Ok(ExitCode::SUCCESS)
}

/// A file arrives.
fn received(
    into: &Path,
    name: &str,
    contract: &Arc<Contract>,
    what: &'static str,
) -> Result<(Act, Verdict, u64), Error> {
    let path = into.join(name);
    let Taken { outcome, part, quarantine } = taken(&path, contract, (true, true))?;
    let page = into.join(name.replace(".csv", ".html"));
    let report = DataReport::of(name, contract, &outcome);
    files::write(&page, report.html().as_bytes())?;
    if outcome.rows_bad > 0 {
        files::write(&into.join(name.replace(".csv", "-quarantine.parquet")), &quarantine)?;
    }
    let told = match outcome.verdict {
        Verdict::Accepted => {
            files::write(&into.join(name.replace(".csv", ".parquet")), &part)?;
            let part = Digest::of(&part).short();
            format!("{} good rows, {} bad; part {part}", outcome.rows_good, outcome.rows_bad)
        }
        Verdict::Rejected => outcome.reasons.join("; "),
    };
    say(&format!("{name}: {}", engine::text::terminal(&told)));
    let left = page.display().to_string();
    Ok((Act { what, happened: false, told, left }, outcome.verdict, outcome.rows_bad))
}

/// A month is held against an earlier one.
fn watched(
    into: &Path,
    reference: &str,
    current: &str,
    contract: &Arc<Contract>,
    what: &'static str,
) -> Result<(Act, CheckVerdict, Vec<String>), Error> {
    let options = DriftOptions::default();
    let schema = contract.shared_schema();
    let report = compared(&into.join(reference), &into.join(current), &schema, &options)?;
    say("");
    say(&drift::terminal(&report, output::width()));
    let place = into.join(format!("drift-{}.json", current.trim_end_matches(".csv")));
    files::write(&place, &report.written())?;
    let (told, left) = (report.summary(), place.display().to_string());
    Ok((Act { what, happened: false, told, left }, report.verdict, report.drifted()))
}
