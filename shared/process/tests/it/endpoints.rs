//! Do endpoints answer, switch, come back and capture as they are to?

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use ports::endpoints::Capture;
use ports::{EndpointSpec, EndpointState, Endpoints, ErrorKind, ProgramSpec};
use process::{Invocation, ServerOptions, Servers};
use serde_json::Value;

use crate::setting::{Setting, eventually, path, program};

fn spec(setting: &Setting, config: &str, capture: Capture) -> EndpointSpec {
    let artifact = setting.model(&format!("models/{config}"), config);
    EndpointSpec { name: "taxi".into(), config: config.into(), program: program(), artifact, capture }
}

fn put(setting: &Setting, servers: &Servers, config: &str) {
    block_on(servers.put(&spec(setting, config, Capture::Nothing))).unwrap();
}

fn ask(servers: &Servers, body: &str) -> Result<String, ErrorKind> {
    let reply = block_on(servers.invoke("taxi", "text/csv", body.to_owned().into()));
    reply.map(|reply| String::from_utf8(reply.body.to_vec()).unwrap()).map_err(|error| error.kind())
}

fn serving(servers: &Servers) -> Option<String> {
    block_on(servers.status("taxi")).unwrap().unwrap().serving
}

fn invocation(body: &str) -> Invocation {
    Invocation {
        name: "taxi".into(),
        content_type: "text/csv".into(),
        accept: Some("text/csv".into()),
        inference_id: None,
        custom_attributes: None,
        body: body.to_owned().into(),
    }
}

#[test]
fn endpoints_conform() {
    let settings = RefCell::new(Vec::new());
    for run in ["program.py", "no-such-program"] {
        let make = async || {
            let setting = Setting::new();
            let servers = Servers::open(setting.endpoints()).unwrap();
            let mut spec = spec(&setting, "m", Capture::Nothing);
            if let ProgramSpec::Command { run: words, .. } = &mut spec.program {
                words[1] = run.into();
            }
            settings.borrow_mut().push(setting);
            (Arc::new(servers) as Arc<dyn Endpoints>, spec)
        };
        block_on(conformance::endpoints::endpoints(make));
    }
}

#[test]
fn no_request_fails_while_an_endpoint_switches() {
    let setting = Setting::new();
    let servers = Servers::open(setting.endpoints()).unwrap();
    put(&setting, &servers, "one");
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answer = ask(&servers, "7,x\n").expect("every request is answered");
                    assert!(answer == "one:7\n" || answer == "two:7\n", "{answer}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        put(&setting, &servers, "two");
        assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
        assert_eq!(serving(&servers).as_deref(), Some("two"));
        let before = asked.load(Ordering::Relaxed);
        // Until well after the old one was asked to end.
        eventually(|| (asked.load(Ordering::Relaxed) > before + 200).then_some(()));
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(ask(&servers, "7,x\n").as_deref(), Ok("two:7\n"));
}

#[test]
fn what_cannot_be_brought_up_leaves_the_one_before() {
    let setting = Setting::new();
    let options = ServerOptions { ping_deadline: Duration::from_secs(60), ..setting.endpoints() };
    let servers = Servers::open(options).unwrap();
    put(&setting, &servers, "good");
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    put(&setting, &servers, "broken");
    assert_eq!(setting.told(), ("taxi".into(), "FAILED".into()));
    let status = block_on(servers.status("taxi")).unwrap().unwrap();
    assert_eq!(status.serving.as_deref(), Some("good"));
    let reason = "exited with code 1: this model cannot be read".into();
    assert_eq!(status.state, EndpointState::Failed { reason });
    assert_eq!(ask(&servers, "1\n").as_deref(), Ok("good:1\n"));
    put(&setting, &servers, "good");
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    assert_eq!(block_on(servers.status("taxi")).unwrap().unwrap().state, EndpointState::InService);
}

#[test]
fn a_server_that_never_answers_a_ping_has_failed() {
    let setting = Setting::new();
    let options = ServerOptions { ping_deadline: Duration::from_millis(1), ..setting.endpoints() };
    let servers = Servers::open(options).unwrap();
    put(&setting, &servers, "silent");
    assert_eq!(setting.told(), ("taxi".into(), "FAILED".into()));
    assert_eq!(ask(&servers, "1\n"), Err(ErrorKind::Unavailable));
}

#[test]
fn a_server_that_died_is_started_again() {
    let setting = Setting::new();
    let servers = Servers::open(setting.endpoints()).unwrap();
    put(&setting, &servers, "m");
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    for _ in 0..2 {
        let first = ask(&servers, "pid\n").unwrap();
        assert_eq!(ask(&servers, "die\n"), Err(ErrorKind::Unavailable));
        assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
        assert_ne!(ask(&servers, "pid\n").unwrap(), first);
    }
}

#[test]
fn a_server_that_hangs_without_dying_is_ended_and_started_again() {
    let setting = Setting::new();
    let options = ServerOptions {
        ping_every: Duration::from_millis(10),
        silence_max: Duration::from_secs(1),
        ..setting.endpoints()
    };
    let servers = Servers::open(options).unwrap();
    put(&setting, &servers, "m");
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    let first = ask(&servers, "pid\n").unwrap();
    // It stops where it stands: connections are still taken, and nothing is ever answered.
    assert_eq!(ask(&servers, "hang\n"), Err(ErrorKind::Unavailable));
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    assert_ne!(ask(&servers, "pid\n").unwrap(), first);
}

#[test]
fn what_served_serves_again_when_its_owner_is_back_and_ends_with_it() {
    let setting = Setting::new();
    let servers = Servers::open(setting.endpoints()).unwrap();
    put(&setting, &servers, "m");
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    let process = format!("/proc/{}", ask(&servers, "pid\n").unwrap().trim());
    drop(servers);
    if cfg!(target_os = "linux") {
        assert!(!std::path::Path::new(&process).exists(), "it ends with its owner");
    }
    let servers = Servers::open(setting.endpoints()).unwrap();
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    assert_eq!(ask(&servers, "1\n").as_deref(), Ok("m:1\n"));
    block_on(servers.delete("taxi")).unwrap();
    drop(servers);
    let servers = Servers::open(setting.endpoints()).unwrap();
    assert_eq!(block_on(servers.status("taxi")).unwrap(), None, "what was deleted stays so");
}

#[test]
fn requests_are_captured_with_the_ids_that_labels_will_name() {
    let setting = Setting::new();
    let servers = Servers::open(setting.endpoints()).unwrap();
    block_on(servers.put(&spec(&setting, "m", Capture::All))).unwrap();
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    let answer = servers.answer(invocation("1,a\n2,b\n")).unwrap();
    assert_eq!(
        (answer.status, answer.variant, &answer.body[..]),
        (200, "AllTraffic", b"m:1\nm:2\n".as_slice())
    );
    let given = Invocation {
        inference_id: Some("trip-7".into()),
        custom_attributes: Some("k=v".into()),
        ..invocation("headers\n")
    };
    let told = servers.answer(given).unwrap();
    assert_eq!((told.inference_id.as_str(), &told.body[..]), ("trip-7", b"trip-7 k=v\n".as_slice()));
    let refused = servers.answer(invocation("refuse\n")).unwrap();
    assert_eq!((refused.status, &refused.body[..]), (400, b"that row is none\n".as_slice()));
    assert_eq!(ask(&servers, "3,c\n").as_deref(), Ok("m:3\n"));

    let captured = setting.blobs.text(&path("capture/taxi/AllTraffic/2026/11/23/09/m.jsonl"));
    let lines: Vec<Value> = captured.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "neither refusals nor what is asked through the port");
    let (first, second) = (&lines[0], &lines[1]);
    assert_eq!(first["captureData"]["endpointInput"]["data"], "1,a\n2,b\n");
    assert_eq!(first["captureData"]["endpointOutput"]["data"], "m:1\nm:2\n");
    assert_eq!(first["eventMetadata"]["inferenceId"], answer.inference_id.as_str());
    assert_eq!(first["eventMetadata"]["inferenceTime"], "2026-11-23T09:00:00.000Z");
    assert_eq!(second["eventMetadata"]["inferenceId"], "trip-7");
}

#[test]
fn what_cannot_be_asked_is_refused_by_name() {
    let setting = Setting::new();
    let servers = Servers::open(setting.endpoints()).unwrap();
    let kind = |request: Invocation| servers.answer(request).map(|_| ()).map_err(|error| error.kind());
    assert_eq!(kind(invocation("1\n")), Err(ErrorKind::NotFound));
    put(&setting, &servers, "m");
    assert_eq!(setting.told(), ("taxi".into(), "IN_SERVICE".into()));
    let large = Bytes::from(vec![b'1'; domain::limit::INVOCATION_BYTES_MAX + 1]);
    assert_eq!(kind(Invocation { body: large, ..invocation("") }), Err(ErrorKind::TooLarge));
    let broken = Invocation { inference_id: Some("a\nb".into()), ..invocation("1\n") };
    assert_eq!(kind(broken), Err(ErrorKind::Invalid));
    let unnamed = EndpointSpec { config: "../x".into(), ..spec(&setting, "m", Capture::All) };
    let refused = block_on(servers.put(&unnamed)).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::Invalid));
}
