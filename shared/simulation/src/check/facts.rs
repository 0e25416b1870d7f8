//! What one pipeline's rows and events say, commit by commit, and what they may never say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::key::prefix;
use domain::pipeline::Trigger;
use domain::row::{
    Applied, ApprovalState, Deployment as Deployed, DeploymentState, Endpoint, Fate, File, Model, Part, Run,
    RunState, Upload,
};
use domain::{Actor, Digest, Envelope, Event, budget};
use ports::{Commit, EndpointSpec};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::invariant::{
    APPROVED, BUDGET, CAUSED, CHAIN, CHAMPION, FILES, FROZEN, NUMBERS, ONCE, ONE_RUN, ROWS, UPLOADS,
};
use super::{Holds, Violation, hold, when};
use crate::MemoryBlobs;
use crate::deployment::Deployment;

/// What is known of a pipeline.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The declaration.
    pub applied: Option<Applied>,
    /// Uploads by id.
    pub uploads: BTreeMap<String, Upload>,
    /// Parts by number.
    pub parts: BTreeMap<u64, Part>,
    /// Runs by id.
    pub runs: BTreeMap<String, Run>,
    /// Versions by number.
    pub models: BTreeMap<u32, Model>,
    /// Endpoints by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Deployments by id.
    pub deployments: BTreeMap<String, Deployed>,
    /// The events, in order.
    pub events: Vec<Arc<Envelope>>,
    /// What happened that may happen once.
    once: BTreeSet<String>,
}

impl Facts {
    /// Takes in a commit.
    pub(crate) fn committed(
        &mut self,
        deployment: &Deployment,
        commit: &Commit,
        events: &[Envelope],
    ) -> Holds {
        let approvers = self.applied.clone();
        let champions = self.endpoints.clone();
        for write in &commit.writes {
            if !write.key.is_fact() {
                continue;
            }
            let place = || format!("{} changed without an event", write.key.sort);
            hold(when(!events.is_empty()), CAUSED, place)?;
            let Some(value) = &write.value else {
                let found = format!("the fact {} was removed", write.key.sort);
                return Err(Violation { invariant: FROZEN, found });
            };
            self.row(deployment, &write.key.sort, value)?;
        }
        for event in events {
            self.chained(deployment, event)?;
            self.happened(event, approvers.as_ref(), &champions)?;
            self.events.push(Arc::new(event.clone()));
        }
        self.fits(events)
    }

    /// An event's place and cause.
    fn chained(&mut self, deployment: &Deployment, event: &Envelope) -> Holds {
        let last = self.events.last();
        let follows = event.sequence == last.map_or(0, |last| last.sequence) + 1
            && event.previous == last.map(|last| last.hash());
        hold(when(follows), CHAIN, || format!("event {} does not follow the one before", event.sequence))?;
        hold(when(deployment.causes.contains(&event.cause)), CAUSED, || {
            format!("event {} {} names the cause {:?}", event.sequence, event.event.kind(), event.cause)
        })
    }

    fn row(&mut self, deployment: &Deployment, sort: &str, value: &Value) -> Holds {
        let kind = sort.find('/').map_or(sort, |end| &sort[..=end]);
        match kind {
            prefix::PIPELINE => self.applied = Some(parsed(sort, value)),
            prefix::UPLOAD => self.upload(deployment, parsed(sort, value))?,
            prefix::PART => {
                let part: Part = parsed(sort, value);
                let next = self.parts.len() as u64 + 1;
                hold(when(part.number == next), NUMBERS, || {
                    format!("part {} after {}", part.number, next - 1)
                })?;
                let same = self.parts.values().find(|other| other.digest == part.digest);
                hold(when(same.is_none()), ONCE, || {
                    format!("part {} holds what another holds", part.number)
                })?;
                self.parts.insert(part.number, part);
            }
            prefix::RUN => self.run(parsed(sort, value))?,
            prefix::MODEL => self.model(parsed(sort, value))?,
            prefix::ENDPOINT => {
                let endpoint: Endpoint = parsed(sort, value);
                self.endpoints.insert(endpoint.name.clone(), endpoint);
            }
            prefix::DEPLOYMENT => self.deployment(parsed(sort, value))?,
            _ => {}
        }
        Ok(())
    }

    fn upload(&mut self, deployment: &Deployment, upload: Upload) -> Holds {
        let before = self.uploads.get(&upload.id);
        hold(when(before.is_none()), ONCE, || format!("upload {} got a second fate", upload.id))?;
        let same = deployment.incoming.digest_at(&upload.path) == Some(upload.content);
        hold(when(same), UPLOADS, || format!("the bytes of upload {} are not there any more", upload.id))?;
        self.uploads.insert(upload.id.clone(), upload);
        Ok(())
    }

    fn run(&mut self, run: Run) -> Holds {
        let Some(before) = self.runs.get(&run.id) else {
            let next = self.runs.len() as u64 + 1;
            hold(when(run.number == next), NUMBERS, || format!("run {} after {}", run.number, next - 1))?;
            self.within_budget(&run)?;
            self.runs.insert(run.id.clone(), run);
            return Ok(());
        };
        let frozen =
            |run: &Run| (run.number, run.selection.clone(), run.parts.clone(), run.pipeline, run.rows);
        hold(when(frozen(before) == frozen(&run)), FROZEN, || {
            format!("run {} changed what it is", run.number)
        })?;
        let forward = matches!(
            (&before.state, &run.state),
            (RunState::Requested, RunState::Training { .. } | RunState::Failed { .. })
                | (RunState::Training { .. }, RunState::Trained | RunState::Failed { .. })
                | (RunState::Trained, RunState::Predicting { .. } | RunState::Rejected { .. })
                | (RunState::Predicting { .. }, RunState::Registered { .. } | RunState::Rejected { .. })
        );
        hold(when(forward), FROZEN, || {
            format!("run {} went from {} to {}", run.number, before.state.word(), run.state.word())
        })?;
        let kept = !run.state.is_over()
            || (run.spend.used.training <= run.spend.reserved.training
                && run.spend.used.prediction <= run.spend.reserved.prediction);
        hold(when(kept && before.spend.reserved == run.spend.reserved), BUDGET, || {
            format!("run {} took {:?}", run.number, run.spend)
        })?;
        self.runs.insert(run.id.clone(), run);
        Ok(())
    }

    /// A run that was planned keeps to the declaration's budget, or an approver let it.
    fn within_budget(&self, run: &Run) -> Holds {
        let Some(applied) = self.applied.as_ref().filter(|applied| applied.digest == run.pipeline) else {
            return Ok(());
        };
        let taken = budget::taken(self.runs.values(), run.at);
        let over = applied.spec.budget.exceeded(run.spend.reserved, taken, &run.at.month());
        let was_let = |event: &Arc<Envelope>| {
            matches!(&event.event, Event::BudgetLifted { runs, .. } if runs.contains(&run.id))
                && run.spend.lifted.as_ref() == Some(&event.actor)
        };
        hold(when(over.is_none() || self.events.iter().any(was_let)), BUDGET, || {
            format!("run {} was planned, though {}", run.number, over.unwrap_or_default())
        })
    }

    fn model(&mut self, model: Model) -> Holds {
        let version = model.version;
        let Some(before) = self.models.get(&version) else {
            let next = self.models.len() as u32 + 1;
            hold(when(version == next), NUMBERS, || format!("version {version} after {}", next - 1))?;
            let same = self.models.values().find(|other| other.run == model.run);
            hold(when(same.is_none()), ONCE, || format!("run {} became two versions", model.run))?;
            self.models.insert(version, model);
            return Ok(());
        };
        let undecided = before.approval == ApprovalState::Pending && model.approval != ApprovalState::Pending;
        let same = Model { approval: before.approval.clone(), ..model.clone() } == *before;
        hold(when(undecided && same), FROZEN, || {
            format!("version {version} changed after it was decided on")
        })?;
        self.models.insert(version, model);
        Ok(())
    }

    fn deployment(&mut self, deployment: Deployed) -> Holds {
        let before = self.deployments.get(&deployment.id).map(|before| before.state.clone());
        let forward = match (&before, &deployment.state) {
            (None, state) => *state != DeploymentState::Waiting,
            (Some(before), after) => before.in_flight() && after.is_over(),
        };
        hold(when(forward), FROZEN, || {
            format!("deployment {} went from {before:?} to {:?}", deployment.id, deployment.state)
        })?;
        self.deployments.insert(deployment.id.clone(), deployment);
        let flying = self.deployments.values().filter(|it| it.state.in_flight()).count();
        hold(when(flying <= 1), CHAMPION, || format!("{flying} deployments are in flight"))
    }

    /// An event against what may happen.
    fn happened(
        &mut self,
        event: &Envelope,
        applied: Option<&Applied>,
        champions: &BTreeMap<String, Endpoint>,
    ) -> Holds {
        let once = match &event.event {
            Event::PartAccepted { upload, .. }
            | Event::PartRejected { upload, .. }
            | Event::UploadRepeated { upload, .. } => format!("fate of upload {upload}"),
            Event::TrainingRequested { run, .. } => format!("plan of run {run}"),
            Event::RunHeld { run, .. } => format!("hold of run {run} by {}", event.cause),
            Event::TrainingStarted { run, .. } => format!("start of run {run}"),
            Event::TrainingCompleted { run, .. } | Event::TrainingFailed { run, .. } => {
                format!("end of training {run}")
            }
            Event::PredictionsRequested { run, .. } => format!("predictions of run {run}"),
            Event::ModelRegistered { run, .. } | Event::ModelRejected { run, version: None, .. } => {
                format!("judgement of run {run}")
            }
            Event::ModelApproved { version, .. } | Event::ModelRejected { version: Some(version), .. } => {
                format!("decision on version {version}")
            }
            Event::DeploymentStarted { deployment, .. } => format!("begin of deployment {deployment}"),
            Event::ModelDeployed { deployment, .. }
            | Event::DeploymentFailed { deployment, .. }
            | Event::DeploymentSuperseded { deployment, .. } => format!("end of deployment {deployment}"),
            Event::DriftChecked { check, .. } => format!("check {check}"),
            Event::DriftDetected { check, .. } => format!("drift of check {check}"),
            Event::PipelineApplied { .. }
            | Event::RetrainingRequested { .. }
            | Event::BudgetLifted { .. }
            | Event::RollbackRequested { .. }
            | Event::LabelsReceived { .. }
            | Event::DriftCheckRequested {} => format!("{} by {}", event.event.kind(), event.cause),
        };
        hold(when(self.once.insert(once.clone())), ONCE, || format!("the {once} was recorded twice"))?;
        hold(when(self.once.insert(format!("event {}", event.id))), ONCE, || {
            format!("event {} was recorded twice", event.id)
        })?;
        match &event.event {
            Event::TrainingRequested { run, trigger, .. } if *trigger != Trigger::Request => {
                let other = self.runs.values().find(|other| other.id != *run && !other.state.is_over());
                hold(when(other.is_none()), ONE_RUN, || format!("run {run} was planned beside another"))
            }
            Event::BudgetLifted { .. } => {
                let approvers = applied.map(|applied| &applied.spec.approval.approvers);
                let may = approvers
                    .zip(event.actor.name())
                    .is_some_and(|(all, who)| all.iter().any(|one| one == who));
                hold(when(may), BUDGET, || format!("{} lifted the budget and may not", event.actor))
            }
            Event::ModelApproved { version, .. } => self.approved(*version, &event.actor, applied),
            Event::DeploymentStarted { version, .. } => self.bound(*version),
            Event::ModelDeployed { endpoint, version, previous, deployment, .. } => {
                self.bound(*version)?;
                let before = champions.get(endpoint).map(|endpoint| endpoint.champion);
                let now = self.endpoints.get(endpoint);
                let right = before == *previous
                    && now.is_some_and(|now| now.champion == *version && now.deployment == *deployment);
                hold(when(right), CHAMPION, || {
                    format!("version {version} took over from {previous:?}, the champion was {before:?}")
                })
            }
            _ => Ok(()),
        }
    }

    /// Rows that came together must fit each other.
    fn fits(&self, events: &[Envelope]) -> Holds {
        for event in events {
            if let Event::PartAccepted { upload, part, .. } = &event.event {
                let (Some(upload), Some(part)) = (self.uploads.get(upload), self.parts.get(part)) else {
                    let found = format!("part {part} was accepted without its rows");
                    return Err(Violation { invariant: UPLOADS, found });
                };
                let fits = upload.fate == Fate::Accepted { part: part.number }
                    && upload.rows_read == part.rows + part.rows_bad
                    && upload.rows_bad == part.rows_bad;
                hold(when(fits), ROWS, || {
                    format!("{} rows read, {} good, {} bad", upload.rows_read, part.rows, part.rows_bad)
                })?;
            }
        }
        Ok(())
    }

    /// An approval by someone who may.
    fn approved(&self, version: u32, by: &Actor, applied: Option<&Applied>) -> Holds {
        let (Some(model), Some(applied)) = (self.models.get(&version), applied) else {
            let found = format!("version {version} was approved and is not there");
            return Err(Violation { invariant: APPROVED, found });
        };
        let policy = &applied.spec.approval;
        let named = by.name().is_some_and(|name| policy.approvers.iter().any(|approver| approver == name));
        let other = !policy.four_eyes || (*by != model.requested_by && *by != applied.by);
        hold(when(named && other), APPROVED, || format!("{by} approved version {version} and may not"))?;
        self.bound(version)
    }

    /// A version that is approved, bound to what it is made of.
    fn bound(&self, version: u32) -> Holds {
        let bound = self.models.get(&version).is_some_and(|model| {
            let actual = Digest::of_json(&model.lineage);
            matches!(&model.approval, ApprovalState::Approved { binding, .. } if *binding == actual)
                && model.binding == actual
                && model.lineage.artifact == model.artifact.digest
        });
        hold(when(bound), APPROVED, || format!("version {version} is not approved as it is"))
    }

    /// Whether an endpoint may be asked for this.
    pub(crate) fn may_serve(&self, spec: &EndpointSpec) -> bool {
        let Some(deployment) = self.deployments.get(&spec.config) else { return false };
        let model = self.models.get(&deployment.version);
        self.bound(deployment.version).is_ok()
            && model.is_some_and(|model| model.artifact.path == spec.artifact)
    }

    /// Whether a run owns a training.
    pub(crate) fn awaits_training(&self, run: &str, job: &str) -> bool {
        self.runs.get(run).is_some_and(|run| match &run.state {
            RunState::Requested => true,
            RunState::Training { job: named } => named == job,
            _ => false,
        })
    }

    /// Whether some run may need predictions.
    pub(crate) fn awaits_predictions(&self) -> bool {
        let mut runs = self.runs.values();
        runs.any(|run| matches!(run.state, RunState::Trained | RunState::Predicting { .. }))
    }
}

fn parsed<T: DeserializeOwned>(sort: &str, value: &Value) -> T {
    T::deserialize(value).unwrap_or_else(|error| panic!("the row {sort}: {error}"))
}

/// Every file that a value names, with who names it.
pub(crate) fn files(who: &str, value: &Value, found: &mut Vec<(String, File)>) {
    match value {
        Value::Object(map) => {
            if map.len() == 2
                && map.contains_key("path")
                && map.contains_key("digest")
                && let Ok(file) = File::deserialize(value)
            {
                return found.push((who.to_owned(), file));
            }
            map.values().for_each(|value| files(who, value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| files(who, value, found)),
        _ => {}
    }
}

/// A file that is named is there, with its bytes.
pub(crate) fn there(blobs: &MemoryBlobs, who: &str, file: &File) -> Holds {
    let there = blobs.digest_at(&file.path) == Some(file.digest);
    hold(when(there), FILES, || format!("{who} names {} and it is not there", file.path))
}
