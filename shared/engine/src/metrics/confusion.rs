//! Which class is taken for which?

use serde::{Deserialize, Serialize};

use super::binary::is_called;
use super::truth::likeliest;
use super::{Prediction, Truth};

/// Rows by what happened and what was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// For each class that happened, the rows called each class; both in the model's order.
    pub rows: Vec<Vec<u64>>,
}

/// The confusion matrix; none for numbers. A binary problem calls its second class from a
/// probability of one half on, several classes the likeliest.
pub fn confusion(truth: &Truth, prediction: &Prediction) -> Option<Confusion> {
    let (classes, pairs): (usize, Vec<(usize, usize)>) = match (truth, prediction) {
        (Truth::Binary(truth), Prediction::Probabilities(found)) => {
            let called = found.iter().map(|found| usize::from(is_called(*found)));
            (2, truth.iter().map(|truth| usize::from(*truth)).zip(called).collect())
        }
        (Truth::Classes { count, values: truth }, Prediction::Distributions { classes, values }) => {
            let called = values.chunks((*classes).max(1)).map(likeliest);
            (*count, truth.iter().copied().zip(called).collect())
        }
        _ => return None,
    };
    let mut rows = vec![vec![0; classes]; classes];
    for (truth, called) in pairs {
        if let Some(cell) = rows.get_mut(truth).and_then(|row| row.get_mut(called)) {
            *cell += 1;
        }
    }
    Some(Confusion { rows })
}
