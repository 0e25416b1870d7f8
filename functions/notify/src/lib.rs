//! Notify: tells people what happened, as the pipeline's `notices` ask.
//!
//! It reads the pipeline and sends a notice for each rule that names the event's kind. One that
//! did not get through waits in a row, and ticks send it again; one that cannot get through ends
//! in the dead letters. A notice is sent at least once, and its id lets receivers see a repeat.

pub mod decide;
pub mod resend;
pub mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use domain::key::prefix;
use domain::pipeline::Channel;
use domain::row::Applied;
use domain::{Envelope, Input, Key};
use ports::{Cx, Error, Fault, Handler, Handling, Notice, Notices, Records, RecordsExt, Write, ledger};
use tracing::info;

use crate::rows::Waiting;

/// The function.
#[derive(Debug)]
pub struct Notify {
    /// The table.
    pub records: Arc<dyn Records>,
    /// Where notices go.
    pub notices: Arc<dyn Notices>,
}

#[async_trait]
impl Handler for Notify {
    fn name(&self) -> &'static str {
        "notify"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> Result<(), Fault> {
        match input {
            Input::Event(envelope) => {
                self.tell(Handling { cx, input, pipeline: &envelope.pipeline }, envelope).await
            }
            Input::Tick { at } => {
                let mut outcome = Outcome::default();
                for pipeline in self.records.pipelines().await? {
                    let handling = Handling { cx, input, pipeline: &pipeline };
                    if let Err(fault) = self.resend(handling, *at, &mut outcome).await {
                        info!(pipeline = %pipeline, fault = %fault, "notices could not be sent again");
                        outcome.add(fault);
                    }
                }
                outcome.end()
            }
            Input::ObjectCreated(_) | Input::JobChanged(_) | Input::EndpointChanged(_) => Ok(()),
        }
    }
}

impl Notify {
    /// Sends the notices of an event. One channel's failure does not keep the others waiting.
    async fn tell(&self, handling: Handling<'_>, envelope: &Envelope) -> Result<(), Fault> {
        let key = Key::of(handling.pipeline, prefix::PIPELINE);
        let Some(applied) = self.records.read::<Applied>(&key).await? else { return Ok(()) };
        let mut outcome = Outcome::default();
        for channel in decide::channels(&applied.value.spec.notices, envelope.event.kind()) {
            let notice = decide::notice(envelope, channel);
            if let Err(fault) = self.send_first(handling, channel, notice).await {
                outcome.add(fault);
            }
        }
        outcome.end()
    }

    /// Sends a notice for the first time, and records that it was sent or that it waits. The mark
    /// of that commit spares people repeats when the event is delivered again.
    async fn send_first(
        &self,
        handling: Handling<'_>,
        channel: &Channel,
        notice: Notice,
    ) -> Result<(), Fault> {
        let mut plan = handling.plan(self.name(), &notice.id);
        let mark = ledger::handled_key(handling.pipeline, &plan.clone().into_commit().id);
        if self.records.get(&mark).await?.is_some() {
            return Ok(());
        }
        let to = decide::shown(channel);
        let id = notice.id.clone();
        match self.notices.send(channel, &notice).await {
            Ok(()) => info!(notice.id = %id, "sent notice {id} to {to}"),
            Err(error) if error.may_pass() => {
                info!(notice.id = %id, error = %error, "notice {id} to {to} waits");
                let waiting = Waiting::new(channel.clone(), notice, handling.cx.now);
                plan.write(Write::insert(rows::waiting_key(handling.pipeline, &id), &waiting));
            }
            Err(error) => return Err(Fault::Reject(refusal(&id, channel, &error))),
        }
        plan.commit(&*self.records).await?;
        Ok(())
    }
}

/// Says which notice did not get through, to whom, and why not.
pub(crate) fn refusal(notice: &str, channel: &Channel, error: &Error) -> String {
    format!("send notice {notice} to {}: {error}", decide::shown(channel))
}

/// How several sendings ended together.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    retry: Option<Error>,
    rejected: Vec<String>,
}

/// Refusals that one message names; the rest are counted.
const NAMED_MAX: usize = 10;

impl Outcome {
    pub(crate) fn add(&mut self, fault: Fault) {
        match fault {
            Fault::Retry(error) => self.retry = self.retry.take().or(Some(error)),
            Fault::Reject(reason) => self.rejected.push(reason),
        }
    }

    /// Another delivery comes before giving up: it meets what was refused again.
    fn end(self) -> Result<(), Fault> {
        if let Some(error) = self.retry {
            return Err(Fault::Retry(error));
        }
        if self.rejected.is_empty() {
            return Ok(());
        }
        let more = self.rejected.len().saturating_sub(NAMED_MAX);
        let mut reason = self.rejected[..self.rejected.len() - more].join("; ");
        if more > 0 {
            reason += &format!("; and {more} more");
        }
        Err(Fault::Reject(reason))
    }
}

#[cfg(test)]
mod tests;
