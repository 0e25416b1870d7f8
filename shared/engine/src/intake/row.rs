//! Holding the cells of one row against the rules about them together.

use super::{Rows, Severity};
use crate::check::{Example, Place};
use crate::contract::Contract;
use crate::csv::cell::Value;
use crate::text;

impl Rows {
    /// Checks a row as a whole; what makes it bad goes to `reasons`. Cells of the wrong type are
    /// missing here, so a row is not blamed twice for one of them.
    pub(super) fn together(
        &mut self,
        contract: &Contract,
        texts: &[&str],
        values: &[Value<'_>],
        place: Place,
        reasons: &mut Vec<String>,
    ) {
        for rule in contract.rows.iter().filter(|rule| !rule.holds(values)) {
            let cell = |&column: &usize| {
                let plan = &contract.columns[column];
                let shown = if plan.masked { "(hidden)".into() } else { text::cut(texts[column], 40) };
                format!("{} {shown}", plan.name)
            };
            let found = rule.columns.iter().map(cell).collect::<Vec<_>>().join(", ");
            let name = format!("row: {}", rule.rule);
            if rule.severity == Severity::Error {
                reasons.push(format!("{name}: found {found}, expected {}", rule.expected()));
            }
            let example = Example { row: place.row, line: place.line, found };
            let told = || (rule.expected().to_owned(), format!("take {:?} out of the contract", rule.rule));
            self.tallies.note(rule.columns[0], &name, rule.severity, example, told);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::intake::{Intake, IntakeOptions, Outcome};
    use crate::part;
    use crate::table::Column;

    const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: a
version: 1.0.0
status: active
schema:
  - name: trips
    properties:
      - {name: id, logicalType: string, primaryKey: true}
      - {name: from, logicalType: timestamp}
      - {name: to, logicalType: timestamp}
      - {name: fare, logicalType: number, classification: restricted}
    quality:
      - {type: custom, engine: millrace, name: forward, implementation: 'seconds_between(from, to) > 0'}
      - {type: custom, engine: millrace, name: paid, implementation: fare > 0, severity: warning}
customProperties:
  - {property: maxQuarantinePercent, value: 50}
";

    const FILE: &[u8] = b"id,from,to,fare\n\
a,2018-01-01 08:00:00,2018-01-01 08:00:00,1\n\
a,2018-01-01 08:00:00,2018-01-01 08:00:01,1\n\
b,2018-01-01 08:00:00,,1\n\
c,soon,2018-01-01 07:00:00,1\n\
d,2018-01-01 08:00:00,2018-01-01 08:00:01,-77\n";

    fn taken() -> (Outcome, Vec<String>) {
        let contract = Arc::new(Contract::parse("contract.yaml", CONTRACT).unwrap());
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        let mut intake = Intake::new(&contract, IntakeOptions { file: "trips.csv".into(), split: None, now });
        intake.push(FILE);
        let mut quarantine = intake.take_quarantine();
        let outcome = intake.finish();
        quarantine.extend(&outcome.quarantine_tail);
        let bad = part::read_all("quarantine", &Bytes::from(quarantine)).unwrap();
        let Column::Text(reasons) = bad.column("reasons").unwrap() else { panic!("texts") };
        (outcome, reasons.iter().flatten().cloned().collect())
    }

    #[test]
    fn a_row_whose_cells_do_not_fit_each_other_is_bad_and_takes_no_key() {
        let (outcome, reasons) = taken();
        assert_eq!((outcome.rows_read, outcome.rows_good, outcome.rows_bad), (5, 3, 2));
        assert_eq!(
            reasons,
            [
                "row: forward: found from 2018-01-01 08:00:00, to 2018-01-01 08:00:00, \
                 expected seconds_between(from, to) > 0",
                // The row whose time cannot be read is blamed for that alone.
                "from: type: found \"soon\", expected a timestamp such as 2026-11-23T09:00:00Z",
            ]
        );
    }

    #[test]
    fn a_milder_rule_is_reported_and_hides_what_is_masked() {
        let (outcome, _) = taken();
        let told = outcome.violations.iter().find(|violation| violation.rule == "row: paid").unwrap();
        assert_eq!((told.count, told.severity), (1, Severity::Warning));
        assert_eq!(told.examples[0].found, "fare (hidden)");
        assert!(!format!("{:?}", outcome.violations).contains("-77"));
    }
}
