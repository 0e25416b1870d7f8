//! What a cancelled transaction means, by the reasons DynamoDB gives in their order.

use ports::{Commit, Committed, ErrorKind, Write};
use serde_json::json;

use super::*;

fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
    codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
}

/// A commit of two rows and one event: its transaction is mark, row, row, event, head.
fn commit() -> Commit {
    let pipeline: domain::PipelineName = "taxi".parse().unwrap();
    let write = |id| Write::insert(Key::waiting(&pipeline, "ingest", id), &json!(1));
    Commit {
        id: "c".into(),
        writes: vec![write("a"), Write::update(Key::waiting(&pipeline, "ingest", "b"), 3, &json!(2))],
        events: Vec::new(),
        at: Time::from_millis(0),
        pipeline,
    }
}

fn told(codes: &[&str]) -> String {
    match verdict(&commit(), &reasons(codes)) {
        Verdict::Committed(Committed::Before) => "before".into(),
        Verdict::Committed(Committed::Now) => "now".into(),
        Verdict::Refused(error) => format!("{error:?}"),
        Verdict::Again(error) => {
            assert_eq!(error.kind(), ErrorKind::Throttled);
            "again".into()
        }
    }
}

#[test]
fn reasons_are_read_in_the_order_of_the_actions() {
    const NO: &str = "None";
    const FAILED: &str = "ConditionalCheckFailed";
    const HELD: &str = "TransactionConflict";
    for (codes, expected) in [
        ([FAILED, NO, NO, NO, NO], "before"),
        // The mark decides, whatever else has changed since.
        ([FAILED, FAILED, FAILED, FAILED, FAILED], "before"),
        ([HELD, FAILED, NO, NO, NO], "again"),
        ([NO, NO, NO, NO, FAILED], "again"),
        ([NO, NO, NO, FAILED, FAILED], "again"),
        ([NO, HELD, NO, NO, HELD], "again"),
        ([NO, NO, NO, NO, "ThrottlingError"], "again"),
        ([NO, "ProvisionedThroughputExceeded", NO, NO, NO], "again"),
        ([NO, FAILED, NO, NO, FAILED], "Conflict: commit c: pipeline/taxi/waiting/ingest/a: expected no row"),
        (
            [NO, NO, FAILED, NO, HELD],
            "Conflict: commit c: pipeline/taxi/waiting/ingest/b: expected version 3",
        ),
        ([NO, NO, "ValidationError", NO, FAILED], "Invalid: commit c: ValidationError "),
        (
            [NO, "ItemCollectionSizeLimitExceeded", NO, NO, NO],
            "TooLarge: commit c: ItemCollectionSizeLimitExceeded ",
        ),
    ] {
        assert_eq!(told(&codes), expected, "{codes:?}");
    }
}
