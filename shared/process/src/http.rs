//! How is a program asked over HTTP, on this machine and nowhere else?

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use domain::limit;
use ports::{Error, ErrorKind, Reply};
use ureq::Agent;

use crate::bound::{ANSWER_BYTES_MAX, IDLE, IDLE_CONNECTIONS, PING_TIMEOUT};

/// Connections to servers on loopback, kept for the next requests.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    agent: Agent,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) content_type: &'a str,
    pub(crate) accept: Option<&'a str>,
    pub(crate) inference_id: Option<&'a str>,
    pub(crate) custom_attributes: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// A port of loopback that nobody listens at. Another may take it before the program does: then
/// the program cannot start, and whoever started it sees that.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| format!("find a free port: {error}"))
}

impl Caller {
    /// A caller that waits so long for an answer.
    pub(crate) fn new(timeout: Duration) -> Caller {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The environment's proxy is for other machines.
            .proxy(None)
            .max_redirects(0)
            .max_idle_age(IDLE)
            .max_idle_connections(2 * IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .timeout_global(Some(timeout))
            .user_agent("millrace")
            .build();
        Caller { agent: config.new_agent() }
    }

    /// Whether a server says that it is there.
    pub(crate) fn ping(&self, port: u16) -> bool {
        let request = self.agent.get(format!("http://127.0.0.1:{port}/ping"));
        // A server that was asked may be another by the next request: no connection is kept.
        let request = request.header("Connection", "close");
        let answer = request.config().timeout_global(Some(PING_TIMEOUT)).build().call();
        answer.is_ok_and(|answer| answer.status().as_u16() == 200)
    }

    /// Asks a model. `TooLarge` where the request or the answer is, `Invalid` where a header
    /// cannot be sent, `Unavailable` where no answer comes.
    pub(crate) fn invoke(&self, port: u16, request: &Request<'_>) -> Result<Reply, Error> {
        let bytes = request.body.len();
        if bytes > limit::INVOCATION_BYTES_MAX {
            let most = limit::INVOCATION_BYTES_MAX;
            let what = format!("invoke: {bytes} bytes, at most {most} (INVOCATION_BYTES_MAX)");
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        let mut post = self.agent.post(format!("http://127.0.0.1:{port}/invocations"));
        post = post.header("Content-Type", request.content_type);
        for (name, value) in [
            ("Accept", request.accept),
            ("X-Amzn-SageMaker-Inference-Id", request.inference_id),
            ("X-Amzn-SageMaker-Custom-Attributes", request.custom_attributes),
        ] {
            if let Some(value) = value {
                post = post.header(name, value);
            }
        }
        let answer = post.send(request.body).map_err(unanswered)?;
        let status = answer.status().as_u16();
        let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
        let body = answer.into_body().into_with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok(Reply { status, content_type, body: body.map_err(unanswered)?.into() })
    }
}

fn unanswered(error: ureq::Error) -> Error {
    let kind = match &error {
        ureq::Error::Http(_) => ErrorKind::Invalid,
        ureq::Error::BodyExceedsLimit(_) => ErrorKind::TooLarge,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "invoke: no answer").because(error)
}
