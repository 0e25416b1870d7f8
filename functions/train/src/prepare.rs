//! What a trainer is given and what is withheld from it: the files made of a run's selection.
//!
//! Every row of the selection falls on one side of the cut. The trainer's channels carry the
//! serving columns, then the target under its name; the withheld rows are two files, what a model
//! is shown and what it should have said. Rows without a target teach and judge nothing: they are
//! left out of all of them, and counted. Equal selections give equal bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::pipeline::{ProblemType, Program};
use domain::row::{Applied, Cut, Prepared, Run, Selection, Side};
use domain::{BlobPath, PipelineName, limit};
use engine::baseline::BaselineBuilder;
use engine::contract::Contract;
use engine::features::{Features, Target};
use engine::table::{Batch, Column, Field, Kind, Schema};
use ports::{Blobs, BlobsExt};
use tracing::info;

use crate::Stop;
use crate::file::CsvFile;
use crate::parts::{Group, PartReader, moments};
use crate::rows;

/// What rows are made of, and how they are cut.
struct Dataset {
    /// The columns that are read of a part.
    schema: Arc<Schema>,
    features: Features,
    time: Option<String>,
    cut: Cut,
    problem: ProblemType,
    /// Columns whose values no baseline may name.
    masked: Vec<String>,
}

/// Makes a run's files.
pub(crate) async fn prepare(
    blobs: &dyn Blobs,
    pipeline: &PipelineName,
    run: &Run,
    applied: &Applied,
) -> Result<Prepared, Stop> {
    let selection: Selection = rows::document(blobs, &run.selection.path).await?;
    let dataset = dataset(blobs, run, applied, selection.cut.clone()).await?;
    let path = |file: &str| BlobPath::run(pipeline, &run.id, file);
    let channel = dataset.channel();
    let mut files = Files {
        train: CsvFile::open(blobs, path("train/train.csv"), Some(&channel)).await?,
        validation: CsvFile::open(blobs, path("validation/validation.csv"), Some(&channel)).await?,
        test: CsvFile::open(blobs, path("test/test.csv"), None).await?,
        truth: CsvFile::open(blobs, path("test/truth.csv"), Some(&dataset.truth())).await?,
        baseline: BaselineBuilder::new(dataset.features.inputs())
            .hide(dataset.masked.iter().map(String::as_str)),
        classes: BTreeSet::new(),
        without_target: 0,
    };
    for part in &selection.parts {
        files.baseline.newest(part.as_of);
        let mut reader = PartReader::open(blobs, part, dataset.schema.clone()).await?;
        while let Some(group) = reader.next().await? {
            files.take(&dataset, part.number, &group)?;
            files.flush().await?;
        }
    }
    files.check(&dataset, &applied.spec.training.program).map_err(Stop::Fail)?;
    info!(
        pipeline = %pipeline, run = %run.id, train = files.train.rows(), validation = files.validation.rows(),
        test = files.test.rows(), without_target = files.without_target, "a run's rows are prepared"
    );
    let features = blobs.put(&path("features/features.json"), &dataset.features.to_json()).await?;
    files.close(blobs, path("baseline.json"), features).await
}

async fn dataset(blobs: &dyn Blobs, run: &Run, applied: &Applied, cut: Cut) -> Result<Dataset, Stop> {
    let first = |problems: Vec<domain::Problem>| {
        Stop::Fail(problems.first().map_or_else(String::new, ToString::to_string))
    };
    let bytes = blobs.small(&run.features.path, rows::DOCUMENT_BYTES_MAX).await?;
    let features = Features::from_json(&bytes).map_err(first)?;
    let bytes = blobs.small(&applied.contract.path, limit::CONFIG_BYTES_MAX).await?;
    let name = applied.contract.path.file_name();
    let text = std::str::from_utf8(&bytes).map_err(|_| Stop::Fail(format!("{name} is not UTF-8")))?;
    let contract = Contract::parse(name, text).map_err(first)?;

    let mut read = features.target().made_of();
    read.extend(features.inputs().fields.iter().map(|field| field.name.clone()));
    read.extend(applied.spec.time.clone());
    if let Cut::Time { column, .. } = &cut {
        read.insert(column.clone());
    }
    let fields = contract.schema().fields.into_iter().filter(|field| read.contains(&field.name)).collect();
    let schema = Schema { fields };
    let lacking = features.inputs().fields.iter().find(|field| !schema.fields.contains(field));
    if let Some(field) = lacking {
        let why =
            format!("the features read {} as {:?}, which the contract does not say", field.name, field.kind);
        return Err(Stop::Fail(why));
    }
    let problem = applied.spec.problem;
    if problem == ProblemType::Regression && features.target().kind == Kind::Text {
        let target = &features.target().name;
        return Err(Stop::Fail(format!("the target {target} is a text, a regression needs a number")));
    }
    let masked = contract.columns.iter().filter(|column| column.masked).map(|column| column.name.clone());
    Ok(Dataset {
        schema: Arc::new(schema),
        features,
        time: applied.spec.time.clone(),
        cut,
        problem,
        masked: masked.collect(),
    })
}

impl Dataset {
    fn target(&self) -> &Target {
        self.features.target()
    }

    /// The serving columns, then the target under its name.
    fn channel(&self) -> Arc<Schema> {
        let mut fields = self.features.inputs().fields.clone();
        fields.push(Field { name: self.target().name.clone(), kind: self.target().kind });
        Arc::new(Schema { fields })
    }

    /// The truth, then where each row comes from.
    fn truth(&self) -> Arc<Schema> {
        Arc::new(Schema::of([
            ("truth", self.target().kind),
            ("part", Kind::Integer),
            ("row", Kind::Integer),
            ("bucket", Kind::Integer),
            ("time", Kind::Integer),
        ]))
    }

    /// Each row's moment by a column; none where there is no such column.
    fn times(&self, column: Option<&str>, batch: &Batch) -> Result<Vec<Option<i64>>, Stop> {
        let Some((name, column)) = column.and_then(|name| batch.column(name).map(|column| (name, column)))
        else {
            return Ok(vec![None; batch.rows()]);
        };
        match (moments(column), &self.cut) {
            (Some(times), _) => Ok(times),
            (None, Cut::Time { .. }) => Err(Stop::Fail(format!(
                "rows cannot be split by {name}: it is neither a date nor a timestamp"
            ))),
            // Rows that are not cut by time need not have one.
            (None, Cut::Entity { .. }) => Ok(vec![None; batch.rows()]),
        }
    }

    /// Each row's side; none where the row has no target.
    fn sides(&self, group: &Group, target: &Column) -> Result<Vec<Option<Side>>, Stop> {
        let times = match &self.cut {
            Cut::Time { column, .. } => self.times(Some(column), &group.batch)?,
            Cut::Entity { .. } => vec![None; group.batch.rows()],
        };
        let known = |row: usize| match self.problem {
            ProblemType::Regression => target.number(row).is_some_and(f64::is_finite),
            ProblemType::Binary | ProblemType::Multiclass => {
                target.written(row).is_some_and(|class| !class.is_empty())
            }
        };
        let rows = group.buckets.iter().zip(times).enumerate();
        Ok(rows.map(|(row, (bucket, time))| known(row).then(|| self.cut.side(*bucket, time))).collect())
    }
}

/// A run's files being written.
struct Files {
    train: CsvFile,
    validation: CsvFile,
    test: CsvFile,
    truth: CsvFile,
    baseline: BaselineBuilder,
    /// The classes among the train rows, one more than [`limit::CATEGORIES_MAX`] at most.
    classes: BTreeSet<String>,
    without_target: u64,
}

impl Files {
    /// Puts each row where it belongs.
    fn take(&mut self, dataset: &Dataset, part: u64, group: &Group) -> Result<(), Stop> {
        let target = dataset.target().evaluate(&group.batch)?;
        let sides = dataset.sides(group, &target)?;
        self.without_target += sides.iter().filter(|side| side.is_none()).count() as u64;
        let on = |wanted: Side| sides.iter().map(|side| *side == Some(wanted)).collect::<Vec<bool>>();

        let names: Vec<&str> =
            dataset.features.inputs().fields.iter().map(|field| field.name.as_str()).collect();
        let inputs = group.batch.selected(&names).expect("the dataset has every serving column");
        let mut columns = inputs.columns().to_vec();
        columns.push(target.clone());
        let channel = Batch::new(dataset.channel(), columns);

        let train = on(Side::Train);
        self.train.push(&channel.filtered(&train));
        self.baseline.push(&inputs.filtered(&train));
        self.note_classes(dataset.problem, &target.filtered(&train));
        self.validation.push(&channel.filtered(&on(Side::Validation)));

        let test = on(Side::Test);
        let rows = group.batch.rows();
        let whole = |value: &u64| i64::try_from(*value).ok();
        let truth = vec![
            target,
            Column::Integer(vec![whole(&part); rows]),
            Column::Integer(group.numbers.clone()),
            Column::Integer(group.buckets.iter().map(whole).collect()),
            Column::Integer(dataset.times(dataset.time.as_deref(), &group.batch)?),
        ];
        self.test.push(&inputs.filtered(&test));
        self.truth.push(&Batch::new(dataset.truth(), truth).filtered(&test));
        Ok(())
    }

    fn note_classes(&mut self, problem: ProblemType, target: &Column) {
        if problem == ProblemType::Regression {
            return;
        }
        for row in 0..target.len() {
            if self.classes.len() > limit::CATEGORIES_MAX {
                return;
            }
            self.classes.extend(target.written(row));
        }
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        for file in [&mut self.train, &mut self.validation, &mut self.test, &mut self.truth] {
            file.flush().await?;
        }
        Ok(())
    }

    /// Whether the rows can be learned from and judged by: said before money is spent on a job.
    fn check(&self, dataset: &Dataset, program: &Program) -> Result<(), String> {
        let name = &dataset.target().name;
        let all = self.train.rows() + self.validation.rows() + self.test.rows();
        if all == 0 {
            return Err(format!("none of the {} selected rows has a value of {name}", self.without_target));
        }
        if self.train.rows() == 0 {
            return Err(format!(
                "none of the {all} selected rows with a value of {name} is left to train on"
            ));
        }
        if self.test.rows() == 0 {
            return Err(format!(
                "none of the {all} selected rows with a value of {name} is withheld to judge by"
            ));
        }
        let classes = self.classes.len();
        match dataset.problem {
            ProblemType::Binary if classes != 2 => {
                let found =
                    if classes > limit::CATEGORIES_MAX { "too many".into() } else { classes.to_string() };
                Err(format!("{name} has {found} classes in the train rows, a binary problem has 2"))
            }
            ProblemType::Multiclass if classes < 2 => {
                Err(format!("{name} has one class only in the train rows"))
            }
            ProblemType::Multiclass if classes > limit::CATEGORIES_MAX && *program == Program::Boost => {
                let most = limit::CATEGORIES_MAX;
                Err(format!(
                    "{name} has more than {most} classes in the train rows, which boost does not learn"
                ))
            }
            _ => Ok(()),
        }
    }

    async fn close(
        self,
        blobs: &dyn Blobs,
        baseline: BlobPath,
        features: domain::row::File,
    ) -> Result<Prepared, Stop> {
        let (train_rows, validation_rows, test_rows) =
            (self.train.rows(), self.validation.rows(), self.test.rows());
        let mut channels = BTreeMap::from([
            ("train".to_owned(), self.train.close().await?),
            ("features".to_owned(), features),
        ]);
        // A channel without rows would only trip a program: it is left out.
        if validation_rows > 0 {
            channels.insert("validation".to_owned(), self.validation.close().await?);
        }
        Ok(Prepared {
            train_rows,
            validation_rows,
            test_rows,
            test: self.test.close().await?,
            truth: self.truth.close().await?,
            baseline: blobs.put(&baseline, &self.baseline.finish().written()).await?,
            channels,
        })
    }
}
