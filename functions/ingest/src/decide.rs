//! The rules of an upload's fate: which part it is, whether it came before, and why not.

use domain::row::{Accepted, Fate, File};
use domain::{Digest, limit};
use engine::text;

/// Reasons told in a row or event; the report tells all of them.
const REASONS_TOLD: usize = 3;

/// What was found in an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It keeps its contract; its files are written.
    Good(PartFiles),
    /// It breaks its contract: why, in one sentence.
    Bad(String),
    /// The same bytes under the same contract are in a part already.
    Repeated(u64),
}

/// The files of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFiles {
    /// The canonical Parquet file.
    pub data: File,
    /// Its size in bytes.
    pub bytes: u64,
    /// The profile.
    pub profile: File,
}

/// The identity of a part: of the uploaded bytes and of the contract they kept.
pub fn part_digest(content: &Digest, contract: &Digest) -> Digest {
    Digest::of_parts(&[&content.hex(), &contract.hex()])
}

/// An upload's fate, where `parts` parts were accepted so far, `accepted` of the same bytes.
pub fn fate(finding: &Finding, accepted: Option<&Accepted>, parts: u64) -> Fate {
    match (finding, accepted) {
        (Finding::Bad(reason), _) => Fate::Rejected { reason: reason.clone() },
        (Finding::Repeated(part), _) => Fate::Duplicate { part: *part },
        (Finding::Good(_), Some(before)) => Fate::Duplicate { part: before.part },
        (Finding::Good(_), None) => Fate::Accepted { part: parts + 1 },
    }
}

/// The reasons of a rejection in one sentence that fits a row and an event.
pub fn sentence(reasons: &[String]) -> String {
    let (told, left) = reasons.split_at(reasons.len().min(REASONS_TOLD));
    let most = limit::REASON_CHARS_MAX / REASONS_TOLD;
    let mut told: Vec<String> = told.iter().map(|reason| text::cut(reason, most).into_owned()).collect();
    if !left.is_empty() {
        told.push(format!("and {} more in the report", left.len()));
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BlobPath;

    #[test]
    fn the_same_bytes_become_one_part() {
        let file = || File { path: BlobPath::parse("x").unwrap(), digest: Digest::of(b"x") };
        let good = Finding::Good(PartFiles { data: file(), bytes: 1, profile: file() });
        let bad = Finding::Bad("why".into());
        let before = Accepted { part: 3, upload: "u".into() };
        for (finding, accepted, expected) in [
            (&good, None, Fate::Accepted { part: 8 }),
            (&good, Some(&before), Fate::Duplicate { part: 3 }),
            (&Finding::Repeated(2), None, Fate::Duplicate { part: 2 }),
            (&bad, None, Fate::Rejected { reason: "why".into() }),
            (&bad, Some(&before), Fate::Rejected { reason: "why".into() }),
        ] {
            assert_eq!(fate(finding, accepted, 7), expected, "{finding:?}, {accepted:?}");
        }
    }

    #[test]
    fn a_part_is_of_its_bytes_and_its_contract() {
        // Python: sha256(b''.join(len(p).to_bytes(8,'big')+p for p in (sha256(b'a').hexdigest(), sha256(b'c').hexdigest())))
        let digest = part_digest(&Digest::of(b"a"), &Digest::of(b"c"));
        assert_eq!(digest.hex(), PYTHON);
        assert_ne!(digest, part_digest(&Digest::of(b"c"), &Digest::of(b"a")));
    }

    const PYTHON: &str = "63b44bfd81efc791fd6f97d33f80ed82b28ffeff226fd6bd4104c47023143d27";

    #[test]
    fn a_sentence_stays_short_whatever_is_wrong() {
        let reasons = |n: usize| (1..=n).map(|i| format!("reason {i}")).collect::<Vec<_>>();
        assert_eq!(sentence(&reasons(1)), "reason 1");
        assert_eq!(sentence(&reasons(3)), "reason 1; reason 2; reason 3");
        assert_eq!(sentence(&reasons(9)), "reason 1; reason 2; reason 3; and 6 more in the report");
        let long = vec!["é".repeat(100_000); 2_000];
        assert!(sentence(&long).chars().count() < limit::REASON_CHARS_MAX + 50);
    }
}
