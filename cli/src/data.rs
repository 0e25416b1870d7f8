//! The commands that work on files alone: profile, validate, drift.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use domain::Time;
use domain::row::CheckVerdict;
use engine::baseline::{BaselineBuilder, Counter};
use engine::contract::Contract;
use engine::drift::{self, DriftOptions, DriftReport, Window};
use engine::intake::{Intake, IntakeOptions, Outcome, Verdict};
use engine::profile::{Profile, Profiler};
use engine::report::{self, DataReport};
use engine::table::Schema;

use crate::files;
use crate::output::{self, Done, Error, Form, say};

#[derive(Debug, Args)]
pub(crate) struct ProfileArguments {
    /// A table: CSV with a header, JSON Lines (either packed with gzip or zstd, or not), or Parquet.
    pub(crate) file: PathBuf,
    /// Write the page here.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArguments {
    /// A table: CSV with a header, JSON Lines (either packed with gzip or zstd, or not), or Parquet.
    pub(crate) file: PathBuf,
    /// The data contract.
    #[arg(long, value_name = "FILE")]
    pub(crate) contract: PathBuf,
    /// Write the page here.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the good rows here, as Parquet.
    #[arg(long, value_name = "FILE")]
    pub(crate) good: Option<PathBuf>,
    /// Write the bad rows here with their reasons, as Parquet.
    #[arg(long, value_name = "FILE")]
    pub(crate) quarantine: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DriftArguments {
    #[cfg_attr(
        not(feature = "server"),
        doc = "What was: a table as CSV with a header, JSON Lines or Parquet."
    )]
    #[cfg_attr(
        feature = "server",
        doc = "What was: a table as CSV with a header, JSON Lines or Parquet; or, alone, the pipeline whose checks are listed."
    )]
    #[cfg_attr(feature = "server", arg(value_name = "REFERENCE|PIPELINE"))]
    pub(crate) reference: PathBuf,
    /// What is: a table with the same columns.
    #[cfg_attr(not(feature = "server"), arg(required = true))]
    pub(crate) current: Option<PathBuf>,
    /// A data contract, for the columns' types; told by the cells where none is given.
    #[arg(long, value_name = "FILE", requires = "current")]
    pub(crate) contract: Option<PathBuf>,
    /// False-discovery rate over the columns.
    #[arg(long, default_value_t = 0.01)]
    pub(crate) alpha: f64,
    /// Jensen–Shannon distance below which a change is too small to matter.
    #[arg(long, default_value_t = 0.1)]
    pub(crate) effect: f64,
    // Last, since its heading stands over every option that follows.
    /// A check of a pipeline's traffic.
    #[cfg(feature = "server")]
    #[command(flatten)]
    pub(crate) watched: crate::server::CheckArguments,
}

/// Now, for rules about age.
#[expect(clippy::disallowed_methods, reason = "the command is where the clock is read")]
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::from_millis(since.map_or(0, |since| since.as_millis() as i64))
}

/// The profile of a file whose cells tell their types.
pub(crate) fn profile_of(path: &Path) -> Result<Profile, Error> {
    let schema = Arc::new(files::inferred(path)?);
    let mut profiler = Profiler::new(&schema, &[]);
    files::each_batch(path, &schema, |batch| profiler.push(&batch))?;
    Ok(profiler.finish())
}

pub(crate) fn profile(arguments: &ProfileArguments, form: Form) -> Done {
    let profile = profile_of(&arguments.file)?;
    let shown = arguments.file.display().to_string();
    if let Some(html) = &arguments.html {
        files::write(html, report::profile_html(&shown, &profile).as_bytes())?;
    }
    if form == Form::Json {
        output::json(&serde_json::to_value(&profile)?);
    } else {
        say(&format!("{}: {} rows", engine::text::terminal(&shown), engine::text::count(profile.rows)));
        output::table(&report::PROFILE_HEADERS, report::profile_rows(&profile), "no columns");
        said_where(arguments.html.as_deref());
    }
    Ok(ExitCode::SUCCESS)
}

fn said_where(html: Option<&Path>) {
    if let Some(html) = html {
        say(&format!("page: {}", html.display()));
    }
}

/// Reads a contract; all its faults make one error.
pub(crate) fn contract(path: &Path) -> Result<Arc<Contract>, Error> {
    let parsed = Contract::parse(&path.display().to_string(), &files::text(path)?);
    Ok(Arc::new(parsed.map_err(|problems| output::problems(&problems))?))
}

/// What an intake leaves: its outcome, and the bytes of part and quarantine where they are wanted.
pub(crate) struct Taken {
    /// What became of the file.
    pub(crate) outcome: Outcome,
    /// The good rows as Parquet.
    pub(crate) part: Vec<u8>,
    /// The bad rows as Parquet.
    pub(crate) quarantine: Vec<u8>,
}

/// Holds a file against a contract. `wanted` says whether part and quarantine are kept.
pub(crate) fn taken(
    path: &Path,
    contract: &Arc<Contract>,
    (good, bad): (bool, bool),
) -> Result<Taken, Error> {
    let options = IntakeOptions { file: path.display().to_string(), split: None, now: now() };
    let mut intake = Intake::new(contract, options);
    let (mut part, mut quarantine) = (Vec::new(), Vec::new());
    files::feed(path, &mut intake, |intake| {
        let (ready, aside) = (intake.take_part(), intake.take_quarantine());
        if good {
            part.extend(ready);
        }
        if bad {
            quarantine.extend(aside);
        }
        Ok(())
    })?;
    let outcome = intake.finish();
    part.extend(&outcome.part_tail);
    quarantine.extend(&outcome.quarantine_tail);
    Ok(Taken { outcome, part, quarantine })
}

pub(crate) fn validate(arguments: &ValidateArguments, form: Form) -> Done {
    let contract = contract(&arguments.contract)?;
    let wanted = (arguments.good.is_some(), arguments.quarantine.is_some());
    let Taken { outcome, part, quarantine } = taken(&arguments.file, &contract, wanted)?;
    let data_report = DataReport::of(&arguments.file.display().to_string(), &contract, &outcome);
    if let Some(path) = &arguments.html {
        files::write(path, data_report.html().as_bytes())?;
    }
    if let Some(path) = &arguments.good {
        files::write(path, &part)?;
    }
    if let Some(path) = &arguments.quarantine {
        files::write(path, &quarantine)?;
    }
    if form == Form::Json {
        output::json(&serde_json::to_value(&data_report)?);
    } else {
        say(&data_report.terminal(output::width()));
        said_where(arguments.html.as_deref());
    }
    Ok(ExitCode::from(if outcome.verdict == Verdict::Accepted { output::OK } else { output::NOT_WELL }))
}

/// Compares two files under one schema: the columns of the first, or of a contract.
pub(crate) fn compared(
    reference: &Path,
    current: &Path,
    schema: &Arc<Schema>,
    options: &DriftOptions,
) -> Result<DriftReport, Error> {
    let mut builder = BaselineBuilder::new(schema);
    files::each_batch(reference, schema, |batch| builder.push(&batch))?;
    let baseline = builder.finish();
    let mut counter = Counter::new(&baseline);
    files::each_batch(current, schema, |batch| counter.push(&batch))?;
    let counts = counter.finish();
    Ok(drift::check(&baseline, &Window { counts: &counts, errors: None, now: None }, options))
}

/// Compares two files; `current` is the second.
pub(crate) fn drift(arguments: &DriftArguments, current: &Path, form: Form) -> Done {
    let DriftArguments { alpha, effect, .. } = *arguments;
    let in_range = alpha > 0.0 && alpha < 0.5 && effect > 0.0 && effect < 1.0;
    if !in_range {
        return output::error("--alpha must lie between 0 and 0.5, --effect between 0 and 1");
    }
    let schema = match &arguments.contract {
        Some(path) => contract(path)?.schema(),
        None => files::inferred(&arguments.reference)?,
    };
    let options = DriftOptions {
        alpha,
        distance_drift: effect,
        distance_warning: effect / 2.0,
        ..DriftOptions::default()
    };
    let drift_report = compared(&arguments.reference, current, &Arc::new(schema), &options)?;
    if form == Form::Json {
        output::json(&serde_json::to_value(&drift_report)?);
    } else {
        say(&drift::terminal(&drift_report, output::width()));
    }
    Ok(ExitCode::from(if has_drifted(drift_report.verdict) { output::NOT_WELL } else { output::OK }))
}

/// Whether a verdict asks for someone to act.
pub(crate) fn has_drifted(verdict: CheckVerdict) -> bool {
    matches!(verdict, CheckVerdict::Drift | CheckVerdict::ConceptDrift)
}
