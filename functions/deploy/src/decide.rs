//! The rules of a deployment: who may serve, whose turn it is, what an endpoint's state means.

use domain::row::{ApprovalState, Deployment, DeploymentState, Endpoint, Model};
use domain::{Digest, Time};
use ports::{EndpointState, EndpointStatus};
use serde::{Deserialize, Serialize};

/// A model that has not come up beside what serves within this many minutes will not: SageMaker
/// itself gives a container's first health check 60 minutes at most.
pub const STAGING_MINUTES_MAX: i64 = 60;

/// A switch that has not happened this many minutes after its deployment began will not.
pub const SWITCHING_MINUTES_MAX: i64 = 180;

/// How far two predictions of one model for one row may lie apart, relative to the larger: what
/// printing and reading back a 32-bit float costs, and no more.
pub const ANSWER_TOLERANCE: f64 = 1e-6;

/// Whose turn it is (`cursor/deploy`): one deployment in flight, at most one waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// The deployment in flight.
    #[serde(default)]
    pub in_flight: Option<String>,
    /// The one that waits for it to end.
    #[serde(default)]
    pub waiting: Option<String>,
    /// The newest demand so far: its event's place in the chain, and its version.
    #[serde(default)]
    pub newest: Option<(u64, u32)>,
}

/// What an approval or a rollback asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The version.
    pub version: u32,
    /// The event's place in the chain.
    pub sequence: u64,
    /// What was approved, where the event says it.
    pub binding: Option<Digest>,
}

/// What becomes of a demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It begins now.
    Begin,
    /// It waits for the one in flight, in the place of the one that waited before, if any.
    Wait {
        /// The one that gives way.
        supersedes: Option<String>,
    },
    /// A newer demand was heard first.
    Late {
        /// The newer demand's version.
        by: u32,
    },
    /// It must not happen.
    Refuse(String),
}

/// What becomes of a demand, given the model's row and the queue.
pub fn place(demand: Demand, model: Option<&Model>, endpoint: Option<&Endpoint>, queue: &Queue) -> Place {
    if let Err(reason) = may_serve(demand.version, model, demand.binding) {
        return Place::Refuse(reason);
    }
    if let Some((sequence, by)) = queue.newest
        && sequence > demand.sequence
    {
        return Place::Late { by };
    }
    if queue.in_flight.is_some() || queue.waiting.is_some() {
        return Place::Wait { supersedes: queue.waiting.clone() };
    }
    match serves_already(demand.version, endpoint) {
        Some(reason) => Place::Refuse(reason),
        None => Place::Begin,
    }
}

/// Whether a version may serve: it is there, a person approved it, and what was approved is what
/// is there now, by every digest it is made of.
pub fn may_serve(version: u32, model: Option<&Model>, binding: Option<Digest>) -> Result<(), String> {
    let Some(model) = model else {
        return Err(format!("there is no version {version}"));
    };
    let ApprovalState::Approved { binding: approved, .. } = &model.approval else {
        return Err(format!("version {version} is {}, not approved", model.approval.word()));
    };
    let actual = Digest::of_json(&model.lineage);
    let bound = [Some(model.binding), Some(*approved), binding];
    match bound.into_iter().flatten().find(|digest| *digest != actual) {
        None => Ok(()),
        Some(other) => Err(format!(
            "version {version} is not what was approved: its lineage is {}, the approval is bound to {}",
            actual.short(),
            other.short()
        )),
    }
}

/// Why a version need not be deployed: it answers already.
pub fn serves_already(version: u32, endpoint: Option<&Endpoint>) -> Option<String> {
    let endpoint = endpoint.filter(|endpoint| endpoint.champion == version)?;
    Some(format!("{} serves version {version} already", endpoint.name))
}

/// What to do next for an endpoint that is to answer with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask for the configuration.
    Put,
    /// Wait for a change.
    Wait,
    /// The configuration answers.
    Ready,
    /// It never will.
    Fail(String),
}

/// What to do next for an endpoint, `asked` telling whether the configuration was asked for in
/// this very handling: an older failure does not count before that.
pub fn next(config: &str, status: Option<&EndpointStatus>, asked: bool, late: Option<String>) -> Next {
    let serves = status.and_then(|status| status.serving.as_deref()) == Some(config);
    let step = match status.map(|status| &status.state) {
        Some(EndpointState::InService) if serves => Next::Ready,
        Some(EndpointState::Updating) => Next::Wait,
        Some(EndpointState::Failed { reason }) if asked => Next::Fail(reason.clone()),
        _ if asked => Next::Wait,
        _ => Next::Put,
    };
    match (step, late) {
        (Next::Wait | Next::Put, Some(reason)) => Next::Fail(reason),
        (step, _) => step,
    }
}

/// Why a deployment has taken too long, if it has.
pub fn late(deployment: &Deployment, begun: Time, now: Time) -> Option<String> {
    let (minutes, what) = match deployment.state {
        DeploymentState::Staging => (STAGING_MINUTES_MAX, "come up"),
        _ => (SWITCHING_MINUTES_MAX, "take over"),
    };
    (now > begun.plus(minutes * 60 * Time::SECOND))
        .then(|| format!("it did not {what} within {minutes} minutes"))
}

/// Whether an endpoint must be told again what to serve: something else answers, and nothing is
/// on its way.
pub fn strayed(endpoint: &Endpoint, status: Option<&EndpointStatus>) -> bool {
    match status {
        None => true,
        Some(status) => {
            status.state != EndpointState::Updating
                && status.serving.as_deref() != Some(endpoint.deployment.as_str())
        }
    }
}

/// Compares answers with the recorded ones; the number of rows answered right, or the first that
/// was not.
pub fn compare(expected: &[Vec<f64>], found: &[Vec<f64>]) -> Result<u64, String> {
    if expected.len() != found.len() {
        return Err(format!("{} answers to {} golden requests", found.len(), expected.len()));
    }
    for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
        let same = expected.len() == found.len() && expected.iter().zip(found).all(|(a, b)| close(*a, *b));
        if !same {
            return Err(format!(
                "golden request {} was answered {}, recorded is {}",
                index + 1,
                written(found),
                written(expected)
            ));
        }
    }
    Ok(expected.len() as u64)
}

fn close(expected: f64, found: f64) -> bool {
    // Below 1e-12 a number is noise of the arithmetic: relative distance has no meaning there.
    (expected - found).abs() <= (ANSWER_TOLERANCE * expected.abs().max(found.abs())).max(1e-12)
}

fn written(numbers: &[f64]) -> String {
    let texts: Vec<String> = numbers.iter().map(f64::to_string).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn endpoint(champion: u32) -> Endpoint {
        Endpoint {
            name: "taxi".into(),
            champion,
            previous: None,
            deployment: "d0".into(),
            since: Time::from_millis(0),
        }
    }

    #[test]
    fn a_demand_begins_waits_comes_late_or_is_refused() {
        let model = example::approved(2);
        let demand = Demand { version: 2, sequence: 10, binding: Some(model.binding) };
        let idle = Queue { newest: Some((7, 1)), ..Queue::default() };
        let busy = Queue { in_flight: Some("a".into()), ..idle.clone() };
        let full = Queue { waiting: Some("b".into()), newest: Some((9, 3)), ..busy.clone() };
        let newer = Queue { newest: Some((11, 3)), ..idle.clone() };
        for (queue, champion, expected) in [
            (&Queue::default(), None, Place::Begin),
            (&idle, Some(1), Place::Begin),
            (&idle, Some(2), Place::Refuse("taxi serves version 2 already".into())),
            (&busy, Some(1), Place::Wait { supersedes: None }),
            // What is in flight may fail or change what serves: decide when it has ended.
            (&busy, Some(2), Place::Wait { supersedes: None }),
            (&full, Some(1), Place::Wait { supersedes: Some("b".into()) }),
            (&newer, Some(1), Place::Late { by: 3 }),
        ] {
            let champion = champion.map(endpoint);
            assert_eq!(place(demand, Some(&model), champion.as_ref(), queue), expected, "{queue:?}");
        }
    }

    #[test]
    fn only_what_was_approved_may_serve() {
        let model = example::approved(2);
        assert_eq!(may_serve(2, Some(&model), Some(model.binding)), Ok(()));
        assert_eq!(may_serve(2, Some(&model), None), Ok(()));

        let mut pending = model.clone();
        pending.approval = ApprovalState::Pending;
        let mut swapped = model.clone();
        swapped.lineage.artifact = Digest::of(b"another model");
        let mut rebound = swapped.clone();
        rebound.binding = Digest::of_json(&rebound.lineage);
        for (model, complaint) in [
            (None, "there is no version 2"),
            (Some(&pending), "version 2 is pending, not approved"),
            (Some(&swapped), "version 2 is not what was approved"),
            (Some(&rebound), "version 2 is not what was approved"),
        ] {
            let refused = may_serve(2, model, None).unwrap_err();
            assert!(refused.starts_with(complaint), "{refused}");
        }
        let other = Some(Digest::of(b"another binding"));
        assert!(may_serve(2, Some(&model), other).is_err());
    }

    #[test]
    fn an_endpoints_state_says_what_comes_next() {
        let status = |state: EndpointState, serving: Option<&str>| {
            Some(EndpointStatus { state, serving: serving.map(str::to_owned) })
        };
        let failed = || EndpointState::Failed { reason: "no memory".into() };
        let late = || Some("late".to_owned());
        for (status, asked, too_late, expected) in [
            (None, false, None, Next::Put),
            (None, true, None, Next::Wait),
            (status(EndpointState::InService, Some("new")), false, None, Next::Ready),
            (status(EndpointState::InService, Some("new")), true, late(), Next::Ready),
            (status(EndpointState::InService, Some("old")), false, None, Next::Put),
            (status(EndpointState::InService, Some("old")), true, None, Next::Wait),
            (status(EndpointState::Updating, Some("old")), false, None, Next::Wait),
            (status(EndpointState::Updating, Some("old")), false, late(), Next::Fail("late".into())),
            // The failure of an earlier configuration says nothing about this one.
            (status(failed(), Some("old")), false, None, Next::Put),
            (status(failed(), Some("old")), true, None, Next::Fail("no memory".into())),
        ] {
            assert_eq!(next("new", status.as_ref(), asked, too_late), expected, "{status:?} {asked}");
        }
    }

    #[test]
    fn an_endpoint_has_strayed_when_something_else_answers_for_good() {
        let endpoint = endpoint(1);
        let status =
            |state: EndpointState, serving: &str| EndpointStatus { state, serving: Some(serving.into()) };
        assert!(strayed(&endpoint, None));
        assert!(strayed(&endpoint, Some(&status(EndpointState::InService, "other"))));
        assert!(!strayed(&endpoint, Some(&status(EndpointState::InService, "d0"))));
        assert!(!strayed(&endpoint, Some(&status(EndpointState::Updating, "other"))));
    }

    #[test]
    fn answers_are_compared_to_a_millionth() {
        let expected = vec![vec![12.5], vec![0.25, 0.75]];
        assert_eq!(compare(&expected, &[vec![12.500_001], vec![0.25, 0.75]]), Ok(2));
        assert_eq!(compare(&[vec![0.0]], &[vec![1e-13]]), Ok(1));
        for (found, complaint) in [
            (vec![vec![12.5]], "1 answers to 2 golden requests"),
            (vec![vec![12.5], vec![0.25]], "golden request 2 was answered 0.25, recorded is 0.25,0.75"),
            (vec![vec![12.6], vec![0.25, 0.75]], "golden request 1 was answered 12.6, recorded is 12.5"),
        ] {
            assert_eq!(compare(&expected, &found).unwrap_err(), complaint);
        }
    }
}
