//! Templates as they are read: the project's own, and what is refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wiring::{Bus, Wiring};

fn read(text: &str) -> Result<Wiring, String> {
    read_with(text, &[])
}

fn read_with(text: &str, parameters: &[(&str, &str)]) -> Result<Wiring, String> {
    let parameters: BTreeMap<String, String> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Wiring::read("template.yaml", text, &parameters, "000000000000", "local").map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

fn ours() -> Wiring {
    read(include_str!("../../../infra/template.yaml")).expect("our template is executed whole")
}

fn listeners(wiring: &Wiring, bus: Bus, event: &Value) -> Vec<String> {
    wiring.listeners(bus, event).iter().map(|(function, _)| function.name.clone()).collect()
}

fn ours_says(kind: &str) -> Value {
    json!({"source": "millrace", "detail-type": kind, "detail": {}})
}

#[test]
fn our_template_says_who_listens_to_what() {
    let wiring = ours();
    for (kind, expected) in [
        ("PartAccepted", &["train", "notify"][..]),
        ("PartRejected", &["notify"]),
        ("RetrainingRequested", &["train", "notify"]),
        ("DriftDetected", &["train", "notify"]),
        ("TrainingRequested", &["train", "notify"]),
        ("TrainingCompleted", &["register", "notify"]),
        ("TrainingFailed", &["train", "notify"]),
        ("ModelRegistered", &["train", "notify"]),
        ("ModelApproved", &["deploy", "notify"]),
        ("RollbackRequested", &["deploy", "notify"]),
        ("ModelDeployed", &["deploy", "notify"]),
        ("LabelsReceived", &["drift", "notify"]),
        ("DriftCheckRequested", &["drift", "notify"]),
    ] {
        assert_eq!(listeners(&wiring, Bus::Own, &ours_says(kind)), expected, "{kind}");
        assert!(listeners(&wiring, Bus::Default, &ours_says(kind)).is_empty(), "{kind}");
    }
    let sagemaker =
        |kind: &str, detail: Value| json!({"source": "aws.sagemaker", "detail-type": kind, "detail": detail});
    for (event, expected) in [
        (
            sagemaker("SageMaker Training Job State Change", json!({"TrainingJobStatus": "Completed"})),
            &["train"][..],
        ),
        (sagemaker("SageMaker Training Job State Change", json!({"TrainingJobStatus": "InProgress"})), &[]),
        (
            sagemaker(
                "SageMaker HyperParameter Tuning Job State Change",
                json!({"HyperParameterTuningJobStatus": "Stopped"}),
            ),
            &["train"],
        ),
        (
            sagemaker("SageMaker Transform Job State Change", json!({"TransformJobStatus": "Failed"})),
            &["register"],
        ),
        (sagemaker("SageMaker Endpoint State Change", json!({"EndpointStatus": "IN_SERVICE"})), &["deploy"]),
    ] {
        assert_eq!(listeners(&wiring, Bus::Default, &event), expected, "{event}");
    }
}

#[test]
fn an_upload_reaches_ingest_alone_and_only_the_incoming_bucket_tells() {
    let wiring = ours();
    let incoming = &wiring.buckets["IncomingBucket"];
    assert_eq!(incoming, "millrace-incoming-000000000000-local");
    assert_eq!(wiring.telling_buckets.iter().collect::<Vec<_>>(), [incoming]);
    let upload = |bucket: &str| {
        json!({"source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": bucket}, "object": {"key": "taxi/a.csv"}}})
    };
    assert_eq!(listeners(&wiring, Bus::Default, &upload(incoming)), ["ingest"]);
    assert!(listeners(&wiring, Bus::Default, &upload(&wiring.buckets["DataBucket"])).is_empty());
}

#[test]
fn our_functions_have_their_clocks_and_bounds() {
    let wiring = ours();
    let found: Vec<(&str, u64, u32, Option<i64>)> = wiring
        .functions
        .iter()
        .map(|f| {
            (f.name.as_str(), f.timeout_seconds, f.retries_max, f.schedules.first().map(|s| s.every_millis))
        })
        .collect();
    let minutes = |count: i64| Some(count * 60_000);
    assert_eq!(
        found,
        [
            ("ingest", 900, 2, minutes(5)),
            ("train", 900, 2, minutes(5)),
            ("register", 900, 2, minutes(5)),
            ("deploy", 300, 2, minutes(5)),
            ("drift", 900, 2, minutes(60)),
            ("notify", 300, 2, minutes(5)),
            ("relay", 300, 2, minutes(15)),
            ("console", 30, 2, None),
        ]
    );
    for function in &wiring.functions {
        assert_eq!(function.keeps_failures, function.name != "console", "{}", function.name);
        assert_eq!(function.streams.len(), usize::from(function.name == "relay"), "{}", function.name);
        assert_eq!(function.logical_id.to_lowercase(), format!("{}function", function.name));
    }
    for (method, path, expected) in [
        ("GET", "/", Some("console")),
        ("GET", "/pipelines/taxi", Some("console")),
        ("POST", "/api/apply", Some("console")),
        ("POST", "/apply", None),
    ] {
        assert_eq!(wiring.answers(method, path).map(|f| f.name.as_str()), expected, "{method} {path}");
    }
    let new_event = json!({"eventName": "INSERT", "dynamodb": {"Keys": {"sort": {"S": "event/000000001"}}}});
    assert!(wiring.function("relay").unwrap().streams[0].pattern.matches(&new_event));
}

#[test]
fn what_concerns_aws_alone_is_named() {
    let wiring = ours();
    for line in [
        "Parameters.Stack: AllowedPattern: AWS alone",
        "Globals.Function: Runtime, Handler, Architectures, MemorySize, Environment: AWS alone",
        "Table: AWS::DynamoDB::Table: AWS alone",
        "DataBucket: VersioningConfiguration, LifecycleConfiguration, PublicAccessBlockConfiguration: AWS alone",
        "DeadLetters: AWS::SQS::Queue: AWS alone",
        "Api: Auth: AWS alone",
        "IngestFunction: MemorySize, Policies: AWS alone",
        "IngestFunction.Events.ObjectCreated: RetryPolicy: AWS alone",
    ] {
        assert!(wiring.not_executed.iter().any(|found| found == line), "{line}: {:#?}", wiring.not_executed);
    }
}

#[test]
fn a_parameter_renames_the_stack() {
    let text = include_str!("../../../infra/template.yaml");
    let wiring = read_with(text, &[("Stack", "other")]).unwrap();
    assert_eq!(wiring.buses["Bus"], "other");
    assert_eq!(wiring.buckets["DataBucket"], "other-data-000000000000-local");
    assert_eq!(listeners(&wiring, Bus::Own, &ours_says("ModelApproved")), ["deploy", "notify"]);
    let refused = read_with(text, &[("Stak", "other")]).unwrap_err();
    assert!(refused.contains("unknown parameter: found \"Stak\", expected one of Stack"), "{refused}");
}

/// A template with one function that listens to one rule, ready to be spoilt.
const SMALL: &str = r#"Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev, AllowedValues: [dev, live]}
  Seconds: {Type: Number, Default: 20}
Conditions:
  IsLive: !Equals [!Ref Stage, live]
  IsDev: {"Fn::Not": [{Condition: IsLive}]}
  Never: !And [!Condition IsLive, !Condition IsDev]
  Always: {"Fn::Or": [{Condition: IsLive}, {Condition: IsDev}]}
Globals:
  Function:
    Timeout: 60
    EventInvokeConfig:
      DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}
Resources:
  Dead: {Type: "AWS::SQS::Queue"}
  Bus: {Type: "AWS::Events::EventBus", Properties: {Name: !Sub "b-${Stage}"}}
  In: {Type: "AWS::S3::Bucket", Properties: {BucketName: !Sub ["${a}${!b}-${AWS::Region}", {a: !Ref Stage}]}}
  LiveFunction:
    Type: AWS::Serverless::Function
    Condition: IsLive
    Properties:
      CodeUri: functions/live/
      Events:
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  OneFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/one
      Timeout: !If [Always, !Ref Seconds, 1]
      EventInvokeConfig: {MaximumRetryAttempts: 1}
      Events:
        Rule:
          Type: EventBridgeRule
          Properties:
            EventBusName: !Ref Bus
            Pattern:
              source: [!Sub "s-${Stage}", !If [IsLive, only-live, !Ref AWS::NoValue]]
              detail: {bucket: [!Ref In], bus: [!GetAtt [Bus, Arn]]}
"#;

#[test]
fn both_spellings_of_references_and_conditions_are_executed() {
    let event = |stage: &str, source: &str| {
        json!({"source": source, "detail": {
            "bucket": format!("{stage}${{b}}-local"),
            "bus": format!("arn:aws:events:local:000000000000:event-bus/b-{stage}")
        }})
    };
    let dev = read(SMALL).unwrap();
    assert_eq!(dev.functions.len(), 1);
    let one = dev.function("one").unwrap();
    assert_eq!((one.timeout_seconds, one.retries_max, one.keeps_failures), (20, 1, true));
    assert_eq!(listeners(&dev, Bus::Own, &event("dev", "s-dev")), ["one"]);
    assert!(listeners(&dev, Bus::Own, &event("dev", "only-live")).is_empty());

    let live = read_with(SMALL, &[("Stage", "live"), ("Seconds", "30")]).unwrap();
    let names: Vec<&str> = live.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["live", "one"]);
    assert_eq!(live.function("one").unwrap().timeout_seconds, 30);
    assert_eq!(live.function("live").unwrap().timeout_seconds, 60);
    assert_eq!(listeners(&live, Bus::Own, &event("live", "only-live")), ["one"]);

    let refused = read_with(SMALL, &[("Stage", "test")]).unwrap_err();
    assert!(
        refused.contains("Parameters.Stage: parameter: found \"test\", expected one of dev, live"),
        "{refused}"
    );
}

/// The small template with one text put in another's place must be refused like this.
fn refuses(from: &str, to: &str, complaint: &str) {
    assert_eq!(SMALL.matches(from).count(), 1, "{from}");
    let refused = read(&SMALL.replace(from, to)).expect_err(to);
    assert!(refused.contains(complaint), "{to}:\n{refused}");
}

#[test]
fn what_belongs_to_the_executed_part_and_is_not_understood_is_refused() {
    let field = "Resources.OneFunction.Properties";
    for (from, to, complaint) in [
        (
            "Transform: AWS::Serverless-2016-10-31",
            "Transform: Other",
            "Transform: transform: found \"Other\"",
        ),
        ("Conditions:", "Conditional:", "template.yaml:6:3: Conditional: unknown field"),
        (
            "      Timeout: !If [Always, !Ref Seconds, 1]",
            "      Timeot: 5",
            "Timeot: unknown field: found \"Timeot\"",
        ),
        (
            "!If [Always, !Ref Seconds, 1]",
            "901",
            "Timeout: out of range: found 901, expected a whole number from 1 to 900",
        ),
        ("!If [Always, !Ref Seconds, 1]", "soon", "Timeout: out of range: found \"soon\""),
        ("!If [Always, !Ref Seconds, 1]", "!If [Always, 1]", "found 2 arguments, expected 3 arguments"),
        ("!If [Always, !Ref Seconds, 1]", "!If [Sometimes, 1, 2]", "unknown condition: found \"Sometimes\""),
        (
            "!If [Always, !Ref Seconds, 1]",
            "!Select [0, [5]]",
            "intrinsic: found \"Select\", expected one that is executed",
        ),
        ("!If [Always, !Ref Seconds, 1]", "{\"Fn::Length\": [1]}", "intrinsic: found \"Length\""),
        ("{MaximumRetryAttempts: 1}", "{MaximumRetryAttempts: 3}", "expected a whole number from 0 to 2"),
        ("{MaximumRetryAttempts: 1}", "{DestinationConfig: {OnSuccess: {}}}", "OnSuccess: unknown field"),
        (
            "Type: EventBridgeRule",
            "Type: SQS",
            "event type: found \"SQS\", expected EventBridgeRule, ScheduleV2, Schedule, HttpApi or DynamoDB",
        ),
        ("            EventBusName: !Ref Bus", "            InputPath: $.detail", "InputPath: unknown field"),
        (
            "            EventBusName: !Ref Bus",
            "            State: DISABLED",
            "State: switched off: found \"DISABLED\", expected ENABLED",
        ),
        (
            "EventBusName: !Ref Bus",
            "EventBusName: other",
            "bus: found \"other\", expected \"default\" or a bus of this template",
        ),
        (
            "EventBusName: !Ref Bus",
            "EventBusName: !Ref Buss",
            "EventBusName: unknown reference: found \"Buss\"",
        ),
        (
            "[!Ref In]",
            "[{wildcard: \"x*\"}]",
            "Pattern: pattern: detail.bucket: wildcard: this operator is not executed",
        ),
        (
            "[!GetAtt [Bus, Arn]]",
            "[!GetAtt [Bus, Policy]]",
            "attribute: found Bus.Policy of AWS::Events::EventBus",
        ),
        ("CodeUri: functions/one", "CodeUri: ..", "function name: found \"..\""),
        ("!Sub \"b-${Stage}\"", "!Sub \"b-${Stage\"", "substitution without its end"),
        ("IsLive: !Equals [!Ref Stage, live]", "IsLive: {Condition: IsDev}", "in a circle"),
        ("Default: 20", "Default: many", "Parameters.Seconds: parameter: found \"many\", expected a number"),
        (
            "{Type: \"AWS::SQS::Queue\"}",
            "{Type: \"AWS::Events::Rule\"}",
            "wiring that is not executed: found AWS::Events::Rule",
        ),
        (
            "BucketName: !Sub",
            "NotificationConfiguration: {LambdaConfigurations: []}, BucketName: !Sub",
            "LambdaConfigurations: unknown field",
        ),
    ] {
        refuses(from, to, complaint);
    }
    refuses("  Dead: {", "  Bus2: {Type: \"AWS::Events::EventBus\"}\n  Dead: {", "buses: found a second bus");
    let twice = "  Again: {Type: \"AWS::Serverless::Function\", Properties: {CodeUri: x/one}}\n  Dead: {";
    refuses("  Dead: {", twice, "two functions of one name");
    let unkept = SMALL
        .replace("      DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}\n", "");
    let unkept = unkept.replace("    EventInvokeConfig:\n", "");
    let refused = read(&unkept).unwrap_err();
    assert!(
        refused.contains(&format!("{field}: missing field")) && refused.contains("OnFailure"),
        "{refused}"
    );
}

/// The small template with its rule replaced by another event source.
fn with_source(source: &str) -> Result<Wiring, String> {
    let (before, _) = SMALL.split_once("        Rule:").expect("the template has a rule");
    read(&format!("{before}        Source: {source}\n"))
}

#[test]
fn schedules_routes_and_streams_are_read_or_refused() {
    let schedule = |rate: &str| format!("{{Type: ScheduleV2, Properties: {{ScheduleExpression: '{rate}'}}}}");
    let wiring = with_source(&schedule("rate(2 hours)")).unwrap();
    assert_eq!(wiring.functions[0].schedules[0].every_millis, 7_200_000);
    for (source, complaint) in [
        (schedule("cron(0 10 * * ? *)"), "rate: found \"cron(0 10 * * ? *)\", expected rate(1 minute)"),
        (
            "{Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day), Input: '{}'}}".into(),
            "Input: unknown field",
        ),
        ("{Type: HttpApi, Properties: {Path: /}}".into(), "missing field, expected \"Method\""),
        (
            "{Type: HttpApi, Properties: {Path: x, Method: GET}}".into(),
            "route: found \"GET x\", expected a path that begins with /",
        ),
        (
            "{Type: HttpApi, Properties: {ApiId: !Ref Bus, Path: /, Method: GET}}".into(),
            "expected a resource of type AWS::Serverless::HttpApi",
        ),
        (
            "{Type: DynamoDB, Properties: {Stream: !GetAtt Dead.Arn}}".into(),
            "expected the StreamArn of a table",
        ),
    ] {
        let refused = with_source(&source).expect_err(&source);
        assert!(refused.contains(complaint), "{source}:\n{refused}");
    }
}

#[test]
fn the_closest_route_answers() {
    let function = |name: &str, path: &str| {
        format!(
            "  {name}: {{Type: \"AWS::Serverless::Function\", Properties: {{CodeUri: f/{name}, Events: {{R: {{Type: HttpApi, Properties: {{Method: GET, Path: \"{path}\"}}}}}}}}}}\n"
        )
    };
    let head = "Transform: AWS::Serverless-2016-10-31\nResources:\n";
    let text =
        [head, &function("rest", "/{proxy+}"), &function("pet", "/pets/{id}"), &function("dog", "/pets/dog")];
    let wiring = read(&text.concat()).unwrap();
    for (path, expected) in
        [("/pets/dog", "dog"), ("/pets/6", "pet"), ("/pets/6/toys", "rest"), ("/x", "rest")]
    {
        assert_eq!(wiring.answers("GET", path).unwrap().name, expected, "{path}");
    }
    assert!(!wiring.functions[0].keeps_failures, "a request's sender sees its failure");
    let twice = [head, &function("a", "/x"), &function("b", "/x")].concat();
    assert!(read(&twice).unwrap_err().contains("a route that is there twice: found GET /x"));
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let spoilt =
        SMALL.replace("EventBusName: !Ref Bus", "EventBusName: other").replace("rate(1 day)", "rate(1 days)");
    let Err(problems) = Wiring::read(
        "template.yaml",
        &spoilt,
        &BTreeMap::from([("Stage".to_owned(), "live".to_owned())]),
        "000000000000",
        "local",
    ) else {
        panic!("two problems");
    };
    let lines: Vec<Option<u64>> = problems.iter().map(|problem| problem.line).collect();
    let place = |text: &str| Some(spoilt.lines().position(|line| line.contains(text)).unwrap() as u64 + 1);
    assert_eq!(lines, [place("rate(1 days)"), place("EventBusName: other")]);
}
