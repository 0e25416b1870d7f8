//! What a part's rows are under the contract of today: read row group by row group.
//!
//! A part may be older than the contract. A column that it lacks is missing in all of its rows;
//! integers stand for numbers; any other kind than today's ends the run with both kinds named.

use std::sync::Arc;

use domain::row::SelectedPart;
use engine::part::{self, Footer, Tail};
use engine::table::{Batch, Column, Field, Kind, Schema};
use ports::Blobs;

use crate::Stop;

/// Some rows of a part.
#[derive(Debug)]
pub(crate) struct Group {
    /// The columns asked for.
    pub(crate) batch: Batch,
    /// Each row's number in the uploaded file, where the part says it.
    pub(crate) numbers: Vec<Option<i64>>,
    /// Each row's bucket.
    pub(crate) buckets: Vec<u64>,
}

/// A part being read.
#[derive(Debug)]
pub(crate) struct PartReader<'a> {
    blobs: &'a dyn Blobs,
    part: &'a SelectedPart,
    schema: Arc<Schema>,
    footer: Footer,
    next: usize,
}

impl<'a> PartReader<'a> {
    /// Opens a part to read some columns of it.
    pub(crate) async fn open(
        blobs: &'a dyn Blobs,
        part: &'a SelectedPart,
        schema: Arc<Schema>,
    ) -> Result<PartReader<'a>, Stop> {
        let name = part.data.path.as_str();
        let mut wanted = part::TAIL_BYTES.min(part.bytes);
        loop {
            let tail = blobs.range(&part.data.path, part.bytes - wanted, wanted).await?;
            match Footer::read(name, part.bytes, &tail)? {
                Tail::Ready(footer) if footer.rows() == part.rows => {
                    return Ok(PartReader { blobs, part, schema, footer, next: 0 });
                }
                Tail::Ready(footer) => {
                    let (found, accepted) = (footer.rows(), part.rows);
                    let number = part.number;
                    let why = format!("part {number} holds {found} rows, {accepted} were accepted");
                    return Err(Stop::Fail(why));
                }
                Tail::Need(more) if more > wanted && more <= part.bytes => wanted = more,
                Tail::Need(_) => return Err(Stop::Fail(format!("part {} is cut off", part.number))),
            }
        }
    }

    /// The columns the part was stored with.
    pub(crate) fn stored(&self) -> &Schema {
        self.footer.schema()
    }

    /// The next rows; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Group>, Stop> {
        let Some(group) = self.footer.row_groups().get(self.next) else { return Ok(None) };
        let range = group.range.clone();
        let bytes = self.blobs.range(&self.part.data.path, range.start, range.end - range.start).await?;
        let wanted =
            |name: &str| name == part::ROW || name == part::BUCKET || self.schema.position(name).is_some();
        let batch = self.footer.read_columns(self.next, bytes, wanted)?;
        self.next += 1;
        let integers = |name: &str| match batch.column(name) {
            Some(Column::Integer(values)) => Some(values),
            _ => None,
        };
        let number = self.part.number;
        let whole = |bucket: &Option<i64>| bucket.and_then(|bucket| u64::try_from(bucket).ok());
        let buckets: Option<Vec<u64>> =
            integers(part::BUCKET).and_then(|buckets| buckets.iter().map(whole).collect());
        let buckets = buckets.ok_or_else(|| {
            Stop::Fail(format!("part {number} does not say which bucket of the split each row is in"))
        })?;
        let numbers = integers(part::ROW).cloned().unwrap_or_else(|| vec![None; batch.rows()]);
        let conformed = conformed(number, &batch, &self.schema)?;
        Ok(Some(Group { batch: conformed, numbers, buckets }))
    }
}

/// A part's rows with exactly these columns.
fn conformed(part: u64, batch: &Batch, schema: &Arc<Schema>) -> Result<Batch, Stop> {
    let column = |field: &Field| match batch.column(&field.name) {
        None => Ok(missing(field.kind, batch.rows())),
        Some(column) if column.kind() == field.kind => Ok(column.clone()),
        Some(Column::Integer(values)) if field.kind == Kind::Number => {
            Ok(Column::Number(values.iter().map(|value| value.map(|value| value as f64)).collect()))
        }
        Some(column) => Err(Stop::Fail(format!(
            "part {part} holds {} as {:?}, the contract now says {:?}; lower training.window_parts until only parts of this contract are learned from",
            field.name,
            column.kind(),
            field.kind
        ))),
    };
    let columns: Result<Vec<Column>, Stop> = schema.fields.iter().map(column).collect();
    Ok(Batch::new(schema.clone(), columns?))
}

fn missing(kind: Kind, rows: usize) -> Column {
    match kind {
        Kind::Boolean => Column::Boolean(vec![None; rows]),
        Kind::Integer => Column::Integer(vec![None; rows]),
        Kind::Number => Column::Number(vec![None; rows]),
        Kind::Text => Column::Text(vec![None; rows]),
        Kind::Date => Column::Date(vec![None; rows]),
        Kind::Timestamp => Column::Timestamp(vec![None; rows]),
    }
}

/// Each row's moment in milliseconds since 1970; none where the column is neither a date nor a
/// timestamp.
pub(crate) fn moments(column: &Column) -> Option<Vec<Option<i64>>> {
    match column {
        Column::Timestamp(values) => Some(values.clone()),
        Column::Date(days) => {
            Some(days.iter().map(|days| days.map(|days| i64::from(days) * domain::Time::DAY)).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_part_is_read_under_the_contract_of_today() {
        let old = Schema::of([("count", Kind::Integer), ("day", Kind::Date), ("gone", Kind::Text)]);
        let columns = vec![
            Column::Integer(vec![Some(3), None]),
            Column::Date(vec![Some(1), None]),
            Column::Text(vec![None, None]),
        ];
        let batch = Batch::new(Arc::new(old), columns);
        let today = Schema::of([("new", Kind::Text), ("count", Kind::Number), ("day", Kind::Date)]);
        let found = conformed(4, &batch, &Arc::new(today.clone())).unwrap();
        assert_eq!(**found.schema(), today);
        assert_eq!(found.columns()[0], Column::Text(vec![None, None]));
        assert_eq!(found.columns()[1], Column::Number(vec![Some(3.0), None]));
        assert_eq!(moments(&found.columns()[2]), Some(vec![Some(86_400_000), None]));
        assert_eq!(moments(&found.columns()[1]), None);
        let other = Arc::new(Schema::of([("day", Kind::Text)]));
        let Err(Stop::Fail(why)) = conformed(4, &batch, &other) else { panic!("another kind was taken") };
        assert!(why.starts_with("part 4 holds day as Date, the contract now says Text"), "{why}");
    }
}
