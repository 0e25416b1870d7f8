//! What does calling from another probability on cost and bring: the ROC and the precision–recall
//! curve.

use serde::{Deserialize, Serialize};

use super::{Prediction, Truth};

/// Most points of a curve: more cannot be told apart on a page.
pub const POINTS_MAX: usize = 101;

/// Both curves of a binary problem, each with [`POINTS_MAX`] points at most: its ends, and evenly
/// many of the distinct probabilities between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// False positive rate and true positive rate, from (0, 0) to (1, 1).
    pub roc: Vec<[f64; 2]>,
    /// Recall and precision, from recall 0 on; a recall of 0 has precision 1 by convention.
    pub pr: Vec<[f64; 2]>,
}

/// The curves; none for another problem, or where one class does not occur.
pub fn curves(truth: &Truth, prediction: &Prediction) -> Option<Curves> {
    let (Truth::Binary(truth), Prediction::Probabilities(found)) = (truth, prediction) else { return None };
    let positives = truth.iter().filter(|truth| **truth).count();
    let negatives = truth.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut rows: Vec<(f64, bool)> = found.iter().copied().zip(truth.iter().copied()).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut roc, mut pr) = (vec![[0.0, 0.0]], vec![[0.0, 1.0]]);
    let (mut yes, mut no) = (0_usize, 0_usize);
    for (place, (probability, truth)) in rows.iter().enumerate() {
        yes += usize::from(*truth);
        no += usize::from(!*truth);
        let is_last_of_its_value = rows.get(place + 1).is_none_or(|next| next.0 != *probability);
        if is_last_of_its_value {
            let recall = yes as f64 / positives as f64;
            roc.push([no as f64 / negatives as f64, recall]);
            pr.push([recall, yes as f64 / (yes + no) as f64]);
        }
    }
    Some(Curves { roc: thinned(roc), pr: thinned(pr) })
}

fn thinned(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    if points.len() <= POINTS_MAX {
        return points;
    }
    let last = points.len() - 1;
    (0..POINTS_MAX).map(|place| points[place * last / (POINTS_MAX - 1)]).collect()
}
