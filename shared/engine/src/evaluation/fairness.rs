//! Are the groups that a column names treated alike? Definitions are fairlearn's.

use std::borrow::Cow;

use domain::pipeline::ProblemType;
use serde::{Deserialize, Serialize};

use super::slices::{Coded, SLICE_ROWS_MIN};
use crate::metrics::{Better, Prediction, Truth};
use crate::statistics::Interval;
use crate::statistics::bootstrap::{Bootstrap, Resample, Units};

/// How far groups are treated differently, over all groups of enough rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fairness {
    /// Greatest less least selection rate: the share of rows called yes. 0 is fair.
    DemographicParityDifference,
    /// Least by greatest selection rate. 1 is fair.
    DemographicParityRatio,
    /// The greater of two differences between groups: of the true and of the false positive rate.
    EqualizedOddsDifference,
    /// The lesser of the two rates' ratios between groups.
    EqualizedOddsRatio,
    /// Greatest less least mean loss. 0 is fair.
    LossDifference,
    /// Least by greatest mean loss. 1 is fair.
    LossRatio,
}

const BINARY: [Fairness; 6] = [
    Fairness::DemographicParityDifference,
    Fairness::DemographicParityRatio,
    Fairness::EqualizedOddsDifference,
    Fairness::EqualizedOddsRatio,
    Fairness::LossDifference,
    Fairness::LossRatio,
];

impl Fairness {
    /// The measures of a problem type.
    pub fn of(problem: ProblemType) -> &'static [Fairness] {
        match problem {
            ProblemType::Binary => &BINARY,
            ProblemType::Regression | ProblemType::Multiclass => &BINARY[4..],
        }
    }

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Fairness::DemographicParityDifference => "demographic_parity_difference",
            Fairness::DemographicParityRatio => "demographic_parity_ratio",
            Fairness::EqualizedOddsDifference => "equalized_odds_difference",
            Fairness::EqualizedOddsRatio => "equalized_odds_ratio",
            Fairness::LossDifference => "loss_difference",
            Fairness::LossRatio => "loss_ratio",
        }
    }

    /// The measure of this name among those of a problem type.
    pub fn named(name: &str, problem: ProblemType) -> Option<Fairness> {
        Fairness::of(problem).iter().copied().find(|measure| measure.name() == name)
    }

    /// Which way it improves.
    pub fn better(self) -> Better {
        match self {
            Fairness::DemographicParityDifference
            | Fairness::EqualizedOddsDifference
            | Fairness::LossDifference => Better::Lower,
            _ => Better::Higher,
        }
    }
}

/// How one group is treated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FairGroup {
    /// The value that names it.
    pub value: String,
    /// Its rows.
    pub rows: u64,
    /// Share called yes; binary problems only, as are the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection_rate: Option<f64>,
    /// Share of its positives called yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub true_positive_rate: Option<f64>,
    /// Share of its negatives called yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_positive_rate: Option<f64>,
    /// Its mean loss.
    pub loss: f64,
}

/// A measure of fairness with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FairMeasure {
    /// Which.
    pub measure: Fairness,
    /// The value; absent where it is undefined.
    pub value: Option<f64>,
    /// Its bootstrap percentile interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// A declared column with its groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FairColumn {
    /// The column.
    pub column: String,
    /// Groups of at least [`SLICE_ROWS_MIN`] rows; only they are compared.
    pub groups: Vec<FairGroup>,
    /// Groups of fewer rows, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub small: Vec<String>,
    /// How far they are treated differently; undefined with fewer than two groups.
    pub measures: Vec<FairMeasure>,
}

/// Sums over the rows of a group.
#[derive(Clone, Copy, Default)]
struct Sums {
    rows: f64,
    loss: f64,
    /// By truth, then by call.
    table: [[f64; 2]; 2],
}

impl Sums {
    fn positives(&self) -> f64 {
        self.table[1][0] + self.table[1][1]
    }

    fn selection_rate(&self) -> f64 {
        (self.table[0][1] + self.table[1][1]) / self.rows
    }

    fn true_positive_rate(&self) -> f64 {
        self.table[1][1] / self.positives()
    }

    fn false_positive_rate(&self) -> f64 {
        self.table[0][1] / (self.rows - self.positives())
    }

    fn loss(&self) -> f64 {
        self.loss / self.rows
    }
}

/// Compares the groups of a column.
pub(super) fn fairness(
    column: &Coded,
    truth: &Truth,
    prediction: &Prediction,
    losses: &[f64],
    units: &Units,
    bootstrap: Bootstrap,
) -> FairColumn {
    let calls = calls(truth, prediction);
    let sums = |resample: &Resample| {
        let mut sums = vec![Sums::default(); column.bins.count()];
        for (row, times) in resample.weighted() {
            let own = &mut sums[usize::from(column.codes[row])];
            own.rows += times;
            own.loss += times * losses[row];
            if let Some((truth, called)) = calls.as_ref().map(|calls| calls[row]) {
                own.table[truth][called] += times;
            }
        }
        sums
    };
    let whole = sums(&Resample::whole(losses.len()));
    let is_large = |group: &usize| whole[*group].rows >= SLICE_ROWS_MIN as f64;
    let large: Vec<usize> = (0..whole.len()).filter(is_large).collect();
    let label = |group: usize| column.bins.label(u8::try_from(group).expect("a few groups"));
    let problem = truth.problem();
    let measures = |sums: &[Sums]| -> Vec<f64> {
        let groups: Cow<'_, [Sums]> = large.iter().map(|group| sums[*group]).collect();
        Fairness::of(problem).iter().map(|measure| measured(*measure, &groups)).collect()
    };
    let estimates = measures(&whole);
    let intervals = bootstrap.intervals(units, &estimates, |resample, slots| {
        slots.copy_from_slice(&measures(&sums(resample)));
    });
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let rate = |value: f64| finite(value).filter(|_| calls.is_some());
    let group = |place: &usize| {
        let sums = &whole[*place];
        FairGroup {
            value: label(*place),
            // Counted one by one, so it is a whole number.
            rows: sums.rows as u64,
            selection_rate: rate(sums.selection_rate()),
            true_positive_rate: rate(sums.true_positive_rate()),
            false_positive_rate: rate(sums.false_positive_rate()),
            loss: super::finite(sums.loss()),
        }
    };
    let measure = |((measure, value), interval): ((&Fairness, &f64), &Option<Interval>)| {
        let value = finite(*value);
        FairMeasure { measure: *measure, value, interval: value.and(*interval) }
    };
    let small = (0..whole.len()).filter(|place| !is_large(place) && whole[*place].rows > 0.0);
    FairColumn {
        column: column.bins.name().to_owned(),
        groups: large.iter().map(group).collect(),
        small: small.map(label).collect(),
        measures: Fairness::of(problem).iter().zip(&estimates).zip(&intervals).map(measure).collect(),
    }
}

/// Each row's truth and call as 0 or 1; none but for two classes.
fn calls(truth: &Truth, prediction: &Prediction) -> Option<Vec<(usize, usize)>> {
    let (Truth::Binary(truth), Prediction::Probabilities(found)) = (truth, prediction) else { return None };
    let called = |(truth, found): (&bool, &f64)| {
        (usize::from(*truth), usize::from(crate::metrics::binary::is_called(*found)))
    };
    Some(truth.iter().zip(found).map(called).collect())
}

fn measured(measure: Fairness, groups: &[Sums]) -> f64 {
    let ends = |rate: fn(&Sums) -> f64| {
        // A group without the rate makes the measure undefined: NaN is passed on.
        let rates = || groups.iter().map(rate);
        if groups.len() < 2 || rates().any(f64::is_nan) {
            return (f64::NAN, f64::NAN);
        }
        (rates().fold(f64::INFINITY, f64::min), rates().fold(f64::NEG_INFINITY, f64::max))
    };
    let difference = |rate: fn(&Sums) -> f64| {
        let (least, greatest) = ends(rate);
        greatest - least
    };
    let ratio = |rate: fn(&Sums) -> f64| {
        let (least, greatest) = ends(rate);
        least / greatest
    };
    // Of two rates the worse one counts; undefined if either is.
    let both = |a: f64, b: f64, pick: fn(f64, f64) -> f64| {
        if a.is_nan() || b.is_nan() { f64::NAN } else { pick(a, b) }
    };
    match measure {
        Fairness::DemographicParityDifference => difference(Sums::selection_rate),
        Fairness::DemographicParityRatio => ratio(Sums::selection_rate),
        Fairness::EqualizedOddsDifference => {
            both(difference(Sums::true_positive_rate), difference(Sums::false_positive_rate), f64::max)
        }
        Fairness::EqualizedOddsRatio => {
            both(ratio(Sums::true_positive_rate), ratio(Sums::false_positive_rate), f64::min)
        }
        Fairness::LossDifference => difference(Sums::loss),
        Fairness::LossRatio => ratio(Sums::loss),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::evaluation::bins::Bins;
    use crate::metrics::Outcomes;
    use crate::table::Column;

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    fn coded(case: &Value) -> Coded {
        let groups = case["groups"].as_array().unwrap().iter();
        let column = Column::Text(groups.map(|value| value.as_str().map(str::to_owned)).collect());
        let bins = Bins::of("group", &column, false);
        Coded { codes: bins.codes(&column), bins }
    }

    #[track_caller]
    fn agree(case: &Value, truth: &Truth, prediction: &Prediction) -> FairColumn {
        let outcomes = Outcomes::new("p", truth, prediction).unwrap();
        let bootstrap = Bootstrap { resamples: 50, seed: 1, confidence: 0.9 };
        let units = Units::rows(truth.rows());
        let found = fairness(&coded(case), truth, prediction, outcomes.losses(), &units, bootstrap);
        for measure in &found.measures {
            let expected = case[measure.measure.name()].as_f64().unwrap();
            let value = measure.value.unwrap();
            assert!((value - expected).abs() < 1e-9, "{:?}: {value}, fairlearn {expected}", measure.measure);
            assert!(measure.interval.is_some());
        }
        for group in &found.groups {
            for (name, value) in [
                ("selection_rate", group.selection_rate),
                ("true_positive_rate", group.true_positive_rate),
                ("false_positive_rate", group.false_positive_rate),
            ] {
                let expected = case["by_group"][name][&group.value].as_f64();
                assert_eq!(value.is_some(), expected.is_some(), "{name}");
                assert!((value.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12, "{name}");
            }
        }
        found
    }

    /// `tests/fixtures/fairness.json`, made by `fairness.py`.
    #[test]
    fn differences_and_ratios_between_groups_are_fairlearns() {
        let fixture: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/fairness.json")).unwrap();
        let case = &fixture["binary"];
        let truth = case["truth"].as_array().unwrap().iter().map(|value| value.as_bool().unwrap());
        let truth = Truth::Binary(truth.collect());
        let found = agree(case, &truth, &Prediction::Probabilities(numbers(&case["found"])));
        assert_eq!((found.groups.len(), found.measures.len()), (3, 6));
        let case = &fixture["regression"];
        let truth = Truth::Numbers(numbers(&case["truth"]));
        let found = agree(case, &truth, &Prediction::Numbers(numbers(&case["found"])));
        assert_eq!(found.measures.len(), 2);
    }

    #[test]
    fn what_cannot_be_compared_is_undefined() {
        let groups = |small: usize| {
            let name = |row: usize| Some(if row < small { "a" } else { "b" }.to_owned());
            let column = Column::Text((0..100).map(name).collect());
            let bins = Bins::of("group", &column, false);
            Coded { codes: bins.codes(&column), bins }
        };
        let bootstrap = Bootstrap { resamples: 20, seed: 1, confidence: 0.9 };
        // Nobody of the first group is a positive.
        let truth = Truth::Binary((0..100).map(|row| row >= 50 && row % 2 == 0).collect());
        let found = Prediction::Probabilities(vec![0.5; 100]);
        let losses = vec![1.0; 100];
        let judge = |small| fairness(&groups(small), &truth, &found, &losses, &Units::rows(100), bootstrap);
        let value = |column: &FairColumn, place: usize| column.measures[place].value;
        let even = judge(50);
        assert_eq!((value(&even, 0), value(&even, 1)), (Some(0.0), Some(1.0)));
        assert_eq!((value(&even, 2), even.measures[2].interval), (None, None));
        assert_eq!(even.groups.iter().find(|group| group.value == "a").unwrap().true_positive_rate, None);
        let lonely = judge(10);
        assert_eq!((lonely.small, lonely.groups.len()), (vec!["a".to_owned()], 1));
        assert!(lonely.measures.iter().all(|measure| measure.value.is_none()));
    }
}
