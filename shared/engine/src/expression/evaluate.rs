//! What a checked expression yields for each row of a batch.

use std::borrow::Cow;

use domain::Time;

use super::check::{Extreme, Node, Numeric, Part};
use super::syntax::Operator;
use crate::table::{Batch, Column, Kind};

/// The values of a node, one a row. A missing number is NaN, which is never a value.
enum Values<'a> {
    Number(Vec<f64>),
    Boolean(Vec<Option<bool>>),
    Text(Vec<Option<Cow<'a, str>>>),
    /// Dates and timestamps: milliseconds since the epoch.
    Moment(Vec<Option<i64>>),
}

/// Evaluates a node whose columns are all in the batch, with the kinds it was checked against.
pub(super) fn column(root: &Node, kind: Kind, batch: &Batch) -> Column {
    if let Node::Column(name) = root
        && let Some(column) = batch.column(name)
    {
        return bare(column, kind);
    }
    match evaluate(root, batch) {
        Values::Number(values) => Column::Number(values.into_iter().map(finite).collect()),
        Values::Boolean(values) => Column::Boolean(values),
        Values::Text(values) => Column::Text(values.into_iter().map(|v| v.map(Cow::into_owned)).collect()),
        Values::Moment(values) if kind == Kind::Date => Column::Date(
            values
                .into_iter()
                .map(|v| v.and_then(|millis| i32::try_from(millis.div_euclid(Time::DAY)).ok()))
                .collect(),
        ),
        Values::Moment(values) => Column::Timestamp(values),
    }
}

/// A column as it is, but for numbers that do not exist.
fn bare(column: &Column, kind: Kind) -> Column {
    match (column, kind) {
        (Column::Number(values), _) => Column::Number(values.iter().map(|v| v.and_then(finite)).collect()),
        (Column::Integer(values), Kind::Number) => {
            Column::Number(values.iter().map(|v| v.map(|integer| integer as f64)).collect())
        }
        _ => column.clone(),
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

fn evaluate<'a>(node: &'a Node, batch: &'a Batch) -> Values<'a> {
    let rows = batch.rows();
    match node {
        Node::Column(name) => match batch.column(name) {
            Some(column) => read(column),
            None => unreachable!("the caller has checked the columns"),
        },
        Node::Number(number) => Values::Number(vec![*number; rows]),
        Node::Boolean(value) => Values::Boolean(vec![Some(*value); rows]),
        Node::Text(text) => Values::Text(vec![Some(Cow::Borrowed(text.as_str())); rows]),
        Node::Moment(millis) => Values::Moment(vec![Some(*millis); rows]),
        Node::Missing(kind) => missing(*kind, rows),
        Node::Binary(operator, left, right) => {
            binary(*operator, evaluate(left, batch), evaluate(right, batch))
        }
        Node::Not(inner) => {
            Values::Boolean(booleans(inner, batch).into_iter().map(|v| v.map(|b| !b)).collect())
        }
        Node::Numeric(function, inner) => Values::Number(
            numbers(inner, batch).into_iter().map(|x| existing(numeric(*function, x))).collect(),
        ),
        Node::Extreme(extreme, nodes) => Values::Number(extremes(*extreme, nodes, batch)),
        Node::If(parts) => {
            let [condition, yes, no] = &**parts;
            branch(&booleans(condition, batch), evaluate(yes, batch), evaluate(no, batch))
        }
        Node::Coalesce(nodes) => coalesce(nodes, batch),
        Node::IsMissing(inner) => {
            Values::Boolean(present(&evaluate(inner, batch)).into_iter().map(|there| Some(!there)).collect())
        }
        Node::Part(part, inner) => Values::Number(
            moments(inner, batch)
                .into_iter()
                .map(|v| v.map_or(f64::NAN, |millis| self::part(*part, millis)))
                .collect(),
        ),
        Node::Between(unit, ends) => {
            let (from, to) = (moments(&ends[0], batch), moments(&ends[1], batch));
            let between = |(from, to): (Option<i64>, Option<i64>)| match (from, to) {
                (Some(from), Some(to)) => (i128::from(to) - i128::from(from)) as f64 / unit,
                _ => f64::NAN,
            };
            Values::Number(from.into_iter().zip(to).map(between).collect())
        }
        Node::Map(subject, pairs, default) => map(subject, pairs, default.as_deref(), batch),
        Node::Lower(inner) => Values::Text(
            texts(inner, batch).into_iter().map(|v| v.map(|t| Cow::Owned(t.to_lowercase()))).collect(),
        ),
        Node::Length(inner) => {
            let length =
                |text: Option<Cow<'_, str>>| text.map_or(f64::NAN, |text| text.chars().count() as f64);
            Values::Number(texts(inner, batch).into_iter().map(length).collect())
        }
    }
}

fn read(column: &Column) -> Values<'_> {
    match column {
        Column::Boolean(values) => Values::Boolean(values.clone()),
        Column::Integer(values) => {
            Values::Number(values.iter().map(|v| v.map_or(f64::NAN, |i| i as f64)).collect())
        }
        Column::Number(values) => {
            Values::Number(values.iter().map(|v| existing(v.unwrap_or(f64::NAN))).collect())
        }
        Column::Text(values) => {
            Values::Text(values.iter().map(|v| v.as_deref().map(Cow::Borrowed)).collect())
        }
        Column::Date(values) => {
            Values::Moment(values.iter().map(|v| v.map(|days| i64::from(days) * Time::DAY)).collect())
        }
        Column::Timestamp(values) => Values::Moment(values.clone()),
    }
}

fn missing<'a>(kind: Kind, rows: usize) -> Values<'a> {
    match kind {
        Kind::Boolean => Values::Boolean(vec![None; rows]),
        Kind::Integer | Kind::Number => Values::Number(vec![f64::NAN; rows]),
        Kind::Text => Values::Text(vec![None; rows]),
        Kind::Date | Kind::Timestamp => Values::Moment(vec![None; rows]),
    }
}

fn numbers(node: &Node, batch: &Batch) -> Vec<f64> {
    match evaluate(node, batch) {
        Values::Number(values) => values,
        _ => unreachable!("the check saw a number"),
    }
}

fn booleans(node: &Node, batch: &Batch) -> Vec<Option<bool>> {
    match evaluate(node, batch) {
        Values::Boolean(values) => values,
        _ => unreachable!("the check saw a boolean"),
    }
}

fn texts<'a>(node: &'a Node, batch: &'a Batch) -> Vec<Option<Cow<'a, str>>> {
    match evaluate(node, batch) {
        Values::Text(values) => values,
        _ => unreachable!("the check saw a text"),
    }
}

fn moments(node: &Node, batch: &Batch) -> Vec<Option<i64>> {
    match evaluate(node, batch) {
        Values::Moment(values) => values,
        _ => unreachable!("the check saw a date or timestamp"),
    }
}

/// A number, or NaN for what is no number.
fn existing(number: f64) -> f64 {
    if number.is_finite() { number } else { f64::NAN }
}

fn numeric(function: Numeric, x: f64) -> f64 {
    match function {
        Numeric::Negate => -x,
        Numeric::Log => x.ln(),
        Numeric::Log1p => x.ln_1p(),
        Numeric::Exp => x.exp(),
        Numeric::Sqrt => x.sqrt(),
        Numeric::Abs => x.abs(),
        Numeric::Floor => x.floor(),
        Numeric::Round => x.round(),
    }
}

fn binary<'a>(operator: Operator, left: Values<'a>, right: Values<'a>) -> Values<'a> {
    use std::cmp::Ordering;
    let holds = |order: Ordering| match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    };
    match (left, right) {
        (Values::Boolean(left), Values::Boolean(right))
            if matches!(operator, Operator::And | Operator::Or) =>
        {
            let logic = if operator == Operator::And { and } else { or };
            Values::Boolean(left.into_iter().zip(right).map(|(a, b)| logic(a, b)).collect())
        }
        (Values::Number(left), Values::Number(right)) => match arithmetic(operator) {
            Some(compute) => {
                Values::Number(left.into_iter().zip(right).map(|(a, b)| existing(compute(a, b))).collect())
            }
            // A missing number is NaN, which has no order: the comparison is missing as well.
            None => Values::Boolean(
                left.into_iter().zip(right).map(|(a, b)| a.partial_cmp(&b).map(holds)).collect(),
            ),
        },
        (Values::Boolean(left), Values::Boolean(right)) => compared(left, right, holds),
        (Values::Text(left), Values::Text(right)) => compared(left, right, holds),
        (Values::Moment(left), Values::Moment(right)) => compared(left, right, holds),
        _ => unreachable!("the check saw two values of one kind"),
    }
}

fn compared<'a, T: Ord>(
    left: Vec<Option<T>>,
    right: Vec<Option<T>>,
    holds: impl Fn(std::cmp::Ordering) -> bool,
) -> Values<'a> {
    let pairs = left.into_iter().zip(right);
    Values::Boolean(pairs.map(|(a, b)| Some(holds(a?.cmp(&b?)))).collect())
}

fn arithmetic(operator: Operator) -> Option<fn(f64, f64) -> f64> {
    match operator {
        Operator::Add => Some(|a, b| a + b),
        Operator::Subtract => Some(|a, b| a - b),
        Operator::Multiply => Some(|a, b| a * b),
        Operator::Divide => Some(|a, b| a / b),
        Operator::Remainder => Some(|a, b| {
            let remainder = a % b;
            if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) { remainder + b } else { remainder }
        }),
        _ => None,
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn extremes(extreme: Extreme, nodes: &[Node], batch: &Batch) -> Vec<f64> {
    let mut columns = nodes.iter().map(|node| numbers(node, batch));
    let mut values = columns.next().unwrap_or_default();
    for column in columns {
        for (value, other) in values.iter_mut().zip(column) {
            *value = match extreme {
                // `f64::min` would drop a NaN; here a missing operand makes the result missing.
                _ if value.is_nan() || other.is_nan() => f64::NAN,
                Extreme::Min => value.min(other),
                Extreme::Max => value.max(other),
            };
        }
    }
    values
}

fn pick<T>(condition: &[Option<bool>], yes: Vec<T>, no: Vec<T>, missing: impl Fn() -> T) -> Vec<T> {
    let choose = |((condition, yes), no): ((&Option<bool>, T), T)| match condition {
        Some(true) => yes,
        Some(false) => no,
        None => missing(),
    };
    condition.iter().zip(yes).zip(no).map(choose).collect()
}

fn branch<'a>(condition: &[Option<bool>], yes: Values<'a>, no: Values<'a>) -> Values<'a> {
    match (yes, no) {
        (Values::Number(yes), Values::Number(no)) => Values::Number(pick(condition, yes, no, || f64::NAN)),
        (Values::Boolean(yes), Values::Boolean(no)) => Values::Boolean(pick(condition, yes, no, || None)),
        (Values::Text(yes), Values::Text(no)) => Values::Text(pick(condition, yes, no, || None)),
        (Values::Moment(yes), Values::Moment(no)) => Values::Moment(pick(condition, yes, no, || None)),
        _ => unreachable!("the check saw two values of one kind"),
    }
}

fn present(values: &Values<'_>) -> Vec<bool> {
    match values {
        Values::Number(values) => values.iter().map(|v| !v.is_nan()).collect(),
        Values::Boolean(values) => values.iter().map(Option::is_some).collect(),
        Values::Text(values) => values.iter().map(Option::is_some).collect(),
        Values::Moment(values) => values.iter().map(Option::is_some).collect(),
    }
}

fn coalesce<'a>(nodes: &'a [Node], batch: &'a Batch) -> Values<'a> {
    let mut nodes = nodes.iter().map(|node| evaluate(node, batch));
    let Some(mut values) = nodes.next() else { unreachable!("the check saw two branches") };
    for other in nodes {
        let there: Vec<Option<bool>> = present(&values).into_iter().map(Some).collect();
        values = branch(&there, values, other);
    }
    values
}

/// Which branch each row takes: the first pair whose key equals the subject, else the default;
/// a missing subject takes none. The subject is evaluated once, so nested maps stay linear.
fn map<'a>(
    subject: &'a Node,
    pairs: &'a [(Node, Node)],
    default: Option<&'a Node>,
    batch: &'a Batch,
) -> Values<'a> {
    let subject = evaluate(subject, batch);
    let taken: Vec<Option<usize>> = present(&subject)
        .into_iter()
        .enumerate()
        .map(|(row, there)| {
            let position =
                || pairs.iter().position(|(key, _)| equals(&subject, row, key)).unwrap_or(pairs.len());
            there.then(position)
        })
        .collect();
    let mut branches = pairs.iter().map(|(_, value)| evaluate(value, batch));
    let Some(first) = branches.next() else { unreachable!("the check saw a pair") };
    let kind = match &first {
        Values::Number(_) => Kind::Number,
        Values::Boolean(_) => Kind::Boolean,
        Values::Text(_) => Kind::Text,
        Values::Moment(_) => Kind::Timestamp,
    };
    let takes = |branch: usize| taken.iter().map(|t| Some(*t == Some(branch))).collect::<Vec<Option<bool>>>();
    let mut result = branch(&takes(0), first, missing(kind, batch.rows()));
    for (index, value) in branches.enumerate() {
        result = branch(&takes(index + 1), value, result);
    }
    match default {
        Some(default) => branch(&takes(pairs.len()), evaluate(default, batch), result),
        None => result,
    }
}

/// Whether a value of the subject is a constant key.
fn equals(subject: &Values<'_>, row: usize, key: &Node) -> bool {
    match (subject, key) {
        (Values::Number(values), Node::Number(key)) => values[row] == *key,
        (Values::Boolean(values), Node::Boolean(key)) => values[row] == Some(*key),
        (Values::Text(values), Node::Text(key)) => values[row].as_deref() == Some(key.as_str()),
        (Values::Moment(values), Node::Moment(key)) => values[row] == Some(*key),
        _ => false,
    }
}

fn part(part: Part, millis: i64) -> f64 {
    let days = millis.div_euclid(Time::DAY);
    let in_day = millis.rem_euclid(Time::DAY);
    let (year, month, day) = civil(days);
    match part {
        Part::Year => year as f64,
        Part::Month => month as f64,
        Part::Day => day as f64,
        // 1970-01-01 was a Thursday, the fourth day of its week.
        Part::Weekday => ((days + 3).rem_euclid(7) + 1) as f64,
        Part::Hour => (in_day / Time::HOUR) as f64,
        Part::Minute => (in_day % Time::HOUR / (60 * Time::SECOND)) as f64,
    }
}

/// Year, month and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar.
/// Total over every day an `i64` of milliseconds reaches. After Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
