//! How a handling that did not succeed is answered to Lambda, and logged once.

use lambda_runtime::Diagnostic;
use ports::Fault;
use tracing::{error, warn};

/// A handling that did not succeed: a stable name for alarms, and what a person reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: &'static str,
    pub(crate) why: String,
}

impl Failure {
    /// Of an event that cannot be understood.
    pub(crate) fn malformed(why: &str) -> Failure {
        Failure { kind: "Malformed", why: format!("decode the event: {why}") }
    }

    /// Of a handling that the function's time does not suffice for.
    pub(crate) fn late() -> Failure {
        Failure { kind: "Deadline", why: "handle the event: the function's time is over".to_owned() }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        let kind = match fault {
            Fault::Retry(_) => "Retry",
            Fault::Reject(_) => "Reject",
        };
        Failure { kind, why: fault.to_string() }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Diagnostic {
        Diagnostic { error_type: failure.kind.into(), error_message: failure.why }
    }
}

/// Logs a failure, which is then answered. What is delivered again is a warning only.
pub(crate) fn told(function: &str, request: &str, failure: Failure) -> Failure {
    let Failure { kind, why } = &failure;
    match *kind {
        "Retry" => warn!(function, request, fault = kind, "{why}"),
        _ => error!(function, request, fault = kind, "{why}"),
    }
    failure
}
