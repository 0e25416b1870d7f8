//! A world small enough to be played thousands of times: a contract of three columns, rows that
//! follow a line, and models that miss the line by a little or by much.

use std::fmt::Write as _;

use bytes::Bytes;
use domain::BlobPath;
use ports::{EndpointSpec, JobSpec, Reply, Work};
use serde_json::json;
use simulation::MemoryBlobs;
use simulation::deployment::Programs;

/// The pipeline's name.
pub(crate) const NAME: &str = "toy";

const CONTRACT: &str = "\
apiVersion: v3.1.0
kind: DataContract
id: toy
version: 1.0.0
status: active
schema:
  - name: rows
    properties:
      - {name: id, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: x, logicalType: number, required: true}
      - {name: y, logicalType: number, required: true}
customProperties:
  - {property: maxQuarantinePercent, value: 20.0}
";

/// What differs between two declarations of the pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// How much worse than the champion a version may be.
    pub(crate) margin: f64,
    /// Hours between two runs that no person asked for.
    pub(crate) cooldown: u32,
    /// The share of the rows that is withheld.
    pub(crate) test: f64,
    /// Job-seconds of a month; none where nothing is bounded.
    pub(crate) budget: Option<u64>,
    /// Whether importances are measured, by one more job.
    pub(crate) importances: bool,
    /// Counts declarations, so that each differs. Every other one searches for hyperparameters.
    pub(crate) note: usize,
}

/// A search as it is declared.
const SEARCH: &str = ", hyperparameters: {seed: 1}, tuning: {objective: {metric: 'train:rmse', type: minimize}, \
    ranges: {continuous: {eta: {min: 0.1, max: 0.3}}}, limits: {max_trials: 3}}";

impl Declared {
    /// The declaration as `apply` sends it.
    pub(crate) fn application(&self) -> serde_json::Value {
        let Declared { margin, cooldown, test, budget, importances, note } = self;
        let search = if note % 2 == 1 { SEARCH } else { "" };
        let budget =
            budget.map_or(String::new(), |most| format!("budget: {{per_month: {{seconds: {most}}}}}\n"));
        let pipeline = format!(
            "\
name: {NAME}
description: declaration {note}
contract: contract.yaml
target: y
problem: regression
entity: [id]
split: {{by: entity, test: {test}, validation: 0.1}}
training: {{window_parts: 3, minimum_rows: 60{search}}}
evaluation: {{baselines: false, importances: {importances}, margin: {margin:?}, confidence: 0.9}}
approval: {{approvers: [bianca, carlos], four_eyes: true}}
monitoring: {{window_days: 3, every_hours: 1, minimum_rows: 20}}
retraining: {{on: [data, drift], minimum_new_rows: 60, cooldown_hours: {cooldown}}}
{budget}notices:
  - {{to: file}}
"
        );
        json!({
            "pipeline_file": "pipeline.yaml",
            "pipeline": pipeline,
            "contract_file": "contract.yaml",
            "contract": CONTRACT,
        })
    }
}

/// A file of so many rows, the last `bad` of which break the contract.
pub(crate) fn csv(file: usize, rows: usize, bad: usize) -> String {
    let mut text = "id,x,y\n".to_owned();
    for row in 0..rows {
        let x = (row * 7 % 100) as f64 / 10.0;
        let y = 3.0 * x + ((row * 13 + file) % 7) as f64 / 10.0;
        let is_bad = row >= rows - bad;
        let y = if is_bad { "much".to_owned() } else { format!("{y:.2}") };
        writeln!(text, "f{file}r{row},{x:.1},{y}").expect("a text takes every line");
    }
    text
}

/// By how much models of a skill miss the line: the last one is worse than a guess.
const MISSES: [f64; 4] = [0.3, 0.6, 1.2, 40.0];

/// The toy's models.
#[derive(Debug)]
pub(crate) struct Toy;

impl Toy {
    fn answers(blobs: &MemoryBlobs, artifact: &BlobPath, rows: &[u8]) -> String {
        let model = blobs.read(artifact).unwrap_or_default();
        let model: serde_json::Value = serde_json::from_slice(&model).unwrap_or_default();
        let miss = model["miss"].as_f64().unwrap_or(1_000.0);
        let rows = String::from_utf8_lossy(rows);
        let answer = |row: &str| {
            let x: f64 = row.split(',').next().and_then(|x| x.parse().ok()).unwrap_or(0.0);
            format!("{}\n", 3.0 * x + 0.3 + miss)
        };
        rows.lines().filter(|row| !row.is_empty()).map(answer).collect()
    }
}

impl Programs for Toy {
    fn trained(&self, _: &MemoryBlobs, job: &JobSpec, skill: usize) -> Bytes {
        // Models of even skills are the same bytes whatever run made them.
        let by = if skill.is_multiple_of(2) { "anyone" } else { job.name.as_str() };
        json!({ "miss": MISSES[skill % MISSES.len()], "by": by }).to_string().into()
    }

    fn predicted(&self, blobs: &MemoryBlobs, job: &JobSpec) -> Bytes {
        let Work::Predict { artifact, input, .. } = &job.work else { return Bytes::new() };
        let rows = blobs.read(input).unwrap_or_default();
        Toy::answers(blobs, artifact, &rows).into()
    }

    fn answered(&self, blobs: &MemoryBlobs, spec: &EndpointSpec, body: &[u8]) -> Reply {
        let body = Toy::answers(blobs, &spec.artifact, body);
        Reply { status: 200, content_type: "text/csv".into(), body: body.into() }
    }
}

/// Traffic of an hour as SageMaker captures it: `shift` moves it away from what was learned.
pub(crate) fn captured(count: usize, shift: f64, at: domain::Time) -> String {
    let mut lines = String::new();
    for row in 0..30 {
        let x = (row * 7 % 100) as f64 / 10.0 + shift;
        let part = |mode: &str, data: f64| json!({"observedContentType": "text/csv", "mode": mode, "data": format!("{data:.1}\n"), "encoding": "CSV"});
        let line = json!({
            "captureData": {
                "endpointInput": part("INPUT", x),
                "endpointOutput": part("OUTPUT", 3.0 * x + 0.5),
            },
            "eventMetadata": {
                "eventId": format!("t{count}-{row}"),
                "inferenceId": format!("t{count}-{row}"),
                "inferenceTime": at,
            },
            "eventVersion": "0",
        });
        writeln!(lines, "{line}").expect("a text takes every line");
    }
    lines
}
