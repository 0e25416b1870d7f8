//! What must hold once nothing moves any more.

use domain::key::prefix;
use domain::pipeline::Trigger;
use domain::row::RunState;
use domain::{Digest, Key, PipelineName};
use futures::FutureExt as _;
use ports::{JobState, RecordsExt as _, ledger};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::invariant::{ASKS, CHAIN, ENDS, JOBS_OWNED, NOTICES, NUMBERS, PUBLISHED, SERVES, UPLOADS};
use super::{Checker, Facts, Holds, Invariant, Violation, facts, hold, when};
use crate::deployment::Deployment;

/// The adapters in memory answer at once.
fn now<T>(future: impl Future<Output = ports::Result<T>>) -> T {
    match future.now_or_never() {
        Some(Ok(value)) => value,
        Some(Err(error)) => panic!("the memory's own adapters do not fail: {error}"),
        None => panic!("the memory's own adapters answer at once"),
    }
}

/// A row of a type, if it is there.
pub fn read<T: DeserializeOwned + Send>(deployment: &Deployment, key: &Key) -> Option<T> {
    now(deployment.records.read::<T>(key)).map(|row| row.value)
}

/// All rows under a prefix, with the ends of their keys.
pub fn rows(deployment: &Deployment, pipeline: &PipelineName, prefix: &str) -> Vec<(String, Value)> {
    let rows = now(deployment.records.all::<Value>(&Key::partition(pipeline), prefix));
    rows.into_iter().map(|(sort, row)| (sort, row.value)).collect()
}

/// Checks the whole, once nothing is in flight.
///
/// # Errors
/// The first invariant that does not hold.
pub fn at_rest(deployment: &Deployment, checker: &Checker) -> Holds {
    for (pipeline, facts) in &checker.facts {
        verified(deployment, pipeline)?;
        published(deployment, pipeline, checker, facts)?;
        told(deployment, pipeline, checker, facts)?;
        nothing_waits(deployment, pipeline)?;
        ended(pipeline, facts)?;
        learned(deployment, pipeline, facts)?;
        uploads(deployment, pipeline, facts)?;
        let mut named = Vec::new();
        for (sort, value) in rows(deployment, pipeline, "") {
            if Key::of(pipeline, sort.as_str()).is_fact() {
                facts::files(&sort, &value, &mut named);
            }
        }
        for (sort, file) in named {
            facts::there(&deployment.blobs, &sort, &file)?;
        }
    }
    serving(deployment, checker)?;
    for (name, (_, status)) in deployment.jobs.dump() {
        let over = status.state != JobState::Running;
        hold(when(over), JOBS_OWNED, || format!("job {name} is left running"))?;
    }
    Ok(())
}

fn verified(deployment: &Deployment, pipeline: &PipelineName) -> Holds {
    let found = now(ledger::verify(&*deployment.records, pipeline, None));
    match found.findings.first() {
        None => Ok(()),
        Some(finding) => Err(Violation { invariant: CHAIN, found: finding.to_string() }),
    }
}

fn published(deployment: &Deployment, pipeline: &PipelineName, checker: &Checker, facts: &Facts) -> Holds {
    for event in &facts.events {
        hold(when(checker.published.contains_key(&event.id)), PUBLISHED, || {
            format!("event {} {} never reached the bus", event.sequence, event.event.kind())
        })?;
    }
    let cursor = read::<Value>(deployment, &Key::named(pipeline, prefix::CURSOR, "relay"));
    let carried = cursor.and_then(|cursor| cursor["sequence"].as_u64()).unwrap_or(0);
    hold(when(carried == facts.events.len() as u64), PUBLISHED, || {
        format!("the relay stands at {carried} of {}", facts.events.len())
    })
}

/// The id that a notice of an event to a channel has: of both.
fn notice_id(event: &str, channel: &str) -> String {
    Digest::of_parts(&["notice", event, channel]).hex()
}

fn told(deployment: &Deployment, pipeline: &PipelineName, checker: &Checker, facts: &Facts) -> Holds {
    let Some(applied) = &facts.applied else { return Ok(()) };
    let waiting = rows(deployment, pipeline, &format!("{}notify", prefix::WAITING));
    let rules = applied.spec.notices.iter().filter(|rule| rule.kinds.is_empty());
    for channel in rules.map(|rule| domain::digest::canonical(&rule.to)) {
        for event in &facts.events {
            let id = notice_id(&event.id, &channel);
            let known = checker.sent.contains_key(&id) || waiting.iter().any(|(sort, _)| sort.ends_with(&id));
            hold(when(known), NOTICES, || {
                format!("nobody was told of event {} {}", event.sequence, event.event.kind())
            })?;
        }
    }
    Ok(())
}

/// What waits for a function and may not wait once nothing moves.
fn nothing_waits(deployment: &Deployment, pipeline: &PipelineName) -> Holds {
    let waiting = |what: &str, invariant: Invariant| {
        let found = rows(deployment, pipeline, &format!("{}{what}", prefix::WAITING));
        hold(when(found.is_empty()), invariant, || {
            format!("{} still waits", found.first().map(|row| row.0.as_str()).unwrap_or_default())
        })
    };
    waiting("train/run-", ENDS)?;
    waiting("register/", ENDS)?;
    waiting("deploy/", ENDS)?;
    waiting("notify", NOTICES)?;
    let queue = read::<Value>(deployment, &Key::named(pipeline, prefix::CURSOR, "deploy"));
    let queue = queue.unwrap_or_default();
    let idle = queue["in_flight"].is_null() && queue["waiting"].is_null();
    hold(when(idle), ENDS, || format!("the queue of deployments still says {queue}"))
}

fn ended(pipeline: &PipelineName, facts: &Facts) -> Holds {
    for run in facts.runs.values() {
        hold(when(run.state.is_over()), ENDS, || {
            format!("run {} of {pipeline} is {} for ever", run.number, run.state.word())
        })?;
    }
    for deployment in facts.deployments.values() {
        hold(when(deployment.state.is_over()), ENDS, || {
            format!("deployment {} of version {} never ends", deployment.id, deployment.version)
        })?;
    }
    let registered =
        facts.runs.values().filter(|run| matches!(run.state, RunState::Registered { .. })).count();
    hold(when(registered == facts.models.len()), NUMBERS, || {
        format!("{registered} runs are registered and {} versions are there", facts.models.len())
    })
}

/// Enough new rows were learned from, unless the newest run failed: then the next part asks; or
/// unless the run is held for its budget.
fn learned(deployment: &Deployment, pipeline: &PipelineName, facts: &Facts) -> Holds {
    let Some(applied) = &facts.applied else { return Ok(()) };
    let retraining = &applied.spec.retraining;
    let newest = facts.runs.values().max_by_key(|run| run.number);
    let failed = newest.is_some_and(|run| matches!(run.state, RunState::Failed { .. }));
    let asks = rows(deployment, pipeline, &format!("{}train/ask-", prefix::WAITING));
    let held = asks.iter().any(|(_, ask)| !ask["held"].is_null());
    if !retraining.on.contains(&Trigger::Data) || failed || held {
        return Ok(());
    }
    let window = facts.parts.values().rev().take(applied.spec.training.window_parts);
    let (mut all, mut new) = (0, 0);
    for part in window {
        all += part.rows;
        if newest.is_none_or(|run| !run.parts.contains(&part.number)) {
            new += part.rows;
        }
    }
    let least = if newest.is_some() { retraining.minimum_new_rows } else { 1 };
    let enough = all >= applied.spec.training.minimum_rows && new >= least.max(1);
    hold(when(!enough), ASKS, || format!("{new} new rows wait and no run learns from them"))
}

/// Everything that landed under a pipeline has a fate, unless it was given up visibly.
fn uploads(deployment: &Deployment, pipeline: &PipelineName, facts: &Facts) -> Holds {
    let folder = format!("{pipeline}/");
    for path in deployment.incoming.paths() {
        if !path.as_str().starts_with(&folder) {
            continue;
        }
        let recorded = facts.uploads.values().any(|upload| upload.path == path);
        let dead = deployment.dead().values().any(|letter| {
            letter.event.pointer("/detail/object/key").and_then(Value::as_str) == Some(path.as_str())
        });
        hold(when(recorded || dead), UPLOADS, || format!("{path} landed and has no fate"))?;
    }
    for upload in facts.uploads.values() {
        let same = deployment.incoming.digest_at(&upload.path) == Some(upload.content);
        hold(when(same), UPLOADS, || format!("the bytes of {} have changed", upload.path))?;
    }
    Ok(())
}

fn serving(deployment: &Deployment, checker: &Checker) -> Holds {
    let mut said = std::collections::BTreeMap::new();
    for facts in checker.facts.values() {
        for endpoint in facts.endpoints.values() {
            said.insert(endpoint.name.clone(), endpoint.deployment.clone());
        }
    }
    for name in deployment.endpoints.names() {
        let serves = deployment.endpoints.serving(&name).map(|spec| spec.config);
        // What never answered and no deployment brought up is nobody's: a first deployment failed.
        let expected = said.remove(&name);
        hold(when(serves == expected), SERVES, || {
            format!("{name} serves {serves:?}, the ledger says {expected:?}")
        })?;
        let left = expected.is_none() && name.len() > 12 && name.contains('-');
        hold(when(!left), SERVES, || format!("{name} was left behind by its deployment"))?;
    }
    hold(when(said.is_empty()), SERVES, || format!("{:?} is not there", said.keys().next()))
}
