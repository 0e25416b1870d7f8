//! How a notice is posted: to whom it may go, how it is signed, and what the answer means.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use ports::{Error, ErrorKind, Result};
use sha2::Sha256;
use ureq::Agent;
use ureq::http::Uri;

use crate::Clock;

/// How long a whole request may take: receivers answer at once or not at all, and the handler
/// that sends has other notices to send.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a secret is said to be.
const ENVIRONMENT: &str = "env:";

/// What the environment holds under a name.
pub(super) type Lookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Posts notices.
pub(super) struct Webhook {
    agent: Agent,
    clock: Clock,
    secret: Lookup,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Webhook {
    pub(super) fn new(clock: Clock, secret: Lookup) -> Webhook {
        let agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            // A redirect would take a signed body where nobody said that it may go.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Webhook { agent, clock, secret }
    }

    /// Posts a body once.
    ///
    /// `Unavailable`: no answer, or one that says to come again. `Denied`: the secret is not
    /// there. `Invalid`: the address may not be posted to, or turned the notice down.
    /// No error holds the secret, nor of the address more than its host: some addresses are
    /// secrets themselves.
    pub(super) fn post(&self, id: &str, url: &str, secret: &str, body: &str) -> Result<()> {
        let address = Address::parse(id, url)?;
        let tried = format!("send notice {id} to {}", address.host);
        let key = self.key(&tried, secret)?;
        let timestamp = self.clock.now().millis().div_euclid(1000);
        let mut request = self
            .agent
            .post(address.uri)
            .header("content-type", "application/json")
            .header("x-millrace-id", id)
            .header("x-millrace-timestamp", timestamp.to_string())
            .header("x-millrace-signature", signature(&key, timestamp, body));
        if address.reach == Reach::Loopback {
            // What stays on this machine does not go through a proxy elsewhere.
            request = request.config().proxy(None).build();
        }
        match request.send(body) {
            Ok(answer) => judge(&tried, answer.status().as_u16()),
            Err(error) => Err(Error::new(kind(&error), tried).because(error)),
        }
    }

    fn key(&self, tried: &str, secret: &str) -> Result<String> {
        let Some(name) = secret.strip_prefix(ENVIRONMENT) else {
            // What stands there instead may be the secret itself: it is not told.
            let what = format!("{tried}: the secret is not given as {ENVIRONMENT}NAME");
            return Err(Error::new(ErrorKind::Invalid, what));
        };
        match (self.secret)(name) {
            Some(key) if !key.is_empty() => Ok(key),
            _ => {
                let what = format!("{tried}: the environment holds no secret {name}");
                Err(Error::new(ErrorKind::Denied, what))
            }
        }
    }
}

/// Signs a body at a time, as the receiver will.
fn signature(key: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of HMAC has any length");
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={hex}")
}

fn judge(tried: &str, status: u16) -> Result<()> {
    let kind = match status {
        200..=299 => return Ok(()),
        408 | 425 | 429 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    let redirects = if (300..=399).contains(&status) { ", and redirects are not followed" } else { "" };
    Err(Error::new(kind, format!("{tried}: answered {status}{redirects}")))
}

fn kind(error: &ureq::Error) -> ErrorKind {
    match error {
        ureq::Error::Http(_) | ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Loopback,
    Network,
}

/// An address that may be posted to.
struct Address {
    uri: Uri,
    /// For messages: scheme, host and port, and nothing else of it.
    host: String,
    reach: Reach,
}

impl Address {
    fn parse(id: &str, url: &str) -> Result<Address> {
        let invalid = |to: &str, why: &str| {
            Err(Error::new(ErrorKind::Invalid, format!("send notice {id} to {to}: {why}")))
        };
        let Ok(uri) = url.parse::<Uri>() else {
            return invalid("a webhook", "its address is no URL");
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return invalid("a webhook", "its address is no URL with scheme and host");
        };
        if authority.as_str().contains('@') {
            return invalid(authority.host(), "its address holds a password, which is no place for a secret");
        }
        let reach = reach(authority.host());
        let host = format!("{scheme}://{authority}");
        match (scheme, reach) {
            ("https", _) | ("http", Reach::Loopback) => Ok(Address { host, reach, uri }),
            ("http", Reach::Network) => invalid(&host, "https is needed beyond this machine"),
            _ => invalid(&host, "only https can be posted to"),
        }
    }
}

fn reach(host: &str) -> Reach {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host.eq_ignore_ascii_case("localhost")
        || bare.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    if loopback { Reach::Loopback } else { Reach::Network }
}
