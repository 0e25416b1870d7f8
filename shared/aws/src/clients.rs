//! How the adapters of one function come to share one connection to AWS.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use crate::{Bucket, EventBus, Settings, Table};

/// Attempts of one call before it fails: what lasts longer is the caller's to retry.
const ATTEMPTS_MAX: u32 = 4;

/// How long a connection may take to be made: within a region it takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one attempt may take: a part of a blob is sent within seconds, so a server that says
/// nothing for so long is hanging.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a call may take with all its attempts.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The adapters of one function, over one client that keeps its connections.
#[derive(Clone, Debug)]
pub struct Clients {
    settings: Settings,
    table: aws_sdk_dynamodb::Client,
    buckets: aws_sdk_s3::Client,
    bus: aws_sdk_eventbridge::Client,
}

impl Clients {
    /// Makes the clients; nothing is called yet.
    pub fn new(settings: Settings) -> Clients {
        Clients::waiting(settings, ATTEMPT_TIMEOUT)
    }

    /// Makes clients that wait differently long for the answer to one attempt of a call.
    pub fn waiting(settings: Settings, attempt: Duration) -> Clients {
        let config = config(&settings, attempt);
        let mut buckets = aws_sdk_s3::config::Builder::from(&config);
        // Another server's name does not begin with a bucket's.
        buckets.set_force_path_style(settings.endpoint.as_ref().map(|_| true));
        Clients {
            table: aws_sdk_dynamodb::Client::new(&config),
            buckets: aws_sdk_s3::Client::from_conf(buckets.build()),
            bus: aws_sdk_eventbridge::Client::new(&config),
            settings,
        }
    }

    /// The table.
    pub fn records(&self) -> Arc<Table> {
        Arc::new(Table::new(self.table.clone(), self.settings.table.clone()))
    }

    /// The bucket of our own files.
    pub fn blobs(&self) -> Arc<Bucket> {
        Arc::new(Bucket::new(self.buckets.clone(), self.settings.bucket.clone()))
    }

    /// The bucket that uploads land in.
    pub fn incoming(&self) -> Arc<Bucket> {
        Arc::new(Bucket::new(self.buckets.clone(), self.settings.incoming.clone()))
    }

    /// The bus.
    pub fn bus(&self) -> Arc<EventBus> {
        Arc::new(EventBus::new(self.bus.clone(), self.settings.bus.clone()))
    }
}

fn config(settings: &Settings, attempt: Duration) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    let given = &settings.credentials;
    let credentials =
        Credentials::new(&given.key, &given.secret, given.session.clone(), None, "the environment");
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut config = SdkConfig::builder();
    config.set_endpoint_url(settings.endpoint.clone());
    config
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .timeout_config(timeouts)
        .http_client(http)
        .build()
}
