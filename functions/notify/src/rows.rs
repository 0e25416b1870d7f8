//! Which rows notices wait in, and where they stand.

use domain::key::prefix;
use domain::pipeline::Channel;
use domain::{Key, PipelineName, Time};
use ports::Notice;
use serde::{Deserialize, Serialize};

/// A notice that has not got through (`waiting/notify/<notice>`), or was given up
/// (`waiting/notify-given-up/<tick>/<notice>`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// To whom.
    pub channel: Channel,
    /// What.
    pub notice: Notice,
    /// Attempts that failed.
    pub attempts: u32,
    /// When the first one failed.
    pub since: Time,
    /// Not before then is it tried again.
    pub next: Time,
}

impl Waiting {
    /// After the first attempt failed.
    pub fn new(channel: Channel, notice: Notice, now: Time) -> Waiting {
        Waiting { channel, notice, attempts: 1, since: now, next: now.plus(crate::decide::wait(1)) }
    }
}

/// Where a notice waits.
pub fn waiting_key(pipeline: &PipelineName, notice: &str) -> Key {
    Key::waiting(pipeline, "notify", notice)
}

/// Where notices that the tick for `at` gave up are kept.
pub fn given_up_prefix(at: Time) -> String {
    format!("{}notify-given-up/{at}/", prefix::WAITING)
}

/// Where a notice that was given up is kept.
pub fn given_up_key(pipeline: &PipelineName, at: Time, notice: &str) -> Key {
    Key::of(pipeline, format!("{}{notice}", given_up_prefix(at)))
}
