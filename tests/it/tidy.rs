//! The rules of the layout: who may depend on whom, and what no file may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::root;

/// Crates that hold formats and small comforts, and reach nothing outside a process.
const HARMLESS: [&str; 7] = ["async-trait", "base64", "bytes", "futures", "serde", "serde_json", "thiserror"];

/// What reaches the outside or a clock, and what runs things: not for the layers of pure thought.
const OUTSIDE: [&str; 9] =
    ["axum", "hyper", "rand", "rusqlite", "rustix", "tokio", "tracing", "ureq", "uuid"];

/// The crates that stand in for a deployment in tests.
const FOR_TESTS: [&str; 2] = ["conformance", "simulation"];

/// The adapters of one machine, and what reads and executes the template there.
const OF_ONE_MACHINE: [&str; 4] = ["local", "process", "wiring", "runtime"];

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_ours =
            !["target", "demo-data", "real-data"].contains(&name.as_str()) && !name.starts_with('.');
        if path.is_dir() && is_ours {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// What a manifest says that its crate is built from.
struct Manifest {
    /// The folder, as `shared/domain`.
    place: String,
    /// Dependencies of every build.
    always: BTreeSet<String>,
    /// Dependencies that a feature brings.
    optional: BTreeSet<String>,
    /// Dependencies of its tests.
    tests: BTreeSet<String>,
}

/// Every crate's manifest, by the crate's name.
fn manifests() -> BTreeMap<String, Manifest> {
    let mut paths = Vec::new();
    files(&root(), "Cargo.toml", &mut paths);
    let mut manifests = BTreeMap::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let place = path.parent().unwrap().strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let (mut section, mut name) = (String::new(), String::new());
        let mut manifest =
            Manifest { place, always: BTreeSet::new(), optional: BTreeSet::new(), tests: BTreeSet::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).to_owned();
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let key = key.split('.').next().unwrap().trim().to_owned();
            match section.as_str() {
                "package" if key == "name" => name = value.trim().trim_matches('"').to_owned(),
                "dependencies" if value.contains("optional = true") => _ = manifest.optional.insert(key),
                "dependencies" | "build-dependencies" => _ = manifest.always.insert(key),
                "dev-dependencies" => _ = manifest.tests.insert(key),
                _ => {}
            }
        }
        if !name.is_empty() {
            manifests.insert(name, manifest);
        }
    }
    assert!(manifests.len() > 15, "the walk finds the crates");
    manifests
}

fn is_function(manifest: &Manifest) -> bool {
    manifest.place.starts_with("functions/")
}

#[test]
fn layers_depend_downwards_only() {
    let manifests = manifests();
    let ours: BTreeSet<&str> = manifests.keys().map(String::as_str).collect();
    // Which of our crates each layer may know.
    for (layer, may_know) in [
        ("domain", [].as_slice()),
        ("ports", &["domain"]),
        ("engine", &["domain"]),
        ("tuning", &["domain"]),
        ("wiring", &["domain"]),
    ] {
        let Manifest { always, optional, .. } = &manifests[layer];
        for name in always.union(optional) {
            let is_below = !ours.contains(name.as_str()) || may_know.contains(&name.as_str());
            assert!(is_below, "{layer} may not depend on {name}");
            assert!(!OUTSIDE.contains(&name.as_str()), "{layer} may not depend on {name}");
        }
    }
    for waiting in ["async-trait", "futures"] {
        for layer in ["domain", "engine", "tuning"] {
            assert!(!manifests[layer].always.contains(waiting), "{layer} may not depend on {waiting}");
        }
    }
}

#[test]
fn a_function_knows_the_nouns_the_ports_and_what_is_pure() {
    let manifests = manifests();
    let functions: Vec<_> = manifests.iter().filter(|(_, manifest)| is_function(manifest)).collect();
    assert_eq!(functions.len(), 8, "the functions of the template");
    for (function, manifest) in functions {
        for name in &manifest.always {
            let is_known = ["domain", "ports", "engine", "tuning", "tracing"].contains(&name.as_str());
            let is_known = is_known || HARMLESS.contains(&name.as_str());
            assert!(is_known, "{function} may not depend on {name}");
        }
        for name in &manifest.optional {
            // What its executable needs may come with a feature; another function never.
            assert!(!manifests.get(name).is_some_and(is_function), "{function} may not depend on {name}");
            assert!(!OF_ONE_MACHINE.contains(&name.as_str()), "{function} may not depend on {name}");
        }
    }
}

#[test]
fn what_runs_on_one_machine_knows_no_function_and_no_cloud() {
    let manifests = manifests();
    for of_one_machine in OF_ONE_MACHINE {
        let Manifest { always, optional, tests, .. } = &manifests[of_one_machine];
        for name in always.iter().chain(optional).chain(tests) {
            let is_function = manifests.get(name).is_some_and(is_function);
            let is_cloud = name.starts_with("aws") || name.starts_with("lambda");
            assert!(!is_function && !is_cloud, "{of_one_machine} may not depend on {name}");
        }
    }
}

#[test]
fn only_the_command_composes() {
    for (composer, Manifest { place, always, optional, .. }) in &manifests() {
        let knows = |name: &str| always.contains(name) || optional.contains(name);
        // Whoever plays a deployment may read the template; that alone composes nothing.
        let machine = OF_ONE_MACHINE.into_iter().filter(|name| *name != "wiring" && knows(name)).count();
        // Local adapters and what executes the template know each other as far as they must.
        let is_of_one_machine = OF_ONE_MACHINE.contains(&composer.as_str());
        let is_test = place.starts_with("tests");
        let may_compose = is_of_one_machine || is_test || composer == "cli";
        assert!(machine == 0 || may_compose, "{composer} composes a machine");
        for name in FOR_TESTS {
            let is_for_tests = is_test || FOR_TESTS.contains(&composer.as_str());
            assert!(!knows(name) || is_for_tests, "{composer} ships {name}, which is for tests");
        }
    }
}

#[test]
fn nothing_that_is_built_by_default_knows_an_aws_sdk() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal,build", "--prefix", "none", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.lines().any(|line| line.starts_with("cli v")), "the command is built by default");
    for line in tree.lines() {
        assert!(!line.starts_with("aws-") && !line.starts_with("lambda_"), "{line} is in the default build");
    }
}

#[test]
fn every_source_file_says_in_its_first_line_what_it_answers() {
    let mut sources = Vec::new();
    files(&root(), ".rs", &mut sources);
    assert!(sources.len() > 50, "the walk finds the sources");
    for source in sources {
        let text = std::fs::read_to_string(&source).unwrap();
        assert!(text.starts_with("//! "), "{}", source.display());
    }
}

#[test]
fn links_in_the_pages_lead_somewhere() {
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if !target.starts_with("http") && !target.is_empty() {
                assert!(root().join(target).exists(), "{page} links to {target}");
            }
        }
    }
}

#[test]
fn everything_but_the_crates_of_aws_is_built_by_default() {
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let defaults = told["workspace_default_members"].as_array().unwrap();
    let packages = told["packages"].as_array().unwrap().iter();
    let mut others: Vec<&str> = packages
        .filter(|package| !defaults.contains(&package["id"]))
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    others.sort_unstable();
    assert_eq!(others, ["aws", "cloud", "lambda"]);
}

#[test]
fn invariants_that_logs_name_are_those_of_the_architecture() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut sources = Vec::new();
    files(&root(), ".rs", &mut sources);
    let mut named = BTreeSet::new();
    for source in sources {
        let text = std::fs::read_to_string(&source).unwrap();
        for found in text.split("invariant = \"").skip(1) {
            let id = found.split('"').next().unwrap().to_owned();
            if id.starts_with("I-") {
                assert!(page.contains(&format!("\n- {id}: ")), "{}: {id}", source.display());
                named.insert(id);
            }
        }
    }
    assert!(named.len() >= 5, "{named:?}");
}
