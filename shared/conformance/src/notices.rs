//! What everything that tells people or carries events must do.

use std::sync::Arc;

use domain::pipeline::Channel;
use domain::{Actor, Digest, Draft, Envelope, Event, PipelineName, Time};
use ports::{Bus, Notice, Notices};

/// Every claim about notices, each on fresh ones.
pub async fn notices(make: impl AsyncFn() -> Arc<dyn Notices>) {
    a_notice_can_be_sent_again(&*make().await).await;
}

/// Every claim about the bus, each on a fresh one.
pub async fn bus(make: impl AsyncFn() -> Arc<dyn Bus>) {
    every_event_has_its_outcome(&*make().await).await;
    an_event_can_be_published_again(&*make().await).await;
}

fn pipeline() -> PipelineName {
    "conformance".parse().expect("a well-formed name")
}

fn at() -> Time {
    Time::from_millis(1_767_603_600_000)
}

/// The same notice twice, and notices with line breaks and all of Unicode, are sent to the file.
pub async fn a_notice_can_be_sent_again(notices: &dyn Notices) {
    for (place, text) in
        ["one line", "one line", "two\nlines \"quoted\" \u{1b}[31m 世界 😀"].iter().enumerate()
    {
        let notice = Notice {
            id: "same".into(),
            pipeline: pipeline(),
            kind: "ModelDeployed".into(),
            subject: "endpoint/conformance".into(),
            text: (*text).to_owned(),
            at: at(),
            sequence: place as u64 + 1,
            head: Digest::of(text.as_bytes()),
        };
        notices.send(&Channel::File, &notice).await.expect("a notice can be sent");
    }
}

fn events(count: u64) -> Vec<Envelope> {
    let draft = |id: u64| Draft {
        id: id.to_string(),
        event: Event::RetrainingRequested { reason: "Grüße 😀".into() },
        at: at(),
        as_of: None,
        actor: Actor::person("conformance"),
        cause: "cause".into(),
        correlation: "cause".into(),
        trace: None,
        clock: Default::default(),
    };
    let seal = |id| Envelope::seal(&draft(id), &pipeline(), id, None, Default::default());
    (1..=count).map(seal).collect()
}

/// None, one and ten events have as many outcomes.
pub async fn every_event_has_its_outcome(bus: &dyn Bus) {
    for count in [0, 1, 10] {
        let outcomes = bus.publish(&events(count)).await.expect("events can be published");
        assert_eq!(outcomes.len() as u64, count);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
}

/// Publishing an event again is no error.
pub async fn an_event_can_be_published_again(bus: &dyn Bus) {
    for _ in 0..2 {
        let outcomes = bus.publish(&events(2)).await.expect("events can be published");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
}
