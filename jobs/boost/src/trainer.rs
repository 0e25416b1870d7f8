//! What does Boost ask of a learning library: learn from a matrix, and predict with what was
//! learned. The library is behind these two traits alone, so another can take its place.

use std::ops::ControlFlow;

use domain::pipeline::ProblemType;

use crate::failure::Failure;
use crate::hyperparameters::Hyperparameters;

/// Encoded rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Values row by row; NaN is missing, everything else is finite. A category is its number.
    pub values: Vec<f32>,
    /// How many rows.
    pub rows: usize,
    /// For each feature, whether its values are categories.
    pub categorical: Vec<bool>,
}

/// Rows with what is to be learned: a number, or the number of a class.
#[derive(Debug)]
pub struct Labelled {
    /// The rows.
    pub matrix: Matrix,
    /// A label for each row.
    pub labels: Vec<f32>,
}

/// One training.
#[derive(Debug)]
pub struct Task<'a> {
    /// What type of prediction.
    pub problem: ProblemType,
    /// How many classes; 0 for regression.
    pub classes: usize,
    /// The rows to learn from.
    pub train: &'a Labelled,
    /// The rows that say when to stop.
    pub validation: Option<&'a Labelled>,
    /// The settings.
    pub settings: &'a Hyperparameters,
}

/// The losses after one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// 1-based.
    pub number: usize,
    /// On the rows learned from.
    pub train: f64,
    /// On the validation rows.
    pub validation: Option<f64>,
}

/// What came of a training.
#[derive(Debug)]
pub struct Learned {
    /// The model as XGBoost's JSON, cut after its best round.
    pub document: Vec<u8>,
    /// How many rounds it holds.
    pub rounds: usize,
    /// For each feature, the loss its splits took away, as shares that sum to 1 (or all 0).
    pub importance: Vec<f64>,
}

/// Asked after each round whether to go on.
pub type OnRound<'a> = dyn FnMut(Round) -> ControlFlow<()> + Send + 'a;

/// Something that learns. The same task gives the same document on any number of threads.
pub trait Trainer {
    /// Learns. A break after a round ends the training with the rounds so far.
    ///
    /// # Errors
    /// If the library refuses the data or the settings.
    fn train(&self, task: &Task<'_>, on_round: &mut OnRound<'_>) -> Result<Learned, Failure>;

    /// Reads a document back.
    ///
    /// # Errors
    /// If it is not a model.
    fn load(&self, document: &[u8]) -> Result<Box<dyn Predictor>, Failure>;
}

/// Something that predicts. A row's prediction does not depend on the rows beside it.
pub trait Predictor: std::fmt::Debug + Send + Sync {
    /// How many features a row has.
    fn features(&self) -> usize;

    /// How many values a prediction has: 1, or one for each class.
    fn width(&self) -> usize;

    /// Predicts rows laid out as in [`Matrix::values`]: numbers or probabilities, row by row.
    ///
    /// # Errors
    /// If the values are not whole rows.
    fn predict(&self, values: &[f32]) -> Result<Vec<f32>, Failure>;
}

/// What the loss of a problem is called in objective lines.
pub fn loss_name(problem: ProblemType) -> &'static str {
    match problem {
        ProblemType::Regression => "rmse",
        ProblemType::Binary => "logloss",
        ProblemType::Multiclass => "mlogloss",
    }
}

/// The library in use.
pub fn standard() -> impl Trainer {
    crate::hess::Hess
}
