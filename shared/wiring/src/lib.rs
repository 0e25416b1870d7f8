//! What a runtime must execute: the wiring, read from the template that deploys on AWS.
//!
//! A named subset of the template is executed: functions with their timeouts, retries, rules,
//! schedules, routes and streams; `Ref`, `Fn::Sub`, `Fn::GetAtt`, parameters and conditions.
//! What belongs to that part and is not understood is refused; what concerns AWS alone is named
//! in [`Wiring::not_executed`]. Nothing is ignored in silence.

mod events;
mod function;
mod intrinsic;
mod pattern;
mod rate;
mod route;
mod spot;
mod template;
mod yaml;

pub use events::{Bus, Rule, Schedule, Stream};
pub use function::Function;
pub use pattern::Pattern;
pub use route::Route;

use std::collections::{BTreeMap, BTreeSet};

use domain::Problem;
use serde_json::Value;

/// Everything a runtime must execute.
#[derive(Clone, Debug, PartialEq)]
pub struct Wiring {
    /// The functions, in the order of the file. Their names differ.
    pub functions: Vec<Function>,
    /// Names of our own buses by logical id; at most one.
    pub buses: BTreeMap<String, String>,
    /// Names of the buckets by logical id. A bucket whose name is left to AWS has its logical id.
    pub buckets: BTreeMap<String, String>,
    /// Names of the buckets that tell the default bus of every new object. No other does.
    pub telling_buckets: BTreeSet<String>,
    /// What is in the file and concerns AWS alone: one readable line each.
    pub not_executed: Vec<String>,
}

impl Wiring {
    /// Reads a template. `file` is its name for the messages; `parameters` take the place of
    /// defaults; `account` and `region` stand for `AWS::AccountId` and `AWS::Region`.
    ///
    /// # Errors
    /// Every problem found, each with file, line, field, what was found and what was expected.
    pub fn read(
        file: &str,
        text: &str,
        parameters: &BTreeMap<String, String>,
        account: &str,
        region: &str,
    ) -> Result<Wiring, Vec<Problem>> {
        template::read(file, text, parameters, account, region)
    }

    /// A function by its name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// Who listens to an event on a bus, with the rule that says so: a function that has two
    /// rules for one event is there twice, as EventBridge invokes it twice.
    pub fn listeners(&self, bus: Bus, event: &Value) -> Vec<(&Function, &Rule)> {
        let mut found = Vec::new();
        for function in &self.functions {
            for rule in &function.rules {
                if rule.bus == bus && rule.pattern.matches(event) {
                    found.push((function, rule));
                }
            }
        }
        found
    }

    /// Which function answers a request: that of the closest route.
    pub fn answers(&self, method: &str, path: &str) -> Option<&Function> {
        let mut best: Option<(&Function, &Route)> = None;
        for function in &self.functions {
            for route in function.routes.iter().filter(|route| route.matches(method, path)) {
                if best.is_none_or(|(_, other)| route.closeness() > other.closeness()) {
                    best = Some((function, route));
                }
            }
        }
        best.map(|(function, _)| function)
    }
}
