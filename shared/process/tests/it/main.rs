//! Do jobs and endpoints keep their promises as real processes?

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails where it stands")]

mod endpoints;
mod jobs;
mod lasting;
mod predictions;
mod searches;
mod setting;
