//! What does `boost train` do: channels in, a model directory out.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::Problem;
use domain::pipeline::ProblemType;
use engine::features::Features;
use engine::table::{Batch, Field, Schema};
use serde_json::json;

use crate::artifact::Description;
use crate::encoding::Encoding;
use crate::failure::Failure;
use crate::hyperparameters::Hyperparameters;
use crate::labels;
use crate::place::Place;
use crate::rows;
use crate::trainer::{Labelled, Round, Task, Trainer, loss_name};

/// Most characters of a failure that SageMaker shows.
const FAILURE_CHARS_MAX: usize = 1024;

/// Trains, and writes `output/failure` if that fails. Progress goes to `out`, one line a round:
/// `#round=12 train:rmse=0.31 validation:rmse=0.33`, and at last the same of the rounds that were
/// kept. When `stop` becomes true the training ends
/// after the round it is in, and the model so far is written.
///
/// # Errors
/// If anything given is wrong or a file cannot be read or written.
pub fn run(
    place: &Place,
    trainer: &impl Trainer,
    stop: &AtomicBool,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let result = learn(place, trainer, stop, out);
    if let Err(failure) = &result {
        let reason: String = failure.to_string().chars().take(FAILURE_CHARS_MAX).collect();
        // The failure itself matters more than that it could not be written down.
        let _ = write(&place.failure(), reason.as_bytes());
    }
    result
}

fn learn(
    place: &Place,
    trainer: &impl Trainer,
    stop: &AtomicBool,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let settings = hyperparameters(place)?;
    let features_bytes = features_file(place)?;
    let features = Features::from_json(&features_bytes)?;
    let target = features.target();
    let problem = settings.problem.unwrap_or_else(|| labels::suggested(target.kind));

    let raw = raw_schema(&features);
    let train = channel(place, "train", &raw)?.unwrap_or_default();
    let validation = channel(place, "validation", &raw)?;
    let train = features_of(&features, &raw, train)?;
    let classes = labels::classes(&train.target, &target.name, problem)?;
    let encoding = Encoding::learn(&train.features);
    let train_rows = labelled(&encoding, &train, &classes, problem);
    if train_rows.labels.is_empty() {
        return Err(Problem::new("train", "no rows")
            .field(&target.name)
            .expected("rows whose target is known")
            .into());
    }
    let validation = validation.map(|batches| features_of(&features, &raw, batches)).transpose()?;
    let validation_rows = validation
        .as_ref()
        .map(|selected| labelled(&encoding, selected, &classes, problem))
        .filter(|rows| !rows.labels.is_empty());
    say(
        out,
        &format!(
            "learning {} ({problem:?}) from {} rows, {} features; {} rows without a target passed over; {} validation rows",
            target.name,
            train_rows.labels.len(),
            features.schema().fields.len(),
            train.target.len() - train_rows.labels.len(),
            validation_rows.as_ref().map_or(0, |rows| rows.labels.len()),
        ),
    );

    let task = Task {
        problem,
        classes: classes.len(),
        train: &train_rows,
        validation: validation_rows.as_ref(),
        settings: &settings,
    };
    let mut rounds: Vec<Round> = Vec::new();
    let learned = trainer.train(&task, &mut |round| {
        say(out, &format!("#round={} {}", round.number, losses(round, problem)));
        rounds.push(round);
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;

    let mut description = Description::new(problem, &target.name, classes, &encoding);
    description.rounds = learned.rounds;
    description.rows = train_rows.labels.len();
    write(&place.model().join("features.json"), &features_bytes)?;
    write(&place.model().join("boost.json"), &json_bytes(&description))?;
    write(&place.model().join("model.json"), &learned.document)?;
    write(&place.data().join("importance.json"), &importance(&features, &learned.importance))?;
    // A search takes the last value that it reads for the model's.
    let kept = rounds.iter().find(|round| round.number == learned.rounds);
    let kept = kept.map(|round| format!(": {}", losses(*round, problem))).unwrap_or_default();
    say(out, &format!("kept {} rounds of {}{kept}", learned.rounds, rounds.len()));
    Ok(())
}

/// What a metric definition reads, for example with `validation:rmse=([0-9.eE+-]+)`.
fn losses(round: Round, problem: ProblemType) -> String {
    let loss = loss_name(problem);
    let validation = round.validation.map(|value| format!(" validation:{loss}={value}")).unwrap_or_default();
    format!("train:{loss}={}{validation}", round.train)
}

/// A closed pipe must not end a training.
fn say(out: &mut (dyn Write + Send), line: &str) {
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn hyperparameters(place: &Place) -> Result<Hyperparameters, Failure> {
    let path = place.hyperparameters();
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Hyperparameters::from_json(&bytes)?),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(Hyperparameters::default()),
        Err(fault) => Err(Failure::file("read", &path)(fault)),
    }
}

/// The one file of the channel `features`.
fn features_file(place: &Place) -> Result<Vec<u8>, Failure> {
    let directory = place.channel("features");
    let files = rows::channel_files(&directory)?;
    match files.as_slice() {
        [file] => std::fs::read(file).map_err(Failure::file("read", file)),
        files => Err(Problem::new(directory.display().to_string(), "channel features")
            .found(format!("{} files", files.len()))
            .expected("one file, features.json")
            .into()),
    }
}

/// What a channel's files hold: the serving columns, then the target.
fn raw_schema(features: &Features) -> Arc<Schema> {
    let mut fields = features.inputs().fields.clone();
    fields.push(Field { name: features.target().name.clone(), kind: features.target().kind });
    Arc::new(Schema { fields })
}

/// The rows of a channel; none if it is not declared and not there.
fn channel(place: &Place, name: &str, raw: &Arc<Schema>) -> Result<Option<Vec<Batch>>, Failure> {
    let directory = place.channel(name);
    match directory.is_dir() {
        true => rows::read_channel(&directory, raw).map(Some),
        false if name == "train" || declared(place, name) => {
            Err(Problem::new(directory.display().to_string(), "channel is not there")
                .expected("a directory of CSV files")
                .into())
        }
        false => Ok(None),
    }
}

/// Whether the platform says that it laid down a channel. The file itself may be absent.
fn declared(place: &Place, name: &str) -> bool {
    let bytes = std::fs::read(place.input_data_config()).unwrap_or_default();
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    document.get(name).is_some()
}

/// Features and target of a channel's rows.
struct Selected {
    features: Batch,
    target: engine::table::Column,
}

fn features_of(features: &Features, raw: &Arc<Schema>, batches: Vec<Batch>) -> Result<Selected, Failure> {
    // Features are computed batch by batch, so the raw rows are let go as they are used.
    let name = features.target().name.clone();
    let target_schema =
        Arc::new(Schema { fields: raw.fields.iter().filter(|f| f.name == name).cloned().collect() });
    let mut computed = Vec::new();
    let mut targets = Vec::new();
    for batch in batches {
        computed.push(features.apply(&batch)?);
        targets.extend(batch.selected(&[name.as_str()]));
    }
    let target = rows::joined(&target_schema, targets);
    let features = rows::joined(features.schema(), computed);
    Ok(Selected { features, target: target.columns()[0].clone() })
}

/// Encodes the rows whose target is known.
fn labelled(encoding: &Encoding, selected: &Selected, classes: &[String], problem: ProblemType) -> Labelled {
    let labels = labels::labels(&selected.target, classes, problem);
    let keep: Vec<bool> = labels.iter().map(Option::is_some).collect();
    let matrix = match keep.iter().all(|keep| *keep) {
        true => encoding.encode(&selected.features),
        false => encoding.encode(&selected.features.filtered(&keep)),
    };
    Labelled { matrix, labels: labels.into_iter().flatten().collect() }
}

/// Features with the share of the loss their splits took away, the greatest first.
fn importance(features: &Features, shares: &[f64]) -> Vec<u8> {
    let mut ranked: Vec<(&str, f64)> =
        features.written().map(|(name, _)| name).zip(shares.iter().copied()).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let ranked: Vec<_> =
        ranked.into_iter().map(|(feature, share)| json!({"feature": feature, "gain": share})).collect();
    json_bytes(&ranked)
}

fn json_bytes(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(value).unwrap_or_else(|_| unreachable!("texts and numbers only"));
    bytes.push(b'\n');
    bytes
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(Failure::file("create", directory))?;
    }
    std::fs::write(path, bytes).map_err(Failure::file("write", path))
}
