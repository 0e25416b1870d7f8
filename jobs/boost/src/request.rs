//! What does a request ask, and how is it answered: CSV, JSON and JSON Lines.

use std::sync::Arc;

use domain::Problem;
use engine::csv::cell;
use engine::csv::form::{Form, Offset};
use engine::table::{Batch, Column, Field, Kind, Schema};
use serde_json::{Map, Value};

use crate::artifact::Predictions;
use crate::rows;

/// A form in which rows or predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `text/csv`: one row a line.
    Csv,
    /// `application/json`: `{"instances": […]}` and `{"predictions": […]}`.
    Json,
    /// `application/jsonlines`: one object a line.
    JsonLines,
}

impl Media {
    /// The form a request's body has; CSV where nothing is said, as SageMaker takes it.
    pub fn of_content_type(header: Option<&str>) -> Option<Media> {
        match header {
            None => Some(Media::Csv),
            Some(header) => Media::named(header),
        }
    }

    /// The form an answer is to have: the first that is known among those accepted; that of the
    /// request where any will do.
    pub fn of_accept(header: Option<&str>, request: Media) -> Option<Media> {
        let Some(header) = header else { return Some(request) };
        header.split(',').find_map(|range| match essence(range) {
            "*/*" | "" => Some(request),
            "text/*" => Some(Media::Csv),
            "application/*" if request != Media::Csv => Some(request),
            "application/*" => Some(Media::Json),
            _ => Media::named(range),
        })
    }

    fn named(header: &str) -> Option<Media> {
        match essence(header).to_ascii_lowercase().as_str() {
            "text/csv" => Some(Media::Csv),
            "application/json" => Some(Media::Json),
            "application/jsonlines" | "application/x-jsonlines" => Some(Media::JsonLines),
            _ => None,
        }
    }

    /// The content type of an answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Media::Csv => "text/csv; charset=utf-8",
            Media::Json => "application/json",
            Media::JsonLines => "application/jsonlines",
        }
    }
}

fn essence(header: &str) -> &str {
    header.split(';').next().unwrap_or_default().trim()
}

fn problem(rule: &str) -> Problem {
    Problem::new("request", rule)
}

/// Reads the rows of a request.
///
/// # Errors
/// What is wrong, with row and column where it is about one. A row's number is its `line`.
pub fn decode(media: Media, body: &[u8], schema: &Arc<Schema>) -> Result<Batch, Problem> {
    let batch = match media {
        Media::Csv => rows::read_body(schema, body).map_err(|fault| {
            let names: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
            fault.hint(format!("a row holds, in this order and without a header: {}", names.join(", ")))
        })?,
        Media::Json => instances(
            serde_json::from_slice(body).map_err(|fault| {
                problem("not JSON").at(fault.line() as u64, fault.column() as u64).found(&fault)
            })?,
            schema,
        )?,
        Media::JsonLines => {
            let mut lines = Vec::new();
            for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                lines.push(serde_json::from_slice(line).map_err(|fault| {
                    problem("not JSON").at(index as u64 + 1, fault.column() as u64).found(&fault)
                })?);
            }
            objects(lines, schema)?
        }
    };
    match batch.rows() {
        0 => Err(problem("no rows").expected("one row at least")),
        _ => Ok(batch),
    }
}

fn instances(document: Value, schema: &Arc<Schema>) -> Result<Batch, Problem> {
    let expected = "{\"instances\": [{\"column\": value, …}, …]}";
    match document {
        Value::Object(mut object) if object.len() == 1 => match object.remove("instances") {
            Some(Value::Array(rows)) => objects(rows, schema),
            _ => Err(problem("no instances").expected(expected)),
        },
        other => Err(problem("no instances").found(kind_of(&other)).expected(expected)),
    }
}

fn objects(rows: Vec<Value>, schema: &Arc<Schema>) -> Result<Batch, Problem> {
    let mut columns: Vec<Column> = schema.fields.iter().map(|field| Column::empty(field.kind)).collect();
    for (index, row) in rows.into_iter().enumerate() {
        let Value::Object(row) = row else {
            return Err(at_row(
                problem("not a row").found(kind_of(&row)).expected("an object of columns"),
                index,
            ));
        };
        object(&row, schema, &mut columns).map_err(|problem| at_row(problem, index))?;
    }
    Ok(Batch::new(schema.clone(), columns))
}

fn at_row(mut problem: Problem, index: usize) -> Problem {
    problem.line = Some(index as u64 + 1);
    problem
}

/// Appends a row. A column that is absent or null is missing; one that is not known is refused,
/// so that a misspelt name is not a missing value.
fn object(row: &Map<String, Value>, schema: &Schema, columns: &mut [Column]) -> Result<(), Problem> {
    if let Some(unknown) = row.keys().find(|name| schema.position(name).is_none()) {
        let known: Vec<&str> = schema.fields.iter().take(30).map(|field| field.name.as_str()).collect();
        return Err(problem("unknown column").found(format!("{unknown:?}")).expected(known.join(", ")));
    }
    for (field, column) in schema.fields.iter().zip(columns) {
        let value = row.get(&field.name).unwrap_or(&Value::Null);
        let Some(read) = value_of(field.kind, value) else {
            return Err(problem("type").field(&field.name).found(shown(value)).expected(expected(field)));
        };
        cell::append(column, read);
    }
    Ok(())
}

fn value_of(kind: Kind, value: &Value) -> Option<cell::Value<'_>> {
    match (kind, value) {
        (_, Value::Null) => Some(cell::Value::Missing),
        (Kind::Boolean, Value::Bool(value)) => Some(cell::Value::Boolean(*value)),
        (Kind::Integer, Value::Number(number)) => integer(number).map(cell::Value::Integer),
        (Kind::Number, Value::Number(number)) => {
            number.as_f64().filter(|number| number.is_finite()).map(cell::Value::Number)
        }
        // Empty texts are missing, as they are in CSV.
        (Kind::Text, Value::String(text)) if text.is_empty() => Some(cell::Value::Missing),
        (Kind::Text, Value::String(text)) => Some(cell::Value::Text(text)),
        (Kind::Date | Kind::Timestamp, Value::String(text)) => {
            cell::read(kind, &Form::Iso, Offset::May, text)
        }
        _ => None,
    }
}

/// An integer, also when it is written `3.0`.
fn integer(number: &serde_json::Number) -> Option<i64> {
    let whole = |float: &f64| float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| number.as_f64().filter(whole).map(|float| float as i64))
}

fn expected(field: &Field) -> String {
    match field.kind {
        Kind::Text => "a text in quotes".to_owned(),
        kind => cell::expected(kind, &Form::Iso),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn shown(value: &Value) -> String {
    let written = value.to_string();
    format!("{} {}", kind_of(value), engine::text::cut(&written, engine::text::SHOWN_CHARS_MAX))
}

/// Writes predictions: a number for regression, the probability of the positive class for binary
/// problems, a probability for each class otherwise.
pub fn encode(media: Media, predictions: &Predictions) -> Vec<u8> {
    let rows = predictions.values.chunks(predictions.width.max(1));
    let mut text = String::new();
    match media {
        Media::Csv => {
            for row in rows {
                text += &row.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
                text.push('\n');
            }
        }
        Media::Json => {
            let rows: Vec<String> = rows.map(json).collect();
            text = format!("{{\"predictions\":[{}]}}\n", rows.join(","));
        }
        Media::JsonLines => {
            for row in rows {
                text += &format!("{{\"prediction\":{}}}\n", json(row));
            }
        }
    }
    text.into_bytes()
}

/// One value as it is, several as an array.
fn json(row: &[f32]) -> String {
    let written = |value: &f32| if value.is_finite() { value.to_string() } else { "null".to_owned() };
    match row {
        [value] => written(value),
        values => format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Arc<Schema> {
        Arc::new(Schema::of([
            ("area", Kind::Number),
            ("rooms", Kind::Integer),
            ("city", Kind::Text),
            ("seen", Kind::Date),
        ]))
    }

    fn refusal(media: Media, body: &str) -> String {
        decode(media, body.as_bytes(), &schema()).unwrap_err().to_string()
    }

    #[test]
    fn three_forms_of_the_same_rows_are_the_same_rows() {
        let csv = "81.5,3,Bern,2024-02-29\n,,,\n";
        let headed = format!("area,rooms,city,seen\r\n{csv}");
        let json = r#"{"instances": [{"area": 81.5, "rooms": 3.0, "city": "Bern", "seen": "2024-02-29"}, {"city": ""}]}"#;
        let lines =
            "{\"seen\":\"2024-02-29\",\"area\":81.5,\"rooms\":3,\"city\":\"Bern\"}\n\n{\"area\":null}\n";
        let expected = decode(Media::Csv, csv.as_bytes(), &schema()).unwrap();
        assert_eq!(expected.rows(), 2);
        assert_eq!(decode(Media::Csv, headed.as_bytes(), &schema()).unwrap(), expected);
        assert_eq!(decode(Media::Json, json.as_bytes(), &schema()).unwrap(), expected);
        assert_eq!(decode(Media::JsonLines, lines.as_bytes(), &schema()).unwrap(), expected);
    }

    #[test]
    fn refusals_name_row_column_found_and_expected() {
        let cases = [
            (
                Media::Csv,
                "1,2,x,2024-01-01\n1,two,x,2024-01-01\n",
                "request:2: rooms: type: found \"two\", expected an integer",
            ),
            (Media::Csv, "1,2\n", "found 2 fields, expected 4"),
            (Media::Csv, "", "no rows"),
            (Media::Json, "{", "not JSON"),
            (Media::Json, "[]", "no instances: found an array"),
            (Media::Json, r#"{"instances": []}"#, "no rows"),
            (Media::Json, r#"{"instances": [1]}"#, "request:1: not a row: found a number"),
            (
                Media::Json,
                r#"{"instances": [{}, {"rooms": 1.5}]}"#,
                "request:2: rooms: type: found a number 1.5",
            ),
            (Media::Json, r#"{"instances": [{"roms": 1}]}"#, "unknown column: found \"roms\""),
            (Media::Json, r#"{"instances": [{"city": 1}]}"#, "expected a text in quotes"),
            (Media::JsonLines, "{}\n{]\n", "request:2"),
        ];
        for (media, body, expected) in cases {
            let found = refusal(media, body);
            assert!(found.contains(expected), "{body}: {found}");
        }
    }

    #[test]
    fn what_is_accepted_decides_the_form_of_the_answer() {
        let cases = [
            (None, Media::Json, Some(Media::Json)),
            (Some("*/*"), Media::Csv, Some(Media::Csv)),
            (Some("image/png, application/json;q=0.5"), Media::Csv, Some(Media::Json)),
            (Some("text/csv; charset=utf-8"), Media::Json, Some(Media::Csv)),
            (Some("image/png"), Media::Csv, None),
        ];
        for (header, request, expected) in cases {
            assert_eq!(Media::of_accept(header, request), expected, "{header:?}");
        }
        let predictions = Predictions { width: 2, values: vec![0.25, 0.75, 1.0, f32::NAN] };
        assert_eq!(encode(Media::Json, &predictions), b"{\"predictions\":[[0.25,0.75],[1,null]]}\n");
        assert_eq!(encode(Media::Csv, &Predictions { width: 1, values: vec![0.1, 2.0] }), b"0.1\n2\n");
    }
}
