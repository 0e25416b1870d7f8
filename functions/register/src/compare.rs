//! Which withheld rows are fair to compare on, and the files that hold just them.

use std::sync::Arc;

use domain::digest::Hasher;
use domain::row::{File, Prepared, Selection};
use domain::{BlobPath, Problem, Time, limit};
use engine::csv::Header;
use engine::csv::{Dialect, Record, Records};
use engine::table::{Column, Kind, Schema};
use ports::Blobs;
use ports::blobs::PutExpect;

use crate::read::{Batches, Chunks};
use crate::{Stop, decide};

/// Which withheld rows the champion was not shown, in order.
pub(crate) async fn fair(
    blobs: &dyn Blobs,
    prepared: &Prepared,
    champion: &Selection,
) -> Result<Vec<bool>, Stop> {
    let schema = Schema::of([("part", Kind::Integer), ("bucket", Kind::Integer), ("time", Kind::Text)]);
    let mut batches = Batches::new(blobs, &prepared.truth, Arc::new(schema), Header::Present);
    let mut keep = Vec::new();
    while let Some(batch) = batches.next().await? {
        let [Column::Integer(parts), Column::Integer(buckets), Column::Text(times)] = batch.columns() else {
            return Err(Stop::Reject("the truth's columns are not of their kinds".into()));
        };
        for ((part, bucket), time) in parts.iter().zip(buckets).zip(times) {
            let whole = |value: &Option<i64>| value.and_then(|value| u64::try_from(value).ok());
            let (Some(part), Some(bucket)) = (whole(part), whole(bucket)) else {
                return Err(Stop::Reject("a withheld row lacks its part or bucket".into()));
            };
            let time = time.as_deref().and_then(moment);
            keep.push(!decide::trained_on(champion, part, bucket, time));
        }
    }
    Ok(keep)
}

/// A time as milliseconds since 1970, or written out.
fn moment(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| text.parse::<Time>().ok().map(Time::millis))
}

/// Copies the rows of a CSV file whose mark is set, with all their columns or some.
pub(crate) async fn copy(
    blobs: &dyn Blobs,
    from: &File,
    to: &BlobPath,
    header: Header,
    keep: &[bool],
    columns: Option<&[usize]>,
) -> Result<File, Stop> {
    let mut picked =
        Picked { keep, columns, skip: u64::from(header == Header::Present), rows: 0, out: Vec::new() };
    let mut records = Records::new(from.path.file_name(), &Dialect::default());
    let mut chunks = Chunks::new(blobs, &from.path);
    let mut writer = blobs.writer(to, PutExpect::Same).await?;
    let mut hasher = Hasher::default();
    loop {
        let chunk = chunks.next().await?;
        match &chunk {
            Some(bytes) => records.push(bytes, &mut |record| picked.take(record))?,
            None => records.finish(&mut |record| picked.take(record))?,
        }
        hasher.update(&picked.out);
        writer.write(&picked.out).await?;
        picked.out.clear();
        if chunk.is_none() {
            break;
        }
    }
    if picked.rows != keep.len() as u64 {
        let found = format!("{} rows", picked.rows);
        let problem = Problem::new(from.path.as_str(), "a row for each truth");
        return Err(problem.found(found).expected(keep.len()).into());
    }
    writer.finish().await?;
    Ok(File { path: to.clone(), digest: hasher.finish() })
}

struct Picked<'a> {
    keep: &'a [bool],
    columns: Option<&'a [usize]>,
    skip: u64,
    rows: u64,
    out: Vec<u8>,
}

impl Picked<'_> {
    fn take(&mut self, record: &Record<'_>) -> Result<(), Problem> {
        if record.number >= self.skip {
            self.rows += 1;
            if !self.keep.get(self.rows as usize - 1).is_some_and(|keep| *keep) {
                return Ok(());
            }
        }
        if record.fault.is_some() || record.raw.len() >= limit::FIELD_BYTES_MAX {
            return Err(Problem::new("the withheld rows", "a readable record").at(record.line, 1));
        }
        match self.columns {
            None => self.out.extend_from_slice(record.raw),
            Some(columns) => {
                for (place, &column) in columns.iter().enumerate() {
                    if place > 0 {
                        self.out.push(b',');
                    }
                    if column >= record.len() {
                        return Err(
                            Problem::new("the withheld rows", "a field in each column").at(record.line, 1)
                        );
                    }
                    quoted(record.field(column), columns.len() == 1, &mut self.out);
                }
            }
        }
        self.out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

/// Writes a field, in quotes where CSV needs them; a line must not be empty.
pub(crate) fn quoted(field: &[u8], alone: bool, out: &mut Vec<u8>) {
    let needs =
        field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) || (alone && field.is_empty());
    if !needs {
        return out.extend_from_slice(field);
    }
    out.push(b'"');
    for &byte in field {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Digest;
    use futures::executor::block_on;
    use ports::BlobsExt as _;
    use simulation::MemoryBlobs;

    #[test]
    fn rows_are_copied_as_they_are_written_or_column_by_column() {
        block_on(async {
            let blobs = MemoryBlobs::default();
            let path = |name: &str| BlobPath::parse(name).unwrap();
            let text = "1,\"a, \"\"b\"\"\",x\r\n2,\"two\nlines\",y\r\n3,,z\r\n";
            let from = blobs.put(&path("from.csv"), text.as_bytes()).await.unwrap();
            let keep = [true, false, true];
            let whole = copy(&blobs, &from, &path("to.csv"), Header::Absent, &keep, None).await.unwrap();
            assert_eq!(blobs.text(&whole.path), "1,\"a, \"\"b\"\"\",x\r\n3,,z\r\n");
            assert_eq!(whole.digest, Digest::of(blobs.text(&whole.path).as_bytes()));
            let some =
                copy(&blobs, &from, &path("some.csv"), Header::Absent, &[false, true, true], Some(&[2, 1]))
                    .await;
            assert_eq!(blobs.text(&some.unwrap().path), "y,\"two\nlines\"\r\nz,\r\n");
            let headed =
                copy(&blobs, &from, &path("h.csv"), Header::Present, &[true, false], None).await.unwrap();
            assert_eq!(blobs.text(&headed.path), "1,\"a, \"\"b\"\"\",x\r\n2,\"two\nlines\",y\r\n");
            let short = copy(&blobs, &from, &path("short.csv"), Header::Absent, &[true], None).await;
            assert!(
                matches!(short, Err(Stop::Reject(reason)) if reason.contains("found 3 rows, expected 1"))
            );
        });
    }
}
