//! How many connections are held at once, and how long one may keep the server waiting?

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::Response;
use futures::{StreamExt as _, stream};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// What a client may take of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections held at once; the next waits to be accepted. Far more than the people and
    /// programs of one machine, far fewer than the files a process may have open.
    pub(crate) connections: u32,
    /// From the beginning of a request's head to its end, and from one request to the next. A
    /// head fits into one packet.
    pub(crate) head: Duration,
    /// Without one byte of a body that was announced.
    pub(crate) pause: Duration,
    /// What is being answered when the server is told to stop gets this long.
    pub(crate) stop: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        let seconds = Duration::from_secs;
        Bounds { connections: 512, head: seconds(30), pause: seconds(30), stop: seconds(10) }
    }
}

/// Answers connections until `stopped`, then waits for what is at hand, within bounds.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stopped: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections as usize));
    let (stop, stopping) = watch::channel(());
    let mut stopped = pin!(stopped);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = stopped.as_mut() => break,
        };
        match (place, accepted) {
            (Ok(place), Ok((stream, _))) => {
                tokio::spawn(answer(stream, router.clone(), bounds, stopping.clone(), place));
            }
            (_, Err(error)) => {
                // Out of files, most likely: others have to end first.
                tracing::warn!(error = %error, "a connection was not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (Err(_), _) => unreachable!("the places are never closed"),
        }
    }
    drop(listener);
    drop(stop);
    let all_ended = tokio::time::timeout(bounds.stop, places.acquire_many(bounds.connections)).await;
    if all_ended.is_err() {
        tracing::warn!("requests that did not end in time were cut off");
    }
}

/// Answers one connection's requests. Dropping the place lets another one in.
async fn answer(
    stream: TcpStream,
    router: Router,
    bounds: Bounds,
    mut stopping: watch::Receiver<()>,
    place: OwnedSemaphorePermit,
) {
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke off: {error}");
    }
    drop(place);
}

/// Gives up a body whose sender pauses for too long.
pub(crate) async fn impatient(State(bounds): State<Bounds>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    next.run(request.map(|body| paced(body, bounds.pause))).await
}

fn paced(body: Body, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(Some(body.into_data_stream()), move |chunks| async move {
        let mut chunks = chunks?;
        match tokio::time::timeout(pause, chunks.next()).await {
            Ok(chunk) => chunk.map(|chunk| (chunk.map_err(io::Error::other), Some(chunks))),
            Err(_) => {
                let why = format!("no byte came for {} s", pause.as_secs());
                Some((Err(io::Error::new(io::ErrorKind::TimedOut, why)), None))
            }
        }
    }))
}

/// How many bytes a request says that its body has.
pub(crate) fn announced(request: &Request) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(600);
    const ROOMY: Bounds = Bounds { connections: 8, head: LONG, pause: LONG, stop: LONG };

    /// A server within bounds; it stops when the sender is dropped.
    async fn server(bounds: Bounds) -> (String, watch::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, mut stopped) = watch::channel(());
        let whole = |body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
            body.map_or(StatusCode::BAD_REQUEST, |_| StatusCode::OK)
        };
        let router = Router::new()
            .route("/", get(|| async { "well" }))
            .route("/whole", post(whole))
            .layer(from_fn_with_state(bounds, impatient));
        let stopped = async move { while stopped.changed().await.is_ok() {} };
        let served = tokio::spawn(async move { serve(listener, router, bounds, stopped).await });
        (address, stop, served)
    }

    async fn sent(address: &str, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Everything that is answered until the server closes the connection.
    async fn heard(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    const ASKED: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_head_that_is_never_finished_is_given_up() {
        let (address, _stop, _) = server(Bounds { head: SHORT, ..ROOMY }).await;
        let answer = heard(sent(&address, "GET / HTTP/1.1\r\nhost: a\r\nx: ").await).await;
        assert!(!answer.contains("well"), "{answer}");
    }

    #[tokio::test]
    async fn a_body_that_pauses_for_too_long_is_given_up() {
        let (address, _stop, _) = server(Bounds { pause: SHORT, ..ROOMY }).await;
        let begun = "POST /whole HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10\r\n\r\nabc";
        let answer = heard(sent(&address, begun).await).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let whole = begun.replace("\r\n\r\nabc", "\r\n\r\nabcdefghij");
        let answer = heard(sent(&address, &whole).await).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn one_connection_too_many_is_answered_once_another_ended() {
        let (address, _stop, _) = server(Bounds { connections: 1, ..ROOMY }).await;
        let idle = sent(&address, "GET / HTTP/1.1\r\n").await;
        let waiting = tokio::spawn(heard(sent(&address, ASKED).await));
        drop(idle);
        assert!(waiting.await.unwrap().ends_with("well"));
    }

    #[tokio::test]
    async fn a_request_that_never_ends_does_not_keep_the_server_from_stopping() {
        let (address, stop, served) = server(Bounds { stop: SHORT, ..ROOMY }).await;
        assert!(heard(sent(&address, ASKED).await).await.ends_with("well"));
        let _hanging = sent(&address, "POST /whole HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nab").await;
        drop(stop);
        served.await.unwrap();
        assert!(TcpStream::connect(&address).await.is_err());
    }
}
