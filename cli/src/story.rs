//! How a story is played: a server of its own over a fresh directory, people who ask it things,
//! every event told as it happens, and an account of the acts at the end.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use domain::{Digest, Event, PipelineName, Time};
use indicatif::{ProgressBar, ProgressStyle};

use crate::client::{Client, Failure, Invocation, Patience, Recorded};
use crate::output::{self, Done, Error, say};

/// How long anything is waited for before the story says that it did not happen.
const PATIENCE: Patience = Patience(Some(Duration::from_secs(180)));

/// Requests to an endpoint carry this many rows.
const ROWS_AT_ONCE: usize = 250;

/// Characters of what an act found in the closing table.
const TOLD_CHARS_MAX: usize = 110;

/// What marks a directory as a story's, so that the next telling may remove it.
const MARK: &str = "story";

/// One act: what should happen, whether it did, and what is left of it.
struct Act {
    what: String,
    happened: bool,
    told: String,
    left: String,
}

/// A story being told.
pub(crate) struct Story {
    server: Server,
    folder: PathBuf,
    client: Client,
    people: BTreeMap<String, u32>,
    pipeline: PipelineName,
    after: u64,
    acts: Vec<Act>,
    digests: Vec<(String, Digest)>,
}

/// The server that a story runs; it stops with the story.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let id = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

impl Story {
    /// Begins over a fresh directory: an earlier story's is removed, any other is left alone.
    pub(crate) fn begin(folder: &Path, pipeline: &str, clock: &str) -> Result<Story, Error> {
        fresh(folder)?;
        let failed = |error: std::io::Error| format!("begin a story in {}: {error}", folder.display());
        let data = folder.join("data");
        let log = std::fs::File::create(folder.join("server.log")).map_err(failed)?;
        let child = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["up", "--port", "0", "--demo", "--virtual-clock", clock, "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let mut server = Server(child);
        let client = connected(&data, &mut server)
            .map_err(|why| format!("{why}; {} says more", folder.join("server.log").display()))?;
        Ok(Story {
            server,
            folder: folder.to_owned(),
            client,
            people: BTreeMap::new(),
            pipeline: pipeline.parse()?,
            after: 0,
            acts: Vec::new(),
            digests: Vec::new(),
        })
    }

    /// The pipeline the story is about.
    pub(crate) fn pipeline(&self) -> &PipelineName {
        &self.pipeline
    }

    /// Where the story's files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A client that looks and asks for nothing.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Someone who asks. What one asks is known by name and count, so that two tellings of a
    /// story have the same causes, and with them the same ids.
    pub(crate) fn person(&mut self, name: &str) -> Result<Client, Error> {
        let count = self.people.entry(name.to_owned()).or_default();
        *count += 1;
        Ok(self.client.acting_as(name)?.named(&format!("story {name} {count}")))
    }

    /// A heading.
    pub(crate) fn scene(&self, title: &str) {
        say("");
        say(title);
    }

    /// An act that happened, or did not.
    pub(crate) fn act(&mut self, what: &str, happened: bool, told: &str, left: &str) {
        if !happened {
            say(&format!("  ✕ {what}: {}", engine::text::terminal(told)));
        }
        let (what, told, left) = (what.to_owned(), told.to_owned(), left.to_owned());
        self.acts.push(Act { what, happened, told, left });
    }

    /// A digest that the same seed must give again.
    pub(crate) fn digest(&mut self, of: &str, digest: Digest) {
        self.digests.push((of.to_owned(), digest));
    }

    /// Where a recorded file stands on this machine, from where the story is told.
    pub(crate) fn place(&self, path: &domain::BlobPath) -> String {
        self.folder.join("data/blobs").join(path.as_str()).display().to_string()
    }

    /// Moves the clock, and waits until everything that this set off is over: a check that the
    /// schedule begins now must not meet half of the traffic that the story sends next.
    pub(crate) fn clock(&mut self, to: &str) -> Result<(), Error> {
        let to: Time = to.parse()?;
        self.client.set_clock(to)?;
        self.client.wait("the machine to come to rest", PATIENCE, || {
            let runtime = self.client.runtime()?;
            let is_at_rest = runtime["waiting"] == 0 && runtime["working"] == 0;
            Ok(is_at_rest.then_some(()))
        })?;
        say(&format!("  it is {}", to.date()));
        Ok(())
    }

    /// Tells every event until one answers.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut see: impl FnMut(&Recorded) -> Option<T>,
    ) -> Result<T, Error> {
        let spinner = spinner(what);
        let Story { client, pipeline, after, server, .. } = self;
        let mut lost = None;
        let found = client.wait(what, PATIENCE, || {
            if let Ok(Some(status)) = server.0.try_wait() {
                lost = Some(status);
                return Err(Failure::Here(format!("the server ended with {status}")));
            }
            loop {
                let page = client.events(pipeline, *after)?;
                if page.is_empty() {
                    return Ok(None);
                }
                for recorded in page {
                    *after = recorded.envelope.sequence;
                    spinner.suspend(|| say(&told(&recorded)));
                    if let Some(found) = see(&recorded) {
                        return Ok(Some(found));
                    }
                }
            }
        });
        spinner.finish_and_clear();
        Ok(found?)
    }

    /// Tells events until one of a kind, and answers its facts; an error where another ending
    /// came instead.
    pub(crate) fn until_event<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&Event) -> Option<T>,
    ) -> Result<T, Error> {
        let ending = self.until(what, |recorded| {
            let event = &recorded.envelope.event;
            match pick(event) {
                Some(found) => Some(Ok(found)),
                None => match event {
                    Event::TrainingFailed { .. }
                    | Event::ModelRejected { version: None, .. }
                    | Event::DeploymentFailed { .. } => Some(Err(recorded.line.clone())),
                    _ => None,
                },
            }
        })?;
        ending.map_err(|line| format!("waiting for {what}, but {line}").into())
    }

    /// Sends rows to the endpoint in requests of some hundred; answers one prediction a row.
    /// The label of row `n` (from 0) joins under `{name}-{n / 250}/{n % 250}`.
    pub(crate) fn ask(&self, endpoint: &str, name: &str, rows: &[String]) -> Result<Vec<f64>, Error> {
        let bar = bar(rows.len() as u64, &format!("asking {endpoint}"));
        let mut answers = Vec::with_capacity(rows.len());
        for (number, chunk) in rows.chunks(ROWS_AT_ONCE).enumerate() {
            let id = request_name(name, number);
            let body = chunk.iter().map(|row| format!("{row}\n")).collect::<String>();
            let asked =
                Invocation { content_type: "text/csv", inference_id: Some(&id), body: body.as_bytes() };
            let answer = self.client.invoke(endpoint, asked)?;
            let text = String::from_utf8_lossy(&answer.body);
            for line in text.lines() {
                answers.push(line.trim().parse().map_err(|_| format!("{endpoint} answered {line:?}"))?);
            }
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        if answers.len() != rows.len() {
            return output::error(format!("{endpoint} answered {} of {} rows", answers.len(), rows.len()));
        }
        say(&format!("  {endpoint} answered {} rows over HTTP", engine::text::count(rows.len() as u64)));
        Ok(answers)
    }

    /// The file of labels for rows that were asked under a name.
    pub(crate) fn labels_of(name: &str, labels: impl Iterator<Item = String>) -> String {
        let mut text = "inference_id,label\n".to_owned();
        for (row, label) in labels.enumerate() {
            let id = request_name(name, row / ROWS_AT_ONCE);
            text.push_str(&format!("{id}/{},{label}\n", row % ROWS_AT_ONCE));
        }
        text
    }

    /// The account of all acts; an error where one did not happen.
    pub(crate) fn end(mut self) -> Done {
        let dead = self.client.runtime()?["dead"].as_u64();
        let told = format!("{} dead letters", dead.map_or("unknown".into(), |dead| dead.to_string()));
        self.act("nothing was given up", dead == Some(0), &told, "");
        say("");
        let failed = self.acts.iter().filter(|act| !act.happened).count();
        let rows = self.acts.iter().map(|act| {
            let mark = if act.happened { "✓" } else { "✕" };
            // What is left behind tells more, and so do the events above.
            let told = match act.happened {
                true => engine::text::cut(&act.told, TOLD_CHARS_MAX).into_owned(),
                false => act.told.clone(),
            };
            vec![mark.to_owned(), act.what.clone(), told]
        });
        output::table(&["", "act", "what was found"], rows.collect(), "");
        say("");
        say("LEFT BEHIND, TO OPEN AND READ");
        for act in self.acts.iter().filter(|act| !act.left.is_empty()) {
            say(&format!("  {}", engine::text::terminal(&act.what)));
            say(&format!("    {}", engine::text::terminal(&act.left)));
        }
        say("");
        // Whole, so that two tellings can be compared: no table breaks them.
        let names = self.digests.iter().map(|(of, _)| engine::text::width(of)).max().unwrap_or(0);
        say("THE SAME SEED GIVES");
        for (of, digest) in &self.digests {
            say(&format!("{}  {digest}", engine::text::fit(of, names)));
        }
        say("");
        let data = self.folder.join("data");
        say("Look around:");
        say(&format!("  millrace up --data {}", data.display()));
        say(&format!("  millrace --data {} status          (in another terminal)", data.display()));
        match failed {
            0 => Ok(ExitCode::SUCCESS),
            1 => output::error("1 act of the story did not happen"),
            failed => output::error(format!("{failed} acts of the story did not happen")),
        }
    }
}

fn request_name(name: &str, number: usize) -> String {
    format!("{name}-{number:05}")
}

/// An event in one line, under the clock of the ledger.
fn told(recorded: &Recorded) -> String {
    let at = recorded.envelope.at.date();
    let line = engine::text::terminal(&recorded.line).into_owned();
    format!(
        "  {at} #{:<3} {}",
        recorded.envelope.sequence,
        engine::text::cut(&line, output::width().saturating_sub(20))
    )
}

fn spinner(what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(format!("waiting for {what}"));
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn bar(length: u64, what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {msg} {wide_bar} {pos}/{len} {eta}");
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Makes the folder; removes what an earlier story left there.
fn fresh(folder: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| -> Error { format!("make {}: {error}", folder.display()).into() };
    let is_there = folder.exists();
    if is_there && folder.join(MARK).exists() {
        std::fs::remove_dir_all(folder).map_err(failed)?;
    } else if is_there && std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
        let what = format!("{} holds something that no story wrote", folder.display());
        return output::error(format!("{what}; name another folder with --into"));
    }
    std::fs::create_dir_all(folder).map_err(failed)?;
    std::fs::write(folder.join(MARK), "`millrace demo` wrote this folder and will remove it\n")
        .map_err(failed)
}

/// A client of the server, once it answers.
fn connected(data: &Path, server: &mut Server) -> Result<Client, Error> {
    for _ in 0..600 {
        if let Ok(Some(status)) = server.0.try_wait() {
            return output::error(format!("the server ended with {status}"));
        }
        let client = Client::open(data, None);
        if let Ok(client) = client
            && client.runtime().is_ok()
        {
            return Ok(client);
        }
        crate::client::pause(Duration::from_millis(50));
    }
    output::error("the server did not begin to answer")
}
