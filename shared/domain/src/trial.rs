//! What is recorded of a search over hyperparameters: every trial, with what it was given and
//! how far it came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tuning::{Objective, Strategy};

/// A search and its trials: the file beside the model that it found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// How trials were chosen.
    pub strategy: Strategy,
    /// What was searched for.
    pub objective: Objective,
    /// Where the drawing began.
    pub seed: u32,
    /// Most trials.
    pub max_trials: u32,
    /// Why no further trial was begun; none while the search goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The trials, in order of their numbers.
    pub trials: Vec<Trial>,
}

/// One training with hyperparameters of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// From 1, in the order they were begun.
    pub number: u32,
    /// What was searched, as the program was told.
    pub hyperparameters: BTreeMap<String, String>,
    /// How far it has come.
    #[serde(flatten)]
    pub state: TrialState,
    /// The last value of the objective that it printed, which is its model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The objective round by round, thinned out where it is long.
    pub curve: Vec<Point>,
    /// Its duration in seconds, once it is over.
    #[serde(default)]
    pub seconds: u64,
}

/// The objective after some rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Rounds (epochs), from 1.
    pub resource: u64,
    /// The objective.
    pub value: f64,
}

/// How far a trial has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum TrialState {
    /// It runs.
    Running,
    /// It made a model.
    Completed,
    /// It was stopped before its end.
    Stopped {
        /// Why.
        reason: String,
    },
    /// It ended without a model or without an objective.
    Failed {
        /// Why.
        reason: String,
    },
}

impl TrialState {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            TrialState::Running => "running",
            TrialState::Completed => "completed",
            TrialState::Stopped { .. } => "stopped",
            TrialState::Failed { .. } => "failed",
        }
    }

    /// Why it did not come to its end.
    pub fn reason(&self) -> Option<&str> {
        match self {
            TrialState::Running | TrialState::Completed => None,
            TrialState::Stopped { reason } | TrialState::Failed { reason } => Some(reason),
        }
    }
}

impl Trials {
    /// The completed trial with the best value; of equal ones the first.
    pub fn best(&self) -> Option<&Trial> {
        self.ranked().into_iter().next().filter(|trial| trial.state == TrialState::Completed)
    }

    /// The trials, best first: the completed ones, then what runs, was stopped, and failed; of
    /// equal ones the first.
    pub fn ranked(&self) -> Vec<&Trial> {
        let place = |trial: &Trial| match trial.state {
            TrialState::Completed => 0,
            TrialState::Running => 1,
            TrialState::Stopped { .. } => 2,
            TrialState::Failed { .. } => 3,
        };
        let loss =
            |trial: &Trial| trial.value.map_or(f64::INFINITY, |value| self.objective.direction.loss(value));
        let mut ranked: Vec<&Trial> = self.trials.iter().collect();
        ranked.sort_by(|a, b| place(a).cmp(&place(b)).then(loss(a).total_cmp(&loss(b))));
        ranked
    }

    /// How many have ended, however.
    pub fn over(&self) -> usize {
        self.trials.iter().filter(|trial| trial.state != TrialState::Running).count()
    }

    /// In one sentence, for people who wait.
    pub fn progress(&self) -> String {
        let (over, most) = (self.over(), self.max_trials);
        let metric = &self.objective.metric;
        match self.best() {
            Some(Trial { number, value: Some(value), .. }) => {
                format!("{over} of at most {most} trials over, best {metric} {value} (trial {number})")
            }
            _ => format!("{over} of at most {most} trials over"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::Direction;

    #[test]
    fn the_best_of_equal_trials_is_the_first_and_only_a_whole_trial_is_best() {
        let trial = |number: u32, state: TrialState, value: Option<f64>| Trial {
            number,
            hyperparameters: BTreeMap::new(),
            state,
            value,
            curve: Vec::new(),
            seconds: 0,
        };
        let stopped = TrialState::Stopped { reason: "behind".into() };
        let failed = TrialState::Failed { reason: "no memory".into() };
        let trials = vec![
            trial(1, stopped.clone(), Some(0.1)),
            trial(2, TrialState::Completed, Some(0.4)),
            trial(3, TrialState::Completed, Some(0.3)),
            trial(4, TrialState::Completed, Some(0.3)),
            trial(5, failed, None),
            trial(6, TrialState::Running, None),
        ];
        for (direction, best, order) in
            [(Direction::Minimize, 3, [3, 4, 2, 6, 1, 5]), (Direction::Maximize, 2, [2, 3, 4, 6, 1, 5])]
        {
            let objective = Objective { metric: "loss".into(), direction };
            let strategy = Strategy::Random;
            let trials =
                Trials { strategy, objective, seed: 0, max_trials: 9, ended: None, trials: trials.clone() };
            assert_eq!(trials.best().map(|trial| trial.number), Some(best));
            let ranked: Vec<u32> = trials.ranked().iter().map(|trial| trial.number).collect();
            assert_eq!(ranked, order);
            assert!(trials.progress().starts_with("5 of at most 9 trials over, best loss 0."));
        }
        let only = Trials {
            strategy: Strategy::Random,
            objective: Objective { metric: "loss".into(), direction: Direction::Minimize },
            seed: 0,
            max_trials: 1,
            ended: None,
            trials: vec![trial(1, stopped, Some(0.1))],
        };
        assert_eq!((only.best(), only.progress().as_str()), (None, "1 of at most 1 trials over"));
        let written = serde_json::to_value(&only).unwrap();
        assert_eq!(serde_json::from_value::<Trials>(written).unwrap(), only);
    }
}
