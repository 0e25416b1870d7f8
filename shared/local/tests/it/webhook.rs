//! Whether a webhook gets what it can verify, and whether its answers are understood.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use domain::Time;
use domain::pipeline::Channel;
use futures::executor::block_on;
use local::{Clock, Outlet};
use ports::{Error, ErrorKind, Notice, Notices};

use crate::outlet::{BODY, notice};

const SECRET: &str = "s3cret, not told";

/// A request as it came in: the first line, the headers in lower case, the body.
#[derive(Clone, Debug)]
struct Asked {
    first: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        let found: Vec<_> = self.headers.iter().filter(|(header, _)| header == name).collect();
        assert_eq!(found.len(), 1, "{name} once in {:?}", self.headers);
        &found[0].1
    }
}

/// Answers as many requests as there are answers, one connection each.
struct Receiver {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    thread: JoinHandle<()>,
}

impl Receiver {
    /// Each answer is what follows `HTTP/1.1 ` in the first line, with headers; an empty one
    /// closes the connection.
    fn start(answers: Vec<String>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let to = asked.clone();
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                let mut next = |reader: &mut BufReader<_>| {
                    line.clear();
                    reader.read_line(&mut line).unwrap();
                    line.trim_end().to_owned()
                };
                let first = next(&mut reader);
                let mut headers = Vec::new();
                loop {
                    let header = next(&mut reader);
                    if header.is_empty() {
                        break;
                    }
                    let (name, value) = header.split_once(": ").unwrap();
                    headers.push((name.to_lowercase(), value.to_owned()));
                }
                let length = headers.iter().find(|(name, _)| name == "content-length");
                let mut body = vec![0; length.unwrap().1.parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                to.lock().unwrap().push(Asked { first, headers, body: String::from_utf8(body).unwrap() });
                if !answer.is_empty() {
                    let answer =
                        format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        Receiver { port, asked, thread }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/token-in-path?key=value", self.port)
    }

    /// Everything that was asked, once all answers are given.
    fn asked(self) -> Vec<Asked> {
        self.thread.join().unwrap();
        let asked = self.asked.lock().unwrap();
        asked.clone()
    }
}

fn post_as(url: &str, secret: &str, notice: &Notice) -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_from(folder.path(), Time::from_millis(1_767_603_600_999)).unwrap();
    let lookup = |name: &str| match name {
        "HOOK" => Some(SECRET.to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let outlet = Outlet::new(&folder.path().join("notices.jsonl"), clock, lookup);
    let channel = Channel::Webhook { url: url.into(), secret: secret.into() };
    let sent = block_on(outlet.send(&channel, notice));
    if let Err(error) = &sent {
        let told = format!("{error} {error:?}");
        assert!(!told.contains(SECRET) && !told.contains("token-in-path"), "{told}");
    }
    sent
}

fn post(url: &str) -> Result<(), Error> {
    post_as(url, "env:HOOK", &notice("notice-1"))
}

#[test]
fn a_receiver_can_verify_what_it_gets() {
    let receiver = Receiver::start(vec!["200 OK".into()]);
    post(&receiver.url()).unwrap();
    let port = receiver.port;
    let asked = receiver.asked().remove(0);
    assert_eq!(asked.first, "POST /hooks/token-in-path?key=value HTTP/1.1");
    assert_eq!(asked.header("host"), format!("127.0.0.1:{port}"));
    assert_eq!(asked.header("content-type"), "application/json");
    assert_eq!(asked.header("x-millrace-id"), "notice-1");
    assert_eq!(asked.header("x-millrace-timestamp"), "1767603600");
    // Python: hmac.new(b"s3cret, not told", b"1767603600." + BODY, hashlib.sha256).hexdigest()
    assert_eq!(
        asked.header("x-millrace-signature"),
        "v1=1d5d429bd5249c6b485309f2c9fac7af3f9ce018e3c644eebc5ae7177f7614ce"
    );
    assert_eq!(asked.body, BODY);
}

#[test]
fn every_answer_means_what_can_be_done() {
    let cases = [
        ("200 OK", None),
        ("202 Accepted", None),
        ("204 No Content", None),
        ("301 Moved\r\nlocation: http://127.0.0.1:1/elsewhere", Some(ErrorKind::Invalid)),
        ("307 Elsewhere\r\nlocation: http://127.0.0.1:1/elsewhere", Some(ErrorKind::Invalid)),
        ("400 Bad Request", Some(ErrorKind::Invalid)),
        ("401 Unauthorized", Some(ErrorKind::Invalid)),
        ("404 Not Found", Some(ErrorKind::Invalid)),
        ("408 Request Timeout", Some(ErrorKind::Unavailable)),
        ("410 Gone", Some(ErrorKind::Invalid)),
        ("425 Too Early", Some(ErrorKind::Unavailable)),
        ("429 Too Many Requests", Some(ErrorKind::Unavailable)),
        ("500 Internal Server Error", Some(ErrorKind::Unavailable)),
        ("503 Service Unavailable", Some(ErrorKind::Unavailable)),
        ("", Some(ErrorKind::Unavailable)),
    ];
    let receiver = Receiver::start(cases.iter().map(|(answer, _)| (*answer).to_owned()).collect());
    for (answer, expected) in cases {
        match (post(&receiver.url()), expected) {
            (Ok(()), None) => {}
            (Err(error), Some(kind)) => {
                assert_eq!(error.kind(), kind, "{answer}: {error}");
                let to = format!("send notice notice-1 to http://127.0.0.1:{}: ", receiver.port);
                assert!(error.to_string().starts_with(&to), "{error}");
                assert!(answer.is_empty() || error.to_string().contains(&answer[..3]), "{error}");
            }
            (found, expected) => panic!("{answer}: expected {expected:?}, found {found:?}"),
        }
    }
    assert_eq!(receiver.asked().len(), cases.len(), "each was asked once, and no redirect followed");
}

#[test]
fn nobody_listening_may_pass() {
    // Port 1 is nobody's: only root could listen there, for a protocol nobody speaks.
    let error = post("http://127.0.0.1:1/token-in-path").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[test]
fn only_https_goes_beyond_this_machine() {
    for (url, says) in [
        ("http://hooks.example.com/token-in-path", "http://hooks.example.com: https is needed"),
        ("http://10.0.0.1/token-in-path", "https is needed"),
        ("http://127.0.0.1.example.com/token-in-path", "https is needed"),
        ("http://localhost.example.com/token-in-path", "https is needed"),
        ("ftp://127.0.0.1/token-in-path", "only https can be posted to"),
        ("https://user:token-in-path@example.com/", "holds a password"),
        ("/token-in-path", "is no URL"),
        ("token-in-path", "is no URL"),
        ("https:///token-in-path", "is no URL"),
        ("https://exa mple/token-in-path", "is no URL"),
        ("", "is no URL"),
    ] {
        let error = post(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}: {error}");
        assert!(error.to_string().contains(says), "{url}: {error}");
    }
}

#[test]
fn a_secret_that_is_not_there_is_denied_by_name() {
    let url = "http://127.0.0.1:1/token-in-path";
    for (secret, kind, says) in [
        ("env:OTHER", ErrorKind::Denied, "the environment holds no secret OTHER"),
        ("env:EMPTY", ErrorKind::Denied, "the environment holds no secret EMPTY"),
        (SECRET, ErrorKind::Invalid, "the secret is not given as env:NAME"),
    ] {
        let error = post_as(url, secret, &notice("a")).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().ends_with(says), "{error}");
    }
}

#[test]
fn an_id_that_is_no_header_is_refused() {
    let error = post_as("http://127.0.0.1:1/", "env:HOOK", &notice("two\nlines")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}
