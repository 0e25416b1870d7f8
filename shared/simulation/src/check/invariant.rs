//! The invariants: each has an id that the checker, the pages and the logs use alike.

/// Something that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invariant {
    /// Its id.
    pub id: &'static str,
    /// What must hold, in one sentence.
    pub says: &'static str,
}

const fn invariant(id: &'static str, says: &'static str) -> Invariant {
    Invariant { id, says }
}

/// No upload is lost.
pub const UPLOADS: Invariant = invariant(
    "I-1",
    "every upload ends accepted, rejected or as a repeat, or stands in the dead letters, and its bytes stay as they came",
);
/// Nothing is done twice.
pub const ONCE: Invariant =
    invariant("I-2", "a part, run, job, version, deployment, check or decision is made once for its cause");
/// No number is left out.
pub const NUMBERS: Invariant =
    invariant("I-3", "parts, runs and versions count from 1 without gaps, and no number is given twice");
/// One champion.
pub const CHAMPION: Invariant = invariant(
    "I-4",
    "an endpoint has one champion, which only a deployment changes, and at most one deployment is in flight",
);
/// The endpoint is what the ledger says.
pub const SERVES: Invariant =
    invariant("I-5", "once nothing moves, every endpoint serves what the ledger says, and no other is there");
/// Nothing unapproved serves.
pub const APPROVED: Invariant = invariant(
    "I-6",
    "nothing is deployed that somebody whom the policy names did not approve, bound to every digest it is made of",
);
/// Chains verify.
pub const CHAIN: Invariant =
    invariant("I-7", "every chain is whole, and every fact row is what an event says of it");
/// Everything has a cause.
pub const CAUSED: Invariant = invariant(
    "I-8",
    "every change of a fact comes with an event, and every event names the input that caused it",
);
/// Files are there.
pub const FILES: Invariant =
    invariant("I-9", "no event or row names a file that is not there with exactly those bytes");
/// Money.
pub const JOBS_OWNED: Invariant =
    invariant("I-10", "no job is started that no run owns, and none is left running that no run awaits");
/// Notices.
pub const NOTICES: Invariant =
    invariant("I-11", "a notice may come twice, and never vanishes: it got through, or visibly waits");
/// Rows add up.
pub const ROWS: Invariant = invariant("I-12", "good rows and bad rows are all rows read");
/// Frozen.
pub const FROZEN: Invariant = invariant(
    "I-13",
    "what a run learns from and what a version is made of never change, and states only go forward",
);
/// Published.
pub const PUBLISHED: Invariant = invariant("I-14", "every event of the ledger reaches the bus");
/// Nothing is stuck.
pub const ENDS: Invariant = invariant(
    "I-15",
    "once the world is calm, every run, judgement and deployment ends, and every dead letter can be redriven",
);
/// Acknowledged means done.
pub const ACKNOWLEDGED: Invariant =
    invariant("I-16", "what a person was told is accepted stands in the ledger");
/// One run.
pub const ONE_RUN: Invariant =
    invariant("I-17", "while a run is under way, only a person gets another one planned");
/// Asks are not forgotten.
pub const ASKS: Invariant = invariant(
    "I-18",
    "enough new rows are learned from: what asks for a run gets one, waits, or is told why not",
);
/// No panic.
pub const NO_PANIC: Invariant = invariant("I-19", "no function panics");
/// The budget.
pub const BUDGET: Invariant = invariant(
    "I-20",
    "no run is planned whose jobs may take more than the budget has left, unless an approver let it, and no job takes more than was reserved",
);

/// All of them, in order.
pub const ALL: [Invariant; 20] = [
    UPLOADS,
    ONCE,
    NUMBERS,
    CHAMPION,
    SERVES,
    APPROVED,
    CHAIN,
    CAUSED,
    FILES,
    JOBS_OWNED,
    NOTICES,
    ROWS,
    FROZEN,
    PUBLISHED,
    ENDS,
    ACKNOWLEDGED,
    ONE_RUN,
    ASKS,
    NO_PANIC,
    BUDGET,
];
