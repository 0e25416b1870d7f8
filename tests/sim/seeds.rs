//! One seed, one history: what it takes to play it, and what is told where it goes wrong.

use std::process::Command;

use simulation::check::{Checker, Invariant, Violation};
use simulation::chooser::{Choose, Recorded, Replayed, Seeded};
use simulation::deployment::Compose;
use simulation::shrink::shrink;
use simulation::storm::{Storm, Swarm};

use crate::people::Crowd;
use crate::whole;

/// Histories that may be played to make one that fails shorter: a minute's worth.
const PLAYS_MAX: usize = 1_000;

/// Lines of a story that are kept to be told: all of any that was made shorter.
const STORY_LINES_MAX: usize = 100_000;

/// Lines of a story that are told where it fails: more than nearly all have that were made short.
pub(crate) const TOLD_LINES: usize = 200;

/// How a history ended.
#[derive(Debug)]
pub(crate) struct Played {
    /// Lines of the story.
    pub(crate) steps: u64,
    /// Their hash.
    pub(crate) hash: u64,
    /// Events recorded.
    pub(crate) events: usize,
    /// Kinds of the events recorded.
    pub(crate) kinds: Vec<&'static str>,
    /// What did not hold, if anything.
    pub(crate) violation: Option<Violation>,
    /// The story's end.
    pub(crate) story: String,
}

impl Played {
    /// Which invariant did not hold.
    pub(crate) fn broken(&self) -> Option<Invariant> {
        self.violation.as_ref().map(|violation| violation.invariant)
    }
}

/// Plays a seed with some functions; the last `keep` lines of the story are kept.
pub(crate) fn play(seed: u64, compose: Compose, keep: usize) -> Played {
    play_picks(&mut Seeded::new(seed), compose, keep)
}

/// Plays a history that somebody picks.
pub(crate) fn play_picks(choose: &mut dyn Choose, compose: Compose, keep: usize) -> Played {
    let swarm = Swarm::draw(choose);
    let acts = [1, 4, 10, 20, 32][choose.pick(5)];
    let mut deployment = whole::deployment(compose, keep);
    deployment.tell(format!("{swarm:?}"));
    let mut crowd = Crowd::new(&mut deployment, choose, acts);
    let mut storm = Storm { deployment, checker: Checker::default(), choose, people: &mut crowd };
    let violation = storm.run(&swarm).err();
    let facts = storm.checker.facts.values();
    let kinds: Vec<&str> =
        facts.flat_map(|facts| facts.events.iter().map(|event| event.event.kind())).collect();
    let story = &storm.deployment.story;
    Played {
        steps: story.told(),
        hash: story.hash(),
        events: kinds.len(),
        kinds,
        violation,
        story: story.text(),
    }
}

/// Plays a seed that fails with as little as it takes for the same invariant not to hold.
pub(crate) fn shrunk(seed: u64, compose: &Compose) -> Played {
    let picked = |choose: &mut dyn Choose| {
        let mut recorded = Recorded::new(choose);
        let played = play_picks(&mut recorded, compose.clone(), 0);
        (played.broken(), recorded.picks)
    };
    let (broken, picks) = picked(&mut Seeded::new(seed));
    let fails = |picks: &[usize]| {
        let (found, used) = picked(&mut Replayed::new(picks));
        (found.is_some() && found == broken).then_some(used)
    };
    let picks = shrink(picks, PLAYS_MAX, fails);
    play_picks(&mut Replayed::new(&picks), compose.clone(), STORY_LINES_MAX)
}

/// What a person is told of a seed that failed: the end of the shortest story found.
pub(crate) fn told(seed: u64, compose: &Compose) -> String {
    let whole = play(seed, compose.clone(), 0);
    let played = shrunk(seed, compose);
    let violation = played.violation.map(|violation| violation.to_string()).unwrap_or_default();
    let lines = effects(&played.story);
    let end = lines[lines.len().saturating_sub(TOLD_LINES)..].join("\n");
    format!(
        "seed {seed} at {}, after {} steps, and {} where it is made short ({} that change something):\n\
         {violation}\n{end}\nreplay: make sim SEED={seed}",
        commit(),
        whole.steps,
        played.steps,
        lines.len(),
    )
}

/// Calls that change nothing.
const READS: [&str; 8] = [
    "records.get",
    "records.list",
    "blobs.head",
    "blobs.range",
    "blobs.list",
    "blobs.writer",
    "jobs.status",
    "endpoints.status",
];

/// The lines of a story that tell what changed and what went wrong: reads that went well are left
/// out, and so are ticks at which nothing was to be done.
pub(crate) fn effects(story: &str) -> Vec<&str> {
    let is_read = |line: &&str| line.ends_with(" passes") && READS.iter().any(|read| line.contains(read));
    let mut lines: Vec<&str> = Vec::new();
    for line in story.lines().filter(|line| !is_read(line)) {
        let before = lines.last().copied().unwrap_or_default();
        let is_idle = line.ends_with(" is done") && before.contains(": tick ");
        let stands_still = line.ends_with("time passes") && before.ends_with("time passes");
        if is_idle || stands_still {
            lines.pop();
        }
        if !is_idle {
            lines.push(line);
        }
    }
    lines
}

/// The commit that is played, where it can be told.
fn commit() -> String {
    let asked = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let told = asked.ok().filter(|output| output.status.success());
    let text = told.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|| "an unknown commit".into())
}
