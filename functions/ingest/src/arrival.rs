//! Who sent what, and when: by the ticket, where there was one, else by the object itself.

use domain::input::ObjectCreated;
use domain::key::prefix;
use domain::row::{Ticket, Upload};
use domain::{Actor, BlobPath, Key, Time};
use ports::handler::id_of;
use ports::{BlobsExt, ErrorKind, Fault, RecordsExt};

use crate::Ingest;
use crate::landing::Landing;

/// An upload whose bytes are there. Nothing in it changes with a redelivery, so that every
/// handling of one upload reads it alike and writes the same files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The upload's id.
    pub upload: String,
    /// Where the bytes are.
    pub path: BlobPath,
    /// The version of them that is taken in, where versions are kept: the path may have been
    /// written over since.
    pub version: Option<String>,
    /// The file's name as the person gave it.
    pub file: String,
    /// Who uploaded it.
    pub by: Actor,
    /// When it was announced, or landed: "now" for rules about age.
    pub at: Time,
    /// The business time of its rows.
    pub as_of: Time,
    /// Why it is refused unread, if so.
    pub refused: Option<String>,
}

impl Arrival {
    /// The arrival of an upload that was announced.
    pub fn announced(upload: &str, ticket: Ticket, path: BlobPath, version: Option<String>) -> Arrival {
        Arrival {
            upload: upload.to_owned(),
            path,
            version,
            file: ticket.file,
            by: ticket.by,
            at: ticket.at,
            as_of: ticket.as_of.unwrap_or(ticket.at),
            refused: None,
        }
    }

    /// The arrival of an object that nobody announced. Its id is of key and object: one of the
    /// folder alone would be shared by all files of a recursive copy.
    pub fn unannounced(landing: &Landing, object: &ObjectCreated, input: &str) -> Arrival {
        let (as_of, refused) = match &landing.as_of {
            Ok(said) => (said.unwrap_or(object.at), None),
            Err(reason) => (object.at, Some(reason.clone())),
        };
        Arrival {
            upload: id_of(input, "upload"),
            path: landing.path.clone(),
            version: object.version.clone(),
            file: landing.file.clone(),
            by: Actor::storage(&object.requester),
            at: object.at,
            as_of,
            refused,
        }
    }
}

impl Ingest {
    /// What arrived; none where it was told before. A ticket speaks for the one path that it was
    /// given for: whatever else lies in that folder is an upload of its own.
    pub(crate) async fn arrival(
        &self,
        landing: &Landing,
        object: &ObjectCreated,
        input: &str,
    ) -> Result<Option<Arrival>, Fault> {
        let Landing { pipeline, path, folder, .. } = landing;
        let unannounced = || Some(Arrival::unannounced(landing, object, input));
        if folder.is_empty() {
            return Ok(unannounced());
        }
        // The ticket first: it goes in the same commit in which the upload's row comes, so one of
        // the two is seen.
        if let Some(row) = self.records.read::<Ticket>(&Key::named(pipeline, prefix::TICKET, folder)).await? {
            let ticket = row.value;
            let given = BlobPath::incoming(pipeline, ticket.as_of, folder, &ticket.file);
            if given.as_ref() == Ok(path) {
                return Ok(Some(Arrival::announced(folder, ticket, path.clone(), object.version.clone())));
            }
            return Ok(unannounced());
        }
        let before = self.records.read::<Upload>(&Key::named(pipeline, prefix::UPLOAD, folder)).await?;
        let Some(before) = before.map(|row| row.value).filter(|upload| upload.path == *path) else {
            return Ok(unannounced());
        };
        if object.version.is_some() && object.version == before.version {
            return Ok(None);
        }
        // The ticket is used up. Other bytes under its path are another upload.
        match self.incoming.digest_of(path, object.version.as_deref()).await {
            Ok((_, content)) if content != before.content => Ok(unannounced()),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
