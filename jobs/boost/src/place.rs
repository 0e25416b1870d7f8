//! Where do things stand under the base directory that SageMaker prescribes.

use std::path::{Path, PathBuf};

/// SageMaker's directory, `/opt/ml` in a container.
#[derive(Clone, Debug)]
pub struct Place {
    base: PathBuf,
}

impl Place {
    /// The base directory of every container.
    pub const CONTAINER: &str = "/opt/ml";

    /// A place under another base directory.
    pub fn at(base: impl Into<PathBuf>) -> Place {
        Place { base: base.into() }
    }

    /// The hyperparameters: an object of texts.
    pub fn hyperparameters(&self) -> PathBuf {
        self.base.join("input/config/hyperparameters.json")
    }

    /// What the channels hold.
    pub fn input_data_config(&self) -> PathBuf {
        self.base.join("input/config/inputdataconfig.json")
    }

    /// A channel's directory.
    pub fn channel(&self, name: &str) -> PathBuf {
        self.base.join("input/data").join(name)
    }

    /// Where the model is written and read.
    pub fn model(&self) -> PathBuf {
        self.base.join("model")
    }

    /// Where figures beside the model are written.
    pub fn data(&self) -> PathBuf {
        self.base.join("output/data")
    }

    /// Where the reason of a failure is written.
    pub fn failure(&self) -> PathBuf {
        self.base.join("output/failure")
    }

    /// The base directory.
    pub fn base(&self) -> &Path {
        &self.base
    }
}
