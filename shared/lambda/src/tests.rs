//! What a function answers to each shape of event, over a handler that only remembers.

use std::sync::Mutex;

use async_trait::async_trait;
use domain::{Actor, Draft, Envelope, Event};
use ports::{Error, ErrorKind, Fault};

use super::*;

/// Remembers inputs, fails those of one pipeline, and never ends with those of another.
#[derive(Debug, Default)]
struct Memory(Mutex<Vec<(Input, Cx)>>);

#[async_trait]
impl Handler for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn handle(&self, cx: &Cx, input: &Input) -> Result<(), Fault> {
        self.0.lock().unwrap().push((input.clone(), cx.clone()));
        match input {
            Input::Event(event) if event.pipeline.as_str() == "busy" => {
                Err(Fault::Retry(Error::new(ErrorKind::Throttled, "publish: too fast")))
            }
            Input::Event(event) if event.pipeline.as_str() == "endless" => std::future::pending().await,
            Input::Tick { .. } => Err(Fault::Reject("nothing is ever right".into())),
            _ => Ok(()),
        }
    }
}

fn event(pipeline: &str, sequence: u64) -> Envelope {
    let draft = Draft {
        id: format!("{pipeline}-{sequence}"),
        event: Event::RetrainingRequested { reason: "news".into() },
        at: Time::from_millis(0),
        as_of: None,
        actor: Actor::person("ann"),
        cause: "cause".into(),
        correlation: "cause".into(),
        trace: None,
        clock: ClockKind::Real,
    };
    Envelope::seal(&draft, &pipeline.parse().unwrap(), sequence, None, Default::default())
}

fn record(number: u64, sort: &str, name: &str, value: &str) -> Value {
    json!({
        "eventID": number.to_string(), "eventName": name, "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"partition": {"S": "pipeline/taxi"}, "sort": {"S": sort}},
            "NewImage": {"partition": {"S": "pipeline/taxi"}, "sort": {"S": sort}, "version": {"N": "1"},
                "value": {"S": value}},
            "SequenceNumber": number.to_string(), "StreamViewType": "NEW_IMAGE",
        },
    })
}

/// The answer, and what the handler was handed.
fn answer(payload: &Value) -> (Result<Value, Failure>, Vec<(Input, Cx)>) {
    answer_by("2100-01-01".parse().unwrap(), payload)
}

/// The same where Lambda waits until then.
fn answer_by(deadline: Time, payload: &Value) -> (Result<Value, Failure>, Vec<(Input, Cx)>) {
    let mut context = Context::default();
    context.deadline = u64::try_from(deadline.millis()).unwrap();
    context.xray_trace_id = Some("Root=1-a-b".into());
    let memory = Memory::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let answer = runtime.block_on(Invocation::new(&memory, &context).answer(payload));
    (answer, memory.0.into_inner().unwrap())
}

#[test]
fn an_event_of_the_bus_reaches_the_handler_with_its_deadline_and_trace() {
    let sent = event("taxi", 1);
    let (told, seen) =
        answer(&json!({"source": "millrace", "detail-type": "RetrainingRequested", "detail": sent}));
    assert_eq!(told, Ok(json!({})));
    let [(Input::Event(seen), cx)] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(**seen, sent);
    assert_eq!(cx.deadline, "2100-01-01".parse().unwrap());
    assert_eq!(cx.trace.as_deref(), Some("Root=1-a-b"));
}

#[test]
fn every_failure_has_a_name_that_an_alarm_can_know() {
    let tick =
        json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": "2026-01-05T09:00:00Z"});
    let busy =
        json!({"source": "millrace", "detail-type": "RetrainingRequested", "detail": event("busy", 1)});
    let torn = json!({"source": "millrace", "detail-type": "RetrainingRequested", "detail": {"v": 1}});
    for (payload, kind, why) in [
        (tick, "Reject", "nothing is ever right"),
        (busy, "Retry", "publish: too fast"),
        (torn, "Malformed", "decode the event: detail of RetrainingRequested: missing field `id`"),
        (json!({"Records": [{"eventSource": "aws:s3"}]}), "Malformed", "decode the event: /source: missing"),
        (json!([]), "Malformed", "decode the event: /source: missing"),
    ] {
        let failure = answer(&payload).0.unwrap_err();
        assert_eq!((failure.kind, failure.why.as_str()), (kind, why));
    }
}

#[test]
fn only_the_records_that_failed_come_again() {
    let text = |pipeline, sequence| serde_json::to_string(&event(pipeline, sequence)).unwrap();
    let batch = json!({"Records": [
        record(1, "event/000000001", "INSERT", &text("taxi", 1)),
        record(2, "event/000000001", "INSERT", &text("busy", 1)),
        record(3, "part/000000001", "INSERT", "{}"),
        record(4, "event/000000002", "MODIFY", &text("taxi", 2)),
        record(5, "event/000000002", "REMOVE", &text("taxi", 2)),
        record(6, "event/000000003", "INSERT", "{torn"),
        record(7, "event/000000004", "INSERT", &text("taxi", 4)),
    ]});
    let (told, seen) = answer(&batch);
    assert_eq!(told, Ok(json!({"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "6"}]})));
    let seen: Vec<String> = seen.iter().map(|(input, _)| input.id()).collect();
    assert_eq!(seen, ["taxi-1", "busy-1", "taxi-4"]);
    assert_eq!(answer(&json!({"Records": []})).0, Ok(json!({"batchItemFailures": []})));
}

#[test]
fn what_outlasts_the_functions_time_is_let_go_and_answered_while_there_is_time() {
    let endless =
        json!({"source": "millrace", "detail-type": "RetrainingRequested", "detail": event("endless", 1)});
    let (told, seen) = answer_by(now().plus(ANSWER_MS + 1_000), &endless);
    let failure = told.unwrap_err();
    let expected = ("Deadline", "handle the event: the function's time is over");
    assert_eq!((failure.kind, failure.why.as_str()), expected);
    assert_eq!(seen.len(), 1);
}

#[test]
fn what_cannot_end_in_time_does_not_begin() {
    let text = |pipeline, sequence| serde_json::to_string(&event(pipeline, sequence)).unwrap();
    let batch = json!({"Records": [
        record(1, "event/000000001", "INSERT", &text("taxi", 1)),
        record(2, "event/000000001", "INSERT", &text("endless", 1)),
        record(3, "event/000000002", "INSERT", &text("taxi", 2)),
    ]});
    // The first is done, the second takes all the time there is, the third comes again.
    let (told, seen) = answer_by(now().plus(ANSWER_MS + 1_000), &batch);
    assert_eq!(told, Ok(json!({"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "3"}]})));
    let seen: Vec<String> = seen.iter().map(|(input, _)| input.id()).collect();
    assert_eq!(seen, ["taxi-1", "endless-1"]);
    let (told, seen) = answer_by(now(), &batch);
    let all = ["1", "2", "3"].map(|number| json!({"itemIdentifier": number}));
    assert_eq!((told, seen), (Ok(json!({"batchItemFailures": all})), vec![]));
}
