//! How YAML is read so that every fault has a file, a line and a column.

use domain::{Problem, limit};
use serde::de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, Spanned};

/// Reads a YAML file into a type. Unknown fields are refused where the type denies them
/// (`#[serde(deny_unknown_fields)]`), repeated keys always; size, depth and aliases are bounded.
/// `serde_saphyr::Spanned<T>` fields tell where a value stands; [`at`] puts that in a problem.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    if text.len() > limit::CONFIG_BYTES_MAX {
        return Err(Problem::new(file, "size")
            .found(format_args!("{} bytes", text.len()))
            .expected(format_args!("at most {} bytes", limit::CONFIG_BYTES_MAX)));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| problem_of(file, &error))
}

/// Places a problem where a value stands.
#[must_use]
pub fn at<T>(problem: Problem, value: &Spanned<T>) -> Problem {
    located(problem, Some(value.referenced))
}

fn located(problem: Problem, location: Option<Location>) -> Problem {
    match location {
        Some(location) if location.line() > 0 => problem.at(location.line(), location.column()),
        _ => problem,
    }
}

fn options() -> serde_saphyr::Options {
    let mut budget = serde_saphyr::Budget::default();
    // Generous for a person's file, far too small for an alias bomb or a deep nest.
    budget.max_depth = 64;
    budget.max_documents = 1;
    budget.max_nodes = 200_000;
    budget.max_events = 400_000;
    budget.max_aliases = 1_000;
    budget.max_anchors = 1_000;
    let mut options = serde_saphyr::Options::default();
    options.budget = Some(budget);
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.alias_limits.max_total_replayed_events = 20_000;
    options.alias_limits.max_replay_stack_depth = 16;
    // YAML 1.2: `no`, `off`, `y` are texts; only true and false are booleans.
    options.strict_booleans = true;
    options.with_snippet = false;
    options
}

fn problem_of(file: &str, error: &Error) -> Problem {
    let error = error.without_snippet();
    let problem = match error {
        Error::SerdeUnknownField { field, expected, .. } => Problem::new(file, "unknown field")
            .found(format_args!("{field:?}"))
            .expected(format_args!("one of {}", expected.join(", "))),
        Error::SerdeMissingField { field, .. } => Problem::new(file, "missing field").field(*field),
        Error::DuplicateMappingKey { key, .. } => {
            Problem::new(file, "repeated key").found(format_args!("{:?}", key.as_deref().unwrap_or("a key")))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => Problem::new(file, "unknown value")
            .found(format_args!("{variant:?}"))
            .expected(format_args!("one of {}", expected.join(", "))),
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            Problem::new(file, "type").found(unexpected).expected(expected)
        }
        Error::SerdeInvalidValue { unexpected, expected, .. } => {
            Problem::new(file, "value").found(unexpected).expected(expected)
        }
        Error::Message { msg, .. } => Problem::new(file, "value").found(msg),
        other => Problem::new(file, "YAML").found(first_line(&other.to_string())),
    };
    located(problem, error.location())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// A YAML value of any shape, each part knowing where it stands. For files whose reader wants
/// to list every fault at once, and to name what it does not know.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// 1-based line, 0 if unknown.
    pub line: u64,
    /// 1-based column of the text, 0 if unknown.
    pub position: u64,
}

/// The shapes of YAML.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order of the file.
    Map(Vec<(Node, Node)>),
}

/// Reads a YAML file as a tree, with the same bounds as [`parse`].
pub fn tree(file: &str, text: &str) -> Result<Node, Problem> {
    parse::<Spanned<Value>>(file, text).map(Node::from)
}

impl Node {
    /// Places a problem here.
    #[must_use]
    pub fn locate(&self, problem: Problem) -> Problem {
        if self.line == 0 { problem } else { problem.at(self.line, self.position) }
    }

    /// The value under a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(pairs) = &self.value else { return None };
        pairs.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
    }

    /// What a dotted path of keys leads to (`training.tuning.seed`), or the last part of it that
    /// is there; none where nothing of it is. A key may hold dots itself.
    pub fn nearest(&self, path: &str) -> Option<&Node> {
        let Value::Map(pairs) = &self.value else { return None };
        pairs.iter().find_map(|(key, value)| {
            let rest = path.strip_prefix(key.as_text()?)?;
            if rest.is_empty() {
                return Some(value);
            }
            Some(value.nearest(rest.strip_prefix('.')?).unwrap_or(value))
        })
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The number as a float, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self.value {
            Value::Integer(n) => Some(n as f64),
            Value::Number(n) => Some(n),
            _ => None,
        }
    }

    /// What it is, for a person: `the text "a"`, `a list`.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Boolean(b) => b.to_string(),
            Value::Integer(n) => n.to_string(),
            Value::Number(n) => n.to_string(),
            Value::Text(text) => format!("{:?}", crate::text::cut(text, 60)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    /// The same as JSON, positions left out.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Boolean(b) => Json::Bool(*b),
            Value::Integer(n) => Json::from(*n),
            Value::Number(n) => Json::from(*n),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(pairs) => {
                let entry = |(key, value): &(Node, Node)| {
                    (key.as_text().map_or_else(|| key.shown(), str::to_owned), value.to_json())
                };
                Json::Object(pairs.iter().map(entry).collect())
            }
        }
    }
}

/// Puts problems of a file where the fields they name stand, as far as the file has them:
/// `evaluation.maximum.rmse`, `slices.0.column`. A problem with a place keeps it.
pub fn place(text: &str, problems: &mut [Problem]) {
    let Ok(tree) = tree("", text) else { return };
    for problem in problems.iter_mut().filter(|problem| problem.line.is_none()) {
        let found = problem.field.as_deref().and_then(|path| tree.place_of(path));
        let Some((line, position)) = found else { continue };
        problem.line = Some(line);
        problem.position = Some(position);
    }
}

impl Node {
    /// Line and column of the last part of a path that is there; none if not even its first is.
    fn place_of(&self, path: &str) -> Option<(u64, u64)> {
        let (stands, inside, rest) = match &self.value {
            // A key may hold dots of its own, so that keys are tried and not the path taken apart.
            Value::Map(pairs) => pairs.iter().find_map(|(key, value)| {
                let rest = path.strip_prefix(key.as_text()?)?;
                (rest.is_empty() || rest.starts_with('.')).then_some((key, value, rest))
            })?,
            Value::List(items) => {
                let digits = path.split('.').next().unwrap_or_default();
                let item = items.get(digits.parse::<usize>().ok()?)?;
                (item, item, &path[digits.len()..])
            }
            _ => return None,
        };
        match rest.strip_prefix('.') {
            Some(rest) => inside.place_of(rest).or(stands.place()),
            None => inside.or_name(stands).place(),
        }
    }

    /// What to point at: a value that begins on the line of its name, else the name.
    fn or_name<'a>(&'a self, name: &'a Node) -> &'a Node {
        if self.line == name.line { self } else { name }
    }

    fn place(&self) -> Option<(u64, u64)> {
        (self.line > 0).then_some((self.line, self.position))
    }
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Node {
        Node { line: spanned.referenced.line(), position: spanned.referenced.column(), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Number(value as f64), Value::Integer))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Value>>()? {
            items.push(Node::from(item));
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key::<Spanned<Value>>()? {
            let value = map.next_value::<Spanned<Value>>()?;
            pairs.push((Node::from(key), Node::from(value)));
        }
        Ok(Value::Map(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Small {
        #[expect(dead_code, reason = "only its presence matters")]
        name: String,
        #[serde(default)]
        size: Option<Spanned<u32>>,
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let cases = [
            ("name: a\nsise: 3\n", "p.yaml:2:1: unknown field: found \"sise\", expected one of name, size"),
            ("name: a\nname: b\n", "p.yaml:2:1: repeated key: found \"name\""),
            ("size: 3\n", "missing field"),
            ("name: a\nsize: [\n", "p.yaml:"),
            ("name: a\nsize: x\n", "p.yaml:2:7"),
        ];
        for (text, expected) in cases {
            let problem = parse::<Small>("p.yaml", text).unwrap_err().to_string();
            assert!(problem.contains(expected), "{problem}");
        }
        let small: Small = parse("p.yaml", "name: a\nsize: 3\n").unwrap();
        assert_eq!(at(Problem::new("p.yaml", "size"), &small.size.unwrap()).to_string(), "p.yaml:2:7: size");
    }

    #[test]
    fn a_path_leads_to_the_nearest_part_that_is_there() {
        let node = tree("f", "a:\n  b.c: {d: 1}\n  b: 2\n").unwrap();
        for (path, place) in [
            ("a.b.c.d", Some((2, 12))),
            ("a.b.c.e", Some((2, 8))),
            ("a.b", Some((3, 6))),
            ("a.x.y", Some((2, 3))),
            ("x", None),
            ("ab", None),
        ] {
            let found = node.nearest(path).map(|node| (node.line, node.position));
            assert_eq!(found, place, "{path}");
        }
    }

    #[test]
    fn bombs_and_depths_and_sizes_are_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let previous = format!("*a{},", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{}]\n", previous.trim_end_matches(','));
        }
        assert!(tree("f", &bomb).is_err());
        assert!(tree("f", &"[".repeat(10_000)).is_err());
        assert!(tree("f", &"a".repeat(limit::CONFIG_BYTES_MAX + 1)).is_err());
        assert!(tree("f", "a: 1\n---\na: 2\n").is_err());
    }

    #[test]
    fn problems_are_placed_at_the_fields_they_name() {
        let text = "evaluation:\n  maximum: {rmse: 1, pinball_0.9: 2}\n  slices:\n    - {column: a}\n    - column: b\n";
        let problem = |field: &str| Problem::new("p.yaml", "wrong").field(field);
        let mut problems = [
            problem("evaluation.maximum.rmse"),
            problem("evaluation.maximum.pinball_0.9"),
            problem("evaluation.slices.1.column"),
            problem("evaluation.slices.7.column"),
            problem("nothing.like.it"),
            problem("evaluation").at(9, 9),
        ];
        place(text, &mut problems);
        let found = problems.map(|problem| problem.line.zip(problem.position));
        assert_eq!(found, [Some((2, 19)), Some((2, 35)), Some((5, 15)), Some((3, 3)), None, Some((9, 9))]);
        place("[", &mut [problem("evaluation")]);
    }

    #[test]
    fn a_tree_keeps_order_shape_and_place() {
        let node = tree("f", "b: [1, 2.5, no, null]\na:\n  deep: 'x'\n").unwrap();
        assert_eq!(node.to_json().to_string(), r#"{"a":{"deep":"x"},"b":[1,2.5,"no",null]}"#);
        let Value::Map(pairs) = &node.value else { panic!("a map") };
        assert_eq!((pairs[1].0.line, pairs[1].0.position), (2, 1));
        let deep = node.get("a").and_then(|a| a.get("deep")).unwrap();
        assert_eq!((deep.line, deep.position), (3, 9));
    }
}
