//! What a training leaves behind, and how a prediction is made from it.

use std::collections::BTreeMap;
use std::path::Path;

use domain::Problem;
use domain::pipeline::ProblemType;
use engine::features::Features;
use engine::table::Batch;
use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::failure::Failure;
use crate::trainer::{Matrix, Predictor, Trainer};

/// The version of `boost.json` written here; the only one read.
const VERSION: u32 = 1;

/// What `boost.json` holds: all that is beyond features and trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The version of this file.
    pub version: u32,
    /// What type of prediction.
    pub problem: ProblemType,
    /// What is predicted.
    pub target: String,
    /// The classes, in the order of their probabilities; empty for regression. In a binary
    /// problem the prediction is the probability of the second.
    pub classes: Vec<String>,
    /// The categories of each text feature, in the order of their numbers.
    pub categories: BTreeMap<String, Vec<String>>,
    /// How many rounds the model holds.
    pub rounds: usize,
    /// How many rows it was learned from.
    pub rows: usize,
}

impl Description {
    /// A description of this version.
    pub fn new(problem: ProblemType, target: &str, classes: Vec<String>, encoding: &Encoding) -> Description {
        Description {
            version: VERSION,
            problem,
            target: target.to_owned(),
            classes,
            categories: encoding.categories().clone(),
            rounds: 0,
            rows: 0,
        }
    }
}

/// A model that can predict.
#[derive(Debug)]
pub struct Artifact {
    features: Features,
    description: Description,
    encoding: Encoding,
    predictor: Box<dyn Predictor>,
}

/// Predictions row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// How many values a row has.
    pub width: usize,
    /// The values.
    pub values: Vec<f32>,
}

impl Artifact {
    /// Reads a model directory and checks that its files belong together.
    ///
    /// # Errors
    /// If a file is missing, unreadable, or does not fit the others.
    pub fn load(directory: &Path, trainer: &impl Trainer) -> Result<Artifact, Failure> {
        let read = |name: &str| {
            let path = directory.join(name);
            std::fs::read(&path).map_err(Failure::file("read", &path))
        };
        let features = Features::from_json(&read("features.json")?)?;
        let description: Description = serde_json::from_slice(&read("boost.json")?)
            .map_err(|fault| Problem::new("boost.json", "not a description of a model").found(fault))?;
        if description.version != VERSION {
            let problem =
                Problem::new("boost.json", "unknown version").found(description.version).expected(VERSION);
            return Err(problem.into());
        }
        let predictor = trainer.load(&read("model.json")?)?;
        let encoding = Encoding::of(description.categories.clone());
        let width =
            if description.problem == ProblemType::Multiclass { description.classes.len() } else { 1 };
        let fits = encoding.fits(features.schema())
            && predictor.features() == features.schema().fields.len()
            && predictor.width() == width;
        if !fits {
            let problem = Problem::new("model.json", "files of different models")
                .found(format!("{} features, {} outputs", predictor.features(), predictor.width()))
                .expected(format!("{} features, {width} outputs", features.schema().fields.len()));
            return Err(problem.into());
        }
        Ok(Artifact { features, description, encoding, predictor })
    }

    /// The features, whose inputs are what a request carries.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// What the model is.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Predicts rows of the serving columns.
    ///
    /// # Errors
    /// If the batch lacks a column that a feature reads.
    pub fn predict(&self, inputs: &Batch) -> Result<Predictions, Failure> {
        let matrix = self.encode(inputs)?;
        Ok(Predictions { width: self.predictor.width(), values: self.predictor.predict(&matrix.values)? })
    }

    /// The rows as the booster sees them, for whoever loads `model.json` elsewhere.
    ///
    /// # Errors
    /// If the batch lacks a column that a feature reads.
    pub fn encode(&self, inputs: &Batch) -> Result<Matrix, Failure> {
        Ok(self.encoding.encode(&self.features.apply(inputs)?))
    }
}
