//! What does `boost serve` answer: SageMaker's three routes, from a model in memory.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::limit::INVOCATION_BYTES_MAX;
use serde_json::json;

use crate::artifact::Artifact;
use crate::request::{self, Media};

/// The routes of a server.
pub fn router(artifact: Arc<Artifact>) -> Router {
    Router::new()
        .route("/ping", get(|| async { StatusCode::OK }))
        .route("/invocations", post(invocations))
        .route("/execution-parameters", get(execution_parameters))
        .layer(DefaultBodyLimit::max(INVOCATION_BYTES_MAX))
        .with_state(artifact)
}

/// What batch transform is to send: as many rows as fit, from a few sides at once.
async fn execution_parameters() -> Response {
    let megabytes = INVOCATION_BYTES_MAX / (1024 * 1024);
    axum_json(
        StatusCode::OK,
        &json!({"MaxConcurrentTransforms": 2, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": megabytes}),
    )
}

async fn invocations(
    State(artifact): State<Arc<Artifact>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let message = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    format!(
                        "request: body too large: expected at most {INVOCATION_BYTES_MAX} bytes (send fewer rows at once)"
                    )
                }
                _ => rejection.body_text(),
            };
            return refused(rejection.status(), &message);
        }
    };
    let known = "text/csv, application/json or application/jsonlines";
    let Some(media) = Media::of_content_type(header(CONTENT_TYPE)) else {
        let found = header(CONTENT_TYPE).unwrap_or_default();
        return refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &format!("request: Content-Type: found {found}, expected {known}"),
        );
    };
    let Some(accept) = Media::of_accept(header(ACCEPT), media) else {
        let found = header(ACCEPT).unwrap_or_default();
        return refused(
            StatusCode::NOT_ACCEPTABLE,
            &format!("request: Accept: found {found}, expected {known}"),
        );
    };
    // Six megabytes of rows take a moment: the other requests of this worker move elsewhere.
    tokio::task::block_in_place(|| answer(&artifact, media, accept, &body))
}

fn answer(artifact: &Artifact, media: Media, accept: Media, body: &[u8]) -> Response {
    let batch = match request::decode(media, body, artifact.features().inputs()) {
        Ok(batch) => batch,
        Err(problem) => return refused(StatusCode::BAD_REQUEST, &problem.to_string()),
    };
    match artifact.predict(&batch) {
        Ok(predictions) => {
            ([(CONTENT_TYPE, accept.content_type())], request::encode(accept, &predictions)).into_response()
        }
        Err(failure) => refused(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    axum_json(status, &json!({"error": message}))
}

fn axum_json(status: StatusCode, value: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, Media::Json.content_type())], format!("{value}\n")).into_response()
}
