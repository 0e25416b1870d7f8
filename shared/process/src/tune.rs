//! How does a search run: trials side by side under one supervisor, and the best one's model kept?
//!
//! Each trial has a directory of its own in `trials/`, by its number, and shares the channels.
//! The search itself, which is pure, is the crate `tuning`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::trial::{Trial, TrialState, Trials};
use tuning::{Asked, Metric, Tuner, Verdict};

use crate::archive::{Packed, pack};
use crate::bound::{LOOK, RECORD_PAUSE};
use crate::clock;
use crate::guard::Ended;
use crate::guarded::Guarded;
use crate::log::Lines;
use crate::place::{Place, Verb};
use crate::record::{at, read, remove, write};
use crate::spec::{Called, OUTPUT_LOG, Outcome, Search, TRIALS};
use crate::supervisor::{Working, failure};
use crate::train::ARTIFACT;

/// Where the trials have their directories.
const DIRECTORY: &str = "trials";

/// Runs the search to its end.
pub(crate) fn run(working: &Working<'_>, search: &Search) -> Result<Outcome, String> {
    let mut searching = Searching {
        working,
        search,
        metric: Metric::of(&search.tuning)?,
        tuner: Tuner::new(&search.tuning),
        running: Vec::new(),
        written: None,
    };
    working.place.create()?;
    loop {
        if let Some(outcome) = working.cut() {
            return searching.cut_short(outcome);
        }
        let asked = searching.begin()?;
        let changed = searching.look()?;
        if let (Asked::Done(reason), true) = (asked, searching.running.is_empty()) {
            return searching.end(&reason);
        }
        searching.record(changed)?;
        clock::pause(LOOK);
    }
}

struct Searching<'a> {
    working: &'a Working<'a>,
    search: &'a Search,
    metric: Metric,
    tuner: Tuner,
    running: Vec<Running>,
    written: Option<Instant>,
}

/// A trial whose program runs. Dropping it ends the program and all that it started.
struct Running {
    number: u32,
    directory: PathBuf,
    place: Place,
    program: Guarded,
    lines: Lines,
    begun: Instant,
}

/// What a look at the trials has shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changed {
    Nothing,
    /// A running trial printed its objective.
    Curve,
    /// A trial was begun or is over.
    Trial,
}

impl Searching<'_> {
    /// Begins trials as long as there is one to begin; answers why there is none.
    fn begin(&mut self) -> Result<Asked, String> {
        loop {
            match self.tuner.ask() {
                Asked::Begin(trial) => {
                    let running = self.start(&trial)?;
                    self.running.push(running);
                    self.record(Changed::Trial)?;
                }
                asked => return Ok(asked),
            }
        }
    }

    fn start(&self, trial: &Trial) -> Result<Running, String> {
        let Working { directory, job, launch, .. } = self.working;
        let directory = directory.join(DIRECTORY).join(trial.number.to_string());
        let place = Place::within(&directory);
        place.create()?;
        self.share(&place)?;
        let mut hyperparameters = self.search.hyperparameters.clone();
        hyperparameters.extend(trial.hyperparameters.clone());
        // SageMaker tells the trainings of a search what is searched for under this name.
        let metric = self.search.tuning.objective.metric.clone();
        hyperparameters.insert("_tuning_objective_metric".to_owned(), metric);
        place.write_config(&hyperparameters, &self.search.channels)?;
        let name = format!("{}-{:03}", job.name, trial.number);
        let mut environment = place.train_environment(&name, &hyperparameters, &self.search.channels);
        environment.extend(self.threads());
        let program = place.program(&job.program, &launch.boost, Verb::Train, environment);
        let log = directory.join(OUTPUT_LOG);
        let program = Guarded::start(&launch.supervise, &directory.join("guard"), program, &log)?;
        let lines = Lines::of(&log);
        Ok(Running { number: trial.number, directory, place, program, lines, begun: clock::now() })
    }

    /// Lays the search's channels and the program's files where a trial looks for them: the
    /// channels are there once, the files, beside which a program may write, are its own.
    fn share(&self, place: &Place) -> Result<(), String> {
        let data = place.data();
        fs::remove_dir(&data).map_err(at("replace", &data))?;
        std::os::unix::fs::symlink(self.working.place.data(), &data).map_err(at("link", &data))?;
        let Called::Command { files, .. } = &self.working.job.program else { return Ok(()) };
        for name in files.keys() {
            let file = place.code().join(name);
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent).map_err(at("create", parent))?;
            }
            fs::copy(self.working.place.code().join(name), &file).map_err(at("write", &file))?;
        }
        Ok(())
    }

    /// Trials that run at once share the cores.
    fn threads(&self) -> BTreeMap<String, String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / self.search.tuning.limits.max_parallel.max(1) as usize).max(1);
        ["SM_NUM_CPUS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"]
            .map(|name| (name.to_owned(), threads.to_string()))
            .into()
    }

    /// Looks at what every running trial printed, and whether it is over.
    fn look(&mut self) -> Result<Changed, String> {
        let mut changed = Changed::Nothing;
        for mut running in std::mem::take(&mut self.running) {
            // Whether it has ended is asked first: then everything that it printed is there.
            let ended = running.program.ended();
            let (told, verdict) = self.hear(&mut running, ended.is_some())?;
            if told && changed == Changed::Nothing {
                changed = Changed::Curve;
            }
            let late = running.begun.elapsed() >= Duration::from_secs(self.search.trial_seconds);
            let over = match (verdict, ended) {
                (Verdict::Stop(_), _) => {
                    running.program.kill();
                    Some(tuning::Ended::Well)
                }
                (Verdict::GoOn, Some(Ended::Exit(0))) => Some(packed(&running)),
                (Verdict::GoOn, Some(ended)) => {
                    let why = failure(&running.place, &running.directory, &ended);
                    Some(tuning::Ended::Badly(why))
                }
                (Verdict::GoOn, None) if late => {
                    running.program.kill();
                    let why = format!("ran longer than its {} seconds", self.search.trial_seconds);
                    Some(tuning::Ended::Badly(why))
                }
                (Verdict::GoOn, None) => None,
            };
            match over {
                Some(over) => {
                    self.finish(&running, over)?;
                    changed = Changed::Trial;
                }
                None => self.running.push(running),
            }
        }
        Ok(changed)
    }

    /// Tells the search what a trial printed; answers whether that was anything.
    fn hear(&mut self, running: &mut Running, is_over: bool) -> Result<(bool, Verdict), String> {
        let mut told = false;
        for line in running.lines.more(is_over).map_err(at("read", &running.directory))? {
            let Some(reading) = self.metric.read(&line) else { continue };
            told = true;
            let verdict = self.tuner.tell(running.number, reading.resource, reading.value);
            if verdict != Verdict::GoOn {
                return Ok((told, verdict));
            }
        }
        Ok((told, Verdict::GoOn))
    }

    /// A trial is over: its model becomes the search's if it is the best so far.
    fn finish(&mut self, running: &Running, ended: tuning::Ended) -> Result<(), String> {
        self.tuner.finish(running.number, ended, running.begun.elapsed().as_secs());
        let model = running.directory.join(ARTIFACT);
        if self.tuner.record().best().is_some_and(|best| best.number == running.number) {
            let artifact = self.working.directory.join(ARTIFACT);
            fs::rename(&model, &artifact).map_err(at("write", &artifact))?;
        }
        clear(&running.directory)
    }

    /// Somebody stopped the search, or its time is over. What was found by then counts.
    fn cut_short(mut self, outcome: Outcome) -> Result<Outcome, String> {
        let reason = match &outcome {
            Outcome::Stopped(reason) | Outcome::Failed(reason) => reason.clone(),
            Outcome::Completed => String::new(),
        };
        for running in std::mem::take(&mut self.running) {
            running.program.kill();
            self.finish(&running, tuning::Ended::Short(reason.clone()))?;
        }
        self.tuner.end(&reason);
        self.record(Changed::Trial)?;
        let is_found = self.tuner.record().best().is_some();
        let was_asked = outcome == Outcome::asked_to_stop();
        // The limit on its time is a way to say when it is enough.
        Ok(if is_found && !was_asked { Outcome::Completed } else { outcome })
    }

    fn end(&mut self, reason: &str) -> Result<Outcome, String> {
        self.record(Changed::Trial)?;
        let record = self.tuner.record();
        if record.best().is_some() {
            return Ok(Outcome::Completed);
        }
        let first = record.trials.iter().find_map(|trial| Some((trial.number, trial.state.reason()?)));
        let why = first.map(|(number, why)| format!("; trial {number}: {why}")).unwrap_or_default();
        Ok(Outcome::failed(format!("no trial made a model: {reason}{why}")))
    }

    /// Writes down the trials: at once when there is another or one is over, else now and then.
    fn record(&mut self, changed: Changed) -> Result<(), String> {
        let is_due = self.written.is_none_or(|written| written.elapsed() >= RECORD_PAUSE);
        if changed == Changed::Trial || (changed == Changed::Curve && is_due) {
            write(&self.working.directory.join(TRIALS), &self.tuner.record())?;
            self.written = Some(clock::now());
        }
        Ok(())
    }
}

/// Packs a trial's model beside it.
fn packed(running: &Running) -> tuning::Ended {
    match pack(&running.place.model(), &running.directory.join(ARTIFACT)) {
        Ok(Packed::Files(_)) => tuning::Ended::Well,
        Ok(Packed::Nothing) => tuning::Ended::Badly("the program ended well but wrote no model".into()),
        Err(reason) => tuning::Ended::Badly(reason),
    }
}

/// Removes what a trial worked with; what it printed stays.
fn clear(trial: &Path) -> Result<(), String> {
    for leftover in ["base", "guard", ARTIFACT] {
        remove(&trial.join(leftover))?;
    }
    Ok(())
}

/// Brings the record of a search that is over to its end, whoever ended it and when.
pub(crate) fn conclude(directory: &Path, search: &Search, outcome: &Outcome) -> Result<(), String> {
    let reason = match outcome {
        Outcome::Completed => "its supervisor ended",
        Outcome::Failed(reason) | Outcome::Stopped(reason) => reason,
    };
    let path = directory.join(TRIALS);
    let mut record: Trials = match read(&path)? {
        Some(record) => record,
        None => Tuner::new(&search.tuning).record(),
    };
    for trial in record.trials.iter_mut().filter(|trial| trial.state == TrialState::Running) {
        trial.state = TrialState::Stopped { reason: reason.to_owned() };
        clear(&directory.join(DIRECTORY).join(trial.number.to_string()))?;
    }
    record.ended.get_or_insert_with(|| reason.to_owned());
    write(&path, &record)
}
