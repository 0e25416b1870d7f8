//! What a running Millrace can be asked, with typed answers.

use std::path::Path;

use domain::row;
use domain::{Digest, Envelope, PipelineName, Time};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Client, Content, Failure, encode};

/// Events of one page.
const PAGE: u64 = 500;

/// A place for an upload's bytes.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ticket {
    /// The upload's id.
    pub(crate) upload: String,
    /// Where the bytes go.
    pub(crate) path: String,
}

/// What is uploaded.
#[derive(Clone, Copy)]
pub(crate) struct Upload<'a> {
    /// The file's name, without a folder.
    pub(crate) name: &'a str,
    /// The business time of its rows; the time of its arrival where none is given.
    pub(crate) as_of: Option<Time>,
    /// Its bytes.
    pub(crate) content: Content<'a>,
}

/// An event as the console lists it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recorded {
    /// In one line.
    pub(crate) line: String,
    /// The event.
    pub(crate) envelope: Envelope,
}

/// A request for predictions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invocation<'a> {
    /// Of the body: `text/csv` or `application/json`.
    pub(crate) content_type: &'a str,
    /// By which labels will find it; minted by the server where none is given.
    pub(crate) inference_id: Option<&'a str>,
    /// Rows to predict.
    pub(crate) body: &'a [u8],
}

/// An endpoint's answer.
#[derive(Clone, Debug)]
pub(crate) struct Prediction {
    /// Of the body.
    pub(crate) content_type: String,
    /// By which labels will find it.
    pub(crate) inference_id: Option<String>,
    /// One line or item for each row.
    pub(crate) body: Vec<u8>,
}

/// The items of a listing.
pub(crate) fn items<T: DeserializeOwned>(listing: &Value) -> Result<Vec<T>, Failure> {
    typed(listing.get("items").unwrap_or(&Value::Null))
}

fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value)
        .map_err(|error| Failure::Unreadable(format!("the server's answer is not of this version: {error}")))
}

impl Client {
    /// The path of something in a pipeline: `at(&taxi, "models/3/approve")`.
    pub(crate) fn at(pipeline: &PipelineName, rest: &str) -> String {
        match rest {
            "" => format!("/api/pipelines/{pipeline}"),
            rest => format!("/api/pipelines/{pipeline}/{rest}"),
        }
    }

    /// One row of a pipeline by number or id, among its uploads, parts, runs, models, checks,
    /// endpoints, deployments or labels.
    pub(crate) fn row<T: DeserializeOwned>(
        &self,
        pipeline: &PipelineName,
        collection: &str,
        id: &str,
    ) -> Result<T, Failure> {
        typed(&self.get(&Client::at(pipeline, &format!("{collection}/{}", encode::segment(id))))?)
    }

    /// Some events after a place in the ledger, in order; none where there are no later ones.
    pub(crate) fn events(&self, pipeline: &PipelineName, after: u64) -> Result<Vec<Recorded>, Failure> {
        items(&self.event_page(pipeline, after, PAGE)?)
    }

    /// The same, as the server writes it.
    pub(crate) fn event_page(
        &self,
        pipeline: &PipelineName,
        after: u64,
        limit: u64,
    ) -> Result<Value, Failure> {
        self.get(&Client::at(pipeline, &format!("events?after={after}&limit={limit}")))
    }

    /// The place of the last event, 0 where there is none. Found by halving, since places have
    /// no gaps: some twenty small requests for a million events.
    pub(crate) fn last_event(&self, pipeline: &PipelineName) -> Result<u64, Failure> {
        last_place(|after| {
            let page = self.event_page(pipeline, after, 1)?;
            Ok(!items::<Value>(&page)?.is_empty())
        })
    }

    /// Uploads a file. Safe to repeat: the same bytes are accepted once.
    pub(crate) fn upload(&self, pipeline: &PipelineName, upload: Upload<'_>) -> Result<Ticket, Failure> {
        let asked = json!({ "file": upload.name, "as_of": upload.as_of });
        let ticket: Ticket = typed(&self.post(&Client::at(pipeline, "uploads"), &asked)?)?;
        self.put(&format!("/incoming/{}", encode::path(&ticket.path)), upload.content)?;
        Ok(ticket)
    }

    /// Uploads bytes under a name.
    pub(crate) fn upload_bytes(
        &self,
        pipeline: &PipelineName,
        name: &str,
        bytes: &[u8],
        as_of: Option<Time>,
    ) -> Result<Ticket, Failure> {
        self.upload(pipeline, Upload { name, as_of, content: Content::Bytes(bytes) })
    }

    /// Declares a pipeline: its text and its contract's, with their names for messages
    /// (`pipeline_file`, `pipeline`, `contract_file`, `contract`), and its program's `files` in base64.
    pub(crate) fn apply(&self, application: &Value) -> Result<Value, Failure> {
        self.post("/api/pipelines", application)
    }

    /// Asks for a run.
    pub(crate) fn train(&self, pipeline: &PipelineName, reason: &str) -> Result<Value, Failure> {
        self.post(&Client::at(pipeline, "runs"), &json!({ "reason": reason }))
    }

    /// Lets a version into production; `binding` says to exactly which bytes.
    pub(crate) fn approve(
        &self,
        pipeline: &PipelineName,
        version: u32,
        reason: &str,
        binding: Option<Digest>,
    ) -> Result<Value, Failure> {
        let said = json!({ "reason": reason, "binding": binding });
        self.post(&Client::at(pipeline, &format!("models/{version}/approve")), &said)
    }

    /// Turns a version down.
    pub(crate) fn reject(
        &self,
        pipeline: &PipelineName,
        version: u32,
        reason: &str,
    ) -> Result<Value, Failure> {
        self.post(&Client::at(pipeline, &format!("models/{version}/reject")), &json!({ "reason": reason }))
    }

    /// Asks for an approved version to serve again: the one before, where none is named.
    pub(crate) fn roll_back(
        &self,
        pipeline: &PipelineName,
        version: Option<u32>,
        reason: &str,
    ) -> Result<Value, Failure> {
        let said = json!({ "reason": reason, "version": version });
        self.post(&Client::at(pipeline, "rollback"), &said)
    }

    /// Lets the runs that are held go over their budget.
    pub(crate) fn lift(&self, pipeline: &PipelineName, reason: &str) -> Result<Value, Failure> {
        self.post(&Client::at(pipeline, "budget"), &json!({ "reason": reason }))
    }

    /// Asks for a drift check now.
    pub(crate) fn check(&self, pipeline: &PipelineName) -> Result<Value, Failure> {
        self.post(&Client::at(pipeline, "drift"), &json!({}))
    }

    /// Sends the truth about earlier predictions: CSV with header `inference_id,label`.
    pub(crate) fn labels(&self, pipeline: &PipelineName, csv: &[u8]) -> Result<Value, Failure> {
        self.post_bytes(&Client::at(pipeline, "labels"), "text/csv", csv)
    }

    /// Asks an endpoint for predictions, once: a repeat would be counted as traffic.
    pub(crate) fn invoke(&self, endpoint: &str, asked: Invocation<'_>) -> Result<Prediction, Failure> {
        let mut headers = vec![("content-type", asked.content_type)];
        if let Some(id) = asked.inference_id {
            headers.push(("x-amzn-sagemaker-inference-id", id));
        }
        let path = format!("/endpoints/{}/invocations", encode::segment(endpoint));
        let answer = self.send_once(&path, &headers, asked.body)?;
        Ok(Prediction {
            content_type: answer.header("content-type").unwrap_or_default(),
            inference_id: answer.header("x-amzn-sagemaker-inference-id"),
            body: answer.body,
        })
    }

    /// A recorded file: a report, a manifest, an artifact.
    pub(crate) fn blob(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.bytes(&format!("/api/blobs/{}", encode::path(path)))
    }

    /// How the server itself is.
    pub(crate) fn runtime(&self) -> Result<Value, Failure> {
        self.get("/api/runtime")
    }

    /// Moves the clock of a virtual directory.
    pub(crate) fn set_clock(&self, now: Time) -> Result<Value, Failure> {
        self.post("/api/clock", &json!({ "now": now }))
    }

    /// Delivers what was put aside once more: one input, or all.
    pub(crate) fn redrive(&self, id: Option<&str>) -> Result<Value, Failure> {
        let path = match id {
            Some(id) => format!("/api/dead-letters/{}/redrive", encode::segment(id)),
            None => "/api/dead-letters/redrive".to_owned(),
        };
        self.post(&path, &json!({}))
    }

    /// What the judged upload became; none while that is not decided.
    pub(crate) fn fate(&self, pipeline: &PipelineName, upload: &str) -> Result<Option<row::Upload>, Failure> {
        match self.row(pipeline, "uploads", upload) {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.status() == Some(404) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

impl<'a> Upload<'a> {
    /// A file on this machine, under its own name. `sent` is told how many bytes have gone.
    pub(crate) fn of_file(
        path: &'a Path,
        as_of: Option<Time>,
        sent: &'a dyn Fn(u64),
    ) -> Result<Upload<'a>, Failure> {
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name) => Ok(Upload { name, as_of, content: Content::File { path, sent } }),
            None => Err(Failure::Here(format!("upload {}: it has no name that can be sent", path.display()))),
        }
    }
}

/// The last place of a chain without gaps, told only whether anything is after a place.
fn last_place(mut is_after: impl FnMut(u64) -> Result<bool, Failure>) -> Result<u64, Failure> {
    // Something is after `below` − 1 (or `below` is 0), nothing is after `above`.
    let (mut below, mut above) = (0, 0);
    let mut step = 1;
    while is_after(above)? {
        below = above + 1;
        above += step;
        step *= 2;
    }
    while below < above {
        let middle = below + (above - below) / 2;
        if is_after(middle)? {
            below = middle + 1;
        } else {
            above = middle;
        }
    }
    Ok(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_is_found_by_few_questions() {
        for last in [0, 1, 2, 3, 4, 7, 8, 9, 100, 1_000_000] {
            let mut asked = 0;
            let found = last_place(|after| {
                asked += 1;
                Ok(after < last)
            });
            assert_eq!(found.unwrap(), last);
            assert!(asked <= 42, "{last}: {asked}");
        }
    }

    #[test]
    fn a_listing_of_another_version_is_an_error_and_not_an_empty_list() {
        assert!(items::<Ticket>(&json!({})).is_err());
        assert!(items::<Ticket>(&json!({ "items": [{ "upload": 1 }] })).is_err());
        assert_eq!(items::<Ticket>(&json!({ "items": [] })).unwrap().len(), 0);
    }
}
