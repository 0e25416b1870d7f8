//! How what asks for a run gets one, waits for it, or is turned away.

use domain::budget::{JobSeconds, Spend};
use domain::key::prefix;
use domain::pipeline::Trigger;
use domain::row::{Applied, Ask, Counts, File, Part, Run, RunState, SelectedPart, Selection};
use domain::{Actor, BlobPath, Digest, Event, Key, digest};
use ports::handler::{Plan, decide_again};
use ports::records::Typed;
use ports::{BlobsExt, Committed, Error, Fault, Handler as _, Handling, RecordsExt, Write};
use tracing::info;

use crate::decide::{self, Decision, Seen};
use crate::rows::{self, Planned};
use crate::{Stop, Train, cut, job};

/// Whether an ask has just come or has waited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    New,
    Woken,
}

/// Everything a run is planned from.
struct Known {
    applied: Applied,
    counts: (Option<u64>, Counts),
    runs: Vec<Run>,
    parts: Vec<Part>,
}

impl Train {
    /// Answers something that asks for a run.
    pub(crate) async fn consider(&self, handling: Handling<'_>, ask: Ask) -> Result<(), Fault> {
        self.answer(handling, ask, Origin::New).await.map(|_| ())
    }

    /// Looks again at everything that waits for a run. One's fault does not keep the others waiting.
    pub(crate) async fn reconsider(&self, handling: Handling<'_>) -> Result<(), Fault> {
        let mut first = Ok(());
        // A run that one of them gets changes what the others wait for: they are told so at once.
        for _ in 0..2 {
            let mut changed = false;
            for ask in rows::waiting::<Ask>(&*self.records, handling.pipeline, "ask-").await? {
                match self.answer(handling, ask, Origin::Woken).await {
                    Ok(committed) => changed |= committed == Committed::Now,
                    Err(fault) => {
                        info!(pipeline = %handling.pipeline, fault = %fault, "what waits for a run could not be answered");
                        first = first.and(Err(fault));
                    }
                }
            }
            if !changed {
                break;
            }
        }
        first
    }

    /// A person let runs go over the budget: those that are still held for it are planned.
    pub(crate) async fn lift(
        &self,
        handling: Handling<'_>,
        runs: &[String],
        by: &Actor,
    ) -> Result<(), Fault> {
        let mut first = Ok(());
        for ask in rows::waiting::<Ask>(&*self.records, handling.pipeline, "ask-").await? {
            if !ask.held.as_ref().is_some_and(|held| runs.contains(held)) {
                continue;
            }
            let ask = Ask { lifted: Some(by.clone()), ..ask };
            if let Err(fault) = self.answer(handling, ask, Origin::Woken).await {
                info!(pipeline = %handling.pipeline, fault = %fault, "a run that was let could not be planned");
                first = first.and(Err(fault));
            }
        }
        first
    }

    /// Asks for a run where the declared time has passed.
    pub(crate) async fn consider_schedule(&self, handling: Handling<'_>) -> Result<(), Fault> {
        let (pipeline, now) = (handling.pipeline, handling.cx.now);
        let Some(applied) = rows::applied(&*self.records, pipeline).await? else { return Ok(()) };
        if !applied.spec.retraining.on.contains(&Trigger::Schedule) {
            return Ok(());
        }
        let runs = rows::runs(&*self.records, pipeline).await?;
        if !decide::is_due(&applied.spec.retraining, runs.last(), now) {
            return Ok(());
        }
        self.consider(handling, rows::asked_by_schedule(pipeline, runs.last(), now)).await
    }

    async fn answer(&self, handling: Handling<'_>, ask: Ask, origin: Origin) -> Result<Committed, Fault> {
        let mut attempt = 0;
        loop {
            match self.answer_once(handling, &ask, origin).await? {
                Ok(committed) => return Ok(committed),
                Err(error) if decide_again(&error, attempt) => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Decides, and commits what was decided. The inner error is the commit's.
    async fn answer_once(
        &self,
        handling: Handling<'_>,
        ask: &Ask,
        origin: Origin,
    ) -> Result<Result<Committed, Error>, Fault> {
        let (records, pipeline) = (&*self.records, handling.pipeline);
        let key = rows::ask_key(pipeline, ask);
        let waiting = records.read::<Ask>(&key).await?;
        let overtaken = match (&waiting, origin) {
            (Some(row), Origin::New) => row.value.at > ask.at,
            (Some(row), Origin::Woken) => row.value.cause != ask.cause,
            (None, Origin::New) => false,
            (None, Origin::Woken) => true,
        };
        // What is asked again waits as it did.
        let ask = &match (origin, &waiting) {
            (Origin::New, Some(row)) if row.value.cause == ask.cause => row.value.clone(),
            _ => ask.clone(),
        };
        let id = rows::run_of(ask, pipeline);
        if overtaken || rows::run(records, pipeline, &id).await?.is_some() {
            return Ok(Ok(Committed::Before));
        }
        let Some(known) = self.known(handling).await? else { return Ok(Ok(Committed::Before)) };
        let seen =
            Seen { applied: &known.applied, runs: &known.runs, parts: &known.parts, now: handling.cx.now };
        let mut decision = decide::decide(ask, &seen);
        info!(pipeline = %pipeline, trigger = ?ask.trigger, run = %id, decision = ?decision, "a run was asked for");

        let moment = if origin == Origin::New { "ask" } else { "wake" };
        let mut plan = handling.plan(self.name(), &format!("{moment} {:?} {id}", ask.trigger));
        plan.correlate(&ask.correlation);
        if let Decision::Grant { reason } = &decision {
            match self.freeze(handling, &id, &known).await {
                Ok((file, parts)) => {
                    let run = planned(handling, &id, ask, reason, &known, (&file, &parts));
                    grant(&mut plan, handling, ask, run, known);
                }
                Err(Stop::Fail(reason)) => decision = Decision::Refuse(reason),
                Err(Stop::Fault(fault)) => return Err(fault),
            }
        }
        match decision {
            Decision::Wait(waits) if ask.trigger != Trigger::Schedule || waiting.is_some() => {
                let ask = Ask { waits, held: None, ..ask.clone() };
                if waiting.as_ref().is_none_or(|row| row.value != ask) {
                    plan.write(Write::put(key, waiting.map(|row| row.version), &ask));
                }
            }
            // A schedule is asked for by every tick, so nothing has to wait for it.
            Decision::Wait(_) => {}
            Decision::Hold(bound) => {
                let was_held = waiting.as_ref().is_some_and(|row| row.value.held.as_ref() == Some(&id));
                if !was_held {
                    plan.emit(Event::RunHeld { run: id.clone(), reason: bound.clone() });
                }
                let ask = Ask { waits: bound, held: Some(id), ..ask.clone() };
                if waiting.as_ref().is_none_or(|row| row.value != ask) {
                    plan.write(Write::put(key, waiting.map(|row| row.version), &ask));
                }
            }
            Decision::Refuse(reason) => {
                plan.emit(Event::TrainingFailed { run: id, reason });
                done_waiting(&mut plan, key, waiting);
            }
            Decision::Grant { .. } | Decision::Drop(_) => done_waiting(&mut plan, key, waiting),
        }
        if plan.is_empty() {
            return Ok(Ok(Committed::Before));
        }
        Ok(plan.commit(records).await)
    }

    async fn known(&self, handling: Handling<'_>) -> Result<Option<Known>, Fault> {
        let (records, pipeline) = (&*self.records, handling.pipeline);
        let Some(applied) = rows::applied(records, pipeline).await? else { return Ok(None) };
        // The counts come first: whoever plans a run or accepts a part meanwhile changes them, and
        // then this run's commit finds out.
        let counts = rows::counts(records, pipeline).await?;
        let runs = rows::runs(records, pipeline).await?;
        let window = applied.spec.training.window_parts;
        let parts = rows::newest_parts(records, pipeline, counts.1, window).await?;
        Ok(Some(Known { applied, counts, runs, parts }))
    }

    /// Writes down what a run learns from. The manifest's path says its digest: two deliveries
    /// may freeze different selections, and only one of them is committed.
    async fn freeze(
        &self,
        handling: Handling<'_>,
        id: &str,
        known: &Known,
    ) -> Result<(File, Vec<SelectedPart>), Stop> {
        let parts: Vec<SelectedPart> = known.parts.iter().map(selected).collect();
        let spec = &known.applied.spec;
        let cut = cut::freeze(&*self.blobs, &spec.split, spec.time.as_deref(), &parts).await?;
        let selection = Selection { parts, cut, features: known.applied.features.digest };
        let text = digest::canonical(&selection);
        let name = format!("selection-{}.json", Digest::of(text.as_bytes()).short());
        let file = self.blobs.put(&BlobPath::run(handling.pipeline, id, &name), text.as_bytes()).await?;
        Ok((file, selection.parts))
    }
}

fn done_waiting(plan: &mut Plan, key: Key, waiting: Option<Typed<Ask>>) {
    if let Some(row) = waiting {
        plan.write(Write::remove(key, row.version));
    }
}

fn selected(part: &Part) -> SelectedPart {
    SelectedPart {
        number: part.number,
        digest: part.digest,
        data: part.data.clone(),
        bytes: part.bytes,
        rows: part.rows,
        as_of: part.as_of,
    }
}

fn planned(
    handling: Handling<'_>,
    id: &str,
    ask: &Ask,
    reason: &str,
    known: &Known,
    (selection, parts): (&File, &[SelectedPart]),
) -> Run {
    let applied = &known.applied;
    Run {
        id: id.to_owned(),
        number: known.counts.1.runs + 1,
        trigger: ask.trigger,
        reason: reason.to_owned(),
        by: ask.by.clone(),
        cycle: ask.cycle,
        pipeline: applied.digest,
        contract: applied.contract.digest,
        features: applied.features.clone(),
        program: applied.program_digest,
        selection: selection.clone(),
        parts: parts.iter().map(|part| part.number).collect(),
        rows: parts.iter().map(|part| part.rows).sum(),
        newest: parts.iter().map(|part| part.as_of).max().unwrap_or(handling.cx.now),
        at: handling.cx.now,
        state: RunState::Requested,
        prepared: None,
        artifact: None,
        seconds: 0,
        spend: Spend {
            reserved: job::reserved(applied),
            used: JobSeconds::default(),
            lifted: ask.lifted.clone(),
        },
        tuned: None,
        champion: None,
        evaluation: None,
        report: None,
    }
}

fn grant(plan: &mut Plan, handling: Handling<'_>, ask: &Ask, run: Run, known: Known) {
    let pipeline = handling.pipeline;
    let (version, counts) = known.counts;
    plan.emit(Event::TrainingRequested {
        run: run.id.clone(),
        number: run.number,
        trigger: run.trigger,
        reason: run.reason.clone(),
        selection: run.selection.clone(),
        cycle: run.cycle,
    });
    let counts = Counts { runs: run.number, ..counts };
    let waits = Planned { run: run.id.clone(), correlation: ask.correlation.clone(), applied: known.applied };
    plan.write(Write::put(Key::of(pipeline, prefix::COUNTS), version, &counts));
    plan.write(Write::insert(rows::run_key(pipeline, &run.id), &run));
    plan.write(Write::insert(rows::planned_key(pipeline, &run.id), &waits));
}
