//! A place in the template: what stands there, and how a problem names it.

use domain::Problem;

use crate::yaml::{Node, Shape};

/// A node with its path, so that every fault can say where it is.
#[derive(Clone, Debug)]
pub(crate) struct Spot<'a> {
    pub(crate) file: &'a str,
    /// The path from the top of the file: `Resources.Bus.Type`.
    pub(crate) field: String,
    pub(crate) node: &'a Node,
}

impl<'a> Spot<'a> {
    /// The top of a file.
    pub(crate) fn top(file: &'a str, node: &'a Node) -> Spot<'a> {
        Spot { file, field: String::new(), node }
    }

    /// A problem with what is here.
    pub(crate) fn problem(&self, rule: &str) -> Problem {
        let problem = self.node.locate(Problem::new(self.file, rule));
        if self.field.is_empty() { problem } else { problem.field(&self.field) }
    }

    /// Something else than was expected is here.
    pub(crate) fn unexpected(&self, rule: &str, expected: &str) -> Problem {
        self.problem(rule).found(self.node.shown()).expected(expected)
    }

    /// A place below this one that is not in the file as a key: an item, or a merged value.
    pub(crate) fn below(&self, name: &str, node: &'a Node) -> Spot<'a> {
        let field = if self.field.is_empty() { name.to_owned() } else { format!("{}.{name}", self.field) };
        Spot { file: self.file, field, node }
    }

    /// What stands under a key, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<Spot<'a>> {
        self.node.get(key).map(|node| self.below(key, node))
    }

    /// What must stand under a key.
    pub(crate) fn need(&self, key: &str) -> Result<Spot<'a>, Problem> {
        self.get(key).ok_or_else(|| self.problem("missing field").expected(format_args!("{key:?}")))
    }

    /// Keys and values, in the order of the file.
    pub(crate) fn entries(&self) -> Result<Vec<(&'a str, Spot<'a>)>, Problem> {
        match &self.node.shape {
            Shape::Map(pairs) if self.node.tag.is_none() => {
                Ok(pairs.iter().map(|(key, node)| (key.as_str(), self.below(key, node))).collect())
            }
            _ => Err(self.unexpected("type", "a map")),
        }
    }

    /// Items, in order.
    pub(crate) fn items(&self) -> Result<Vec<Spot<'a>>, Problem> {
        match &self.node.shape {
            Shape::List(items) => {
                let item = |(place, node)| self.below(&(place as usize).to_string(), node);
                Ok((0_u32..).zip(items).map(item).collect())
            }
            _ => Err(self.unexpected("type", "a list")),
        }
    }

    /// A text that is written out, not computed.
    pub(crate) fn literal(&self) -> Result<&'a str, Problem> {
        match &self.node.shape {
            Shape::Text(text) if self.node.tag.is_none() => Ok(text),
            _ => Err(self.unexpected("type", "a text that is written out")),
        }
    }

    /// Refuses every key that is in neither list; answers those of `alone` that are there.
    pub(crate) fn sort_keys(&self, executed: &[&str], alone: &[&str]) -> (Vec<&'a str>, Vec<Problem>) {
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        match self.entries() {
            Ok(entries) => {
                for (key, spot) in entries {
                    if alone.contains(&key) {
                        found.push(key);
                    } else if !executed.contains(&key) {
                        let known = format!("one of {}", [executed, alone].concat().join(", "));
                        problems.push(
                            spot.problem("unknown field").found(format_args!("{key:?}")).expected(known),
                        );
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
        (found, problems)
    }
}
