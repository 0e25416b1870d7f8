//! How a search goes: which trials are begun, which are stopped, and when it is enough.

use domain::limit;
use domain::trial::{Point, Trial, TrialState, Trials};
use domain::tuning::{EarlyStopping, Strategy, Tuning};

use crate::random::Random;
use crate::space::Space;
use crate::stopping::{Peer, is_behind, is_promoted, rungs};
use crate::tpe::{Shown, Tried, choose};

/// A search ends when its first trials all failed: the next would too.
const FIRST_FAILURES_MAX: usize = 5;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Begin this trial.
    Begin(Trial),
    /// Nothing before one of the running trials is over.
    Wait,
    /// Begin no further trial: why, in one sentence.
    Done(String),
}

/// Whether a trial goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    GoOn,
    /// It is to be ended, and what it prints from here on is not looked at: why, in one sentence.
    Stop(String),
}

/// How a trial's training ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It made a model.
    Well,
    /// It did not: why.
    Badly(String),
    /// It was stopped by somebody or something outside the search: why.
    Short(String),
}

/// A search.
#[derive(Clone, Debug)]
pub struct Tuner {
    declared: Tuning,
    space: Space,
    max_trials: u32,
    rungs: Vec<u64>,
    trials: Vec<Told>,
    ended: Option<String>,
}

/// A trial with what it told.
#[derive(Clone, Debug)]
struct Told {
    trial: Trial,
    values: Vec<f64>,
    curve: Curve,
    /// The loss at each rung that it came to.
    rungs: Vec<f64>,
    /// Why it is to be stopped.
    stop: Option<String>,
}

/// The objective round by round; a long one is thinned out evenly.
#[derive(Clone, Debug)]
struct Curve {
    kept: Vec<Kept>,
    told: u64,
    every: u64,
    sum: f64,
    /// The rounds that were told last, 0 where none were.
    resource: u64,
    /// Whether a round was ever told by its number.
    numbered: bool,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    point: Point,
    /// The average of all values up to here, also of those that are not kept.
    average: f64,
}

impl Curve {
    fn new() -> Curve {
        Curve { kept: Vec::new(), told: 0, every: 1, sum: 0.0, resource: 0, numbered: false }
    }

    /// The rounds that a reading is of; none where it tells of a round that was told before.
    fn place(&mut self, resource: Option<u64>) -> Option<u64> {
        self.numbered |= resource.is_some();
        match resource {
            Some(resource) if resource > self.resource || self.told == 0 => Some(resource),
            None if !self.numbered => Some(self.resource + 1),
            _ => None,
        }
    }

    fn push(&mut self, resource: u64, value: f64) {
        self.resource = resource;
        self.told += 1;
        self.sum += value;
        if !(self.told - 1).is_multiple_of(self.every) {
            return;
        }
        let average = self.sum / self.told as f64;
        self.kept.push(Kept { point: Point { resource, value }, average });
        if self.kept.len() > limit::CURVE_POINTS_MAX {
            self.every *= 2;
            let mut place = 0_usize;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
        }
    }

    /// The average of the values up to some rounds; none where it began later.
    fn average(&self, resource: u64) -> Option<f64> {
        let count = self.kept.partition_point(|kept| kept.point.resource <= resource);
        Some(self.kept[count.checked_sub(1)?].average)
    }
}

impl Told {
    fn is_running(&self) -> bool {
        self.trial.state == TrialState::Running
    }
}

impl Tuner {
    /// A search as it is declared. The declaration holds ([`crate::check::problems`]).
    pub fn new(declared: &Tuning) -> Tuner {
        let space = Space::of(&declared.ranges);
        let all = space.combinations().map_or(limit::TRIALS_MAX, |all| {
            u32::try_from(all).unwrap_or(limit::TRIALS_MAX).min(limit::TRIALS_MAX)
        });
        let max_trials = match declared.strategy {
            Strategy::Grid => declared.limits.max_trials.unwrap_or(all).min(all),
            _ => declared.limits.max_trials.unwrap_or(limit::TRIALS_MAX),
        };
        let hyperband = declared.hyperband.filter(|_| declared.strategy == Strategy::Hyperband);
        Tuner {
            declared: declared.clone(),
            space,
            max_trials,
            rungs: hyperband.map(rungs).unwrap_or_default(),
            trials: Vec::new(),
            ended: None,
        }
    }

    /// What is to be done next.
    pub fn ask(&mut self) -> Asked {
        if let Some(reason) = &self.ended {
            return Asked::Done(reason.clone());
        }
        let number = u32::try_from(self.trials.len()).unwrap_or(u32::MAX).saturating_add(1);
        let known = self.known(number);
        let running = self.trials.iter().filter(|told| told.is_running()).count();
        if self.trials[..known].iter().any(Told::is_running) {
            return Asked::Wait;
        }
        if let Some(reason) = self.enough(number, known) {
            self.ended = Some(reason.clone());
            return Asked::Done(reason);
        }
        if running >= self.declared.limits.max_parallel.max(1) as usize {
            return Asked::Wait;
        }
        let values = self.values(number, known);
        let trial = Trial {
            number,
            hyperparameters: self.space.texts(&values),
            state: TrialState::Running,
            value: None,
            curve: Vec::new(),
            seconds: 0,
        };
        let told = Told { trial: trial.clone(), values, curve: Curve::new(), rungs: Vec::new(), stop: None };
        self.trials.push(told);
        Asked::Begin(trial)
    }

    /// How many of the first trials a trial is chosen by and compared with: `number − lag`.
    fn known(&self, number: u32) -> usize {
        let lag = 2 * self.declared.limits.max_parallel.max(1) - 1;
        number.saturating_sub(lag) as usize
    }

    fn values(&self, number: u32, known: usize) -> Vec<f64> {
        let mut random = Random::of_trial(self.declared.seed, number);
        match self.declared.strategy {
            Strategy::Random | Strategy::Hyperband => self.space.draw(&mut random),
            Strategy::Grid => self.space.combination(u64::from(number) - 1),
            Strategy::Bayesian => {
                let tried: Vec<Tried<'_>> = self
                    .trials
                    .iter()
                    .enumerate()
                    .map(|(at, told)| {
                        let shown = if at < known { self.shown(told) } else { Shown::Nothing };
                        Tried { values: &told.values, shown }
                    })
                    .collect();
                choose(&self.space, &tried, &mut random)
            }
        }
    }

    fn shown(&self, told: &Told) -> Shown {
        let loss = told.trial.value.map(|value| self.declared.objective.direction.loss(value));
        match (&told.trial.state, loss) {
            (TrialState::Completed, Some(loss)) => Shown::Loss(loss),
            (TrialState::Stopped { .. }, Some(loss)) => {
                Shown::Stopped { resource: told.curve.resource, loss }
            }
            (TrialState::Running, _) => Shown::Nothing,
            _ => Shown::Failure,
        }
    }

    /// Why no further trial is to be begun, by the trials that are known.
    fn enough(&self, number: u32, known: usize) -> Option<String> {
        let completion = &self.declared.completion;
        let direction = self.declared.objective.direction;
        let known = &self.trials[..known];
        let mut best: Option<(usize, f64)> = None;
        for (at, told) in known.iter().enumerate() {
            let (TrialState::Completed, Some(value)) = (&told.trial.state, told.trial.value) else {
                continue;
            };
            if best.is_none_or(|(_, best)| direction.is_better(value, best)) {
                best = Some((at, value));
            }
        }
        if let (Some((at, best)), Some(target)) = (best, completion.target)
            && !direction.is_better(target, best)
        {
            return Some(format!("trial {} reached the target {target}", at + 1));
        }
        if let (Some((at, _)), Some(not_improving)) = (best, completion.not_improving)
            && known.len() - (at + 1) >= not_improving as usize
        {
            return Some(format!("{not_improving} trials found nothing better than trial {}", at + 1));
        }
        let is_failed = |told: &Told| matches!(told.trial.state, TrialState::Failed { .. });
        if known.len() >= FIRST_FAILURES_MAX && known.iter().all(is_failed) {
            return Some(format!("the first {} trials failed", known.len()));
        }
        (number > self.max_trials).then(|| match self.declared.strategy {
            Strategy::Grid if self.space.combinations() == Some(self.max_trials.into()) => {
                "every combination was tried".to_owned()
            }
            _ => format!("all {} trials were made", self.max_trials),
        })
    }

    /// A running trial printed its objective, with its rounds where it says them. What is not
    /// finite counts as no value. Nothing happens where there is no such trial or it is over.
    pub fn tell(&mut self, trial: u32, resource: Option<u64>, value: f64) -> Verdict {
        let peers = self.known(trial);
        let direction = self.declared.objective.direction;
        let Some(at) = (trial as usize).checked_sub(1).filter(|at| *at < self.trials.len()) else {
            return Verdict::GoOn;
        };
        let (before, rest) = self.trials.split_at_mut(at);
        let told = &mut rest[0];
        if let Some(reason) = &told.stop {
            return Verdict::Stop(reason.clone());
        }
        if !told.is_running() {
            return Verdict::GoOn;
        }
        told.trial.value = value.is_finite().then_some(value);
        let place = told.curve.place(resource);
        let (Some(resource), true) = (place, value.is_finite()) else { return Verdict::GoOn };
        told.curve.push(resource, value);
        let loss = direction.loss(value);
        let peers = &before[..peers.min(before.len())];
        let reason = told.rung(resource, loss, &self.rungs, peers);
        let reason = reason.or_else(|| match self.declared.early_stopping {
            EarlyStopping::Off => None,
            EarlyStopping::Auto => behind(resource, loss, peers, |average| direction.loss(average)),
        });
        match reason {
            None => Verdict::GoOn,
            Some(reason) => {
                told.stop = Some(reason.clone());
                Verdict::Stop(reason)
            }
        }
    }

    /// A trial is over, after so many seconds; answers it. None where there is no such trial.
    pub fn finish(&mut self, trial: u32, ended: Ended, seconds: u64) -> Option<&Trial> {
        let metric = self.declared.objective.metric.clone();
        let told = self.trials.get_mut((trial as usize).checked_sub(1)?)?;
        if told.is_running() {
            told.trial.seconds = seconds;
            told.trial.state = match (told.stop.clone(), ended) {
                (Some(reason), _) | (None, Ended::Short(reason)) => TrialState::Stopped { reason },
                (None, Ended::Badly(reason)) => TrialState::Failed { reason },
                (None, Ended::Well) if told.trial.value.is_some() => TrialState::Completed,
                (None, Ended::Well) if told.curve.told > 0 => {
                    TrialState::Failed { reason: format!("its last {metric} is not a finite number") }
                }
                (None, Ended::Well) => {
                    let reason =
                        format!("it printed no {metric}, as {metric}=0.5; see training.tuning.metrics");
                    TrialState::Failed { reason }
                }
            };
        }
        Some(&told.trial)
    }

    /// No further trial is begun: why. The first reason stays.
    pub fn end(&mut self, reason: &str) {
        self.ended.get_or_insert_with(|| reason.to_owned());
    }

    /// Everything so far.
    pub fn record(&self) -> Trials {
        let trial = |told: &Told| Trial {
            curve: told.curve.kept.iter().map(|kept| kept.point).collect(),
            ..told.trial.clone()
        };
        Trials {
            strategy: self.declared.strategy,
            objective: self.declared.objective.clone(),
            seed: self.declared.seed,
            max_trials: self.max_trials,
            ended: self.ended.clone(),
            trials: self.trials.iter().map(trial).collect(),
        }
    }
}

impl Told {
    /// Takes a trial over the rungs it has come to; why it does not go on, if so.
    fn rung(&mut self, resource: u64, loss: f64, rungs: &[u64], peers: &[Told]) -> Option<String> {
        while let Some(rung) = rungs.get(self.rungs.len()).filter(|rung| resource >= **rung) {
            let at = self.rungs.len();
            self.rungs.push(loss);
            let others: Vec<f64> = peers.iter().filter_map(|peer| peer.rungs.get(at).copied()).collect();
            if !is_promoted(loss, &others) {
                let count = others.len() + 1;
                return Some(format!("not among the best third of {count} trials after {rung} rounds"));
            }
        }
        None
    }
}

/// Why a trial is stopped for being behind the median of those that ran to their ends.
fn behind(resource: u64, loss: f64, peers: &[Told], as_loss: impl Fn(f64) -> f64) -> Option<String> {
    let whole = peers.iter().filter(|peer| peer.trial.state == TrialState::Completed);
    let peers: Vec<Peer> = whole
        .filter_map(|peer| {
            let average = as_loss(peer.curve.average(resource)?);
            Some(Peer { rounds: peer.curve.resource, average })
        })
        .collect();
    is_behind(resource, loss, &peers)
        .then(|| format!("behind the median of {} trials after {resource} rounds", peers.len()))
}

#[cfg(test)]
mod tests;
