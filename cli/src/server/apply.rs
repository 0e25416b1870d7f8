//! `millrace apply`: a declaration, its contract and its program's files, sent as one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use clap::Args;
use domain::pipeline::{Approval, Program};
use domain::{BlobPath, Pipeline, Problem};
use serde_json::{Value, json};

use crate::client::{Client, Failure, Place};
use crate::files;
use crate::output::{self, Done, Error, Form};

#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    /// The declaration.
    #[arg(value_name = "PIPELINE.yaml")]
    pub(crate) file: PathBuf,
}

pub(super) fn apply(arguments: &ApplyArguments, place: &Place, form: Form) -> Done {
    let application = application(&arguments.file)?;
    let client = Client::open(&place.data, place.person.as_deref())?;
    let declared: Pipeline =
        engine::yaml::parse("the declaration", application["pipeline"].as_str().unwrap_or_default())?;
    let is_new = client
        .get(&format!("/api/pipelines/{}", declared.name))
        .is_err_and(|failure| failure.status() == Some(404));
    if is_new && let Some(why) = nobody_approves(&declared.approval, &client.runtime().unwrap_or_default()) {
        return output::error(why);
    }
    let answer = client.apply(&application).map_err(|failure| match failure {
        Failure::Refused(refusal) if !refusal.problems.is_empty() => output::problems(&refusal.problems),
        failure => failure.into(),
    })?;
    match form {
        Form::Json => output::json(&answer),
        Form::Text => output::line(&applied(&answer)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Why no version could ever be approved, where that is so: a server whose people only speak for
/// themselves knows one person, and the policy could not be changed later either.
fn nobody_approves(policy: &Approval, runtime: &Value) -> Option<String> {
    let person = runtime["person"].as_str().filter(|_| runtime["speaking"] == "for oneself")?;
    if !policy.four_eyes && policy.approvers.iter().any(|name| name == person) {
        return None;
    }
    let eyes = if policy.four_eyes { " with four eyes" } else { "" };
    Some(format!(
        "nobody could approve a version here: the policy names {}{eyes}, and everyone who asks this server is \
         {person}\n       who works alone declares\n         approval: {{approvers: [{person}], four_eyes: \
         false}}\n       several people can be played in a demonstration's directory: `millrace up --demo \
         --data DIR`, then `--as NAME`",
        policy.approvers.join(", ")
    ))
}

fn applied(answer: &Value) -> String {
    let name = answer["pipeline"].as_str().unwrap_or("the pipeline");
    match answer["changed"].as_bool() {
        Some(false) => format!("{name}: nothing has changed since revision {}", answer["revision"]),
        _ => format!("{name}: revision {} applies", answer["revision"]),
    }
}

/// What is sent to declare a pipeline: its file, the contract that it names beside it, and its
/// program's files. Whether they fit each other is the server's to say.
fn application(file: &Path) -> Result<Value, Error> {
    let shown = file.display().to_string();
    let text = files::text(file)?;
    let parsed = engine::yaml::parse(&shown, &text);
    let pipeline: Pipeline = parsed.map_err(|problem| output::problems(&[problem]))?;
    let contract_file = beside(file, &pipeline.contract, "contract")?;
    let contract = files::text(&contract_file)?;
    let mut program: BTreeMap<&str, String> = BTreeMap::new();
    if let Program::Command { files: names, .. } = &pipeline.training.program {
        for name in names {
            let path = beside(file, name, "training.program.command.files")?;
            let bytes = std::fs::read(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
            program.insert(name, base64::prelude::BASE64_STANDARD.encode(bytes));
        }
    }
    Ok(json!({
        "pipeline_file": shown,
        "pipeline": text,
        "contract_file": contract_file.display().to_string(),
        "contract": contract,
        "files": program,
    }))
}

/// A file named in a declaration. A declaration may come from elsewhere, so it cannot name files
/// outside its folder to be sent along.
fn beside(file: &Path, name: &str, field: &str) -> Result<PathBuf, Problem> {
    match BlobPath::parse(name) {
        Ok(_) => Ok(file.parent().unwrap_or(Path::new("")).join(name)),
        Err(_) => Err(Problem::new(file.display().to_string(), "not beside the declaration")
            .field(field)
            .found(format!("{name:?}"))
            .expected("the name of a file in the same folder")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: &str = include_str!("../../../examples/home-insurance/pipeline.yaml");
    const CONTRACT: &str = include_str!("../../../examples/home-insurance/contract.yaml");

    fn place(pipeline: &str) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("pipeline.yaml");
        std::fs::write(&file, pipeline).unwrap();
        std::fs::write(place.path().join("contract.yaml"), CONTRACT).unwrap();
        std::fs::write(place.path().join("train.py"), [0xff, 0x00]).unwrap();
        (place, file)
    }

    #[test]
    fn a_declaration_is_sent_with_what_it_names() {
        let program = "{command: {run: [python, train.py], files: [train.py]}}";
        let (_place, file) = place(&PIPELINE.replace("program: boost", &format!("program: {program}")));
        let sent = application(&file).unwrap();
        assert!(sent["pipeline"].as_str().unwrap().contains(program));
        assert_eq!(sent["contract"], CONTRACT);
        // printf '\xff\x00' | base64
        assert_eq!(sent["files"], json!({ "train.py": "/wA=" }));
        assert!(sent["contract_file"].as_str().unwrap().ends_with("contract.yaml"));
    }

    #[test]
    fn a_declaration_cannot_have_other_files_sent_along() {
        for outside in ["/etc/passwd", "../secret.yaml", "a/../../b"] {
            let named = PIPELINE.replace("contract: contract.yaml", &format!("contract: {outside}"));
            let (_place, file) = place(&named);
            let told = application(&file).unwrap_err().to_string();
            assert!(
                told.contains("contract: not beside the declaration") && told.contains(outside),
                "{told}"
            );
        }
    }

    #[test]
    fn a_file_that_is_missing_or_torn_is_named() {
        let (place, file) = place(PIPELINE);
        std::fs::remove_file(place.path().join("contract.yaml")).unwrap();
        assert!(application(&file).unwrap_err().to_string().contains("contract.yaml: No such file"));
        std::fs::write(&file, "name: [").unwrap();
        assert!(application(&file).unwrap_err().to_string().contains("pipeline.yaml:"));
    }

    #[test]
    fn a_policy_that_nobody_could_fulfil_is_refused_before_it_is_recorded() {
        let alone = json!({ "person": "olga", "speaking": "for oneself" });
        let played = json!({ "person": "olga", "speaking": "for anyone" });
        let policy = |names: &[&str], four_eyes| Approval {
            approvers: names.iter().map(|name| (*name).to_owned()).collect(),
            four_eyes,
        };
        for (policy, runtime, is_refused) in [
            (policy(&["olga"], false), &alone, false),
            (policy(&["olga", "bianca"], true), &alone, true),
            (policy(&["bianca"], false), &alone, true),
            (policy(&["bianca"], true), &played, false),
            (policy(&["bianca"], true), &Value::Null, false),
        ] {
            let why = nobody_approves(&policy, runtime);
            assert_eq!(why.is_some(), is_refused, "{policy:?} {why:?}");
            assert!(why.is_none_or(|why| why.contains("approvers: [olga], four_eyes: false")));
        }
    }

    #[test]
    fn an_answer_says_whether_anything_changed() {
        let answer = |changed: bool| json!({ "pipeline": "taxi", "revision": 2, "changed": changed });
        assert_eq!(applied(&answer(true)), "taxi: revision 2 applies");
        assert_eq!(applied(&answer(false)), "taxi: nothing has changed since revision 2");
    }
}
