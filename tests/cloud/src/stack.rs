//! What infra/template.yaml makes, made on the stand-in: a table, two buckets, a bus, and queues
//! that show what passes.

use std::sync::atomic::{AtomicU64, Ordering};

use aws::{Clients, Credentials, Settings};
use serde_json::{Value, json};

use crate::server::{REGION, Server};

/// The account that the server plays.
const ACCOUNT: &str = "123456789012";

/// One stack, apart from all others on its server.
#[derive(Debug)]
pub struct Stack {
    name: String,
    settings: Settings,
    stream: String,
    shard: Option<String>,
}

impl Stack {
    /// Makes a stack.
    ///
    /// # Panics
    /// Where the server refuses.
    pub fn make(server: &Server) -> Stack {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let name = format!("stack-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let settings = Settings {
            region: REGION.into(),
            endpoint: Some(server.url().into()),
            credentials: Credentials { key: "test".into(), secret: "test".into(), session: None },
            table: format!("{name}-table"),
            bus: name.clone(),
            bucket: format!("{name}-data"),
            incoming: format!("{name}-incoming"),
        };
        let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let made = server.call(
            "dynamodb",
            "DynamoDB_20120810.CreateTable",
            &json!({
                "TableName": settings.table, "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [attribute("partition"), attribute("sort")],
                "KeySchema": [
                    { "AttributeName": "partition", "KeyType": "HASH" },
                    { "AttributeName": "sort", "KeyType": "RANGE" },
                ],
                "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
            }),
        );
        let stream = text(&made, "/TableDescription/LatestStreamArn");
        for bucket in [&settings.bucket, &settings.incoming] {
            let place = format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
            );
            server.put(bucket, place.as_bytes());
            let versions = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <Status>Enabled</Status></VersioningConfiguration>";
            server.put(&format!("{bucket}?versioning"), versions.as_bytes());
        }
        let events = "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <EventBridgeConfiguration></EventBridgeConfiguration></NotificationConfiguration>";
        server.put(&format!("{}?notification", settings.incoming), events.as_bytes());
        server.call("events", "AWSEvents.CreateEventBus", &json!({ "Name": settings.bus }));
        let stack = Stack { name, settings, stream, shard: None };
        let landed = json!({ "source": ["aws.s3"], "detail-type": ["Object Created"],
            "detail": { "bucket": { "name": [stack.settings.incoming] } } });
        stack.watch(server, "landed", "default", &landed);
        stack.watch(server, "published", &stack.settings.bus, &json!({ "source": ["millrace"] }));
        stack
    }

    /// What a function of the stack is told of it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The adapters of the stack.
    pub fn clients(&self) -> Clients {
        Clients::new(self.settings.clone())
    }

    /// The same as a function's environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let Settings { region, endpoint, credentials, table, bus, bucket, incoming } = self.settings.clone();
        vec![
            ("AWS_REGION", region),
            ("AWS_ENDPOINT_URL", endpoint.unwrap_or_default()),
            ("AWS_ACCESS_KEY_ID", credentials.key),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret),
            ("MILLRACE_TABLE", table),
            ("MILLRACE_BUS", bus),
            ("MILLRACE_BUCKET", bucket),
            ("MILLRACE_INCOMING", incoming),
        ]
    }

    /// Lets events of a bus that match go to a queue.
    fn watch(&self, server: &Server, queue: &str, bus: &str, pattern: &Value) {
        let name = format!("{}-{queue}", self.name);
        server.call("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": name }));
        let rule = json!({ "Name": name, "EventBusName": bus, "EventPattern": pattern.to_string() });
        server.call("events", "AWSEvents.PutRule", &rule);
        let target = json!({ "Id": "queue", "Arn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}") });
        let targets = json!({ "Rule": name, "EventBusName": bus, "Targets": [target] });
        server.call("events", "AWSEvents.PutTargets", &targets);
    }

    /// Takes every event out of a queue, `landed` or `published`, in the order they came.
    pub fn take(&self, server: &Server, queue: &str) -> Vec<Value> {
        let url = format!("{}/{ACCOUNT}/{}-{queue}", server.url(), self.name);
        let mut events = Vec::new();
        loop {
            let asked = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
            let got = server.call("sqs", "AmazonSQS.ReceiveMessage", &asked);
            let messages = got.get("Messages").and_then(Value::as_array).cloned().unwrap_or_default();
            if messages.is_empty() {
                return events;
            }
            for message in messages {
                events.push(serde_json::from_str(&text(&message, "/Body")).expect("an event is JSON"));
                let done = json!({ "QueueUrl": url, "ReceiptHandle": text(&message, "/ReceiptHandle") });
                server.call("sqs", "AmazonSQS.DeleteMessage", &done);
            }
        }
    }

    /// What the table's stream has told since the last call, as Lambda hands it to a function;
    /// at most 1,000 records.
    pub fn told_by_stream(&mut self, server: &Server) -> Value {
        let call = |operation: &str, body: &Value| {
            server.call("dynamodb", &format!("DynamoDBStreams_20120810.{operation}"), body)
        };
        let iterator = match self.shard.take() {
            Some(iterator) => iterator,
            None => {
                let shards = call("DescribeStream", &json!({ "StreamArn": self.stream }));
                let shard = text(&shards, "/StreamDescription/Shards/0/ShardId");
                let start = json!({ "StreamArn": self.stream, "ShardId": shard,
                    "ShardIteratorType": "TRIM_HORIZON" });
                text(&call("GetShardIterator", &start), "/ShardIterator")
            }
        };
        let got = call("GetRecords", &json!({ "ShardIterator": iterator }));
        self.shard = got.get("NextShardIterator").and_then(Value::as_str).map(str::to_owned);
        json!({ "Records": got["Records"] })
    }
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{value}: no text at {pointer}")).to_owned()
}
