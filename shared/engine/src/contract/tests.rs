//! What contracts may say, and how what they may not is named.

use super::*;

const HEAD: &str = "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\n";

fn parse(rest: &str) -> Result<Contract, Vec<Problem>> {
    Contract::parse("contract.yaml", &format!("{HEAD}{rest}"))
}

fn with_property(property: &str) -> Result<Contract, Vec<Problem>> {
    parse(&format!("schema:\n  - name: t\n    properties:\n      - {property}\n"))
}

#[test]
fn the_example_contract_compiles() {
    let text = include_str!("../../../../examples/home-insurance/contract.yaml");
    let contract = Contract::parse("contract.yaml", text).unwrap();
    assert_eq!(contract.columns.len(), 11);
    assert_eq!(contract.keys.len(), 1);
    assert_eq!(contract.bad_rows_percent_max, 5.0);
    assert_eq!(contract.columns[3].counts.len(), 1, "the warning on missing walls is counted");
    assert_eq!(contract.columns[3].cells.len(), 1, "an unknown wall makes a row bad");
}

#[test]
fn what_is_not_enforced_is_refused_by_name_with_its_place() {
    let cases = [
        ("{name: a, logicalType: array}", "contract.yaml:9:32: a.logicalType: not enforced: found \"array\""),
        (
            "{name: a, logicalType: string, logicalTypeOptions: {pattern: '(?=x)'}}",
            "a.logicalTypeOptions.pattern: pattern",
        ),
        (
            "{name: a, logicalType: integer, logicalTypeOptions: {multipleOf: 2}}",
            "a.logicalTypeOptions.multipleOf: not enforced",
        ),
        ("{name: a, logicalType: integer, logicalTypeOptions: {minimum: 2, maximum: 1}}", "contradiction"),
        (
            "{name: a, logicalType: integer, quality: [{type: sql, query: x, mustBe: 0}]}",
            "a.quality.type: not enforced: found \"sql\"",
        ),
        (
            "{name: a, logicalType: integer, quality: [{metric: nullValues, mustBe: 0, mustBeLessThan: 3}]}",
            "a.quality: operator",
        ),
        (
            "{name: a, logicalType: integer, quality: [{metric: entropy, mustBe: 0}]}",
            "a.quality.metric: not enforced",
        ),
        ("{name: a, logicalType: integer, color: red}", "a.color: unknown field"),
        ("{name: a}", "a.logicalType: missing field"),
    ];
    for (property, complaint) in cases {
        let problems = with_property(property).unwrap_err();
        let told = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        assert!(told.contains(complaint), "{property}\n{told}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let problems =
        parse("color: red\nschema:\n  - name: t\n    properties:\n      - {name: a, logicalType: x}\n")
            .unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn between_excludes_its_ends_as_the_standard_says() {
    let threshold = Threshold { operator: Operator::Between(1.0, 3.0), unit: Unit::Rows };
    assert_eq!([1, 2, 3].map(|count| threshold.holds(count, 10)), [false, true, false]);
}

#[test]
fn percent_is_of_all_rows_read() {
    let threshold = Threshold { operator: Operator::AtMost(3.0), unit: Unit::Percent };
    assert!(threshold.holds(3, 100));
    assert!(!threshold.holds(4, 100));
    assert!(threshold.holds(0, 0));
}

#[test]
fn none_at_all_makes_each_case_a_bad_row_and_any_other_threshold_is_counted() {
    let rule = |operator: &str| {
        let contract = with_property(&format!(
            "{{name: a, logicalType: string, quality: [{{metric: invalidValues, arguments: {{validValues: [x]}}, {operator}}}]}}"
        ));
        let column = contract.unwrap().columns.remove(0);
        (column.cells.len(), column.counts.len())
    };
    assert_eq!(rule("mustBe: 0"), (1, 0));
    assert_eq!(rule("mustBeLessThan: 5"), (0, 1));
    assert_eq!(rule("mustBe: 0, severity: warning"), (0, 1));
}

fn with_rule(rule: &str) -> Result<Contract, Vec<Problem>> {
    let columns = "      - {name: built_at, logicalType: date}\n      - {name: sold_at, logicalType: timestamp}\n      - {name: area, logicalType: integer}\n";
    parse(&format!("schema:\n  - name: t\n    properties:\n{columns}    quality:\n      - {rule}\n"))
}

#[test]
fn a_rule_about_rows_is_compiled_with_the_columns_it_reads() {
    let contract =
        with_rule("{type: custom, engine: millrace, implementation: sold_at >= built_at}").unwrap();
    let [rule] = contract.rows.as_slice() else { panic!("one rule") };
    assert_eq!((rule.rule.as_str(), rule.severity), ("sold_at >= built_at", Severity::Error));
    assert_eq!(rule.columns, [0, 1]);
    let named = with_rule(
        "{type: custom, engine: millrace, name: room, implementation: area > 5, severity: warning}",
    );
    let named = named.unwrap().rows.remove(0);
    assert_eq!((named.rule.as_str(), named.severity), ("room", Severity::Warning));
}

#[test]
fn a_rule_about_rows_that_cannot_be_enforced_is_refused_by_name_with_its_place() {
    for (rule, complaint) in [
        (
            "{type: custom, engine: soda, implementation: area > 5}",
            "contract.yaml:13:32: schema.quality.engine: not enforced: found \"soda\"",
        ),
        ("{type: custom, implementation: area > 5}", "schema.quality.engine: missing field"),
        ("{type: custom, engine: millrace}", "schema.quality.implementation: missing field"),
        (
            "{type: custom, engine: millrace, implementation: area > 5, mustBe: 0}",
            "schema.quality.mustBe: not enforced",
        ),
        (
            "{type: custom, engine: millrace, implementation: price > 5}",
            "contract.yaml:13:58: schema.quality.implementation: unknown column",
        ),
        ("{type: custom, engine: millrace, implementation: area > }", "schema.quality.implementation"),
        ("{type: custom, engine: millrace, implementation: area + 1}", "neither true nor false"),
        ("{type: custom, engine: millrace, implementation: 1 < 2}", "reads no column"),
        (
            "{type: custom, engine: millrace, implementation: area > 5}\n      - {type: custom, engine: millrace, implementation: area > 5}",
            "contract.yaml:14:9: schema.quality.name: contradiction",
        ),
    ] {
        let problems = with_rule(rule).unwrap_err();
        let told = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        assert!(told.contains(complaint), "{rule}\n{told}");
    }
}
