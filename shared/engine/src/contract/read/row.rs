//! How a rule about whole rows is read: ODCS's `type: custom`, for the engine `millrace`.

use domain::Problem;

use super::{RULE_DESCRIBING, Reading};
use crate::contract::row::RowRule;
use crate::contract::{Contract, Severity};
use crate::text;
use crate::yaml::Node;

impl Reading<'_> {
    /// Reads `{type: custom, engine: millrace, implementation: <condition>}`.
    pub(super) fn row_rule(&mut self, rule: &Node, contract: &mut Contract) {
        let before = self.problems.len();
        let (mut name, mut severity, mut condition) = (None, Severity::Error, None);
        for (field, key, value) in self.pairs(rule, "schema") {
            let full = format!("schema.quality.{field}");
            match field {
                "type" => {}
                "engine" => {
                    if value.as_text() != Some("millrace") {
                        self.not_enforced(value, &full, "millrace");
                    }
                }
                "implementation" => condition = self.text(value, &full).map(|text| (text, value)),
                "severity" => severity = self.severity(value, &full),
                "name" => name = self.text(value, &full),
                field if RULE_DESCRIBING.contains(&field) => {}
                _ => self.not_enforced(key, &full, "a condition on each row, without a threshold"),
            }
        }
        for needed in ["engine", "implementation"] {
            if rule.get(needed).is_none() {
                self.refuse(
                    rule,
                    &format!("schema.quality.{needed}"),
                    "missing field",
                    "engine: millrace and implementation: a condition on columns",
                );
            }
        }
        let (Some((condition, node)), true) = (condition, self.problems.len() == before) else { return };
        let name = name.map_or_else(|| text::cut(condition, 60).into_owned(), str::to_owned);
        if contract.rows.iter().any(|other| other.rule == name) {
            self.refuse(rule, "schema.quality.name", "contradiction", "a name for each rule about rows");
            return;
        }
        match RowRule::compile(name, severity, condition, &contract.schema()) {
            Ok(rule) => contract.rows.push(rule),
            Err(fault) => {
                let fault = Problem { file: self.file.to_owned(), ..fault };
                self.problems.push(node.locate(fault.field("schema.quality.implementation")));
            }
        }
    }
}
