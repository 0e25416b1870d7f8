//! `millrace clock`: the server's time, and moving it where it is virtual.

use std::process::ExitCode;

use clap::Args;
use domain::Time;

use crate::client::Client;
use crate::output::{self, Done, Form};

#[derive(Debug, Args)]
pub(crate) struct ClockArguments {
    /// Move the clock to this time, never backwards: a date, or an RFC 3339 time.
    #[arg(value_name = "TIME")]
    pub(crate) now: Option<Time>,
}

pub(super) fn clock(client: &Client, arguments: &ClockArguments, form: Form) -> Done {
    if let Some(now) = arguments.now {
        client.set_clock(now)?;
    }
    let runtime = client.runtime()?;
    match form {
        Form::Json => output::json(&serde_json::json!({ "now": runtime["now"], "clock": runtime["clock"] })),
        Form::Text => {
            let word = |name: &str| runtime[name].as_str().unwrap_or("unknown").to_owned();
            output::line(&format!("{} ({} clock)", word("now"), word("clock")));
        }
    }
    Ok(ExitCode::SUCCESS)
}
