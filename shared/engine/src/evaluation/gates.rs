//! What must a candidate meet, and why did it or did it not?

use std::collections::BTreeMap;

use domain::pipeline::ColumnGates;
use serde::{Deserialize, Serialize};

use super::fairness::Fairness;
use super::{AgainstBaseline, Difference, Evaluation, Skill, Verdict};
use crate::metrics::Metric;
use crate::text;

/// One condition a candidate must meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name: `beats champion`, `rmse at most`.
    pub name: String,
    /// What is required, for people.
    pub required: String,
    /// What was found, for people.
    pub found: String,
    /// Whether it is passed.
    pub passed: bool,
}

/// Which side of a value is asked for.
#[derive(Clone, Copy)]
enum Side {
    AtMost,
    AtLeast,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Side::AtMost => "at most",
            Side::AtLeast => "at least",
        }
    }

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Side::AtMost => value <= bound,
            Side::AtLeast => value >= bound,
        }
    }
}

/// Every bound of two lists with the side it is on.
fn bounds<'a>(
    maximum: &'a BTreeMap<String, f64>,
    minimum: &'a BTreeMap<String, f64>,
) -> impl Iterator<Item = (&'a String, f64, Side)> {
    let most = maximum.iter().map(|(name, bound)| (name, *bound, Side::AtMost));
    most.chain(minimum.iter().map(|(name, bound)| (name, *bound, Side::AtLeast)))
}

/// Holds an evaluation against its gates, and says what becomes of the candidate.
pub(super) fn decide(evaluation: &mut Evaluation) {
    let mut gates = vec![enough_rows(evaluation), beats_rival(evaluation)];
    if evaluation.options.baselines && !evaluation.baselines.is_empty() {
        gates.push(beats_baselines(&evaluation.baselines));
    }
    let options = &evaluation.options;
    for (name, bound, side) in bounds(&options.maximum, &options.minimum) {
        gates.push(metric(evaluation, name, bound, side));
    }
    for declared in &options.slices {
        for (name, bound, side) in bounds(&declared.maximum, &declared.minimum) {
            gates.push(slice(evaluation, declared, name, bound, side));
        }
    }
    for declared in &options.fairness {
        for (name, bound, side) in bounds(&declared.maximum, &declared.minimum) {
            gates.push(fair(evaluation, declared, name, bound, side));
        }
    }
    let passed = gates.iter().all(|gate| gate.passed);
    evaluation.verdict = if passed { Verdict::Promote } else { Verdict::Reject };
    evaluation.reasons = reasons(evaluation, &gates);
    evaluation.gates = gates;
}

fn enough_rows(evaluation: &Evaluation) -> Gate {
    let wanted = evaluation.options.minimum_rows;
    Gate {
        name: "enough rows".to_owned(),
        required: format!("at least {}", text::count(wanted)),
        found: text::count(evaluation.rows),
        passed: evaluation.rows >= wanted,
    }
}

fn beats_rival(evaluation: &Evaluation) -> Gate {
    let (difference, margin) = (&evaluation.difference, evaluation.options.margin);
    let found = difference.interval.map_or_else(
        || "no interval".to_owned(),
        |interval| {
            format!("{} ({} to {})", signed(difference.mean), signed(interval.low), signed(interval.high))
        },
    );
    Gate {
        name: format!("beats {}", difference.rival.name()),
        required: format!(
            "{} difference below {} with its whole interval",
            difference.loss.name(),
            text::number(margin)
        ),
        found,
        passed: difference.interval.is_some_and(|interval| interval.high < margin),
    }
}

fn beats_baselines(baselines: &[AgainstBaseline]) -> Gate {
    let unbeaten: Vec<String> = baselines.iter().filter(|one| !one.beaten).map(unbeaten).collect();
    let names: Vec<&str> = baselines.iter().map(|baseline| baseline.name.as_str()).collect();
    Gate {
        name: "baselines".to_owned(),
        required: format!("better than {}", names.join(", ")),
        found: if unbeaten.is_empty() { "better than all".to_owned() } else { unbeaten.join("; ") },
        passed: unbeaten.is_empty(),
    }
}

fn unbeaten(baseline: &AgainstBaseline) -> String {
    let surely = match baseline.skill {
        Skill::None => " beyond chance",
        Skill::Model => "",
    };
    let interval = baseline.interval.map_or_else(String::new, |interval| {
        format!(
            ", {} interval {} to {}",
            interval.confidence_shown(),
            signed(interval.low),
            signed(interval.high)
        )
    });
    format!(
        "not better than the {} baseline{surely} (its loss is {}, the difference {}{interval})",
        baseline.name,
        text::number(baseline.loss),
        signed(baseline.difference)
    )
}

fn metric(evaluation: &Evaluation, name: &str, bound: f64, side: Side) -> Gate {
    let measures = &evaluation.candidate.measures;
    let measure = Metric::named(name, evaluation.problem)
        .and_then(|metric| measures.iter().find(|measure| measure.metric == metric));
    let value = measure.and_then(|measure| measure.value);
    let found = match (measure, value) {
        (None, _) => "not a metric of this problem".to_owned(),
        (_, None) => "undefined on these rows".to_owned(),
        (_, Some(value)) => text::number(value),
    };
    Gate {
        name: format!("{name} {}", side.word()),
        required: text::number(bound),
        found,
        passed: value.is_some_and(|value| side.holds(value, bound)),
    }
}

/// Every slice in which the metric is defined must meet the bound, and there must be one.
fn slice(evaluation: &Evaluation, declared: &ColumnGates, name: &str, bound: f64, side: Side) -> Gate {
    let column = evaluation.slices.iter().find(|column| column.column == declared.column);
    let metric = Metric::named(name, evaluation.problem);
    let values = column.into_iter().flat_map(|column| &column.slices).filter_map(|slice| {
        let measure = slice.measures.iter().find(|measure| Some(measure.metric) == metric);
        Some((slice.value.as_str(), measure?.value?))
    });
    let worst = values.reduce(|worst, next| {
        let is_worse = match side {
            Side::AtMost => next.1 > worst.1,
            Side::AtLeast => next.1 < worst.1,
        };
        if is_worse { next } else { worst }
    });
    Gate {
        name: format!("{name} in each slice of {} {}", declared.column, side.word()),
        required: text::number(bound),
        found: worst.map_or_else(
            || "undefined in every slice".to_owned(),
            |(slice, value)| format!("{} in {slice}", text::number(value)),
        ),
        passed: worst.is_some_and(|(_, value)| side.holds(value, bound)),
    }
}

fn fair(evaluation: &Evaluation, declared: &ColumnGates, name: &str, bound: f64, side: Side) -> Gate {
    let column = evaluation.fairness.iter().find(|column| column.column == declared.column);
    let measure = Fairness::named(name, evaluation.problem);
    let value = column
        .and_then(|column| column.measures.iter().find(|found| Some(found.measure) == measure))
        .and_then(|measure| measure.value);
    Gate {
        name: format!("{name} of {} {}", declared.column, side.word()),
        required: text::number(bound),
        found: value.map_or_else(|| "undefined on these rows".to_owned(), text::number),
        passed: value.is_some_and(|value| side.holds(value, bound)),
    }
}

/// A difference with its sign.
fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", text::number(value)) } else { text::number(value) }
}

fn compared(difference: &Difference) -> String {
    let (name, rival) = (difference.loss.name(), difference.rival.name());
    match difference.interval {
        Some(interval) => format!(
            "mean {name} {} against {} of the {rival} (difference {}, {} interval {} to {})",
            text::number(difference.challenger),
            text::number(difference.other),
            signed(difference.mean),
            interval.confidence_shown(),
            signed(interval.low),
            signed(interval.high)
        ),
        None => format!("the {name} of the candidate has no interval"),
    }
}

fn reasons(evaluation: &Evaluation, gates: &[Gate]) -> Vec<String> {
    let rival = evaluation.difference.rival.name();
    let compared = compared(&evaluation.difference);
    if evaluation.verdict == Verdict::Promote {
        return vec![format!("the candidate beats the {rival}: {compared}")];
    }
    let failed = gates.iter().filter(|gate| !gate.passed).map(|gate| match gate.name.as_str() {
        "baselines" => format!("the candidate is {}", gate.found),
        name if name.starts_with("beats ") => {
            format!("the candidate does not beat the {rival} beyond chance: {compared}")
        }
        name => format!("{name} {}: found {}", gate.required, gate.found),
    });
    failed.collect()
}
