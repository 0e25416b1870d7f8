//! The shell of every HTML page Millrace writes: one file, no script, light and dark, all escaped.
//!
//! [`Html`] is text that is safe already; the only ways to make one are the functions here, and
//! each escapes what it is given. So a page cannot be built from an unescaped cell by mistake.

use std::fmt::Write as _;

use crate::text;

/// A piece of a page that is safe to show: everything from outside is escaped already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Nothing.
    pub fn empty() -> Html {
        Html::default()
    }

    /// A text, escaped.
    pub fn text(text: &str) -> Html {
        Html(text::html(text).into_owned())
    }

    /// A paragraph of text.
    pub fn paragraph(text: &str) -> Html {
        Html::text(text).wrapped("p", "")
    }

    /// A paragraph in a quieter colour, for explanations.
    pub fn note(text: &str) -> Html {
        Html::text(text).wrapped("p", "note")
    }

    /// A text in a fixed-width face: names of columns, values, commands.
    pub fn code(text: &str) -> Html {
        Html::text(text).wrapped("code", "")
    }

    /// A smaller heading inside a section.
    pub fn heading(text: &str) -> Html {
        Html::text(text).wrapped("h3", "")
    }

    /// A small coloured label: `error`, `drift`, `champion`.
    pub fn badge(tone: Tone, text: &str) -> Html {
        Html::text(text).wrapped("span", &format!("badge {}", tone.class()))
    }

    /// A list, one item a line.
    pub fn list(items: impl IntoIterator<Item = Html>) -> Html {
        let mut list = Html::empty();
        for item in items {
            list = list.then(item.wrapped("li", ""));
        }
        list.wrapped("ul", "")
    }

    /// A link within the page or to a file beside it; anything with a scheme is shown as text.
    pub fn link(target: &str, label: &str) -> Html {
        if target.contains(':') || target.starts_with("//") {
            return Html::text(label);
        }
        Html(format!("<a href=\"{}\">{}</a>", text::html(target), text::html(label)))
    }

    /// A part that opens on a click, closed at first.
    pub fn details(summary: &str, inside: Html) -> Html {
        Html(format!("<details><summary>{}</summary>{}</details>", text::html(summary), inside.0))
    }

    /// Several pieces side by side, wrapping on a narrow screen.
    pub fn row(pieces: impl IntoIterator<Item = Html>) -> Html {
        let mut row = Html::empty();
        for piece in pieces {
            row = row.then(piece.wrapped("div", ""));
        }
        row.wrapped("div", "row")
    }

    /// This, then that.
    #[must_use]
    pub fn then(mut self, next: Html) -> Html {
        self.0.push_str(&next.0);
        self
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Wraps in an element; tag and class come from the program, never from outside.
    #[must_use]
    pub fn wrapped(self, tag: &'static str, class: &str) -> Html {
        if class.is_empty() {
            return Html(format!("<{tag}>{}</{tag}>", self.0));
        }
        Html(format!("<{tag} class=\"{}\">{}</{tag}>", text::html(class), self.0))
    }
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Somebody should look.
    Warning,
    /// Something is wrong.
    Bad,
    /// A plain fact.
    Plain,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Warning => "warn",
            Tone::Bad => "bad",
            Tone::Plain => "plain",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Tone::Good => "✓",
            Tone::Warning => "!",
            Tone::Bad => "✕",
            Tone::Plain => "i",
        }
    }
}

/// One cell of a table.
#[derive(Clone, Debug)]
pub enum Cell {
    /// A text, escaped.
    Text(String),
    /// A figure or short value: set to the right, digits aligned.
    Number(String),
    /// A short text that no line break parts, such as a date.
    Whole(String),
    /// A name or value in a fixed-width face.
    Code(String),
    /// Anything else that is safe already.
    Html(Html),
}

impl Cell {
    /// A text cell.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    /// A short text that no line break parts, such as a date.
    pub fn whole(text: impl Into<String>) -> Cell {
        Cell::Whole(text.into())
    }

    /// A figure, written for people.
    pub fn number(value: f64) -> Cell {
        Cell::Number(text::number(value))
    }

    /// A figure that may not exist.
    pub fn optional(value: Option<f64>) -> Cell {
        Cell::Number(value.map_or_else(|| "–".to_owned(), text::number))
    }

    /// A count, thousands apart.
    pub fn count(value: u64) -> Cell {
        Cell::Number(text::count(value))
    }

    /// A share as a percentage.
    pub fn percent(share: f64) -> Cell {
        Cell::Number(text::percent(share))
    }

    /// A value in a fixed-width face.
    pub fn code(text: impl Into<String>) -> Cell {
        Cell::Code(text.into())
    }

    /// A small coloured label.
    pub fn badge(tone: Tone, text: &str) -> Cell {
        Cell::Html(Html::badge(tone, text))
    }
}

/// A table under its headers. A header stands right where the first row's cell is a figure.
/// Rows shorter than the headers are filled with empty cells.
pub fn table(headers: &[&str], rows: &[Vec<Cell>]) -> Html {
    let mut markup = String::from("<div class=\"scroll\"><table><thead><tr>");
    for (index, header) in headers.iter().enumerate() {
        let is_number =
            rows.first().and_then(|row| row.get(index)).is_some_and(|c| matches!(c, Cell::Number(_)));
        let class = if is_number { " class=\"num\"" } else { "" };
        let _ = write!(markup, "<th{class}>{}</th>", text::html(header));
    }
    markup.push_str("</tr></thead><tbody>");
    for row in rows {
        markup.push_str("<tr>");
        for cell in row {
            let _ = match cell {
                Cell::Text(value) => write!(markup, "<td>{}</td>", text::html(value)),
                Cell::Whole(value) => write!(markup, "<td class=\"whole\">{}</td>", text::html(value)),
                Cell::Number(value) => write!(markup, "<td class=\"num\">{}</td>", text::html(value)),
                Cell::Code(value) => write!(markup, "<td><code>{}</code></td>", text::html(value)),
                Cell::Html(html) => write!(markup, "<td>{}</td>", html.0),
            };
        }
        for _ in row.len()..headers.len() {
            markup.push_str("<td></td>");
        }
        markup.push_str("</tr>");
    }
    markup.push_str("</tbody></table></div>");
    Html(markup)
}

/// Large figures with small labels under them: the first thing a reader sees.
pub fn figures(facts: &[(&str, String)]) -> Html {
    let mut markup = String::from("<div class=\"figures\">");
    for (label, value) in facts {
        let _ = write!(markup, "<div><b>{}</b><span>{}</span></div>", text::html(value), text::html(label));
    }
    Html(markup + "</div>")
}

/// Names and values, one pair a line: lineage, settings, method and parameters.
pub fn facts(pairs: &[(&str, Html)]) -> Html {
    let mut markup = String::from("<dl>");
    for (name, value) in pairs {
        let _ = write!(markup, "<dt>{}</dt><dd>{}</dd>", text::html(name), value.0);
    }
    Html(markup + "</dl>")
}

/// One bar of a chart.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it counts; shown when the pointer rests on it.
    pub label: String,
    /// Its height; less than nothing or not finite counts as nothing.
    pub value: f64,
}

/// How large a chart is drawn, in CSS pixels; it shrinks with its container.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Size {
    /// As high as a line of a table.
    pub const SPARK: Size = Size { width: 120, height: 28 };
    /// A chart in a card.
    pub const CARD: Size = Size { width: 260, height: 90 };
    /// A chart of its own.
    pub const WIDE: Size = Size { width: 720, height: 200 };
}

/// A bar chart as SVG, scaled to the largest bar.
pub fn bars(size: Size, values: &[Bar]) -> Html {
    bar_chart(size, &[("bar", values)])
}

/// Two series of bars side by side, for example reference (grey) and current: same labels, same
/// scale. The caller passes shares when the totals differ.
pub fn paired_bars(size: Size, reference: &[Bar], current: &[Bar]) -> Html {
    bar_chart(size, &[("bar ref", reference), ("bar", current)])
}

fn bar_chart(size: Size, series: &[(&str, &[Bar])]) -> Html {
    let largest =
        series.iter().flat_map(|(_, bars)| *bars).map(|bar| height_of(bar.value)).fold(0.0, f64::max);
    let slots = series.iter().map(|(_, bars)| bars.len()).max().unwrap_or(0);
    let mut markup = svg_open(size);
    if largest > 0.0 {
        let slot = f64::from(size.width) / slots as f64;
        let gap = (slot * 0.12).min(2.0);
        let breadth = ((slot - gap) / series.len() as f64).max(0.4);
        for (offset, (class, bars)) in series.iter().enumerate() {
            for (index, bar) in bars.iter().enumerate() {
                let share = height_of(bar.value) / largest;
                // Something never looks like nothing.
                let height = if share > 0.0 { (share * f64::from(size.height)).max(1.0) } else { 0.0 };
                let x = index as f64 * slot + gap / 2.0 + offset as f64 * breadth;
                let y = f64::from(size.height) - height;
                let _ = write!(
                    markup,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{breadth:.1}\" height=\"{height:.1}\" rx=\"1\"><title>{}</title></rect>",
                    text::html(&bar.label)
                );
            }
        }
    }
    Html(markup + "</svg>")
}

fn height_of(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

/// A line through points in order; points that are not finite leave a gap.
pub fn line(size: Size, values: &[f64]) -> Html {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let mut markup = svg_open(size);
    if low <= high {
        let span = if high > low { high - low } else { 1.0 };
        let step = f64::from(size.width) / (values.len().max(2) - 1) as f64;
        let mut path = String::new();
        let mut pen_is_down = false;
        for (index, value) in values.iter().enumerate() {
            if !value.is_finite() {
                pen_is_down = false;
                continue;
            }
            let y = 2.0 + (high - value) / span * (f64::from(size.height) - 4.0);
            let verb = if pen_is_down { 'L' } else { 'M' };
            let _ = write!(path, "{verb}{:.1} {y:.1}", index as f64 * step);
            pen_is_down = true;
        }
        let _ = write!(markup, "<path class=\"line\" d=\"{path}\"/>");
    }
    Html(markup + "</svg>")
}

/// An estimate with its interval on a common scale, and a mark (a threshold, or zero).
#[derive(Clone, Debug)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// The estimate.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
}

/// Draws an interval on the scale `from..to` with a vertical mark, if there is one.
pub fn interval(size: Size, scale: (f64, f64), mark: Option<f64>, interval: &Interval) -> Html {
    let (from, to) = scale;
    let span = if to > from { to - from } else { 1.0 };
    let x = |value: f64| ((value - from) / span).clamp(0.0, 1.0) * (f64::from(size.width) - 8.0) + 4.0;
    let mid = f64::from(size.height) / 2.0;
    let mut markup = svg_open(size);
    if let Some(mark) = mark.filter(|m| m.is_finite()) {
        let at = x(mark);
        let _ = write!(markup, "<path class=\"mark\" d=\"M{at:.1} 0V{}\"/>", size.height);
    }
    if interval.low.is_finite() && interval.high.is_finite() && interval.estimate.is_finite() {
        let (low, high, estimate) = (x(interval.low), x(interval.high), x(interval.estimate));
        let _ = write!(
            markup,
            "<path class=\"line\" d=\"M{low:.1} {mid:.1}H{high:.1}\"/><circle class=\"bar\" cx=\"{estimate:.1}\" cy=\"{mid:.1}\" r=\"3.5\"/>"
        );
    }
    Html(markup + "</svg>")
}

/// A point of a [`scatter`].
#[derive(Clone, Debug)]
pub struct Point {
    /// What it is; shown when the pointer rests on it.
    pub label: String,
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// How far up and down it is uncertain or spread, if at all.
    pub spread: Option<[f64; 2]>,
}

/// Points of two series (the first grey, behind) on one scale for both directions, with the
/// diagonal on which both agree. Points that are not finite are left out.
pub fn scatter(size: Size, reference: &[Point], current: &[Point]) -> Html {
    let all = || reference.iter().chain(current).filter(|point| point.x.is_finite() && point.y.is_finite());
    let ends = |point: &Point| {
        [Some(point.x), Some(point.y), point.spread.map(|s| s[0]), point.spread.map(|s| s[1])]
    };
    let values = || all().flat_map(ends).flatten().filter(|value| value.is_finite());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let mut markup = svg_open(size);
    if low <= high {
        let span = if high > low { high - low } else { 1.0 };
        let (width, height) = (f64::from(size.width) - 16.0, f64::from(size.height) - 16.0);
        let across = |value: f64| 8.0 + (value - low) / span * width;
        let up = |value: f64| 8.0 + (high - value) / span * height;
        let _ = write!(markup, "<path class=\"mark\" d=\"M8 {:.1}L{:.1} 8\"/>", 8.0 + height, 8.0 + width);
        for (class, points) in [("bar ref", reference), ("bar", current)] {
            for point in points.iter().filter(|point| point.x.is_finite() && point.y.is_finite()) {
                let (x, y) = (across(point.x), up(point.y));
                if let Some([from, to]) = point.spread.filter(|s| s[0].is_finite() && s[1].is_finite()) {
                    let (from, to) = (up(from), up(to));
                    let _ = write!(
                        markup,
                        "<path class=\"line\" opacity=\".25\" d=\"M{x:.1} {from:.1}V{to:.1}\"/>"
                    );
                }
                let title = text::html(&point.label);
                let _ = write!(
                    markup,
                    "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"><title>{title}</title></circle>"
                );
            }
        }
    }
    Html(markup + "</svg>")
}

/// Curves through points between 0 and 1 both ways (the first grey, behind), and the diagonal from
/// the lower left where there is one to compare with. Points that are not finite are left out.
pub fn unit_curves(size: Size, reference: &[[f64; 2]], current: &[[f64; 2]], diagonal: Diagonal) -> Html {
    let mut markup = svg_open(size);
    let (width, height) = (f64::from(size.width) - 16.0, f64::from(size.height) - 16.0);
    let across = |value: f64| 8.0 + value.clamp(0.0, 1.0) * width;
    let up = |value: f64| 8.0 + (1.0 - value.clamp(0.0, 1.0)) * height;
    let _ = write!(markup, "<path class=\"axis\" d=\"M8 8V{:.1}H{:.1}\"/>", 8.0 + height, 8.0 + width);
    if diagonal == Diagonal::Drawn {
        let _ = write!(markup, "<path class=\"mark\" d=\"M8 {:.1}L{:.1} 8\"/>", 8.0 + height, 8.0 + width);
    }
    for (class, points) in [("line ref", reference), ("line", current)] {
        let mut path = String::new();
        for point in points.iter().filter(|point| point.iter().all(|value| value.is_finite())) {
            let verb = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{verb}{:.1} {:.1}", across(point[0]), up(point[1]));
        }
        if !path.is_empty() {
            let _ = write!(markup, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }
    Html(markup + "</svg>")
}

/// Whether a chart shows its diagonal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagonal {
    /// It does.
    Drawn,
    /// It does not.
    Left,
}

fn svg_open(size: Size) -> String {
    let Size { width, height } = size;
    format!(
        "<svg role=\"img\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">"
    )
}

/// A titled box, for a grid of them.
pub fn card(title: Html, inside: Html) -> Html {
    Html(format!("<article><h4>{}</h4>{}</article>", title.0, inside.0))
}

/// Cards in a grid that fits the screen.
pub fn grid(cards: impl IntoIterator<Item = Html>) -> Html {
    let mut grid = Html::empty();
    for card in cards {
        grid = grid.then(card);
    }
    grid.wrapped("div", "grid")
}

/// A page under construction.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// A page of this title.
    pub fn new(title: &str) -> Page {
        Page { title: title.to_owned(), body: String::new() }
    }

    /// A quiet line under the title: what file, when, under which contract.
    #[must_use]
    pub fn subtitle(mut self, line: Html) -> Page {
        let _ = write!(self.body, "<p class=\"sub\">{}</p>", line.0);
        self
    }

    /// The verdict: a coloured box with a headline and what it means.
    #[must_use]
    pub fn banner(mut self, tone: Tone, headline: &str, inside: Html) -> Page {
        let _ = write!(
            self.body,
            "<div class=\"banner {}\"><i>{}</i><div><strong>{}</strong>{}</div></div>",
            tone.class(),
            tone.sign(),
            text::html(headline),
            inside.0
        );
        self
    }

    /// Content without a heading.
    #[must_use]
    pub fn add(mut self, inside: Html) -> Page {
        self.body.push_str(&inside.0);
        self
    }

    /// Content under a heading.
    #[must_use]
    pub fn section(mut self, title: &str, inside: Html) -> Page {
        let _ = write!(self.body, "<section><h2>{}</h2>{}</section>", text::html(title), inside.0);
        self
    }

    /// The whole file. It holds no script and loads nothing; its policy forbids both.
    pub fn finish(self) -> String {
        let title = text::html(&self.title);
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><main><header><span class=\"logo\">millrace</span><h1>{title}</h1></header>\n{}\n</main></body></html>\n",
            self.body
        )
    }
}

const STYLE: &str = "\
:root{--bg:#f7f8fa;--card:#fff;--ink:#1b2330;--soft:#5c6779;--line:#e3e7ee;--bar:#3b73d9;--ref:#b6bfcd;\
--good:#1a7f4b;--good-bg:#e6f5ec;--warn:#94600a;--warn-bg:#fdf3dc;--bad:#b42431;--bad-bg:#fdeaec;--plain-bg:#eaf0fb}\
@media(prefers-color-scheme:dark){:root{--bg:#11151c;--card:#191f29;--ink:#e4e9f1;--soft:#97a3b6;--line:#2b3443;--bar:#6c9cf2;--ref:#566175;\
--good:#5fd398;--good-bg:#14301f;--warn:#eebb5b;--warn-bg:#352a12;--bad:#ff8a94;--bad-bg:#3a191d;--plain-bg:#1b2740}}\
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);\
font:15px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",sans-serif;-webkit-text-size-adjust:100%}\
main{max-width:1120px;margin:0 auto;padding:28px 22px 64px}\
header{display:flex;flex-direction:column}.logo{font-size:12px;font-weight:600;letter-spacing:.14em;text-transform:uppercase;color:var(--bar)}\
h1{font-size:26px;line-height:1.25;margin:2px 0 4px;font-weight:650;overflow-wrap:anywhere}\
h2{font-size:18px;margin:36px 0 10px;font-weight:650}h3{font-size:15px;margin:20px 0 6px}\
h4{font-size:14px;margin:0 0 8px;font-weight:600;display:flex;gap:8px;align-items:baseline;flex-wrap:wrap;overflow-wrap:anywhere}\
p{margin:6px 0}.sub,.note{color:var(--soft);overflow-wrap:anywhere}.note{font-size:13.5px}a{color:var(--bar)}\
code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:color-mix(in srgb,var(--line) 55%,transparent);\
padding:1px 5px;border-radius:4px;overflow-wrap:anywhere;white-space:pre-wrap}\
.banner{display:flex;gap:14px;margin:18px 0;padding:16px 18px;border-radius:12px;border:1px solid var(--line);background:var(--plain-bg)}\
.banner>div{min-width:0}.banner strong{font-size:17px;display:block;overflow-wrap:anywhere}.banner i{flex:none;width:28px;height:28px;border-radius:50%;display:grid;place-items:center;\
font:700 15px system-ui;background:var(--bar);color:var(--card)}\
.banner.good{background:var(--good-bg)}.banner.good i{background:var(--good)}.banner.good strong{color:var(--good)}\
.banner.warn{background:var(--warn-bg)}.banner.warn i{background:var(--warn)}.banner.warn strong{color:var(--warn)}\
.banner.bad{background:var(--bad-bg)}.banner.bad i{background:var(--bad)}.banner.bad strong{color:var(--bad)}\
.banner ul{margin:6px 0 0;padding-left:20px}\
.figures{display:flex;flex-wrap:wrap;gap:10px;margin:16px 0}.figures>div{flex:1 1 130px;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px}\
.figures b{display:block;font-size:21px;font-weight:650;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}.figures span{color:var(--soft);font-size:12.5px}\
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px;margin:8px 0}\
table{border-collapse:collapse;width:100%;font-size:13.5px}th,td{text-align:left;padding:8px 12px;vertical-align:top;border-bottom:1px solid var(--line)}\
tr:last-child>td{border-bottom:0}th{font-size:12px;font-weight:600;color:var(--soft);white-space:nowrap}td{max-width:34em}td,td code{overflow-wrap:break-word}td.whole{white-space:nowrap}\
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td svg{display:block}\
.badge{display:inline-block;font-size:11.5px;font-weight:600;line-height:1.6;padding:0 8px;border-radius:20px;background:var(--plain-bg);color:var(--soft);white-space:nowrap}\
.badge.good{background:var(--good-bg);color:var(--good)}.badge.warn{background:var(--warn-bg);color:var(--warn)}.badge.bad{background:var(--bad-bg);color:var(--bad)}\
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(255px,1fr));gap:12px}\
article{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;min-width:0}article svg{width:100%;height:auto;aspect-ratio:26/9;display:block;margin:4px 0 8px}\
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 14px;margin:6px 0;font-size:13px}dt{color:var(--soft)}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\
.row{display:flex;flex-wrap:wrap;gap:18px;align-items:center}details{margin:8px 0}summary{cursor:pointer;color:var(--bar)}\
svg{max-width:100%}.bar{fill:var(--bar)}.bar.ref{fill:var(--ref)}.line{fill:none;stroke:var(--bar);stroke-width:2;vector-effect:non-scaling-stroke}.line.ref{stroke:var(--ref)}.axis{fill:none;stroke:var(--line)}.mark{stroke:var(--soft);stroke-dasharray:3 3;fill:none}\
ul{margin:6px 0;padding-left:20px}@media print{body{background:#fff}}";

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\" onload='x'";

    #[test]
    fn nothing_from_outside_reaches_the_page_unescaped() {
        let hostile = || HOSTILE.to_owned();
        let bar = || vec![Bar { label: hostile(), value: 1.0 }];
        let page = Page::new(HOSTILE)
            .subtitle(Html::text(HOSTILE))
            .banner(Tone::Bad, HOSTILE, Html::paragraph(HOSTILE).then(Html::list([Html::code(HOSTILE)])))
            .section(
                HOSTILE,
                table(
                    &[HOSTILE],
                    &[
                        vec![Cell::text(HOSTILE)],
                        vec![Cell::whole(HOSTILE)],
                        vec![Cell::code(HOSTILE)],
                        vec![Cell::Number(hostile())],
                    ],
                ),
            )
            .add(figures(&[(HOSTILE, hostile())]))
            .add(facts(&[(HOSTILE, Html::text(HOSTILE))]))
            .add(bars(Size::CARD, &bar()))
            .add(paired_bars(Size::WIDE, &bar(), &bar()))
            .add(card(Html::badge(Tone::Good, HOSTILE), Html::details(HOSTILE, Html::note(HOSTILE))))
            .add(Html::link(HOSTILE, HOSTILE))
            .finish();
        assert!(!page.contains("<script"));
        assert!(!page.contains("' onload") && !page.contains("\" onload"));
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn links_with_a_scheme_are_only_shown() {
        assert_eq!(Html::link("javascript:alert(1)", "x").as_str(), "x");
        assert_eq!(Html::link("report.html", "x").as_str(), "<a href=\"report.html\">x</a>");
    }

    #[test]
    fn charts_take_any_values() {
        let odd = [f64::NAN, f64::INFINITY, -1.0, 0.0, 5.0];
        let list: Vec<Bar> = odd.iter().map(|&value| Bar { label: String::new(), value }).collect();
        for chart in [
            bars(Size::SPARK, &list),
            bars(Size::SPARK, &[]),
            line(Size::SPARK, &odd),
            line(Size::SPARK, &[]),
            unit_curves(Size::CARD, &[], &[[f64::NAN, 0.0], [-1.0, 2.0], [0.5, 0.5]], Diagonal::Drawn),
            interval(
                Size::SPARK,
                (0.0, 0.0),
                Some(f64::NAN),
                &Interval { low: f64::NAN, estimate: 0.0, high: 1.0 },
            ),
        ] {
            assert!(chart.as_str().starts_with("<svg") && chart.as_str().ends_with("</svg>"));
            assert!(!chart.as_str().contains("NaN") && !chart.as_str().contains("inf"));
        }
    }

    #[test]
    fn a_page_is_small_and_loads_nothing() {
        let page = Page::new("t").finish();
        assert!(page.len() < 8_000);
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<link"));
    }
}
