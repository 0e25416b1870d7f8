//! That heads are read strictly, and that what is wrong is never told as well.

use super::*;

fn digest() -> String {
    format!("sha256:{}", "ab".repeat(32))
}

#[test]
fn a_head_is_a_place_and_a_whole_digest() {
    let text = format!("120:{}", digest());
    let head: Head = text.parse().unwrap();
    assert_eq!((head.sequence, head.to_string()), (120, text));
    let zero = format!("0:{}", digest());
    let short = "1:sha256:abab";
    for text in ["", "120", ":", &digest(), short, &zero, "x:sha256:ab", &format!("-1:{}", digest())] {
        assert!(text.parse::<Head>().is_err(), "{text}");
    }
}

#[test]
fn a_whole_ledger_gives_a_head_worth_keeping() {
    let name: PipelineName = "home".parse().unwrap();
    let verification =
        json!({ "events": 1200, "rows": 1, "head": { "sequence": 1200, "hash": digest() }, "findings": [] });
    assert_eq!(findings(&verification).unwrap(), Vec::<String>::new());
    let told = verified(&name, &verification, 0);
    assert_eq!(told[0], "home: 1,200 events and 1 row hold");
    let kept: Head = told[1].strip_prefix("head: ").unwrap().parse().unwrap();
    assert_eq!(kept.to_string(), format!("1200:{}", digest()));
}

#[test]
fn findings_are_told_and_their_absence_must_be_said() {
    let name: PipelineName = "home".parse().unwrap();
    let finding = json!({ "place": "model/000000001", "what": "is not what event 7 says" });
    let verification = json!({ "events": 7, "rows": 3, "head": null, "findings": [finding] });
    assert_eq!(findings(&verification).unwrap(), ["model/000000001: is not what event 7 says"]);
    assert_eq!(verified(&name, &verification, 1), ["home: 1 finding, 7 events and 3 rows hold"]);
    assert!(findings(&json!({ "events": 7 })).is_err());
}

#[test]
fn an_event_is_one_line() {
    let event = json!({ "line": "ana asked for a run: new tariff", "subject": "pipeline", "envelope": {
        "v": 1, "id": "e", "kind": "RetrainingRequested", "data": { "reason": "new tariff" },
        "pipeline": "home", "sequence": 12, "previous": null, "at": "2026-01-01", "actor": "person:ana",
        "cause": "c", "correlation": "c",
    }});
    let recorded: Recorded = serde_json::from_value(event).unwrap();
    assert_eq!(told(&recorded), "   12  2026-01-01T00:00:00.000Z  ana asked for a run: new tariff");
}

#[test]
fn a_lineage_names_who_and_every_digest() {
    let lineage = json!({
        "version": 2, "binding": digest(), "approval": { "state": "pending" }, "metrics": {},
        "lineage": {
            "pipeline": digest(), "contract": digest(), "features": digest(), "program": digest(),
            "selection": digest(), "artifact": digest(), "evaluation": digest(), "report": digest(), "parts": [],
        },
        "report": { "path": "r.html", "digest": digest() },
        "run": { "id": "1f", "number": 3, "reason": "drift", "by": "function:drift", "at": "2026-02-01" },
        "parts": [
            { "number": 1, "digest": digest(), "rows": 8000, "as_of": "2026-01-31T00:00:00.000Z", "file": "q.csv", "by": "person:ana" },
            { "number": 2, "digest": digest(), "rows": 7840, "as_of": "2026-02-28T00:00:00.000Z", "file": null, "by": null },
        ],
    });
    let facts = lineage_facts(&lineage).unwrap();
    assert_eq!(facts.iter().filter(|(_, value)| *value == digest()).count(), 9);
    assert!(facts.contains(&("asked for by", "function:drift at 2026-02-01".into())));
    assert_eq!(
        part_rows(&lineage),
        [
            ["1", "q.csv", "ana", "2026-01-31", "8000", "abababababab"],
            ["2", "–", "–", "2026-02-28", "7840", "abababababab"]
        ]
    );
}
