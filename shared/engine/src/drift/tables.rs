//! How do two tables at hand differ, one taken as reference?

use super::{DriftOptions, DriftReport, Window, check};
use crate::baseline::{Baseline, BaselineBuilder, Counter};
use crate::table::{Batch, Schema};

/// Makes a baseline of the first table and checks the second against it: what `millrace drift
/// REFERENCE CURRENT` prints. Each table is read once, batch by batch; an error of either reader
/// ends the comparison.
pub fn compare_tables<E>(
    schema: &Schema,
    reference: impl IntoIterator<Item = Result<Batch, E>>,
    current: impl IntoIterator<Item = Result<Batch, E>>,
    options: &DriftOptions,
) -> Result<(Baseline, DriftReport), E> {
    let mut builder = BaselineBuilder::new(schema);
    for batch in reference {
        builder.push(&batch?);
    }
    let baseline = builder.finish();
    let mut counter = Counter::new(&baseline);
    for batch in current {
        counter.push(&batch?);
    }
    let counts = counter.finish();
    let report = check(&baseline, &Window { counts: &counts, errors: None, now: None }, options);
    Ok((baseline, report))
}
