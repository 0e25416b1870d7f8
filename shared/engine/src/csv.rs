//! CSV in and out: RFC 4180, in pieces of any size, every fault with its row and line.

pub mod cell;
pub mod form;
mod records;
mod typed;
mod write;

pub use crate::record::{Fault, Record};
pub use form::Form;
pub use records::{Dialect, Records};
pub(crate) use typed::Rows;
pub use typed::{Header, Reader, read_all, read_rows};
pub use write::{write_header, write_rows};

use domain::{Problem, limit};

/// Binds the names of a header to the wanted columns: for each wanted name, its position in the
/// file; and the names of the file's columns nobody asked for.
///
/// # Errors
/// A name that is empty or repeated, too many columns, or a wanted column that is not there.
pub fn bind_header(
    file: &str,
    header: &Record<'_>,
    wanted: &[&str],
) -> Result<(Vec<usize>, Vec<String>), Problem> {
    let wrong = |rule: &str| {
        let mut problem = Problem::new(file, rule);
        problem.line = (header.line > 0).then_some(header.line);
        problem
    };
    match &header.fault {
        Some(Fault::Columns) => {
            return Err(wrong("header").expected(format_args!("at most {} columns", limit::COLUMNS_MAX)));
        }
        Some(fault) => return Err(wrong("header").found(fault)),
        None => {}
    }
    let mut names = Vec::with_capacity(header.len());
    for index in 0..header.len() {
        let Ok(name) = std::str::from_utf8(header.field(index)) else {
            return Err(wrong("header").found(format_args!("column {} is not UTF-8", index + 1)));
        };
        if name.trim().is_empty() {
            return Err(wrong("header")
                .found(format_args!("an empty name in column {}", index + 1))
                .expected("a name for each column"));
        }
        names.push(name);
    }
    let is_wanted = |name: &&str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name.trim()));
    if !wanted.is_empty() && !names.iter().any(&is_wanted) {
        // It may be a row of data, whose values are not to be shown before the contract says so.
        return Err(wrong("missing header")
            .found(format_args!("a first line of {} fields, none of them the name of a column", names.len()))
            .expected(format_args!("a line that names {}", wanted.join(", ")))
            .hint(separator_hint(&names, is_wanted)));
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(wrong("header")
            .found(format_args!("two columns named {:?}", pair[0]))
            .expected("distinct names"));
    }
    let mut positions = Vec::with_capacity(wanted.len());
    let mut missing = Vec::new();
    for name in wanted {
        match names.iter().position(|found| found == name) {
            Some(position) => positions.push(position),
            None => missing.push(*name),
        }
    }
    if !missing.is_empty() {
        let found: Vec<&str> = names.iter().copied().take(30).collect();
        let near = names.iter().find(|name| missing.iter().any(|m| m.eq_ignore_ascii_case(name.trim())));
        let hint = match near {
            Some(near) => format!("the file has {near:?}: names are compared letter by letter"),
            None => "add the column to the file, or take it out of the contract".to_owned(),
        };
        return Err(wrong("missing column")
            .field(missing.join(", "))
            .found(format_args!("columns {}", found.join(", ")))
            .hint(hint));
    }
    let extra = names.iter().filter(|name| !wanted.contains(name)).map(|name| (*name).to_owned()).collect();
    Ok((positions, extra))
}

/// What may be wrong with a first line that names no wanted column.
fn separator_hint(names: &[&str], is_wanted: impl Fn(&&str) -> bool) -> String {
    for separator in [';', '\t', '|'] {
        if names.iter().flat_map(|name| name.split(separator)).any(|name| is_wanted(&name)) {
            return format!("the fields are separated by {separator:?}; write the file with commas");
        }
    }
    "put the header back, or rename the columns in the file or the contract".to_owned()
}
