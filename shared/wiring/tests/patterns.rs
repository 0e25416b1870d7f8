//! Event patterns against events: the examples of the EventBridge user guide ("Creating Amazon
//! EventBridge event patterns", "Comparison operators", "Arrays") and of Event Ruler's README.

use serde_json::{Value, json};
use wiring::Pattern;

fn check(event: &Value, cases: &[(Value, bool)]) {
    for (pattern, expected) in cases {
        let parsed = Pattern::parse(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
        assert_eq!(parsed.matches(event), *expected, "{pattern} against {event}");
    }
}

/// The sample event of Event Ruler's README.
fn sample() -> Value {
    json!({
        "version": "0",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "time": "2017-10-02T16:24:49Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ec2:us-east-1:012345679012:instance/i-000000aaaaaa00000"],
        "detail": {
            "c-count": 5,
            "d-count": 3,
            "x-limit": 301.8,
            "source-ip": "10.0.0.33",
            "instance-id": "i-000000aaaaaa00000",
            "state": "running"
        }
    })
}

#[test]
fn every_field_must_fit_and_any_value_of_it() {
    check(
        &sample(),
        &[
            (
                json!({
                    "detail-type": ["EC2 Instance State-change Notification"],
                    "resources": ["arn:aws:ec2:us-east-1:012345679012:instance/i-000000aaaaaa00000"],
                    "detail": {"state": ["initializing", "running"]}
                }),
                true,
            ),
            (json!({"source": ["aws.ec2"], "detail": {"state": ["terminated"]}}), false),
            (json!({"source": ["aws.s3"], "detail": {"state": ["running"]}}), false),
            (json!({"detail": {"c-count": [5]}}), true),
            (json!({"detail": {"c-count": ["5"]}}), false),
            (json!({"detail": {"state": {"deeper": ["running"]}}}), false),
            (json!({"detail": ["running"]}), false),
        ],
    );
}

#[test]
fn texts_are_compared_by_their_ends() {
    check(
        &sample(),
        &[
            (json!({"time": [{"prefix": "2017-10-02"}]}), true),
            (json!({"time": [{"prefix": "2018"}]}), false),
            (json!({"source": [{"suffix": "ec2"}]}), true),
            (json!({"source": [{"suffix": ".png"}]}), false),
            (json!({"detail": {"c-count": [{"prefix": "5"}]}}), false),
        ],
    );
}

#[test]
fn anything_but_needs_a_value_that_is_something_else() {
    check(
        &sample(),
        &[
            (json!({"detail": {"state": [{"anything-but": "initializing"}]}}), true),
            (json!({"detail": {"state": [{"anything-but": "running"}]}}), false),
            (json!({"detail": {"x-limit": [{"anything-but": 123}]}}), true),
            (json!({"detail": {"c-count": [{"anything-but": 5.0}]}}), false),
            (json!({"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}}), true),
            (json!({"detail": {"state": [{"anything-but": ["stopped", "running"]}]}}), false),
            (json!({"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}), true),
            (json!({"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}), true),
            (json!({"detail": {"state": [{"anything-but": {"prefix": "run"}}]}}), false),
            (json!({"detail": {"state": [{"anything-but": {"suffix": "ing"}}]}}), false),
            (json!({"detail": {"absent": [{"anything-but": "x"}]}}), false),
        ],
    );
}

#[test]
fn numbers_are_compared_as_numbers() {
    check(
        &sample(),
        &[
            (
                json!({"detail": {
                    "c-count": [{"numeric": [">", 0, "<=", 5]}],
                    "d-count": [{"numeric": ["<", 10]}],
                    "x-limit": [{"numeric": ["=", 3.018e2]}]
                }}),
                true,
            ),
            (json!({"detail": {"c-count": [{"numeric": [">", 5]}]}}), false),
            (json!({"detail": {"c-count": [{"numeric": [">=", 5]}]}}), true),
            (json!({"detail": {"c-count": [{"numeric": [">", 0, "<", 5]}]}}), false),
            (json!({"detail": {"state": [{"numeric": [">", 0]}]}}), false),
            (json!({"detail": {"absent": [{"numeric": ["<", 10]}]}}), false),
        ],
    );
}

#[test]
fn presence_is_asked_of_leaves_alone() {
    check(
        &sample(),
        &[
            (json!({"detail": {"c-count": [{"exists": true}]}}), true),
            (json!({"detail": {"c-count": [{"exists": false}]}}), false),
            (json!({"detail": {"absent": [{"exists": true}]}}), false),
            (json!({"detail": {"absent": [{"exists": false}]}}), true),
            (json!({"absent": {"deeper": [{"exists": false}]}}), true),
            (json!({"detail": [{"exists": true}]}), false),
        ],
    );
    // "c-count is not a leaf node", so as a leaf it is absent.
    let inner = json!({"detail": {"state": "running", "c-count": {"c1": 100}}});
    check(&inner, &[(json!({"detail": {"c-count": [{"exists": false}]}}), true)]);
}

#[test]
fn null_and_nothing_and_the_empty_text_differ() {
    let event = json!({"detail": {"UserID": null, "LastName": "", "eventVersion": "1"}});
    check(
        &event,
        &[
            (json!({"detail": {"UserID": [null]}}), true),
            (json!({"detail": {"UserID": [{"exists": true}]}}), true),
            (json!({"detail": {"LastName": [""]}}), true),
            (json!({"detail": {"UserID": [""]}}), false),
            (json!({"detail": {"LastName": [null]}}), false),
            (json!({"detail": {"absent": [null]}}), false),
        ],
    );
}

#[test]
fn an_array_fits_if_it_shares_a_value() {
    let event = json!({"resources": [
        "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:eb56d16b:autoScalingGroupName/ASGTerminate",
        "arn:aws:ec2:us-east-1:123456789012:instance/i-b188560f"
    ]});
    check(
        &event,
        &[
            (
                json!({"resources": [
                    "arn:aws:ec2:us-east-1:123456789012:instance/i-b188560f",
                    "arn:aws:ec2:us-east-1:111122223333:instance/i-b188560f",
                    "arn:aws:ec2:us-east-1:444455556666:instance/i-b188560f"
                ]}),
                true,
            ),
            (json!({"resources": ["arn:aws:ec2:us-east-1:111122223333:instance/i-b188560f"]}), false),
            (json!({"resources": [{"prefix": "arn:aws:ec2:"}]}), true),
        ],
    );
    check(&json!({"resources": []}), &[(json!({"resources": [{"exists": false}]}), true)]);
}

#[test]
fn fields_of_one_element_must_fit_together() {
    let event = json!({"employees": [
        [{"firstName": "John", "lastName": "Doe"}, {"firstName": "Anna", "lastName": "Smith"}],
        [{"firstName": "Peter", "lastName": "Jones", "age": 40}]
    ]});
    check(
        &event,
        &[
            (json!({"employees": {"firstName": ["Anna"]}}), true),
            (json!({"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}), true),
            (json!({"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}), false),
            (json!({"employees": {"age": [{"exists": true}]}}), true),
            (json!({"employees": {"age": [{"exists": false}]}}), false),
        ],
    );
}

#[test]
fn the_stream_filter_takes_new_events_alone() {
    let filter =
        json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sort": {"S": [{"prefix": "event/"}]}}}});
    let change = |name: &str, sort: &str| {
        json!({"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": {
            "Keys": {"partition": {"S": "pipeline/taxi"}, "sort": {"S": sort}}, "StreamViewType": "NEW_IMAGE"}})
    };
    let pattern = Pattern::parse(&filter).unwrap();
    assert!(pattern.matches(&change("INSERT", "event/000000001")));
    assert!(!pattern.matches(&change("MODIFY", "event/000000001")));
    assert!(!pattern.matches(&change("INSERT", "run/1f")));
}

#[test]
fn what_is_not_executed_is_refused_by_name() {
    for (pattern, complaint) in [
        (json!([]), "the pattern: expected fields, found []"),
        (json!({}), "the pattern: expected at least one field, found none"),
        (json!({"source": "aws.s3"}), "source: expected a list of values or fields, found \"aws.s3\""),
        (json!({"source": []}), "source: expected at least one value, found an empty list"),
        (json!({"detail": {}}), "detail: expected at least one field, found none"),
        (json!({"detail": {"a": [["x"]]}}), "detail.a: expected a value or an operator"),
        (json!({"a": [{"equals-ignore-case": "x"}]}), "a: equals-ignore-case: this operator is not executed"),
        (json!({"a": [{"wildcard": "x*"}]}), "a: wildcard: this operator is not executed"),
        (json!({"a": [{"cidr": "10.0.0.0/24"}]}), "a: cidr: this operator is not executed"),
        (json!({"$or": [{"a": [1]}, {"b": [2]}]}), "$or: the operator \"$or\" is not executed"),
        (json!({"a": [{"prefix": {"equals-ignore-case": "x"}}]}), "a: prefix: expected a text"),
        (json!({"a": [{"prefix": "x", "suffix": "y"}]}), "a: expected one operator"),
        (json!({"a": [{"exists": "yes"}]}), "a: exists: expected true or false"),
        (json!({"a": [{"anything-but": [1, "x"]}]}), "a: anything-but: expected a text, a number, or a list"),
        (json!({"a": [{"anything-but": []}]}), "a: anything-but: expected"),
        (json!({"a": [{"anything-but": {"wildcard": "x"}}]}), "a: anything-but: within it only prefix"),
        (json!({"a": [{"numeric": []}]}), "a: numeric: expected a comparison"),
        (json!({"a": [{"numeric": ["<"]}]}), "a: numeric: expected a comparison"),
        (json!({"a": [{"numeric": ["!", 1]}]}), "a: numeric: expected a comparison"),
        (json!({"a": [{"numeric": ["<", 5, ">", 1]}]}), "a: numeric: expected a comparison"),
        (json!({"a": [{"numeric": [">", 5, "<", 1]}]}), "a: numeric: expected a comparison"),
        (json!({"a": [{"numeric": ["=", 6e9]}]}), "a: numeric: expected a number from -5e9 to 5e9"),
    ] {
        let found = Pattern::parse(&pattern).unwrap_err();
        assert!(found.starts_with(complaint), "{pattern}: {found}");
    }
}
