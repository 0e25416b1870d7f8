//! The HTTP side of one machine: console behind the template's routes, uploads, endpoints, and
//! what concerns the machine itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use domain::{Actor, Digest, Time, limit};
use futures::executor::block_on;
use percent_encoding::percent_decode_str;
use ports::{Error, ErrorKind};
use process::Invocation;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Runtime;
use crate::access::{Refused, Speaking, cookie_name};
use crate::connection::{Bounds, announced, impatient};

/// The largest body of a request to console: labels and declarations.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most dead letters of one answer.
const LETTERS_MAX: usize = 200;

/// By which a client makes a repeat of a request harmless.
const REQUEST: &str = "x-millrace-request";

const INFERENCE_ID: &str = "x-amzn-sagemaker-inference-id";
const CUSTOM_ATTRIBUTES: &str = "x-amzn-sagemaker-custom-attributes";

type Shared = State<Arc<Runtime>>;

/// The routes of a machine.
pub(crate) fn router(runtime: Arc<Runtime>, bounds: Bounds) -> Router {
    let invocations = post(invoke).layer(DefaultBodyLimit::max(limit::INVOCATION_BYTES_MAX));
    Router::new()
        .route("/api/runtime", get(about))
        .route("/api/clock", post(set_clock))
        .route("/api/dead-letters", get(dead_letters))
        .route("/api/dead-letters/redrive", post(redrive_all))
        .route("/api/dead-letters/{id}/redrive", post(redrive))
        .route("/incoming/{*path}", put(receive).layer(DefaultBodyLimit::disable()))
        .fallback(console)
        .layer(from_fn_with_state(Arc::clone(&runtime), known_people_only))
        // The stock SageMaker client signs for AWS and knows no token of ours.
        .route("/endpoints/{name}/invocations", invocations)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(bounds, impatient))
        .layer(from_fn_with_state(Arc::clone(&runtime), our_pages_only))
        .with_state(runtime)
}

fn refused((status, message): Refused) -> Response {
    answered(status, &json!({ "error": message }))
}

fn answered(status: StatusCode, value: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}

fn failed(error: &Error) -> Response {
    let status = match error.kind() {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Throttled | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    answered(status, &json!({ "error": error.to_string() }))
}

/// Does blocking work off the threads that carry connections.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Response> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(error = %error, "a request's work ended without an answer: {error}");
        answered(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "the request could not be worked on" }))
    })
}

async fn our_pages_only(State(runtime): Shared, request: Request, next: Next) -> Response {
    if let Some(response) = too_large(&request) {
        return response;
    }
    match runtime.access.check_origin(request.headers(), runtime.port()) {
        Ok(()) => {
            let mut response = next.run(request).await;
            let nosniff = HeaderValue::from_static("nosniff");
            response.headers_mut().insert(HeaderName::from_static("x-content-type-options"), nosniff);
            response
        }
        Err(refusal) => refused(refusal),
    }
}

/// Refuses a body that is announced as too large before its first byte is read.
fn too_large(request: &Request) -> Option<Response> {
    let path = request.uri().path();
    let bytes_max = match path {
        path if path.starts_with("/incoming/") => return None,
        path if path.starts_with("/endpoints/") => limit::INVOCATION_BYTES_MAX,
        _ => BODY_BYTES_MAX,
    };
    if announced(request)? <= bytes_max as u64 {
        return None;
    }
    let message = format!("{path}: the body is larger than {bytes_max} bytes; send less at once");
    // Each of the two readers finds the word that it looks for.
    let body = json!({ "error": message, "message": message });
    Some(answered(StatusCode::PAYLOAD_TOO_LARGE, &body))
}

async fn known_people_only(State(runtime): Shared, mut request: Request, next: Next) -> Response {
    if let Some(response) = signed_in(&runtime, &request) {
        return response;
    }
    match runtime.access.actor(request.headers(), runtime.port()) {
        Ok(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err((StatusCode::UNAUTHORIZED, message)) if asks_for_a_page(&request) => {
            sign_in(request.uri().path(), &message)
        }
        Err(refusal) => refused(refusal),
    }
}

/// A browser that comes with the token in the address gets it as a cookie, and an address
/// without it.
fn signed_in(runtime: &Runtime, request: &Request) -> Option<Response> {
    let uri = request.uri();
    let (given, others): (Vec<&str>, Vec<&str>) =
        uri.query()?.split('&').partition(|pair| pair.starts_with("token="));
    let token = given.first()?.strip_prefix("token=")?.trim();
    if request.method() != Method::GET || !runtime.access.is_token(token) {
        return None;
    }
    let cookie = format!("{}={token}; HttpOnly; SameSite=Strict; Path=/", cookie_name(runtime.port()));
    // Two slashes at the beginning would name another server.
    let mut location = format!("/{}", uri.path().trim_start_matches('/'));
    if !others.is_empty() {
        location.push('?');
        location.push_str(&others.join("&"));
    }
    Some((StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, location)]).into_response())
}

/// Whether a browser asks for something to look at.
fn asks_for_a_page(request: &Request) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    request.method() == Method::GET && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The page for a browser that nobody knows yet: it asks for the token.
fn sign_in(path: &str, message: &str) -> Response {
    // A path holds nothing that could leave an attribute but what is escaped here.
    let path = path.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('\'', "&#39;");
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Millrace</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em}}\
         input,button{{font:inherit;padding:.3em .6em}}</style></head><body><h1>Millrace</h1>\
         <p>Open the address that <code>millrace up</code> printed when it started, \
         or put the content of the file <code>token</code> of the data directory here.</p>\
         <form method=\"get\" action=\"{path}\"><input type=\"password\" name=\"token\" aria-label=\"token\" autofocus> \
         <button>Sign in</button></form><p><small>{message}</small></p></body></html>\n"
    );
    (StatusCode::UNAUTHORIZED, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// Everything that console answers, where the template routes to it.
async fn console(
    State(runtime): Shared,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    axum::Extension(actor): axum::Extension<Actor>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if runtime.wiring().answers(method.as_str(), uri.path()).is_none() {
        return answered(
            StatusCode::NOT_FOUND,
            &json!({ "error": format!("there is no {method} {}", uri.path()) }),
        );
    }
    let Ok(path) = percent_decode_str(uri.path()).decode_utf8() else {
        return answered(StatusCode::BAD_REQUEST, &json!({ "error": "path: not UTF-8" }));
    };
    let request = ports::http::Request {
        method: method.to_string(),
        path: path.into_owned(),
        query,
        body,
        id: runtime.request_id(&actor, headers.get(REQUEST)),
        actor,
    };
    let answer = aside(move || {
        let cx = runtime.workers.cx("console", None);
        block_on(runtime.console.answer(&cx, request))
    });
    match answer.await {
        Err(response) => response,
        Ok(response) => {
            let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(CONTENT_TYPE, response.content_type)], response.body).into_response()
        }
    }
}

/// What a machine is and does.
async fn about(State(runtime): Shared) -> Response {
    let depth = match runtime.buses.queue.depth() {
        Ok(depth) => depth,
        Err(error) => return failed(&error),
    };
    let working = runtime.workers.working() as u64;
    let functions: Vec<&str> =
        runtime.wiring().functions.iter().map(|function| function.name.as_str()).collect();
    let about = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "person": runtime.access.user,
        "speaking": match runtime.access.speaking {
            Speaking::ForAnyone => "for anyone",
            Speaking::ForOneself => "for oneself",
        },
        "now": runtime.clock.now(),
        "clock": runtime.clock.kind(),
        "functions": functions,
        "not_executed": runtime.wiring().not_executed,
        "waiting": depth.waiting.saturating_sub(working),
        "working": working,
        "dead": depth.dead,
    });
    answered(StatusCode::OK, &about)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedTime {
    now: Time,
}

/// Moves a virtual clock on.
async fn set_clock(State(runtime): Shared, body: Bytes) -> Response {
    let asked: AskedTime = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => {
            return answered(
                StatusCode::BAD_REQUEST,
                &json!({ "error": format!("the request's JSON: {error}") }),
            );
        }
    };
    match runtime.clock.set(asked.now).and_then(|()| runtime.look_at_schedules()) {
        Ok(()) => answered(StatusCode::OK, &json!({ "now": runtime.clock.now() })),
        Err(error) => failed(&error),
    }
}

async fn dead_letters(State(runtime): Shared) -> Response {
    let letters = aside(move || runtime.buses.queue.dead(LETTERS_MAX)).await;
    match letters {
        Err(response) => response,
        Ok(Err(error)) => failed(&error),
        Ok(Ok(letters)) => {
            let items: Vec<Value> = letters
                .into_iter()
                .map(|letter| {
                    let at = Time::from_millis(letter.at_ms);
                    json!({ "id": letter.id, "function": letter.function, "at": at,
                        "attempts": letter.attempts, "error": letter.error, "event": letter.event })
                })
                .collect();
            answered(StatusCode::OK, &json!({ "items": items }))
        }
    }
}

async fn redrive_all(State(runtime): Shared) -> Response {
    redriven(&runtime, None)
}

async fn redrive(State(runtime): Shared, Path(id): Path<i64>) -> Response {
    redriven(&runtime, Some(id))
}

fn redriven(runtime: &Runtime, id: Option<i64>) -> Response {
    match runtime.buses.queue.redrive(id) {
        Ok(0) if id.is_some() => {
            answered(StatusCode::NOT_FOUND, &json!({ "error": "there is no such dead letter" }))
        }
        Ok(redriven) => {
            runtime.buses.bell.ring();
            answered(StatusCode::ACCEPTED, &json!({ "redriven": redriven }))
        }
        Err(error) => failed(&error),
    }
}

/// Takes an upload: acknowledged when bytes and event are durable.
async fn receive(
    State(runtime): Shared,
    Path(path): Path<String>,
    axum::Extension(actor): axum::Extension<Actor>,
    body: Body,
) -> Response {
    match runtime.receive(&path, &actor, body).await {
        Ok(bytes) => answered(StatusCode::CREATED, &json!({ "bytes": bytes })),
        Err(error) => failed(&error),
    }
}

/// Asks a model, as SageMaker's runtime is asked.
async fn invoke(
    State(runtime): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return answered(rejection.status(), &json!({ "message": rejection.body_text() })),
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let invocation = Invocation {
        name,
        content_type: header("content-type").unwrap_or_else(|| "text/csv".into()),
        accept: header("accept").filter(|accept| accept != "*/*"),
        inference_id: header(INFERENCE_ID),
        custom_attributes: header(CUSTOM_ATTRIBUTES),
        body,
    };
    match aside(move || runtime.servers.answer(invocation)).await {
        Err(response) => response,
        Ok(Ok(answer)) if answer.status >= 400 => model_error(&answer),
        Ok(Ok(answer)) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let mut response = (status, answer.body).into_response();
            let mut say = |name: &'static str, value: &str| {
                if let Ok(value) = HeaderValue::from_str(value) {
                    response.headers_mut().insert(HeaderName::from_static(name), value);
                }
            };
            say("content-type", &answer.content_type);
            say(INFERENCE_ID, &answer.inference_id);
            say("x-amzn-invoked-production-variant", answer.variant);
            response
        }
        // The shape in which SageMaker's runtime answers errors.
        Ok(Err(error)) => {
            let (status, kind) = match error.kind() {
                ErrorKind::NotFound => (StatusCode::BAD_REQUEST, "ValidationError"),
                ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "ValidationError"),
                ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "ValidationError"),
                _ => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            };
            let mut response = answered(status, &json!({ "message": error.to_string() }));
            let kind = HeaderValue::from_static(kind);
            response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), kind);
            response
        }
    }
}

/// What SageMaker's runtime answers where the model answered with an error.
fn model_error(answer: &process::Answer) -> Response {
    let said = String::from_utf8_lossy(&answer.body);
    let body = json!({
        "ErrorCode": "MODEL_ERROR",
        "Message": format!("the model answered with status {}: {}", answer.status, said.trim_end()),
        "OriginalStatusCode": answer.status,
        "OriginalMessage": said,
    });
    let mut response = answered(StatusCode::FAILED_DEPENDENCY, &body);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static("ModelError"));
    if let Ok(id) = HeaderValue::from_str(&answer.inference_id) {
        headers.insert(HeaderName::from_static(INFERENCE_ID), id);
    }
    response
}

/// The id under which a request is known: the client's, or a new one.
pub(crate) fn request_id(actor: &Actor, given: Option<&HeaderValue>, minted: String) -> String {
    let given = given.and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    match given {
        Some(text) => Digest::of_parts(&["request", &actor.to_string(), text]).hex(),
        None => minted,
    }
}
