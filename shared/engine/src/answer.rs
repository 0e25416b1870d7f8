//! What did a model answer, as numbers: one list for each row asked?

use domain::pipeline::ProblemType;

use crate::metrics::Prediction;

/// The answers to `rows` rows: one number each, or one for each class.
///
/// Read are CSV (one row a line, classes separated by commas, with or without brackets around
/// them) and the JSON shapes in use: `[…]`, `{"predictions": […]}`, where a row is a number, a
/// list of numbers, or an object with `score`, `scores`, `probabilities` or `prediction`.
///
/// # Errors
/// What cannot be read, by line or place; another number of rows than was asked.
pub fn read(text: &str, rows: usize) -> Result<Vec<Vec<f64>>, String> {
    let trimmed = text.trim();
    if trimmed.starts_with(['{', '[']) {
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(trimmed) {
            let list = value.get("predictions").unwrap_or(&value);
            if let Some(list) = list.as_array() {
                if list.len() == rows {
                    return list.iter().enumerate().map(|(index, value)| from_json(index, value)).collect();
                }
                // A single line of classes in brackets is CSV to those who write it.
                if rows != 1 || value.is_object() {
                    return Err(format!("{} answers for {rows} rows", list.len()));
                }
            }
        }
    }
    let answers = trimmed
        .lines()
        .enumerate()
        .map(|(index, line)| from_line(index, line))
        .collect::<Result<Vec<_>, String>>()?;
    if answers.len() != rows {
        return Err(format!("{} answers for {rows} rows", answers.len()));
    }
    Ok(answers)
}

/// The answers to one row, as one line of CSV writes them.
///
/// # Errors
/// What is no finite number.
pub fn line(text: &str) -> Result<Vec<f64>, String> {
    let inside = text.trim().trim_start_matches('[').trim_end_matches(']');
    inside.split(',').map(number).collect()
}

/// Answers as predictions of a problem type: one number a row, or one for each of the classes.
///
/// # Errors
/// The first row with another count of numbers.
pub fn prediction(
    problem: ProblemType,
    classes: usize,
    answers: Vec<Vec<f64>>,
) -> Result<Prediction, String> {
    let wanted = width(problem, classes);
    if let Some(row) = answers.iter().position(|answer| answer.len() != wanted) {
        return Err(format!("answer {} has {} numbers, expected {wanted}", row + 1, answers[row].len()));
    }
    let values = answers.into_iter().flatten().collect();
    Ok(match problem {
        ProblemType::Regression => Prediction::Numbers(values),
        ProblemType::Binary => Prediction::Probabilities(values),
        ProblemType::Multiclass => Prediction::Distributions { classes, values },
    })
}

/// How many numbers answer one row.
pub fn width(problem: ProblemType, classes: usize) -> usize {
    if problem == ProblemType::Multiclass { classes } else { 1 }
}

fn number(text: &str) -> Result<f64, String> {
    let text = text.trim().trim_matches('"');
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => {
            let short: String = text.chars().take(40).collect();
            Err(format!("found {short:?}, expected a finite number"))
        }
    }
}

fn from_line(index: usize, text: &str) -> Result<Vec<f64>, String> {
    line(text).map_err(|problem| format!("answer {}: {problem}", index + 1))
}

fn from_json(index: usize, value: &serde_json::Value) -> Result<Vec<f64>, String> {
    use serde_json::Value;
    let one = |value: &Value| value.as_f64().filter(|number| number.is_finite());
    let inside = match value {
        Value::Object(fields) => ["score", "scores", "probabilities", "prediction"]
            .iter()
            .find_map(|name| fields.get(*name))
            .unwrap_or(value),
        other => other,
    };
    let numbers = match inside {
        Value::Array(list) => {
            list.iter().map(one).collect::<Option<Vec<f64>>>().filter(|list| !list.is_empty())
        }
        single => one(single).map(|number| vec![number]),
    };
    numbers.ok_or_else(|| format!("answer {}: expected a number or a list of numbers", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_in_use_are_read() {
        for (text, rows, expected) in [
            ("0.5\n1\n", 2, vec![vec![0.5], vec![1.0]]),
            ("0.2,0.8\r\n0.7,0.3\r\n", 2, vec![vec![0.2, 0.8], vec![0.7, 0.3]]),
            ("[0.2, 0.8]", 1, vec![vec![0.2, 0.8]]),
            ("[0.2, 0.8]", 2, vec![vec![0.2], vec![0.8]]),
            ("[0.2,0.8]\n[0.1,0.9]\n", 2, vec![vec![0.2, 0.8], vec![0.1, 0.9]]),
            (r#"{"predictions": [1, 2.5]}"#, 2, vec![vec![1.0], vec![2.5]]),
            (
                r#"{"predictions": [{"score": 1}, {"probabilities": [0.5, 0.5]}]}"#,
                2,
                vec![vec![1.0], vec![0.5, 0.5]],
            ),
        ] {
            assert_eq!(read(text, rows).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn answers_become_predictions_of_their_problem_type() {
        let two = || vec![vec![0.25], vec![0.5]];
        assert_eq!(prediction(ProblemType::Regression, 0, two()), Ok(Prediction::Numbers(vec![0.25, 0.5])));
        assert_eq!(prediction(ProblemType::Binary, 2, two()), Ok(Prediction::Probabilities(vec![0.25, 0.5])));
        let shares = Prediction::Distributions { classes: 2, values: vec![0.25, 0.75] };
        assert_eq!(prediction(ProblemType::Multiclass, 2, vec![vec![0.25, 0.75]]), Ok(shares));
        let wrong = prediction(ProblemType::Multiclass, 3, two()).unwrap_err();
        assert_eq!(wrong, "answer 1 has 1 numbers, expected 3");
    }

    #[test]
    fn what_is_no_answer_is_named() {
        for (text, rows, complaint) in [
            ("1\n", 2, "1 answers for 2 rows"),
            ("", 1, "0 answers for 1 rows"),
            ("1\nNaN\n", 2, "answer 2: found \"NaN\", expected a finite number"),
            ("<html>", 1, "answer 1: found \"<html>\", expected a finite number"),
            (r#"{"predictions": [1]}"#, 2, "1 answers for 2 rows"),
            (r#"{"predictions": ["a"]}"#, 1, "answer 1: expected a number or a list of numbers"),
        ] {
            assert_eq!(read(text, rows).unwrap_err(), complaint, "{text}");
        }
    }
}
