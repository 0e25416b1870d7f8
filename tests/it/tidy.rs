//! The rules of the layout: who may depend on whom, and what no file may hold.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::root;

/// Crates that each layer may not depend on, by the names in its manifest.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    (
        "shared/domain",
        &["tokio", "async-trait", "tracing", "futures", "ports", "engine", "rusqlite", "ureq", "rand"],
    ),
    ("shared/ports", &["tokio", "tracing", "engine", "rusqlite", "ureq", "rand"]),
    ("shared/engine", &["tokio", "async-trait", "tracing", "futures", "ports", "rusqlite", "ureq", "rand"]),
];

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "demo-data"].contains(&name.as_str()) && !name.starts_with('.') {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

#[test]
fn layers_depend_downwards_only() {
    for (layer, forbidden) in FORBIDDEN {
        let manifest = std::fs::read_to_string(root().join(layer).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in dependencies.lines() {
            let name = line.split(['.', ' ', '=']).next().unwrap();
            assert!(!forbidden.contains(&name), "{layer} may not depend on {name}");
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
