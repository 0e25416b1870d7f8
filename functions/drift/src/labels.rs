//! What turned out to be true, by inference id: the labels that have come since a time.

use std::collections::HashMap;

use domain::pipeline::ProblemType;
use domain::row::{File, Labels};
use domain::{Problem, Time, limit};
use engine::csv::{Dialect, Record, Records, bind_header};
use engine::metrics::Truth;
use ports::{Blobs, Result};

/// Labels kept at most: for a window with as many rows as there may be, each corrected once.
const LABELS_MAX: usize = 2 * limit::WINDOW_ROWS_MAX;

/// Labels by inference id. The later label of an id wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    labels: HashMap<String, String>,
    /// Label files that could not be read to their end, with the reason.
    pub unreadable: Vec<String>,
}

impl Known {
    /// Reads the labels that came at `since` or later, newest first, so that where there are too
    /// many the oldest are left out.
    pub async fn read(blobs: &dyn Blobs, mut rows: Vec<Labels>, since: Time) -> Result<Known> {
        rows.retain(|row| row.at >= since);
        rows.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| b.file.path.cmp(&a.file.path)));
        let mut known = Known::default();
        for row in &rows {
            if known.labels.len() >= LABELS_MAX {
                break;
            }
            let (found, problem) = read_file(blobs, &row.file).await?;
            for (id, label) in found {
                known.labels.entry(id).or_insert(label);
            }
            known.unreadable.extend(problem.map(|problem| problem.to_string()));
        }
        Ok(known)
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The label of a row.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.labels.get(id).map(String::as_str)
    }
}

/// The labels of one file, the last of an id winning, and why it could not be read further.
async fn read_file(blobs: &dyn Blobs, file: &File) -> Result<(HashMap<String, String>, Option<Problem>)> {
    let mut rows = Rows { positions: None, labels: HashMap::new(), file: file.path.file_name().to_owned() };
    let mut records = Records::new(file.path.file_name(), &Dialect::default());
    let mut from = 0;
    loop {
        let bytes = blobs.range(&file.path, from, limit::CHUNK_BYTES as u64).await?;
        from += bytes.len() as u64;
        let read = match bytes.is_empty() {
            true => records.finish(&mut |record| rows.take(record)),
            false => records.push(&bytes, &mut |record| rows.take(record)),
        };
        if bytes.is_empty() || read.is_err() {
            return Ok((rows.labels, read.err()));
        }
    }
}

struct Rows {
    file: String,
    positions: Option<(usize, usize)>,
    labels: HashMap<String, String>,
}

impl Rows {
    fn take(&mut self, record: &Record<'_>) -> std::result::Result<(), Problem> {
        let Some((id, label)) = self.positions else {
            let (positions, _) = bind_header(&self.file, record, &["inference_id", "label"])?;
            self.positions = Some((positions[0], positions[1]));
            return Ok(());
        };
        let cell = |index: usize| {
            let inside = record.fault.is_none() && index < record.len();
            inside.then(|| std::str::from_utf8(record.field(index)).ok()).flatten()
        };
        // What arrived was checked when it came: a row that still cannot be read joins nothing.
        if let (Some(id), Some(label)) = (cell(id), cell(label)) {
            self.labels.insert(id.to_owned(), label.to_owned());
        }
        Ok(())
    }
}

/// A label as the truth of a problem type: a number, or the place of a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label {
    /// Of a regression.
    Number(f64),
    /// Of a classification.
    Class(usize),
}

impl Label {
    /// Reads a label. A class may be written as another number of the same value (`1.0` for `1`).
    pub fn read(text: &str, problem: ProblemType, classes: &[String]) -> Option<Label> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        if problem == ProblemType::Regression {
            return number(text).map(Label::Number);
        }
        let exact = classes.iter().position(|class| class == text.trim());
        let same = || {
            let value = number(text)?;
            classes.iter().position(|class| number(class) == Some(value))
        };
        exact.or_else(same).map(Label::Class)
    }

    /// Labels as the truth that metrics are made of.
    pub fn truth(labels: &[Label], problem: ProblemType, classes: usize) -> Truth {
        let class = |label: &Label| if let Label::Class(place) = label { *place } else { 0 };
        let number = |label: &Label| if let Label::Number(value) = label { *value } else { f64::NAN };
        match problem {
            ProblemType::Regression => Truth::Numbers(labels.iter().map(number).collect()),
            ProblemType::Binary => Truth::Binary(labels.iter().map(|label| class(label) == 1).collect()),
            ProblemType::Multiclass => {
                Truth::Classes { count: classes, values: labels.iter().map(class).collect() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Actor, BlobPath};
    use futures::executor::block_on;
    use ports::BlobsExt as _;
    use simulation::MemoryBlobs;

    #[test]
    fn the_later_label_of_an_id_wins() {
        block_on(async {
            let blobs = MemoryBlobs::default();
            let mut rows = Vec::new();
            for (name, at, text) in [
                ("old.csv", 5, "inference_id,label\nz,0\n"),
                ("first.csv", 10, "inference_id,label\na,1\nb,2\nb,3\n"),
                ("second.csv", 20, "label,note,inference_id\n9,x,a\n7,y,c\n"),
                ("broken.csv", 30, "id,truth\nd,1\n"),
            ] {
                let file = blobs.put(&BlobPath::parse(name).unwrap(), text.as_bytes()).await.unwrap();
                rows.push(Labels { file, rows: 1, by: Actor::person("p"), at: Time::from_millis(at) });
            }
            let known = Known::read(&blobs, rows, Time::from_millis(10)).await.unwrap();
            let found: Vec<Option<&str>> = ["a", "b", "c", "d", "z"].iter().map(|id| known.get(id)).collect();
            assert_eq!(found, [Some("9"), Some("3"), Some("7"), None, None]);
            assert_eq!(known.unreadable.len(), 1);
            assert!(known.unreadable[0].starts_with("broken.csv"), "{}", known.unreadable[0]);
        });
    }

    #[test]
    fn labels_are_numbers_or_classes() {
        let classes = ["0".to_owned(), "1".to_owned(), "maybe".to_owned()];
        for (text, problem, expected) in [
            ("2.5", ProblemType::Regression, Some(Label::Number(2.5))),
            ("inf", ProblemType::Regression, None),
            ("x", ProblemType::Regression, None),
            ("1.0", ProblemType::Multiclass, Some(Label::Class(1))),
            (" maybe", ProblemType::Multiclass, Some(Label::Class(2))),
            ("2", ProblemType::Multiclass, None),
        ] {
            assert_eq!(Label::read(text, problem, &classes), expected, "{text}");
        }
    }
}
