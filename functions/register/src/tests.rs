//! Judgements in a world in memory; every input is delivered twice.

use std::collections::BTreeMap;

use domain::input::Changed;
use domain::key::prefix;
use domain::pipeline::{ProblemType, Program, Target as Declared, Trigger};
use domain::row::{
    Applied, ApprovalState, Counts, Cut, Endpoint, File, Lineage, Model, Prepared, Run, RunState,
    SelectedPart, Selection, Served,
};
use domain::{Actor, BlobPath, Digest, Event, Input, Key, Pipeline, PipelineName, Time, digest};
use engine::baseline::{Baseline, BaselineBuilder};
use engine::csv::read_rows;
use engine::evaluation::Evaluation;
use engine::features::{Features, Target};
use engine::table::{Kind, Schema};
use futures::executor::block_on;
use ports::{BlobsExt as _, Write, jobs::Work};
use simulation::World;

use crate::{Register, rows};

const ROWS: u64 = 200;

const CONTRACT: &str = "\
apiVersion: v3.1.0
kind: DataContract
id: taxi
version: 1.0.0
status: active
schema:
  - name: trips
    logicalType: object
    physicalType: file
    properties:
      - {name: x, logicalType: number}
      - {name: note, logicalType: string}
      - {name: y, logicalType: number}
";

fn name() -> PipelineName {
    "taxi".parse().unwrap()
}

fn register(world: &World) -> Register {
    Register { records: world.records.clone(), blobs: world.blobs.clone(), jobs: world.jobs.clone() }
}

fn inputs() -> Schema {
    Schema::of([("x", Kind::Number), ("note", Kind::Text)])
}

/// Row `i` of the withheld rows: x, and the truth it comes with.
fn row(i: u64) -> (f64, f64) {
    let x = i as f64 / 10.0;
    (x, 2.0 * x + (i % 7) as f64 / 10.0)
}

/// Predictions of every row in `rows` that are off by `error`, this way and that.
fn predictions(rows: impl Iterator<Item = u64>, error: f64) -> String {
    rows.map(|i| format!("{}\n", row(i).1 + if i % 2 == 0 { error } else { -error })).collect()
}

async fn put(world: &World, path: &str, bytes: &[u8]) -> File {
    world.blobs.put(&BlobPath::parse(path).unwrap(), bytes).await.unwrap()
}

fn selection(parts: &[u64], test: u64) -> Selection {
    let digest = Digest::of(b"a part");
    let data = File { path: BlobPath::parse("part").unwrap(), digest };
    let part = |number: &u64| SelectedPart {
        number: *number,
        digest: Digest::of(&number.to_be_bytes()),
        data: data.clone(),
        bytes: 1,
        rows: 1,
        as_of: Time::from_millis(0),
    };
    Selection {
        parts: parts.iter().map(part).collect(),
        cut: Cut::Entity { test, validation: 1_000 },
        features: digest,
    }
}

/// What the trainer of a run was given. Even rows are of part 1, odd rows of part 2; row i has
/// bucket 15 i, so that the buckets reach from 0 to 2985.
async fn prepared(world: &World) -> Prepared {
    let (mut test, mut truth, mut train) =
        (String::new(), "truth,part,row,bucket,time\r\n".to_owned(), "x,note,y\r\n".to_owned());
    for i in 0..ROWS {
        let (x, y) = row(i);
        test.push_str(&format!("{x},\"row {i}, noted\"\r\n"));
        truth.push_str(&format!("{y},{},{i},{},\r\n", 1 + i % 2, 15 * i));
        train.push_str(&format!("{x},none,{y}\r\n"));
    }
    let schema = std::sync::Arc::new(inputs());
    let mut builder = BaselineBuilder::new(&schema);
    builder.push(&read_rows("test", &schema, test.as_bytes()).unwrap());
    Prepared {
        train_rows: ROWS,
        validation_rows: 0,
        test_rows: ROWS,
        test: put(world, "runs/test.csv", test.as_bytes()).await,
        truth: put(world, "runs/truth.csv", truth.as_bytes()).await,
        baseline: put(world, "runs/baseline.json", &builder.finish().written()).await,
        channels: BTreeMap::from([(
            "train".to_owned(),
            put(world, "runs/train.csv", train.as_bytes()).await,
        )]),
    }
}

async fn features(world: &World) -> File {
    let target = Target { name: "y".into(), kind: Kind::Number, expression: None, known: Default::default() };
    let features = Features::compile(&inputs(), &BTreeMap::new(), &[], &target).unwrap();
    put(world, "features.json", &features.to_json()).await
}

/// A trained run of the parts 1 and 2, with 30 % of the buckets withheld.
async fn run(world: &World, id: &str, number: u64) -> Run {
    let selected = selection(&[1, 2], 3_000);
    let path = format!("runs/{id}/selection.json");
    Run {
        id: id.into(),
        number,
        trigger: Trigger::Data,
        reason: "new data".into(),
        by: Actor::person("bob"),
        cycle: 0,
        pipeline: Digest::of(b"pipeline"),
        contract: Digest::of(b"contract"),
        features: features(world).await,
        program: Digest::of(b"boost"),
        selection: put(world, &path, digest::canonical(&selected).as_bytes()).await,
        parts: vec![1, 2],
        rows: 1_000,
        newest: "2026-01-01".parse().unwrap(),
        at: world.clock.now(),
        state: RunState::Trained,
        prepared: Some(prepared(world).await),
        artifact: Some(put(world, &format!("runs/{id}/model.tar.gz"), id.as_bytes()).await),
        seconds: 1,
        spend: Default::default(),
        tuned: None,
        champion: None,
        evaluation: None,
        report: None,
    }
}

async fn applied(world: &World) -> Applied {
    let spec: Pipeline = serde_json::from_value(serde_json::json!({
        "name": "taxi", "contract": "contract.yaml", "target": "y", "problem": "regression",
        "approval": {"approvers": ["alice"]},
        // One test of its own measures importances: they take one more job.
        "evaluation": {"importances": false},
    }))
    .unwrap();
    Applied {
        revision: 1,
        digest: spec.digest(),
        spec,
        contract: put(world, "contract.yaml", CONTRACT.as_bytes()).await,
        features: features(world).await,
        program: BTreeMap::new(),
        program_digest: Digest::of(b"boost"),
        by: Actor::person("bob"),
        at: world.clock.now(),
    }
}

/// A world with a pipeline and a trained run `new`; and the news of it.
async fn world() -> (World, Input) {
    let world = World::new();
    let run = run(&world, "new", 2).await;
    let artifact = run.artifact.clone().unwrap();
    let writes = vec![
        Write::insert(Key::of(&name(), prefix::PIPELINE), &applied(&world).await),
        Write::insert(Key::listed(&name()), &serde_json::json!({})),
        Write::insert(rows::run_key(&name(), "new"), &run),
    ];
    let event = Event::TrainingCompleted { run: "new".into(), artifact, seconds: 1, tuned: None };
    let mut events = world.given(&name(), writes, vec![event]).await;
    (world, Input::Event(Box::new(events.remove(0))))
}

/// Version 1 serves: it was trained on the parts given, with so many buckets withheld.
async fn champion(world: &World, parts: &[u64], test: u64, inputs: &Schema) {
    let mut run = run(world, "old", 1).await;
    run.state = RunState::Registered { version: 1 };
    let selected = selection(parts, test);
    run.selection = put(world, "runs/old/selection.json", digest::canonical(&selected).as_bytes()).await;
    let served = Served {
        program: Program::Boost,
        files: BTreeMap::new(),
        target: Declared::Column("y".into()),
        problem: ProblemType::Regression,
        classes: Vec::new(),
    };
    let path = BlobPath::run(&name(), "old", Served::FILE);
    world.blobs.put(&path, digest::canonical(&served).as_bytes()).await.unwrap();
    let target = Target { name: "y".into(), kind: Kind::Number, expression: None, known: Default::default() };
    let features = Features::compile(inputs, &BTreeMap::new(), &[], &target).unwrap();
    let features = put(world, "runs/old/features.json", &features.to_json()).await;
    let any = Digest::of(b"any");
    let lineage = Lineage {
        selection: any,
        parts: Vec::new(),
        contract: any,
        pipeline: any,
        features: any,
        program: any,
        artifact: any,
        hyperparameters: BTreeMap::new(),
        evaluation: any,
        report: any,
    };
    let file = File { path: BlobPath::parse("any").unwrap(), digest: any };
    let model = Model {
        version: 1,
        run: "old".into(),
        binding: Digest::of_json(&lineage),
        lineage,
        artifact: run.artifact.clone().unwrap(),
        baseline: file.clone(),
        golden: file.clone(),
        features,
        report: file,
        metrics: BTreeMap::new(),
        champion: None,
        requested_by: Actor::person("bob"),
        newest: Time::from_millis(0),
        cycle: 0,
        at: world.clock.now(),
        approval: ApprovalState::Pending,
    };
    let endpoint = Endpoint {
        name: "taxi".into(),
        champion: 1,
        previous: None,
        deployment: "d".into(),
        since: world.clock.now(),
    };
    let counts = Counts { parts: 2, runs: 2, versions: 1 };
    let writes = vec![
        Write::insert(rows::run_key(&name(), "old"), &run),
        Write::insert(rows::model_key(&name(), 1), &model),
        Write::insert(Key::named(&name(), prefix::ENDPOINT, "taxi"), &endpoint),
        Write::insert(Key::of(&name(), prefix::COUNTS), &counts),
    ];
    world.given(&name(), writes, vec![Event::DriftCheckRequested {}]).await;
}

fn changed(job: &str) -> Input {
    Input::JobChanged(Changed { name: job.into(), status: "Completed".into(), identity: "1".into() })
}

async fn waiting(world: &World) -> Option<rows::Waiting> {
    world.row(&rows::waiting_key(&name(), "new")).await
}

async fn state(world: &World) -> RunState {
    world.row::<Run>(&rows::run_key(&name(), "new")).await.unwrap().state
}

#[test]
fn a_first_candidate_that_beats_the_naive_baseline_becomes_version_1() {
    block_on(async {
        let (world, trained) = world().await;
        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let ask = waiting(&world).await.unwrap().candidate;
        assert_eq!(world.jobs.running(), std::slice::from_ref(&ask.job));
        assert!(ask.job.starts_with("taxi-predict-") && ask.job.len() == 13 + 12, "{}", ask.job);
        let Work::Predict { input, output, artifact } = world.jobs.spec(&ask.job).work else { panic!() };
        assert_eq!((input.as_str(), artifact.as_str()), ("runs/test.csv", "runs/new/model.tar.gz"));
        assert_eq!(state(&world).await, RunState::Predicting { jobs: vec![ask.job.clone()] });

        // A tick before the job has ended changes nothing.
        world.twice(&register, world.tick()).await.unwrap();
        world.jobs.complete(&ask.job, predictions(0..ROWS, 0.05));
        world.twice(&register, changed("taxi-predict-000000000000")).await.unwrap();
        assert!(waiting(&world).await.is_some(), "another job's news");
        world.twice(&register, changed(&ask.job)).await.unwrap();

        assert_eq!(
            world.kinds(&name()).await,
            ["TrainingCompleted", "PredictionsRequested", "ModelRegistered"]
        );
        assert_eq!(state(&world).await, RunState::Registered { version: 1 });
        assert_eq!(waiting(&world).await, None);
        let model: Model = world.row(&rows::model_key(&name(), 1)).await.unwrap();
        assert_eq!(model.binding, Digest::of_json(&model.lineage));
        assert_eq!(model.lineage.parts, [Digest::of(&1_u64.to_be_bytes()), Digest::of(&2_u64.to_be_bytes())]);
        assert_eq!((model.approval, model.requested_by), (ApprovalState::Pending, Actor::person("bob")));
        // Every prediction is off by 0.05, so that is the root mean squared error.
        assert!((model.metrics["rmse"] - 0.05).abs() < 1e-9, "{:?}", model.metrics);
        assert!(world.blobs.text(&model.report.path).contains("<html"));
        let last = world.events(&name()).await.pop().unwrap();
        let Event::ModelRegistered { reason, binding, .. } = &last.event else { panic!() };
        assert!(reason.starts_with("the candidate beats the naive baseline"), "{reason}");
        assert_eq!(*binding, model.binding);
        let Input::Event(trained) = trained else { panic!() };
        assert_eq!(last.correlation, trained.correlation);

        let golden = world.blobs.text(&model.golden.path);
        assert_eq!(golden.lines().count(), domain::limit::GOLDEN_ROWS);
        assert_eq!(golden.lines().next(), Some("0,\"row 0, noted\",0.05"));
        let bytes = world.blobs.read(&model.baseline.path).unwrap();
        let baseline = Baseline::read("baseline", &bytes).unwrap();
        let reference = baseline.reference_error.unwrap();
        assert_eq!(reference.rows, ROWS);
        assert!((reference.mean - 0.0025).abs() < 1e-9);
        assert_eq!(baseline.predictions.unwrap().counts.rows(), ROWS);
        assert_eq!(baseline.newest, Some("2026-01-01".parse().unwrap()));
        assert_eq!(output, ask.output);
    });
}

#[test]
fn champion_and_candidate_are_compared_on_rows_neither_was_shown() {
    block_on(async {
        let (world, trained) = world().await;
        // The champion knew part 1 only, and withheld the buckets below 2000: of the even rows
        // (part 1), those from bucket 2000 on were shown to it.
        champion(&world, &[1], 2_000, &inputs()).await;
        let fair: Vec<u64> = (0..ROWS).filter(|i| i % 2 == 1 || 15 * i < 2_000).collect();
        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let waits = waiting(&world).await.unwrap();
        assert_eq!((waits.rows, waits.withheld, waits.version), (fair.len() as u64, ROWS, Some(1)));
        let input = world.blobs.text(&waits.candidate.input.path);
        assert_eq!(input.lines().count(), fair.len());
        assert!(input.lines().nth(100).unwrap().ends_with(&format!("row {}, noted\"", fair[100])));
        let theirs = waits.champion.unwrap();
        assert_eq!(theirs.input, waits.candidate.input);
        assert_eq!(world.jobs.running().len(), 2);

        world.jobs.complete(&waits.candidate.job, predictions(fair.iter().copied(), 0.05));
        world.twice(&register, changed(&waits.candidate.job)).await.unwrap();
        assert!(waiting(&world).await.is_some(), "the champion still predicts");
        world.jobs.complete(&theirs.job, predictions(fair.iter().copied(), 0.5));
        world.clock.advance(Time::SECOND);
        world.twice(&register, world.tick()).await.unwrap();
        assert_eq!(state(&world).await, RunState::Registered { version: 2 });
        let model: Model = world.row(&rows::model_key(&name(), 2)).await.unwrap();
        assert_eq!(model.champion, Some(1));
        let last = world.events(&name()).await.pop().unwrap();
        let Event::ModelRegistered { reason, .. } = &last.event else { panic!("{:?}", last.event) };
        assert!(reason.starts_with("the candidate beats the champion"), "{reason}");
        let left_out = ROWS - fair.len() as u64;
        assert!(reason.contains(&format!("{left_out} of 200 withheld rows are left out")), "{reason}");
    });
}

#[test]
fn a_candidate_that_does_not_beat_the_champion_is_rejected() {
    block_on(async {
        let (world, trained) = world().await;
        champion(&world, &[9], 2_000, &inputs()).await;
        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let waits = waiting(&world).await.unwrap();
        world.jobs.complete(&waits.candidate.job, predictions(0..ROWS, 0.5));
        world.jobs.complete(&waits.champion.unwrap().job, predictions(0..ROWS, 0.05));
        world.twice(&register, changed(&waits.candidate.job)).await.unwrap();
        let RunState::Rejected { reason } = state(&world).await else { panic!() };
        assert!(reason.starts_with("the candidate does not beat the champion beyond chance"), "{reason}");
        let counts: Counts = world.row(&Key::of(&name(), prefix::COUNTS)).await.unwrap();
        assert_eq!(counts.versions, 1, "versions are given without gaps");
        let judged: Run = world.row(&rows::run_key(&name(), "new")).await.unwrap();
        assert!(judged.report.is_some() && judged.evaluation.is_some(), "the page says why");
    });
}

#[test]
fn a_candidate_that_a_line_does_better_than_is_rejected() {
    block_on(async {
        let (world, trained) = world().await;
        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let job = waiting(&world).await.unwrap().candidate.job;
        // Far better than the mean, but the truth is 0.2 about a line.
        world.jobs.complete(&job, predictions(0..ROWS, 0.5));
        world.twice(&register, changed(&job)).await.unwrap();
        let RunState::Rejected { reason } = state(&world).await else { panic!() };
        assert!(reason.starts_with("the candidate is not better than the linear baseline"), "{reason}");
    });
}

/// Judges with importances: `shuffled` ends the job of the shuffled rows.
fn judged_with_importances(shuffled: impl FnOnce(&World, &rows::Ask)) -> Evaluation {
    block_on(async {
        let (world, trained) = world().await;
        let key = Key::of(&name(), prefix::PIPELINE);
        let mut applied: Applied = world.row(&key).await.unwrap();
        applied.spec.evaluation.importances = true;
        world.records.tamper(&key, Some(serde_json::to_value(&applied).unwrap()));
        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let waits = waiting(&world).await.unwrap();
        let ask = waits.shuffled.clone().unwrap();
        assert_eq!(
            state(&world).await,
            RunState::Predicting { jobs: vec![waits.candidate.job.clone(), ask.job.clone()] }
        );
        world.jobs.complete(&waits.candidate.job, predictions(0..ROWS, 0.05));
        world.twice(&register, changed(&waits.candidate.job)).await.unwrap();
        assert!(waiting(&world).await.is_some(), "the shuffled rows are waited for");
        shuffled(&world, &ask);
        world.clock.advance(Time::SECOND);
        world.twice(&register, world.tick()).await.unwrap();
        assert_eq!(state(&world).await, RunState::Registered { version: 1 });
        let run: Run = world.row(&rows::run_key(&name(), "new")).await.unwrap();
        let bytes = world.blobs.read(&run.evaluation.unwrap().path).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    })
}

#[test]
fn what_a_model_needs_is_measured_on_rows_with_one_column_shuffled() {
    let evaluation = judged_with_importances(|world, ask| {
        let rows = world.blobs.text(&ask.input.path);
        assert_eq!(rows.lines().count(), 2 * ROWS as usize, "a block for each column");
        let answer =
            |row: &str| format!("{}\n", 2.0 * row.split(',').next().unwrap().parse::<f64>().unwrap());
        world.jobs.complete(&ask.job, rows.lines().map(answer).collect::<String>());
    });
    let found: Vec<&str> = evaluation.importances.iter().map(|one| one.column.as_str()).collect();
    assert_eq!(found, ["x", "note"]);
    // x is spread evenly over 0 to 20, so shuffling it costs 2 · 4 · 20² / 12 = 267.
    let interval = evaluation.importances[0].interval.unwrap();
    assert!(interval.low < 267.0 && 267.0 < interval.high, "{interval:?}");
}

#[test]
fn a_model_is_not_refused_because_its_shuffled_rows_could_not_be_predicted() {
    let evaluation = judged_with_importances(|world, ask| world.jobs.fail(&ask.job, "exit status 1"));
    assert!(evaluation.importances.is_empty());
    let evaluation =
        judged_with_importances(|world, ask| world.jobs.complete(&ask.job, "not a number\n".to_owned()));
    assert!(evaluation.importances.is_empty());
}

#[test]
fn slices_leaks_and_rows_seen_before_are_told() {
    block_on(async {
        let (world, trained) = world().await;
        let key = Key::of(&name(), prefix::PIPELINE);
        let mut applied: Applied = world.row(&key).await.unwrap();
        applied.spec.evaluation.slices = serde_json::from_value(serde_json::json!([
            {"column": "x", "maximum": {"rmse": 0.06}}
        ]))
        .unwrap();
        world.records.tamper(&key, Some(serde_json::to_value(&applied).unwrap()));
        // Two withheld rows were trained on as well.
        let mut run: Run = world.row(&rows::run_key(&name(), "new")).await.unwrap();
        let prepared = run.prepared.as_mut().unwrap();
        let mut train = world.blobs.text(&prepared.channels["train"].path);
        for i in [3, 7] {
            let (x, y) = row(i);
            train.push_str(&format!("{x},\"row {i}, noted\",{y}\r\n"));
        }
        let train = put(&world, "runs/train-with-two.csv", train.as_bytes()).await;
        prepared.channels.insert("train".into(), train);
        world.records.tamper(&rows::run_key(&name(), "new"), Some(serde_json::to_value(&run).unwrap()));

        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let job = waiting(&world).await.unwrap().candidate.job;
        world.jobs.complete(&job, predictions(0..ROWS, 0.05));
        world.twice(&register, changed(&job)).await.unwrap();
        let last = world.events(&name()).await.pop().unwrap();
        let Event::ModelRegistered { reason, .. } = &last.event else { panic!("{:?}", last.event) };
        assert!(reason.contains("x predicts the target almost alone"), "{reason}");
        assert!(reason.contains("2 withheld rows stand among the training rows too"), "{reason}");
        let run: Run = world.row(&rows::run_key(&name(), "new")).await.unwrap();
        let bytes = world.blobs.read(&run.evaluation.unwrap().path).unwrap();
        let evaluation: Evaluation = serde_json::from_slice(&bytes).unwrap();
        // Quarters of x, in which every prediction is off by 0.05.
        let slices = &evaluation.slices[0].slices;
        assert_eq!((slices.len(), slices.iter().map(|slice| slice.rows).sum()), (4, ROWS));
        assert!(evaluation.gates.iter().any(|gate| gate.name == "rmse in each slice of x at most"));
        let names: Vec<&str> = evaluation.baselines.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["mean", "median", "linear"]);
        let page = world.blobs.text(&run.report.unwrap().path);
        for section in ["Baselines", "The data", "Slices", "Worst slices"] {
            assert!(page.contains(&format!("<h2>{section}</h2>")), "{section}");
        }
    });
}

#[test]
fn a_champion_with_fewer_columns_is_fed_its_own() {
    block_on(async {
        let (world, trained) = world().await;
        champion(&world, &[9], 2_000, &Schema::of([("x", Kind::Number)])).await;
        world.twice(&register(&world), &trained).await.unwrap();
        let theirs = waiting(&world).await.unwrap().champion.unwrap();
        assert!(world.blobs.text(&theirs.input.path).starts_with("0\r\n0.1\r\n0.2\r\n"));
    });
}

#[test]
fn a_champion_that_needs_other_columns_is_not_compared_with() {
    block_on(async {
        let (world, trained) = world().await;
        champion(&world, &[9], 2_000, &Schema::of([("z", Kind::Number)])).await;
        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let waits = waiting(&world).await.unwrap();
        assert_eq!((waits.champion, waits.version), (None, None));
        world.jobs.complete(&waits.candidate.job, predictions(0..ROWS, 0.05));
        world.twice(&register, changed(&waits.candidate.job)).await.unwrap();
        let last = world.events(&name()).await.pop().unwrap();
        let Event::ModelRegistered { reason, .. } = &last.event else { panic!("{:?}", last.event) };
        assert!(reason.contains("champion version 1 reads the column z"), "{reason}");
    });
}

#[test]
fn predictions_that_are_there_already_need_no_job() {
    block_on(async {
        let (world, trained) = world().await;
        let run: Run = world.row(&rows::run_key(&name(), "new")).await.unwrap();
        let ask = rows::Ask::new(&name(), "new", &run.artifact.unwrap(), &run.prepared.unwrap().test);
        world.blobs.insert(&ask.output, predictions(0..ROWS, 0.05));
        world.twice(&register(&world), &trained).await.unwrap();
        assert!(world.jobs.started().is_empty());
        assert_eq!(state(&world).await, RunState::Registered { version: 1 });
    });
}

/// The candidate's run ends without a version: why.
fn rejected(spoil: impl AsyncFn(&World, &Register)) -> String {
    block_on(async {
        let (world, trained) = world().await;
        let register = register(&world);
        spoil(&world, &register).await;
        world.twice(&register, &trained).await.unwrap();
        if let Some(waits) = waiting(&world).await {
            let job = waits.candidate.job;
            if world.jobs.running().contains(&job) {
                world.jobs.complete(&job, predictions(0..ROWS - 1, 0.05));
            }
            world.twice(&register, changed(&job)).await.unwrap();
        }
        let kinds = world.kinds(&name()).await;
        assert_eq!(kinds.last(), Some(&"ModelRejected"), "{kinds:?}");
        assert_eq!(waiting(&world).await, None);
        match state(&world).await {
            RunState::Rejected { reason } => reason,
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn a_judgement_that_cannot_be_made_says_why() {
    let short = rejected(async |_, _| {});
    assert!(short.ends_with("199 answers for 200 rows"), "{short}");

    let changed = rejected(async |world, _| {
        let key = Key::of(&name(), prefix::PIPELINE);
        let mut applied: Applied = world.row(&key).await.unwrap();
        applied.features.digest = Digest::of(b"other features");
        applied.revision = 2;
        let event = Event::DriftCheckRequested {};
        world.given(&name(), vec![Write::update(key, 1, &applied)], vec![event]).await;
    });
    assert!(changed.starts_with("the pipeline's features or target changed with revision 2"), "{changed}");

    let few = rejected(async |world, _| champion(world, &[1, 2], 300, &inputs()).await);
    assert_eq!(
        few,
        "only 20 of 200 withheld rows were not trained on by champion version 1; 30 are needed to compare"
    );
}

#[test]
fn a_job_that_fails_ends_the_judgement_with_its_reason() {
    block_on(async {
        let (world, trained) = world().await;
        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let job = waiting(&world).await.unwrap().candidate.job;
        world.jobs.fail(&job, "exit status 1");
        world.twice(&register, changed(&job)).await.unwrap();
        let RunState::Rejected { reason } = state(&world).await else { panic!() };
        assert_eq!(reason, "the candidate could not predict the withheld rows: exit status 1");
    });
}

/// Seed 34 of the simulation: of two deliveries that judge one run, the slower one wrote its page
/// over the one that the version names, because the declaration was applied anew between them.
#[test]
fn a_slower_judgement_under_another_declaration_writes_over_nothing() {
    block_on(async {
        let (world, trained) = world().await;
        let register = register(&world);
        world.twice(&register, &trained).await.unwrap();
        let (run_key, waiting_key) = (rows::run_key(&name(), "new"), rows::waiting_key(&name(), "new"));
        let seen = (world.row::<serde_json::Value>(&run_key).await, world.row(&waiting_key).await);
        let ask = waiting(&world).await.unwrap().candidate;
        world.jobs.complete(&ask.job, predictions(0..ROWS, 0.05));
        world.deliver(&register, changed(&ask.job)).await.unwrap();
        let model: Model = world.row(&rows::model_key(&name(), 1)).await.unwrap();

        // What the slower delivery has read, and what is applied when it goes on.
        world.records.tamper(&run_key, seen.0);
        world.records.tamper(&waiting_key, seen.1);
        let mut applied = applied(&world).await;
        applied.spec.evaluation.confidence = 0.5;
        let applied = serde_json::to_value(&applied).unwrap();
        world.records.tamper(&Key::of(&name(), prefix::PIPELINE), Some(applied));
        world.deliver(&register, world.tick()).await.unwrap();

        let bytes = world.blobs.read(&model.report.path).unwrap();
        assert_eq!(Digest::of(&bytes), model.report.digest, "the page that the version names");
    });
}

/// What stands in the files that a waiting judgement names, against what it says of them.
async fn names_what_is_there(world: &World, waiting: &rows::Waiting) {
    for file in waiting.asks().map(|ask| &ask.input).chain([&waiting.truth]) {
        let bytes = world.blobs.read(&file.path).unwrap();
        assert_eq!(Digest::of(&bytes), file.digest, "{}", file.path);
    }
}

/// Version 2, which withheld other rows, takes over from version 1.
async fn another_champion(world: &World) {
    let row = |key: Key| async move { world.row::<serde_json::Value>(&key).await.unwrap() };
    let mut run = row(rows::run_key(&name(), "old")).await;
    let selected = selection(&[1], 2_500);
    let selected = put(world, "runs/newer/selection.json", digest::canonical(&selected).as_bytes()).await;
    (run["id"], run["selection"]) = ("newer".into(), serde_json::to_value(selected).unwrap());
    let served = world.blobs.read(&BlobPath::run(&name(), "old", Served::FILE)).unwrap();
    world.blobs.insert(&BlobPath::run(&name(), "newer", Served::FILE), served);
    let mut model = row(rows::model_key(&name(), 1)).await;
    (model["version"], model["run"]) = (2.into(), "newer".into());
    let key = Key::named(&name(), prefix::ENDPOINT, "taxi");
    let mut endpoint = row(key.clone()).await;
    endpoint["champion"] = 2.into();
    world.records.tamper(&rows::run_key(&name(), "newer"), Some(run));
    world.records.tamper(&rows::model_key(&name(), 2), Some(model));
    world.records.tamper(&key, Some(endpoint));
}

#[test]
fn a_slower_beginning_that_meets_another_champion_writes_over_nothing() {
    block_on(async {
        let (world, trained) = world().await;
        champion(&world, &[1], 2_000, &inputs()).await;
        let run_key = rows::run_key(&name(), "new");
        let seen = world.row::<serde_json::Value>(&run_key).await;
        let register = register(&world);
        world.deliver(&register, &trained).await.unwrap();
        let first = waiting(&world).await.unwrap();

        // The slower delivery has read the run before the first one went on with it.
        world.records.tamper(&run_key, seen);
        world.records.tamper(&rows::waiting_key(&name(), "new"), None);
        another_champion(&world).await;
        world.deliver(&register, Input::Event(Box::new(again(&world, &trained).await))).await.unwrap();
        let second = waiting(&world).await.unwrap();
        assert_ne!(first.candidate.input.digest, second.candidate.input.digest);
        names_what_is_there(&world, &first).await;
        names_what_is_there(&world, &second).await;
    });
}

/// The same news as another event, so that its commits are not taken for the first one's.
async fn again(world: &World, trained: &Input) -> domain::Envelope {
    let Input::Event(envelope) = trained else { panic!() };
    match world.given_event(&name(), envelope.event.clone()).await {
        Input::Event(envelope) => *envelope,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_serving_a_run_takes_is_written_once() {
    block_on(async {
        let (world, trained) = world().await;
        let run_key = rows::run_key(&name(), "new");
        let seen = world.row::<serde_json::Value>(&run_key).await;
        let register = register(&world);
        world.deliver(&register, &trained).await.unwrap();
        let path = BlobPath::run(&name(), "new", Served::FILE);
        let served = world.blobs.text(&path);

        world.records.tamper(&run_key, seen);
        world.records.tamper(&rows::waiting_key(&name(), "new"), None);
        let mut applied = applied(&world).await;
        applied.spec.problem = ProblemType::Multiclass;
        let applied = serde_json::to_value(&applied).unwrap();
        world.records.tamper(&Key::of(&name(), prefix::PIPELINE), Some(applied));
        world.deliver(&register, Input::Event(Box::new(again(&world, &trained).await))).await.unwrap();
        assert_eq!(world.blobs.text(&path), served);
        let RunState::Rejected { reason } = state(&world).await else { panic!() };
        assert!(reason.starts_with("the pipeline's problem changed"), "{reason}");
    });
}
