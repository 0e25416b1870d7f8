//! What does a guess without a model know? The train rows' mean, or the shares of their classes.

use std::sync::Arc;

use domain::pipeline::ProblemType;
use domain::row::File;
use engine::csv::Header;
use engine::features::Target;
use engine::table::{Field, Kind, Schema};
use ports::Blobs;
use serde::{Deserialize, Serialize};

use crate::Stop;
use crate::read::Batches;

/// The train rows' target, without their columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Naive {
    /// Train rows.
    pub rows: u64,
    /// The mean of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The classes in the order of a model's answers, with their rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<(String, u64)>,
}

impl Naive {
    /// The classes in the order of a model's answers.
    pub fn names(&self) -> Vec<String> {
        self.classes.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Counts classes and puts them in the order of a model's answers.
#[derive(Debug)]
struct Counting {
    kind: Kind,
    rows: u64,
    sum: f64,
    classes: std::collections::BTreeMap<String, u64>,
}

impl Counting {
    fn push(&mut self, column: &engine::table::Column, problem: ProblemType) {
        for row in 0..column.len() {
            if problem == ProblemType::Regression {
                if let Some(number) = column.number(row).filter(|number| number.is_finite()) {
                    self.rows += 1;
                    self.sum += number;
                }
            } else if let Some(name) = column.written(row) {
                self.rows += 1;
                *self.classes.entry(name).or_default() += 1;
            }
        }
    }

    fn finish(self, problem: ProblemType) -> Result<Naive, String> {
        if self.rows == 0 {
            return Err("no train row has a target".into());
        }
        let mut classes: Vec<(String, u64)> = self.classes.into_iter().collect();
        if matches!(self.kind, Kind::Integer | Kind::Number) {
            let number = |name: &str| name.parse::<f64>().unwrap_or(f64::NAN);
            classes.sort_by(|a, b| number(&a.0).total_cmp(&number(&b.0)));
        }
        let mean = (problem == ProblemType::Regression).then(|| self.sum / self.rows as f64);
        match (problem, classes.len()) {
            (ProblemType::Binary, count) if count != 2 => {
                Err(format!("the target has {count} classes in the train rows, a binary problem has 2"))
            }
            (ProblemType::Multiclass, 0 | 1) => Err("the target has one class only in the train rows".into()),
            _ => Ok(Naive { rows: self.rows, mean, classes }),
        }
    }
}

/// Reads the target out of the train channel: CSV with a header.
pub(crate) async fn gather(
    blobs: &dyn Blobs,
    train: &File,
    target: &Target,
    problem: ProblemType,
) -> Result<Naive, Stop> {
    let field = Field { name: target.name.clone(), kind: target.kind };
    let schema = Arc::new(Schema { fields: vec![field] });
    let mut batches = Batches::new(blobs, train, schema, Header::Present);
    let mut counting = Counting { kind: target.kind, rows: 0, sum: 0.0, classes: Default::default() };
    while let Some(batch) = batches.next().await? {
        counting.push(&batch.columns()[0], problem);
    }
    counting.finish(problem).map_err(Stop::Reject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::table::Column;

    fn naive(column: &Column, problem: ProblemType) -> Result<Naive, String> {
        let mut counting = Counting { kind: column.kind(), rows: 0, sum: 0.0, classes: Default::default() };
        counting.push(column, problem);
        counting.finish(problem)
    }

    #[test]
    fn numbers_have_a_mean_and_classes_their_counts() {
        let numbers = Column::Number(vec![Some(1.0), None, Some(2.0), Some(6.0)]);
        assert_eq!(naive(&numbers, ProblemType::Regression).unwrap().mean, Some(3.0));
        let class = |name: &str, rows| (name.to_owned(), rows);
        let flags = Column::Boolean(vec![Some(true), Some(false), Some(true), None]);
        let found = naive(&flags, ProblemType::Binary).unwrap();
        assert_eq!((found.rows, found.classes), (3, vec![class("false", 1), class("true", 2)]));
        // Classes that are numbers are in the order of numbers, not of letters.
        let codes = Column::Integer(vec![Some(10), Some(2), Some(10), Some(-1)]);
        let found = naive(&codes, ProblemType::Multiclass).unwrap();
        assert_eq!(found.classes, [class("-1", 1), class("2", 1), class("10", 2)]);
    }

    #[test]
    fn a_target_that_does_not_fit_its_problem_is_named() {
        let text = |values: &[&str]| Column::Text(values.iter().map(|v| Some((*v).to_owned())).collect());
        for (column, problem, complaint) in [
            (text(&[]), ProblemType::Multiclass, "no train row has a target"),
            (
                text(&["a", "b", "c"]),
                ProblemType::Binary,
                "the target has 3 classes in the train rows, a binary problem has 2",
            ),
            (text(&["a"]), ProblemType::Multiclass, "the target has one class only in the train rows"),
        ] {
            assert_eq!(naive(&column, problem).unwrap_err(), complaint);
        }
    }
}
