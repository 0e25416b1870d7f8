//! What a person asks for and decides: train, approve, reject, rollback.

use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use domain::{Digest, Envelope, PipelineName};
use serde_json::Value;

use super::version::version;
use super::{Waiting, ended};
use crate::client::{Client, DeploymentStory, Ending, Failure, RunStory};
use crate::output::{self, Done, Form};

#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// Why, for the ledger.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// The version.
    #[arg(value_parser = version)]
    pub(crate) version: u32,
    /// Why, for the ledger.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    /// What exactly is approved, as `millrace models PIPELINE VERSION` shows it: anything else is
    /// refused.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) binding: Option<Digest>,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

#[derive(Debug, Args)]
pub(crate) struct RejectArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// The version.
    #[arg(value_parser = version)]
    pub(crate) version: u32,
    /// Why, for the ledger.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// The version; the one that served before where none is named.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub(crate) to: Option<u32>,
    /// Why, for the ledger.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

pub(super) fn train(client: &Client, arguments: &TrainArguments, form: Form) -> Done {
    let TrainArguments { pipeline, reason, waiting } = arguments;
    let mut story = RunStory::asked_with(reason);
    let asked = Asked { pipeline, waiting: *waiting, done: format!("{pipeline}: asked for a run") };
    asked.and_followed(client, form, || client.train(pipeline, reason), |event| story.see(event))
}

pub(super) fn approve(client: &Client, arguments: &ApproveArguments, form: Form) -> Done {
    let ApproveArguments { pipeline, version, reason, binding, waiting } = arguments;
    let mut story = DeploymentStory::of(Some(*version));
    let asked =
        Asked { pipeline, waiting: *waiting, done: format!("{pipeline}: approved version {version}") };
    let approve = || client.approve(pipeline, *version, reason, *binding);
    asked.and_followed(client, form, approve, |event| story.see(event))
}

pub(super) fn reject(client: &Client, arguments: &RejectArguments, form: Form) -> Done {
    let RejectArguments { pipeline, version, reason } = arguments;
    let answer = client.reject(pipeline, *version, reason)?;
    match form {
        Form::Json => output::json(&answer),
        Form::Text => output::line(&format!("{pipeline}: rejected version {version}")),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn rollback(client: &Client, arguments: &RollbackArguments, form: Form) -> Done {
    let RollbackArguments { pipeline, to, reason, waiting } = arguments;
    let mut story = DeploymentStory::of(*to);
    let asked = Asked { pipeline, waiting: *waiting, done: format!("{pipeline}: asked to go back") };
    let roll_back = || client.roll_back(pipeline, *to, reason);
    asked.and_followed(client, form, roll_back, |event| story.see(event))
}

/// Something asked for, whose end may be waited for.
pub(super) struct Asked<'a> {
    /// Of which pipeline.
    pub(super) pipeline: &'a PipelineName,
    /// Whether and how long.
    pub(super) waiting: Waiting,
    /// What is said when the asking is done and nobody waits.
    pub(super) done: String,
}

impl Asked<'_> {
    /// Asks, and follows the ledger from before the asking to the end where that is wanted.
    pub(super) fn and_followed(
        &self,
        client: &Client,
        form: Form,
        ask: impl FnOnce() -> Result<Value, Failure>,
        mut see: impl FnMut(&Envelope) -> Option<Ending>,
    ) -> Done {
        if !self.waiting.wait {
            let answer = ask()?;
            match form {
                Form::Json => output::json(&answer),
                Form::Text => output::line(&self.done),
            }
            return Ok(ExitCode::SUCCESS);
        }
        // Seen before the asking, so that even an end that comes at once is seen.
        let mut after = client.last_event(self.pipeline)?;
        ask()?;
        let spinner = output::spinner(&self.done);
        let patience = self.waiting.patience();
        let what = format!("what was asked of {}", self.pipeline);
        let ending = client.wait_for_event(&what, self.pipeline, &mut after, patience, |recorded| {
            spinner.set_message(engine::text::terminal(&recorded.line).into_owned());
            see(&recorded.envelope)
        });
        spinner.finish_and_clear();
        ended(&ending?, form)
    }
}
