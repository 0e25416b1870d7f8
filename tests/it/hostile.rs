//! What a server makes of requests that were not sent by anyone of ours, and of declarations that
//! are wrong: a clear no, and nothing recorded.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::bad::marked_text;
use crate::command::root;
use crate::http::Address;
use crate::server::Server;

const CLOCK: &str = "2026-01-01T00:00:00Z";

/// Sends bytes as they are; answers the first line and everything that came back.
fn sent(address: &Address, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(&address.host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A server that refuses a body may close before it has read all of it.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.lines().next().unwrap_or_default().to_owned(), answer)
}

#[test]
fn requests_of_strangers_are_refused_and_leave_nothing() {
    let server = Server::fresh(CLOCK);
    let address = server.address();
    let (host, token) = (address.host.as_str(), address.token());
    let own = format!("Authorization: Bearer {token}\r\n");
    let get = |host: &str, more: &str| {
        format!("GET /api/status HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n")
    };
    let put = |more: &str| {
        format!(
            "PUT /incoming/p/u/a.csv HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\nContent-Length: 4\r\n\r\na,b\n"
        )
    };
    let cases = [
        ("the owner", get(host, &own), "200"),
        ("nobody", get(host, ""), "401"),
        ("a wrong token", get(host, "Authorization: Bearer 0123\r\n"), "401"),
        ("a longer token", get(host, &format!("Authorization: Bearer {token}0\r\n")), "401"),
        ("another host's name, as a page that rebinds a name sends it", get("evil.example", &own), "421"),
        ("no host", "GET /api/status HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "4"),
        ("another page", get(host, &format!("{own}Origin: http://evil.example\r\n")), "403"),
        ("a page of no origin", get(host, &format!("{own}Origin: null\r\n")), "403"),
        ("an upload of nobody", put(""), "401"),
        ("an upload out of another page", put(&format!("{own}Origin: http://evil.example\r\n")), "403"),
        (
            "a huge body",
            format!(
                "POST /api/labels HTTP/1.1\r\nHost: {host}\r\n{own}Content-Length: 99999999999\r\nConnection: close\r\n\r\n"
            ),
            "413",
        ),
        (
            "a huge body for a model",
            format!(
                "POST /endpoints/p/invocations HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n"
            ),
            "413",
        ),
        ("no HTTP", "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
        (
            "a head without end",
            format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n{own}\r\n", "x".repeat(1 << 20)),
            "4",
        ),
        (
            "a path out of the directory",
            format!(
                "PUT /incoming/p/../../token HTTP/1.1\r\nHost: {host}\r\n{own}Connection: close\r\nContent-Length: 1\r\n\r\nx"
            ),
            "4",
        ),
    ];
    for (who, request, status) in cases {
        let (line, answer) = sent(&address, &request);
        let told = line.strip_prefix("HTTP/1.1 ").unwrap_or(&line);
        assert!(told.starts_with(status), "{who}: {line}\n{answer}");
        assert!(!answer.contains(token), "{who}: the token was told");
    }
    let incoming: Vec<_> = walk(&server.data().join("incoming"));
    assert!(incoming.is_empty(), "{incoming:?}");
    assert_eq!(server.get("/api/status")["pipelines"], serde_json::json!([]));
}

#[test]
fn a_body_that_stops_coming_keeps_nobody_waiting_and_leaves_nothing() {
    let server = Server::fresh(CLOCK);
    let address = server.address();
    let head = format!(
        "PUT /incoming/p/u/a.csv HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: 1000\r\n\r\nid,",
        address.host,
        address.token()
    );
    let stalled: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(&address.host).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(server.get("/api/status")["pipelines"], serde_json::json!([]));
    drop(stalled);
    let incoming = || walk(&server.data().join("incoming"));
    server.until("the end of broken uploads", || incoming().is_empty().then_some(()));
}

/// Every file below a directory but the locks.
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => found.extend(walk(&entry.path())),
            false if entry.file_name() == "lock" => {}
            false => found.push(entry.path()),
        }
    }
    found
}

#[test]
fn each_mistake_of_a_declaration_is_pointed_at_and_nothing_is_recorded() {
    let server = Server::fresh(CLOCK);
    let place = server.data().parent().unwrap().to_owned();
    let example = root().join("examples/home-insurance");
    std::fs::copy(example.join("contract.yaml"), place.join("contract.yaml")).unwrap();
    let right = std::fs::read_to_string(example.join("pipeline.yaml")).unwrap();
    let cases = [
        ("problem: regression", "problem: regresion", "pipeline.yaml:6:", "regresion"),
        ("target: claim_cost", "target: claim_costs", "pipeline.yaml:5:9:", "claim_costs"),
        ("entity: [quote_id]", "entity: [quote]", "pipeline.yaml:7:9:", "[quote]"),
        ("withhold: [quoted_at]", "withhold: [quoted_at, when]", "pipeline.yaml:9:11:", "[quoted_at, when]"),
        ("test: 0.2", "test: 2", "pipeline.yaml:10:", "2"),
        ("age: 2026 - build_year", "age: 2026 - built", "pipeline.yaml:12:", "2026 - built"),
        ("program: boost", "programm: boost", "pipeline.yaml:16:", "programm"),
        ("minimum_rows: 1000", "minimum_rows: many", "pipeline.yaml:19:", "many"),
        ("approvers: [bianca, carlos]", "approvers: []", "pipeline.yaml:22:", "[]"),
        ("name: home-insurance", "name: Home Insurance", "pipeline.yaml:2:7:", "Home Insurance"),
        ("confidence: 0.95", "confidence: 95", "pipeline.yaml:20:", "95"),
        ("four_eyes: true", "four_eyes: yes", "pipeline.yaml:23:", "yes"),
    ];
    for (good, wrong, told, marked) in cases {
        let text = right.replacen(good, wrong, 1);
        assert_ne!(text, right, "{good}");
        std::fs::write(place.join("pipeline.yaml"), text).unwrap();
        let ran = server.ask("ann", &["apply", "pipeline.yaml"]);
        assert_eq!(ran.code, 1, "{wrong}: {}", ran.out);
        assert!(ran.err.contains(told), "{wrong}: {}", ran.err);
        let points = marked_text(&ran.err).is_some_and(|text| text.starts_with(marked));
        assert!(points, "{wrong}: {}", ran.err);
    }
    assert_eq!(server.get("/api/status")["pipelines"], serde_json::json!([]));
}
