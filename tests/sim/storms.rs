//! Seeds: a fixed set, a fresh batch, and as many as asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use crate::seeds::{Played, play, told};
use crate::whole;

/// Seeds of every run.
const FIXED: u64 = 60;

/// Seeds that no run has played before.
const FRESH: u64 = 60;

/// What some seeds came to.
#[derive(Debug, Default)]
struct Tally {
    seeds: u64,
    steps: u64,
    events: u64,
    kinds: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn add(&mut self, played: &Played) {
        self.seeds += 1;
        self.steps += played.steps;
        self.events += played.events as u64;
        for kind in &played.kinds {
            *self.kinds.entry(kind).or_default() += 1;
        }
    }
}

/// Plays seeds on every core; fails with the story of the first that goes wrong.
fn batch(seeds: std::ops::Range<u64>) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut tally = Tally::default();
        let mut failed = None;
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= seeds.end {
                return (tally, failed);
            }
            let played = play(seed, whole::real(), 0);
            tally.add(&played);
            if played.violation.is_some() {
                failed = failed.or(Some(seed));
                next.store(seeds.end, Ordering::SeqCst);
            }
        }
    };
    let results: Vec<(Tally, Option<u64>)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    let mut whole_tally = Tally::default();
    for (tally, failed) in results {
        if let Some(seed) = failed {
            panic!("{}", told(seed, &whole::real()));
        }
        whole_tally.seeds += tally.seeds;
        whole_tally.steps += tally.steps;
        whole_tally.events += tally.events;
        for (kind, count) in tally.kinds {
            *whole_tally.kinds.entry(kind).or_default() += count;
        }
    }
    whole_tally
}

#[test]
fn the_fixed_seeds_hold() {
    let tally = batch(0..FIXED);
    // A storm in which nothing happens proves nothing: the whole life must occur in the batch.
    for kind in ["PartAccepted", "PartRejected", "UploadRepeated", "TrainingFailed", "ModelDeployed"] {
        assert!(tally.kinds.contains_key(kind), "no {kind} in {:?}", tally.kinds);
    }
}

#[expect(clippy::disallowed_methods, reason = "a fresh batch is one that nobody can have chosen")]
#[test]
fn fresh_seeds_hold() {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = now.as_millis() as u64 * 1_000;
    println!("fresh seeds from {first}");
    batch(first..first + FRESH);
}

/// `make sim SEED=n` tells one seed's whole story; `make sim SEEDS=n FROM=m` plays many.
#[expect(
    clippy::disallowed_methods,
    reason = "what is asked for stands in the environment, as `make` gives it"
)]
#[test]
fn the_seeds_asked_for_hold() {
    let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = asked("SEED") {
        let played = play(seed, whole::real(), 1_000_000);
        println!("{}", played.story);
        println!("trace {:016x}, {} steps, {} events", played.hash, played.steps, played.events);
        assert!(played.violation.is_none(), "{}", told(seed, &whole::real()));
    }
    let Some(count) = asked("SEEDS") else { return };
    let first = asked("FROM").unwrap_or(1_000_000);
    let began = std::time::Instant::now();
    let mut tally = Tally::default();
    let mut from = first;
    while from < first + count {
        let to = (from + 500).min(first + count);
        let part = batch(from..to);
        tally.seeds += part.seeds;
        tally.steps += part.steps;
        tally.events += part.events;
        let seconds = began.elapsed().as_secs_f64();
        let rate = tally.seeds as f64 / seconds;
        eprintln!(
            "{} seeds, {} steps, {} events: {rate:.1} seeds a second",
            tally.seeds, tally.steps, tally.events
        );
        from = to;
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 17] {
        let (first, second) = (play(seed, whole::real(), 0), play(seed, whole::real(), 0));
        assert_eq!((first.hash, first.steps), (second.hash, second.steps), "seed {seed}");
    }
    assert_ne!(play(3, whole::real(), 0).hash, play(4, whole::real(), 0).hash);
}

#[test]
fn the_architecture_names_the_invariants_as_they_are_checked() {
    let page = include_str!("../../ARCHITECTURE.md");
    for invariant in simulation::check::invariant::ALL {
        let line = format!("\n- {}: {}.\n", invariant.id, invariant.says);
        assert!(page.contains(&line), "{line}");
    }
}
