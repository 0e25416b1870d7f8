//! What a function must be told about where it runs, read from its environment once.

use std::fmt;

/// Where a function runs and what its stack is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The region, from `AWS_REGION`.
    pub region: String,
    /// Another server in AWS's place, from `AWS_ENDPOINT_URL`; buckets are then named in paths.
    pub endpoint: Option<String>,
    /// Who the function is.
    pub credentials: Credentials,
    /// The table, from `MILLRACE_TABLE`.
    pub table: String,
    /// The bus, from `MILLRACE_BUS`.
    pub bus: String,
    /// The bucket of our own files, from `MILLRACE_BUCKET`.
    pub bucket: String,
    /// The bucket that uploads land in, from `MILLRACE_INCOMING`.
    pub incoming: String,
}

/// The credentials that Lambda gives each sandbox of a function in its environment. They last as
/// long as the sandbox.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// From `AWS_ACCESS_KEY_ID`.
    pub key: String,
    /// From `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// From `AWS_SESSION_TOKEN`; only a person's own key has none.
    pub session: Option<String>,
}

/// Names of everything that the environment does not say.
#[derive(Clone, PartialEq, Eq)]
pub struct MissingSettings(pub Vec<&'static str>);

impl Settings {
    /// Reads this process's environment.
    ///
    /// # Errors
    /// Every variable that is missing or empty, all at once.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where a function reads it")]
    pub fn from_env() -> Result<Settings, MissingSettings> {
        Settings::read(|name| std::env::var(name).ok())
    }

    /// Reads an environment.
    ///
    /// # Errors
    /// Every variable that is missing or empty, all at once.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, MissingSettings> {
        let optional = |name: &'static str| lookup(name).filter(|value| !value.is_empty());
        let mut missing = Vec::new();
        let mut need = |name: &'static str| {
            optional(name).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let settings = Settings {
            region: need("AWS_REGION"),
            credentials: Credentials {
                key: need("AWS_ACCESS_KEY_ID"),
                secret: need("AWS_SECRET_ACCESS_KEY"),
                session: optional("AWS_SESSION_TOKEN"),
            },
            table: need("MILLRACE_TABLE"),
            bus: need("MILLRACE_BUS"),
            bucket: need("MILLRACE_BUCKET"),
            incoming: need("MILLRACE_INCOMING"),
            endpoint: optional("AWS_ENDPOINT_URL"),
        };
        if missing.is_empty() { Ok(settings) } else { Err(MissingSettings(missing)) }
    }
}

/// Never the secret, nor the session: what is debugged is logged.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Display for MissingSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read the environment: {} not set", self.0.join(", "))
    }
}

/// As it is displayed: what `main` returns is printed like this.
impl fmt::Debug for MissingSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for MissingSettings {}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(name: &str) -> Option<String> {
        (name != "AWS_ENDPOINT_URL").then(|| name.to_lowercase())
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let missing = Settings::read(|name| match name {
            "AWS_REGION" => Some("eu-west-1".into()),
            "MILLRACE_TABLE" => Some(String::new()),
            _ => None,
        });
        assert_eq!(
            missing.unwrap_err().to_string(),
            "read the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, MILLRACE_TABLE, MILLRACE_BUS, \
             MILLRACE_BUCKET, MILLRACE_INCOMING not set"
        );
        assert_eq!(Settings::read(complete).unwrap().endpoint, None);
    }

    #[test]
    fn settings_can_be_logged_without_telling_a_secret() {
        let text = format!("{:?}", Settings::read(complete).unwrap());
        assert!(text.contains("aws_access_key_id") && !text.contains("secret_access_key"), "{text}");
        assert!(!text.contains("session_token"), "{text}");
    }
}
