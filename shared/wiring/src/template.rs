//! The template as a whole: its sections, its parameters, and one look at every resource.

use std::collections::{BTreeMap, BTreeSet};

use domain::Problem;

use crate::function::{self, Function, Reading};
use crate::intrinsic::Names;
use crate::spot::Spot;
use crate::{Wiring, yaml};

const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// Resources that would route events or requests on AWS and not here.
const ELSEWHERE: [&str; 14] = [
    "AWS::Events::Rule",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Url",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::Pipes::Pipe",
    "AWS::SNS::Subscription",
    "AWS::Scheduler::Schedule",
    "AWS::Serverless::Api",
    "AWS::Serverless::StateMachine",
    "AWS::StepFunctions::StateMachine",
];

/// See [`Wiring::read`].
pub(crate) fn read(
    file: &str,
    text: &str,
    given: &BTreeMap<String, String>,
    account: &str,
    region: &str,
) -> Result<Wiring, Vec<Problem>> {
    let root = yaml::read(file, text).map_err(|problem| vec![problem])?;
    let top = Spot::top(file, &root);
    let mut problems = Vec::new();
    let mut not_executed = Vec::new();
    if let Err(problem) = transform(&top) {
        problems.push(problem);
    }
    let executed = ["Transform", "Parameters", "Globals", "Conditions", "Resources"];
    let said = ["AWSTemplateFormatVersion", "Description", "Metadata"];
    let (alone, unknown) =
        top.sort_keys(&[&executed[..], &said[..]].concat(), &["Outputs", "Mappings", "Rules"]);
    problems.extend(unknown);
    not_executed.extend(alone.iter().map(|section| format!("{section}: AWS alone")));
    let parameters = parameters(&top, given, &mut problems, &mut not_executed);
    let mut conditions = BTreeMap::new();
    if let Some(spot) = top.get("Conditions") {
        match spot.entries() {
            Ok(entries) => conditions.extend(entries),
            Err(problem) => problems.push(problem),
        }
    }
    let mut names = Names { parameters, conditions, resources: BTreeMap::new(), account, region };
    let resources = resources(&top, &names).map_err(|problem| {
        let mut all = std::mem::take(&mut problems);
        all.push(problem);
        all
    })?;
    for (logical, (kind, resource)) in &resources {
        names.resources.insert(logical, (kind, resource.get("Properties")));
    }
    let mut reading = Reading {
        names: &names,
        own_buses: BTreeMap::new(),
        table_streams: BTreeSet::new(),
        problems,
        not_executed,
    };
    globals(&mut reading, &top);
    let wiring = wire(&mut reading, &top, &resources);
    if reading.problems.is_empty() { Ok(wiring) } else { Err(reading.problems) }
}

/// Resources that exist under the conditions at hand, in the order of the file.
type Resources<'a> = Vec<(&'a str, (&'a str, Spot<'a>))>;

fn resources<'a>(top: &Spot<'a>, names: &Names<'a>) -> Result<Resources<'a>, Problem> {
    let mut found = Vec::new();
    for (logical, resource) in top.need("Resources")?.entries()? {
        let kind = resource.need("Type")?.literal()?;
        if let Some(condition) = resource.get("Condition")
            && !names.holds(&condition)?
        {
            continue;
        }
        found.push((logical, (kind, resource)));
    }
    Ok(found)
}

fn transform(top: &Spot<'_>) -> Result<(), Problem> {
    let transform = top.need("Transform")?;
    if transform.literal()? == TRANSFORM {
        return Ok(());
    }
    Err(transform.unexpected("transform", TRANSFORM))
}

/// Checks what is said for all functions, and names what of it concerns AWS alone.
fn globals(reading: &mut Reading<'_, '_>, top: &Spot<'_>) {
    let Some(globals) = top.get("Globals") else { return };
    reading.keys(&globals, &["Function"], &["Api", "HttpApi", "SimpleTable", "StateMachine", "LayerVersion"]);
    if let Some(function) = globals.get("Function") {
        // Sources are each function's own; SAM has no global ones.
        reading.keys(&function, &function::EXECUTED[..3], &function::ALONE);
        if let Some(invoke) = function.get("EventInvokeConfig") {
            function::invoke_config(reading, &invoke);
        }
    }
}

fn parameters<'a>(
    top: &Spot<'a>,
    given: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
    not_executed: &mut Vec<String>,
) -> BTreeMap<&'a str, String> {
    let mut values = BTreeMap::new();
    let declared = match top.get("Parameters").map(|spot| spot.entries()) {
        Some(Ok(entries)) => entries,
        Some(Err(problem)) => {
            problems.push(problem);
            Vec::new()
        }
        None => Vec::new(),
    };
    for name in given.keys() {
        if !declared.iter().any(|(declared, _)| declared == name) {
            let known: Vec<&str> = declared.iter().map(|(name, _)| *name).collect();
            problems.push(
                Problem::new(top.file, "unknown parameter")
                    .found(format_args!("{name:?}"))
                    .expected(format_args!("one of {}", known.join(", "))),
            );
        }
    }
    let checked_there =
        ["AllowedPattern", "MinLength", "MaxLength", "MinValue", "MaxValue", "ConstraintDescription"];
    for (name, parameter) in declared {
        let (found, unknown) = parameter
            .sort_keys(&["Type", "Default", "AllowedValues", "Description", "NoEcho"], &checked_there);
        problems.extend(unknown);
        if !found.is_empty() {
            not_executed.push(format!("{}: {}: AWS alone", parameter.field, found.join(", ")));
        }
        match value(&parameter, given.get(name)) {
            Ok(value) => {
                values.insert(name, value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    values
}

fn value(parameter: &Spot<'_>, given: Option<&String>) -> Result<String, Problem> {
    let scalar = |spot: &Spot<'_>| match &spot.node.shape {
        yaml::Shape::Text(text) => Ok(text.clone()),
        yaml::Shape::Null | yaml::Shape::List(_) | yaml::Shape::Map(_) => {
            Err(spot.unexpected("type", "a text or a number"))
        }
        _ => Ok(spot.node.shown()),
    };
    let kind = parameter.need("Type")?;
    let is_number = match kind.literal()? {
        "String" => false,
        "Number" => true,
        _ => return Err(kind.unexpected("parameter type", "String or Number")),
    };
    let value = match (given, parameter.get("Default")) {
        (Some(given), _) => given.clone(),
        (None, Some(default)) => scalar(&default)?,
        (None, None) => return Err(parameter.problem("a parameter without a value").expected("a Default")),
    };
    if is_number && value.parse::<f64>().is_err() {
        return Err(parameter.problem("parameter").found(format_args!("{value:?}")).expected("a number"));
    }
    if let Some(allowed) = parameter.get("AllowedValues") {
        let allowed: Vec<String> = allowed.items()?.iter().map(scalar).collect::<Result<_, _>>()?;
        if !allowed.contains(&value) {
            return Err(parameter
                .problem("parameter")
                .found(format_args!("{value:?}"))
                .expected(format_args!("one of {}", allowed.join(", "))));
        }
    }
    Ok(value)
}

fn wire<'a>(reading: &mut Reading<'a, '_>, top: &Spot<'a>, resources: &Resources<'a>) -> Wiring {
    let mut wiring = Wiring {
        functions: Vec::new(),
        buses: BTreeMap::new(),
        buckets: BTreeMap::new(),
        telling_buckets: BTreeSet::new(),
        not_executed: Vec::new(),
    };
    // Buses and tables first: rules and streams name them wherever they stand in the file.
    for (logical, (kind, resource)) in resources {
        let outcome = match *kind {
            "AWS::Events::EventBus" => own_bus(reading, logical, resource),
            "AWS::DynamoDB::Table" => table(reading, logical, resource),
            _ => Ok(()),
        };
        reading.problems.extend(outcome.err());
    }
    let globals = top.get("Globals").and_then(|globals| globals.get("Function"));
    for (logical, (kind, resource)) in resources {
        let outcome = match *kind {
            "AWS::Serverless::Function" => function::read(reading, logical, resource, globals.as_ref())
                .and_then(|function| add(&mut wiring, function, resource)),
            "AWS::S3::Bucket" => bucket(reading, &mut wiring, logical, resource),
            "AWS::Serverless::HttpApi" => api(reading, resource),
            "AWS::Events::EventBus" => Ok(()),
            elsewhere if ELSEWHERE.contains(&elsewhere) => Err(resource
                .problem("wiring that is not executed")
                .found(elsewhere)
                .expected("the Events of an AWS::Serverless::Function")),
            alone => {
                reading.not_executed.push(format!("{logical}: {alone}: AWS alone"));
                Ok(())
            }
        };
        reading.problems.extend(outcome.err());
    }
    wiring.buses = std::mem::take(&mut reading.own_buses);
    wiring.not_executed = std::mem::take(&mut reading.not_executed);
    wiring
}

fn add(wiring: &mut Wiring, function: Function, resource: &Spot<'_>) -> Result<(), Problem> {
    if wiring.function(&function.name).is_some() {
        return Err(resource.problem("two functions of one name").found(&function.name));
    }
    for route in &function.routes {
        let twice = |other: &Function| other.routes.contains(route);
        if wiring.functions.iter().any(twice) || function.routes.iter().filter(|r| *r == route).count() > 1 {
            return Err(resource
                .problem("a route that is there twice")
                .found(format_args!("{} {}", route.method, route.path)));
        }
    }
    wiring.functions.push(function);
    Ok(())
}

fn own_bus(reading: &mut Reading<'_, '_>, logical: &str, resource: &Spot<'_>) -> Result<(), Problem> {
    if !reading.own_buses.is_empty() {
        return Err(resource.problem("buses").found("a second bus").expected("at most one of our own"));
    }
    if let Some(properties) = resource.get("Properties") {
        let alone = ["Description", "DeadLetterConfig", "KmsKeyIdentifier", "LogConfig", "Policy", "Tags"];
        reading.keys(&properties, &["Name"], &alone);
    }
    let name = reading.names.resource_name(logical, 0)?;
    reading.own_buses.insert(logical.to_owned(), name);
    Ok(())
}

fn table(reading: &mut Reading<'_, '_>, logical: &str, resource: &Spot<'_>) -> Result<(), Problem> {
    if resource.get("Properties").and_then(|properties| properties.get("StreamSpecification")).is_some() {
        let arn = reading.names.attribute_of(resource, logical, "StreamArn", 0)?;
        reading.table_streams.insert(arn);
    }
    Ok(())
}

fn bucket(
    reading: &mut Reading<'_, '_>,
    wiring: &mut Wiring,
    logical: &str,
    resource: &Spot<'_>,
) -> Result<(), Problem> {
    let name = reading.names.resource_name(logical, 0)?;
    if let Some(properties) = resource.get("Properties") {
        let mut alone = Vec::new();
        for (key, below) in properties.entries()? {
            match key {
                "BucketName" => {}
                "NotificationConfiguration" => {
                    // Notifications to a function, queue or topic would be wiring of their own.
                    reading.keys(&below, &["EventBridgeConfiguration"], &[]);
                    if let Some(telling) = below.get("EventBridgeConfiguration") {
                        reading.keys(&telling, &["EventBridgeEnabled"], &[]);
                        let enabled = telling.get("EventBridgeEnabled");
                        if enabled.map_or(Ok("true".into()), |spot| reading.text(&spot))? == "true" {
                            wiring.telling_buckets.insert(name.clone());
                        }
                    }
                }
                other => alone.push(other),
            }
        }
        if !alone.is_empty() {
            reading.alone(&properties.field, &alone);
        }
    }
    wiring.buckets.insert(logical.to_owned(), name);
    Ok(())
}

fn api(reading: &mut Reading<'_, '_>, resource: &Spot<'_>) -> Result<(), Problem> {
    let Some(properties) = resource.get("Properties") else { return Ok(()) };
    let entries = properties.entries()?;
    for (key, spot) in &entries {
        if ["DefinitionBody", "DefinitionUri"].contains(key) {
            return Err(spot
                .problem("wiring that is not executed")
                .found(format_args!("{key:?}"))
                .expected("the Events of an AWS::Serverless::Function"));
        }
    }
    let keys: Vec<&str> = entries.into_iter().map(|(key, _)| key).collect();
    if !keys.is_empty() {
        reading.alone(&properties.field, &keys);
    }
    Ok(())
}
