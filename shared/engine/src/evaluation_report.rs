//! How does an evaluation read as a page?

mod baselines;
mod checks;
mod classes;
mod importances;
mod slices;

use domain::pipeline::ProblemType;

use crate::evaluation::{Evaluation, Group, IntervalMethod, Rival, Scorecard, Verdict};
use crate::metrics::{Better, Measure};
use crate::page::{self, Cell, Html, Page, Point, Size, Tone};
use crate::text;

/// The page of an evaluation. `subtitle` says which candidate and champion, on which rows.
pub fn html(evaluation: &Evaluation, title: &str, subtitle: &str) -> String {
    let (tone, headline) = match evaluation.verdict {
        Verdict::Promote => (Tone::Good, "Promote: the candidate passed every gate"),
        Verdict::Reject => (Tone::Bad, "Reject: the candidate did not pass every gate"),
    };
    let reasons = Html::list(evaluation.reasons.iter().map(|reason| Html::text(reason)));
    let mut page = Page::new(title)
        .subtitle(Html::text(subtitle))
        .banner(tone, headline, reasons)
        .add(figures(evaluation))
        .section("Gates", gates(evaluation))
        .section(&format!("Candidate against {}", evaluation.difference.rival.name()), difference(evaluation))
        .section("Metrics", metrics(evaluation));
    let loss = evaluation.difference.loss.name();
    let optional = [
        ("Baselines", baselines::baselines(evaluation)),
        ("The data", evaluation.checks.as_ref().map(|found| checks::checks(evaluation, found))),
        ("What the model needs", importances::importances(evaluation)),
        ("Slices", slices::slices(evaluation)),
        ("Worst slices", evaluation.search.as_ref().map(|found| slices::search(found, loss))),
        ("Fairness", slices::fairness(evaluation)),
        ("Classes", classes::classes(evaluation)),
    ];
    for (title, section) in optional {
        if let Some(section) = section {
            page = page.section(title, section);
        }
    }
    page.section("Predicted and actual", calibration(evaluation))
        .section("How this was measured", method(evaluation))
        .finish()
}

/// What people must know of the data although no gate rests on it, one sentence each.
pub fn warnings(evaluation: &Evaluation) -> Vec<String> {
    let Some(found) = &evaluation.checks else { return Vec::new() };
    let mut warnings: Vec<String> = found.leaks.iter().map(checks::sentence).collect();
    if found.duplicates > 0 {
        let rows = text::counted(found.duplicates, "withheld row");
        warnings.push(format!("{rows} stand among the training rows too"));
    }
    if found.labels.shifted {
        let distance = text::number(found.labels.distance);
        warnings.push(format!("the target moved between training and withheld rows (distance {distance})"));
    }
    if found.labels.constant {
        warnings.push("every withheld row has the same target".to_owned());
    }
    warnings
}

fn shown(measure: Option<&Measure>) -> String {
    measure.and_then(|measure| measure.value).map_or_else(|| "–".to_owned(), text::number)
}

fn figures(evaluation: &Evaluation) -> Html {
    let headline = |card: &Scorecard| shown(card.measures.first());
    let name = evaluation
        .candidate
        .measures
        .first()
        .map_or_else(String::new, |measure| measure.metric.name().into_owned());
    let labels = [format!("candidate {name}"), format!("champion {name}"), format!("naive {name}")];
    let mut facts = vec![(labels[0].as_str(), headline(&evaluation.candidate))];
    if let Some(champion) = &evaluation.champion {
        facts.push((labels[1].as_str(), headline(champion)));
    }
    facts.push((labels[2].as_str(), headline(&evaluation.naive)));
    facts.push(("withheld rows", text::count(evaluation.rows)));
    page::figures(&facts)
}

fn gates(evaluation: &Evaluation) -> Html {
    let row = |gate: &crate::evaluation::Gate| {
        let badge =
            if gate.passed { Cell::badge(Tone::Good, "passed") } else { Cell::badge(Tone::Bad, "failed") };
        vec![badge, Cell::text(&gate.name), Cell::text(&gate.required), Cell::text(&gate.found)]
    };
    let rows: Vec<Vec<Cell>> = evaluation.gates.iter().map(row).collect();
    page::table(&["", "gate", "required", "found"], &rows)
}

fn difference(evaluation: &Evaluation) -> Html {
    let difference = &evaluation.difference;
    let other = difference.rival.name();
    let name = difference.loss.name();
    let mut pairs = vec![
        ("candidate", Html::text(&format!("mean {name} {}", text::number(difference.challenger)))),
        (other, Html::text(&format!("mean {name} {}", text::number(difference.other)))),
    ];
    let Some(interval) = difference.interval else {
        return page::facts(&pairs).then(Html::paragraph("The difference has no interval."));
    };
    let found = format!(
        "{} ({} interval {} to {})",
        text::number(difference.mean),
        interval.confidence_shown(),
        text::number(interval.low),
        text::number(interval.high)
    );
    pairs.push(("difference", Html::text(&found)));
    let margin = evaluation.options.margin;
    let widest = [interval.low, interval.high, margin].map(f64::abs).into_iter().fold(0.0, f64::max) * 1.1;
    let drawn = page::Interval { low: interval.low, estimate: difference.mean, high: interval.high };
    page::facts(&pairs)
        .then(page::interval(Size { width: 720, height: 36 }, (-widest, widest), Some(margin), &drawn))
        .then(Html::note(
            "Row by row, loss of the candidate less loss of the other, with its interval. The dashed line is the margin: the whole interval must lie left of it.",
        ))
}

fn metrics(evaluation: &Evaluation) -> Html {
    let cards: Vec<(&str, &Scorecard)> = [
        Some(("candidate", &evaluation.candidate)),
        evaluation.champion.as_ref().map(|champion| ("champion", champion)),
        Some(("naive baseline", &evaluation.naive)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut headers = vec!["metric"];
    for (name, _) in &cards {
        headers.extend([*name, "interval"]);
    }
    let mut rows = Vec::new();
    for (place, measure) in evaluation.candidate.measures.iter().enumerate() {
        let better = match measure.metric.better() {
            Better::Lower => "lower is better",
            Better::Higher => "higher is better",
        };
        let name = Html::code(&measure.metric.name())
            .then(Html::text(&format!(" {better}")).wrapped("span", "note"));
        let mut row = vec![Cell::Html(name)];
        for (_, card) in &cards {
            let measure = card.measures.get(place);
            let interval = measure.and_then(|measure| measure.interval);
            row.push(Cell::Number(shown(measure)));
            row.push(Cell::Number(interval.map_or_else(
                || "–".to_owned(),
                |interval| format!("{} to {}", text::number(interval.low), text::number(interval.high)),
            )));
        }
        rows.push(row);
    }
    page::table(&headers, &rows)
}

fn calibration(evaluation: &Evaluation) -> Html {
    let champion = evaluation.champion.as_ref().map_or(&[][..], |champion| &champion.groups);
    let words = match evaluation.problem {
        ProblemType::Regression => ("mean prediction", "mean of what happened"),
        ProblemType::Binary => ("mean probability", "share that happened"),
        ProblemType::Multiclass => {
            ("mean probability of the likeliest class", "share of rows where it was right")
        }
    };
    let points = |groups: &[Group], whose: &str, spread: bool| -> Vec<Point> {
        let point = |group: &Group| Point {
            label: format!(
                "{whose}: predicted {}, happened {} ({})",
                text::number(group.predicted),
                text::number(group.actual),
                text::counted(group.rows, "row")
            ),
            x: group.predicted,
            y: group.actual,
            spread: group.spread.filter(|_| spread),
        };
        groups.iter().map(point).collect()
    };
    let size = Size { width: 340, height: 340 };
    let chart = page::scatter(
        size,
        &points(champion, "champion", false),
        &points(&evaluation.candidate.groups, "candidate", true),
    );
    let bands = if evaluation.problem == ProblemType::Regression {
        " The bars hold the middle four fifths of what happened."
    } else {
        ""
    };
    let also = if champion.is_empty() { "" } else { " Grey: the champion." };
    let note = format!(
        "Rows in up to ten groups of equal size by prediction. Across: {}; up: {}. On the dashed line both agree. Blue: the candidate.{also}{bands}",
        words.0, words.1
    );
    let row = |group: &Group| {
        vec![
            Cell::number(group.predicted),
            Cell::number(group.actual),
            Cell::number(group.actual - group.predicted),
            Cell::count(group.rows),
        ]
    };
    let rows: Vec<Vec<Cell>> = evaluation.candidate.groups.iter().map(row).collect();
    let table = page::table(&["predicted", "happened", "residual", "rows"], &rows);
    Html::row([chart, table]).then(Html::note(&note))
}

fn method(evaluation: &Evaluation) -> Html {
    let difference = &evaluation.difference;
    let options = &evaluation.options;
    let (units, count) = match difference.clusters {
        Some(clusters) => ("clusters of rows that share an entity's bucket", clusters as u64),
        None => ("rows", evaluation.rows),
    };
    let drawn = if (difference.rows_drawn as u64) < count {
        format!(
            ", {} drawn each time and the spread narrowed accordingly (m-out-of-n)",
            text::count(difference.rows_drawn as u64)
        )
    } else {
        String::new()
    };
    let accelerated = match difference.method {
        IntervalMethod::Bca => ", bias-corrected and accelerated (BCa) for differences of losses",
        IntervalMethod::Percentile => "",
    };
    let rule = match difference.rival {
        Rival::Champion => {
            "promote when the upper end of (challenger loss − champion loss) is below the margin"
        }
        Rival::Naive => {
            "without a champion: promote when the upper end of (challenger loss − naive loss) is below the margin"
        }
    };
    page::facts(&[
        ("rule", Html::text(rule)),
        ("margin", Html::text(&text::number(options.margin))),
        (
            "intervals",
            Html::text(&format!(
                "bootstrap percentiles{accelerated}, {} resamples of {units}, seed {}, {} two-sided{drawn}",
                text::count(options.resamples as u64),
                options.seed,
                text::number(options.confidence * 100.0) + " %"
            )),
        ),
        ("naive baseline", Html::text("answers what the training rows held on average, whatever the row")),
        (
            "definitions",
            Html::text(
                "scikit-learn's; log loss with the natural logarithm, pr_auc is average precision, cuts at one half",
            ),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Candidates, EvaluationOptions, Naive, evaluate};
    use crate::metrics::{Prediction, Truth};

    #[test]
    fn the_page_shows_verdict_gates_and_metrics_and_escapes_what_people_named() {
        let truth = Truth::Numbers((0..60).map(f64::from).collect());
        let candidate =
            Prediction::Numbers((0..60).map(|row| f64::from(row) + f64::from(row % 3) - 1.0).collect());
        let mut options = EvaluationOptions { resamples: 100, ..EvaluationOptions::default() };
        options.maximum.insert("<b>rmse</b>".into(), 1.0);
        let naive = Naive::of(&truth);
        let candidates = Candidates::plain(&truth, &candidate, None, &naive);
        let evaluation = evaluate("p.csv", &candidates, &options).unwrap();
        let page = html(&evaluation, "Evaluation of <x>", "run 1");
        assert!(page.contains("Reject: the candidate did not pass every gate"));
        assert!(page.contains("beats naive baseline") && page.contains("not a metric of this problem"));
        assert!(!page.contains("<b>rmse") && !page.contains("of <x>"));
        assert_eq!(page, html(&evaluation, "Evaluation of <x>", "run 1"));
    }
}
