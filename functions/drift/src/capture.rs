//! What was asked and answered, as SageMaker's data capture writes it: one JSON object a line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Time;
use engine::answer;
use engine::csv::{Dialect, Records};
use engine::table::Schema;
use serde_json::Value;

/// One request with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Captured {
    /// When it was answered.
    pub at: Time,
    /// The rows asked about: CSV in the serving columns' order, with each row's inference id.
    pub rows: Vec<(String, Vec<u8>)>,
    /// The answers, one list a row.
    pub answers: Vec<Vec<f64>>,
}

/// Reads a line without its rows: when it was answered.
///
/// # Errors
/// What is no captured request.
pub fn time(line: &Value) -> Result<Time, String> {
    let text = line.pointer("/eventMetadata/inferenceTime").and_then(Value::as_str);
    text.ok_or("no eventMetadata.inferenceTime")?.parse()
}

/// Reads a line whole. `width` is how many numbers answer a row.
///
/// # Errors
/// What cannot be read, in a sentence without any of the row's values.
pub fn read(line: &Value, schema: &Schema, width: usize) -> Result<Captured, String> {
    let id = ["/eventMetadata/inferenceId", "/eventMetadata/eventId"]
        .iter()
        .find_map(|pointer| line.pointer(pointer).and_then(Value::as_str))
        .ok_or("no inference id")?;
    let input = data(line, "/captureData/endpointInput")?;
    let output = data(line, "/captureData/endpointOutput")?;
    let rows = match input.trim_start().starts_with(['{', '[']) {
        true => from_json(&input, schema)?,
        false => from_csv(&input)?,
    };
    let answers = answer::read(&output, rows.len()).map_err(|_| "the answers do not fit the rows asked")?;
    if answers.iter().any(|answer| answer.len() != width) {
        return Err(format!("expected {width} numbers for each row"));
    }
    let single = rows.len() == 1;
    let name = |index: usize| if single { id.to_owned() } else { format!("{id}/{index}") };
    let rows = rows.into_iter().enumerate().map(|(index, row)| (name(index), row)).collect();
    Ok(Captured { at: time(line)?, rows, answers })
}

fn data(line: &Value, pointer: &str) -> Result<String, String> {
    let part = line.pointer(pointer).ok_or_else(|| format!("no {}", &pointer[1..]))?;
    let text =
        part.get("data").and_then(Value::as_str).ok_or_else(|| format!("no {}.data", &pointer[1..]))?;
    if part.get("encoding").and_then(Value::as_str) != Some("BASE64") {
        return Ok(text.to_owned());
    }
    let bytes = STANDARD.decode(text).map_err(|_| "data that is not BASE64")?;
    String::from_utf8(bytes).map_err(|_| "data that is not UTF-8".into())
}

fn from_csv(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut rows = Vec::new();
    let mut records = Records::new("captured rows", &Dialect::default());
    let mut take = |record: &engine::csv::Record<'_>| {
        rows.push(record.raw.to_vec());
        Ok(())
    };
    let read = records.push(text.as_bytes(), &mut take).and_then(|()| records.finish(&mut take));
    read.map_err(|problem| problem.rule)?;
    Ok(rows)
}

/// Rows in JSON: `{"instances": […]}`, `{"inputs": […]}` or a list; a row is a list of values in
/// the serving columns' order, an object by column name, or an object with such a list as
/// `features`.
fn from_json(text: &str, schema: &Schema) -> Result<Vec<Vec<u8>>, String> {
    let value: Value = serde_json::from_str(text).map_err(|_| "data that is not JSON")?;
    let list = value.get("instances").or_else(|| value.get("inputs")).unwrap_or(&value);
    let list = list.as_array().ok_or("no list of instances")?;
    list.iter().map(|row| json_row(row, schema)).collect()
}

fn json_row(row: &Value, schema: &Schema) -> Result<Vec<u8>, String> {
    let cells: Vec<&Value> = match row.get("features").unwrap_or(row) {
        Value::Array(cells) => cells.iter().collect(),
        Value::Object(cells) => {
            schema.fields.iter().map(|field| cells.get(&field.name).unwrap_or(&Value::Null)).collect()
        }
        _ => return Err("an instance that is neither a list nor an object".into()),
    };
    let mut line = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        match cell {
            Value::Null if cells.len() > 1 => {}
            Value::Null => line.extend_from_slice(b"\"\""),
            Value::String(text) => {
                line.extend_from_slice(format!("\"{}\"", text.replace('"', "\"\"")).as_bytes());
            }
            Value::Bool(_) | Value::Number(_) => line.extend_from_slice(cell.to_string().as_bytes()),
            _ => return Err("an instance with a list or object in a cell".into()),
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::table::Kind;
    use serde_json::json;

    fn line(input: Value, output: Value) -> Value {
        json!({"captureData": {"endpointInput": input, "endpointOutput": output},
            "eventMetadata": {"eventId": "e1", "inferenceId": "r7", "inferenceTime": "2026-11-23T09:00:00Z"},
            "eventVersion": "0"})
    }

    fn csv(data: &str) -> Value {
        json!({"observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": "CSV"})
    }

    fn schema() -> Schema {
        Schema::of([("a", Kind::Number), ("b", Kind::Text)])
    }

    #[test]
    fn one_row_has_the_requests_id_and_many_are_numbered() {
        let one = read(&line(csv("1,x"), csv("0.93")), &schema(), 1).unwrap();
        assert_eq!(one.rows, [("r7".to_owned(), b"1,x".to_vec())]);
        assert_eq!((one.answers, one.at.to_string()), (vec![vec![0.93]], "2026-11-23T09:00:00.000Z".into()));
        let two = read(&line(csv("1,\"x\ny\"\n2,z\n"), csv("0.5\n0.6\n")), &schema(), 1).unwrap();
        let expected = [("r7/0".to_owned(), b"1,\"x\ny\"".to_vec()), ("r7/1".to_owned(), b"2,z".to_vec())];
        assert_eq!(two.rows, expected);
    }

    #[test]
    fn json_and_base64_are_read_too() {
        // echo -n '1,x' | base64 gives MSx4.
        let packed = json!({"data": "MSx4", "encoding": "BASE64"});
        assert_eq!(read(&line(packed, csv("1")), &schema(), 1).unwrap().rows[0].1, b"1,x");
        for instance in [
            json!([1.5, "say \"x\""]),
            json!({"b": "say \"x\"", "a": 1.5}),
            json!({"features": [1.5, "say \"x\""]}),
        ] {
            let text = json!({"instances": [instance]}).to_string();
            let input = json!({"data": text, "encoding": "JSON"});
            let output = json!({"data": "{\"predictions\": [{\"score\": 2}]}", "encoding": "JSON"});
            let captured = read(&line(input, output), &schema(), 1).unwrap();
            assert_eq!(captured.rows[0].1, b"1.5,\"say \"\"x\"\"\"");
            assert_eq!(captured.answers, [[2.0]]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_without_its_values() {
        for (line, width, complaint) in [
            (json!({}), 1, "no inference id"),
            (line(json!({}), csv("1")), 1, "no captureData/endpointInput.data"),
            (line(csv("1,x"), csv("bad request: 1,x")), 1, "the answers do not fit the rows asked"),
            (line(csv("1,x"), csv("1\n2")), 1, "the answers do not fit the rows asked"),
            (line(csv("1,x"), csv("1")), 3, "expected 3 numbers for each row"),
            (line(json!({"data": "{", "encoding": "JSON"}), csv("1")), 1, "data that is not JSON"),
            (line(json!({"data": "*", "encoding": "BASE64"}), csv("1")), 1, "data that is not BASE64"),
        ] {
            assert_eq!(read(&line, &schema(), width).unwrap_err(), complaint);
        }
        assert_eq!(time(&json!({})).unwrap_err(), "no eventMetadata.inferenceTime");
    }
}
