//! Whether a chain is whole, and whether the rows are what its events say.
//!
//! What this finds and what it cannot: an event or row that was edited, inserted, removed or
//! reordered is found from the table alone. Whoever owns the table can recompute the whole
//! chain, or cut its tail and rewrite the head with the rows to match; that is found only
//! against a head that was kept elsewhere. Working rows (marks, waiting rows, tickets, cursors)
//! are vouched for by nobody.

use std::collections::BTreeMap;
use std::fmt;

use domain::key::prefix;
use domain::{Digest, Envelope, Key, PipelineName, limit};
use serde::Serialize;
use serde_json::Value;

use super::{Head, head_key};
use crate::{Error, ErrorKind, Record, Records, Result};

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Events read.
    pub events: u64,
    /// Fact rows that are what an event says.
    pub rows: u64,
    /// Place and recomputed hash of the last event, worth keeping elsewhere; none for an empty
    /// chain.
    pub head: Option<Head>,
    /// What is wrong, events before rows; empty where nothing is. At most
    /// [`limit::FINDINGS_MAX`], the last of which then says so.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The sort key of the row in which it shows.
    pub place: String,
    /// What is wrong and what must have happened, in one sentence.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Reads a pipeline's whole partition, page by page, and checks every event and every fact row.
/// `anchor` is a head that was kept elsewhere: place and hash of some event.
///
/// It may run while commits happen: where it found something and the head has moved meanwhile,
/// it looks again. `Conflict` where the head never rests. `Invalid` where the anchor's place
/// is 0, since places count from 1.
///
/// Memory: the digests of the pipeline's fact rows.
pub async fn verify(
    records: &dyn Records,
    pipeline: &PipelineName,
    anchor: Option<(u64, Digest)>,
) -> Result<Verification> {
    if anchor.is_some_and(|(sequence, _)| sequence == 0) {
        let what = format!("verify {pipeline}: the head's place is 0, but events count from 1");
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let key = head_key(pipeline);
    for _ in 0..limit::CONFLICT_ATTEMPTS_MAX {
        let before = records.get(&key).await?.map(|row| row.value);
        let found = walk(records, pipeline, anchor).await?;
        let after = records.get(&key).await?.map(|row| row.value);
        if found.findings.is_empty() || before == after {
            return Ok(found);
        }
    }
    let what = format!("verify {pipeline}: something is wrong, but commits kept coming while looking");
    Err(Error::new(ErrorKind::Conflict, what))
}

async fn walk(
    records: &dyn Records,
    pipeline: &PipelineName,
    anchor: Option<(u64, Digest)>,
) -> Result<Verification> {
    let partition = Key::partition(pipeline);
    let mut walk = Walk::new(pipeline, anchor);
    let mut after: Option<String> = None;
    loop {
        let page = records.list(&partition, "", after.as_deref()).await?;
        for record in &page.records {
            walk.see(record);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(walk.finish()),
        }
    }
}

/// The last event seen, as the next one must follow it.
#[derive(Clone, Copy)]
enum Last {
    /// It was read.
    Read(Head),
    /// Its place is known, but it is not there.
    Missing(u64),
}

struct Walk<'a> {
    pipeline: &'a PipelineName,
    anchor: Option<(u64, Digest)>,
    last: Option<Last>,
    head: Option<Value>,
    events: u64,
    /// What the events say of each fact row: which event said it last, and its digest.
    attested: BTreeMap<String, (u64, Option<Digest>)>,
    /// What stands there.
    facts: BTreeMap<String, Digest>,
    rows: u64,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    fn new(pipeline: &PipelineName, anchor: Option<(u64, Digest)>) -> Walk<'_> {
        Walk {
            pipeline,
            anchor,
            last: None,
            head: None,
            events: 0,
            attested: BTreeMap::new(),
            facts: BTreeMap::new(),
            rows: 0,
            findings: Vec::new(),
        }
    }

    fn find(&mut self, place: &str, what: String) {
        let room = limit::FINDINGS_MAX.saturating_sub(self.findings.len());
        match room {
            0 => {}
            1 => self.findings.push(Finding {
                place: place.to_owned(),
                what: "more is wrong from here on than is worth listing".to_owned(),
            }),
            _ => self.findings.push(Finding { place: place.to_owned(), what }),
        }
    }

    fn see(&mut self, record: &Record) {
        let Record { key, value, .. } = record;
        if let Some(number) = key.sort.strip_prefix(prefix::EVENT) {
            // Only the spelling that the adapters use names an event: `+2` or `2` is a row
            // somebody put there.
            let numbered = |sequence: &u64| super::event_key(self.pipeline, *sequence).sort == key.sort;
            match number.parse::<u64>().ok().filter(numbered) {
                Some(sequence) => self.see_event(&key.sort, sequence, value),
                None => self.find(&key.sort, "no event has such a place: the row was inserted".to_owned()),
            }
        } else if key.sort == prefix::HEAD {
            self.head = Some(value.clone());
        } else if key.is_fact() {
            self.facts.insert(key.sort.clone(), Digest::of_json(value));
        }
    }

    fn see_event(&mut self, place: &str, sequence: u64, value: &Value) {
        self.events += 1;
        // The hash is of what stands there, not of what we understand of it: an event recorded
        // by another version may have fields that we do not know, or lack some that we add.
        let hash = Digest::of_json(value);
        self.see_gap(place, sequence);
        let parsed: std::result::Result<Envelope, _> = serde_json::from_value(value.clone());
        match &parsed {
            Err(error) => {
                self.find(place, format!("cannot be read as an event, so it was edited: {error}"));
            }
            Ok(event) => {
                if let Some(what) = self.broken_link(sequence, event) {
                    self.find(place, what);
                }
                for (sort, digest) in &event.rows {
                    self.attested.insert(sort.clone(), (sequence, *digest));
                }
            }
        }
        if let Some((anchored, expected)) = self.anchor
            && anchored == sequence
            && expected != hash
        {
            self.find(
                place,
                format!(
                    "hashes to {hash}, but the head kept elsewhere says {expected}: \
                     the chain was rewritten up to here"
                ),
            );
        }
        self.last = Some(Last::Read(Head { sequence, hash }));
    }

    fn see_gap(&mut self, place: &str, sequence: u64) {
        let next = self.place() + 1;
        if sequence > next {
            let missing = if next + 1 == sequence {
                format!("event {next} is missing")
            } else {
                format!("events {next} to {} are missing", sequence - 1)
            };
            self.find(place, format!("{missing} before this one: removed"));
            self.last = Some(Last::Missing(sequence - 1));
        }
    }

    fn place(&self) -> u64 {
        match self.last {
            None => 0,
            Some(Last::Read(head)) => head.sequence,
            Some(Last::Missing(sequence)) => sequence,
        }
    }

    /// What is wrong with an event's place in the chain.
    fn broken_link(&self, sequence: u64, event: &Envelope) -> Option<String> {
        if event.sequence != sequence {
            let says = event.sequence;
            return Some(format!("says that it is event {says}: reordered or inserted"));
        }
        if event.pipeline != *self.pipeline {
            let says = &event.pipeline;
            return Some(format!("says that it belongs to {says}: inserted from another chain"));
        }
        let expected = match self.last {
            None => None,
            Some(Last::Read(head)) => Some(head.hash),
            // The gap has been told already.
            Some(Last::Missing(_)) => return None,
        };
        if event.previous == expected {
            return None;
        }
        let name = |digest: Option<Digest>| digest.map_or_else(|| "nothing".into(), |it| it.to_string());
        let before = sequence - 1;
        Some(format!(
            "follows {}, but event {before} hashes to {}: event {before} was edited or reordered, \
             or this one inserted",
            name(event.previous),
            name(expected)
        ))
    }

    fn finish(mut self) -> Verification {
        self.check_head();
        self.check_rows();
        let head = match self.last {
            Some(Last::Read(head)) => Some(head),
            _ => None,
        };
        Verification { events: self.events, rows: self.rows, head, findings: self.findings }
    }

    fn check_head(&mut self) {
        let place = self.place();
        if let Some((anchored, _)) = self.anchor
            && anchored > place
        {
            let what = format!(
                "the chain ends at event {place}, but the head kept elsewhere is event {anchored}: the tail was removed"
            );
            self.find(prefix::HEAD, what);
        }
        let said = self.head.take().map(serde_json::from_value::<Head>);
        let what = match (said, self.last) {
            (None, None) => return,
            (None, Some(_)) => format!("is missing, but the chain ends at event {place}: removed"),
            (Some(Err(error)), _) => format!("cannot be read, so it was edited: {error}"),
            (Some(Ok(said)), _) if said.sequence > place => {
                let says = said.sequence;
                format!("says event {says}, but the chain ends at event {place}: the tail was removed")
            }
            (Some(Ok(said)), _) if said.sequence < place => {
                let says = said.sequence;
                format!(
                    "says event {says}, but the chain goes on to event {place}: events were inserted, or the head edited"
                )
            }
            (Some(Ok(said)), Some(Last::Read(last))) if said.hash != last.hash => format!(
                "says {}, but event {place} hashes to {}: event {place} was edited, or the head",
                said.hash, last.hash
            ),
            (Some(Ok(_)), _) => return,
        };
        self.find(prefix::HEAD, what);
    }

    fn check_rows(&mut self) {
        let mut attested = std::mem::take(&mut self.attested);
        for (sort, digest) in std::mem::take(&mut self.facts) {
            match attested.remove(&sort) {
                None => self.find(&sort, "no event vouches for this row: it was inserted".to_owned()),
                Some((sequence, None)) => self.find(
                    &sort,
                    format!("event {sequence} removed this row, yet it stands there: it was inserted"),
                ),
                Some((sequence, Some(said))) if said != digest => self.find(
                    &sort,
                    format!("is no longer what event {sequence} vouched for ({said}): the row was edited"),
                ),
                Some(_) => self.rows += 1,
            }
        }
        for (sort, (sequence, digest)) in attested {
            if digest.is_some() {
                self.find(
                    &sort,
                    format!("event {sequence} vouches for this row, but it is not there: it was removed"),
                );
            }
        }
    }
}
