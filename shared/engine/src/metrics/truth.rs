//! What happened, what was predicted, and do the two fit together?

use domain::Problem;
use domain::pipeline::ProblemType;

use crate::table::Column;

/// What happened, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// Regression: the target.
    Numbers(Vec<f64>),
    /// Binary: whether the second class happened.
    Binary(Vec<bool>),
    /// Multiclass: the index of the class that happened.
    Classes {
        /// How many classes there are.
        count: usize,
        /// Each below `count`.
        values: Vec<usize>,
    },
}

/// What was predicted, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// Regression: the target.
    Numbers(Vec<f64>),
    /// Binary: the probability of the second class.
    Probabilities(Vec<f64>),
    /// Multiclass: a probability for each class, row after row.
    Distributions {
        /// How many classes there are.
        classes: usize,
        /// Rows × classes numbers.
        values: Vec<f64>,
    },
}

/// How far the probabilities of a row may be from a sum of one: single-precision models round.
const SUM_TOLERANCE: f64 = 1e-3;

impl Truth {
    /// Reads the truth from a column. `classes` are the class names in the model's order (two for
    /// a binary problem, none for regression). `file` is what errors name.
    pub fn of(
        file: &str,
        problem: ProblemType,
        column: &Column,
        classes: &[String],
    ) -> Result<Truth, Problem> {
        let missing = |row: usize| {
            Problem::new(file, "a target in every row").found(format!("no value in row {}", row + 1))
        };
        if problem == ProblemType::Regression {
            let numbers = (0..column.len()).map(|row| column.number(row).ok_or_else(|| missing(row)));
            return Ok(Truth::Numbers(numbers.collect::<Result<_, _>>()?));
        }
        let mut values = Vec::with_capacity(column.len());
        for row in 0..column.len() {
            let name = column.written(row).ok_or_else(|| missing(row))?;
            let place = classes.iter().position(|class| *class == name).ok_or_else(|| {
                Problem::new(file, "a known class")
                    .found(format!("{:?} in row {}", crate::text::cut(&name, 40), row + 1))
                    .expected(format!("one of {}", classes.join(", ")))
            })?;
            values.push(place);
        }
        if problem == ProblemType::Binary {
            return Ok(Truth::Binary(values.into_iter().map(|place| place == 1).collect()));
        }
        Ok(Truth::Classes { count: classes.len(), values })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match self {
            Truth::Numbers(values) => values.len(),
            Truth::Binary(values) => values.len(),
            Truth::Classes { values, .. } => values.len(),
        }
    }

    /// Which problem type it belongs to.
    pub fn problem(&self) -> ProblemType {
        match self {
            Truth::Numbers(_) => ProblemType::Regression,
            Truth::Binary(_) => ProblemType::Binary,
            Truth::Classes { .. } => ProblemType::Multiclass,
        }
    }

    /// All rows so many times, one round after another.
    #[must_use]
    pub fn repeated(&self, times: usize) -> Truth {
        match self {
            Truth::Numbers(values) => Truth::Numbers(values.repeat(times)),
            Truth::Binary(values) => Truth::Binary(values.repeat(times)),
            Truth::Classes { count, values } => {
                Truth::Classes { count: *count, values: values.repeat(times) }
            }
        }
    }

    /// Keeps the rows whose mark is set.
    #[must_use]
    pub fn filtered(&self, keep: &[bool]) -> Truth {
        match self {
            Truth::Numbers(values) => Truth::Numbers(picked(values, keep)),
            Truth::Binary(values) => Truth::Binary(picked(values, keep)),
            Truth::Classes { count, values } => {
                Truth::Classes { count: *count, values: picked(values, keep) }
            }
        }
    }
}

fn picked<T: Copy>(values: &[T], keep: &[bool]) -> Vec<T> {
    values.iter().zip(keep).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect()
}

impl Prediction {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match self {
            Prediction::Numbers(values) | Prediction::Probabilities(values) => values.len(),
            Prediction::Distributions { classes, values } => values.len() / (*classes).max(1),
        }
    }

    /// The model's answers as a column to watch for drift: the number, the probability, or the
    /// likeliest class by name.
    pub fn column(&self, class_names: &[String]) -> Column {
        match self {
            Prediction::Numbers(values) | Prediction::Probabilities(values) => {
                Column::Number(values.iter().copied().map(Some).collect())
            }
            Prediction::Distributions { classes, values } => {
                let name = |row: &[f64]| class_names.get(likeliest(row)).cloned();
                Column::Text(values.chunks(*classes).map(name).collect())
            }
        }
    }
}

/// The place of the largest probability; the first of equal ones.
pub fn likeliest(probabilities: &[f64]) -> usize {
    let mut best = 0;
    for (place, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = place;
        }
    }
    best
}

/// Refuses predictions that do not fit the truth: other type, other length, not a number, not a
/// probability.
pub(super) fn fit(file: &str, truth: &Truth, prediction: &Prediction) -> Result<(), Problem> {
    let alike = matches!(
        (truth, prediction),
        (Truth::Numbers(_), Prediction::Numbers(_))
            | (Truth::Binary(_), Prediction::Probabilities(_))
            | (Truth::Classes { .. }, Prediction::Distributions { .. })
    );
    if !alike {
        let expected = match truth {
            Truth::Numbers(_) => "one number a row",
            Truth::Binary(_) => "one probability a row",
            Truth::Classes { .. } => "a probability for each class",
        };
        return Err(Problem::new(file, "predictions of the problem's type").expected(expected));
    }
    if truth.rows() == 0 || truth.rows() != prediction.rows() {
        return Err(Problem::new(file, "a prediction for each row")
            .found(format!("{} predictions", prediction.rows()))
            .expected(format!("{}, at least one", truth.rows())));
    }
    match (truth, prediction) {
        (Truth::Numbers(truth), Prediction::Numbers(found)) => {
            finite(file, "a finite target", truth)?;
            finite(file, "a finite prediction", found)
        }
        (_, Prediction::Probabilities(found)) => probabilities(file, found, 1),
        (Truth::Classes { count, values }, Prediction::Distributions { classes, values: found }) => {
            let outside = values.iter().position(|class| class >= count);
            if count != classes || found.len() != values.len() * classes || outside.is_some() {
                return Err(Problem::new(file, "a probability for each class")
                    .found(format!("{classes} classes"))
                    .expected(format!("{count} classes")));
            }
            probabilities(file, found, *classes)?;
            for (row, shares) in found.chunks(*classes).enumerate() {
                let sum: f64 = shares.iter().sum();
                if (sum - 1.0).abs() > SUM_TOLERANCE {
                    return Err(Problem::new(file, "probabilities that sum to one")
                        .found(format!("{sum} in row {}", row + 1)));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn finite(file: &str, rule: &str, values: &[f64]) -> Result<(), Problem> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(row) => Err(Problem::new(file, rule).found(format!("{} in row {}", values[row], row + 1))),
    }
}

fn probabilities(file: &str, values: &[f64], classes: usize) -> Result<(), Problem> {
    match values.iter().position(|value| !(0.0..=1.0).contains(value)) {
        None => Ok(()),
        Some(place) => Err(Problem::new(file, "a probability")
            .found(format!("{} in row {}", values[place], place / classes + 1))
            .expected("0 to 1")),
    }
}
