//! How people are told on one machine: a line in a file, or a signed request to an address.

mod webhook;

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use domain::pipeline::Channel;
use ports::{Error, ErrorKind, Notice, Notices, Result};

use crate::Clock;
use crate::fault::{folder_of, sync_folder, system};
use crate::line::LineFile;
use crate::lock;
use webhook::Webhook;

/// Where notices go out.
///
/// To a file: each notice is one line of JSON, on the disk when `send` returns.
///
/// To a webhook: each notice is the body, in JSON, of a POST with the headers `x-millrace-id`
/// (the notice's id: it is the same when the notice is sent again), `x-millrace-timestamp`
/// (seconds since 1970) and `x-millrace-signature: v1=HEX`, where HEX is the HMAC-SHA256, under
/// the secret, of the timestamp, a dot, and the body. Any answer of 200 to 299 means that the
/// notice was taken.
#[derive(Debug)]
pub struct Outlet {
    path: PathBuf,
    file: Mutex<Option<LineFile>>,
    webhook: Webhook,
}

impl Outlet {
    /// An outlet to a file, which is made at the first notice, and to webhooks.
    ///
    /// `clock` dates the requests, so receivers that refuse old ones need it to be
    /// [`Clock::real`]. `secret` answers what the environment holds under a name.
    pub fn new(
        file: &Path,
        clock: Clock,
        secret: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Outlet {
        let webhook = Webhook::new(clock, Box::new(secret));
        Outlet { path: file.to_owned(), file: Mutex::default(), webhook }
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let mut open = lock(&self.file);
        // A file that was moved away to be archived, say, is begun anew.
        let file = match open.take() {
            Some(file) if !file.is_gone()? => file,
            _ => {
                let file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
                sync_folder(folder_of(&self.path))?;
                LineFile::new(file)
            }
        };
        let file = open.insert(file);
        file.append(line.as_bytes())?;
        file.sync()
    }
}

#[async_trait]
impl Notices for Outlet {
    async fn send(&self, channel: &Channel, notice: &Notice) -> Result<()> {
        let body = serde_json::to_string(notice).map_err(|error| {
            Error::new(ErrorKind::Invalid, format!("send notice {}", notice.id)).because(error)
        })?;
        match channel {
            Channel::File => self.append(&body).map_err(|error| {
                system(format!("send notice {} to {}", notice.id, self.path.display()), error)
            }),
            Channel::Webhook { url, secret } => self.webhook.post(&notice.id, url, secret, &body),
        }
    }
}
