//! How a contract's file becomes a plan, and how its faults are named.

mod row;

use std::collections::BTreeSet;

use domain::{Problem, Time};
use regex::Regex;

use super::quality::{Operator, Severity, Threshold, Unit};
use super::{Bounds, CellRule, ColumnPlan, Contract, CountRule, KeyRule, LatencyRule, Test, TotalRule};
use crate::csv::Dialect;
use crate::csv::form::{Form, Offset};
use crate::table::Kind;
use crate::yaml::{self, Node, Value};

/// Fields of the top level that describe and demand nothing of a file's rows.
const DESCRIPTIVE: [&str; 14] = [
    "id",
    "status",
    "tenant",
    "domain",
    "dataProduct",
    "description",
    "servers",
    "team",
    "roles",
    "support",
    "price",
    "tags",
    "authoritativeDefinitions",
    "contractCreatedTs",
];
/// Fields of a property or object that describe.
const DESCRIBING: [&str; 15] = [
    "id",
    "physicalName",
    "physicalType",
    "businessName",
    "description",
    "tags",
    "examples",
    "criticalDataElement",
    "encryptedName",
    "partitioned",
    "partitionKeyPosition",
    "authoritativeDefinitions",
    "dataGranularityDescription",
    "customProperties",
    "transformDescription",
];
/// Fields of a quality rule that describe.
const RULE_DESCRIBING: [&str; 10] = [
    "id",
    "name",
    "description",
    "dimension",
    "businessImpact",
    "method",
    "schedule",
    "scheduler",
    "tags",
    "customProperties",
];
const OPERATORS: [&str; 8] = [
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];

struct Reading<'a> {
    file: &'a str,
    problems: Vec<Problem>,
}

pub(super) fn contract(file: &str, text: &str) -> Result<Contract, Vec<Problem>> {
    let root = yaml::tree(file, text).map_err(|problem| vec![problem])?;
    let mut reading = Reading { file, problems: Vec::new() };
    let contract = reading.root(&root);
    match contract {
        Some(contract) if reading.problems.is_empty() => Ok(contract),
        _ => Err(reading.problems),
    }
}

impl Reading<'_> {
    fn refuse(&mut self, node: &Node, field: &str, rule: &str, expected: &str) {
        let problem = Problem::new(self.file, rule).field(field).found(node.shown()).expected(expected);
        self.problems.push(node.locate(problem));
    }

    fn not_enforced(&mut self, node: &Node, field: &str, expected: &str) {
        self.refuse(node, field, "not enforced", expected);
    }

    fn text<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n str> {
        let text = node.as_text();
        if text.is_none() {
            self.refuse(node, field, "type", "a text");
        }
        text
    }

    fn flag(&mut self, node: &Node, field: &str) -> bool {
        match node.value {
            Value::Boolean(flag) => flag,
            _ => {
                self.refuse(node, field, "type", "true or false");
                false
            }
        }
    }

    fn pairs<'n>(&mut self, node: &'n Node, field: &str) -> Vec<(&'n str, &'n Node, &'n Node)> {
        let Value::Map(pairs) = &node.value else {
            self.refuse(node, field, "type", "a map");
            return Vec::new();
        };
        let mut named = Vec::new();
        for (key, value) in pairs {
            match key.as_text() {
                Some(name) => named.push((name, key, value)),
                None => self.refuse(key, field, "key", "a text"),
            }
        }
        named
    }

    fn items<'n>(&mut self, node: &'n Node, field: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            _ => {
                self.refuse(node, field, "type", "a list");
                &[]
            }
        }
    }

    fn root(&mut self, root: &Node) -> Option<Contract> {
        let mut contract = Contract {
            name: String::new(),
            version: String::new(),
            columns: Vec::new(),
            keys: Vec::new(),
            rows: Vec::new(),
            totals: Vec::new(),
            latencies: Vec::new(),
            bad_rows_percent_max: 0.0,
            dialect: Dialect::default(),
        };
        let pairs = self.pairs(root, "the contract");
        for (name, _, value) in &pairs {
            match *name {
                "apiVersion" => {
                    if !value.as_text().is_some_and(|text| text.starts_with("v3.")) {
                        self.refuse(value, name, "version", "v3.1.0, or another v3");
                    }
                }
                "kind" => {
                    if value.as_text() != Some("DataContract") {
                        self.refuse(value, name, "kind", "DataContract");
                    }
                }
                "name" => contract.name = self.text(value, name).unwrap_or_default().to_owned(),
                "version" => contract.version = value.as_text().map_or_else(|| value.shown(), str::to_owned),
                "schema" => self.schema(value, &mut contract),
                _ => {}
            }
        }
        // What speaks of columns is read when they are known.
        for (name, key, value) in pairs {
            match name {
                "slaProperties" => self.sla(value, &mut contract),
                "slaDefaultElement" => self.not_enforced(key, name, "an element at each SLA property"),
                "customProperties" => self.custom(value, &mut contract),
                "apiVersion" | "kind" | "name" | "version" | "schema" => {}
                name if DESCRIPTIVE.contains(&name) => {}
                name => self.refuse(key, name, "unknown field", "a field of ODCS v3.1.0"),
            }
        }
        for needed in ["apiVersion", "kind", "id", "version", "status", "schema"] {
            if root.get(needed).is_none() {
                self.problems.push(root.locate(Problem::new(self.file, "missing field").field(needed)));
            }
        }
        if contract.name.is_empty() {
            contract.name = root.get("id").and_then(Node::as_text).unwrap_or_default().to_owned();
        }
        Some(contract)
    }

    fn schema(&mut self, node: &Node, contract: &mut Contract) {
        let objects = self.items(node, "schema");
        let [object] = objects else {
            self.refuse(node, "schema", "objects", "exactly one object: one file is one table");
            return;
        };
        let pairs = self.pairs(object, "schema");
        for (name, key, value) in &pairs {
            match *name {
                "properties" => self.properties(value, contract),
                "quality" | "name" => {}
                "logicalType" => {
                    if value.as_text() != Some("object") {
                        self.refuse(value, "schema.logicalType", "type", "object");
                    }
                }
                "relationships" => self.not_enforced(key, "schema.relationships", "no relationships yet"),
                name if DESCRIBING.contains(&name) => {}
                name => {
                    self.refuse(key, &format!("schema.{name}"), "unknown field", "a field of an ODCS object")
                }
            }
        }
        if let Some(quality) = object.get("quality") {
            for rule in self.items(quality, "quality") {
                self.table_rule(rule, contract);
            }
        }
        if contract.columns.is_empty() {
            self.refuse(object, "schema.properties", "empty", "at least one property");
        }
    }

    fn properties(&mut self, node: &Node, contract: &mut Contract) {
        let mut primary: Vec<(i64, usize)> = Vec::new();
        for item in self.items(node, "properties") {
            let Some(name) = item.get("name").and_then(Node::as_text) else {
                self.refuse(item, "properties.name", "missing field", "a name for each property");
                continue;
            };
            if contract.columns.iter().any(|column| column.name == name)
                || name.starts_with("__")
                || name.is_empty()
            {
                self.refuse(item, name, "name", "distinct names that do not begin with __");
                continue;
            }
            let index = contract.columns.len();
            let column = self.property(item, name, index, contract, &mut primary);
            contract.columns.push(column);
        }
        if !primary.is_empty() {
            primary.sort_unstable();
            let columns = primary.into_iter().map(|(_, column)| column).collect();
            contract.keys.insert(0, KeyRule { rule: "primaryKey".into(), columns, counted: None });
        }
    }

    fn property(
        &mut self,
        item: &Node,
        name: &str,
        index: usize,
        contract: &mut Contract,
        primary: &mut Vec<(i64, usize)>,
    ) -> ColumnPlan {
        let kind = match item.get("logicalType").and_then(Node::as_text) {
            Some("string") => Kind::Text,
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some("date") => Kind::Date,
            Some("timestamp") => Kind::Timestamp,
            other => {
                let node = item.get("logicalType").unwrap_or(item);
                let rule = if other.is_some() { "not enforced" } else { "missing field" };
                self.refuse(
                    node,
                    &format!("{name}.logicalType"),
                    rule,
                    "string, integer, number, boolean, date or timestamp",
                );
                Kind::Text
            }
        };
        let mut column = ColumnPlan {
            name: name.to_owned(),
            kind,
            form: Form::Iso,
            offset: Offset::May,
            required: false,
            masked: false,
            cells: Vec::new(),
            counts: Vec::new(),
        };
        for (field, key, value) in self.pairs(item, name) {
            let full = format!("{name}.{field}");
            match field {
                "name" | "logicalType" => {}
                "required" => column.required |= self.flag(value, &full),
                "unique" => {
                    if self.flag(value, &full) {
                        contract.keys.push(KeyRule {
                            rule: "unique".into(),
                            columns: vec![index],
                            counted: None,
                        });
                    }
                }
                "primaryKey" => {
                    if self.flag(value, &full) {
                        column.required = true;
                        let place = item.get("primaryKeyPosition").and_then(Node::as_number).unwrap_or(-1.0);
                        primary.push((place as i64, index));
                    }
                }
                "primaryKeyPosition" => {}
                "classification" => {
                    let public = matches!(value.as_text(), Some("public" | "internal" | "unrestricted"));
                    column.masked = !public;
                }
                "logicalTypeOptions" => self.options(value, name, &mut column),
                "quality" => {
                    for rule in self.items(value, &full) {
                        self.column_rule(rule, name, index, &mut column, contract);
                    }
                }
                "items" | "properties" | "relationships" => {
                    self.not_enforced(key, &full, "flat columns without it")
                }
                field if DESCRIBING.contains(&field) => {}
                _ => self.refuse(key, &full, "unknown field", "a field of an ODCS property"),
            }
        }
        column
    }

    fn options(&mut self, node: &Node, name: &str, column: &mut ColumnPlan) {
        let (mut range, mut length) = (Bounds::default(), Bounds::default());
        let pairs = self.pairs(node, name);
        // Bounds of dates are written in the column's own form, so the form comes first.
        for (field, _, value) in pairs.iter().filter(|(field, _, _)| matches!(*field, "format" | "timezone"))
        {
            let full = format!("{name}.logicalTypeOptions.{field}");
            if *field == "timezone" {
                column.offset = if self.flag(value, &full) { Offset::Must } else { Offset::Never };
            } else {
                self.format(value, &full, column);
            }
        }
        for (field, key, value) in pairs {
            let full = format!("{name}.logicalTypeOptions.{field}");
            let timed = matches!(column.kind, Kind::Date | Kind::Timestamp);
            let numeric = matches!(column.kind, Kind::Integer | Kind::Number);
            match field {
                "format" | "timezone" => {}
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" if numeric || timed => {
                    let Some(bound) = self.bound(value, &full, column) else { continue };
                    let excluded = field.starts_with("exclusive");
                    let low = field.ends_with("inimum");
                    let side = if low { &mut range.low } else { &mut range.high };
                    if side.replace((bound, excluded)).is_some() {
                        self.refuse(key, &full, "contradiction", "one bound on each side");
                    }
                }
                "minLength" | "maxLength" if column.kind == Kind::Text => {
                    let Some(bound) = value.as_number().filter(|bound| *bound >= 0.0) else {
                        self.refuse(value, &full, "type", "a number of characters");
                        continue;
                    };
                    let side = if field == "minLength" { &mut length.low } else { &mut length.high };
                    *side = Some((bound, false));
                }
                "pattern" if column.kind == Kind::Text => {
                    if let Some(test) = self.pattern(value, &full) {
                        column.cells.push(CellRule {
                            rule: "pattern".into(),
                            test,
                            severity: Severity::Error,
                        });
                    }
                }
                _ => self.not_enforced(key, &full, "no such option for this type"),
            }
        }
        for (rule, bounds, is_length) in [("range", range, false), ("length", length, true)] {
            if let (Some((low, _)), Some((high, _))) = (bounds.low, bounds.high) {
                if low > high {
                    self.refuse(
                        node,
                        &format!("{name}.logicalTypeOptions"),
                        "contradiction",
                        "a lower bound below the upper",
                    );
                }
            }
            if bounds != Bounds::default() {
                let test = if is_length { Test::Length(bounds) } else { Test::Range(bounds) };
                column.cells.push(CellRule { rule: rule.into(), test, severity: Severity::Error });
            }
        }
    }

    fn format(&mut self, value: &Node, full: &str, column: &mut ColumnPlan) {
        let Some(text) = self.text(value, full) else { return };
        match (column.kind, text) {
            (Kind::Date | Kind::Timestamp, pattern) => match Form::of_pattern(pattern) {
                Ok(form) => column.form = form,
                Err(expected) => self.refuse(value, full, "not enforced", &expected),
            },
            (Kind::Number, "f64") => {}
            (Kind::Integer, format) => {
                let width = |bits: u32| (1i128 << bits) as f64;
                let bounds = match format {
                    "i8" => Some((-width(7), width(7) - 1.0)),
                    "i16" => Some((-width(15), width(15) - 1.0)),
                    "i32" => Some((-width(31), width(31) - 1.0)),
                    "i64" => None,
                    "u8" => Some((0.0, width(8) - 1.0)),
                    "u16" => Some((0.0, width(16) - 1.0)),
                    "u32" => Some((0.0, width(32) - 1.0)),
                    _ => return self.not_enforced(value, full, "i8, i16, i32, i64, u8, u16 or u32"),
                };
                if let Some((low, high)) = bounds {
                    let test = Test::Range(Bounds { low: Some((low, false)), high: Some((high, false)) });
                    column.cells.push(CellRule {
                        rule: format!("format {format}"),
                        test,
                        severity: Severity::Error,
                    });
                }
            }
            _ => self.not_enforced(value, full, "no format for this type (a pattern can say it)"),
        }
    }

    fn bound(&mut self, value: &Node, full: &str, column: &ColumnPlan) -> Option<f64> {
        let found = match column.kind {
            Kind::Date => value
                .as_text()
                .and_then(|text| column.form.date(text).or_else(|| Form::Iso.date(text)).map(f64::from)),
            Kind::Timestamp => value.as_text().and_then(|text| {
                let own = column.form.timestamp(text, Offset::May);
                own.or_else(|| text.parse::<Time>().ok().map(Time::millis)).map(|millis| millis as f64)
            }),
            _ => value.as_number(),
        };
        if found.is_none() {
            self.refuse(value, full, "type", "a bound of the column's own type");
        }
        found
    }

    fn pattern(&mut self, value: &Node, full: &str) -> Option<Test> {
        let text = self.text(value, full)?;
        match Regex::new(text) {
            Ok(pattern) => Some(Test::Pattern(pattern)),
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim().to_owned();
                let problem = Problem::new(self.file, "pattern").field(full).found(value.shown());
                let expected = "a regular expression without look-around and back-references";
                self.problems.push(value.locate(problem.expected(expected).hint(why)));
                None
            }
        }
    }

    fn column_rule(
        &mut self,
        rule: &Node,
        name: &str,
        index: usize,
        column: &mut ColumnPlan,
        contract: &mut Contract,
    ) {
        let Some((metric, threshold, severity)) = self.rule_head(rule, name, true) else { return };
        let arguments = rule.get("arguments");
        let test = match metric.as_str() {
            "nullValues" => None,
            "duplicateValues" => {
                let counted = self.counted(threshold, severity);
                contract.keys.push(KeyRule { rule: metric, columns: vec![index], counted });
                return;
            }
            "missingValues" => match self.listed(rule, arguments, name, "missingValues") {
                Some(values) => Some(Test::Missing(values)),
                None => return,
            },
            "invalidValues" => {
                let pattern = arguments.and_then(|arguments| arguments.get("pattern"));
                let test = match pattern {
                    Some(pattern) => self.pattern(pattern, &format!("{name}.quality.arguments.pattern")),
                    None => self.listed(rule, arguments, name, "validValues").map(Test::OneOf),
                };
                match test {
                    Some(test) => Some(test),
                    None => return,
                }
            }
            _ => {
                return self.not_enforced(
                    rule,
                    &format!("{name}.quality.metric"),
                    "nullValues, missingValues, invalidValues or duplicateValues",
                );
            }
        };
        match (&test, threshold.is_none_at_all() && severity == Severity::Error) {
            (None, true) => column.required = true,
            (Some(_), true) => {
                let test = test.expect("matched above");
                column.cells.push(CellRule { rule: metric, test, severity });
            }
            _ => column.counts.push(CountRule { rule: metric, test, threshold, severity }),
        }
    }

    fn counted(&self, threshold: Threshold, severity: Severity) -> Option<(Threshold, Severity)> {
        let row_by_row = threshold.is_none_at_all() && severity == Severity::Error;
        (!row_by_row).then_some((threshold, severity))
    }

    fn table_rule(&mut self, rule: &Node, contract: &mut Contract) {
        if rule.get("type").and_then(Node::as_text) == Some("custom") {
            return self.row_rule(rule, contract);
        }
        let Some((metric, threshold, severity)) = self.rule_head(rule, "schema", false) else { return };
        match metric.as_str() {
            "rowCount" => contract.totals.push(TotalRule { rule: metric, threshold, severity }),
            "duplicateValues" => {
                let arguments = rule.get("arguments");
                let Some(names) = arguments.and_then(|arguments| arguments.get("properties")) else {
                    return self.refuse(
                        rule,
                        "quality.arguments.properties",
                        "missing field",
                        "the columns that may not repeat",
                    );
                };
                let mut columns = Vec::new();
                for item in self.items(names, "quality.arguments.properties") {
                    let position =
                        item.as_text().and_then(|name| contract.columns.iter().position(|c| c.name == name));
                    match position {
                        Some(position) => columns.push(position),
                        None => self.refuse(
                            item,
                            "quality.arguments.properties",
                            "unknown column",
                            "a property of the schema",
                        ),
                    }
                }
                if !columns.is_empty() {
                    let counted = self.counted(threshold, severity);
                    contract.keys.push(KeyRule { rule: metric, columns, counted });
                }
            }
            _ => self.not_enforced(rule, "quality.metric", "rowCount or duplicateValues"),
        }
    }

    /// Metric, threshold and severity of a quality rule.
    fn rule_head(
        &mut self,
        rule: &Node,
        name: &str,
        of_column: bool,
    ) -> Option<(String, Threshold, Severity)> {
        let before = self.problems.len();
        let (mut metric, mut unit, mut severity, mut operators) =
            (None, Unit::Rows, Severity::Error, Vec::new());
        for (field, key, value) in self.pairs(rule, name) {
            let full = format!("{name}.quality.{field}");
            match field {
                "metric" => metric = self.text(value, &full).map(str::to_owned),
                "type" => {
                    if value.as_text() != Some("library") {
                        self.not_enforced(value, &full, "library");
                    }
                }
                "unit" => match value.as_text() {
                    Some("rows") => {}
                    Some("percent") => unit = Unit::Percent,
                    _ => self.not_enforced(value, &full, "rows or percent"),
                },
                "severity" => severity = self.severity(value, &full),
                "arguments" => {}
                field if OPERATORS.contains(&field) => operators.extend(self.operator(field, value, &full)),
                field if RULE_DESCRIBING.contains(&field) => {}
                _ => self.refuse(key, &full, "unknown field", "a field of an ODCS quality rule"),
            }
        }
        if self.problems.len() > before {
            return None;
        }
        let Some(metric) = metric else {
            self.refuse(
                rule,
                &format!("{name}.quality.metric"),
                "missing field",
                "a metric of ODCS's library",
            );
            return None;
        };
        let [operator] = operators[..] else {
            self.refuse(
                rule,
                &format!("{name}.quality"),
                "operator",
                "exactly one of mustBe, mustBeLessThan, …",
            );
            return None;
        };
        if !of_column && unit == Unit::Percent && metric == "rowCount" {
            self.refuse(rule, "quality.unit", "contradiction", "rows: a row count is not a share");
            return None;
        }
        Some((metric, Threshold { operator, unit }, severity))
    }

    fn severity(&mut self, value: &Node, full: &str) -> Severity {
        match value.as_text() {
            Some("error") => Severity::Error,
            Some("warning") => Severity::Warning,
            Some("info") => Severity::Info,
            _ => {
                self.refuse(value, full, "not enforced", "error, warning or info");
                Severity::Error
            }
        }
    }

    fn operator(&mut self, field: &str, value: &Node, full: &str) -> Option<Operator> {
        if field.ends_with("Between") {
            let ends: Vec<f64> = self.items(value, full).iter().filter_map(Node::as_number).collect();
            let [low, high] = ends[..] else {
                self.refuse(value, full, "type", "two numbers");
                return None;
            };
            return Some(if field == "mustBeBetween" {
                Operator::Between(low, high)
            } else {
                Operator::NotBetween(low, high)
            });
        }
        let Some(number) = value.as_number() else {
            self.refuse(value, full, "type", "a number");
            return None;
        };
        Some(match field {
            "mustBe" => Operator::Be(number),
            "mustNotBe" => Operator::NotBe(number),
            "mustBeGreaterThan" => Operator::Greater(number),
            "mustBeGreaterOrEqualTo" => Operator::AtLeast(number),
            "mustBeLessThan" => Operator::Less(number),
            _ => Operator::AtMost(number),
        })
    }

    /// The texts of a list among a rule's arguments; null stands for the empty text.
    fn listed(
        &mut self,
        rule: &Node,
        arguments: Option<&Node>,
        name: &str,
        field: &str,
    ) -> Option<BTreeSet<String>> {
        let full = format!("{name}.quality.arguments.{field}");
        let Some(list) = arguments.and_then(|arguments| arguments.get(field)) else {
            self.refuse(rule, &full, "missing field", "a list of values");
            return None;
        };
        let mut values = BTreeSet::new();
        for item in self.items(list, &full) {
            match &item.value {
                Value::Null => values.insert(String::new()),
                Value::Text(text) => values.insert(text.clone()),
                Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => values.insert(item.shown()),
                _ => {
                    self.refuse(item, &full, "type", "a plain value");
                    return None;
                }
            };
        }
        Some(values)
    }

    fn sla(&mut self, node: &Node, contract: &mut Contract) {
        for item in self.items(node, "slaProperties") {
            let property = item.get("property").and_then(Node::as_text).unwrap_or_default().to_owned();
            let field = format!("slaProperties.{property}");
            if !matches!(property.to_ascii_lowercase().as_str(), "latency" | "ly" | "freshness") {
                self.not_enforced(item, &field, "latency or freshness");
                continue;
            }
            let value = item.get("value").and_then(Node::as_number);
            let unit = item.get("unit").and_then(Node::as_text).unwrap_or_default();
            let millis = match unit {
                "s" | "second" | "seconds" => Some(Time::SECOND),
                "min" | "minute" | "minutes" => Some(60 * Time::SECOND),
                "h" | "hr" | "hour" | "hours" => Some(Time::HOUR),
                "d" | "day" | "days" => Some(Time::DAY),
                "y" | "yr" | "year" | "years" => Some(365 * Time::DAY),
                _ => None,
            };
            let (Some(value), Some(millis)) = (value, millis) else {
                self.refuse(item, &field, "value", "a number with the unit s, min, h, d or y");
                continue;
            };
            let element = item.get("element").and_then(Node::as_text).unwrap_or_default();
            let column_name = element.rsplit('.').next().unwrap_or_default();
            let column = contract.columns.iter().position(|column| column.name == column_name);
            match column {
                Some(column) if matches!(contract.columns[column].kind, Kind::Date | Kind::Timestamp) => {
                    let age_millis_max = (value * millis as f64) as i64;
                    let age = format!("{value} {unit}");
                    contract.latencies.push(LatencyRule { rule: property, column, age_millis_max, age });
                }
                _ => self.refuse(
                    item,
                    &format!("{field}.element"),
                    "unknown column",
                    "a date or timestamp column, as object.property",
                ),
            }
        }
    }

    fn custom(&mut self, node: &Node, contract: &mut Contract) {
        for item in self.items(node, "customProperties") {
            let value = item.get("value");
            match (item.get("property").and_then(Node::as_text), value) {
                (Some("maxQuarantinePercent"), Some(value)) => match value.as_number() {
                    Some(percent) if (0.0..=100.0).contains(&percent) => {
                        contract.bad_rows_percent_max = percent
                    }
                    _ => self.refuse(value, "maxQuarantinePercent", "range", "a percentage from 0 to 100"),
                },
                (Some("csvDelimiter"), Some(value)) => match value.as_text().map(str::as_bytes) {
                    Some([byte]) if byte.is_ascii() && !b"\"\r\n".contains(byte) => {
                        contract.dialect.delimiter = *byte
                    }
                    _ => self.refuse(value, "csvDelimiter", "dialect", "one ASCII character"),
                },
                // Other tools keep theirs here too.
                (Some(_), _) => {}
                (None, _) => self.refuse(item, "customProperties.property", "missing field", "a name"),
            }
        }
    }
}
