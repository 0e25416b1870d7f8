//! What the columns of a file seem to hold, told by its cells alone.

use domain::Problem;

use crate::csv::cell;
use crate::csv::form::{Form, Offset};
use crate::csv::{Dialect, Record, Records, bind_header};
use crate::table::{Field, Kind, Schema};

/// From the narrowest kind to the one that holds everything.
const KINDS: [Kind; 6] =
    [Kind::Boolean, Kind::Integer, Kind::Number, Kind::Date, Kind::Timestamp, Kind::Text];

/// Finds the narrowest kind that every cell of each column fits; a column without a value is
/// text. It is fed in pieces and keeps one mark for each kind and column.
#[derive(Debug)]
pub struct Inference {
    file: String,
    records: Records,
    names: Option<Vec<String>>,
    fits: Vec<[bool; 6]>,
    filled: Vec<bool>,
}

impl Inference {
    /// An inference at the start of a file; `file` is how errors name it.
    pub fn new(file: &str) -> Inference {
        let records = Records::new(file, &Dialect::default());
        Inference { file: file.to_owned(), records, names: None, fits: Vec::new(), filled: Vec::new() }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// A header that cannot be used.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let Inference { file, records, names, fits, filled } = self;
        records.push(bytes, &mut |record| take(file, names, fits, filled, record))
    }

    /// The schema.
    ///
    /// # Errors
    /// An empty file.
    pub fn finish(mut self) -> Result<Schema, Problem> {
        let Inference { file, records, names, fits, filled } = &mut self;
        records.finish(&mut |record| take(file, names, fits, filled, record))?;
        let Some(names) = self.names else {
            return Err(Problem::new(&self.file, "header")
                .found("an empty file")
                .expected("a line that names the columns"));
        };
        let kind = |index: usize| {
            let narrowest = KINDS.iter().zip(self.fits[index]).find(|(_, fits)| *fits);
            if self.filled[index] { narrowest.map_or(Kind::Text, |(kind, _)| *kind) } else { Kind::Text }
        };
        let fields =
            names.into_iter().enumerate().map(|(index, name)| Field { kind: kind(index), name }).collect();
        Ok(Schema { fields })
    }
}

fn take(
    file: &str,
    names: &mut Option<Vec<String>>,
    fits: &mut Vec<[bool; 6]>,
    filled: &mut Vec<bool>,
    record: &Record<'_>,
) -> Result<(), Problem> {
    if names.is_none() {
        let (_, all) = bind_header(file, record, &[])?;
        *fits = vec![[true; 6]; all.len()];
        *filled = vec![false; all.len()];
        *names = Some(all);
        return Ok(());
    }
    let Some(text) = record.text().filter(|_| record.fault.is_none() && record.len() == fits.len()) else {
        return Ok(());
    };
    for (index, fits) in fits.iter_mut().enumerate() {
        let cell = &text[record.span(index)];
        if cell.is_empty() {
            continue;
        }
        filled[index] = true;
        let mut is_whole = false;
        for (kind, fits) in KINDS.iter().zip(fits.iter_mut()) {
            // Every integer is a number, and every cell a text: reading it again would tell nothing.
            let is_told = *kind == Kind::Text || (*kind == Kind::Number && is_whole);
            *fits = *fits && (is_told || cell::read(*kind, &Form::Iso, Offset::May, cell).is_some());
            is_whole |= *fits && *kind == Kind::Integer;
        }
    }
    Ok(())
}

/// The schema of a file that is in memory.
///
/// # Errors
/// As [`Inference`].
pub fn infer_schema(file: &str, bytes: &[u8]) -> Result<Schema, Problem> {
    let mut inference = Inference::new(file);
    inference.push(bytes)?;
    inference.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_kind_that_every_cell_fits_is_found() {
        let text = b"a,b,c,d,e,f,g\n1,1,true,2026-01-01,2026-01-01T00:00:00Z,x,\n,2.5,FALSE,2026-01-02,2026-01-01 10:00:00,1,\n";
        let kinds: Vec<Kind> =
            infer_schema("f", text).unwrap().fields.into_iter().map(|field| field.kind).collect();
        let expected =
            [Kind::Integer, Kind::Number, Kind::Boolean, Kind::Date, Kind::Timestamp, Kind::Text, Kind::Text];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn bad_records_do_not_widen_a_column() {
        let schema = infer_schema("f", b"a,b\n1,2\n1\n3,4\n").unwrap();
        assert_eq!(schema.fields[0].kind, Kind::Integer);
        assert!(infer_schema("f", b"").is_err());
        assert!(infer_schema("f", b"a,a\n").is_err());
    }
}
