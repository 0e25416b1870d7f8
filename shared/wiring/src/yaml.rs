//! YAML as a tree in which every part knows its tag and where it stands.

use std::fmt;

use domain::{Problem, limit};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned, Tagged};

/// A value with its place and the short form of an intrinsic, if it has one.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) shape: Shape,
    /// What stands behind the `!`: `Ref` for `!Ref Bus`.
    pub(crate) tag: Option<String>,
    line: u64,
    position: u64,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(String, Node)>),
}

/// Reads a file; size, depth and aliases are bounded, and no key may be repeated.
pub(crate) fn read(file: &str, text: &str) -> Result<Node, Problem> {
    if text.len() > limit::CONFIG_BYTES_MAX {
        return Err(Problem::new(file, "size")
            .found(format_args!("{} bytes", text.len()))
            .expected(format_args!("at most {} bytes", limit::CONFIG_BYTES_MAX)));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let error = error.without_snippet();
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let problem = Problem::new(file, "YAML").found(first);
        match error.location() {
            Some(place) if place.line() > 0 => problem.at(place.line(), place.column()),
            _ => problem,
        }
    })
}

fn options() -> serde_saphyr::Options {
    let mut budget = serde_saphyr::Budget::default();
    // Generous for a template that a person reads, far too small for an alias bomb.
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
    options.strict_booleans = true;
    options.with_snippet = false;
    options
}

impl Node {
    /// Places a problem here.
    pub(crate) fn locate(&self, problem: Problem) -> Problem {
        if self.line == 0 { problem } else { problem.at(self.line, self.position) }
    }

    /// The value under a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let Shape::Map(pairs) = &self.shape else { return None };
        pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// What it is, for a person.
    pub(crate) fn shown(&self) -> String {
        match &self.shape {
            Shape::Null => "nothing".to_owned(),
            Shape::Boolean(value) => value.to_string(),
            Shape::Integer(value) => value.to_string(),
            Shape::Number(value) => value.to_string(),
            Shape::Text(text) => format!("{text:?}"),
            Shape::List(_) => "a list".to_owned(),
            Shape::Map(_) => "a map".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let Tagged(spanned, tag) = Tagged::<Spanned<Shape>>::deserialize(deserializer)?;
        let place: Location = spanned.referenced;
        // Tags of YAML itself (`!!str`) have done their work by now; local ones are intrinsics.
        let tag = tag.and_then(|tag| tag.strip_prefix('!').map(str::to_owned)).filter(|tag| !tag.is_empty());
        Ok(Node { shape: spanned.value, tag, line: place.line(), position: place.column() })
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        Shape::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Shape, E> {
        Ok(i64::try_from(value).map_or(Shape::Number(value as f64), Shape::Integer))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Shape, E> {
        Ok(Shape::Number(value as f64))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Shape, E> {
        Ok(Shape::Number(value as f64))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Shape, E> {
        Ok(Shape::Number(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Node>()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key::<Node>()? {
            let Shape::Text(name) = key.shape else {
                return Err(de::Error::custom(format_args!("the key {} is not a text", key.shown())));
            };
            pairs.push((name, map.next_value::<Node>()?));
        }
        Ok(Shape::Map(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_places_are_kept_at_every_depth() {
        let node = read("t.yaml", "a: !Ref Bus\nb:\n  - !If [x, {c: !Sub '1'}, 2]\nd: !!str 5\n").unwrap();
        let a = node.get("a").unwrap();
        assert_eq!((a.tag.as_deref(), a.shown().as_str()), (Some("Ref"), "\"Bus\""));
        assert_eq!((a.line, a.position), (1, 9));
        let Shape::List(items) = &node.get("b").unwrap().shape else { panic!("a list") };
        assert_eq!(items[0].tag.as_deref(), Some("If"));
        let Shape::List(arguments) = &items[0].shape else { panic!("a list") };
        assert_eq!(arguments[1].get("c").unwrap().tag.as_deref(), Some("Sub"));
        assert_eq!(arguments[1].tag, None);
        assert_eq!(node.get("d").unwrap().tag, None);
        assert_eq!(node.get("d").unwrap().shown(), "\"5\"");
    }

    #[test]
    fn what_is_not_a_template_is_refused_with_its_place() {
        for (text, complaint) in [
            ("a: 1\na: 2\n", "t.yaml:2:1: YAML: found"),
            ("a: [\n", "t.yaml:"),
            ("1: a\n", "the key 1 is not a text"),
            ("a: 1\n---\na: 2\n", "t.yaml"),
        ] {
            let problem = read("t.yaml", text).unwrap_err().to_string();
            assert!(problem.contains(complaint), "{problem}");
        }
        assert!(read("t.yaml", &"[".repeat(10_000)).is_err());
        assert!(read("t.yaml", &"a".repeat(limit::CONFIG_BYTES_MAX + 1)).is_err());
    }
}
