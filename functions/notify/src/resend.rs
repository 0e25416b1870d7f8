//! What waits is sent again, until it gets through or is given up.
//!
//! A notice is given up by moving its row to where only the tick that gave it up looks, and by
//! rejecting that tick, so that its dead letter names the notice. The row stays: between a commit
//! and a dead letter a function can die, and then the same tick, delivered again, finds the row
//! and rejects again. Redriving the dead letter is that tick once more, and sends what it gave up.
//!
//! All times of a tick are of when it was scheduled, so a second delivery finds nothing due.

use std::collections::BTreeMap;

use domain::key::prefix;
use domain::{Key, Time};
use ports::records::Typed;
use ports::{Error, ErrorKind, Fault, Handler as _, Handling, RecordsExt, Write};
use tracing::info;

use crate::decide;
use crate::rows::{self, Waiting};
use crate::{Notify, Outcome, refusal};

/// Notices of one pipeline that one tick tries: with a second each they end within the
/// function's time. The next tick goes on.
pub const TICK_NOTICES_MAX: usize = 200;

/// A channel that did not answer in this tick, and how it failed: what else is due for it waits
/// its turn without an attempt of its own, so that one dead receiver cannot use up the tick.
type Silent = BTreeMap<String, String>;

impl Notify {
    /// Sends what is due at a tick.
    pub(crate) async fn resend(
        &self,
        handling: Handling<'_>,
        at: Time,
        outcome: &mut Outcome,
    ) -> Result<(), Fault> {
        let partition = Key::partition(handling.pipeline);
        let mut silent = Silent::new();
        for (sort, row) in self.records.all::<Waiting>(&partition, &rows::given_up_prefix(at)).await? {
            self.send_given_up(handling, sort, row, &mut silent, outcome).await?;
        }
        let listed = format!("{}notify/", prefix::WAITING);
        let mut due = self.records.all::<Waiting>(&partition, &listed).await?;
        due.retain(|(_, row)| row.value.next <= at);
        // The freshest first: one that fails again and again must not silence its channel for
        // those that never had a chance.
        due.sort_by_key(|(sort, row)| (row.value.attempts, row.value.since, sort.clone()));
        for (_, row) in due.into_iter().take(TICK_NOTICES_MAX) {
            self.send_again(handling, at, row, &mut silent, outcome).await?;
        }
        Ok(())
    }

    async fn send_again(
        &self,
        handling: Handling<'_>,
        at: Time,
        row: Typed<Waiting>,
        silent: &mut Silent,
        outcome: &mut Outcome,
    ) -> Result<(), Fault> {
        let Typed { version, value: waiting } = row;
        let id = waiting.notice.id.clone();
        let key = rows::waiting_key(handling.pipeline, &id);
        let mut plan = handling.plan(self.name(), &id);
        match self.attempt(&waiting, silent).await {
            Ok(()) => {
                info!(notice.id = %id, "sent notice {id} to {}", decide::shown(&waiting.channel));
                plan.write(Write::remove(key, version));
            }
            Err(error) => match decide::next(&waiting, at) {
                Some(next) if error.may_pass() => plan.write(Write::update(key, version, &next)),
                _ => {
                    info!(notice.id = %id, error = %error, "gave notice {id} up");
                    plan.write(Write::remove(key, version));
                    let kept = rows::given_up_key(handling.pipeline, at, &id);
                    plan.write(Write::insert(kept, &waiting));
                    outcome.add(Fault::Reject(given_up(&waiting, &error)));
                }
            },
        }
        plan.commit(&*self.records).await?;
        Ok(())
    }

    /// A notice that this very tick gave up, when it is delivered again or redriven.
    async fn send_given_up(
        &self,
        handling: Handling<'_>,
        sort: String,
        row: Typed<Waiting>,
        silent: &mut Silent,
        outcome: &mut Outcome,
    ) -> Result<(), Fault> {
        let id = row.value.notice.id.clone();
        match self.attempt(&row.value, silent).await {
            Ok(()) => {
                info!(notice.id = %id, "sent notice {id} after all");
                // Another step than the one that gave it up, which was committed before.
                let mut plan = handling.plan(self.name(), &format!("{id} after all"));
                plan.write(Write::remove(Key::of(handling.pipeline, sort), row.version));
                plan.commit(&*self.records).await?;
            }
            Err(error) => outcome.add(Fault::Reject(given_up(&row.value, &error))),
        }
        Ok(())
    }

    async fn attempt(&self, waiting: &Waiting, silent: &mut Silent) -> ports::Result<()> {
        let channel = domain::digest::canonical(&waiting.channel);
        if let Some(why) = silent.get(&channel) {
            return Err(Error::new(ErrorKind::Unavailable, why.clone()));
        }
        let sent = self.notices.send(&waiting.channel, &waiting.notice).await;
        if let Err(error) = &sent
            && error.may_pass()
        {
            silent.insert(channel, error.to_string());
        }
        sent
    }
}

fn given_up(waiting: &Waiting, error: &Error) -> String {
    let Waiting { channel, notice, since, attempts, .. } = waiting;
    let refusal = refusal(&notice.id, channel, error);
    format!(
        "{refusal} ({} of {} is given up after {attempts} attempts since {since})",
        notice.kind, notice.pipeline
    )
}
