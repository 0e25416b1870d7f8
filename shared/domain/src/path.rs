//! Where blobs stand: one naming scheme for the bucket on AWS and the directory on one machine.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, PipelineName, Time};

/// A `/`-separated path of a blob: relative, without `.` or `..`, without empty segments,
/// without control characters or backslashes, at most 1024 bytes (S3's limit of a key).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobPath(String);

impl BlobPath {
    /// Checks a path from outside.
    pub fn parse(text: &str) -> Result<BlobPath, String> {
        let segment_is_fine = |s: &str| {
            !s.is_empty()
                && s != "."
                && s != ".."
                && s.len() <= 240
                && !s.contains(|c: char| c.is_control() || c == '\\')
        };
        if text.len() > 1024 || !text.split('/').all(segment_is_fine) {
            return Err(format!(
                "expected a relative path of segments without '.', '..', backslash or control characters, found {text:?}"
            ));
        }
        Ok(BlobPath(text.to_owned()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    fn ours(text: String) -> BlobPath {
        BlobPath::parse(&text).expect("our own paths are well formed")
    }

    /// A file beside others of one upload's outcome: the part, its profile and reports.
    pub fn part(pipeline: &PipelineName, upload: &str, file: &str) -> BlobPath {
        BlobPath::ours(format!("parts/{pipeline}/{upload}/{file}"))
    }

    /// A file of one run.
    pub fn run(pipeline: &PipelineName, run: &str, file: &str) -> BlobPath {
        BlobPath::ours(format!("runs/{pipeline}/{run}/{file}"))
    }

    /// A prediction file: cached by what predicted and what was predicted.
    pub fn prediction(pipeline: &PipelineName, model: &Digest, data: &Digest) -> BlobPath {
        BlobPath::ours(format!("predictions/{pipeline}/{}-{}.csv", model.short(), data.short()))
    }

    /// A recorded configuration file, by its digest.
    pub fn config(pipeline: &PipelineName, digest: &Digest, file: &str) -> BlobPath {
        BlobPath::ours(format!("config/{pipeline}/{}/{file}", digest.short()))
    }

    /// A file of one drift check.
    pub fn check(pipeline: &PipelineName, check: &str, file: &str) -> BlobPath {
        BlobPath::ours(format!("checks/{pipeline}/{check}/{file}"))
    }

    /// Labels that arrived, by their digest.
    pub fn labels(pipeline: &PipelineName, digest: &Digest) -> BlobPath {
        BlobPath::ours(format!("labels/{pipeline}/{}.csv", digest.short()))
    }

    /// The prefix under which an endpoint's traffic of one hour is captured, as SageMaker lays
    /// it out: `{prefix}/{endpoint}/{variant}/yyyy/mm/dd/hh`.
    pub fn capture_hour(endpoint: &str, hour: Time) -> BlobPath {
        let text = hour.to_string();
        let (date, clock) = (&text[..10], &text[11..13]);
        BlobPath::ours(format!("capture/{endpoint}/AllTraffic/{}/{clock}", date.replace('-', "/")))
    }

    /// Where an upload lands in the incoming bucket: the business time is part of the key, so
    /// that a plain `aws s3 cp` can say it too.
    pub fn incoming(
        pipeline: &PipelineName,
        as_of: Option<Time>,
        upload: &str,
        file: &str,
    ) -> Result<BlobPath, String> {
        match as_of {
            Some(time) => BlobPath::parse(&format!("{pipeline}/as_of={time}/{upload}/{file}")),
            None => BlobPath::parse(&format!("{pipeline}/{upload}/{file}")),
        }
    }
}

impl fmt::Display for BlobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BlobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for BlobPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BlobPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BlobPath, D::Error> {
        BlobPath::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_root() {
        for text in ["", "/etc/passwd", "a/../b", "a//b", "a/", "./a", "a\\b", "a\nb", &"x".repeat(1025)] {
            assert!(BlobPath::parse(text).is_err(), "{text:?}");
        }
        for text in ["a", "a b/c+d%20/é.csv", "x/.hidden"] {
            assert_eq!(BlobPath::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn captures_stand_where_sagemaker_puts_them() {
        let hour = "2020-04-03T17:45:10Z".parse().unwrap();
        assert_eq!(BlobPath::capture_hour("taxi", hour).as_str(), "capture/taxi/AllTraffic/2020/04/03/17");
    }
}
