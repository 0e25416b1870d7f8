//! Who may ask: the token, the host, the origin, and as whom.

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use domain::Actor;

/// The cookie that carries the token in a browser. A browser sends a machine's cookies to all of
/// its ports, so that the name tells one server's from another's.
pub(crate) fn cookie_name(port: u16) -> String {
    format!("millrace-{port}")
}

/// The header by which a person in a demonstration speaks for another.
pub(crate) const AS: &str = "x-millrace-as";

/// Whether a person may speak for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaking {
    /// The actor is the operating system's user, always.
    ForOneself,
    /// A demonstration: `x-millrace-as` names the actor.
    ForAnyone,
}

/// The rules of one server.
#[derive(Clone, Debug)]
pub struct Access {
    /// What every request must carry.
    pub token: String,
    /// The operating system's user.
    pub user: String,
    /// Whether a person may speak for another.
    pub speaking: Speaking,
}

/// Why a request is not let in.
pub(crate) type Refused = (StatusCode, String);

impl Access {
    /// Refuses requests that a foreign page made a browser send: the names must be loopback's.
    pub(crate) fn check_origin(&self, headers: &HeaderMap, port: u16) -> Result<(), Refused> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")];
        let host = text(HOST).unwrap_or_default();
        if !hosts.iter().any(|known| known == host) {
            let message = format!("host: found {host:?}, expected {}", hosts[0]);
            return Err((StatusCode::MISDIRECTED_REQUEST, message));
        }
        match text(ORIGIN) {
            None => Ok(()),
            Some(origin) if hosts.iter().any(|known| origin == format!("http://{known}")) => Ok(()),
            Some(origin) => {
                Err((StatusCode::FORBIDDEN, format!("origin: pages of {origin:?} may not ask this server")))
            }
        }
    }

    /// Who asks.
    pub(crate) fn actor(&self, headers: &HeaderMap, port: u16) -> Result<Actor, Refused> {
        if !self.carries_token(headers, port) {
            let message = "token: the request carries none, or another's; it is in the file `token` of the data directory";
            return Err((StatusCode::UNAUTHORIZED, message.into()));
        }
        let Some(other) = headers.get(AS) else { return Ok(Actor::person(&self.user)) };
        if self.speaking == Speaking::ForOneself {
            let message = format!(
                "only in a demonstration may one person speak for another, and on this server you are {}; \
                 `millrace up --demo` makes a new directory for one",
                self.user
            );
            return Err((StatusCode::FORBIDDEN, message));
        }
        match other.to_str() {
            Ok(name) if is_name(name) => Ok(Actor::person(name)),
            _ => Err((StatusCode::BAD_REQUEST, format!("{AS}: expected a person's name"))),
        }
    }

    fn carries_token(&self, headers: &HeaderMap, port: u16) -> bool {
        let cookie_name = cookie_name(port);
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == cookie_name)
            .map(|(_, value)| value);
        [bearer, cookie].into_iter().flatten().any(|found| self.is_token(found))
    }

    /// Whether a text is the token, in a time that does not tell where it differs.
    pub(crate) fn is_token(&self, found: &str) -> bool {
        let (found, token) = (found.as_bytes(), self.token.as_bytes());
        let differing = found.iter().zip(token).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
        found.len() == token.len() && differing == 0
    }
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ' ');
    !name.is_empty() && name.len() <= 64 && name.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let parsed =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(parsed).collect()
    }

    fn access(speaking: Speaking) -> Access {
        Access { token: "secret".into(), user: "olga".into(), speaking }
    }

    #[test]
    fn only_loopback_names_and_our_own_pages_may_ask() {
        let access = access(Speaking::ForOneself);
        for (pairs, expected) in [
            (vec![("host", "127.0.0.1:7420")], None),
            (vec![("host", "localhost:7420"), ("origin", "http://localhost:7420")], None),
            (vec![("host", "evil.example")], Some(421)),
            (vec![("host", "127.0.0.1:80")], Some(421)),
            (vec![], Some(421)),
            (vec![("host", "localhost:7420"), ("origin", "http://evil.example")], Some(403)),
            (vec![("host", "localhost:7420"), ("origin", "null")], Some(403)),
        ] {
            let found = access.check_origin(&headers(&pairs), 7420).err().map(|(status, _)| status.as_u16());
            assert_eq!(found, expected, "{pairs:?}");
        }
    }

    #[test]
    fn without_the_token_nobody_is_anybody() {
        let access = access(Speaking::ForOneself);
        for pairs in [
            vec![],
            vec![("authorization", "Bearer other!")],
            vec![("authorization", "Bearer secre")],
            vec![("authorization", "Basic secret")],
            vec![("cookie", "millrace-7420=wrong; a=secret")],
            vec![("cookie", "millrace-7421=secret")],
        ] {
            let status = access.actor(&headers(&pairs), 7420).unwrap_err().0;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{pairs:?}");
        }
        for pairs in [vec![("authorization", "Bearer secret")], vec![("cookie", "a=b; millrace-7420=secret")]]
        {
            assert_eq!(access.actor(&headers(&pairs), 7420).unwrap(), Actor::person("olga"), "{pairs:?}");
        }
    }

    #[test]
    fn only_in_a_demonstration_may_one_speak_for_another() {
        let pairs = headers(&[("authorization", "Bearer secret"), ("x-millrace-as", "bianca")]);
        assert_eq!(access(Speaking::ForAnyone).actor(&pairs, 7420).unwrap(), Actor::person("bianca"));
        let (status, message) = access(Speaking::ForOneself).actor(&pairs, 7420).unwrap_err();
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(message.contains("--demo") && message.contains("you are olga"), "{message}");
    }
}
