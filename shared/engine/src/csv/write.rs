//! How batches become CSV: RFC 4180, floats in the shortest form that reads back the same.

use std::io::Write as _;

use crate::table::{Batch, Column, Schema};

/// Writes the names of the columns.
pub fn write_header(schema: &Schema, into: &mut Vec<u8>) {
    for (index, field) in schema.fields.iter().enumerate() {
        if index > 0 {
            into.push(b',');
        }
        write_text(&field.name, into);
    }
    into.extend_from_slice(b"\r\n");
}

/// Writes every row; a missing value is an empty cell.
pub fn write_rows(batch: &Batch, into: &mut Vec<u8>) {
    let is_single = batch.columns().len() == 1;
    for row in 0..batch.rows() {
        for (index, column) in batch.columns().iter().enumerate() {
            if index > 0 {
                into.push(b',');
            }
            let start = into.len();
            write_cell(column, row, into);
            if is_single && into.len() == start {
                // An empty line would be passed over by readers.
                into.extend_from_slice(b"\"\"");
            }
        }
        into.extend_from_slice(b"\r\n");
    }
}

fn write_cell(column: &Column, row: usize, into: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    match column {
        Column::Text(values) => {
            if let Some(text) = &values[row] {
                write_text(text, into);
            }
        }
        Column::Integer(values) => {
            if let Some(value) = values[row] {
                let _ = write!(into, "{value}");
            }
        }
        Column::Number(values) => {
            if let Some(value) = values[row] {
                let _ = write!(into, "{value}");
            }
        }
        other => {
            if let Some(text) = other.written(row) {
                into.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn write_text(text: &str, into: &mut Vec<u8>) {
    let is_plain = !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
    if is_plain {
        into.extend_from_slice(text.as_bytes());
        return;
    }
    into.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            into.push(b'"');
        }
        into.push(byte);
    }
    into.push(b'"');
}
