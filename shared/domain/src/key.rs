//! Where rows stand in the table: a partition for each pipeline, and sorted keys within.

use serde::{Deserialize, Serialize};

use crate::PipelineName;

/// A row's place: partition and sort key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Rows of one partition can be listed in order.
    pub partition: String,
    /// Place within the partition.
    pub sort: String,
}

/// What a sort key begins with: the row's type.
pub mod prefix {
    /// The pipeline as applied; one row. The name alone is the key.
    pub const PIPELINE: &str = "pipeline";
    /// Numbers given out so far; one row.
    pub const COUNTS: &str = "counts";
    /// The chain's head; one row, written by the adapter alone.
    pub const HEAD: &str = "head";
    /// Sealed events, written by the adapter alone.
    pub const EVENT: &str = "event/";
    /// Marks of what was handled, written by the adapter alone; they expire.
    pub const HANDLED: &str = "handled/";
    /// Things that wait; each belongs to one function.
    pub const WAITING: &str = "waiting/";
    /// Who asked to upload what, before the bytes arrived.
    pub const TICKET: &str = "ticket/";
    /// How far a function has come.
    pub const CURSOR: &str = "cursor/";
    /// Uploads with their fate.
    pub const UPLOAD: &str = "upload/";
    /// Accepted parts.
    pub const PART: &str = "part/";
    /// Content that became a part, by the part's digest.
    pub const ACCEPTED: &str = "accepted/";
    /// Runs.
    pub const RUN: &str = "run/";
    /// Model versions.
    pub const MODEL: &str = "model/";
    /// Endpoints.
    pub const ENDPOINT: &str = "endpoint/";
    /// Deployments.
    pub const DEPLOYMENT: &str = "deployment/";
    /// Labels that arrived.
    pub const LABELS: &str = "labels/";
    /// Drift checks.
    pub const CHECK: &str = "check/";
}

/// Rows that are working state, not facts: they may change without an event and no event
/// vouches for them. Every other row is a fact, and changes only with an event.
const WORKING: [&str; 6] =
    [prefix::HEAD, prefix::EVENT, prefix::HANDLED, prefix::WAITING, prefix::TICKET, prefix::CURSOR];

impl Key {
    /// The partition that lists all pipelines.
    pub const PIPELINES: &str = "pipelines";

    /// A row of a pipeline.
    pub fn of(pipeline: &PipelineName, sort: impl Into<String>) -> Key {
        Key { partition: Key::partition(pipeline), sort: sort.into() }
    }

    /// A pipeline's partition.
    pub fn partition(pipeline: &PipelineName) -> String {
        format!("pipeline/{pipeline}")
    }

    /// The row that lists a pipeline among all.
    pub fn listed(pipeline: &PipelineName) -> Key {
        Key { partition: Key::PIPELINES.into(), sort: pipeline.to_string() }
    }

    /// The row that says whose an endpoint's name is, among all pipelines.
    pub fn claimed(endpoint: &PipelineName) -> Key {
        Key { partition: Key::PIPELINES.into(), sort: format!("{}{endpoint}", prefix::ENDPOINT) }
    }

    /// A numbered row: numbers sort as they count.
    pub fn numbered(pipeline: &PipelineName, prefix: &str, number: u64) -> Key {
        Key::of(pipeline, format!("{prefix}{number:09}"))
    }

    /// A row named by an id.
    pub fn named(pipeline: &PipelineName, prefix: &str, id: &str) -> Key {
        Key::of(pipeline, format!("{prefix}{id}"))
    }

    /// Something that waits for a function.
    pub fn waiting(pipeline: &PipelineName, function: &str, id: &str) -> Key {
        Key::of(pipeline, format!("{}{function}/{id}", prefix::WAITING))
    }

    /// Whether the row is a fact, that is: changes only with an event that vouches for it.
    pub fn is_fact(&self) -> bool {
        self.partition != Key::PIPELINES && !WORKING.iter().any(|working| self.sort.starts_with(working))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_rows_are_not_facts() {
        let name: PipelineName = "taxi".parse().unwrap();
        for sort in ["head", "event/000000001", "handled/x", "waiting/train/1", "ticket/u", "cursor/drift"] {
            assert!(!Key::of(&name, sort).is_fact(), "{sort}");
        }
        for sort in ["pipeline", "counts", "part/000000001", "run/a", "model/000000001", "endpoint/taxi"] {
            assert!(Key::of(&name, sort).is_fact(), "{sort}");
        }
        assert!(!Key::listed(&name).is_fact());
    }
}
