//! The story that `make demo` plays: every act happens, and the same seed tells it the same way.

use crate::command::{place, run};

#[test]
fn every_act_happens_and_the_same_seed_gives_the_same_digests() {
    let place = place(&[]);
    let first = run(place.path(), &["demo", "--seed", "11", "--into", "a"]);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    assert_eq!(first.out.matches('✓').count(), 7, "{}", first.out);
    let second = run(place.path(), &["demo", "--seed", "11", "--into", "a"]);
    assert!(first.out == second.out, "two tellings of one seed differ");
    let other = run(place.path(), &["demo", "--seed", "12", "--into", "b"]);
    assert_eq!(other.code, 0, "{}{}", other.out, other.err);
}
