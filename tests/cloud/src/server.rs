//! How tests start an AWS-compatible server and talk to it without an SDK.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The region in which everything stands.
pub(crate) const REGION: &str = "eu-west-1";

/// An AWS-compatible server on a port of its own. It ends with this value, and with the process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
}

/// What is to go wrong with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It happens, and the answer never comes.
    Lose,
    /// It does not happen: too fast.
    Throttle,
    /// It does not happen: an internal error.
    Fail,
    /// Nothing happens, and nothing is answered.
    Hang,
}

impl Server {
    /// Starts a server. None, with a printed reason, where Python or moto is not there.
    ///
    /// # Panics
    /// Where it does not start although it is there.
    pub fn start() -> Option<Server> {
        let python = root().join(".venv/bin/python");
        let known = Command::new(&python).args(["-c", "import moto.moto_server.werkzeug_app"]).output();
        if !known.is_ok_and(|known| known.status.success()) {
            let mut out = std::io::stdout();
            out.write_all(b"skipped: moto is not in .venv (make .venv/aws)\n")
                .expect("stdout can be written");
            return None;
        }
        let mut child = Command::new(python)
            .arg(root().join("tests/cloud/server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server can be started");
        let mut port = String::new();
        let out = child.stdout.take().expect("its output is a pipe");
        BufReader::new(out).read_line(&mut port).expect("it says its port");
        let port: u16 = port.trim().parse().expect("it says its port");
        Some(Server { child, url: format!("http://127.0.0.1:{port}") })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next `times` requests after `skip` others whose target, or method and path, contain
    /// `matching` go wrong. Earlier orders are forgotten.
    pub fn misbehave(&self, fault: Fault, matching: &str, skip: u32, times: u32) {
        let what = match fault {
            Fault::Lose => "lose",
            Fault::Throttle => "throttle",
            Fault::Fail => "fail",
            Fault::Hang => "hang",
        };
        let order = json!([{ "match": matching, "do": what, "skip": skip, "times": times }]);
        self.post("/_faults", &[], &order);
    }

    /// What was asked for since the last call of this: target, method and path of each request.
    pub fn seen(&self) -> Vec<String> {
        serde_json::from_value(self.post("/_seen", &[], &json!({}))).expect("they are texts")
    }

    /// All requests go well again.
    pub fn behave(&self) {
        self.post("/_faults", &[], &json!([]));
    }

    /// Calls a service that speaks JSON: `target` is as in `DynamoDB_20120810.CreateTable`.
    ///
    /// # Panics
    /// Where it is refused.
    pub fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let authorization = authorization(service);
        let headers = [("x-amz-target", target), ("authorization", authorization.as_str())];
        self.post("/", &headers, body)
    }

    /// Puts something into S3: an object, or with a query a bucket's setting.
    ///
    /// # Panics
    /// Where it is refused.
    pub fn put(&self, path: &str, body: &[u8]) {
        let answer = ureq::put(format!("{}/{path}", self.url))
            .header("authorization", authorization("s3"))
            .content_type("application/octet-stream")
            .send(body);
        answer.unwrap_or_else(|error| panic!("PUT {path}: {error}"));
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
        let mut request =
            ureq::post(format!("{}{path}", self.url)).content_type("application/x-amz-json-1.0");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.config().http_status_as_error(false).build();
        let sent = request.send(body.to_string()).unwrap_or_else(|error| panic!("{headers:?}: {error}"));
        let status = sent.status();
        let text = sent.into_body().read_to_string().expect("an answer is text");
        assert!(status.is_success(), "{headers:?} {body}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.child.stdin.take());
        _ = self.child.wait();
    }
}

/// Names a service as a signature does; the server does not check the rest.
fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260105/{REGION}/{service}/aws4_request, \
         SignedHeaders=host, Signature=none"
    )
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/cloud is below the root").to_owned()
}
