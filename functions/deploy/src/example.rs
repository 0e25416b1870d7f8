//! Rows that the tests begin with.

use std::collections::BTreeMap;

use domain::key::prefix;
use domain::pipeline::{ProblemType, Program, Target};
use domain::row::{Applied, ApprovalState, File, Lineage, Model, Served};
use domain::{Actor, BlobPath, Digest, Event, Key, Pipeline, PipelineName, Time};
use ports::{BlobsExt as _, Write};
use simulation::World;

/// The pipeline's name.
pub(crate) fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

fn file(text: &str) -> File {
    File { path: BlobPath::parse(&format!("example/{text}")).unwrap(), digest: Digest::of(text.as_bytes()) }
}

/// An approved version.
pub(crate) fn approved(version: u32) -> Model {
    let digest = |what: &str| Digest::of(format!("{what} {version}").as_bytes());
    let lineage = Lineage {
        selection: digest("selection"),
        parts: vec![digest("part")],
        contract: digest("contract"),
        pipeline: digest("pipeline"),
        features: digest("features"),
        program: digest("program"),
        artifact: digest("artifact"),
        hyperparameters: BTreeMap::new(),
        evaluation: digest("evaluation"),
        report: digest("report"),
    };
    let binding = Digest::of_json(&lineage);
    let run = format!("run{version}");
    let golden = "1,a,10\n2,b,20\n";
    let golden_path = BlobPath::run(&name(), &run, "golden.csv");
    Model {
        version,
        run,
        lineage,
        binding,
        artifact: file(&format!("model-{version}.tar.gz")),
        baseline: file("baseline"),
        golden: File { path: golden_path, digest: Digest::of(golden.as_bytes()) },
        features: file("features"),
        report: file("report"),
        metrics: BTreeMap::new(),
        champion: None,
        requested_by: Actor::person("bob"),
        newest: Time::from_millis(0),
        cycle: 0,
        at: Time::from_millis(0),
        approval: ApprovalState::Approved { by: Actor::person("alice"), at: Time::from_millis(0), binding },
    }
}

fn applied() -> Applied {
    let spec: Pipeline = serde_json::from_value(serde_json::json!({
        "name": "taxi", "contract": "contract.yaml", "target": "fare", "problem": "regression",
        "approval": {"approvers": ["alice"]},
    }))
    .unwrap();
    Applied {
        revision: 1,
        digest: spec.digest(),
        spec,
        contract: file("contract"),
        features: file("features"),
        program: BTreeMap::new(),
        program_digest: Digest::of(b"boost"),
        by: Actor::person("bob"),
        at: Time::from_millis(0),
    }
}

/// A pipeline with these versions, golden requests and programs; the model answers ten times the
/// first column.
pub(crate) async fn world(models: &[Model]) -> World {
    let world = World::new();
    let pipeline = name();
    let mut writes = vec![
        Write::insert(Key::of(&pipeline, prefix::PIPELINE), &applied()),
        Write::insert(Key::listed(&pipeline), &serde_json::json!({})),
    ];
    let served = Served {
        program: Program::Boost,
        files: BTreeMap::new(),
        target: Target::Column("fare".into()),
        problem: ProblemType::Regression,
        classes: Vec::new(),
    };
    for model in models {
        let key = Key::numbered(&pipeline, prefix::MODEL, u64::from(model.version));
        writes.push(Write::insert(key, model));
        world.blobs.put(&model.golden.path, b"1,a,10\n2,b,20\n").await.unwrap();
        let path = BlobPath::run(&pipeline, &model.run, Served::FILE);
        world.blobs.put(&path, &serde_json::to_vec(&served).unwrap()).await.unwrap();
    }
    let event = Event::RetrainingRequested { reason: "an event for the facts".into() };
    world.given(&pipeline, writes, vec![event]).await;
    world.endpoints.predict(|_, row| {
        let first: f64 = row.split(',').next().unwrap().parse().unwrap();
        (10.0 * first).to_string()
    });
    world
}
