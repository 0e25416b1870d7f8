//! Does a column know the answer already? How well each column predicts the target alone, learned
//! from training rows and measured on withheld ones.
//!
//! A column's score is the share of the naive loss that it takes away: 1 − loss / naive loss, which
//! is R² for numbers and McFadden's for classes. Near 1 the column is likely made of the target, or
//! recorded after it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metrics::Truth;
use crate::metrics::binary::log_loss;
use crate::statistics::bootstrap::quantile_sorted;
use crate::table::{Batch, Column};

/// Pieces a number's range is cut into; each predicts by a line of its own.
const PIECES: usize = 32;

/// Numbers of which two together are tried for a sum that is the target.
const PAIRED_COLUMNS_MAX: usize = 24;

/// R² of a linear combination of two columns from which on they make up the target: honest pairs
/// leave more than a thousandth of the variance.
const PAIR_BOUND: f64 = 0.999;

/// How well a column predicts the target alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnScore {
    /// The column.
    pub column: String,
    /// Share of the naive loss it takes away, 1 at best; below 0 it misleads.
    pub score: f64,
}

/// A column that seems to know the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// The column.
    pub column: String,
    /// Its own score.
    pub score: f64,
    /// A column that makes up the target together with it, and the R² of both; absent where there
    /// is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<ColumnScore>,
}

/// Rows with what happened.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The serving columns.
    pub rows: &'a Batch,
    /// What happened.
    pub truth: &'a Truth,
}

/// Scores every column, the best first. Empty where there is nothing to learn or to measure by.
pub fn scores(train: Known<'_>, test: Known<'_>) -> Vec<ColumnScore> {
    let Some(naive) = loss_of(test.truth, &Guess::of(train.truth).repeated(test.truth.rows())) else {
        return Vec::new();
    };
    let fields = train.rows.schema().fields.iter().zip(train.rows.columns());
    let mut scores = Vec::new();
    for (field, column) in fields {
        let Some(tested) = test.rows.column(&field.name) else { continue };
        let best = alone(column, train.truth, tested, test.truth);
        let score = best.map_or(0.0, |loss| 1.0 - loss / naive);
        scores.push(ColumnScore { column: field.name.clone(), score: super::finite(score) });
    }
    scores.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.column.cmp(&b.column)));
    scores
}

/// The columns whose score is `bound` or more, and those two of which make up a number linearly.
pub fn leaks(scores: &[ColumnScore], test: Known<'_>, bound: f64) -> Vec<Leak> {
    let alone = scores.iter().filter(|score| score.score >= bound);
    let mut leaks: Vec<Leak> =
        alone.map(|score| Leak { column: score.column.clone(), score: score.score, with: None }).collect();
    let Truth::Numbers(truth) = test.truth else { return leaks };
    let score_of = |name: &str| scores.iter().find(|score| score.column == name).map_or(0.0, |own| own.score);
    let numbers: Vec<(&str, Vec<Option<f64>>)> = numbers(test.rows);
    for (place, (one, a)) in numbers.iter().enumerate() {
        for (other, b) in &numbers[place + 1..] {
            let Some(together) = explained_by_two(a, b, truth) else { continue };
            if together < PAIR_BOUND.max(bound) {
                continue;
            }
            for (name, with) in [(one, other), (other, one)] {
                let with = Some(ColumnScore { column: (*with).to_owned(), score: together });
                match leaks.iter_mut().find(|leak| leak.column == **name) {
                    // One of its other halves is enough.
                    Some(leak) => leak.with = leak.with.take().or(with),
                    None => leaks.push(Leak { column: (*name).to_owned(), score: score_of(name), with }),
                }
            }
        }
    }
    leaks
}

fn numbers(rows: &Batch) -> Vec<(&str, Vec<Option<f64>>)> {
    let fields = rows.schema().fields.iter().zip(rows.columns());
    let is_number = |column: &Column| matches!(column, Column::Integer(_) | Column::Number(_));
    fields
        .filter(|(_, column)| is_number(column))
        .take(PAIRED_COLUMNS_MAX)
        .map(|(field, column)| {
            let known = |row| column.number(row).filter(|value| value.is_finite());
            (field.name.as_str(), (0..column.len()).map(known).collect())
        })
        .collect()
}

/// R² of the best linear combination of two columns, over the rows that have both; none where one
/// does not vary or follows from the other, or where the better one alone leaves less than twice
/// as much unexplained.
fn explained_by_two(a: &[Option<f64>], b: &[Option<f64>], truth: &[f64]) -> Option<f64> {
    let rows: Vec<[f64; 3]> =
        a.iter().zip(b).zip(truth).filter_map(|((a, b), y)| Some([(*a)?, (*b)?, *y])).collect();
    // Three coefficients fit three rows whatever they are.
    if rows.len() < 30 {
        return None;
    }
    let count = rows.len() as f64;
    let means = [0, 1, 2].map(|place| rows.iter().map(|row: &[f64; 3]| row[place]).sum::<f64>() / count);
    let product =
        |i: usize, j: usize| rows.iter().map(|row| (row[i] - means[i]) * (row[j] - means[j])).sum::<f64>();
    let (aa, bb, yy) = (product(0, 0), product(1, 1), product(2, 2));
    let (ab, ay, by) = (product(0, 1), product(0, 2), product(1, 2));
    let determinant = aa * bb - ab * ab;
    if determinant <= 1e-9 * aa * bb || yy <= 0.0 {
        return None;
    }
    let explained = (bb * ay * ay - 2.0 * ab * ay * by + aa * by * by) / determinant / yy;
    // A column that knows nearly everything by itself takes any other one along.
    let alone = (ay * ay / aa).max(by * by / bb) / yy;
    let adds = 1.0 - explained <= 0.5 * (1.0 - alone);
    (explained.is_finite() && adds).then_some(explained.min(1.0))
}

/// What is predicted of one row: a number, or the probability of each class.
#[derive(Clone, Debug)]
struct Guess(Vec<f64>);

impl Guess {
    fn of(truth: &Truth) -> Guess {
        let mut tally = Tally::new(truth);
        (0..truth.rows()).for_each(|row| tally.push(truth, row));
        Guess(tally.shares(None))
    }

    fn repeated(&self, rows: usize) -> Vec<Guess> {
        vec![self.clone(); rows]
    }
}

/// What rows alike held: the sum of a number, or the rows of each class.
#[derive(Clone, Debug)]
struct Tally {
    rows: f64,
    sums: Vec<f64>,
}

impl Tally {
    fn new(truth: &Truth) -> Tally {
        let slots = match truth {
            Truth::Numbers(_) => 1,
            Truth::Binary(_) => 2,
            Truth::Classes { count, .. } => *count,
        };
        Tally { rows: 0.0, sums: vec![0.0; slots] }
    }

    fn push(&mut self, truth: &Truth, row: usize) {
        self.rows += 1.0;
        match truth {
            Truth::Numbers(values) => self.sums[0] += values[row],
            Truth::Binary(values) => self.sums[usize::from(values[row])] += 1.0,
            Truth::Classes { values, .. } => self.sums[values[row]] += 1.0,
        }
    }

    /// The means, drawn towards a guess by the weight of one row, so that no probability is zero.
    fn shares(&self, towards: Option<&Guess>) -> Vec<f64> {
        let weight = if towards.is_some() { 1.0 } else { 0.0 };
        let prior = |place: usize| towards.map_or(0.0, |guess| guess.0[place]);
        let share = |(place, sum): (usize, &f64)| (sum + weight * prior(place)) / (self.rows + weight);
        self.sums.iter().enumerate().map(share).collect()
    }
}

/// The mean loss of guesses; none where it is not positive, for then there is nothing to explain.
fn loss_of(truth: &Truth, guesses: &[Guess]) -> Option<f64> {
    let one = |row: usize| match truth {
        Truth::Numbers(values) => (guesses[row].0[0] - values[row]).powi(2),
        Truth::Binary(values) => log_loss(guesses[row].0[usize::from(values[row])]),
        Truth::Classes { values, .. } => log_loss(guesses[row].0[values[row]]),
    };
    let rows = truth.rows();
    let mean = (0..rows).map(one).sum::<f64>() / rows as f64;
    (mean.is_finite() && mean > 0.0).then_some(mean)
}

/// The least loss on the tested rows of what one column predicts: by its values, by pieces of its
/// range, and for numbers by one line.
fn alone(train: &Column, train_truth: &Truth, test: &Column, test_truth: &Truth) -> Option<f64> {
    let naive = Guess::of(train_truth);
    let is_text = matches!(train, Column::Text(_) | Column::Boolean(_));
    let mut losses = Vec::new();
    if is_text {
        losses.push(mean_loss(test_truth, &by_values(train, train_truth, test, &naive)));
    } else {
        losses.push(mean_loss(test_truth, &by_pieces(train, train_truth, test, &naive, PIECES)));
        losses.push(mean_loss(test_truth, &by_pieces(train, train_truth, test, &naive, 1)));
    }
    losses.into_iter().filter(|loss| loss.is_finite()).min_by(f64::total_cmp)
}

fn mean_loss(truth: &Truth, guesses: &[Guess]) -> f64 {
    // A loss of nothing is the best there is.
    loss_of(truth, guesses).unwrap_or(0.0)
}

fn by_values(train: &Column, truth: &Truth, test: &Column, naive: &Guess) -> Vec<Guess> {
    let mut tallies: BTreeMap<Option<String>, Tally> = BTreeMap::new();
    for row in 0..train.len() {
        tallies.entry(train.written(row)).or_insert_with(|| Tally::new(truth)).push(truth, row);
    }
    let guess = |row| match tallies.get(&test.written(row)) {
        Some(tally) => Guess(tally.shares(Some(naive))),
        None => naive.clone(),
    };
    (0..test.len()).map(guess).collect()
}

/// A piece of a number's range: what its rows held, and for a number the line through them.
#[derive(Clone, Debug)]
struct Piece {
    tally: Tally,
    /// Least and greatest value: a line is not drawn out beyond them.
    ends: [f64; 2],
    /// Sums of x, x² and x·y.
    sums: [f64; 3],
}

impl Piece {
    fn new(truth: &Truth) -> Piece {
        Piece { tally: Tally::new(truth), ends: [f64::INFINITY, f64::NEG_INFINITY], sums: [0.0; 3] }
    }

    fn push(&mut self, x: f64, truth: &Truth, row: usize) {
        self.tally.push(truth, row);
        self.ends = [self.ends[0].min(x), self.ends[1].max(x)];
        let y = if let Truth::Numbers(values) = truth { values[row] } else { 0.0 };
        for (sum, value) in self.sums.iter_mut().zip([x, x * x, x * y]) {
            *sum += value;
        }
    }

    fn guess(&self, x: f64, naive: &Guess, is_number: bool) -> Guess {
        if self.tally.rows == 0.0 {
            return naive.clone();
        }
        if !is_number {
            return Guess(self.tally.shares(Some(naive)));
        }
        let rows = self.tally.rows;
        let [x_mean, y_mean] = [self.sums[0] / rows, self.tally.sums[0] / rows];
        let spread = self.sums[1] - rows * x_mean * x_mean;
        let slope = (self.sums[2] - rows * x_mean * y_mean) / spread;
        let is_line = slope.is_finite() && spread > 1e-12 * self.sums[1];
        let slope = if is_line { slope } else { 0.0 };
        Guess(vec![y_mean + slope * (x.clamp(self.ends[0], self.ends[1]) - x_mean)])
    }
}

fn by_pieces(train: &Column, truth: &Truth, test: &Column, naive: &Guess, pieces: usize) -> Vec<Guess> {
    let known = |column: &Column, row: usize| column.number(row).filter(|value| value.is_finite());
    let mut values: Vec<f64> = (0..train.len()).filter_map(|row| known(train, row)).collect();
    if values.is_empty() {
        return naive.repeated(test.len());
    }
    values.sort_unstable_by(f64::total_cmp);
    let mut edges: Vec<f64> =
        (1..pieces).map(|part| quantile_sorted(&values, part as f64 / pieces as f64)).collect();
    edges.dedup();
    let is_number = matches!(truth, Truth::Numbers(_));
    let place = |x: f64| edges.partition_point(|edge| *edge <= x);
    let mut cut = vec![Piece::new(truth); edges.len() + 1];
    let mut missing = Tally::new(truth);
    for row in 0..train.len() {
        match known(train, row) {
            Some(x) => cut[place(x)].push(x, truth, row),
            None => missing.push(truth, row),
        }
    }
    let guess = |row: usize| match known(test, row) {
        Some(x) => cut[place(x)].guess(x, naive, is_number),
        None => Guess(missing.shares(Some(naive))),
    };
    (0..test.len()).map(guess).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::statistics::random::Random;
    use crate::table::{Kind, Schema};

    fn table(rows: usize, seed: u64) -> (Batch, Vec<f64>) {
        let mut random = Random::new(seed);
        let mut column = |scale: f64| -> Vec<f64> { (0..rows).map(|_| scale * random.normal()).collect() };
        let (a, b, noise) = (column(1.0), column(3.0), column(1.0));
        let some = |values: &[f64]| Column::Number(values.iter().copied().map(Some).collect());
        let target: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 2.0 * a + b).collect();
        let bent: Vec<f64> = target.iter().map(|value| value.powi(3)).collect();
        let name = target.iter().map(|value| Some(if *value > 0.0 { "up" } else { "down" }.to_owned()));
        let schema = Schema::of([
            ("a", Kind::Number),
            ("b", Kind::Number),
            ("noise", Kind::Number),
            ("bent", Kind::Number),
            ("sign", Kind::Text),
        ]);
        let columns = vec![some(&a), some(&b), some(&noise), some(&bent), Column::Text(name.collect())];
        (Batch::new(Arc::new(schema), columns), target)
    }

    fn found(names: &[&str], truth: impl Fn(&[f64]) -> Truth) -> (Vec<ColumnScore>, Vec<Leak>) {
        let ((train, one), (test, other)) = (table(3_000, 1), table(800, 2));
        let (train, test) = (train.selected(names).unwrap(), test.selected(names).unwrap());
        let (one, other) = (truth(&one), truth(&other));
        let test = Known { rows: &test, truth: &other };
        let scores = scores(Known { rows: &train, truth: &one }, test);
        let leaks = leaks(&scores, test, 0.95);
        (scores, leaks)
    }

    #[test]
    fn a_column_that_is_the_target_in_other_words_is_found() {
        let (scores, leaks) = found(&["noise", "bent", "sign"], |target| Truth::Numbers(target.to_vec()));
        assert_eq!(scores[0].column, "bent");
        assert!(scores[0].score > 0.99, "{scores:?}");
        assert_eq!(leaks.len(), 1);
        let noise = scores.iter().find(|score| score.column == "noise").unwrap();
        assert!(noise.score.abs() < 0.05, "{scores:?}");
        let (_, leaks) = found(&["noise", "sign"], |target| {
            Truth::Binary(target.iter().map(|value| *value > 0.0).collect())
        });
        assert_eq!(leaks.iter().map(|leak| leak.column.as_str()).collect::<Vec<_>>(), ["sign"]);
    }

    #[test]
    fn two_columns_that_add_up_to_the_target_are_both_named() {
        let (scores, leaks) = found(&["a", "b", "noise"], |target| Truth::Numbers(target.to_vec()));
        // By hand: the variance of 2a + b is 4 + 9, of which b explains 9 and a explains 4.
        assert!((scores[0].score - 9.0 / 13.0).abs() < 0.05 && (scores[1].score - 4.0 / 13.0).abs() < 0.1);
        let pairs: Vec<(&str, &str)> = leaks
            .iter()
            .map(|leak| (leak.column.as_str(), leak.with.as_ref().unwrap().column.as_str()))
            .collect();
        assert_eq!(pairs, [("a", "b"), ("b", "a")]);
        assert!(leaks[0].with.as_ref().unwrap().score > 0.999_999);
    }

    #[test]
    fn a_second_half_is_named_beside_a_column_that_knows_most_alone() {
        let (batch, _) = table(2_000, 1);
        let value = |name: &str, row: usize| batch.column(name).unwrap().number(row).unwrap();
        // By hand: of the variance 81 + 1 the column b explains 81, which is 0.988.
        let truth = Truth::Numbers((0..2_000).map(|row| 3.0 * value("b", row) + value("a", row)).collect());
        let rows = batch.selected(&["a", "b", "noise"]).unwrap();
        let known = Known { rows: &rows, truth: &truth };
        let leaks = leaks(&scores(known, known), known, 0.95);
        let named: Vec<(&str, &str)> = leaks
            .iter()
            .map(|leak| (leak.column.as_str(), leak.with.as_ref().unwrap().column.as_str()))
            .collect();
        assert_eq!(named, [("b", "a"), ("a", "b")]);
    }

    #[test]
    fn nothing_to_explain_has_no_scores() {
        let (batch, _) = table(50, 1);
        let constant = Truth::Numbers(vec![1.0; 50]);
        let known = Known { rows: &batch, truth: &constant };
        assert_eq!(scores(known, known), []);
        assert_eq!(leaks(&[], known, 0.9), []);
    }
}
