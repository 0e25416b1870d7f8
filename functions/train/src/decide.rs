//! Whether there is to be a run: the rules that an ask is held against, in their order.

use domain::pipeline::{Retraining, Trigger};
use domain::row::{Applied, Ask, Part, Run, RunState};
use domain::{Time, budget, limit};

use crate::job;

/// What an ask is held against.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The declaration.
    pub applied: &'a Applied,
    /// All runs, in order of their numbers.
    pub runs: &'a [Run],
    /// The parts that a run planned now would select.
    pub parts: &'a [Part],
    /// Now.
    pub now: Time,
}

/// What becomes of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A run is planned.
    Grant {
        /// Why, in one sentence.
        reason: String,
    },
    /// Not yet: for what it waits, the same text as long as it waits for the same.
    Wait(String),
    /// Not before a person lets it go over the budget: which bound it breaks.
    Hold(String),
    /// Nobody needs it any more, or the declaration does not ask for it.
    Drop(String),
    /// What a person asked for cannot be: why, in one sentence.
    Refuse(String),
}

impl Seen<'_> {
    fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// The newest run, whatever became of it.
    fn newest(&self) -> Option<&Run> {
        self.runs.last()
    }

    /// The newest run that did not fail: what has been learned from already.
    fn learned(&self) -> Option<&Run> {
        self.runs.iter().rev().find(|run| !matches!(run.state, RunState::Failed { .. }))
    }

    /// The parts that nothing has been learned from yet.
    fn new_parts(&self) -> impl Iterator<Item = &Part> {
        let learned = self.learned();
        self.parts.iter().filter(move |part| learned.is_none_or(|run| !run.parts.contains(&part.number)))
    }

    /// Whether a run would be told anything that the one before was not.
    fn is_anything_new(&self) -> bool {
        let same_declaration = |run: &Run| {
            run.pipeline == self.applied.digest
                && run.features.digest == self.applied.features.digest
                && run.program == self.applied.program_digest
        };
        self.new_parts().next().is_some() || self.learned().is_none_or(|run| !same_declaration(run))
    }
}

/// What becomes of an ask.
pub fn decide(ask: &Ask, seen: &Seen<'_>) -> Decision {
    match wanted(ask, seen) {
        Decision::Grant { reason } if ask.lifted.is_none() => match over_budget(seen) {
            Some(bound) => Decision::Hold(bound),
            None => Decision::Grant { reason },
        },
        other => other,
    }
}

/// Which bound of the budget a run planned now would break.
fn over_budget(seen: &Seen<'_>) -> Option<String> {
    let run = job::reserved(seen.applied);
    let taken = budget::taken(seen.runs, seen.now);
    seen.applied.spec.budget.exceeded(run, taken, &seen.now.month())
}

/// What becomes of an ask whatever it takes.
fn wanted(ask: &Ask, seen: &Seen<'_>) -> Decision {
    let (rows, minimum) = (seen.rows(), seen.applied.spec.training.minimum_rows);
    let too_few = (rows < minimum)
        .then(|| format!("{rows} accepted rows are fewer than the {minimum} of training.minimum_rows"));
    let retraining = &seen.applied.spec.retraining;
    if ask.trigger == Trigger::Request {
        return match too_few {
            // A selection of nothing cannot be learned from, whatever the declaration says.
            _ if rows == 0 => Decision::Refuse("there is no accepted row to learn from".into()),
            Some(reason) => Decision::Refuse(reason),
            None => Decision::Grant { reason: ask.reason.clone() },
        };
    }
    if let Some(reason) = pointless(ask, seen) {
        return Decision::Drop(reason);
    }
    if let Some(flight) = seen.runs.iter().find(|run| !run.state.is_over()) {
        return Decision::Wait(format!("run {} is under way", flight.number));
    }
    if let Some(reason) = too_few {
        return Decision::Wait(reason);
    }
    let reason = match reason_now(ask, seen) {
        Ok(reason) => reason,
        Err(stale) => return stale,
    };
    match cooldown(retraining, seen.newest()) {
        Some(until) if seen.now < until => Decision::Wait(format!("the cooldown ends at {until}")),
        _ => Decision::Grant { reason },
    }
}

/// Why an ask will not be granted whatever comes.
fn pointless(ask: &Ask, seen: &Seen<'_>) -> Option<String> {
    let retraining = &seen.applied.spec.retraining;
    if !retraining.on.contains(&ask.trigger) {
        return Some(format!("retraining.on does not name {:?}", ask.trigger).to_lowercase());
    }
    if ask.cycle > limit::RETRAIN_CYCLES_MAX {
        return Some(format!(
            "{} retrainings have followed each other without a person (RETRAIN_CYCLES_MAX)",
            limit::RETRAIN_CYCLES_MAX
        ));
    }
    let answered = seen.learned().filter(|run| ask.trigger == Trigger::Drift && run.at > ask.at);
    answered.map(|run| format!("run {} was planned after the drift was found", run.number))
}

/// Why a run is worth it now; else what becomes of the ask.
fn reason_now(ask: &Ask, seen: &Seen<'_>) -> Result<String, Decision> {
    let learned = seen.learned();
    match ask.trigger {
        Trigger::Data => {
            let Some(learned) = learned else { return Ok(format!("the first {} rows", seen.rows())) };
            let new: u64 = seen.new_parts().map(|part| part.rows).sum();
            let minimum = seen.applied.spec.retraining.minimum_new_rows;
            if new == 0 {
                // The next part asks for itself.
                return Err(Decision::Drop(format!("run {} has learned from every part", learned.number)));
            }
            if new < minimum {
                let reason =
                    format!("{new} new rows are fewer than the {minimum} of retraining.minimum_new_rows");
                return Err(Decision::Wait(reason));
            }
            Ok(format!("{new} new rows"))
        }
        _ if seen.parts.is_empty() => Err(Decision::Wait("no part is accepted yet".into())),
        _ if !seen.is_anything_new() => {
            let number = learned.map_or(0, |run| run.number);
            Err(Decision::Wait(format!("run {number} has learned from every part under this declaration")))
        }
        Trigger::Schedule => Ok(match seen.newest() {
            Some(run) => format!("{} days after run {}", seen.applied.spec.retraining.every_days, run.number),
            None => "the schedule's first run".into(),
        }),
        Trigger::Drift | Trigger::Request => Ok(ask.reason.clone()),
    }
}

/// Until when nothing but a person asks again: counted from the newest run, whatever became of it,
/// so that a run that always fails does not start every five minutes.
fn cooldown(retraining: &Retraining, newest: Option<&Run>) -> Option<Time> {
    newest.map(|run| run.at.plus(i64::from(retraining.cooldown_hours) * Time::HOUR))
}

/// Whether the declared time has passed since the newest run, or there never was one.
pub fn is_due(retraining: &Retraining, newest: Option<&Run>, now: Time) -> bool {
    let due = |run: &Run| run.at.plus(i64::from(retraining.every_days) * Time::DAY);
    retraining.on.contains(&Trigger::Schedule) && newest.is_none_or(|run| now >= due(run))
}

#[cfg(test)]
mod tests;
