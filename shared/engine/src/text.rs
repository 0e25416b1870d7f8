//! How a text from outside is shown safely, and how figures are written for people.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What stands in place of a value that may not be shown.
pub const MASKED: &str = "(masked)";

/// Characters of a value shown in a report before it is cut.
pub const SHOWN_CHARS_MAX: usize = 80;

/// Escapes a text for HTML, in elements and in quoted attributes. Control and direction-changing
/// characters become visible escapes, so that a cell can neither break the page nor pretend to
/// be another text.
pub fn html(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !matches!(c, '&' | '<' | '>' | '"' | '\'') && !is_unsafe(c);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if is_unsafe(c) => push_visible(&mut safe, c),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Makes a text safe for a terminal: control characters (escape sequences among them) and
/// direction-changing characters become visible escapes such as `\u{1b}`.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            push_visible(&mut safe, c);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn push_visible(safe: &mut String, c: char) {
    match c {
        '\n' => safe.push_str("\\n"),
        '\r' => safe.push_str("\\r"),
        '\t' => safe.push_str("\\t"),
        c => {
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

/// Whether a character can act on its surroundings rather than be read: C0 and C1 controls,
/// line and paragraph separators, zero-width and bidirectional controls.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Cuts a text after so many characters, with an ellipsis where something is missing.
pub fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
            Cow::Owned(kept + "…")
        }
    }
}

/// Columns of a terminal that a text takes: wide (East Asian, emoji) characters take two,
/// combining marks none. An approximation by ranges, good enough to align tables.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x1ab0..=0x1aff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f => 2,
        0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A text cut or filled with spaces to exactly this many columns of a terminal; controls are
/// made visible first.
pub fn fit(text: &str, columns: usize) -> String {
    let safe = terminal(text);
    let mut fitted = String::with_capacity(columns);
    let mut used = 0;
    let whole = width(&safe) <= columns;
    let room = if whole { columns } else { columns.saturating_sub(1) };
    for c in safe.chars() {
        let next = char_width(c);
        if used + next > room {
            break;
        }
        fitted.push(c);
        used += next;
    }
    if !whole && columns > 0 {
        fitted.push('…');
        used += 1;
    }
    fitted.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    fitted
}

/// A count with thousands apart: `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun: `1 row`, `2 rows`.
pub fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n))
}

/// A share of one, as a percentage with a sensible number of digits: `0.03 %`, `12.5 %`, `100 %`.
/// What is not nothing never shows as `0 %`, what is not all never as `100 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value == 0.0 || value == 100.0 {
        return format!("{value:.0} %");
    }
    if value < 0.01 {
        return "<0.01 %".to_owned();
    }
    if value < 1.0 {
        return format!("{value:.2} %");
    }
    if value > 99.9 && value < 100.0 {
        return ">99.9 %".to_owned();
    }
    format!("{value:.1} %")
}

/// A figure for people: five significant digits, thousands apart from ten thousand on (so that a
/// year stays a year), exponents only where needed.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+∞" } else { "−∞" }.to_owned();
    }
    let size = value.abs();
    let text = if size == 0.0 {
        return "0".to_owned();
    } else if !(1e-4..1e15).contains(&size) {
        format!("{value:.3e}")
    } else if size >= 9_999.95 {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(size.round() as u64))
    } else {
        let whole_digits = size.log10().floor() as i32 + 1;
        let decimals = usize::try_from(5 - whole_digits).unwrap_or(0);
        let fixed = format!("{value:.decimals$}");
        if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.').to_owned() } else { fixed }
    };
    text.replace('-', "−")
}

/// Bytes for people: `12.3 MB` (decimal units).
pub fn bytes(n: u64) -> String {
    match n {
        0..=999 => format!("{n} B"),
        1_000..=999_999 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..=999_999_999 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}

/// Bars of block characters, one for each value, scaled to the largest: `▁▃█▂`.
pub fn sparkline(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let bar = |value: f64| {
        if !value.is_finite() || value <= 0.0 || largest <= 0.0 {
            return ' ';
        }
        let step = (value / largest * 7.0).round() as usize;
        BLOCKS[step.min(7)]
    };
    values.iter().map(|&value| bar(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_cannot_be_left() {
        assert_eq!(
            html("<script>alert('x')&\"</script>"),
            "&lt;script&gt;alert(&#39;x&#39;)&amp;&quot;&lt;/script&gt;"
        );
        assert_eq!(html("a\u{202e}b\0"), "a\\u{202e}b\\u{0}");
        assert!(matches!(html("plain é 日本"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_terminal_cannot_be_commanded() {
        assert_eq!(terminal("\x1b[31mred\x07\n"), "\\u{1b}[31mred\\u{7}\\n");
        assert_eq!(terminal("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn texts_are_cut_between_characters_and_fitted_to_columns() {
        assert_eq!(cut("éééé", 3), "éé…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!(width("日本"), 4);
    }

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(number(1.0), "1");
        assert_eq!(number(0.123_456_789), "0.12346");
        assert_eq!(number(-1234.5678), "−1234.6");
        assert_eq!(number(123_456.7), "123,457");
        assert_eq!(number(-17_861.4), "−17,861");
        assert_eq!(number(1953.0), "1953");
        assert_eq!(number(9999.96), "10,000");
        assert_eq!(number(1e-7), "1.000e−7");
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.00001), "<0.01 %");
        assert_eq!(percent(0.125), "12.5 %");
        assert_eq!(percent(0.9999), ">99.9 %");
        assert_eq!(bytes(1_500_000), "1.5 MB");
    }

    #[test]
    fn sparklines_show_empty_and_odd_values_as_gaps() {
        assert_eq!(sparkline(&[0.0, 1.0, 4.0, 8.0, f64::NAN]), " ▂▅█ ");
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[0.0]), " ");
    }
}
