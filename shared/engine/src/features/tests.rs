//! Do features compile, compute and travel as promised.

use super::*;

fn trips() -> Schema {
    Schema::of([
        ("pickup_at", Kind::Timestamp),
        ("dropoff_at", Kind::Timestamp),
        ("distance", Kind::Number),
        ("passengers", Kind::Integer),
        ("zone", Kind::Text),
        ("night", Kind::Boolean),
    ])
}

fn duration() -> Target {
    Target::compile("log_duration", Some("log(seconds_between(pickup_at, dropoff_at))"), &trips()).unwrap()
}

/// The dataset without what the target is made of.
fn serving() -> Schema {
    let fields = trips()
        .fields
        .into_iter()
        .filter(|field| !["pickup_at", "dropoff_at"].contains(&field.name.as_str()));
    Schema { fields: fields.collect() }
}

fn declared(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn compiled() -> Features {
    let declared = declared(&[
        ("distance", "log1p(distance)"),
        ("zone_length", "length(zone)"),
        ("far", "distance > 10"),
    ]);
    Features::compile(&serving(), &declared, &["passengers".to_owned()], &duration()).unwrap()
}

fn problems(declared_pairs: &[(&str, &str)], drop: &[&str]) -> Vec<String> {
    let drop: Vec<String> = drop.iter().map(|name| (*name).to_owned()).collect();
    let problems = Features::compile(&serving(), &declared(declared_pairs), &drop, &duration()).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

fn rows() -> Batch {
    Batch::new(
        Arc::new(serving()),
        vec![
            Column::Number(vec![Some(std::f64::consts::E - 1.0), None, Some(20.0)]),
            Column::Integer(vec![Some(1), Some(2), None]),
            Column::Text(vec![Some("SoHo".to_owned()), None, Some("Astoria".to_owned())]),
            Column::Boolean(vec![Some(true), None, Some(false)]),
        ],
    )
}

#[test]
fn columns_pass_unless_dropped_or_declared_anew_and_new_ones_follow_by_name() {
    let features = compiled();
    let expected = [
        ("distance", "log1p(distance)"),
        ("zone", "zone"),
        ("night", "night"),
        ("far", "distance > 10"),
        ("zone_length", "length(zone)"),
    ];
    assert_eq!(features.written().collect::<Vec<_>>(), expected);
    let kinds: Vec<Kind> = features.schema().fields.iter().map(|field| field.kind).collect();
    assert_eq!(kinds, [Kind::Number, Kind::Text, Kind::Boolean, Kind::Boolean, Kind::Number]);
}

#[test]
fn features_of_rows_agree_with_hand_calculation() {
    let found = compiled().apply(&rows()).unwrap();
    let far = Column::Boolean(vec![Some(false), None, Some(true)]);
    assert_eq!(found.column("far").unwrap(), &far);
    assert_eq!(found.column("zone_length").unwrap(), &Column::Number(vec![Some(4.0), None, Some(7.0)]));
    // log1p(e - 1) = 1.
    assert!((found.column("distance").unwrap().number(0).unwrap() - 1.0).abs() < 1e-15);
    assert_eq!(found.column("distance").unwrap().number(1), None);
}

#[test]
fn a_target_knows_what_it_is_made_of_and_computes_it() {
    let target = duration();
    assert_eq!(target.kind, Kind::Number);
    assert_eq!(target.made_of().into_iter().collect::<Vec<_>>(), ["dropoff_at", "log_duration", "pickup_at"]);
    let batch = Batch::new(
        Arc::new(Schema::of([("pickup_at", Kind::Timestamp), ("dropoff_at", Kind::Timestamp)])),
        vec![
            Column::Timestamp(vec![Some(0), Some(5_000), Some(1)]),
            Column::Timestamp(vec![Some(600_000), Some(5_000), None]),
        ],
    );
    // ln 600; a trip of no length has no logarithm; a missing end has no duration.
    let Column::Number(values) = target.evaluate(&batch).unwrap() else { panic!("a number") };
    assert!((values[0].unwrap() - 6.396_929_655_216_146).abs() < 1e-14);
    assert_eq!(&values[1..], [None, None]);
    let plain = Target::compile("night", None, &trips()).unwrap();
    assert_eq!((plain.kind, plain.expression), (Kind::Boolean, None));
    assert!(
        Target::compile("pickup_at", None, &trips()).unwrap_err().to_string().contains("date or timestamp")
    );
    assert!(
        Target::compile("x", Some("log(nothing)"), &trips())
            .unwrap_err()
            .to_string()
            .contains("unknown column")
    );
}

#[test]
fn every_problem_is_found_at_once_and_names_its_field() {
    let found = problems(
        &[("speed", "distance / duration"), ("late", "dropoff_at > \"2020-01-01\""), ("log_duration", "1")],
        &["nowhere", "zone"],
    );
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].contains("drop: unknown column: found nowhere"), "{}", found[0]);
    assert!(
        found[1].contains("features.late") && found[1].contains("what the target is made of"),
        "{}",
        found[1]
    );
    assert!(found[2].contains("features.log_duration") && found[2].contains("target's"), "{}", found[2]);
    assert!(found[3].contains("features.speed") && found[3].contains("`duration`"), "{}", found[3]);
    assert!(problems(&[("zone", "lower(zone)")], &["zone"])[0].contains("dropped and declared"));
    assert!(problems(&[], &["distance", "passengers", "zone", "night"])[0].contains("no features"));
}

#[test]
fn serving_columns_the_target_is_made_of_are_refused() {
    let leaking = Features::compile(&trips(), &BTreeMap::new(), &[], &duration()).unwrap_err();
    let fields: Vec<&str> = leaking.iter().map(|problem| problem.found.as_str()).collect();
    assert_eq!(fields, ["pickup_at", "dropoff_at"]);
}

#[test]
fn what_is_known_by_then_may_be_served_and_the_rest_may_not() {
    let target = duration().knowing(&["pickup_at".to_owned()]).unwrap();
    assert_eq!(target.withheld().into_iter().collect::<Vec<_>>(), ["dropoff_at", "log_duration"]);
    assert_eq!(target.made_of(), duration().made_of());
    let fields = trips().fields.into_iter().filter(|field| field.name != "dropoff_at").collect();
    let features =
        Features::compile(&Schema { fields }, &declared(&[("hour", "hour(pickup_at)")]), &[], &target)
            .unwrap();
    assert_eq!(Features::from_json(&features.to_json()).unwrap().target(), &target);
    let leaking = Features::compile(&trips(), &BTreeMap::new(), &[], &target).unwrap_err();
    let fields: Vec<&str> = leaking.iter().map(|problem| problem.found.as_str()).collect();
    assert_eq!(fields, ["dropoff_at"]);
}

#[test]
fn a_target_that_is_known_altogether_or_knows_a_stranger_is_refused() {
    let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (target, names, complaint) in [
        (duration(), known(&["distance"]), "target.known: known column of the target: found distance"),
        (duration(), known(&["pickup_at", "dropoff_at"]), "what is known need not be predicted"),
        (Target::compile("distance", None, &trips()).unwrap(), known(&["distance"]), "found distance"),
    ] {
        let told = target.knowing(&names).unwrap_err().to_string();
        assert!(told.contains(complaint), "{told}");
    }
    let whole = String::from_utf8(compiled().to_json()).unwrap();
    let end = "\"expression\": \"log(seconds_between(pickup_at, dropoff_at))\"";
    let hostile = whole.replacen(end, &format!("{end}, \"known\": [\"pickup_at\", \"dropoff_at\"]"), 1);
    assert_ne!(whole, hostile);
    assert!(Features::from_json(hostile.as_bytes()).is_err());
}

#[test]
fn the_file_reads_back_the_same_and_is_the_same_bytes() {
    let features = compiled();
    let bytes = features.to_json();
    let back = Features::from_json(&bytes).unwrap();
    assert_eq!(back.to_json(), bytes);
    assert_eq!(back.apply(&rows()).unwrap(), features.apply(&rows()).unwrap());
    assert_eq!(back.target(), &duration());
}

#[test]
fn a_hostile_file_is_an_error_never_a_panic() {
    let good = String::from_utf8(compiled().to_json()).unwrap();
    let deep = "(".repeat(3_000);
    let changes = [
        ("\"version\": 1", "\"version\": 9", "unknown version"),
        ("log1p(distance)", "log1p(zone)", "wrong kind"),
        ("log1p(distance)", deep.as_str(), "expression too deep"),
        ("\"name\": \"far\"", "\"name\": \"zone\"", "name of a feature"),
        ("\"name\": \"far\"", "\"name\": \"\"", "name of a feature"),
        ("distance > 10", "distance + 10", "kind of a feature"),
        (
            "\"name\": \"night\",\n      \"kind\": \"boolean\"\n    }\n  ]",
            "\"name\": \"zone\",\n      \"kind\": \"boolean\"\n    }\n  ]",
            "column listed twice",
        ),
        ("\"name\": \"passengers\"", "\"name\": \"log_duration\"", "target among the serving columns"),
        ("\"inputs\"", "\"imputs\"", "not a features file"),
    ];
    for (from, to, expected) in changes {
        assert!(good.contains(from), "{from}");
        let problems = Features::from_json(good.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(
            problems.iter().any(|problem| problem.rule == expected && problem.file == "features.json"),
            "{problems:#?}"
        );
    }
    for length in 0..good.len() - 1 {
        assert!(Features::from_json(&good.as_bytes()[..length]).is_err());
    }
    assert!(Features::from_json(&[0xff, 0xfe]).is_err());
}

#[test]
fn a_batch_that_lacks_a_column_is_refused_by_name() {
    let batch = rows().selected(&["distance", "passengers"]).unwrap();
    let problem = compiled().apply(&batch).unwrap_err();
    assert_eq!(problem.field.as_deref(), Some("zone"));
}
