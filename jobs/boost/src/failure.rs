//! Why did training or loading end without a result.

use std::path::Path;

use domain::Problem;

/// What went wrong, in words for whoever started the job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A file could not be read or written.
    #[error("{action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// What was given is wrong.
    #[error("{}", sentences(.0))]
    Input(Vec<Problem>),
    /// The learning library refused.
    #[error("{action}: {reason}")]
    Learning {
        /// What was tried.
        action: &'static str,
        /// Why not.
        reason: String,
    },
}

impl Failure {
    /// A closure for `map_err` on a file operation.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
        let path = path.display().to_string();
        move |source| Failure::File { action, path, source }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Input(vec![problem])
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Failure {
        Failure::Input(problems)
    }
}

fn sentences(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
