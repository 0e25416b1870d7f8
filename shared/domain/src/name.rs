//! Names that people give, checked once at the edge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limit;

/// The name of a pipeline: lower-case letters, digits and single hyphens, starting with a
/// letter, at most [`limit::PIPELINE_NAME_MAX`] long, so that it fits in the names of
/// SageMaker's jobs and in a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipelineName(String);

impl PipelineName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PipelineName {
    type Err = String;

    fn from_str(text: &str) -> Result<PipelineName, String> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let well_formed = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(letters)
            && !text.contains("--")
            && !text.ends_with('-');
        if !well_formed || text.len() > limit::PIPELINE_NAME_MAX {
            return Err(format!(
                "expected lower-case letters, digits and single hyphens, starting with a letter, at most {} long; found {text:?}",
                limit::PIPELINE_NAME_MAX
            ));
        }
        Ok(PipelineName(text.to_owned()))
    }
}

impl fmt::Display for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for PipelineName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PipelineName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PipelineName, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_fit_everywhere_are_names() {
        assert!("home-insurance".parse::<PipelineName>().is_ok());
        for text in ["", "Home", "1home", "a--b", "a-", "../x", "a/b", "é", &"a".repeat(33)] {
            assert!(text.parse::<PipelineName>().is_err(), "{text}");
        }
    }
}
