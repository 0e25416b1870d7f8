//! What runs may take: declared by people, reserved before a job starts, used once it is over.

use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};

use crate::row::Run;
use crate::{Actor, Problem, Time};

/// What runs may take. Nothing is bounded where nothing is declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// What all jobs of one run may take.
    #[serde(skip_serializing_if = "Amount::is_unbounded")]
    pub per_run: Amount,
    /// What all runs planned in one calendar month (UTC) may take.
    #[serde(skip_serializing_if = "Amount::is_unbounded")]
    pub per_month: Amount,
    /// What a job costs.
    #[serde(skip_serializing_if = "Prices::are_unknown")]
    pub prices: Prices,
}

/// Upper bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Amount {
    /// In job-seconds: two jobs that run side by side for a minute take 120.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// In the unit of the prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<f64>,
}

/// The price table: what one hour of a job costs, by what it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// Of a training, also one of a search.
    pub training: f64,
    /// Of predictions for a judgement.
    pub prediction: f64,
}

/// Job-seconds by what the jobs do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSeconds {
    /// Of trainings.
    pub training: u64,
    /// Of predictions for a judgement.
    pub prediction: u64,
}

/// What a run takes of its budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// The most that its jobs can take before they are stopped: kept free for it until it is over.
    pub reserved: JobSeconds,
    /// What its jobs took, as far as they are over.
    pub used: JobSeconds,
    /// Who let it go over its budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Actor>,
}

impl Budget {
    /// Whether nothing is declared.
    pub fn is_none(&self) -> bool {
        *self == Budget::default()
    }

    /// What is wrong with it in itself.
    pub fn problems(&self, file: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, found: String, expected: &str| {
            problems.push(Problem::new(file, "out of range").field(field).found(found).expected(expected));
        };
        for (field, bound) in [("per_run", self.per_run), ("per_month", self.per_month)] {
            let Some(money) = bound.money else { continue };
            let field = format!("budget.{field}.money");
            if !(money.is_finite() && money >= 0.0) {
                refuse(&field, money.to_string(), "a finite number, 0 or more");
            }
            if self.prices.are_unknown() {
                refuse(&field, money.to_string(), "`budget.prices`, without which no job costs anything");
            }
        }
        for (field, price) in [("training", self.prices.training), ("prediction", self.prices.prediction)] {
            if !(price.is_finite() && price >= 0.0) {
                let field = format!("budget.prices.{field}");
                refuse(&field, price.to_string(), "the price of an hour: a finite number, 0 or more");
            }
        }
        problems
    }

    /// Why a run that may take `run` goes over the budget in a month (`YYYY-MM`) of which others
    /// take `taken`; none where it does not.
    pub fn exceeded(&self, run: JobSeconds, taken: JobSeconds, month: &str) -> Option<String> {
        let (cost, spent) = (run.money(&self.prices), taken.money(&self.prices));
        if let Some(bound) = self.per_run.seconds.filter(|bound| run.total() > *bound) {
            let most = run.total();
            return Some(format!(
                "its jobs may take {most} job-seconds, and budget.per_run.seconds is {bound}"
            ));
        }
        if let Some(bound) = self.per_run.money.filter(|bound| cost > *bound) {
            return Some(format!("its jobs may cost {cost:.2}, and budget.per_run.money is {bound:.2}"));
        }
        if let Some(bound) = self.per_month.seconds.filter(|bound| (taken + run).total() > *bound) {
            let (most, left) = (run.total(), bound.saturating_sub(taken.total()));
            return Some(format!(
                "its jobs may take {most} job-seconds, and {left} of the {bound} of budget.per_month.seconds are left in {month}"
            ));
        }
        if let Some(bound) = self.per_month.money.filter(|bound| spent + cost > *bound) {
            let left = (bound - spent).max(0.0);
            return Some(format!(
                "its jobs may cost {cost:.2}, and {left:.2} of the {bound:.2} of budget.per_month.money are left in {month}"
            ));
        }
        None
    }
}

impl Amount {
    /// Whether nothing is bounded.
    pub fn is_unbounded(&self) -> bool {
        *self == Amount::default()
    }
}

impl Prices {
    /// Whether nothing has a price.
    pub fn are_unknown(&self) -> bool {
        *self == Prices::default()
    }
}

impl JobSeconds {
    /// All of them.
    pub fn total(self) -> u64 {
        self.training.saturating_add(self.prediction)
    }

    /// What they cost.
    pub fn money(self, prices: &Prices) -> f64 {
        (self.training as f64 * prices.training + self.prediction as f64 * prices.prediction) / 3_600.0
    }
}

impl Add for JobSeconds {
    type Output = JobSeconds;

    fn add(self, other: JobSeconds) -> JobSeconds {
        JobSeconds {
            training: self.training.saturating_add(other.training),
            prediction: self.prediction.saturating_add(other.prediction),
        }
    }
}

impl Sum for JobSeconds {
    fn sum<I: Iterator<Item = JobSeconds>>(all: I) -> JobSeconds {
        all.fold(JobSeconds::default(), JobSeconds::add)
    }
}

impl Run {
    /// What it takes of the month's budget: what is reserved for it, and once it is over what it
    /// used.
    pub fn takes(&self) -> JobSeconds {
        if self.state.is_over() { self.spend.used } else { self.spend.reserved }
    }
}

/// What runs take of the month of a moment.
pub fn taken<'a>(runs: impl IntoIterator<Item = &'a Run>, now: Time) -> JobSeconds {
    let month = now.month();
    runs.into_iter().filter(|run| run.at.month() == month).map(Run::takes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(json: serde_json::Value) -> Budget {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_run_goes_over_the_first_bound_that_it_breaks() {
        let run = JobSeconds { training: 3_600, prediction: 1_800 };
        let taken = JobSeconds { training: 600, prediction: 0 };
        let prices = serde_json::json!({"training": 2.0, "prediction": 1.0});
        for (declared, expected) in [
            (serde_json::json!({}), None),
            (serde_json::json!({"per_run": {"seconds": 5_400}}), None),
            (
                serde_json::json!({"per_run": {"seconds": 5_399}}),
                Some("its jobs may take 5400 job-seconds, and budget.per_run.seconds is 5399"),
            ),
            // 1 h at 2.00 and half an hour at 1.00.
            (serde_json::json!({"per_run": {"money": 2.5}, "prices": prices}), None),
            (
                serde_json::json!({"per_run": {"money": 2.49}, "prices": prices}),
                Some("its jobs may cost 2.50, and budget.per_run.money is 2.49"),
            ),
            (serde_json::json!({"per_month": {"seconds": 6_000}}), None),
            (
                serde_json::json!({"per_month": {"seconds": 5_999}}),
                Some(
                    "its jobs may take 5400 job-seconds, and 5399 of the 5999 of budget.per_month.seconds are left in 2026-11",
                ),
            ),
            (
                serde_json::json!({"per_month": {"seconds": 500}}),
                Some(
                    "its jobs may take 5400 job-seconds, and 0 of the 500 of budget.per_month.seconds are left in 2026-11",
                ),
            ),
            // Ten minutes at 2.00 an hour are taken: a third.
            (
                serde_json::json!({"per_month": {"money": 2.8}, "prices": prices}),
                Some(
                    "its jobs may cost 2.50, and 2.47 of the 2.80 of budget.per_month.money are left in 2026-11",
                ),
            ),
            (serde_json::json!({"per_month": {"money": 2.84}, "prices": prices}), None),
        ] {
            let found = budget(declared.clone()).exceeded(run, taken, "2026-11");
            assert_eq!(found.as_deref(), expected, "{declared}");
        }
    }

    #[test]
    fn money_needs_prices_and_neither_is_negative() {
        let fields = |declared: serde_json::Value| -> Vec<String> {
            let problems = budget(declared).problems("pipeline.yaml");
            problems.into_iter().filter_map(|problem| problem.field).collect()
        };
        assert_eq!(fields(serde_json::json!({"per_month": {"seconds": 0}})), [""; 0]);
        assert_eq!(fields(serde_json::json!({"per_run": {"money": 3.0}})), ["budget.per_run.money"]);
        let wrong = serde_json::json!({"per_month": {"money": -1.0}, "prices": {"training": -2.0}});
        assert_eq!(fields(wrong), ["budget.per_month.money", "budget.prices.training"]);
    }
}
