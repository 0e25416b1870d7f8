//! What it takes for a declaration to be applied: both files hold, fit each other, and whoever
//! applies them may.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use domain::key::prefix;
use domain::pipeline::{Program, Target};
use domain::row::{Applied, File};
use domain::{BlobPath, Digest, Event, Key, Pipeline, PipelineName, Problem};
use engine::contract::Contract;
use engine::evaluation::declaration;
use engine::features::{self, Features};
use engine::table::Schema;
use engine::yaml;
use ports::handler::Plan;
use ports::http::{Request, Response};
use ports::records::Typed;
use ports::{BlobsExt, Cx, Expect, RecordsExt, Write};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::body;
use crate::{Console, Granted, NAME, Refusal, may_reapply};

/// What `millrace apply` sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    /// The declaration's file name, for messages.
    pipeline_file: String,
    /// The declaration.
    pipeline: String,
    /// The contract's file name, for messages.
    contract_file: String,
    /// The contract.
    contract: String,
    /// The program's files by name, in base64.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

/// A declaration that holds.
#[derive(Debug)]
pub struct Checked {
    /// The declaration.
    pub spec: Pipeline,
    /// The compiled features.
    pub features: Features,
}

/// Checks a declaration with its contract, as it is checked when it is applied: pure. The two
/// names are what problems call the files.
///
/// # Errors
/// Every problem of the first of these steps that finds any: the declaration's own form, the
/// contract, their fit with each other, the target, the features.
pub fn check(
    pipeline_file: &str,
    pipeline: &str,
    contract_file: &str,
    contract: &str,
) -> Result<Checked, Vec<Problem>> {
    checked(pipeline_file, pipeline, contract_file, contract).map_err(|mut problems| {
        if problems.iter().all(|problem| problem.file == pipeline_file) {
            yaml::place(pipeline, &mut problems);
        }
        problems
    })
}

fn checked(
    pipeline_file: &str,
    pipeline: &str,
    contract_file: &str,
    contract: &str,
) -> Result<Checked, Vec<Problem>> {
    let spec: Pipeline = yaml::parse(pipeline_file, pipeline).map_err(|problem| vec![problem])?;
    let contract = Contract::parse(contract_file, contract)?;
    let schema = contract.schema();
    let mut problems = spec.problems(pipeline_file);
    problems.extend(tuning::check::problems(&spec, pipeline_file));
    problems.extend(unknown_columns(pipeline_file, &spec, &schema));
    if !problems.is_empty() {
        return Err(placed(pipeline_file, pipeline, problems));
    }
    let expression = match &spec.target {
        Target::Column(_) => None,
        Target::Expression { expression, .. } => Some(expression.as_str()),
    };
    let here = |fault: Problem| Problem { file: pipeline_file.into(), ..fault };
    let target = features::Target::compile(spec.target.name(), expression, &schema)
        .and_then(|target| target.knowing(spec.target.known()))
        .map_err(|fault| vec![here(fault)])?;
    let serving = serving_schema(pipeline_file, &spec, &schema, &target).map_err(|problem| vec![problem])?;
    let wrong = declaration::problems(pipeline_file, &spec.evaluation, spec.problem, &serving);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let features = Features::compile(&serving, &spec.features, &spec.drop, &target)
        .map_err(|faults| faults.into_iter().map(here).collect::<Vec<_>>())?;
    Ok(Checked { spec, features })
}

/// Problems of fields, each with its place in the file.
fn placed(file: &str, text: &str, problems: Vec<Problem>) -> Vec<Problem> {
    let Ok(tree) = yaml::tree(file, text) else { return problems };
    let place = |problem: Problem| match problem.field.as_deref().and_then(|field| tree.nearest(field)) {
        Some(node) if problem.line.is_none() => node.locate(problem),
        _ => problem,
    };
    problems.into_iter().map(place).collect()
}

/// The columns a prediction is made from: the contract's, without what names the thing, what is
/// predicted or makes it up, and what is withheld.
fn serving_schema(
    file: &str,
    spec: &Pipeline,
    schema: &Schema,
    target: &features::Target,
) -> Result<Schema, Problem> {
    let mut hidden: BTreeSet<String> = target.withheld();
    hidden.extend(spec.entity.iter().cloned());
    hidden.extend(spec.withhold.iter().cloned());
    let fields: Vec<_> =
        schema.fields.iter().filter(|field| !hidden.contains(&field.name)).cloned().collect();
    if fields.is_empty() {
        let problem = Problem::new(file, "nothing to predict from");
        return Err(problem.expected("at least one column beside entity, target and what is withheld"));
    }
    Ok(Schema { fields })
}

/// Names that are not columns of the contract.
fn unknown_columns(file: &str, spec: &Pipeline, schema: &Schema) -> Vec<Problem> {
    let named = [("entity", &spec.entity), ("withhold", &spec.withhold), ("drop", &spec.drop)];
    let named = named.into_iter().flat_map(|(field, names)| names.iter().map(move |name| (field, name)));
    let time = spec.time.iter().map(|name| ("time", name));
    let known = || schema.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
    named
        .chain(time)
        .filter(|(_, name)| schema.position(name).is_none())
        .map(|(field, name)| {
            Problem::new(file, "unknown column")
                .field(field)
                .found(format!("{name:?}"))
                .expected(format!("one of {}", known()))
        })
        .collect()
}

impl Console {
    /// Records a declaration under its digest.
    pub(crate) async fn apply(&self, cx: &Cx, request: &Request) -> Granted {
        let application: Application = body(request)?;
        let Application { pipeline_file, pipeline, contract_file, contract, files } = &application;
        let checked = check(pipeline_file, pipeline, contract_file, contract).map_err(Refusal::Faults)?;
        let program_files = program_files(&checked.spec, pipeline_file, files).map_err(Refusal::Faults)?;
        let name = checked.spec.name.clone();
        let key = Key::of(&name, prefix::PIPELINE);
        let before: Option<Typed<Applied>> = self.records.read(&key).await?;
        if let Some(before) = &before {
            if self.was_accepted(cx, &name, request, "apply").await? {
                let revision = before.value.revision;
                return Ok(Response::json(
                    200,
                    &json!({ "pipeline": name, "revision": revision, "changed": true }),
                ));
            }
            may_reapply(&request.actor, &before.value, &checked.spec)
                .map_err(|why| Refusal::Because(403, why))?;
        }

        let claim = self.claim(&name, checked.spec.endpoint()).await?;

        let contract_digest = Digest::of(contract.as_bytes());
        let features_json = checked.features.to_json();
        let features_digest = Digest::of(&features_json);
        let digest = checked.spec.digest();
        let program_digest = program_digest(&checked.spec.training.program, &program_files);
        let unchanged = before.as_ref().filter(|before| {
            let before = &before.value;
            before.digest == digest
                && before.contract.digest == contract_digest
                && before.features.digest == features_digest
                && before.program_digest == program_digest
        });
        if let Some(before) = unchanged {
            return Ok(Response::json(
                200,
                &json!({ "pipeline": name, "revision": before.value.revision, "changed": false }),
            ));
        }

        self.blobs.put(&BlobPath::config(&name, &digest, "pipeline.yaml"), pipeline.as_bytes()).await?;
        let contract = self
            .blobs
            .put(&BlobPath::config(&name, &contract_digest, "contract.yaml"), contract.as_bytes())
            .await?;
        let features = self
            .blobs
            .put(&BlobPath::config(&name, &features_digest, "features.json"), &features_json)
            .await?;
        let mut program: BTreeMap<String, File> = BTreeMap::new();
        for (file, bytes) in &program_files {
            let file_path = BlobPath::config(&name, &Digest::of(bytes), file);
            program.insert(file.clone(), self.blobs.put(&file_path, bytes).await?);
        }
        let revision = before.as_ref().map_or(1, |before| before.value.revision + 1);
        let applied = Applied {
            revision,
            spec: checked.spec,
            digest,
            contract,
            features,
            program,
            program_digest,
            by: request.actor.clone(),
            at: cx.now,
        };
        let mut plan = Plan::caused(NAME, cx, &request.id, &name, "apply");
        plan.write(Write::put(key, before.as_ref().map(|before| before.version), &applied));
        if before.is_none() {
            let listed = Key::listed(&name);
            plan.write(Write { key: listed, expect: Expect::Absent, value: Some(json!({ "name": name })) });
        }
        if claim == Claim::Free {
            let key = Key::claimed(applied.spec.endpoint());
            plan.write(Write { key, expect: Expect::Absent, value: Some(json!({ "pipeline": name })) });
        }
        let event = Event::PipelineApplied { revision, pipeline_digest: digest, contract_digest };
        plan.emit_as(event, request.actor.clone(), None);
        plan.commit(&*self.records).await?;
        Ok(Response::json(200, &json!({ "pipeline": name, "revision": revision, "changed": true })))
    }
}

/// How an endpoint's name stands for a pipeline that declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// Nobody's yet.
    Free,
    /// The pipeline's own.
    Own,
}

impl Console {
    /// Whether a pipeline may answer under a name. A name stays its first pipeline's for good,
    /// since what asks it may go on doing so long after the declaration changed.
    async fn claim(&self, pipeline: &PipelineName, endpoint: &PipelineName) -> Result<Claim, Refusal> {
        let taken = |by: &str| {
            let what = format!("serving.endpoint: the pipeline {by} answers as {endpoint} already");
            Err(Refusal::Because(409, format!("{what}; name another endpoint in `serving: {{endpoint: …}}`")))
        };
        let row: Option<Typed<Value>> = self.records.read(&Key::claimed(endpoint)).await?;
        if let Some(by) = row.as_ref().and_then(|row| row.value["pipeline"].as_str()) {
            return if by == pipeline.as_str() { Ok(Claim::Own) } else { taken(by) };
        }
        // What was applied before names were claimed.
        for other in self.records.pipelines().await? {
            let applied: Option<Typed<Applied>> =
                self.records.read(&Key::of(&other, prefix::PIPELINE)).await?;
            let is_its = applied.is_some_and(|applied| applied.value.spec.endpoint() == endpoint);
            if is_its && other != *pipeline {
                return taken(other.as_str());
            }
        }
        Ok(Claim::Free)
    }
}

/// The program's files as bytes: exactly those the declaration names.
fn program_files(
    spec: &Pipeline,
    file: &str,
    sent: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<u8>>, Vec<Problem>> {
    let Program::Command { files, .. } = &spec.training.program else { return Ok(BTreeMap::new()) };
    let mut found = BTreeMap::new();
    let mut problems = Vec::new();
    for name in files {
        let fault = |rule: &str| {
            Problem::new(file, rule).field("training.program.command.files").found(format!("{name:?}"))
        };
        if name.contains('/') || BlobPath::parse(name).is_err() {
            problems.push(fault("not a plain file name").expected("a file beside the declaration"));
            continue;
        }
        match sent.get(name).map(|text| base64::prelude::BASE64_STANDARD.decode(text)) {
            Some(Ok(bytes)) => {
                found.insert(name.clone(), bytes);
            }
            Some(Err(_)) => problems.push(fault("not base64")),
            None => problems.push(fault("missing file").expected("the file beside the declaration")),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

/// What names the program in a version's lineage.
fn program_digest(program: &Program, files: &BTreeMap<String, Vec<u8>>) -> Digest {
    match program {
        Program::Boost => Digest::of_parts(&["boost", env!("CARGO_PKG_VERSION")]),
        Program::Command { run, .. } => {
            let files: BTreeMap<&String, Digest> =
                files.iter().map(|(name, bytes)| (name, Digest::of(bytes))).collect();
            Digest::of_json(&json!({ "run": run, "files": files }))
        }
    }
}
