//! How a candidate stands against what takes no skill.

use crate::evaluation::{AgainstBaseline, Evaluation, Skill};
use crate::page::{self, Cell, Html, Tone};
use crate::text;

/// A table of the baselines; nothing where there are none.
pub(super) fn baselines(evaluation: &Evaluation) -> Option<Html> {
    let first = evaluation.baselines.first()?;
    let metric =
        first.measures.first().map_or_else(|| "metric".to_owned(), |one| one.metric.name().into_owned());
    let row = |baseline: &AgainstBaseline| {
        let badge = if baseline.beaten {
            Cell::badge(Tone::Good, "beaten")
        } else {
            Cell::badge(Tone::Bad, "not beaten")
        };
        let interval = baseline.interval.map_or_else(
            || "–".to_owned(),
            |interval| format!("{} to {}", text::number(interval.low), text::number(interval.high)),
        );
        vec![
            badge,
            Cell::text(&baseline.name),
            Cell::optional(baseline.measures.first().and_then(|measure| measure.value)),
            Cell::number(baseline.loss),
            Cell::number(baseline.difference),
            Cell::Number(interval),
            Cell::text(match baseline.skill {
                Skill::None => "better beyond chance",
                Skill::Model => "ahead on these rows",
            }),
        ]
    };
    let rows: Vec<Vec<Cell>> = evaluation.baselines.iter().map(row).collect();
    let headers = ["", "baseline", &metric, "mean loss", "candidate − baseline", "interval", "required"];
    Some(page::table(&headers, &rows).then(Html::note(
        "Learned from the rows that the candidate learned from. The linear one is a ridge or logistic regression of the same features: a candidate that is not ahead of it is not worth its running.",
    )))
}
