//! What the template's policies allow: no function writes where uploads land, and nothing is
//! allowed by a wildcard where a name is known.

use serde_json::Value;

use crate::command::root;

/// All that may be done to what landed. To read a version is to read what an event is about.
const READS: [&str; 3] = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"];

/// Where uploads land.
const INCOMING: &str = "${IncomingBucket.Arn}";

/// Resources that would allow something by a policy that is not a function's own.
const ELSEWHERE: [&str; 4] =
    ["AWS::IAM::", "AWS::S3::BucketPolicy", "AWS::S3::AccessPoint", "AWS::Serverless::Connector"];

fn text() -> String {
    std::fs::read_to_string(root().join("infra/template.yaml")).unwrap()
}

/// One or several.
fn each(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |several| several.iter().collect())
}

/// A resource as `Fn::Sub` would write it.
fn written(resource: &Value) -> Option<String> {
    if let Some(text) = resource.as_str().or_else(|| resource.get("Fn::Sub")?.as_str()) {
        return Some(text.to_owned());
    }
    if let Some([name, attribute]) = resource.get("Fn::GetAtt")?.as_array().map(Vec::as_slice) {
        return Some(format!("${{{}.{}}}", name.as_str()?, attribute.as_str()?));
    }
    None
}

/// Everything that is wrong with a template's policies, by function.
fn complaints(template: &str) -> Vec<String> {
    let template: Value = serde_saphyr::from_str(template).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    let mut found = Vec::new();
    for property in ["Policies", "Role", "Connectors"] {
        if template.pointer(&format!("/Globals/Function/{property}")).is_some() {
            found.push(format!("Globals: {property} for every function"));
        }
    }
    for (name, resource) in resources {
        let kind = resource["Type"].as_str().unwrap();
        if ELSEWHERE.iter().any(|elsewhere| kind.starts_with(elsewhere))
            || resource.get("Connectors").is_some()
        {
            found.push(format!("{name}: allows something beside the functions' own policies"));
        }
        if kind != "AWS::Serverless::Function" {
            continue;
        }
        let properties = &resource["Properties"];
        if properties.get("Role").is_some() {
            found.push(format!("{name}: a role whose policies are not here"));
        }
        for policy in properties.get("Policies").map(each).unwrap_or_default() {
            match policy.get("Statement") {
                Some(statements) => {
                    for statement in each(statements) {
                        let is_known = |known: &str| resources.contains_key(known);
                        let wrong = of_statement(statement, name, is_known);
                        found.extend(wrong.into_iter().map(|why| format!("{name}: {why}")));
                    }
                }
                None => found.push(format!("{name}: the policy {policy} is not written out")),
            }
        }
    }
    found
}

/// Everything that is wrong with a statement.
fn of_statement(statement: &Value, function: &str, is_known: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for key in statement.as_object().unwrap().keys() {
        if !["Effect", "Action", "Resource", "Condition"].contains(&key.as_str()) {
            found.push(format!("{key} says what is not allowed, not what is"));
        }
    }
    let actions = each(&statement["Action"]);
    for action in &actions {
        let is_named =
            action.as_str().is_some_and(|action| action.contains(':') && !action.contains(['*', '?']));
        if !is_named {
            found.push(format!("the action {action} names none"));
        }
        if *action == "events:PutEvents" && function != "RelayFunction" {
            found.push("only the relay may speak on the bus".to_owned());
        }
    }
    for resource in each(&statement["Resource"]) {
        let Some(text) = written(resource) else {
            found.push(format!("the resource {resource} cannot be read"));
            continue;
        };
        // `${Name.Arn}`, and of a bucket perhaps all below a folder.
        let named = text.strip_prefix("${").and_then(|rest| rest.split_once(".Arn}"));
        let is_named = named.is_some_and(|(name, below)| {
            let below = below.strip_suffix("/*").unwrap_or(below);
            is_known(name) && !below.contains(['*', '?', '$'])
        });
        if !is_named {
            found.push(format!("the resource {text} names none of the template's"));
        }
        if text.starts_with(INCOMING) {
            let more = actions.iter().filter(|action| !READS.iter().any(|read| **action == *read));
            found.extend(more.map(|action| format!("{action} on {text}, where uploads land")));
        }
    }
    found
}

#[test]
fn no_function_writes_where_uploads_land_and_every_policy_names_what_it_allows() {
    assert_eq!(complaints(&text()), [""; 0]);
    let template: Value = serde_saphyr::from_str(&text()).unwrap();
    for function in ["IngestFunction", "RelayFunction"] {
        let policies = template.pointer(&format!("/Resources/{function}/Properties/Policies"));
        assert!(policies.is_some_and(|policies| !each(policies).is_empty()), "{function} has policies");
    }
}

#[test]
fn every_policy_that_allows_too_much_is_found() {
    for (from, to, complaint) in [
        (
            "[s3:GetObject, s3:GetObjectVersion]",
            "[s3:GetObject, s3:PutObject]",
            "IngestFunction: \"s3:PutObject\" on ${IncomingBucket.Arn}/*, where uploads land",
        ),
        (
            "Resource: {\"Fn::Sub\": \"${DataBucket.Arn}/parts/*\"}",
            "Resource: {\"Fn::Sub\": \"${IncomingBucket.Arn}/parts/*\"}",
            "IngestFunction: \"s3:PutObject\" on ${IncomingBucket.Arn}/parts/*, where uploads land",
        ),
        ("events:PutEvents", "\"events:*\"", "RelayFunction: the action \"events:*\" names none"),
        ("s3:ListBucket", "\"s3:List?ucket\"", "IngestFunction: the action \"s3:List?ucket\" names none"),
        ("s3:ListBucket", "\"*\"", "IngestFunction: the action \"*\" names none"),
        ("s3:ListBucket", "events:PutEvents", "IngestFunction: only the relay may speak on the bus"),
        (
            "{\"Fn::GetAtt\": [Bus, Arn]}",
            "\"*\"",
            "RelayFunction: the resource * names none of the template's",
        ),
        (
            "\"${DataBucket.Arn}/config/*\"",
            "\"${DataBucket.Arn}*\"",
            "IngestFunction: the resource ${DataBucket.Arn}* names none of the template's",
        ),
        (
            "\"${DataBucket.Arn}/config/*\"",
            "\"arn:aws:s3:::*/config/*\"",
            "IngestFunction: the resource arn:aws:s3:::*/config/* names none of the template's",
        ),
        (
            "{\"Fn::GetAtt\": [Bus, Arn]}",
            "{\"Fn::GetAtt\": [Nobody, Arn]}",
            "RelayFunction: the resource ${Nobody.Arn} names none of the template's",
        ),
        (
            "Action: events:PutEvents",
            "NotAction: events:PutRule",
            "RelayFunction: NotAction says what is not allowed, not what is",
        ),
        (
            "CodeUri: ../functions/train",
            "Policies: AmazonS3FullAccess",
            "TrainFunction: the policy \"AmazonS3FullAccess\" is not written out",
        ),
        (
            "CodeUri: ../functions/train",
            "Policies: [{S3CrudPolicy: {BucketName: {Ref: IncomingBucket}}}]",
            "TrainFunction: the policy {\"S3CrudPolicy\":{\"BucketName\":{\"Ref\":\"IncomingBucket\"}}} is not \
             written out",
        ),
        (
            "CodeUri: ../functions/train",
            "Role: arn:aws:iam::123456789012:role/admin",
            "TrainFunction: a role whose policies are not here",
        ),
        ("Handler: bootstrap", "Policies: [Admin]", "Globals: Policies for every function"),
        (
            "Type: AWS::SQS::Queue",
            "Type: AWS::IAM::ManagedPolicy",
            "DeadLetters: allows something beside the functions' own policies",
        ),
    ] {
        let text = text();
        assert!(text.contains(from), "the template says {from}");
        let found = complaints(&text.replace(from, to));
        assert!(found.iter().any(|found| found == complaint), "{from} → {to}: {found:?}");
    }
}
