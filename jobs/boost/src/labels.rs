//! What is to be learned, as numbers: the target itself, or the number of its class.

use std::collections::BTreeSet;

use domain::Problem;
use domain::limit::CATEGORIES_MAX;
use domain::pipeline::ProblemType;
use engine::table::{Column, Kind};

/// The problem a target's kind suggests where none is named.
pub fn suggested(kind: Kind) -> ProblemType {
    match kind {
        Kind::Boolean => ProblemType::Binary,
        Kind::Text => ProblemType::Multiclass,
        _ => ProblemType::Regression,
    }
}

/// The classes of a target in their order: by number where all are numbers, else by text
/// (`false` before `true`). In a binary problem the second is the positive one. Regression has
/// none.
///
/// # Errors
/// If there are too few or too many, or a text is to be predicted as a number.
pub fn classes(target: &Column, name: &str, problem: ProblemType) -> Result<Vec<String>, Problem> {
    let refuse = |rule: &str| Problem::new("train", rule).field(name);
    if problem == ProblemType::Regression {
        return match target.kind() {
            Kind::Text => {
                Err(refuse("kind of the target").found("a text").expected("a number for regression"))
            }
            _ => Ok(Vec::new()),
        };
    }
    let mut found: BTreeSet<String> = BTreeSet::new();
    for row in 0..target.len() {
        found.extend(target.written(row));
        if found.len() > CATEGORIES_MAX {
            return Err(refuse("too many classes").expected(format!("at most {CATEGORIES_MAX}")));
        }
    }
    let mut classes: Vec<String> = found.into_iter().collect();
    let numbers: Option<Vec<f64>> = classes.iter().map(|class| class.parse().ok()).collect();
    if numbers.is_some_and(|numbers| numbers.iter().all(|number| number.is_finite())) {
        let number = |class: &String| class.parse::<f64>().unwrap_or(f64::NAN);
        classes.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
    let expected = if problem == ProblemType::Binary { "exactly 2" } else { "2 or more" };
    match (problem, classes.len()) {
        (ProblemType::Binary, 2) => Ok(classes),
        (ProblemType::Multiclass, 2..) => Ok(classes),
        _ => {
            let shown = classes.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            Err(refuse("number of classes").found(format!("{} ({shown})", classes.len())).expected(expected))
        }
    }
}

/// A label for each row; `None` where the target is missing or of a class not learned.
pub fn labels(target: &Column, classes: &[String], problem: ProblemType) -> Vec<Option<f32>> {
    let label = |row: usize| match problem {
        ProblemType::Regression => {
            target.number(row).map(|number| number as f32).filter(|label| label.is_finite())
        }
        _ => {
            let class = target.written(row)?;
            classes.iter().position(|known| *known == class).map(|number| number as f32)
        }
    };
    (0..target.len()).map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ordered_by_number_or_by_text() {
        let integers = Column::Integer(vec![Some(10), Some(2), None, Some(10)]);
        let classes_of = |column: &Column| classes(column, "y", ProblemType::Multiclass).unwrap();
        assert_eq!(classes_of(&integers), ["2", "10"]);
        assert_eq!(classes_of(&Column::Boolean(vec![Some(true), Some(false)])), ["false", "true"]);
        let texts = Column::Text(["no", "yes", "maybe"].map(|text| Some(text.to_owned())).to_vec());
        assert_eq!(classes_of(&texts), ["maybe", "no", "yes"]);
        assert_eq!(
            labels(&integers, &classes_of(&integers), ProblemType::Multiclass),
            [Some(1.0), Some(0.0), None, Some(1.0)]
        );
        assert!(classes(&texts, "y", ProblemType::Binary).unwrap_err().to_string().contains("found 3"));
        assert!(classes(&texts, "y", ProblemType::Regression).is_err());
    }
}
