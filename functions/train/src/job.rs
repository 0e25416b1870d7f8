//! Which job makes a run's model.

use std::collections::BTreeMap;

use domain::budget::JobSeconds;
use domain::pipeline::{ProblemType, Program};
use domain::row::{Applied, Prepared, Tuned};
use domain::tuning::{Tuning, text_of};
use domain::{BlobPath, PipelineName, limit};
use ports::{JobSpec, ProgramSpec, Work};

/// What tells a training's job name from others: `<pipeline>-train-<run>`.
pub(crate) const PURPOSE: &str = "-train-";

/// What a search's job name begins with: `tune-<run>`. SageMaker gives it 32 characters, too few
/// for a pipeline's name as well.
pub(crate) const SEARCH: &str = "tune-";

/// Where a run's model goes.
pub(crate) fn artifact(pipeline: &PipelineName, run: &str) -> BlobPath {
    BlobPath::run(pipeline, run, "model.tar.gz")
}

/// Where the record of a run's search goes.
pub(crate) fn trials(pipeline: &PipelineName, run: &str) -> BlobPath {
    BlobPath::run(pipeline, run, Tuned::FILE)
}

/// What is to be done for a run: a function of what was frozen for it, so that a job started again
/// is the same job.
pub(crate) fn of(pipeline: &PipelineName, run: &str, applied: &Applied, prepared: &Prepared) -> JobSpec {
    let training = &applied.spec.training;
    let channels = prepared.channels.iter().map(|(name, file)| (name.clone(), file.path.clone())).collect();
    let (hyperparameters, artifact) = (hyperparameters(applied), artifact(pipeline, run));
    let program = ProgramSpec::of(&training.program, &applied.program);
    let trial_seconds = training.timeout_minutes * 60;
    let Some(tuning) = &training.tuning else {
        return JobSpec {
            name: format!("{pipeline}{PURPOSE}{run}"),
            program,
            work: Work::Train { hyperparameters, channels, artifact },
            timeout_seconds: trial_seconds,
        };
    };
    JobSpec {
        name: format!("{SEARCH}{run}"),
        program,
        work: Work::Tune {
            tuning: Box::new(tuning.clone()),
            hyperparameters,
            channels,
            artifact,
            trials: trials(pipeline, run),
            trial_seconds,
        },
        timeout_seconds: search_seconds(tuning, trial_seconds),
    }
}

/// The longest that a search may take. Without a limit of its own that is as long as all its
/// trials, one by one.
fn search_seconds(tuning: &Tuning, trial_seconds: u64) -> u64 {
    let trials = u64::from(tuning.limits.max_trials.unwrap_or(limit::TRIALS_MAX));
    let most = (trials * trial_seconds).min(*limit::SEARCH_SECONDS.end());
    tuning.limits.max_runtime_seconds.unwrap_or(most)
}

/// The most that the jobs of a run may take before they are stopped: of its training or of every
/// trial that its search may run at once, and of the predictions: by candidate and champion, and of
/// shuffled rows where importances are measured.
pub(crate) fn reserved(applied: &Applied) -> JobSeconds {
    let training = &applied.spec.training;
    let seconds = training.timeout_minutes * 60;
    let training = match &training.tuning {
        None => seconds,
        Some(tuning) => search_seconds(tuning, seconds) * u64::from(tuning.limits.max_parallel),
    };
    let predictions = 2 + u64::from(applied.spec.evaluation.importances);
    JobSeconds { training, prediction: predictions * seconds }
}

/// The declared hyperparameters as text. Boost is also told the type of the problem, which it could
/// only guess from the target's kind; another program gets exactly what was declared.
fn hyperparameters(applied: &Applied) -> BTreeMap<String, String> {
    let declared = applied.spec.training.hyperparameters.iter();
    let mut hyperparameters: BTreeMap<String, String> =
        declared.map(|(name, value)| (name.clone(), text_of(value))).collect();
    if applied.spec.training.program == Program::Boost {
        let problem = match applied.spec.problem {
            ProblemType::Regression => "regression",
            ProblemType::Binary => "binary",
            ProblemType::Multiclass => "multiclass",
        };
        hyperparameters.insert("problem".to_owned(), problem.to_owned());
    }
    hyperparameters
}
