//! Which events a rule is about: EventBridge's event patterns, those operators that are executed.
//!
//! Semantics as "Amazon EventBridge event patterns" documents them: every field of the pattern
//! must fit, a field fits if any of its tests does, and an array in the event fits if any of its
//! elements does. Only leaves are tested.

use std::collections::BTreeMap;

use serde_json::Value;

/// Numbers that EventBridge compares lie between −5e9 and 5e9.
const NUMBER_MAX: f64 = 5.0e9;

/// What an event must look like.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    fields: BTreeMap<String, Field>,
}

#[derive(Clone, Debug, PartialEq)]
enum Field {
    Within(Pattern),
    AnyOf(Vec<Test>),
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exactly(Value),
    Prefix(String),
    Suffix(String),
    Exists,
    Absent,
    Numeric(Vec<(Comparison, f64)>),
    Not(Excluded),
}

#[derive(Clone, Debug, PartialEq)]
enum Excluded {
    Values(Vec<Value>),
    Prefix(String),
    Suffix(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// Refused by name: what EventBridge would refuse too, and operators that are not executed
    /// (`equals-ignore-case`, `wildcard`, `cidr`, `$or`).
    pub fn parse(value: &Value) -> Result<Pattern, String> {
        pattern(value, "")
    }

    /// Whether an event is one of those that the pattern is about.
    pub fn matches(&self, event: &Value) -> bool {
        self.fits(Some(event), &[event])
    }

    /// `one` is the object tested, `all` are all that stand at its place when arrays above are
    /// opened: a field is absent only if none of them has it.
    fn fits(&self, one: Option<&Value>, all: &[&Value]) -> bool {
        if let Some(Value::Array(items)) = one
            && !items.is_empty()
        {
            return items.iter().any(|item| self.fits(Some(item), all));
        }
        self.fields.iter().all(|(name, field)| {
            let below: Vec<&Value> =
                all.iter().flat_map(|value| opened(value)).filter_map(|value| value.get(name)).collect();
            field.fits(one.and_then(|value| value.get(name)), &below)
        })
    }
}

impl Field {
    fn fits(&self, one: Option<&Value>, all: &[&Value]) -> bool {
        match self {
            Field::Within(pattern) => pattern.fits(one, all),
            Field::AnyOf(tests) => {
                let leaves = one.map(leaves).unwrap_or_default();
                tests.iter().any(|test| match test {
                    Test::Absent => all.iter().all(|value| self::leaves(value).is_empty()),
                    Test::Exists => !leaves.is_empty(),
                    _ => leaves.iter().any(|leaf| test.fits(leaf)),
                })
            }
        }
    }
}

/// A value with its arrays opened.
fn opened(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(opened).collect(),
        other => vec![other],
    }
}

/// The values that tests look at: no array, no object.
fn leaves(value: &Value) -> Vec<&Value> {
    opened(value).into_iter().filter(|value| !value.is_object()).collect()
}

impl Test {
    fn fits(&self, leaf: &Value) -> bool {
        let starts = |prefix: &str| leaf.as_str().is_some_and(|text| text.starts_with(prefix));
        let ends = |suffix: &str| leaf.as_str().is_some_and(|text| text.ends_with(suffix));
        match self {
            Test::Exactly(value) => value == leaf,
            Test::Prefix(prefix) => starts(prefix),
            Test::Suffix(suffix) => ends(suffix),
            Test::Numeric(bounds) => {
                let number = leaf.as_f64();
                number.is_some_and(|number| bounds.iter().all(|(how, bound)| how.holds(number, *bound)))
            }
            Test::Not(Excluded::Values(values)) => !values.iter().any(|value| same(value, leaf)),
            Test::Not(Excluded::Prefix(prefix)) => !starts(prefix),
            Test::Not(Excluded::Suffix(suffix)) => !ends(suffix),
            Test::Exists => true,
            Test::Absent => false,
        }
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Comparison::Equal => number == bound,
            Comparison::Below => number < bound,
            Comparison::AtMost => number <= bound,
            Comparison::Above => number > bound,
            Comparison::AtLeast => number >= bound,
        }
    }
}

fn pattern(value: &Value, path: &str) -> Result<Pattern, String> {
    let place = if path.is_empty() { "the pattern" } else { path };
    let Value::Object(entries) = value else {
        return Err(format!("{place}: expected fields, found {value}"));
    };
    if entries.is_empty() {
        return Err(format!("{place}: expected at least one field, found none"));
    }
    let mut fields = BTreeMap::new();
    for (name, value) in entries {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if name == "$or" {
            return Err(format!("{path}: the operator \"$or\" is not executed"));
        }
        fields.insert(name.clone(), field(value, &path)?);
    }
    Ok(Pattern { fields })
}

fn field(value: &Value, path: &str) -> Result<Field, String> {
    match value {
        Value::Object(_) => Ok(Field::Within(pattern(value, path)?)),
        Value::Array(items) if items.is_empty() => {
            Err(format!("{path}: expected at least one value, found an empty list"))
        }
        Value::Array(items) => {
            let tests = items.iter().map(|item| test(item, path));
            Ok(Field::AnyOf(tests.collect::<Result<_, _>>()?))
        }
        other => Err(format!("{path}: expected a list of values or fields, found {other}")),
    }
}

fn test(value: &Value, path: &str) -> Result<Test, String> {
    let entries = match value {
        Value::Array(_) => return Err(format!("{path}: expected a value or an operator, found {value}")),
        Value::Object(entries) => entries,
        exact => return Ok(Test::Exactly(exact.clone())),
    };
    let mut operators = entries.iter();
    let (Some((operator, argument)), None) = (operators.next(), operators.next()) else {
        return Err(format!("{path}: expected one operator, found {value}"));
    };
    let path = format!("{path}: {operator}");
    match operator.as_str() {
        "prefix" => Ok(Test::Prefix(text(argument, &path)?)),
        "suffix" => Ok(Test::Suffix(text(argument, &path)?)),
        "exists" => match argument {
            Value::Bool(true) => Ok(Test::Exists),
            Value::Bool(false) => Ok(Test::Absent),
            other => Err(format!("{path}: expected true or false, found {other}")),
        },
        "numeric" => Ok(Test::Numeric(bounds(argument, &path)?)),
        "anything-but" => Ok(Test::Not(excluded(argument, &path)?)),
        _ => Err(format!(
            "{path}: this operator is not executed, only prefix, suffix, anything-but, exists and numeric"
        )),
    }
}

fn text(value: &Value, path: &str) -> Result<String, String> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        other => Err(format!("{path}: expected a text, found {other}")),
    }
}

fn number(value: &Value, path: &str) -> Result<f64, String> {
    match value.as_f64() {
        Some(number) if number.abs() <= NUMBER_MAX => Ok(number),
        _ => Err(format!("{path}: expected a number from -5e9 to 5e9, found {value}")),
    }
}

fn excluded(value: &Value, path: &str) -> Result<Excluded, String> {
    let expected = || format!("{path}: expected a text, a number, or a list of one of them; found {value}");
    match value {
        Value::String(_) | Value::Number(_) => Ok(Excluded::Values(vec![value.clone()])),
        Value::Array(items) => {
            let alike = items.iter().all(Value::is_string) || items.iter().all(Value::is_number);
            if items.is_empty() || !alike { Err(expected()) } else { Ok(Excluded::Values(items.clone())) }
        }
        Value::Object(entries) if entries.len() == 1 => {
            if let Some(prefix) = entries.get("prefix") {
                return Ok(Excluded::Prefix(text(prefix, &format!("{path}: prefix"))?));
            }
            if let Some(suffix) = entries.get("suffix") {
                return Ok(Excluded::Suffix(text(suffix, &format!("{path}: suffix"))?));
            }
            Err(format!("{path}: within it only prefix and suffix are executed, found {value}"))
        }
        _ => Err(expected()),
    }
}

/// One comparison, or a lower bound followed by an upper one.
fn bounds(value: &Value, path: &str) -> Result<Vec<(Comparison, f64)>, String> {
    use Comparison::{Above, AtLeast, AtMost, Below, Equal};
    let wrong = || {
        format!(
            "{path}: expected a comparison like [\"<\", 10] or a range like [\">\", 0, \"<=\", 5], found {value}"
        )
    };
    let Value::Array(items) = value else { return Err(wrong()) };
    let mut found = Vec::new();
    for pair in items.chunks(2) {
        let [sign, bound] = pair else { return Err(wrong()) };
        let how = match sign.as_str() {
            Some("=") => Equal,
            Some("<") => Below,
            Some("<=") => AtMost,
            Some(">") => Above,
            Some(">=") => AtLeast,
            _ => return Err(wrong()),
        };
        found.push((how, number(bound, path)?));
    }
    match found.as_slice() {
        [_] => Ok(found),
        [(Above | AtLeast, low), (Below | AtMost, high)] if low < high => Ok(found),
        _ => Err(wrong()),
    }
}
