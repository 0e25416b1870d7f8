//! That a request carries who asks, that a lost answer is asked for again under the same id, and
//! that a refusal is told whole; against a server of a few lines on this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use serde_json::json;

use super::*;

/// A request as it came over the wire.
struct Seen {
    first: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// What the server does with a connection.
enum Act {
    Answer(u16, Value),
    HangUp,
}

fn read(stream: &TcpStream) -> Seen {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let first = line.trim().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut seen = Seen { first, headers, body: Vec::new() };
    let length = seen.header("content-length").parse().unwrap_or(0);
    seen.body = vec![0; length];
    reader.read_exact(&mut seen.body).unwrap();
    seen
}

/// A data directory whose server does one act for each connection, in order.
fn served(acts: Vec<Act>) -> (tempfile::TempDir, JoinHandle<Vec<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let data = announced(&address);
    let server = std::thread::spawn(move || {
        let mut seen = Vec::new();
        for act in acts {
            let (mut stream, _) = listener.accept().unwrap();
            seen.push(read(&stream));
            if let Act::Answer(status, body) = act {
                let body = body.to_string();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
                     x-amzn-sagemaker-inference-id: q-9\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
        seen
    });
    (data, server)
}

fn announced(address: &str) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let announcement = json!({ "address": address, "pid": 1, "virtual": false, "demo": true });
    std::fs::write(data.path().join("server.json"), announcement.to_string()).unwrap();
    std::fs::write(data.path().join("token"), "secret\n").unwrap();
    data
}

fn name() -> domain::PipelineName {
    "home".parse().unwrap()
}

#[test]
fn a_request_says_who_asks_and_what() {
    let (data, server) = served(vec![Act::Answer(202, json!({ "accepted": true }))]);
    let client = Client::open(data.path(), Some("bianca")).unwrap();
    client.approve(&name(), 2, "better", None).unwrap();
    let seen = server.join().unwrap();
    assert_eq!(seen[0].first, "POST /api/pipelines/home/models/2/approve HTTP/1.1");
    assert_eq!(seen[0].header("authorization"), "Bearer secret");
    assert_eq!(seen[0].header("x-millrace-as"), "bianca");
    assert!(!seen[0].header("x-millrace-request").is_empty());
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body, json!({ "reason": "better", "binding": null }));
}

#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_id() {
    let granted = || Act::Answer(202, json!({}));
    let acts = vec![Act::HangUp, Act::Answer(503, json!({ "error": "busy" })), granted(), granted()];
    let (data, server) = served(acts);
    let client = Client::open(data.path(), None).unwrap();
    client.train(&name(), "why").unwrap();
    client.train(&name(), "why").unwrap();
    let seen = server.join().unwrap();
    let ids: Vec<&str> = seen.iter().map(|seen| seen.header("x-millrace-request")).collect();
    assert_eq!((ids[0], ids[1]), (ids[1], ids[2]));
    assert_ne!(ids[2], ids[3], "another request is another request");
    assert_eq!(seen[0].header("x-millrace-as"), "");
}

#[test]
fn an_upload_gets_a_ticket_and_then_its_bytes_whole_in_its_place() {
    let ticket = json!({ "upload": "1f", "path": "home/as_of=2026-01-31T00:00:00.000Z/1f/q 1.csv" });
    let acts = vec![Act::Answer(201, ticket), Act::HangUp, Act::Answer(201, json!({ "bytes": 300_000 }))];
    let (data, server) = served(acts);
    let client = Client::open(data.path(), None).unwrap();
    let file = data.path().join("q 1.csv");
    let bytes = "0123456789".repeat(30_000);
    std::fs::write(&file, &bytes).unwrap();
    let gone = Cell::new(0);
    let sent = |bytes| gone.set(bytes);
    let as_of = Some("2026-01-31".parse().unwrap());
    let ticket = client.upload(&name(), Upload::of_file(&file, as_of, &sent).unwrap()).unwrap();
    assert_eq!((ticket.upload.as_str(), gone.get()), ("1f", 300_000));
    let seen = server.join().unwrap();
    let asked: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(asked, json!({ "file": "q 1.csv", "as_of": "2026-01-31T00:00:00.000Z" }));
    for put in &seen[1..] {
        assert_eq!(
            put.first,
            "PUT /incoming/home/as_of%3D2026-01-31T00%3A00%3A00.000Z/1f/q%201.csv HTTP/1.1"
        );
        assert!(put.body == bytes.as_bytes(), "every attempt sends the whole file");
    }
}

#[test]
fn a_refusal_is_told_with_its_status_and_is_not_asked_again() {
    let problem = json!({ "file": "p.yaml", "line": 3, "rule": "unknown field", "found": "\"x\"" });
    let no = json!({ "error": "p.yaml…", "problems": [problem] });
    let (data, server) = served(vec![Act::Answer(422, no)]);
    let client = Client::open(data.path(), None).unwrap();
    let failure = client.apply(&json!({})).unwrap_err();
    assert_eq!(failure.status(), Some(422));
    assert_eq!(failure.to_string(), "p.yaml:3: unknown field: found \"x\"");
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn an_invocation_is_never_sent_twice() {
    let (data, server) = served(vec![Act::HangUp, Act::Answer(200, json!([1.5]))]);
    let client = Client::open(data.path(), None).unwrap();
    let asked = Invocation { content_type: "text/csv", inference_id: Some("q-9"), body: b"1,2\n" };
    assert!(matches!(client.invoke("home", asked), Err(Failure::Unreachable(_))));
    let prediction = client.invoke("home", asked).unwrap();
    assert_eq!(
        (prediction.body.as_slice(), prediction.inference_id.as_deref()),
        (&b"[1.5]"[..], Some("q-9"))
    );
    let seen = server.join().unwrap();
    assert_eq!(seen[1].first, "POST /endpoints/home/invocations HTTP/1.1");
    assert_eq!(seen[1].header("x-amzn-sagemaker-inference-id"), "q-9");
    assert_eq!((seen[1].header("content-type"), seen[1].body.as_slice()), ("text/csv", &b"1,2\n"[..]));
}

#[test]
fn an_upload_is_waited_for_until_its_fate_is_there() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let fate = json!({
        "id": "1f", "file": "q.csv", "path": "a/q.csv", "content": digest, "bytes": 1, "by": "person:ana",
        "at": "2026-01-01", "as_of": "2026-01-01", "fate": { "state": "accepted", "part": 4 },
        "rows_read": 2, "rows_bad": 0, "report": null, "report_json": null, "quarantine": null,
    });
    let not_yet = || Act::Answer(404, json!({ "error": "home has no 1f among its uploads" }));
    let (data, server) = served(vec![not_yet(), not_yet(), Act::Answer(200, fate), not_yet()]);
    let client = Client::open(data.path(), None).unwrap();
    let upload = client.wait_for_upload(&name(), "1f", Patience::default()).unwrap();
    assert_eq!(upload.fate, domain::row::Fate::Accepted { part: 4 });
    let overdue = client.wait_for_upload(&name(), "1f", Patience(Some(Duration::ZERO)));
    assert!(matches!(overdue, Err(Failure::Overdue(_))));
    assert_eq!(server.join().unwrap()[0].first, "GET /api/pipelines/home/uploads/1f HTTP/1.1");
}

#[test]
fn where_nobody_serves_it_is_said_how_to_start() {
    let empty = tempfile::tempdir().unwrap();
    let told = Client::open(empty.path(), None).unwrap_err().to_string();
    assert!(told.contains("no Millrace serves") && told.contains("millrace up --data"), "{told}");
    // A port that was free a moment ago: the server was killed and could not say goodbye.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let data = announced(&address);
    let told = Client::open(data.path(), None).unwrap().runtime().unwrap_err().to_string();
    assert!(told.contains("nobody answers") && told.contains("millrace up --data"), "{told}");
}

#[test]
fn a_token_goes_to_this_machine_only_and_a_name_stays_one_header() {
    for address in ["10.0.0.1:80", "example.com:80", "127.0.0.1", "", "[::]:80"] {
        let told = Client::open(announced(address).path(), None).unwrap_err().to_string();
        assert!(told.contains("one of this machine"), "{address}: {told}");
    }
    assert!(Client::open(announced("[::1]:80").path(), None).is_ok());
    let data = announced("127.0.0.1:80");
    for person in ["", " ", "a ", "a\r\nx-evil: 1", "é"] {
        assert!(Client::open(data.path(), Some(person)).is_err(), "{person:?}");
    }
    std::fs::write(data.path().join("server.json"), "{").unwrap();
    assert!(Client::open(data.path(), None).unwrap_err().to_string().contains("server.json"));
}

#[test]
fn no_two_commands_share_an_id() {
    let ids: std::collections::BTreeSet<String> = (0..1_000).map(|_| minted()).collect();
    assert_eq!(ids.len(), 1_000);
}
