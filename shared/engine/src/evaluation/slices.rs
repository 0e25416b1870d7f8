//! For whom is a model worse: the metrics of declared slices, and the worst ones that a search finds.

use serde::{Deserialize, Serialize};

use super::bins::Bins;
use crate::metrics::{Measure, Outcomes};
use crate::statistics::PValue;
use crate::statistics::bootstrap::Resample;
use crate::statistics::significance::{Moments, benjamini_hochberg, welch_greater};

/// Fewer rows than this make no slice: a mean of fewer says nothing.
pub const SLICE_ROWS_MIN: usize = 30;

/// Share of all rows that a slice found by the search has at least: a smaller one, however bad,
/// changes little for anybody.
const SHARE_MIN: f64 = 0.02;

/// Columns searched at most: their pairs are nearly three hundred.
pub const SEARCHED_COLUMNS_MAX: usize = 24;

/// Slices named by the search.
const FOUND_MAX: usize = 5;

/// Chance of naming any slice where none is worse.
const ALPHA: f64 = 0.05;

/// A column whose groups make slices, with each row's group.
#[derive(Clone, Debug)]
pub struct Coded {
    /// The groups.
    pub bins: Bins,
    /// Each row's group.
    pub codes: Vec<u8>,
}

/// The rows that share a value of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The value, or the range of a number.
    pub value: String,
    /// How many.
    pub rows: u64,
    /// Their mean loss.
    pub loss: f64,
    /// The chance of so much greater a loss than the other rows', if it were equal; corrected over
    /// the slices of the column (Benjamini and Hochberg). Absent for too few rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<PValue>,
    /// Their metrics, without intervals.
    pub measures: Vec<Measure>,
}

/// A declared column with its slices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlicedColumn {
    /// The column.
    pub column: String,
    /// Slices of at least [`SLICE_ROWS_MIN`] rows, the worst first.
    pub slices: Vec<Slice>,
    /// Rows in smaller slices, which are not shown.
    pub rows_in_small: u64,
}

/// Measures every slice of a column.
pub(super) fn sliced(column: &Coded, outcomes: &Outcomes) -> SlicedColumn {
    let all = Moments::of(outcomes.losses().iter().copied());
    let mut slices = Vec::new();
    let mut ps = Vec::new();
    let mut rows_in_small = 0;
    for code in 0..column.bins.count() {
        let rows: Vec<usize> =
            (0..column.codes.len()).filter(|row| usize::from(column.codes[*row]) == code).collect();
        if rows.len() < SLICE_ROWS_MIN {
            rows_in_small += rows.len() as u64;
            continue;
        }
        let own = Moments::of(rows.iter().map(|row| outcomes.losses()[*row]));
        ps.push(welch_greater(own, all.without(own)).map_or(PValue::new(1.0), |found| found.p));
        let mut resample = Resample { times: vec![0; column.codes.len()], rows };
        for row in &resample.rows {
            resample.times[*row] = 1;
        }
        let mut values = vec![f64::NAN; outcomes.metrics().len()];
        outcomes.measure(&resample, &mut values);
        let measure = |(metric, value): (&crate::metrics::Metric, f64)| Measure {
            metric: *metric,
            value: Some(value).filter(|value| value.is_finite()),
            interval: None,
        };
        slices.push(Slice {
            value: column.bins.label(u8::try_from(code).expect("a few groups")),
            rows: resample.rows.len() as u64,
            loss: super::finite(own.mean()),
            p: None,
            measures: outcomes.metrics().iter().zip(values).map(measure).collect(),
        });
    }
    for (slice, p) in slices.iter_mut().zip(benjamini_hochberg(&ps)) {
        slice.p = Some(p);
    }
    slices.sort_by(|a, b| b.loss.total_cmp(&a.loss).then_with(|| a.value.cmp(&b.value)));
    SlicedColumn { column: column.bins.name().to_owned(), slices, rows_in_small }
}

/// A slice that the search found to be worse than the other rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Column and value: one, or two that hold together.
    pub conditions: Vec<(String, String)>,
    /// How many rows.
    pub rows: u64,
    /// Their mean loss.
    pub loss: f64,
    /// The other rows' mean loss.
    pub other: f64,
    /// The chance of such a slice if all were equal, corrected over all that were tried
    /// (Bonferroni).
    pub p: PValue,
}

/// What the search for worse slices found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Columns searched, alone and in pairs.
    pub columns: Vec<String>,
    /// Slices tried: those of enough rows.
    pub tried: u64,
    /// Fewest rows of a slice.
    pub rows_min: u64,
    /// What is worse beyond chance, the worst first: by the lower end of the excess loss.
    pub found: Vec<Found>,
}

/// Searches single columns and pairs for slices of greater loss, by Welch's t-test against all
/// other rows.
pub(super) fn search(columns: &[Coded], losses: &[f64]) -> Search {
    let columns = &columns[..columns.len().min(SEARCHED_COLUMNS_MAX)];
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    // Around their mean, so that sums of squares stay accurate.
    let centred: Vec<f64> = losses.iter().map(|loss| loss - mean).collect();
    let all = Moments::of(centred.iter().copied());
    let rows_min = SLICE_ROWS_MIN.max((SHARE_MIN * losses.len() as f64).ceil() as usize);
    let mut tried = Vec::new();
    let mut try_all = |one: usize, other: Option<usize>| {
        let width = other.map_or(1, |other| columns[other].bins.count());
        let mut cells = vec![Moments::default(); columns[one].bins.count() * width];
        for (row, loss) in centred.iter().enumerate() {
            let second = other.map_or(0, |other| usize::from(columns[other].codes[row]));
            cells[usize::from(columns[one].codes[row]) * width + second].push(*loss);
        }
        for (cell, own) in cells.into_iter().enumerate() {
            let rest = all.without(own);
            if own.count < rows_min as f64 || rest.count < rows_min as f64 {
                continue;
            }
            if let Some(test) = welch_greater(own, rest) {
                tried.push((one, other, cell, width, own, rest, test));
            }
        }
    };
    for one in 0..columns.len() {
        try_all(one, None);
        for other in one + 1..columns.len() {
            try_all(one, Some(other));
        }
    }
    let count = tried.len() as f64;
    let mut found: Vec<(f64, Found)> = Vec::new();
    for (one, other, cell, width, own, rest, test) in tried {
        let p = PValue::new(test.p.get() * count);
        if !p.significant(ALPHA) {
            continue;
        }
        let excess = own.mean() - rest.mean();
        // Two standard errors below the excess, the error being excess / t.
        let surely = excess - 2.0 * excess / test.statistic;
        let condition = |column: usize, code: usize| {
            let bins = &columns[column].bins;
            (bins.name().to_owned(), bins.label(u8::try_from(code).expect("a few groups")))
        };
        let mut conditions = vec![condition(one, cell / width)];
        conditions.extend(other.map(|other| condition(other, cell % width)));
        let found_slice = Found {
            conditions,
            // Counted one by one, so it is a whole number.
            rows: own.count as u64,
            loss: super::finite(own.mean() + mean),
            other: super::finite(rest.mean() + mean),
            p,
        };
        found.push((surely, found_slice));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.conditions.cmp(&b.1.conditions)));
    Search {
        columns: columns.iter().map(|column| column.bins.name().to_owned()).collect(),
        tried: count as u64,
        rows_min: rows_min as u64,
        found: found.into_iter().take(FOUND_MAX).map(|found| found.1).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::Random;
    use crate::table::Column;

    fn columns(random: &mut Random, rows: usize) -> Vec<Coded> {
        let mut texts = |names: &[&str]| {
            let pick = |_| Some(names[random.below(names.len())].to_owned());
            Column::Text((0..rows).map(pick).collect())
        };
        let columns =
            [("region", texts(&["n", "e", "s", "w"])), ("wall", texts(&["brick", "stone", "timber"]))];
        let number = Column::Number((0..rows).map(|_| Some(random.normal())).collect());
        let columns = columns.into_iter().chain([("x", number)]);
        let coded = |(name, column): (&str, Column)| {
            let bins = Bins::of(name, &column, false);
            Coded { codes: bins.codes(&column), bins }
        };
        columns.map(coded).collect()
    }

    #[test]
    fn the_search_finds_the_pair_that_is_worse() {
        let mut random = Random::new(1);
        let columns = columns(&mut random, 2_000);
        let is = |column: &Coded, row: usize, value: &str| column.bins.label(column.codes[row]) == value;
        let losses: Vec<f64> = (0..2_000)
            .map(|row| {
                let bad = is(&columns[0], row, "s") && is(&columns[1], row, "timber");
                random.normal().powi(2) * if bad { 4.0 } else { 1.0 }
            })
            .collect();
        let found = search(&columns, &losses);
        let worst = &found.found[0];
        let expected = [("region", "s"), ("wall", "timber")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(worst.conditions, expected, "{found:?}");
        assert!(worst.loss > 3.0 && worst.other < 1.3 && worst.rows > 100, "{worst:?}");
    }

    #[test]
    fn where_no_slice_is_worse_the_search_names_one_within_the_error_of_the_test() {
        let named = |seed: u64| {
            let mut random = Random::new(seed);
            let columns = columns(&mut random, 600);
            let losses: Vec<f64> = (0..600).map(|_| random.normal().powi(2)).collect();
            !search(&columns, &losses).found.is_empty()
        };
        // Nominal 5 % at most; 200 trials, three standard deviations above are 19.
        let alarms = (0..200).filter(|seed| named(*seed)).count();
        assert!(alarms <= 19, "{alarms} of 200");
    }
}
