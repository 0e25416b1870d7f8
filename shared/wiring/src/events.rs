//! What makes a function run: its rules, schedules, routes and streams.

use domain::Problem;
use serde_json::Value;

use crate::function::{Function, Reading};
use crate::pattern::Pattern;
use crate::rate;
use crate::route::Route;
use crate::spot::Spot;

/// The bus that a rule listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bus {
    /// Where S3 and SageMaker tell what happened.
    Default,
    /// Where our own events go.
    Own,
}

/// A rule that invokes its function.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name within the function.
    pub name: String,
    /// Where it listens.
    pub bus: Bus,
    /// To what.
    pub pattern: Pattern,
}

/// A clock that invokes its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its name within the function.
    pub name: String,
    /// Time between two ticks, in milliseconds; at least a minute.
    pub every_millis: i64,
}

/// Changes of the table that invoke their function, in order within a partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Its name within the function.
    pub name: String,
    /// Which changes, as DynamoDB streams tell them.
    pub pattern: Pattern,
}

const TYPES: &str = "EventBridgeRule, ScheduleV2, Schedule, HttpApi or DynamoDB";

/// Reads one event source into its function.
pub(crate) fn read(
    reading: &mut Reading<'_, '_>,
    name: &str,
    event: &Spot<'_>,
    function: &mut Function,
) -> Result<(), Problem> {
    reading.keys(event, &["Type", "Properties"], &[]);
    let kind = event.need("Type")?;
    let properties = event.need("Properties")?;
    let name = name.to_owned();
    match kind.literal()? {
        "EventBridgeRule" => {
            reading.keys(
                &properties,
                &["Pattern", "EventBusName", "State"],
                &["RetryPolicy", "DeadLetterConfig", "RuleName"],
            );
            enabled(reading, &properties)?;
            let bus = bus(reading, &properties)?;
            let pattern = pattern(reading, &properties.need("Pattern")?)?;
            function.rules.push(Rule { name, bus, pattern });
        }
        "ScheduleV2" => {
            let alone = [
                "FlexibleTimeWindow",
                "Name",
                "OmitName",
                "GroupName",
                "Description",
                "RetryPolicy",
                "DeadLetterConfig",
                "RoleArn",
                "PermissionsBoundary",
                "KmsKeyArn",
                "ScheduleExpressionTimezone",
            ];
            reading.keys(&properties, &["ScheduleExpression", "State"], &alone);
            enabled(reading, &properties)?;
            let every_millis = every(reading, &properties.need("ScheduleExpression")?)?;
            function.schedules.push(Schedule { name, every_millis });
        }
        "Schedule" => {
            let alone = ["Name", "Description", "RetryPolicy", "DeadLetterConfig"];
            reading.keys(&properties, &["Schedule", "State", "Enabled"], &alone);
            enabled(reading, &properties)?;
            let every_millis = every(reading, &properties.need("Schedule")?)?;
            function.schedules.push(Schedule { name, every_millis });
        }
        "HttpApi" => {
            let alone = ["Auth", "PayloadFormatVersion", "TimeoutInMillis", "RouteSettings"];
            reading.keys(&properties, &["ApiId", "Method", "Path"], &alone);
            if let Some(api) = properties.get("ApiId") {
                reading.need_kind(&api, "AWS::Serverless::HttpApi")?;
            }
            function.routes.push(route(reading, &properties)?);
        }
        "DynamoDB" => function.streams.push(stream(reading, name, &properties)?),
        other => {
            return Err(kind.problem("event type").found(format_args!("{other:?}")).expected(TYPES));
        }
    }
    Ok(())
}

/// A source that is switched off would run here and not on AWS: only those that are on are read.
fn enabled(reading: &Reading<'_, '_>, properties: &Spot<'_>) -> Result<(), Problem> {
    for (key, on) in [("State", "ENABLED"), ("Enabled", "true")] {
        if let Some(spot) = properties.get(key)
            && reading.text(&spot)? != on
        {
            return Err(spot.unexpected("switched off", on));
        }
    }
    Ok(())
}

fn bus(reading: &Reading<'_, '_>, properties: &Spot<'_>) -> Result<Bus, Problem> {
    let Some(spot) = properties.get("EventBusName") else { return Ok(Bus::Default) };
    let name = reading.text(&spot)?;
    if name == "default" {
        return Ok(Bus::Default);
    }
    if reading.own_buses.values().any(|own| *own == name) {
        return Ok(Bus::Own);
    }
    Err(spot.problem("bus").found(format_args!("{name:?}")).expected("\"default\" or a bus of this template"))
}

fn pattern(reading: &Reading<'_, '_>, spot: &Spot<'_>) -> Result<Pattern, Problem> {
    let value = reading.value(spot)?.unwrap_or(Value::Null);
    Pattern::parse(&value).map_err(|why| spot.problem(&format!("pattern: {why}")))
}

fn every(reading: &Reading<'_, '_>, spot: &Spot<'_>) -> Result<i64, Problem> {
    let text = reading.text(spot)?;
    let refused = || spot.problem("rate").found(format_args!("{text:?}")).expected(rate::EXPECTED);
    rate::millis(&text).ok_or_else(refused)
}

fn route(reading: &Reading<'_, '_>, properties: &Spot<'_>) -> Result<Route, Problem> {
    let spot = properties.need("Path")?;
    let method = reading.text(&properties.need("Method")?)?;
    let path = reading.text(&spot)?;
    Route::new(&method, &path).map_err(|expected| {
        spot.problem("route").found(format_args!("{:?}", format!("{method} {path}"))).expected(expected)
    })
}

fn stream(reading: &mut Reading<'_, '_>, name: String, properties: &Spot<'_>) -> Result<Stream, Problem> {
    let alone = [
        "StartingPosition",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "BisectBatchOnFunctionError",
        "FunctionResponseTypes",
    ];
    reading.keys(properties, &["Stream", "FilterCriteria", "DestinationConfig", "Enabled"], &alone);
    enabled(reading, properties)?;
    let source = properties.need("Stream")?;
    if !reading.table_streams.contains(&reading.text(&source)?) {
        return Err(source.unexpected("stream", "the StreamArn of a table of this template"));
    }
    // Without it, records that fail for good would be dropped when the retries are over.
    let destination = properties.need("DestinationConfig")?;
    reading.keys(&destination, &["OnFailure"], &[]);
    reading.destination(&destination.need("OnFailure")?)?;
    let criteria = properties.need("FilterCriteria")?;
    reading.keys(&criteria, &["Filters"], &[]);
    let filters = criteria.need("Filters")?;
    let filter = match filters.items()?.as_slice() {
        [filter] => filter.clone(),
        several => {
            return Err(filters
                .problem("filters")
                .found(format_args!("{} filters", several.len()))
                .expected("exactly one: alternatives go into its pattern"));
        }
    };
    reading.keys(&filter, &["Pattern"], &[]);
    let spot = filter.need("Pattern")?;
    let text = reading.text(&spot)?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| spot.problem("pattern").found(error).expected("a pattern as a text of JSON"))?;
    let pattern = Pattern::parse(&value).map_err(|why| spot.problem(&format!("pattern: {why}")))?;
    Ok(Stream { name, pattern })
}
