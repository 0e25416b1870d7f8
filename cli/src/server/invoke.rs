//! What goes to an endpoint and what comes back: predictions now, the truth about them later.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use domain::{PipelineName, limit};
use serde_json::{Value, json};

use crate::client::{Client, Invocation, Prediction};
use crate::output::{self, Done, Error, Form};

#[derive(Debug, Args)]
pub(crate) struct InvokeArguments {
    /// The endpoint: the pipeline's name, where its declaration names no other.
    pub(crate) endpoint: String,
    /// The rows, or `-` for standard input.
    pub(crate) file: PathBuf,
    /// What the rows are; told by the file's ending where nothing is given, else text/csv.
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    /// By which labels will find the prediction; minted where none is given.
    #[arg(long, value_name = "ID")]
    pub(crate) inference_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LabelsArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// CSV with the header inference_id,label; `-` for standard input.
    pub(crate) file: PathBuf,
}

pub(super) fn invoke(client: &Client, arguments: &InvokeArguments, form: Form) -> Done {
    let body = whole(&arguments.file, limit::INVOCATION_BYTES_MAX)?;
    let content_type = arguments.content_type.as_deref().unwrap_or(type_of(&arguments.file));
    let inference_id = arguments.inference_id.as_deref();
    let prediction =
        client.invoke(&arguments.endpoint, Invocation { content_type, inference_id, body: &body })?;
    match form {
        Form::Json => output::json(&told(&prediction)),
        Form::Text => {
            // The model's own bytes, for whatever reads them next.
            let mut stdout = std::io::stdout().lock();
            let _ = stdout.write_all(&prediction.body);
            if !prediction.body.ends_with(b"\n") {
                let _ = stdout.write_all(b"\n");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told(prediction: &Prediction) -> Value {
    let text = String::from_utf8_lossy(&prediction.body);
    let body = match prediction.content_type.starts_with("application/json") {
        true => serde_json::from_str(&text).unwrap_or_else(|_| json!(text)),
        false => json!(text),
    };
    json!({ "content_type": prediction.content_type, "inference_id": prediction.inference_id, "body": body })
}

pub(super) fn labels(client: &Client, arguments: &LabelsArguments, form: Form) -> Done {
    let LabelsArguments { pipeline, file } = arguments;
    let answer = client.labels(pipeline, &whole(file, limit::INVOCATION_BYTES_MAX)?)?;
    match form {
        Form::Json => output::json(&answer),
        Form::Text => {
            let rows = engine::text::counted(answer["rows"].as_u64().unwrap_or(0), "label");
            let when = answer["received"].as_str().unwrap_or("now");
            output::line(&format!("{pipeline}: {rows} received {when}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a file's ending says that it is.
fn type_of(file: &Path) -> &'static str {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => "application/json",
        _ => "text/csv",
    }
}

/// A whole file, or all of standard input, of at most so many bytes.
fn whole(file: &Path, bytes_max: usize) -> Result<Vec<u8>, Error> {
    let is_input = file == Path::new("-");
    let shown = if is_input { "standard input".to_owned() } else { file.display().to_string() };
    let failed = |error: std::io::Error| format!("read {shown}: {error}");
    let mut source: Box<dyn std::io::Read> = match is_input {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(file).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    // One byte more than is allowed tells that there are more.
    source.by_ref().take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > bytes_max {
        let most = engine::text::bytes(bytes_max as u64);
        return output::error(format!("read {shown}: expected at most {most}; send it in pieces"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_tells_the_type() {
        for (name, content_type) in
            [("a.json", "application/json"), ("a.csv", "text/csv"), ("-", "text/csv"), ("rows", "text/csv")]
        {
            assert_eq!(type_of(Path::new(name)), content_type);
        }
    }

    #[test]
    fn more_than_an_endpoint_takes_is_refused_here() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("rows.csv");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(whole(&file, 5).unwrap(), b"12345");
        assert!(whole(&file, 4).unwrap_err().to_string().contains("at most 4 B"));
    }

    #[test]
    fn a_prediction_in_json_stays_json() {
        let prediction = |content_type: &str, body: &str| Prediction {
            content_type: content_type.into(),
            inference_id: Some("q-1".into()),
            body: body.into(),
        };
        assert_eq!(
            told(&prediction("application/json", "[1.5]")),
            json!({ "content_type": "application/json", "inference_id": "q-1", "body": [1.5] })
        );
        assert_eq!(told(&prediction("text/csv", "1.5\n"))["body"], "1.5\n");
    }
}
