//! What a value of the template is once its references and conditions are worked out.

use std::collections::BTreeMap;

use domain::Problem;
use serde_json::Value;

use crate::spot::Spot;
use crate::yaml::Shape;

/// References within references: names made of parameters need two, so this is generous, and a
/// circle ends here.
const DEPTH_MAX: usize = 16;

const EXECUTED: &str = "Ref, Fn::Sub, Fn::GetAtt, Fn::If, Fn::Equals, Fn::Not, Fn::And, Fn::Or or Condition";

/// Everything that references can name.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    pub(crate) parameters: BTreeMap<&'a str, String>,
    /// Named conditions.
    pub(crate) conditions: BTreeMap<&'a str, Spot<'a>>,
    /// Resources: type and properties.
    pub(crate) resources: BTreeMap<&'a str, (&'a str, Option<Spot<'a>>)>,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
}

/// An intrinsic as it stands in the file, in either spelling.
struct Call<'a> {
    name: &'a str,
    argument: Spot<'a>,
}

fn call<'a>(spot: &Spot<'a>) -> Option<Call<'a>> {
    if let Some(tag) = &spot.node.tag {
        return Some(Call { name: tag, argument: spot.clone() });
    }
    let Shape::Map(pairs) = &spot.node.shape else { return None };
    let [(key, node)] = pairs.as_slice() else { return None };
    // `Condition` alone in a map is a reference to a condition; only conditions look for it.
    let name = key.strip_prefix("Fn::").or_else(|| (key == "Ref").then_some("Ref"))?;
    Some(Call { name, argument: spot.below(key, node) })
}

impl<'a> Names<'a> {
    /// The value at a place; none where it is `AWS::NoValue`.
    pub(crate) fn value(&self, spot: &Spot<'a>) -> Result<Option<Value>, Problem> {
        self.resolve(spot, 0)
    }

    /// A text.
    pub(crate) fn text(&self, spot: &Spot<'a>) -> Result<String, Problem> {
        self.text_at(spot, 0)
    }

    /// A whole number between two bounds; a number written as text, as parameters are, is one.
    pub(crate) fn number(&self, spot: &Spot<'a>, least: u64, most: u64) -> Result<u64, Problem> {
        let value = self.value(spot)?;
        let number = match &value {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            let found = value.map_or("nothing".to_owned(), |value| value.to_string());
            spot.problem("out of range")
                .found(found)
                .expected(format_args!("a whole number from {least} to {most}"))
        })
    }

    /// Whether a named condition holds.
    pub(crate) fn holds(&self, spot: &Spot<'a>) -> Result<bool, Problem> {
        self.named(spot, 0)
    }

    fn resolve(&self, spot: &Spot<'a>, depth: usize) -> Result<Option<Value>, Problem> {
        if depth > DEPTH_MAX {
            return Err(spot.problem("references too deep, or in a circle"));
        }
        if let Some(Call { name, argument }) = call(spot) {
            return match name {
                "Ref" => self.reference(&argument, depth),
                "Sub" => self.substitute(&argument, depth).map(|text| Some(Value::String(text))),
                "GetAtt" => self.attribute(&argument, depth).map(|text| Some(Value::String(text))),
                "If" => {
                    let [condition, then, otherwise] = arguments(&argument)?;
                    let chosen = if self.named(&condition, depth + 1)? { then } else { otherwise };
                    self.resolve(&chosen, depth + 1)
                }
                other => Err(argument
                    .problem("intrinsic")
                    .found(format_args!("{other:?}"))
                    .expected(format_args!("one that is executed: {EXECUTED}"))),
            };
        }
        Ok(Some(match &spot.node.shape {
            Shape::Null => Value::Null,
            Shape::Boolean(value) => Value::Bool(*value),
            Shape::Integer(value) => Value::from(*value),
            Shape::Number(value) => Value::from(*value),
            Shape::Text(text) => Value::String(text.clone()),
            Shape::List(_) => {
                let mut values = Vec::new();
                for item in spot.items()? {
                    values.extend(self.resolve(&item, depth)?);
                }
                Value::Array(values)
            }
            Shape::Map(_) => {
                let mut values = serde_json::Map::new();
                for (key, below) in spot.entries()? {
                    if let Some(value) = self.resolve(&below, depth)? {
                        values.insert(key.to_owned(), value);
                    }
                }
                Value::Object(values)
            }
        }))
    }

    fn text_at(&self, spot: &Spot<'a>, depth: usize) -> Result<String, Problem> {
        match self.resolve(spot, depth)? {
            Some(Value::String(text)) => Ok(text),
            // CloudFormation takes numbers and truth values for texts.
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            _ => Err(spot.unexpected("type", "a text")),
        }
    }

    fn reference(&self, argument: &Spot<'a>, depth: usize) -> Result<Option<Value>, Problem> {
        let name = reference_name(argument)?;
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        self.named_value(argument, name, depth).map(|text| Some(Value::String(text)))
    }

    /// What `Ref` answers for a parameter, a pseudo parameter or a resource.
    fn named_value(&self, spot: &Spot<'a>, name: &str, depth: usize) -> Result<String, Problem> {
        match name {
            "AWS::AccountId" => return Ok(self.account.to_owned()),
            "AWS::Region" => return Ok(self.region.to_owned()),
            "AWS::Partition" => return Ok("aws".to_owned()),
            _ => {}
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        match self.resources.get_key_value(name) {
            Some((logical, _)) => self.resource_name(logical, depth + 1),
            None => Err(spot
                .problem("unknown reference")
                .found(format_args!("{name:?}"))
                .expected("a parameter, a resource, AWS::AccountId, AWS::Region or AWS::Partition")),
        }
    }

    /// The name of a resource: as declared, or its logical id where the name is left to AWS.
    pub(crate) fn resource_name(&self, logical: &str, depth: usize) -> Result<String, Problem> {
        let Some((kind, properties)) = self.resources.get(logical) else { return Ok(logical.to_owned()) };
        let property = match *kind {
            "AWS::S3::Bucket" => "BucketName",
            "AWS::Events::EventBus" => "Name",
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::Serverless::Function" => "FunctionName",
            _ => return Ok(logical.to_owned()),
        };
        match properties.as_ref().and_then(|properties| properties.get(property)) {
            Some(spot) => self.text_at(&spot, depth + 1),
            None => Ok(logical.to_owned()),
        }
    }

    fn attribute(&self, argument: &Spot<'a>, depth: usize) -> Result<String, Problem> {
        let (logical, attribute) = match &argument.node.shape {
            Shape::Text(text) => text.split_once('.').unwrap_or((text, "")),
            Shape::List(_) => {
                let [logical, attribute] = arguments(argument)?;
                (logical.literal()?, attribute.literal()?)
            }
            _ => return Err(argument.unexpected("type", "[resource, attribute]")),
        };
        self.attribute_of(argument, logical, attribute, depth)
    }

    pub(crate) fn attribute_of(
        &self,
        spot: &Spot<'a>,
        logical: &str,
        attribute: &str,
        depth: usize,
    ) -> Result<String, Problem> {
        let Some((kind, _)) = self.resources.get(logical) else {
            return Err(spot
                .problem("unknown reference")
                .found(format_args!("{logical:?}"))
                .expected("a resource"));
        };
        let name = self.resource_name(logical, depth + 1)?;
        let place = format!("{}:{}", self.region, self.account);
        match (*kind, attribute) {
            ("AWS::S3::Bucket", "Arn") => Ok(format!("arn:aws:s3:::{name}")),
            ("AWS::Events::EventBus", "Arn") => Ok(format!("arn:aws:events:{place}:event-bus/{name}")),
            ("AWS::Events::EventBus", "Name") => Ok(name),
            ("AWS::SQS::Queue", "Arn") => Ok(format!("arn:aws:sqs:{place}:{name}")),
            ("AWS::SQS::Queue", "QueueName") => Ok(name),
            ("AWS::DynamoDB::Table", "Arn") => Ok(format!("arn:aws:dynamodb:{place}:table/{name}")),
            // The label is given by AWS; one stream of a table is all that is ever read.
            ("AWS::DynamoDB::Table", "StreamArn") => {
                Ok(format!("arn:aws:dynamodb:{place}:table/{name}/stream/latest"))
            }
            ("AWS::Serverless::Function", "Arn") => Ok(format!("arn:aws:lambda:{place}:function:{name}")),
            _ => Err(spot
                .problem("attribute")
                .found(format_args!("{logical}.{attribute} of {kind}"))
                .expected("an Arn, a table's StreamArn, or the name of a bus or queue")),
        }
    }

    fn substitute(&self, argument: &Spot<'a>, depth: usize) -> Result<String, Problem> {
        let mut given = BTreeMap::new();
        let (spot, text) = match &argument.node.shape {
            Shape::Text(text) => (argument.clone(), text.as_str()),
            Shape::List(_) => {
                let [text, values] = arguments(argument)?;
                for (name, value) in values.entries()? {
                    given.insert(name, self.text_at(&value, depth + 1)?);
                }
                let literal = text.literal()?;
                (text, literal)
            }
            _ => return Err(argument.unexpected("type", "a text, or a text and its values")),
        };
        let mut made = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            made += before;
            let Some((name, after)) = after.split_once('}') else {
                return Err(spot.unexpected("substitution without its end", "\"}\" after \"${\""));
            };
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                made += &format!("${{{literal}}}");
            } else if let Some(value) = given.get(name) {
                made += value;
            } else if let Some((logical, attribute)) = name.split_once('.') {
                made += &self.attribute_of(&spot, logical, attribute, depth)?;
            } else {
                made += &self.named_value(&spot, name, depth)?;
            }
        }
        Ok(made + rest)
    }

    /// Whether the condition that stands here by its name holds.
    fn named(&self, spot: &Spot<'a>, depth: usize) -> Result<bool, Problem> {
        let name = reference_name(spot)?;
        match self.conditions.get(name) {
            Some(condition) => self.condition(condition, depth + 1),
            None => Err(spot
                .problem("unknown condition")
                .found(format_args!("{name:?}"))
                .expected("one of Conditions")),
        }
    }

    fn condition(&self, spot: &Spot<'a>, depth: usize) -> Result<bool, Problem> {
        if depth > DEPTH_MAX {
            return Err(spot.problem("conditions too deep, or in a circle"));
        }
        if let Some(named) = spot.get("Condition") {
            return self.named(&named, depth);
        }
        let refused = || spot.unexpected("condition", "Fn::Equals, Fn::Not, Fn::And, Fn::Or or Condition");
        let Call { name, argument } = call(spot).ok_or_else(refused)?;
        match name {
            "Condition" => self.named(&argument, depth),
            "Equals" => {
                let [left, right] = arguments(&argument)?;
                Ok(self.text_at(&left, depth + 1)? == self.text_at(&right, depth + 1)?)
            }
            "Not" => {
                let [one] = arguments(&argument)?;
                Ok(!self.condition(&one, depth + 1)?)
            }
            "And" | "Or" => {
                let mut truths = Vec::new();
                for part in argument.items()? {
                    truths.push(self.condition(&part, depth + 1)?);
                }
                if !(2..=10).contains(&truths.len()) {
                    return Err(argument.unexpected("condition", "2 to 10 conditions"));
                }
                Ok(if name == "And" { truths.iter().all(|t| *t) } else { truths.iter().any(|t| *t) })
            }
            _ => Err(refused()),
        }
    }
}

/// The name in `Ref: name` or `!Ref name`.
fn reference_name<'a>(argument: &Spot<'a>) -> Result<&'a str, Problem> {
    match &argument.node.shape {
        Shape::Text(name) => Ok(name),
        _ => Err(argument.unexpected("type", "a name")),
    }
}

/// The arguments of an intrinsic that takes exactly so many.
fn arguments<'a, const COUNT: usize>(argument: &Spot<'a>) -> Result<[Spot<'a>; COUNT], Problem> {
    let items = argument.items()?;
    let found = items.len();
    <[Spot<'a>; COUNT]>::try_from(items).map_err(|_| {
        argument
            .problem("arguments")
            .found(format_args!("{found} arguments"))
            .expected(format_args!("{COUNT} arguments"))
    })
}
