//! `millrace up`: serves a data directory on this machine.

use clap::Args;
use domain::Time;

use crate::client::Place;
use crate::output::{self, Done};

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// The port on 127.0.0.1; 0 for any that is free.
    #[arg(long, default_value_t = 7420)]
    pub(crate) port: u16,
    /// Start a clock at this time that moves only when it is moved (a date, or RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) virtual_clock: Option<Time>,
    /// Make a demo's directory: whoever asks may say `--as NAME`.
    #[arg(long)]
    pub(crate) demo: bool,
}

pub(crate) fn up(arguments: &UpArguments, place: &Place) -> Done {
    let UpArguments { port, virtual_clock, demo } = arguments;
    let asked = format!("port {port}, virtual clock {virtual_clock:?}, demo {demo}");
    output::error(format!("serve {} ({asked}): not built yet", place.data.display()))
}
