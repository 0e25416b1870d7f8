//! What a model must answer before it may serve: golden requests with their recorded answers.

use domain::row::Model;
use engine::answer;
use ports::{Blobs, BlobsExt, Endpoints, Fault};
use tracing::error;

use crate::decide;

/// A golden file is [`domain::limit::GOLDEN_ROWS`] rows; more bytes than this are not one.
const GOLDEN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Requests and the answers they must get.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// CSV without header, as an endpoint is asked.
    pub request: String,
    /// The recorded answers, one list a row.
    pub answers: Vec<Vec<f64>>,
}

impl Golden {
    /// Reads a golden file: serving columns, then the answer as the last field, quoted where it
    /// has several numbers.
    pub fn read(text: &str) -> Result<Golden, String> {
        let mut golden = Golden { request: String::new(), answers: Vec::new() };
        for record in records(text) {
            let at = |problem: String| format!("golden request {}: {problem}", golden.answers.len() + 1);
            let (row, recorded) = split(record).ok_or_else(|| at("no answer is recorded".into()))?;
            golden.answers.push(answer::line(recorded).map_err(at)?);
            golden.request.push_str(row);
            golden.request.push('\n');
        }
        Ok(golden)
    }
}

/// A record's serving columns and its last field.
fn split(record: &str) -> Option<(&str, &str)> {
    let Some(open) = record.strip_suffix('"') else {
        return record.rsplit_once(',');
    };
    // The answer holds numbers only, so the quote before the last one opens it.
    let (before, answer) = open.rsplit_once('"')?;
    Some((before.strip_suffix(',')?, answer))
}

/// The records of a CSV text: a line end within quotes does not end one.
fn records(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == '\n' && !quoted
    })
    .map(|record| record.strip_suffix('\r').unwrap_or(record))
    .filter(|record| !record.is_empty())
}

/// Asks an endpoint the golden requests of a version: how many it answered right, or what it did
/// not. The outer fault is one of the ports.
pub async fn test(
    blobs: &dyn Blobs,
    endpoints: &dyn Endpoints,
    name: &str,
    model: &Model,
) -> Result<Result<u64, String>, Fault> {
    let bytes = blobs.small(&model.golden.path, GOLDEN_BYTES_MAX).await?;
    if domain::Digest::of(&bytes) != model.golden.digest {
        error!(invariant = "I-9", path = %model.golden.path, version = model.version, "golden requests are not the file that was registered");
        return Ok(Err(format!("{} is not the file that was registered", model.golden.path)));
    }
    let golden = match Golden::read(&String::from_utf8_lossy(&bytes)) {
        Ok(golden) if golden.answers.is_empty() => return Ok(Err("there are no golden requests".into())),
        Ok(golden) => golden,
        Err(problem) => return Ok(Err(problem)),
    };
    let reply = match endpoints.invoke(name, "text/csv", golden.request.into_bytes().into()).await {
        Ok(reply) => reply,
        Err(error) if error.may_pass() => return Err(Fault::Retry(error)),
        Err(error) => return Ok(Err(format!("the golden requests were not answered: {error}"))),
    };
    let text = String::from_utf8_lossy(&reply.body);
    if reply.status != 200 {
        let start: String = text.chars().take(200).collect();
        return Ok(Err(format!("the golden requests were answered with status {}: {start}", reply.status)));
    }
    Ok(answer::read(&text, golden.answers.len()).and_then(|found| decide::compare(&golden.answers, &found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_golden_file_is_requests_with_their_answers() {
        let golden =
            Golden::read("1,\"a, b\",12.5\r\n2,\"two\nlines\",-1e-3\n,\"x\",\"0.25,0.75\"\n").unwrap();
        assert_eq!(golden.request, "1,\"a, b\"\n2,\"two\nlines\"\n,\"x\"\n");
        assert_eq!(golden.answers, [vec![12.5], vec![-0.001], vec![0.25, 0.75]]);
    }

    #[test]
    fn a_golden_file_without_answers_is_refused() {
        assert_eq!(Golden::read("12\n").unwrap_err(), "golden request 1: no answer is recorded");
        assert_eq!(
            Golden::read("1,2\n1,x\n").unwrap_err(),
            "golden request 2: found \"x\", expected a finite number"
        );
    }
}
