//! The commands that show something: tables for people, JSON for programs.

use std::process::ExitCode;

use clap::Args;
use domain::PipelineName;
use serde_json::{Value, json};

use crate::client::Client;
use crate::data::DriftArguments;
use crate::output::{self, Done, error, field, minute, say, table};

#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// One of them, by number or id, in full.
    pub(crate) one: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArguments {
    #[command(flatten)]
    pub(crate) listing: Listing,
    /// Ask for a run, and say why.
    #[arg(long, value_name = "REASON", conflicts_with = "one")]
    pub(crate) request: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// Only events after this place in the chain.
    #[arg(long, default_value_t = 0, value_name = "SEQUENCE")]
    pub(crate) after: u64,
    /// Stay and show events as they happen.
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LineageArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// The version.
    pub(crate) version: u32,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The pipeline.
    pub(crate) pipeline: PipelineName,
    /// A head that was kept outside: SEQUENCE:sha256:HEX (every notice carries one).
    #[arg(long, value_name = "HEAD")]
    pub(crate) head: Option<String>,
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value["items"].as_array().into_iter().flatten()
}

fn date(value: &Value, pointer: &str) -> String {
    field(value, pointer).get(..10).map_or_else(|| "–".into(), str::to_owned)
}

fn short(value: &Value, pointer: &str) -> String {
    let text = field(value, pointer);
    text.strip_prefix("sha256:").and_then(|hex| hex.get(..12)).map_or(text.clone(), str::to_owned)
}

pub(crate) fn status(client: &Client, json: bool) -> Done {
    let mut answer = client.get("/api/status")?;
    answer["queue"] = client.get("/local/queue")?;
    if json {
        output::json(&answer);
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("{} · {}", client.url(), minute(&answer, "/now")));
    let rows = answer["pipelines"].as_array().into_iter().flatten().map(|pipeline| {
        let pending: Vec<String> = pipeline["pending"].as_array().into_iter().flatten().map(Value::to_string).collect();
        vec![
            field(pipeline, "/name"),
            field(pipeline, "/parts"),
            field(pipeline, "/runs"),
            field(pipeline, "/champion"),
            if pending.is_empty() { "–".into() } else { pending.join(", ") },
            field(pipeline, "/last_check/verdict"),
        ]
    });
    let headers = ["pipeline", "parts", "runs", "serving", "to approve", "last check"];
    table(&headers, rows.collect(), "No pipeline yet: declare one with `millrace apply pipeline.yaml`.");
    let letters = answer["queue"]["letters"].as_u64().unwrap_or(0);
    if letters > 0 {
        say(&format!("{letters} could not be handled: see `millrace redrive`"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows one row in full, or all of a collection in a table.
fn listing(client: &Client, arguments: &Listing, collection: &str, json: bool, headers: &[&str], row: impl Fn(&Value) -> Vec<String>) -> Done {
    let pipeline = &arguments.pipeline;
    if let Some(one) = &arguments.one {
        output::json(&client.get(&format!("/api/pipelines/{pipeline}/{collection}/{one}"))?);
        return Ok(ExitCode::SUCCESS);
    }
    let answer = client.get(&format!("/api/pipelines/{pipeline}/{collection}"))?;
    if json {
        output::json(&answer["items"]);
    } else {
        table(headers, items(&answer).map(row).collect(), &format!("{pipeline} has no {collection} yet."));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn datasets(client: &Client, arguments: &Listing, json: bool) -> Done {
    let headers = ["upload", "file", "as of", "rows", "bad", "fate", "by"];
    listing(client, arguments, "uploads", json, &headers, |upload| {
        let fate = match upload["fate"]["state"].as_str() {
            Some("accepted") => format!("part {}", upload["fate"]["part"]),
            Some("duplicate") => format!("same as part {}", upload["fate"]["part"]),
            _ => format!("rejected: {}", field(upload, "/fate/reason")),
        };
        let by = field(upload, "/by").replace("person:", "");
        let [id, file, rows, bad] = ["/id", "/file", "/rows_read", "/rows_bad"].map(|name| field(upload, name));
        vec![id, file, date(upload, "/as_of"), rows, bad, fate, by]
    })
}

pub(crate) fn runs(client: &Client, arguments: &RunsArguments, json: bool) -> Done {
    if let Some(reason) = &arguments.request {
        let pipeline = &arguments.listing.pipeline;
        let answer = client.post(&format!("/api/pipelines/{pipeline}/runs"), &json!({ "reason": reason }))?;
        if json {
            output::json(&answer);
        } else {
            say(&format!("asked for a run; `millrace runs {pipeline}` shows how it goes"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let headers = ["run", "state", "asked by", "parts", "rows", "planned", "seconds", "why"];
    listing(client, &arguments.listing, "runs", json, &headers, |run| {
        let state = match run["state"]["state"].as_str() {
            Some("registered") => format!("version {}", run["state"]["version"]),
            _ => field(run, "/state/state"),
        };
        let why = match run["state"]["reason"].as_str() {
            Some(reason) => reason.to_owned(),
            None => field(run, "/reason"),
        };
        let parts = run["parts"].as_array().map_or(0, Vec::len).to_string();
        let by = field(run, "/by").replace("person:", "");
        vec![field(run, "/number"), state, by, parts, field(run, "/rows"), date(run, "/at"), field(run, "/seconds"), why]
    })
}

pub(crate) fn models(client: &Client, arguments: &Listing, json: bool) -> Done {
    let headers = ["version", "approval", "metrics", "binding", "registered"];
    listing(client, arguments, "models", json, &headers, |model| {
        let approval = match model["approval"]["by"].as_str() {
            Some(by) => format!("{} by {}", field(model, "/approval/state"), by.replace("person:", "")),
            None => field(model, "/approval/state"),
        };
        let metrics = model["metrics"].as_object().into_iter().flatten().take(3);
        let metrics = metrics.map(|(name, value)| format!("{name} {:.4}", value.as_f64().unwrap_or(f64::NAN)));
        vec![
            field(model, "/version"),
            approval,
            metrics.collect::<Vec<_>>().join(", "),
            short(model, "/binding"),
            date(model, "/at"),
        ]
    })
}

pub(crate) fn drift(client: &Client, arguments: &DriftArguments, json: bool) -> Done {
    let name = arguments.reference.to_string_lossy();
    let Ok(pipeline) = name.parse::<PipelineName>() else {
        return error(format!("{name} is not a pipeline's name; to compare two files, name both: millrace drift REFERENCE CURRENT"));
    };
    if arguments.check {
        let answer = client.post(&format!("/api/pipelines/{pipeline}/drift"), &json!({}))?;
        if json {
            output::json(&answer);
        } else {
            say(&format!("asked for a check; `millrace drift {pipeline}` shows what it finds"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let headers = ["window", "verdict", "version", "rows", "labelled", "found", "report"];
    let listing_arguments = Listing { pipeline, one: None };
    listing(client, &listing_arguments, "checks", json, &headers, |check| {
        let window = format!("{} – {}", date(check, "/from"), date(check, "/to"));
        let [verdict, version, rows, labelled, found, report] =
            ["/verdict", "/version", "/rows", "/labelled", "/summary", "/report/path"].map(|name| field(check, name));
        vec![window, verdict, version, rows, labelled, found, report]
    })
}

pub(crate) fn events(client: &Client, arguments: &EventsArguments, json: bool) -> Done {
    let mut after = arguments.after;
    loop {
        let answer = client.get(&format!("/api/pipelines/{}/events?after={after}", arguments.pipeline))?;
        let mut count = 0;
        for item in items(&answer) {
            count += 1;
            after = item["envelope"]["sequence"].as_u64().unwrap_or(after);
            if json {
                say(&item["envelope"].to_string());
            } else {
                let at = minute(item, "/envelope/at");
                let line = engine::text::terminal(&field(item, "/line"));
                say(&format!("{after:>5}  {at}  {:<22} {line}", field(item, "/envelope/kind")));
            }
        }
        if count > 0 {
            continue;
        }
        if !arguments.follow {
            return Ok(ExitCode::SUCCESS);
        }
        crate::ask::pause();
    }
}

pub(crate) fn lineage(client: &Client, arguments: &LineageArguments, json: bool) -> Done {
    let LineageArguments { pipeline, version } = arguments;
    let answer = client.get(&format!("/api/pipelines/{pipeline}/lineage/{version}"))?;
    if json {
        output::json(&answer);
        return Ok(ExitCode::SUCCESS);
    }
    let approval = match answer["approval"]["by"].as_str() {
        Some(by) => format!("{} by {} on {}", field(&answer, "/approval/state"), by.replace("person:", ""), date(&answer, "/approval/at")),
        None => field(&answer, "/approval/state"),
    };
    say(&format!("{pipeline} version {version}, {approval}"));
    let run_by = field(&answer, "/run/by").replace("person:", "");
    say(&format!("├─ run {} ({}), asked by {run_by}: {}", field(&answer, "/run/number"), date(&answer, "/run/at"), field(&answer, "/run/reason")));
    for part in answer["parts"].as_array().into_iter().flatten() {
        let by = field(part, "/by").replace("person:", "");
        let file = engine::text::terminal(&field(part, "/file"));
        say(&format!("│  ├─ part {} {} · {file} · {} rows · as of {} · by {by}", field(part, "/number"), short(part, "/digest"), field(part, "/rows"), date(part, "/as_of")));
    }
    for name in ["selection", "contract", "pipeline", "features", "program", "artifact", "evaluation", "report"] {
        say(&format!("├─ {name:<10} {}", field(&answer, &format!("/lineage/{name}"))));
    }
    say(&format!("└─ binding    {}", field(&answer, "/binding")));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn verify(client: &Client, arguments: &VerifyArguments, json: bool) -> Done {
    let query = arguments.head.as_ref().map(|head| format!("?head={head}")).unwrap_or_default();
    let answer = client.get(&format!("/api/pipelines/{}/verify{query}", arguments.pipeline))?;
    let findings = answer["findings"].as_array().map_or(0, Vec::len);
    if json {
        output::json(&answer);
    } else if findings == 0 {
        let head = format!("{}:{}", answer["events"], field(&answer, "/head"));
        say(&format!("{}: {} events, every link and every row holds", arguments.pipeline, answer["events"]));
        say(&format!("head {head}"));
        say("keep this head elsewhere: `--head` then finds a chain that was rewritten as a whole");
    } else {
        for finding in answer["findings"].as_array().into_iter().flatten() {
            say(&engine::text::terminal(&finding.as_str().map_or_else(|| finding.to_string(), str::to_owned)));
        }
    }
    Ok(ExitCode::from(if findings == 0 { output::OK } else { output::NOT_WELL }))
}
