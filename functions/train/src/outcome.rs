//! What a job that is over has left: a model, or why there is none.

use domain::row::{File, Tuned};
use domain::trial::{Trial, Trials};
use ports::JobState;

/// What is there once a job is over.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The model.
    pub(crate) model: Option<File>,
    /// The record of a search, or why it cannot be read; none where nothing was searched.
    pub(crate) trials: Option<Result<(File, Trials), String>>,
}

/// What a job left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Left {
    pub(crate) model: File,
    pub(crate) tuned: Option<Tuned>,
}

/// What a job left, or in one sentence why there is no model. A job that runs has left nothing.
pub(crate) fn outcome(state: &JobState, found: Found) -> Result<Left, String> {
    let missing = match state {
        JobState::Failed { reason } => return Err(reason.clone()),
        JobState::Running => return Err("the job still runs".into()),
        JobState::Completed => "the job ended without a model".to_owned(),
        // Who stops a training in time leaves a model that can be used: SageMaker does, and so
        // does boost. A search that is stopped leaves the best one so far.
        JobState::Stopped { reason } => format!("the job was stopped: {reason}"),
    };
    let model = found.model.ok_or(missing)?;
    let Some(trials) = found.trials else { return Ok(Left { model, tuned: None }) };
    let (record, trials) = trials?;
    let tuned = tuned(record, &trials)?;
    Ok(Left { model, tuned: Some(tuned) })
}

/// What a search found.
fn tuned(record: File, trials: &Trials) -> Result<Tuned, String> {
    let best = trials.best();
    let Some(Trial { number, value: Some(value), hyperparameters, .. }) = best else {
        return Err(format!("the search left a model, and no trial of it in {}", record.path));
    };
    Ok(Tuned {
        trials: u32::try_from(trials.trials.len()).unwrap_or(u32::MAX),
        best: *number,
        metric: trials.objective.metric.clone(),
        value: *value,
        hyperparameters: hyperparameters.clone(),
        record,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::trial::TrialState;
    use domain::tuning::{Direction, Objective, Strategy};
    use domain::{BlobPath, Digest};

    use super::*;

    fn file(name: &str) -> File {
        File { path: BlobPath::parse(name).unwrap(), digest: Digest::of(name.as_bytes()) }
    }

    fn trials(states: &[(TrialState, Option<f64>)]) -> Trials {
        let trial = |(at, (state, value)): (usize, &(TrialState, Option<f64>))| Trial {
            number: at as u32 + 1,
            hyperparameters: BTreeMap::from([("eta".to_owned(), at.to_string())]),
            state: state.clone(),
            value: *value,
            curve: Vec::new(),
            seconds: 1,
        };
        Trials {
            strategy: Strategy::Random,
            objective: Objective { metric: "loss".into(), direction: Direction::Minimize },
            seed: 0,
            max_trials: 9,
            ended: None,
            trials: states.iter().enumerate().map(trial).collect(),
        }
    }

    #[test]
    fn a_job_that_is_over_left_a_model_or_a_reason() {
        let failed = JobState::Failed { reason: "no memory".into() };
        let stopped = JobState::Stopped { reason: "late".into() };
        let plain = |state: &JobState, model: Option<File>| outcome(state, Found { model, trials: None });
        let model = || Some(file("m"));
        for (state, found, expected) in [
            (&JobState::Completed, model(), Ok(())),
            (&stopped, model(), Ok(())),
            (&JobState::Completed, None, Err("the job ended without a model")),
            (&stopped, None, Err("the job was stopped: late")),
            (&failed, None, Err("no memory")),
            (&failed, model(), Err("no memory")),
        ] {
            let left =
                plain(state, found).map(|left| assert_eq!((left.model, left.tuned), (file("m"), None)));
            assert_eq!(left, expected.map_err(str::to_owned), "{state:?}");
        }
    }

    #[test]
    fn a_search_that_is_over_left_its_best_trial_or_a_reason() {
        let completed = |value| (TrialState::Completed, Some(value));
        let bad = (TrialState::Failed { reason: "no memory".into() }, None);
        let stopped = JobState::Stopped { reason: "late".into() };
        let failed = JobState::Failed { reason: "no trial made a model".into() };
        let record = |states: &[_]| Ok((file("t"), trials(states)));
        let good = || record(&[completed(0.4), completed(0.3), bad.clone()]);
        let unreadable = Err("t: not the record of a search".to_owned());
        for (state, model, trials, expected) in [
            (&JobState::Completed, Some("m"), good(), Ok((3, 2, 0.3))),
            (&stopped, Some("m"), good(), Ok((3, 2, 0.3))),
            (&stopped, None, good(), Err("the job was stopped: late")),
            (&failed, None, record(std::slice::from_ref(&bad)), Err("no trial made a model")),
            (&JobState::Completed, None, good(), Err("the job ended without a model")),
            (&JobState::Completed, Some("m"), unreadable, Err("t: not the record of a search")),
            (
                &JobState::Completed,
                Some("m"),
                record(std::slice::from_ref(&bad)),
                Err("the search left a model, and no trial of it in t"),
            ),
        ] {
            let found = Found { model: model.map(file), trials: Some(trials) };
            let left = outcome(state, found).map(|left| {
                let tuned = left.tuned.unwrap();
                assert_eq!(tuned.hyperparameters["eta"], "1");
                assert_eq!((left.model, tuned.record, tuned.metric.as_str()), (file("m"), file("t"), "loss"));
                (tuned.trials, tuned.best, tuned.value)
            });
            assert_eq!(left, expected.map_err(str::to_owned), "{state:?}");
        }
    }
}
