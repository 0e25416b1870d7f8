//! One seed, one history: what it takes to play it, and what is told where it goes wrong.

use simulation::check::{Checker, Violation};
use simulation::chooser::{Choose as _, Seeded};
use simulation::deployment::Compose;
use simulation::storm::{Storm, Swarm};

use crate::people::Crowd;
use crate::whole;

/// How a seed ended.
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

/// Plays a seed with some functions; the last `keep` lines of the story are kept. `acts_max`
/// bounds what people do.
pub(crate) fn play(seed: u64, compose: Compose, keep: usize, acts_max: usize) -> Played {
    let mut seeded = Seeded::new(seed);
    let swarm = Swarm::draw(&mut seeded);
    let acts = [4, 10, 20, 32][seeded.pick(4)].min(acts_max);
    let mut deployment = whole::deployment(compose, keep);
    deployment.tell(format!("{swarm:?}"));
    let mut crowd = Crowd::new(&mut deployment, &mut seeded, acts);
    let mut storm =
        Storm { deployment, checker: Checker::default(), choose: &mut seeded, people: &mut crowd };
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

/// Plays a seed that fails with as little as it takes: the fewest acts of people with which some
/// invariant still does not hold.
pub(crate) fn shrunk(seed: u64, compose: &Compose, keep: usize) -> (usize, Played) {
    for acts in 1..32 {
        let played = play(seed, compose.clone(), keep, acts);
        if played.violation.is_some() {
            return (acts, played);
        }
    }
    (usize::MAX, play(seed, compose.clone(), keep, usize::MAX))
}

/// What a person is told of a seed that failed.
pub(crate) fn told(seed: u64, compose: &Compose) -> String {
    let (acts, played) = shrunk(seed, compose, 80);
    let violation = played.violation.map(|violation| violation.to_string()).unwrap_or_default();
    format!(
        "seed {seed}, step {} ({acts} acts): {violation}\n{}\nreplay: make sim SEED={seed}",
        played.steps, played.story
    )
}
