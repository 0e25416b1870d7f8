//! Which numbers stand for a row's features in a linear model?

use std::collections::BTreeMap;

use crate::table::{Batch, Column};

/// Columns of a design at most: the normal equations take rows × columns² operations.
pub const WIDTH_MAX: usize = 96;

/// Values of one text that get a column of their own; rarer ones have none.
const CATEGORIES_MAX: usize = 20;

/// How features become numbers.
#[derive(Clone, Debug)]
pub(super) struct Design {
    parts: Vec<Part>,
    width: usize,
    left_out: Vec<String>,
}

/// What becomes of the feature at a place.
#[derive(Clone, Debug)]
struct Part {
    place: usize,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Less the mean, by the standard deviation (of n); a second column marks what is missing.
    Standardised { mean: f64, deviation: f64, marked: bool },
    /// A column for each of these values.
    OneHot(Vec<String>),
}

impl Design {
    /// The design of these rows. Numbers come first, so that a long text does not push them out.
    pub(super) fn of(features: &Batch) -> Design {
        let mut design = Design { parts: Vec::new(), width: 0, left_out: Vec::new() };
        let is_text = |column: &Column| matches!(column, Column::Text(_));
        let columns = || features.columns().iter().enumerate();
        let numbers = columns().filter(|(_, column)| !is_text(column));
        let texts = columns().filter(|(_, column)| is_text(column));
        for (place, column) in numbers.chain(texts) {
            let form = if is_text(column) { one_hot(column) } else { standardised(column) };
            let Some(form) = form else { continue };
            let width = form.width();
            if design.width + width > WIDTH_MAX {
                design.left_out.push(features.schema().fields[place].name.clone());
                continue;
            }
            design.width += width;
            design.parts.push(Part { place, form });
        }
        design
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The rows as numbers, row after row.
    pub(super) fn matrix(&self, features: &Batch) -> Vec<f64> {
        let mut matrix = Vec::with_capacity(features.rows() * self.width);
        for row in 0..features.rows() {
            for part in &self.parts {
                part.form.write(&features.columns()[part.place], row, &mut matrix);
            }
        }
        matrix
    }
}

impl Form {
    fn width(&self) -> usize {
        match self {
            Form::Standardised { marked, .. } => 1 + usize::from(*marked),
            Form::OneHot(values) => values.len(),
        }
    }

    fn write(&self, column: &Column, row: usize, matrix: &mut Vec<f64>) {
        match self {
            Form::Standardised { mean, deviation, marked } => {
                let value = known(column, row);
                matrix.push(value.map_or(0.0, |value| (value - mean) / deviation));
                if *marked {
                    matrix.push(f64::from(u8::from(value.is_none())));
                }
            }
            Form::OneHot(values) => {
                let value = column.written(row);
                let is = |other: &String| f64::from(u8::from(value.as_ref() == Some(other)));
                matrix.extend(values.iter().map(is));
            }
        }
    }
}

fn known(column: &Column, row: usize) -> Option<f64> {
    column.number(row).filter(|value| value.is_finite())
}

/// None where all known values are equal.
fn standardised(column: &Column) -> Option<Form> {
    let values: Vec<f64> = (0..column.len()).filter_map(|row| known(column, row)).collect();
    let rows = values.len() as f64;
    let mean = values.iter().sum::<f64>() / rows;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
    let varies = deviation.is_finite() && deviation > mean.abs() * 1e-12;
    varies.then_some(Form::Standardised { mean, deviation, marked: values.len() < column.len() })
}

/// None where there is no value.
fn one_hot(column: &Column) -> Option<Form> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in 0..column.len() {
        if let Some(value) = column.written(row) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let mut values: Vec<(String, u64)> = counts.into_iter().collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(CATEGORIES_MAX);
    (!values.is_empty()).then(|| Form::OneHot(values.into_iter().map(|(value, _)| value).collect()))
}
