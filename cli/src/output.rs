//! How the command speaks: tables that fit the terminal, JSON for programs, errors that help.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
#[cfg(feature = "server")]
use domain::{Problem, limit};
use indicatif::ProgressBar;
use serde_json::Value;

/// Exit code: it was done, and all is well.
pub(crate) const OK: u8 = 0;
/// Exit code: it could not be done.
pub(crate) const FAILED: u8 = 1;
/// Exit code: the command line is wrong; the parser uses it too.
#[cfg(feature = "server")]
pub(crate) const WRONG: u8 = 2;
/// Exit code: it was done, and what was looked at is not well (a file that breaks its contract, a
/// run without a model, drift).
pub(crate) const NOT_WELL: u8 = 3;

/// An error for a person: what was tried, on what, why not, what to do next.
pub(crate) type Error = Box<dyn std::error::Error>;

/// What a command answers.
pub(crate) type Done = Result<std::process::ExitCode, Error>;

/// An error of one sentence.
pub(crate) fn error<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(message.into().into())
}

/// For whom an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people: tables and sentences.
    Text,
    /// For programs.
    Json,
}

/// Writes to standard output; a reader that went away (`| head`) is no failure.
pub(crate) fn say(text: &str) {
    // Where it fails, nobody is left to tell.
    let _ = try_say(text);
}

/// Writes to standard output; fails where its reader went away.
pub(crate) fn try_say(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Faults of files that a person wrote, each with the line where it stands and a mark below its
/// place, as compilers show it.
pub(crate) fn problems(problems: &[Problem]) -> Error {
    let told = |problem: &Problem| format!("{problem}{}", excerpt(problem).unwrap_or_default());
    problems.iter().map(told).collect::<Vec<_>>().join("\n       ").into()
}

/// The line where a problem stands, if the file can still be read.
fn excerpt(problem: &Problem) -> Option<String> {
    let (number, position) = (problem.line?, usize::try_from(problem.position?).ok()?);
    let size = std::fs::metadata(&problem.file).ok()?.len();
    if size > limit::CONFIG_BYTES_MAX as u64 {
        return None;
    }
    let text = std::fs::read_to_string(&problem.file).ok()?;
    let line = text.lines().nth(usize::try_from(number).ok()?.checked_sub(1)?)?;
    // A character that moves the cursor would move the mark away from its place.
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let letters: Vec<char> = line.chars().map(plain).collect();
    let place = position.checked_sub(1)?.min(letters.len());
    let room = width().saturating_sub(16).max(24);
    let first = if place < room { 0 } else { place - room / 2 };
    let shown: String = letters.iter().skip(first).take(room).collect();
    let gutter = " ".repeat(number.to_string().len());
    let indent = " ".repeat(place - first);
    Some(format!(
        "\n        {gutter} |\n        {number} | {}\n        {gutter} | {indent}^",
        shown.trim_end()
    ))
}

/// Writes an error to standard error.
pub(crate) fn complain(error: &Error) {
    let mut stderr = std::io::stderr().lock();
    let red = stderr.is_terminal() && !no_color();
    let label = if red { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
    let text = error.to_string().lines().map(engine::text::terminal).collect::<Vec<_>>().join("\n");
    let _ = writeln!(stderr, "{label} {text}");
}

/// Whether the person asked for no colours (<https://no-color.org>).
#[expect(clippy::disallowed_methods, reason = "the command is where the environment is read")]
pub(crate) fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}

/// Columns of the terminal; 100 where there is none.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(40, 240)
}

/// Prints a value as JSON for programs.
pub(crate) fn json(value: &Value) {
    say(&format!("{value:#}"));
}

/// Prints a table that fits the terminal, or a sentence where there are no rows.
pub(crate) fn table(headers: &[&str], rows: Vec<Vec<String>>, nothing: &str) {
    if rows.is_empty() {
        say(nothing);
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width() as u16);
    table.set_header(headers.iter().map(|header| header.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| engine::text::terminal(cell)));
    }
    for line in table.to_string().lines() {
        say(line.trim_end());
    }
}

/// Writes one line in which nothing that came from outside can command the terminal.
#[cfg(feature = "server")]
pub(crate) fn line(text: &str) {
    say(&engine::text::terminal(text));
}

/// Prints facts, one a line, whole, so that they can be copied.
#[cfg(feature = "server")]
pub(crate) fn facts(facts: &[(&str, String)]) {
    let names = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in facts {
        line(&format!("{name:names$}  {value}"));
    }
}

/// Shows on a terminal that something is waited for, until it is dropped or cleared.
#[cfg(feature = "server")]
pub(crate) fn spinner(what: &str) -> ProgressBar {
    let spinner =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    spinner.set_message(engine::text::terminal(what).into_owned());
    spinner.enable_steady_tick(std::time::Duration::from_millis(120));
    spinner
}
