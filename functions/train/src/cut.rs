//! Where a selection is cut into train, validation and test; frozen when the run is planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::limit;
use domain::pipeline::{Split, SplitBy};
use domain::row::{Cut, SelectedPart};
use engine::table::Schema;
use ports::Blobs;

use crate::Stop;
use crate::parts::{PartReader, moments};

/// Moments told apart while a cut by time is sought: some megabytes. Beyond, neighbours are counted
/// together, which moves a cut by less than a hundred-thousandth of the time there is.
pub const MOMENTS_MAX: usize = 100_000;

/// The cut of a selection.
pub(crate) async fn freeze(
    blobs: &dyn Blobs,
    split: &Split,
    time: Option<&str>,
    parts: &[SelectedPart],
) -> Result<Cut, Stop> {
    let Some(column) = time.filter(|_| split.by == SplitBy::Time) else {
        let buckets = |share: f64| (share * limit::BUCKETS as f64).round() as u64;
        return Ok(Cut::Entity { test: buckets(split.test), validation: buckets(split.validation) });
    };
    let mut found = Moments::new(MOMENTS_MAX);
    for part in parts {
        let Some(schema) = time_schema(blobs, part, column).await? else { continue };
        let mut reader = PartReader::open(blobs, part, Arc::new(schema)).await?;
        while let Some(group) = reader.next().await? {
            let times = moments(&group.batch.columns()[0]).ok_or_else(|| {
                Stop::Fail(format!(
                    "rows cannot be split by the time {column}: part {} holds no date or timestamp there",
                    part.number
                ))
            })?;
            times.into_iter().flatten().for_each(|time| found.push(time));
        }
    }
    found.cut(column, split).ok_or_else(|| {
        Stop::Fail(format!("rows cannot be split by time: no selected row has a value in {column}"))
    })
}

/// The time column with the kind the part has it in; none where the part lacks it.
async fn time_schema(blobs: &dyn Blobs, part: &SelectedPart, column: &str) -> Result<Option<Schema>, Stop> {
    let reader = PartReader::open(blobs, part, Arc::default()).await?;
    let field = reader.stored().fields.iter().find(|field| field.name == column);
    Ok(field.map(|field| Schema { fields: vec![field.clone()] }))
}

/// How many rows happened when; memory is bounded, whatever the number of rows.
#[derive(Debug)]
struct Moments {
    limit: usize,
    grain: i64,
    rows: u64,
    counts: BTreeMap<i64, u64>,
}

impl Moments {
    fn new(limit: usize) -> Moments {
        Moments { limit, grain: 1, rows: 0, counts: BTreeMap::new() }
    }

    fn push(&mut self, time: i64) {
        self.rows += 1;
        *self.counts.entry(time.div_euclid(self.grain)).or_default() += 1;
        while self.counts.len() > self.limit {
            self.grain *= 2;
            for (place, count) in std::mem::take(&mut self.counts) {
                *self.counts.entry(place.div_euclid(2)).or_default() += count;
            }
        }
    }

    /// The latest moment from which on there is at least this share of the rows, and one at least.
    fn newest_share_from(&self, share: f64) -> Option<i64> {
        let wanted = ((share * self.rows as f64).round() as u64).clamp(1, self.rows.max(1));
        let mut rows = 0;
        for (place, count) in self.counts.iter().rev() {
            rows += count;
            if rows >= wanted {
                return Some(place * self.grain);
            }
        }
        None
    }

    fn cut(&self, column: &str, split: &Split) -> Option<Cut> {
        let test = self.newest_share_from(split.test)?;
        let validation = if split.validation > 0.0 {
            self.newest_share_from(split.test + split.validation)?
        } else {
            test
        };
        Some(Cut::Time { column: column.to_owned(), validation, test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(moments: &Moments, test: f64, validation: f64) -> Option<(i64, i64)> {
        match moments.cut("at", &Split { by: SplitBy::Time, test, validation }) {
            Some(Cut::Time { validation, test, .. }) => Some((validation, test)),
            _ => None,
        }
    }

    #[test]
    fn the_newest_rows_are_the_test_and_those_before_them_the_validation() {
        let of = |times: &[i64]| {
            let mut moments = Moments::new(MOMENTS_MAX);
            times.iter().for_each(|time| moments.push(*time));
            moments
        };
        let ten = of(&[90, 10, 30, 20, 50, 40, 80, 60, 70, 100]);
        for (test, validation, expected) in [
            (0.2, 0.1, (80, 90)),
            (0.3, 0.2, (60, 80)),
            // No validation: it begins where the test does.
            (0.5, 0.0, (60, 60)),
            // Too few rows for the share: one at least.
            (0.01, 0.0, (100, 100)),
        ] {
            assert_eq!(cut(&ten, test, validation), Some(expected), "{test} {validation}");
        }
        // Rows of one moment stay together, on the side of the newer ones.
        assert_eq!(cut(&of(&[1, 2, 2, 2, 2]), 0.2, 0.2), Some((2, 2)));
        assert_eq!(cut(&of(&[-5, -1]), 0.5, 0.0), Some((-1, -1)));
        assert_eq!(cut(&of(&[]), 0.2, 0.1), None);
    }

    #[test]
    fn memory_is_bounded_and_the_cut_moves_by_a_grain_at_most() {
        let mut moments = Moments::new(100);
        for time in -50_000..50_000 {
            moments.push(time);
        }
        assert!(moments.counts.len() <= 100);
        let (validation, test) = cut(&moments, 0.2, 0.1).unwrap();
        // 100 000 moments in at most 100 counts take a grain of 1024 or 2048 moments.
        assert!(
            (30_000 - test).abs() <= 2_048 && (20_000 - validation).abs() <= 2_048,
            "{validation} {test}"
        );
    }
}
