//! What a tick finds: uploads whose event never came, and tickets that nobody used.

use domain::key::prefix;
use domain::row::Ticket;
use domain::{BlobPath, Input, Key, PipelineName, Time, limit};
use ports::handler::id_of;
use ports::{Cx, ErrorKind, Fault, Handler as _, Handling, Record, RecordsExt as _, Write};
use tracing::info;

use crate::Ingest;
use crate::arrival::Arrival;

/// What a tick may still do, so that it ends within its function's time.
#[derive(Debug)]
struct Budget {
    tickets: usize,
    uploads: usize,
    bytes: u64,
}

impl Budget {
    /// Whether an upload of so many bytes may begin; it is then counted. The first one always
    /// may: a large one must not wait for ever.
    fn grants(&mut self, bytes: u64) -> bool {
        let first = self.uploads == limit::TICK_UPLOADS_MAX;
        if self.uploads == 0 || (!first && bytes > self.bytes) {
            return false;
        }
        self.uploads -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }
}

impl Ingest {
    /// Looks at the tickets of every pipeline. One upload's fault does not keep the others
    /// waiting. Where there are more tickets than one tick looks at, each tick begins elsewhere:
    /// ids of uploads are spread evenly, and so are the ids of ticks.
    pub(crate) async fn reconcile(&self, cx: &Cx, input: &Input, at: Time) -> Result<(), Fault> {
        let mut budget = Budget {
            tickets: limit::TICK_TICKETS_MAX,
            uploads: limit::TICK_UPLOADS_MAX,
            bytes: limit::TICK_BYTES_MAX,
        };
        let start = id_of(&input.id(), "start");
        let mut pipelines = self.records.pipelines().await?;
        let turn = u64::from_str_radix(&start, 16).expect("an id is 12 hexadecimal digits");
        let first_pipeline = turn as usize % pipelines.len().max(1);
        pipelines.rotate_left(first_pipeline);
        let mut first = Ok(());
        for pipeline in &pipelines {
            let handling = Handling { cx, input, pipeline };
            for record in self.tickets(pipeline, &start, &mut budget).await? {
                let ticket = record.key.sort.clone();
                if let Err(fault) = self.look(handling, at, record, &mut budget).await {
                    info!(pipeline = %pipeline, ticket = %ticket, fault = %fault, "an upload could not be taken in now");
                    first = first.and(Err(fault));
                }
            }
        }
        first
    }

    /// A pipeline's tickets from `start` on and round to it, as many as the tick may look at.
    async fn tickets(
        &self,
        pipeline: &PipelineName,
        start: &str,
        budget: &mut Budget,
    ) -> Result<Vec<Record>, Fault> {
        let partition = Key::partition(pipeline);
        let middle = format!("{}{start}", prefix::TICKET);
        let mut found: Vec<Record> = Vec::new();
        for (from, until) in [(Some(middle.clone()), None), (None, Some(middle.as_str()))] {
            let mut after = from;
            while found.len() < budget.tickets {
                let page = self.records.list(&partition, prefix::TICKET, after.as_deref()).await?;
                let within = |record: &Record| until.is_none_or(|until| record.key.sort.as_str() <= until);
                let reached = !page.records.iter().all(within);
                found.extend(page.records.into_iter().filter(within));
                after = page.next;
                if reached || after.is_none() {
                    break;
                }
            }
        }
        found.truncate(budget.tickets);
        budget.tickets -= found.len();
        Ok(found)
    }

    /// Takes in what a ticket was given for, if it is there; lets an old ticket go.
    async fn look(
        &self,
        handling: Handling<'_>,
        at: Time,
        record: Record,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        let Handling { pipeline, .. } = handling;
        let Record { key, version, value } = record;
        let upload = key.sort.strip_prefix(prefix::TICKET).unwrap_or_default().to_owned();
        let ticket: Ticket = serde_json::from_value(value)
            .map_err(|error| Fault::Reject(format!("read {}: not a ticket: {error}", key.sort)))?;
        let path = BlobPath::incoming(pipeline, ticket.as_of, &upload, &ticket.file)
            .map_err(|error| Fault::Reject(format!("read {}: its path: {error}", key.sort)))?;
        if let Some(object) = self.incoming.head(&path).await? {
            if !budget.grants(object.bytes) {
                return Ok(());
            }
            let arrival = Arrival::announced(&upload, ticket, path, object.version);
            return self.take_in(handling, &arrival, &upload).await;
        }
        if ticket.at.plus(limit::TICKET_DAYS * Time::DAY) > at {
            return Ok(());
        }
        let mut plan = handling.plan(self.name(), &format!("expire/{upload}"));
        plan.write(Write::remove(key, version));
        match plan.commit(&*self.records).await {
            Ok(_) => {
                info!(pipeline = %pipeline, upload = %upload, "a ticket was never used");
                Ok(())
            }
            // The upload came at last, and took its ticket along.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
