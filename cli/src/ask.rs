//! The commands that ask for something: declare, upload, approve, go back, predict.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use clap::Args;
use domain::pipeline::Program;
use domain::{Pipeline, PipelineName, Time};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use ureq::SendBody;
use ureq::http::Method;

use crate::client::Client;
use crate::output::{self, Done, Error, error, field, say};

/// How often a waiting command looks again.
const LOOK_EVERY: Duration = Duration::from_millis(150);

#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    /// The declaration; its contract and program files are found beside it.
    pub(crate) pipeline: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct UploadArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// Files to upload, in this order.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The business time of the rows (2026-01-31, or RFC 3339); now where none is given.
    #[arg(long, value_name = "TIME")]
    pub(crate) as_of: Option<Time>,
    /// Do not wait for the file's fate.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerdictArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// The version.
    pub(crate) version: u32,
    /// Why; kept in the ledger.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    /// Only if the version is still bound to this digest (see `millrace models`).
    #[arg(long, value_name = "DIGEST")]
    pub(crate) binding: Option<domain::Digest>,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// The version to serve; the one before where none is given.
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<u32>,
    /// Why; kept in the ledger.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct InvokeArguments {
    /// The endpoint.
    pub(crate) endpoint: PipelineName,
    /// A file of rows, or `-` for standard input.
    pub(crate) file: PathBuf,
    /// What the file is; told by its name where not given: .json is JSON, all else CSV.
    #[arg(long)]
    pub(crate) content_type: Option<String>,
    /// The inference id, by which labels find the prediction again.
    #[arg(long)]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LabelsArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// CSV with header `inference_id,label`.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RedriveArguments {
    /// What to handle again (see `millrace redrive`); nothing is listed where one is named.
    pub(crate) letter: Option<String>,
    /// Handle everything again.
    #[arg(long, conflicts_with = "letter")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ClockArguments {
    /// Move the virtual clock forward to this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Time>,
}

/// Reads a file that a person named.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| format!("read {}: {error}", path.display()).into())
}

/// What the server needs to apply a declaration: its text, its contract's and its program's.
pub(crate) fn application(path: &Path) -> Result<Value, Error> {
    let shown = path.display().to_string();
    let pipeline = read_text(path)?;
    let spec: Pipeline = engine::yaml::parse(&shown, &pipeline)?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let contract_path = folder.join(&spec.contract);
    let contract = read_text(&contract_path)?;
    let mut files = BTreeMap::new();
    if let Program::Command { files: names, .. } = &spec.training.program {
        for name in names {
            let file = folder.join(name);
            let bytes = std::fs::read(&file).map_err(|error| format!("read {}: {error}", file.display()))?;
            files.insert(name.clone(), base64::prelude::BASE64_STANDARD.encode(bytes));
        }
    }
    Ok(json!({
        "pipeline_file": shown,
        "pipeline": pipeline,
        "contract_file": contract_path.display().to_string(),
        "contract": contract,
        "files": files,
    }))
}

pub(crate) fn apply(client: &Client, arguments: &ApplyArguments, json: bool) -> Done {
    let answer = client.post("/api/pipelines", &application(&arguments.pipeline)?)?;
    if json {
        output::json(&answer);
    } else if answer["changed"] == true {
        say(&format!("applied revision {} of {}", answer["revision"], field(&answer, "/pipeline")));
    } else {
        say(&format!("{} is at revision {} already; nothing changed", field(&answer, "/pipeline"), answer["revision"]));
    }
    Ok(ExitCode::SUCCESS)
}

/// Uploads one file and answers its upload id.
pub(crate) fn send(client: &Client, pipeline: &PipelineName, path: &Path, as_of: Option<Time>, quiet: bool) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(name) = name else { return error(format!("upload {}: the file's name is not UTF-8", path.display())) };
    let file = File::open(path).map_err(|error| format!("upload {}: {error}", path.display()))?;
    let metadata = file.metadata().map_err(|error| format!("upload {}: {error}", path.display()))?;
    if metadata.is_dir() {
        return error(format!("upload {}: it is a directory", path.display()));
    }
    let ticket = client.post(&format!("/api/pipelines/{pipeline}/uploads"), &json!({ "file": name, "as_of": as_of }))?;
    let upload = field(&ticket, "/upload");
    let place: String = field(&ticket, "/path").split('/').map(encoded).collect::<Vec<_>>().join("/");
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(metadata.len()) };
    let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}";
    bar.set_style(ProgressStyle::with_template(style).expect("a template of our own"));
    bar.set_message(name.to_owned());
    let mut reader = bar.wrap_read(file);
    let body = SendBody::from_reader(&mut reader);
    client.exchange(Method::PUT, &format!("/incoming/{place}"), &[], body)?.json()?;
    bar.finish_and_clear();
    Ok(upload)
}

/// A path's segment as it stands in a URL.
fn encoded(segment: &str) -> String {
    let mut text = String::new();
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Waits until an upload's fate is recorded.
pub(crate) fn fate(client: &Client, pipeline: &PipelineName, upload: &str) -> Result<Value, Error> {
    let path = format!("/api/pipelines/{pipeline}/uploads/{upload}");
    loop {
        let answer = client.exchange(Method::GET, &path, &[], SendBody::none())?;
        if answer.status != 404 {
            return answer.json();
        }
        let letters = client.get("/local/letters")?;
        let stuck = letters["items"].as_array().into_iter().flatten().find(|letter| letter.to_string().contains(upload));
        if let Some(letter) = stuck {
            return error(format!("upload {upload} could not be handled: {} (see `millrace redrive`)", field(letter, "/reason")));
        }
        pause();
    }
}

/// Waits a moment.
#[expect(clippy::disallowed_methods, reason = "a command at a terminal waits for real")]
pub(crate) fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

pub(crate) fn upload(client: &Client, arguments: &UploadArguments, json: bool) -> Done {
    let mut rejected = false;
    let mut answers = Vec::new();
    for path in &arguments.files {
        let upload = send(client, &arguments.pipeline, path, arguments.as_of, json)?;
        if arguments.no_wait {
            answers.push(json!({ "upload": upload }));
            if !json {
                say(&format!("{}: uploaded as {upload}", path.display()));
            }
            continue;
        }
        let fate = fate(client, &arguments.pipeline, &upload)?;
        rejected |= fate["fate"]["state"] != "accepted";
        if !json {
            say(&format!("{}: {}", path.display(), told(&fate)));
            if fate["report"].is_object() {
                say(&format!("  report: {}/api/blobs/{}", client.url(), field(&fate, "/report/path")));
            }
        }
        answers.push(fate);
    }
    if json {
        output::json(&Value::Array(answers));
    }
    Ok(ExitCode::from(if rejected { output::NOT_WELL } else { output::OK }))
}

fn told(upload: &Value) -> String {
    let (read, bad) = (&upload["rows_read"], &upload["rows_bad"]);
    match upload["fate"]["state"].as_str() {
        Some("accepted") => format!("accepted as part {} ({read} rows read, {bad} in quarantine)", upload["fate"]["part"]),
        Some("duplicate") => format!("the same bytes were accepted before, as part {}", upload["fate"]["part"]),
        _ => format!("rejected: {}", field(upload, "/fate/reason")),
    }
}

pub(crate) fn verdict(client: &Client, act: &str, arguments: &VerdictArguments, json: bool) -> Done {
    let VerdictArguments { pipeline, version, reason, binding } = arguments;
    let path = format!("/api/pipelines/{pipeline}/models/{version}/{act}");
    let answer = client.post(&path, &json!({ "reason": reason, "binding": binding }))?;
    let past = if act == "approve" { "approved" } else { "rejected" };
    finish(json, &answer, &format!("{past} version {version} of {pipeline}"))
}

pub(crate) fn rollback(client: &Client, arguments: &RollbackArguments, json: bool) -> Done {
    let RollbackArguments { pipeline, to, reason } = arguments;
    let answer = client.post(&format!("/api/pipelines/{pipeline}/rollback"), &json!({ "version": to, "reason": reason }))?;
    finish(json, &answer, &format!("asked {pipeline} to go back; `millrace events {pipeline}` shows how it goes"))
}

pub(crate) fn labels(client: &Client, arguments: &LabelsArguments, json: bool) -> Done {
    let path = format!("/api/pipelines/{}/labels", arguments.pipeline);
    let text = read_text(&arguments.file)?;
    let answer = client.exchange(Method::POST, &path, &[("content-type", "text/csv")], text.as_str())?.json()?;
    let rows = &answer["rows"];
    let told = if answer["received"] == "before" {
        format!("these {rows} labels had been received before")
    } else {
        format!("received {rows} labels; a check of the error follows")
    };
    finish(json, &answer, &told)
}

fn finish(json: bool, answer: &Value, told: &str) -> Done {
    if json {
        output::json(answer);
    } else {
        say(told);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn invoke(client: &Client, arguments: &InvokeArguments, json: bool) -> Done {
    let mut body = Vec::new();
    if arguments.file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut body).map_err(|error| format!("read standard input: {error}"))?;
    } else {
        let shown = arguments.file.display();
        body = std::fs::read(&arguments.file).map_err(|error| format!("read {shown}: {error}"))?;
    }
    let is_json = arguments.file.extension().is_some_and(|extension| extension == "json");
    let content_type = arguments.content_type.as_deref().unwrap_or(if is_json { "application/json" } else { "text/csv" });
    let mut headers = vec![("content-type", content_type), ("accept", content_type)];
    if let Some(id) = &arguments.id {
        headers.push(("x-amzn-sagemaker-inference-id", id));
    }
    let path = format!("/endpoints/{}/invocations", arguments.endpoint);
    let answer = client.exchange(Method::POST, &path, &headers, body.as_slice())?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    if !(200..300).contains(&answer.status) {
        return error(format!("{}: {} (HTTP {})", arguments.endpoint, text.trim(), answer.status));
    }
    if json {
        let id = answer.headers.get("x-amzn-sagemaker-inference-id");
        output::json(&json!({ "inference_id": id, "answer": text.trim_end() }));
    } else {
        say(text.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn redrive(client: &Client, arguments: &RedriveArguments, json: bool) -> Done {
    let which = match (&arguments.letter, arguments.all) {
        (Some(letter), _) => letter.clone(),
        (None, true) => "all".into(),
        (None, false) => {
            let letters = client.get("/local/letters")?;
            if json {
                output::json(&letters);
                return Ok(ExitCode::SUCCESS);
            }
            let rows = letters["items"].as_array().into_iter().flatten();
            let rows = rows.map(|letter| {
                ["/id", "/function", "/at", "/attempts", "/reason"].iter().map(|name| field(letter, name)).collect()
            });
            output::table(&["id", "function", "since", "attempts", "reason"], rows.collect(), "Nothing waits to be handled again.");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let answer = client.post(&format!("/local/letters/{which}/redrive"), &json!({}))?;
    finish(json, &answer, &format!("handling {which} again: {} in all", answer["redriven"]))
}

pub(crate) fn clock(client: &Client, arguments: &ClockArguments, json: bool) -> Done {
    let answer = match arguments.to {
        Some(to) => client.post("/local/clock", &json!({ "now": to }))?,
        None => client.get("/local/clock")?,
    };
    finish(json, &answer, &field(&answer, "/now"))
}
