//! What does a model see of a row: the compiled features, and the file that carries them.
//!
//! [`Features`] is `features.json`. It is compiled once when a pipeline is applied, travels inside
//! the model artifact, and is read back by the trainer and by the server, so both compute the same
//! features with the same code from the same file. Reading it back checks all of it again: the
//! file may come from anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::Problem;
use domain::limit::COLUMNS_MAX;
use serde::{Deserialize, Serialize};

use crate::expression::{self, Expression};
use crate::table::{Batch, Column, Field, Kind, Schema};

/// The version of the file format written here; the only one read.
const VERSION: u32 = 1;

/// The compiled features of a pipeline.
#[derive(Clone, Debug)]
pub struct Features {
    inputs: Arc<Schema>,
    features: Vec<Expression>,
    schema: Arc<Schema>,
    target: Target,
}

/// What is learned: a column of the dataset, or an expression over its columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name under which training files carry it.
    pub name: String,
    /// What it holds: a number, an integer, a boolean or a text.
    pub kind: Kind,
    /// How it is computed from the dataset's columns; `None` if it is one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The columns it is made of that are known when a prediction is asked for, and may be served.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub known: BTreeSet<String>,
}

impl Target {
    /// Checks a declared target against the whole dataset's columns.
    ///
    /// # Errors
    /// If it reads an unknown column, is no expression, or is a date or timestamp.
    pub fn compile(name: &str, expression: Option<&str>, dataset: &Schema) -> Result<Target, Problem> {
        let target = Target {
            name: name.to_owned(),
            kind: Kind::Number,
            expression: expression.map(str::to_owned),
            known: BTreeSet::new(),
        };
        let compiled = target.compiled(dataset).map_err(|problem| problem.field("target"))?;
        if matches!(compiled.kind(), Kind::Date | Kind::Timestamp) {
            return Err(Problem::new("expression", "kind of the target")
                .field("target")
                .found(format!("{name} is a date or timestamp"))
                .expected("a number, an integer, a boolean or a text")
                .hint("learn a length of time, as with days_between(a, b)"));
        }
        Ok(Target { kind: compiled.kind(), ..target })
    }

    /// The same target, some of whose columns are known when a prediction is asked for: of a
    /// trip's duration, its beginning.
    ///
    /// # Errors
    /// If the target is not made of one of them, or of nothing else.
    pub fn knowing(self, known: &[String]) -> Result<Target, Problem> {
        let target = Target { known: known.iter().cloned().collect(), ..self };
        match target.known_problem() {
            Some(problem) => Err(problem),
            None => Ok(target),
        }
    }

    /// The columns that must be absent from the serving schema: those it is made of, but for the
    /// ones that are known by then.
    pub fn withheld(&self) -> BTreeSet<String> {
        let made_of = self.made_of();
        made_of.difference(&self.known).cloned().collect()
    }

    fn known_problem(&self) -> Option<Problem> {
        let read = match &self.expression {
            Some(text) => expression::columns_read(text).unwrap_or_default(),
            None => BTreeSet::new(),
        };
        let refuse = |found: &str| problem("known column of the target", "target.known", found);
        if let Some(stranger) = self.known.difference(&read).next() {
            return Some(refuse(stranger).expected("a column that the target is made of"));
        }
        let all = !self.known.is_empty() && read.is_subset(&self.known);
        all.then(|| {
            refuse("every column that the target is made of")
                .expected("one at least that is not known")
                .hint("what is known need not be predicted")
        })
    }

    /// The columns it is made of, known or not. An expression's own name is among them, in case
    /// the dataset has a column of that name.
    pub fn made_of(&self) -> BTreeSet<String> {
        let mut columns = match &self.expression {
            Some(text) => expression::columns_read(text).unwrap_or_default(),
            None => BTreeSet::new(),
        };
        columns.insert(self.name.clone());
        columns
    }

    /// The target's value for each row of the dataset.
    ///
    /// # Errors
    /// If the batch lacks a column the target is made of.
    pub fn evaluate(&self, batch: &Batch) -> Result<Column, Problem> {
        self.compiled(batch.schema())?.evaluate(batch)
    }

    fn compiled(&self, dataset: &Schema) -> Result<Expression, Problem> {
        match &self.expression {
            Some(text) => Expression::parse(text, dataset),
            None => Expression::parse(&column_text(&self.name)?, dataset),
        }
    }
}

impl Features {
    /// Compiles the features of a pipeline over its serving columns.
    ///
    /// Every serving column that is a number, an integer, a boolean or a text passes through
    /// under its own name unless it is in `drop` or declared anew. Dates and timestamps do not:
    /// they are inputs to declared features. Features keep the order of the serving columns,
    /// then come the new ones by name.
    ///
    /// # Errors
    /// Every problem there is, each with the configuration field it is about.
    pub fn compile(
        inputs: &Schema,
        declared: &BTreeMap<String, String>,
        drop: &[String],
        target: &Target,
    ) -> Result<Features, Vec<Problem>> {
        let mut problems = input_problems(inputs, target);
        for name in drop {
            if inputs.position(name).is_none() {
                problems
                    .push(problem("unknown column", "drop", name).expected("a column of the serving schema"));
            }
            if declared.contains_key(name) {
                problems.push(
                    problem("dropped and declared", "drop", name)
                        .hint("a declared feature already replaces the column of its name"),
                );
            }
        }
        let mut written: Vec<(String, String)> = Vec::new();
        for field in &inputs.fields {
            let passes = !matches!(field.kind, Kind::Date | Kind::Timestamp) && !drop.contains(&field.name);
            if let Some(text) = declared.get(&field.name) {
                written.push((field.name.clone(), text.clone()));
            } else if passes {
                match column_text(&field.name) {
                    Ok(text) => written.push((field.name.clone(), text)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        let new = declared.iter().filter(|(name, _)| inputs.position(name).is_none());
        written.extend(new.map(|(name, text)| (name.clone(), text.clone())));
        let compiled = Features::checked(inputs.clone(), written, target.clone());
        match compiled {
            Ok(features) if problems.is_empty() => Ok(features),
            Ok(_) => Err(problems),
            Err(more) => {
                // What is wrong with the inputs themselves was found above already.
                problems.extend(
                    more.into_iter()
                        .filter(|problem| !matches!(problem.field.as_deref(), Some("inputs" | "target"))),
                );
                Err(problems)
            }
        }
    }

    /// Checks names and expressions; the one door into this type.
    fn checked(
        inputs: Schema,
        written: Vec<(String, String)>,
        target: Target,
    ) -> Result<Features, Vec<Problem>> {
        let mut problems = input_problems(&inputs, &target);
        if written.is_empty() {
            problems.push(
                Problem::new("features", "no features").field("features").expected("one feature at least"),
            );
        }
        if written.len() > COLUMNS_MAX {
            problems.push(
                Problem::new("features", "too many features")
                    .field("features")
                    .found(written.len())
                    .expected(format!("at most {COLUMNS_MAX}")),
            );
            return Err(problems);
        }
        let mut names = BTreeSet::new();
        let mut features = Vec::new();
        for (name, text) in &written {
            if name.is_empty() || *name == target.name || !names.insert(name.as_str()) {
                problems.push(
                    problem("name of a feature", &format!("features.{name}"), name)
                        .expected("a name that is neither empty, nor the target's, nor used twice"),
                );
                continue;
            }
            match Expression::parse(text, &inputs) {
                Ok(parsed) if matches!(parsed.kind(), Kind::Date | Kind::Timestamp) => problems.push(
                    problem("kind of a feature", &format!("features.{name}"), "a date or timestamp")
                        .expected("a number, an integer, a boolean or a text")
                        .hint("take a part of it, as with month(x), or days_between(a, b)"),
                ),
                Ok(parsed) => features.push(parsed),
                Err(fault) => {
                    problems.push(read_target(fault, text, &target).field(format!("features.{name}")))
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let fields = written.into_iter().zip(&features);
        let fields = fields.map(|((name, _), parsed)| Field { name, kind: parsed.kind() }).collect();
        Ok(Features { inputs: Arc::new(inputs), features, schema: Arc::new(Schema { fields }), target })
    }

    /// The columns a request carries, in order: the serving schema.
    pub fn inputs(&self) -> &Arc<Schema> {
        &self.inputs
    }

    /// The features, in the order a model sees them.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// What is learned.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Each feature's name and expression, in order.
    pub fn written(&self) -> impl Iterator<Item = (&str, &str)> {
        self.schema
            .fields
            .iter()
            .zip(&self.features)
            .map(|(field, parsed)| (field.name.as_str(), parsed.text()))
    }

    /// Computes the features of each row. Columns the features do not read may be absent.
    ///
    /// # Errors
    /// If a column that is read is absent, or of another kind than in [`Features::inputs`].
    pub fn apply(&self, inputs: &Batch) -> Result<Batch, Problem> {
        let columns: Result<Vec<Column>, Problem> =
            self.features.iter().map(|feature| feature.evaluate(inputs)).collect();
        let columns = columns?;
        // A feature of constants alone still has a value for each row.
        Ok(Batch::new(self.schema.clone(), columns))
    }

    /// The bytes of `features.json`: the same for the same features.
    pub fn to_json(&self) -> Vec<u8> {
        let features = self.written().zip(&self.schema.fields);
        let document = Document {
            version: VERSION,
            inputs: self.inputs.fields.clone(),
            features: features
                .map(|((name, text), field)| Written {
                    name: name.to_owned(),
                    kind: field.kind,
                    expression: text.to_owned(),
                })
                .collect(),
            target: self.target.clone(),
        };
        let mut bytes =
            serde_json::to_vec_pretty(&document).unwrap_or_else(|_| unreachable!("text and enums only"));
        bytes.push(b'\n');
        bytes
    }

    /// Reads `features.json` and checks all of it again.
    ///
    /// # Errors
    /// Every problem there is; their file is `features.json`.
    pub fn from_json(bytes: &[u8]) -> Result<Features, Vec<Problem>> {
        let file = |mut problem: Problem| {
            "features.json".clone_into(&mut problem.file);
            problem
        };
        let unreadable = |fault: serde_json::Error| {
            let mut problem = Problem::new("features.json", "not a features file").found(&fault);
            if fault.line() > 0 {
                problem = problem.at(fault.line() as u64, fault.column() as u64);
            }
            vec![problem]
        };
        let document: Document = serde_json::from_slice(bytes).map_err(unreadable)?;
        if document.version != VERSION {
            return Err(vec![
                Problem::new("features.json", "unknown version")
                    .field("version")
                    .found(document.version)
                    .expected(VERSION)
                    .hint("the model was made by another release of Millrace"),
            ]);
        }
        let kinds: Vec<Kind> = document.features.iter().map(|written| written.kind).collect();
        let written =
            document.features.into_iter().map(|written| (written.name, written.expression)).collect();
        let inputs = Schema { fields: document.inputs };
        let features = Features::checked(inputs, written, document.target)
            .map_err(|problems| problems.into_iter().map(file).collect::<Vec<_>>())?;
        for (field, kind) in features.schema.fields.iter().zip(kinds) {
            if field.kind != kind {
                return Err(vec![
                    Problem::new("features.json", "kind of a feature")
                        .field(format!("features.{}", field.name))
                        .found(format!("{kind:?}"))
                        .expected(format!("{:?}, which its expression yields", field.kind)),
                ]);
            }
        }
        Ok(features)
    }
}

impl PartialEq for Features {
    fn eq(&self, other: &Features) -> bool {
        self.to_json() == other.to_json()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    inputs: Vec<Field>,
    features: Vec<Written>,
    target: Target,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    kind: Kind,
    expression: String,
}

fn problem(rule: &str, field: &str, found: &str) -> Problem {
    Problem::new("features", rule).field(field).found(found)
}

/// A bare column as an expression.
fn column_text(name: &str) -> Result<String, Problem> {
    expression::written_column(name).ok_or_else(|| {
        problem("name of a column", "features", name)
            .expected("a name without a backtick")
            .hint("drop the column, or rename it in the file")
    })
}

/// What is wrong with the inputs before any expression is read.
fn input_problems(inputs: &Schema, target: &Target) -> Vec<Problem> {
    let mut problems = Vec::new();
    if inputs.fields.is_empty() || inputs.fields.len() > COLUMNS_MAX {
        problems.push(
            Problem::new("features", "number of serving columns")
                .field("inputs")
                .found(inputs.fields.len())
                .expected(format!("1 to {COLUMNS_MAX}")),
        );
    }
    let withheld = target.withheld();
    let mut seen = BTreeSet::new();
    for field in &inputs.fields {
        if !seen.insert(field.name.as_str()) {
            problems.push(problem("column listed twice", "inputs", &field.name).expected("distinct names"));
        }
        if withheld.contains(&field.name) {
            problems.push(
                problem("target among the serving columns", "inputs", &field.name)
                    .expected("serving columns the target is not made of")
                    .hint("a model that sees its answer learns nothing else"),
            );
        }
    }
    if matches!(target.kind, Kind::Date | Kind::Timestamp) {
        problems.push(
            problem("kind of the target", "target", "a date or timestamp")
                .expected("a number, an integer, a boolean or a text"),
        );
    }
    problems.extend(target.known_problem());
    if let Some(Err(fault)) = target.expression.as_deref().map(expression::columns_read) {
        problems.push(fault.field("target"));
    }
    problems
}

/// An unknown column that the target is made of deserves its real reason.
fn read_target(fault: Problem, text: &str, target: &Target) -> Problem {
    let read = expression::columns_read(text).unwrap_or_default();
    match read.intersection(&target.withheld()).next() {
        Some(column) if fault.rule == "unknown column" => {
            let hint = format!("`{column}` is what the target is made of, so no feature may read it");
            fault.hint(hint)
        }
        _ => fault,
    }
}

#[cfg(test)]
mod tests;
