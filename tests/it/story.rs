//! The story that `make demo` plays: every act happens, and the same seed tells it the same way.

use std::path::Path;

use crate::command::{Ran, place, run};
use crate::remnants::remnants;

/// Plays the story into a folder.
fn told(directory: &Path, seed: &str, into: &str) -> Ran {
    let ran = run(directory, &["demo", "--seed", seed, "--into", into]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    ran
}

/// The closing table of what the same seed gives, as one text: a digest that is too long for a
/// line goes on in the next.
fn digests(ran: &Ran) -> &str {
    let (_, after) = ran.out.split_once("THE SAME SEED GIVES").unwrap();
    after.split("\n\n").next().unwrap()
}

#[test]
fn every_act_happens_and_the_same_seed_gives_the_same_digests() {
    let place = place(&[]);
    let first = told(place.path(), "11", "a");
    let acts = |mark: &str| first.out.lines().filter(|line| line.trim_start().starts_with(mark)).count();
    // From the declaration to the ledger that is whole: nothing of a life is left out.
    assert_eq!((acts("✓"), acts("✕")), (25, 0), "{}", first.out);
    // Three parts with their reports and profiles, two models with their judgements, three checks.
    assert_eq!(digests(&first).matches("sha256:").count(), 16, "{}", first.out);

    // The second telling removes what the first one left.
    let second = told(place.path(), "11", "a");
    assert_eq!(digests(&first), digests(&second), "two tellings of one seed differ");

    let other = told(place.path(), "12", "b");
    let lines = |ran: &Ran| digests(ran).lines().map(str::to_owned).collect::<Vec<_>>();
    for (one, another) in lines(&first).iter().zip(&lines(&other)).skip(1) {
        assert!(one != another || !one.contains("sha256:"), "another seed gives the same: {one}");
    }
    assert_eq!(remnants(place.path()), [""; 0], "a story ends its programs");
}

#[test]
fn a_folder_that_no_story_wrote_is_left_alone() {
    let place = place(&[("letters/mine.txt", "dear diary")]);
    let ran = run(place.path(), &["demo", "--into", "letters"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("letters holds something that no story wrote"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(place.path().join("letters/mine.txt")).unwrap(), "dear diary");
}
