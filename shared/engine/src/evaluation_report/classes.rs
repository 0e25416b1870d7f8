//! How calls and probabilities of classes are drawn.

use domain::pipeline::ProblemType;

use crate::evaluation::{Evaluation, Scorecard};
use crate::metrics::curve::Curves;
use crate::metrics::reliability::Bin;
use crate::page::{self, Cell, Diagonal, Html, Size};
use crate::text;

/// Classes whose calls are shown; a wider table helps nobody, and the JSON has them all.
const SHOWN_CLASSES_MAX: usize = 20;

const SQUARE: Size = Size { width: 300, height: 300 };

/// Reliability, curves and confusion; nothing for a number.
pub(super) fn classes(evaluation: &Evaluation) -> Option<Html> {
    if evaluation.problem == ProblemType::Regression {
        return None;
    }
    let mut charts = vec![reliability(evaluation)];
    if let Some(own) = &evaluation.candidate.curves {
        let champion = evaluation.champion.as_ref().and_then(|champion| champion.curves.as_ref());
        charts.extend(curves(own, champion));
    }
    let also = if evaluation.champion.is_some() { " Grey: the champion." } else { "" };
    let note = format!("Blue: the candidate.{also} All axes go from 0 to 1.");
    Some(Html::row(charts).then(Html::note(&note)).then(confusion(evaluation)))
}

fn chart(title: &str, drawn: Html, axes: &str) -> Html {
    Html::heading(title).then(drawn).then(Html::note(axes))
}

fn reliability(evaluation: &Evaluation) -> Html {
    let points = |card: &Scorecard| -> Vec<[f64; 2]> {
        card.reliability.iter().map(|bin: &Bin| [bin.predicted, bin.actual]).collect()
    };
    let champion = evaluation.champion.as_ref().map_or_else(Vec::new, points);
    let drawn = page::unit_curves(SQUARE, &champion, &points(&evaluation.candidate), Diagonal::Drawn);
    chart("Reliability", drawn, "across: probability; up: share that happened")
}

fn curves(own: &Curves, champion: Option<&Curves>) -> [Html; 2] {
    let theirs = |pick: fn(&Curves) -> &Vec<[f64; 2]>| champion.map_or(&[][..], |curves| pick(curves));
    let roc = page::unit_curves(SQUARE, theirs(|curves| &curves.roc), &own.roc, Diagonal::Drawn);
    let pr = page::unit_curves(SQUARE, theirs(|curves| &curves.pr), &own.pr, Diagonal::Left);
    [
        chart("ROC", roc, "across: false positive rate; up: true positive rate"),
        chart("Precision and recall", pr, "across: recall; up: precision"),
    ]
}

fn confusion(evaluation: &Evaluation) -> Html {
    let Some(confusion) = &evaluation.candidate.confusion else { return Html::empty() };
    let name = |place: usize| {
        let named = evaluation.classes.get(place).map(|name| text::cut(name, 40).into_owned());
        named.unwrap_or_else(|| format!("class {}", place + 1))
    };
    let shown = confusion.rows.len().min(SHOWN_CLASSES_MAX);
    let called: Vec<String> = (0..shown).map(|place| format!("called {}", name(place))).collect();
    let mut headers = vec!["happened"];
    headers.extend(called.iter().map(String::as_str));
    let row = |place: usize| {
        let mut cells = vec![Cell::text(name(place))];
        cells.extend(confusion.rows[place].iter().take(shown).map(|count| Cell::count(*count)));
        cells
    };
    let rows: Vec<Vec<Cell>> = (0..shown).map(row).collect();
    let left = confusion.rows.len() - shown;
    let more = match left {
        0 => Html::empty(),
        _ => Html::note(&format!("{} are in the JSON alone.", text::counted(left as u64, "more class"))),
    };
    Html::heading("Confusion").then(page::table(&headers, &rows)).then(more)
}
