//! Why a request to a running Millrace came to nothing.

use std::fmt;

use domain::Problem;
use serde::Deserialize;

/// What went wrong, for the person who asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing on this machine could be asked, or what is here to be sent cannot be.
    Here(String),
    /// Nobody answered, or the answer broke off.
    Unreachable(String),
    /// The server understood and said no.
    Refused(Refusal),
    /// The answer is not one that this command knows.
    Unreadable(String),
    /// What was waited for did not come in the time given.
    Overdue(String),
}

/// The server's no.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Why, in one sentence.
    pub(crate) message: String,
    /// Every fault of what was sent, where that is why.
    pub(crate) problems: Vec<Problem>,
}

/// An error as Millrace writes it, and as SageMaker's runtime does.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(alias = "message", alias = "Message")]
    error: String,
    problems: Vec<Problem>,
}

impl Refusal {
    /// The refusal that an answer tells.
    pub(crate) fn read(status: u16, body: &[u8]) -> Refusal {
        let Written { error, problems } = serde_json::from_slice(body).unwrap_or_default();
        let message = match error.is_empty() {
            false => error,
            true => {
                let text = String::from_utf8_lossy(body);
                let text = engine::text::cut(text.trim(), 200).into_owned();
                format!("the server answered with status {status}: {text}")
            }
        };
        Refusal { status, message, problems }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.problems.split_first() else { return f.write_str(&self.message) };
        write!(f, "{first}")?;
        for problem in others {
            write!(f, "\n       {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Here(why)
            | Failure::Unreachable(why)
            | Failure::Unreadable(why)
            | Failure::Overdue(why) => f.write_str(why),
            Failure::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Failure::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_of_a_refusal_is_told_as_a_problem_tells_itself() {
        let body = r#"{"error": "a.yaml: x (and 1 more)", "problems": [
            {"file": "a.yaml", "line": 3, "position": 5, "field": "split.test", "rule": "out of range", "found": "2", "expected": "a share"},
            {"file": "a.yaml", "rule": "unknown column"}]}"#;
        let refusal = Refusal::read(422, body.as_bytes());
        assert_eq!(
            Failure::Refused(refusal).to_string(),
            "a.yaml:3:5: split.test: out of range: found 2, expected a share\n       a.yaml: unknown column"
        );
    }

    #[test]
    fn a_refusal_says_what_the_server_said_in_whatever_form() {
        for (body, told) in [
            (r#"{"error": "no"}"#, "no"),
            (r#"{"Message": "no endpoint", "OriginalStatusCode": 400}"#, "no endpoint"),
            ("<h1>Bad</h1>\n", "the server answered with status 400: <h1>Bad</h1>"),
            ("", "the server answered with status 400: "),
            ("[1]", "the server answered with status 400: [1]"),
        ] {
            assert_eq!(Refusal::read(400, body.as_bytes()).to_string(), told);
        }
    }
}
