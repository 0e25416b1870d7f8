//! A function as the template declares it: how long it may run, how often it is tried again,
//! and what makes it run.

use std::collections::{BTreeMap, BTreeSet};

use domain::Problem;
use serde_json::Value;

use crate::events::{self, Rule, Schedule, Stream};
use crate::intrinsic::Names;
use crate::route::Route;
use crate::spot::Spot;

/// Lambda's own default, in seconds.
const TIMEOUT_SECONDS: u64 = 3;

/// Lambda lets nothing run longer, in seconds.
const TIMEOUT_SECONDS_MAX: u64 = 900;

/// Lambda's default and bound of retries of an asynchronous call.
const RETRIES_MAX: u64 = 2;

/// A function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its crate's name: the last segment of `CodeUri`.
    pub name: String,
    /// Its name in the template.
    pub logical_id: String,
    /// How long one invocation may take.
    pub timeout_seconds: u64,
    /// How often a failed asynchronous invocation is tried again.
    pub retries_max: u32,
    /// Whether what fails for good is kept: true wherever anything but a request invokes it.
    pub keeps_failures: bool,
    /// Rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// Schedules, in the order of the file.
    pub schedules: Vec<Schedule>,
    /// Routes, in the order of the file.
    pub routes: Vec<Route>,
    /// Streams, in the order of the file.
    pub streams: Vec<Stream>,
}

/// Properties of a function that are executed.
pub(crate) const EXECUTED: [&str; 4] = ["CodeUri", "Timeout", "EventInvokeConfig", "Events"];

/// Properties of a function that concern AWS alone.
pub(crate) const ALONE: [&str; 29] = [
    "Architectures",
    "AutoPublishAlias",
    "CodeSigningConfigArn",
    "DeadLetterQueue",
    "DeploymentPreference",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "Handler",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "RolePath",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Tags",
    "Tracing",
];

/// What is collected while a template is read.
#[derive(Debug)]
pub(crate) struct Reading<'a, 'n> {
    pub(crate) names: &'n Names<'a>,
    pub(crate) own_buses: BTreeMap<String, String>,
    pub(crate) table_streams: BTreeSet<String>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) not_executed: Vec<String>,
}

impl Reading<'_, '_> {
    pub(crate) fn text(&self, spot: &Spot<'_>) -> Result<String, Problem> {
        self.names.text(spot)
    }

    pub(crate) fn value(&self, spot: &Spot<'_>) -> Result<Option<Value>, Problem> {
        self.names.value(spot)
    }

    /// Sorts the keys of a map: what concerns AWS alone is named, what is unknown refused.
    pub(crate) fn keys(&mut self, spot: &Spot<'_>, executed: &[&str], alone: &[&str]) {
        let (found, problems) = spot.sort_keys(executed, alone);
        self.problems.extend(problems);
        if !found.is_empty() {
            self.alone(&spot.field, &found);
        }
    }

    /// Names what concerns AWS alone.
    pub(crate) fn alone(&mut self, field: &str, found: &[&str]) {
        let place = field.trim_start_matches("Resources.").replace(".Properties", "");
        self.not_executed.push(format!("{place}: {}: AWS alone", found.join(", ")));
    }

    /// Checks that a reference names a resource of a type.
    pub(crate) fn need_kind(&self, spot: &Spot<'_>, kind: &str) -> Result<(), Problem> {
        let name = self.text(spot)?;
        match self.names.resources.get(name.as_str()) {
            Some((found, _)) if *found == kind => Ok(()),
            _ => Err(spot
                .problem("reference")
                .found(format_args!("{name:?}"))
                .expected(format_args!("a resource of type {kind}"))),
        }
    }

    /// Checks where failures are kept.
    pub(crate) fn destination(&mut self, spot: &Spot<'_>) -> Result<(), Problem> {
        self.keys(spot, &["Type", "Destination"], &[]);
        let kind = spot.need("Type")?;
        if !["SQS", "SNS", "S3Bucket"].contains(&self.text(&kind)?.as_str()) {
            return Err(kind.unexpected("destination", "SQS, SNS or S3Bucket, which keep the request"));
        }
        self.text(&spot.need("Destination")?)?;
        Ok(())
    }
}

/// Reads a function; `globals` is what `Globals.Function` says where the function says nothing.
pub(crate) fn read(
    reading: &mut Reading<'_, '_>,
    logical_id: &str,
    resource: &Spot<'_>,
    globals: Option<&Spot<'_>>,
) -> Result<Function, Problem> {
    let attributes = ["DependsOn", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"];
    reading.keys(resource, &["Type", "Condition", "Properties"], &attributes);
    let properties = resource.need("Properties")?;
    reading.keys(&properties, &EXECUTED, &ALONE);
    if let Some(invoke) = properties.get("EventInvokeConfig") {
        invoke_config(reading, &invoke);
    }
    // Maps are merged field by field, so looking a field up here and then there is the merge.
    let setting = |path: &[&str]| walk(&properties, path).or_else(|| walk(globals?, path));

    let code =
        setting(&["CodeUri"]).ok_or_else(|| properties.problem("missing field").expected("\"CodeUri\""))?;
    let uri = reading.text(&code)?;
    let name = uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    if name.is_empty() || name.starts_with('.') {
        let expected = "a folder whose last segment names the function";
        return Err(code.problem("function name").found(format_args!("{uri:?}")).expected(expected));
    }
    let timeout_seconds = match setting(&["Timeout"]) {
        Some(spot) => reading.names.number(&spot, 1, TIMEOUT_SECONDS_MAX)?,
        None => TIMEOUT_SECONDS,
    };
    let retries = match setting(&["EventInvokeConfig", "MaximumRetryAttempts"]) {
        Some(spot) => reading.names.number(&spot, 0, RETRIES_MAX)?,
        None => RETRIES_MAX,
    };
    let failures = setting(&["EventInvokeConfig", "DestinationConfig", "OnFailure"]);
    if let Some(spot) = &failures {
        reading.destination(spot)?;
    }
    let mut function = Function {
        name,
        logical_id: logical_id.to_owned(),
        timeout_seconds,
        retries_max: u32::try_from(retries).expect("at most 2"),
        keeps_failures: failures.is_some(),
        rules: Vec::new(),
        schedules: Vec::new(),
        routes: Vec::new(),
        streams: Vec::new(),
    };
    if let Some(sources) = properties.get("Events") {
        for (name, event) in sources.entries()? {
            if let Err(problem) = events::read(reading, name, &event, &mut function) {
                reading.problems.push(problem);
            }
        }
    }
    let is_answered_alone =
        function.rules.is_empty() && function.schedules.is_empty() && function.streams.is_empty();
    if !function.keeps_failures && !is_answered_alone {
        let expected = "EventInvokeConfig.DestinationConfig.OnFailure, so that nothing that fails is lost";
        return Err(properties.problem("missing field").expected(expected));
    }
    Ok(function)
}

/// Checks the keys of `EventInvokeConfig`, of a function or of all.
pub(crate) fn invoke_config(reading: &mut Reading<'_, '_>, invoke: &Spot<'_>) {
    let alone = ["MaximumEventAgeInSeconds", "Qualifier"];
    reading.keys(invoke, &["MaximumRetryAttempts", "DestinationConfig"], &alone);
    if let Some(destination) = invoke.get("DestinationConfig") {
        reading.keys(&destination, &["OnFailure"], &[]);
    }
}

fn walk<'a>(spot: &Spot<'a>, path: &[&str]) -> Option<Spot<'a>> {
    path.iter().try_fold(spot.clone(), |spot, key| spot.get(key))
}
