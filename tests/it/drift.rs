//! Whether drift is seen where there is some, and not where there is none.

use std::path::PathBuf;

use home_insurance as homes;
use serde_json::Value;

use crate::command::{place, root, run};

#[test]
fn two_samples_of_one_market_are_calm_and_a_moved_market_has_drifted() {
    let month = |number| homes::csv(&homes::month(7, number, 4_000));
    let place = place(&[("1.csv", &month(1)), ("2.csv", &month(2)), ("4.csv", &month(4))]);
    let calm = run(place.path(), &["drift", "1.csv", "2.csv", "--contract", "contract.yaml"]);
    assert_eq!(calm.code, 0, "{}", calm.out);
    let moved = run(place.path(), &["drift", "1.csv", "4.csv", "--contract", "contract.yaml", "--json"]);
    assert_eq!(moved.code, 3, "{}", moved.out);
    let report: Value = serde_json::from_str(&moved.out).unwrap();
    assert_eq!(report["verdict"], "drift");
    let summary = report.to_string();
    assert!(summary.contains("market_value"));
}

/// Taxi months and house sales that are not part of the project; without them the tests that
/// need them say so and pass.
fn data() -> Option<PathBuf> {
    let place = root().parent()?.join("shared/data");
    if place.is_dir() {
        return Some(place);
    }
    let mut stdout = std::io::stdout();
    std::io::Write::write_all(&mut stdout, b"skipped: the real tables are not here (../shared/data)\n")
        .unwrap();
    None
}

#[test]
fn a_lockdown_changes_taxi_rides_and_an_ordinary_year_hardly() {
    let Some(data) = data() else { return };
    let taxi = data.join("nyc-taxi");
    let verdict = |current: &str| {
        let ran = run(&taxi, &["drift", "2019-01.csv", current, "--json"]);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        report["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict("2020-04.csv"), "drift");
}

#[test]
fn house_sales_without_drift_raise_none() {
    let Some(data) = data() else { return };
    let text = std::fs::read_to_string(data.join("king-county/house-sales.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    // The first eight months (2014-05 to 2014-12) against the last five; the date itself and the
    // sale's own id move by nature and say nothing about houses.
    let keep = |line: &str| {
        line.split_once(',')
            .and_then(|(_, rest)| rest.split_once(','))
            .map(|(_, rest)| rest.to_owned())
            .unwrap()
    };
    let of_year = |year: &str| {
        let lines = rows.lines().filter(|line| {
            line.split(',').nth(1).is_some_and(|date| date.trim_matches('"').starts_with(year))
        });
        format!("{}\n{}\n", keep(header), lines.map(keep).collect::<Vec<_>>().join("\n"))
    };
    let place = place(&[("2014.csv", &of_year("2014")), ("2015.csv", &of_year("2015"))]);
    let ran = run(place.path(), &["drift", "2014.csv", "2015.csv"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}
