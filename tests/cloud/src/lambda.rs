//! A Lambda for one real executable: the Runtime API that it asks for events and answers.
//!
//! Format: AWS Lambda, "Using the Lambda runtime API for custom runtimes", version 2018-06-01.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

use crate::server::root;

/// What a function answered to an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was handled.
    Response(Value),
    /// It was not: `errorType` and `errorMessage`.
    Error {
        /// The stable name of the failure.
        kind: String,
        /// In a sentence.
        message: String,
    },
    /// The function could not begin.
    InitError(String),
    /// The function ended.
    Ended,
}

/// A function's executable, running under a Runtime API of its own.
#[derive(Debug)]
pub struct Function {
    child: Child,
    events: mpsc::UnboundedSender<Invocation>,
    answers: mpsc::UnboundedReceiver<(String, Answer)>,
    count: u64,
}

#[derive(Debug)]
struct Invocation {
    request: String,
    deadline_ms: i64,
    payload: String,
}

#[derive(Clone, Debug)]
struct Api {
    events: Arc<Mutex<mpsc::UnboundedReceiver<Invocation>>>,
    answers: mpsc::UnboundedSender<(String, Answer)>,
}

impl Function {
    /// Starts the executable of a function with an environment.
    ///
    /// # Panics
    /// Where it cannot be built or started.
    pub async fn start(name: &str, environment: &[(&'static str, String)]) -> Function {
        let (events, taken) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let api = Api { events: Arc::new(Mutex::new(taken)), answers: answered };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{request}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(api);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let child = Command::new(executable(name))
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the executable can be started");
        Function { child, events, answers, count: 0 }
    }

    /// Runs the executable of a function that cannot begin, and answers what it says to the end.
    ///
    /// # Panics
    /// Where it does not fail.
    pub fn refused(name: &str, environment: &[(&'static str, String)]) -> String {
        let environment = environment.iter().map(|(name, value)| (*name, value));
        let ran = Command::new(executable(name)).env_clear().envs(environment).output();
        let ran = ran.expect("the executable can be started");
        assert!(!ran.status.success(), "{name} began");
        String::from_utf8_lossy(&ran.stderr).into_owned()
    }

    /// Delivers an event, given as the bytes that Lambda would hand over, and waits for what the
    /// function answers.
    pub async fn invoke(&mut self, payload: &str) -> Answer {
        // 2100-01-01: a deadline that never comes, so that no test depends on the time it takes.
        self.invoke_until(4_102_444_800_000, payload).await
    }

    /// The same where the function has so much time, in milliseconds.
    #[expect(clippy::disallowed_methods, reason = "Lambda says the deadline by the machine's clock")]
    pub async fn invoke_within(&mut self, millis: i64, payload: &str) -> Answer {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let now = i64::try_from(since.as_millis()).expect("it is before the year 292277026596");
        self.invoke_until(now + millis, payload).await
    }

    async fn invoke_until(&mut self, deadline_ms: i64, payload: &str) -> Answer {
        self.count += 1;
        let request = format!("request-{}", self.count);
        let invocation = Invocation { request: request.clone(), deadline_ms, payload: payload.into() };
        self.events.send(invocation).expect("the Runtime API runs");
        match self.answers.recv().await {
            Some((to, answer)) if to == request || matches!(answer, Answer::InitError(_)) => answer,
            Some((to, answer)) => panic!("{to} was answered in place of {request}: {answer:?}"),
            None => Answer::Ended,
        }
    }

    /// Kills the function, and answers the lines it has logged.
    ///
    /// # Panics
    /// Where a line is not a JSON object.
    pub fn end(mut self) -> Vec<Value> {
        self.child.kill().expect("it can be killed");
        let mut text = String::new();
        let mut out = self.child.stdout.take().expect("its output is a pipe");
        std::io::Read::read_to_string(&mut out, &mut text).expect("its lines are text");
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        text.lines().map(line).collect()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

async fn next(State(api): State<Api>) -> impl IntoResponse {
    match api.events.lock().await.recv().await {
        Some(Invocation { request, deadline_ms, payload }) => {
            let headers = [
                ("lambda-runtime-aws-request-id", request),
                ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
                ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1".into()),
                (
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:eu-west-1:123456789012:function:f".into(),
                ),
            ];
            (headers, payload).into_response()
        }
        // The test is over.
        None => StatusCode::GONE.into_response(),
    }
}

async fn response(State(api): State<Api>, Path(request): Path<String>, body: String) -> StatusCode {
    let answer = serde_json::from_str(&body).unwrap_or(Value::Null);
    _ = api.answers.send((request, Answer::Response(answer)));
    StatusCode::ACCEPTED
}

async fn error(
    State(api): State<Api>,
    Path(request): Path<String>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    assert!(headers.contains_key("lambda-runtime-function-error-type"), "{headers:?}");
    let told: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let answer = Answer::Error { kind: text("errorType"), message: text("errorMessage") };
    _ = api.answers.send((request, answer));
    StatusCode::ACCEPTED
}

async fn init_error(State(api): State<Api>, body: String) -> StatusCode {
    _ = api.answers.send((String::new(), Answer::InitError(body)));
    StatusCode::ACCEPTED
}

/// The path of a function's executable: cargo builds it where this test stands, with the features
/// of `make aws`, so that nothing is compiled twice.
fn executable(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let place = BUILT.get_or_init(|| {
        let packages = ["aws", "lambda", "cloud", "ingest", "relay"];
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--features", "ingest/lambda,relay/lambda"])
            .args(packages.iter().flat_map(|package| ["--package", package]))
            .current_dir(root())
            .status();
        assert!(build.is_ok_and(|status| status.success()), "the executables are built");
        // …/target/debug/deps/it-… → …/target/debug
        let test = std::env::current_exe().expect("this test has a path");
        test.ancestors().nth(2).expect("it stands in target/debug/deps").to_owned()
    });
    place.join(name)
}
