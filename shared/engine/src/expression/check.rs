//! Does an expression make sense over these columns: its kinds, its functions, their arguments.

use domain::{Problem, Time};

use super::syntax::{Operator, Spanned, Syntax, fault};
use crate::table::{Kind, Schema};

/// A checked node. What it yields is fixed by its variant and its children.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Column(String),
    Number(f64),
    Text(String),
    Boolean(bool),
    /// Milliseconds since the epoch.
    Moment(i64),
    Missing(Kind),
    Binary(Operator, Box<Node>, Box<Node>),
    Not(Box<Node>),
    Numeric(Numeric, Box<Node>),
    /// Smallest or largest of several numbers.
    Extreme(Extreme, Vec<Node>),
    If(Box<[Node; 3]>),
    Coalesce(Vec<Node>),
    IsMissing(Box<Node>),
    Part(Part, Box<Node>),
    /// From the first moment to the second, in units of so many milliseconds.
    Between(f64, Box<[Node; 2]>),
    Map(Box<Node>, Vec<(Node, Node)>, Option<Box<Node>>),
    Lower(Box<Node>),
    Length(Box<Node>),
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numeric {
    Negate,
    Log,
    Log1p,
    Exp,
    Sqrt,
    Abs,
    Floor,
    Round,
}

/// Which end of several numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extreme {
    Min,
    Max,
}

/// A part of a date or timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Month,
    Day,
    Weekday,
    Hour,
    Minute,
}

/// Every function, as it is listed to someone who wrote another.
const FUNCTIONS: &str = "if, log, log1p, exp, sqrt, abs, floor, round, min, max, clip, fill, coalesce, is_missing, \
                         year, month, day, weekday, hour, minute, seconds_between, days_between, map, lower, length";

/// A kind with its article, for messages.
pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "a boolean",
        Kind::Integer => "an integer",
        Kind::Number => "a number",
        Kind::Text => "a text",
        Kind::Date => "a date",
        Kind::Timestamp => "a timestamp",
    }
}

/// Checks a tree; gives the node and the kind of its result. A bare column keeps its kind,
/// integers are numbers everywhere else.
pub(super) fn check(text: &str, tree: &Spanned, schema: &Schema) -> Result<(Node, Kind), Problem> {
    let (node, kind) = Checker { text, schema }.visit(tree)?;
    let own = match &node {
        Node::Column(name) => schema.position(name).map(|position| schema.fields[position].kind),
        _ => None,
    };
    Ok((node, own.unwrap_or(kind)))
}

struct Checker<'a> {
    text: &'a str,
    schema: &'a Schema,
}

type Checked = Result<(Node, Kind), Problem>;

fn is_moment(kind: Kind) -> bool {
    matches!(kind, Kind::Date | Kind::Timestamp)
}

impl Checker<'_> {
    fn visit(&self, tree: &Spanned) -> Checked {
        match &tree.node {
            Syntax::Number(number) => Ok((Node::Number(*number), Kind::Number)),
            Syntax::Text(text) => Ok((Node::Text(text.clone()), Kind::Text)),
            Syntax::Boolean(value) => Ok((Node::Boolean(*value), Kind::Boolean)),
            Syntax::Missing => Err(fault(self.text, tree.at, "missing without a kind", "`missing`")
                .expected("a value")
                .hint("`missing` stands only as a branch of if(…) or map(…)")),
            Syntax::Column(name) => self.column(name, tree.at),
            Syntax::Negate(inner) => {
                let inner = self.expect(inner, Kind::Number)?;
                Ok((Node::Numeric(Numeric::Negate, Box::new(inner)), Kind::Number))
            }
            Syntax::Not(inner) => {
                Ok((Node::Not(Box::new(self.expect(inner, Kind::Boolean)?)), Kind::Boolean))
            }
            Syntax::Binary(operator, left, right) => self.binary(*operator, tree.at, left, right),
            Syntax::Call(name, arguments) => self.call(name, tree.at, arguments),
        }
    }

    fn column(&self, name: &str, at: usize) -> Checked {
        let Some(position) = self.schema.position(name) else {
            let known: Vec<&str> = self.schema.fields.iter().map(|field| field.name.as_str()).collect();
            let hint = match nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the columns are {}", listed(&known)),
            };
            return Err(fault(self.text, at, "unknown column", format!("`{name}`"))
                .expected("a column of the serving schema")
                .hint(hint));
        };
        let kind = match self.schema.fields[position].kind {
            Kind::Integer => Kind::Number,
            other => other,
        };
        Ok((Node::Column(name.to_owned()), kind))
    }

    /// A node that must be of this kind.
    fn expect(&self, tree: &Spanned, expected: Kind) -> Result<Node, Problem> {
        let (node, kind) = self.visit(tree)?;
        if kind == expected {
            return Ok(node);
        }
        let problem = fault(self.text, tree.at, "wrong kind", kind_name(kind)).expected(kind_name(expected));
        Err(match (kind, expected) {
            (Kind::Boolean, Kind::Number) => problem.hint("write if(x, 1, 0) to count with a boolean"),
            (Kind::Text, Kind::Number) => problem.hint("write map(x, \"a\", 1, …) to give texts numbers"),
            (Kind::Number, Kind::Boolean) => problem.hint("compare it, as in x > 0"),
            (Kind::Date | Kind::Timestamp, Kind::Number) => {
                problem.hint("take a part such as month(x), or days_between(a, b)")
            }
            _ => problem,
        })
    }

    /// A node that must be a date or a timestamp; a text constant is read as one.
    fn moment(&self, tree: &Spanned) -> Checked {
        if let Syntax::Text(written) = &tree.node {
            return Ok((self.moment_constant(tree.at, written)?, Kind::Timestamp));
        }
        let (node, kind) = self.visit(tree)?;
        match is_moment(kind) {
            true => Ok((node, kind)),
            false => {
                Err(fault(self.text, tree.at, "wrong kind", kind_name(kind))
                    .expected("a date or a timestamp"))
            }
        }
    }

    fn moment_constant(&self, at: usize, written: &str) -> Result<Node, Problem> {
        match written.parse::<Time>() {
            Ok(time) => Ok(Node::Moment(time.millis())),
            Err(_) => Err(fault(self.text, at, "not a date", format!("the text {written:?}"))
                .expected("a date (\"2026-11-23\") or an RFC 3339 time (\"2026-11-23T09:00:00Z\")")),
        }
    }

    fn binary(&self, operator: Operator, at: usize, left: &Spanned, right: &Spanned) -> Checked {
        use Operator::{Add, And, Divide, Equal, Multiply, NotEqual, Or, Remainder, Subtract};
        let join = |left: Node, right: Node| Node::Binary(operator, Box::new(left), Box::new(right));
        match operator {
            Add | Subtract | Multiply | Divide | Remainder => {
                let (left, right) = (self.expect(left, Kind::Number)?, self.expect(right, Kind::Number)?);
                Ok((join(left, right), Kind::Number))
            }
            And | Or => {
                let (left, right) = (self.expect(left, Kind::Boolean)?, self.expect(right, Kind::Boolean)?);
                Ok((join(left, right), Kind::Boolean))
            }
            _ => {
                let (left, left_kind, right, right_kind) = self.operands(left, right)?;
                let same = left_kind == right_kind || (is_moment(left_kind) && is_moment(right_kind));
                if !same {
                    return Err(fault(
                        self.text,
                        at,
                        "comparison of two kinds",
                        format!("`{}`", operator.written()),
                    )
                    .expected(format!(
                        "two values of one kind, not {} and {}",
                        kind_name(left_kind),
                        kind_name(right_kind)
                    )));
                }
                let ordered = matches!(left_kind, Kind::Number | Kind::Date | Kind::Timestamp);
                if !ordered && !matches!(operator, Equal | NotEqual) {
                    return Err(fault(self.text, at, "no order", format!("`{}`", operator.written()))
                        .expected(format!("== or != between {}s", &kind_name(left_kind)[2..])));
                }
                Ok((join(left, right), Kind::Boolean))
            }
        }
    }

    /// Both sides of a comparison; a text constant beside a date or timestamp is read as one.
    fn operands(&self, left: &Spanned, right: &Spanned) -> Result<(Node, Kind, Node, Kind), Problem> {
        let (mut left_node, mut left_kind) = self.visit(left)?;
        let (mut right_node, mut right_kind) = self.visit(right)?;
        if let (Node::Text(written), true) = (&left_node, is_moment(right_kind)) {
            (left_node, left_kind) = (self.moment_constant(left.at, written)?, Kind::Timestamp);
        }
        if let (Node::Text(written), true) = (&right_node, is_moment(left_kind)) {
            (right_node, right_kind) = (self.moment_constant(right.at, written)?, Kind::Timestamp);
        }
        Ok((left_node, left_kind, right_node, right_kind))
    }

    /// Branches that must agree in kind; `missing` agrees with any.
    fn branches(&self, at: usize, trees: &[&Spanned]) -> Result<(Vec<Node>, Kind), Problem> {
        let mut nodes = Vec::new();
        let mut kind = None;
        for tree in trees {
            if tree.node == Syntax::Missing {
                nodes.push(None);
                continue;
            }
            let (node, found) = self.visit(tree)?;
            let expected = *kind.get_or_insert(found);
            if found != expected {
                return Err(fault(self.text, tree.at, "branches of two kinds", kind_name(found))
                    .expected(format!("{} as before", kind_name(expected))));
            }
            nodes.push(Some(node));
        }
        let Some(kind) = kind else {
            return Err(fault(self.text, at, "always missing", "only missing branches")
                .expected("one value at least"));
        };
        Ok((nodes.into_iter().map(|node| node.unwrap_or(Node::Missing(kind))).collect(), kind))
    }

    fn call(&self, name: &str, at: usize, arguments: &[Spanned]) -> Checked {
        let numeric = match name {
            "log" => Some(Numeric::Log),
            "log1p" => Some(Numeric::Log1p),
            "exp" => Some(Numeric::Exp),
            "sqrt" => Some(Numeric::Sqrt),
            "abs" => Some(Numeric::Abs),
            "floor" => Some(Numeric::Floor),
            "round" => Some(Numeric::Round),
            _ => None,
        };
        if let Some(numeric) = numeric {
            let [x] = self.exactly(name, at, arguments, "x")?;
            return Ok((Node::Numeric(numeric, Box::new(self.expect(x, Kind::Number)?)), Kind::Number));
        }
        let part = match name {
            "year" => Some(Part::Year),
            "month" => Some(Part::Month),
            "day" => Some(Part::Day),
            "weekday" => Some(Part::Weekday),
            "hour" => Some(Part::Hour),
            "minute" => Some(Part::Minute),
            _ => None,
        };
        if let Some(part) = part {
            return self.part(part, name, at, arguments);
        }
        match name {
            "if" => {
                let [condition, yes, no] = self.exactly(name, at, arguments, "condition, then, otherwise")?;
                let condition = self.expect(condition, Kind::Boolean)?;
                let (nodes, kind) = self.branches(at, &[yes, no])?;
                let [yes, no] =
                    <[Node; 2]>::try_from(nodes).unwrap_or_else(|_| unreachable!("two branches in, two out"));
                Ok((Node::If(Box::new([condition, yes, no])), kind))
            }
            "min" | "max" => {
                let arguments = self.at_least(name, at, arguments, 2, "a, b, …")?;
                let nodes: Result<Vec<Node>, Problem> =
                    arguments.iter().map(|argument| self.expect(argument, Kind::Number)).collect();
                let extreme = if name == "min" { Extreme::Min } else { Extreme::Max };
                Ok((Node::Extreme(extreme, nodes?), Kind::Number))
            }
            "clip" => {
                let [x, low, high] = self.exactly(name, at, arguments, "x, low, high")?;
                let (x, low) = (self.expect(x, Kind::Number)?, self.expect(low, Kind::Number)?);
                let high = self.expect(high, Kind::Number)?;
                let raised = Node::Extreme(Extreme::Max, vec![x, low]);
                Ok((Node::Extreme(Extreme::Min, vec![raised, high]), Kind::Number))
            }
            "fill" | "coalesce" => {
                if name == "fill" {
                    self.exactly::<2>(name, at, arguments, "x, value")?;
                }
                let arguments = self.at_least(name, at, arguments, 2, "a, b, …")?;
                let (nodes, kind) = self.branches(at, &arguments.iter().collect::<Vec<_>>())?;
                Ok((Node::Coalesce(nodes), kind))
            }
            "is_missing" => {
                let [x] = self.exactly(name, at, arguments, "x")?;
                Ok((Node::IsMissing(Box::new(self.visit(x)?.0)), Kind::Boolean))
            }
            "seconds_between" | "days_between" => {
                let [from, to] = self.exactly(name, at, arguments, "from, to")?;
                let unit = if name == "days_between" { Time::DAY } else { Time::SECOND };
                let between = [self.moment(from)?.0, self.moment(to)?.0];
                Ok((Node::Between(unit as f64, Box::new(between)), Kind::Number))
            }
            "map" => self.map(at, arguments),
            "lower" | "length" => {
                let [x] = self.exactly(name, at, arguments, "text")?;
                let x = Box::new(self.expect(x, Kind::Text)?);
                Ok(if name == "lower" {
                    (Node::Lower(x), Kind::Text)
                } else {
                    (Node::Length(x), Kind::Number)
                })
            }
            _ => {
                let known: Vec<&str> = FUNCTIONS.split(", ").map(str::trim).collect();
                let hint = match nearest(name, &known) {
                    Some(near) => format!("did you mean {near}(…)?"),
                    None => format!("the functions are {FUNCTIONS}"),
                };
                Err(fault(self.text, at, "unknown function", format!("`{name}`"))
                    .expected("a function")
                    .hint(hint))
            }
        }
    }

    fn part(&self, part: Part, name: &str, at: usize, arguments: &[Spanned]) -> Checked {
        let [x] = self.exactly(name, at, arguments, "date or timestamp")?;
        let (node, kind) = self.moment(x)?;
        if kind == Kind::Date && matches!(part, Part::Hour | Part::Minute) {
            return Err(fault(self.text, x.at, "wrong kind", "a date")
                .expected("a timestamp")
                .hint("a date has no hour"));
        }
        Ok((Node::Part(part, Box::new(node)), Kind::Number))
    }

    fn map(&self, at: usize, arguments: &[Spanned]) -> Checked {
        let arguments = self.at_least("map", at, arguments, 3, "x, key, value, …, default")?;
        let (subject, subject_kind) = self.visit(&arguments[0])?;
        let (pairs, default) = arguments[1..].as_chunks::<2>();
        let mut keys: Vec<Node> = Vec::new();
        for [key, _] in pairs {
            let node = match (&key.node, subject_kind) {
                (Syntax::Text(written), Kind::Text) => Node::Text(written.clone()),
                (Syntax::Number(number), Kind::Number) => Node::Number(*number),
                (Syntax::Boolean(value), Kind::Boolean) => Node::Boolean(*value),
                (Syntax::Text(written), kind) if is_moment(kind) => self.moment_constant(key.at, written)?,
                _ => {
                    return Err(fault(self.text, key.at, "key of a map", "something else").expected(
                        format!("a constant that is {}, as what is mapped", kind_name(subject_kind)),
                    ));
                }
            };
            if keys.contains(&node) {
                return Err(
                    fault(self.text, key.at, "key listed twice", "the same key").expected("distinct keys")
                );
            }
            keys.push(node);
        }
        let values: Vec<&Spanned> = pairs.iter().map(|[_, value]| value).chain(default).collect();
        let (mut nodes, kind) = self.branches(at, &values)?;
        let default = if default.is_empty() { None } else { nodes.pop().map(Box::new) };
        Ok((Node::Map(Box::new(subject), keys.into_iter().zip(nodes).collect(), default), kind))
    }

    fn exactly<'t, const N: usize>(
        &self,
        name: &str,
        at: usize,
        arguments: &'t [Spanned],
        usage: &str,
    ) -> Result<&'t [Spanned; N], Problem> {
        arguments.try_into().map_err(|_| self.arguments(name, at, arguments.len(), usage))
    }

    fn at_least<'t>(
        &self,
        name: &str,
        at: usize,
        arguments: &'t [Spanned],
        least: usize,
        usage: &str,
    ) -> Result<&'t [Spanned], Problem> {
        match arguments.len() < least {
            true => Err(self.arguments(name, at, arguments.len(), usage)),
            false => Ok(arguments),
        }
    }

    fn arguments(&self, name: &str, at: usize, found: usize, usage: &str) -> Problem {
        let plural = if found == 1 { "" } else { "s" };
        fault(self.text, at, "wrong number of arguments", format!("{found} argument{plural}"))
            .expected(format!("{name}({usage})"))
    }
}

/// Names in a sentence, cut when there are many.
fn listed(names: &[&str]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        1..=12 => names.join(", "),
        more => format!("{} and {} more", names[..12].join(", "), more - 12),
    }
}

/// The known name nearest to what was written, if it is near: at most a third of its letters
/// differ.
fn nearest<'n>(written: &str, known: &[&'n str]) -> Option<&'n str> {
    let best = known.iter().map(|name| (distance(written, name), *name)).min()?;
    (best.0 * 3 <= written.chars().count().max(3)).then_some(best.1)
}

/// Levenshtein's distance without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
