//! How a simulation runs: a storm in which everything may fail, then a calm in which all must end.

use domain::Time;

use crate::check::{Checker, Holds, Violation, hold, invariant, rest, when};
use crate::chooser::Choose;
use crate::deployment::{Deployment, JobEnd, News};
use crate::gate::{Call, Moment, TaskId, Verdict};

/// What is likely in one storm, in thousandths of its occasions: drawn from the seed, so that
/// every storm has its own weather.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// A call fails before its effect, the same call may succeed later.
    pub throttle: usize,
    /// A call gets no answer, before or after its effect.
    pub lose: usize,
    /// A task dies at a call.
    pub crash: usize,
    /// A delivery comes twice.
    pub double: usize,
    /// News of the world are lost or come twice.
    pub news: usize,
    /// A record of the stream, or a tick, is lost.
    pub forget: usize,
    /// A job or an endpoint ends badly.
    pub bad: usize,
    /// Tasks in flight at once.
    pub tasks_max: usize,
    /// How eagerly time passes while there is something to do.
    pub haste: usize,
    /// Steps of the storm at most.
    pub steps_max: usize,
}

impl Swarm {
    /// Draws the weather.
    pub fn draw(choose: &mut dyn Choose) -> Swarm {
        let mut often = |rates: &[usize]| rates[choose.pick(rates.len())];
        Swarm {
            throttle: often(&[0, 0, 5, 30]),
            lose: often(&[0, 0, 5, 30]),
            crash: often(&[0, 0, 5, 20, 60]),
            double: often(&[0, 50, 300]),
            news: often(&[0, 200, 600]),
            forget: often(&[0, 0, 100]),
            bad: often(&[0, 100, 400]),
            tasks_max: often(&[1, 2, 4, 8]),
            haste: often(&[0, 1, 3]),
            steps_max: often(&[1_500, 3_000, 6_000]),
        }
    }

    fn news(&self, choose: &mut dyn Choose) -> News {
        match choose.chance(self.news) {
            true if choose.pick(2) == 0 => News::Lost,
            true => News::Twice,
            false => News::Told,
        }
    }
}

/// The people around a deployment.
pub trait People {
    /// Does something; whether there is more to do.
    fn act(&mut self, deployment: &mut Deployment, choose: &mut dyn Choose, news: News) -> bool;
    /// Repeats what got no good answer, and goes on with what did; whether anything was done.
    fn tend(&mut self, deployment: &mut Deployment, news: News) -> bool;
    /// What must hold for them once nothing moves.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    fn satisfied(&self, deployment: &Deployment, checker: &Checker) -> Holds;
}

/// One simulation.
pub struct Storm<'a> {
    /// The deployment.
    pub deployment: Deployment,
    /// What follows it.
    pub checker: Checker,
    /// Who decides.
    pub choose: &'a mut dyn Choose,
    /// Who acts.
    pub people: &'a mut dyn People,
}

/// How much time passes between two looks of the calm: minutes first, days at last, together less
/// than the 72 hours after which a notice is given up.
const CALM: [i64; 9] = [5, 15, 60, 60, 120, 360, 720, 1_440, 60];

/// Stretches of the calm in which news of jobs and endpoints may still be lost.
const FORGETFUL: usize = 5;

/// Steps that one stretch of the calm may take; more means that something never ends.
const CALM_STEPS_MAX: usize = 60_000;

enum Step {
    Resume(TaskId),
    Start(u64),
    EndJob(String),
    MoveEndpoint(String),
    Act,
    Tend,
    Advance,
}

impl Storm<'_> {
    /// The storm and the calm after it.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn run(&mut self, swarm: &Swarm) -> Holds {
        let mut more = true;
        for _ in 0..swarm.steps_max {
            if !self.step(swarm, &mut more)? {
                break;
            }
        }
        self.deployment.tell("the storm is over");
        for (stretch, minutes) in CALM.into_iter().enumerate() {
            // News may be lost for a while yet: then it is for the ticks to find out.
            let swarm = (stretch < FORGETFUL).then_some(swarm);
            self.calm(swarm, &mut more)?;
            let to = self.deployment.now().plus(minutes * 60 * Time::SECOND);
            self.deployment.advance(to);
        }
        self.calm(None, &mut false)?;
        self.rest()
    }

    /// Checks the whole, once nothing moves.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn rest(&mut self) -> Holds {
        if let Some(letter) = self.deployment.dead().values().find(|letter| !is_expected(letter)) {
            let found =
                format!("{} does not get through a redriven event: {}", letter.function, letter.reason);
            return Err(Violation { invariant: invariant::ENDS, found });
        }
        rest::at_rest(&self.deployment, &self.checker)?;
        self.people.satisfied(&self.deployment, &self.checker)
    }

    /// One step of the storm; whether there is more to come.
    fn step(&mut self, swarm: &Swarm, more: &mut bool) -> Result<bool, Violation> {
        let mut options: Vec<(usize, Step)> = Vec::new();
        let tasks = self.deployment.tasks();
        let is_room = tasks.len() < swarm.tasks_max;
        options.extend(tasks.into_iter().map(|task| (20, Step::Resume(task))));
        if is_room {
            options.extend(self.deployment.ready().into_iter().take(16).map(|id| (6, Step::Start(id))));
        }
        options.extend(self.deployment.running().into_iter().map(|job| (2, Step::EndJob(job))));
        options.extend(self.deployment.coming_up().into_iter().map(|name| (2, Step::MoveEndpoint(name))));
        let idle = options.is_empty();
        if !*more && idle && self.deployment.waiting() == 0 {
            return Ok(false);
        }
        options.push((if idle { 4 } else { swarm.haste }, Step::Advance));
        if *more {
            options.push((if idle { 4 } else { 1 }, Step::Act));
        }
        options.push((2, Step::Tend));
        let total = options.iter().map(|(weight, _)| weight).sum();
        let mut picked = self.choose.pick(total);
        let mut chosen = Step::Advance;
        for (weight, option) in options {
            if picked < weight {
                chosen = option;
                break;
            }
            picked -= weight;
        }
        self.take(swarm, chosen, more);
        self.checker.look(&self.deployment)?;
        Ok(true)
    }

    fn take(&mut self, swarm: &Swarm, option: Step, more: &mut bool) {
        let (deployment, choose) = (&mut self.deployment, &mut *self.choose);
        match option {
            Step::Resume(task) if choose.chance(swarm.crash) => deployment.crash(task),
            Step::Resume(task) => {
                let verdict = verdict(swarm, choose, &deployment.held(task));
                deployment.resume(task, verdict);
            }
            Step::Start(id) => {
                let source = deployment.delivery(id).map(|delivery| delivery.source.clone());
                let can_be_lost = !matches!(source, Some(crate::delivery::Source::Bus));
                if can_be_lost && choose.chance(swarm.forget) {
                    deployment.lose(id);
                    return;
                }
                if choose.chance(swarm.double) {
                    deployment.double(id);
                }
                deployment.start(id);
            }
            Step::EndJob(job) => {
                let news = swarm.news(choose);
                let how = match choose.chance(swarm.bad) {
                    false => JobEnd::Well(choose.pick(4)),
                    true => match choose.pick(3) {
                        0 => JobEnd::Badly,
                        1 => JobEnd::Stopped,
                        _ => JobEnd::Short(choose.pick(4)),
                    },
                };
                deployment.end_job(&job, how, news);
            }
            Step::MoveEndpoint(name) => {
                let news = swarm.news(choose);
                match choose.chance(swarm.bad) {
                    false => deployment.bring_up(&name, news),
                    true if choose.pick(2) == 0 => deployment.fail_endpoint(&name, news),
                    true => deployment.roll_back(&name, news),
                }
            }
            Step::Act => {
                let news = swarm.news(choose);
                *more = self.people.act(deployment, choose, news);
            }
            Step::Tend => {
                let news = swarm.news(choose);
                self.people.tend(deployment, news);
            }
            Step::Advance => {
                let next = deployment.next_time();
                deployment.advance(next);
            }
        }
    }

    /// Everything that can happen happens, and nothing fails, until only time is left; what people
    /// have not done yet they do now.
    fn calm(&mut self, swarm: Option<&Swarm>, more: &mut bool) -> Holds {
        let mut redriven = 0;
        for _ in 0..CALM_STEPS_MAX {
            let deployment = &mut self.deployment;
            if let Some(task) = deployment.tasks().first().copied() {
                deployment.resume(task, Verdict::Pass);
            } else if let Some(id) = deployment.ready().first().copied() {
                deployment.start(id);
            } else if let Some(job) = deployment.running().first() {
                let news = swarm.map_or(News::Told, |swarm| swarm.news(self.choose));
                deployment.end_job(job, JobEnd::Well(self.choose.pick(4)), news);
            } else if let Some(name) = deployment.coming_up().first() {
                let news = swarm.map_or(News::Told, |swarm| swarm.news(self.choose));
                deployment.bring_up(name, news);
            } else if self.people.tend(deployment, News::Told) {
                // They have done something.
            } else if *more {
                *more = self.people.act(deployment, self.choose, News::Told);
            } else if redriven < 2 && !deployment.dead().is_empty() {
                redriven += 1;
                for id in deployment.dead().keys().copied().collect::<Vec<_>>() {
                    deployment.redrive(id);
                }
            } else {
                return Ok(());
            }
            self.checker.look(&self.deployment)?;
        }
        hold(when(false), invariant::ENDS, || format!("after {CALM_STEPS_MAX} calm steps something goes on"))
    }
}

/// A dead letter that a person has to answer otherwise: an object under no pipeline's name.
fn is_expected(letter: &crate::delivery::DeadLetter) -> bool {
    letter.is_rejected && letter.reason.contains("there is no pipeline")
}

fn verdict(swarm: &Swarm, choose: &mut dyn Choose, call: &Call) -> Verdict {
    if choose.chance(swarm.lose) {
        return Verdict::Lose;
    }
    if call.moment == Moment::Before && choose.chance(swarm.throttle) {
        if call.entries > 0 && choose.pick(2) == 0 {
            return Verdict::Refuse(choose.pick(1 << call.entries.min(10)) as u32);
        }
        return Verdict::Throttle;
    }
    Verdict::Pass
}
