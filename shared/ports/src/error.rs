//! The one error of all ports: its kind says what the caller can do.

use std::fmt;

/// What a port answers.
pub type Result<T> = std::result::Result<T, Error>;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It is not there.
    NotFound,
    /// Something changed since it was read: read and decide again.
    Conflict,
    /// Too fast: the same call may succeed later.
    Throttled,
    /// No answer: the effect may have happened.
    Unavailable,
    /// Not allowed: no repeat will help.
    Denied,
    /// The call itself is wrong: no repeat will help.
    Invalid,
    /// Over a named limit: no repeat will help.
    TooLarge,
}

/// What was tried, on what, and why not.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    tried: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of a kind: `tried` says what was tried, on what, and why not.
    pub fn new(kind: ErrorKind, tried: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, tried: tried.into(), source: None }))
    }

    /// With what lay beneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed within minutes.
    pub fn may_pass(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Conflict | ErrorKind::Throttled | ErrorKind::Unavailable)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.tried)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}
