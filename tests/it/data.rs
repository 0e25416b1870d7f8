//! What people see of a file: its profile, its faults, and errors that say what to do.

use home_insurance as homes;
use serde_json::Value;

use crate::command::{place, run};

#[test]
fn a_good_file_is_accepted_with_code_0_and_a_broken_one_refused_with_code_3() {
    let quotes = homes::month(7, 1, 400);
    let place = place(&[("good.csv", &homes::csv(&quotes)), ("broken.csv", &homes::csv_broken(&quotes))]);
    let good = run(place.path(), &["validate", "good.csv", "--contract", "contract.yaml"]);
    assert_eq!((good.code, good.out.trim_end()), (0, "good.csv: accepted · 400 rows read, 400 good, 0 bad"));
    let broken = run(place.path(), &["validate", "broken.csv", "--contract", "contract.yaml"]);
    assert_eq!(broken.code, 3);
    assert!(broken.out.contains("✕ market_value: type: 400 cases"), "{}", broken.out);
    assert!(broken.out.contains("row 1, line 2:"), "{}", broken.out);
    assert!(broken.out.contains("to accept it:"), "{}", broken.out);
}

#[test]
fn bad_rows_and_good_rows_are_all_rows_and_quarantine_is_parquet() {
    let quotes = homes::month(7, 2, 1_000);
    let place = place(&[("some-bad.csv", &homes::csv_with_bad_rows(&quotes))]);
    let arguments = [
        "validate",
        "some-bad.csv",
        "--contract",
        "contract.yaml",
        "--json",
        "--good",
        "good.parquet",
        "--quarantine",
        "bad.parquet",
    ];
    let ran = run(place.path(), &arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap();
    // Every fiftieth row was spoilt.
    assert_eq!((count("rows_read"), count("rows_good"), count("rows_bad")), (1_000, 980, 20));
    for name in ["good.parquet", "bad.parquet"] {
        let bytes = std::fs::read(place.path().join(name)).unwrap();
        assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]), "{name}");
    }
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    let place = place(&[("a.csv", &homes::csv(&homes::month(7, 1, 500)))]);
    let part = |name: &str| {
        let ran = run(
            place.path(),
            &["validate", "a.csv", "--contract", "contract.yaml", "--good", name, "--html", "a.html"],
        );
        assert_eq!(ran.code, 0);
        (std::fs::read(place.path().join(name)).unwrap(), std::fs::read(place.path().join("a.html")).unwrap())
    };
    assert!(part("1.parquet") == part("2.parquet"));
}

#[test]
fn a_profile_tells_types_and_figures() {
    let place =
        place(&[("a.csv", "n,price,at,name\n1,0.5,2026-01-01,x\n2,,2026-01-02,y\n3,2.5,2026-01-03,x\n")]);
    let ran = run(place.path(), &["profile", "a.csv", "--json"]);
    let profile: Value = serde_json::from_str(&ran.out).unwrap();
    let kinds: Vec<&str> =
        profile["columns"].as_array().unwrap().iter().map(|c| c["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["integer", "number", "date", "text"]);
    assert_eq!(profile["columns"][1]["missing"], 1);
    assert_eq!(profile["columns"][1]["numbers"]["mean"], 1.5);
    assert_eq!(profile["columns"][3]["distinct"], 2);
    let table = run(place.path(), &["profile", "a.csv"]);
    assert!(table.out.contains("COLUMN") && table.out.contains("price"), "{}", table.out);
}

#[test]
fn errors_name_the_file_and_the_place() {
    let place = place(&[
        ("empty.csv", ""),
        (
            "contract-2.yaml",
            "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1\nstatus: active\nschema: [{name: t, properties: [{name: a, logicalType: array}]}]\n",
        ),
        ("torn.yaml", "a: [1, 2\n"),
    ]);
    let cases: [(&[&str], i32, &str); 6] = [
        (&["profile", "nowhere.csv"], 1, "read nowhere.csv: No such file"),
        (&["profile", "empty.csv"], 1, "empty.csv: header: found an empty file"),
        (&["validate", "empty.csv", "--contract", "contract-2.yaml"], 1, "contract-2.yaml:6:"),
        (&["validate", "empty.csv", "--contract", "torn.yaml"], 1, "torn.yaml:"),
        (&["drift", "empty.csv"], 2, "millrace drift"),
        (&["profile", "."], 1, "read .:"),
    ];
    for (arguments, code, complaint) in cases {
        let ran = run(place.path(), arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(complaint), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn hostile_cells_reach_neither_terminal_nor_page() {
    let place = place(&[(
        "a.csv",
        "name\n\u{1b}[2Jgone\n<script>alert(1)</script>\n\u{1b}[2Jgone\n<script>alert(1)</script>\n",
    )]);
    let ran = run(place.path(), &["profile", "a.csv", "--html", "a.html"]);
    assert_eq!(ran.code, 0);
    assert!(!ran.out.contains('\u{1b}'));
    let page = std::fs::read_to_string(place.path().join("a.html")).unwrap();
    assert!(!page.contains("<script>"));
}
