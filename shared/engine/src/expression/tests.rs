//! What do expressions give, and which are refused, against values worked out by hand.

use std::sync::Arc;

use super::*;

/// One full row, one wholly missing, one awkward.
fn batch() -> Batch {
    let schema = Schema::of([
        ("x", Kind::Number),
        ("n", Kind::Integer),
        ("flag", Kind::Boolean),
        ("city", Kind::Text),
        ("built", Kind::Date),
        ("seen", Kind::Timestamp),
        ("total amount", Kind::Number),
    ]);
    let columns = vec![
        Column::Number(vec![Some(2.5), None, Some(f64::INFINITY)]),
        Column::Integer(vec![Some(7), None, Some(-1)]),
        Column::Boolean(vec![Some(true), None, Some(false)]),
        Column::Text(vec![Some("Zürich".to_owned()), None, Some(String::new())]),
        // 2024-02-29 and 1969-12-31.
        Column::Date(vec![Some(19_782), None, Some(-1)]),
        // 2026-11-23T09:41:30Z and one millisecond before the epoch.
        Column::Timestamp(vec![Some(1_795_426_890_000), None, Some(-1)]),
        Column::Number(vec![Some(40.0), None, Some(0.0)]),
    ];
    Batch::new(Arc::new(schema), columns)
}

fn evaluate(text: &str) -> Column {
    let batch = batch();
    Expression::parse(text, batch.schema())
        .unwrap_or_else(|problem| panic!("{text}: {problem}"))
        .evaluate(&batch)
        .unwrap()
}

fn problem(text: &str) -> Problem {
    match Expression::parse(text, batch().schema()) {
        Ok(parsed) => panic!("{text} was taken as {parsed:?}"),
        Err(problem) => problem,
    }
}

/// The three rows of a numeric expression.
fn check(text: &str, expected: [Option<f64>; 3]) {
    let Column::Number(found) = evaluate(text) else { panic!("{text} is no number") };
    let near = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs().max(1.0),
        (a, b) => a == b,
    };
    assert!(found.iter().zip(&expected).all(near), "{text}: found {found:?}, expected {expected:?}");
}

fn holds(text: &str, expected: [Option<bool>; 3]) {
    assert_eq!(evaluate(text), Column::Boolean(expected.to_vec()), "{text}");
}

#[test]
fn arithmetic_follows_precedence_and_hand_calculation() {
    check("1 + 2 * 3", [Some(7.0); 3]);
    check("(1 + 2) * 3", [Some(9.0); 3]);
    check("10 - 4 - 3", [Some(3.0); 3]);
    check("24 / 4 / 2", [Some(3.0); 3]);
    check("-n * 2", [Some(-14.0), None, Some(2.0)]);
    check("--n", [Some(7.0), None, Some(-1.0)]);
    check("2 - -3", [Some(5.0); 3]);
    check("1.5e2 + 0.0 * 1e-3", [Some(150.0); 3]);
    check("n % 7", [Some(0.0), None, Some(6.0)]);
    check("n % -4", [Some(-1.0), None, Some(-1.0)]);
    check("`total amount` / 8 + n", [Some(12.0), None, Some(-1.0)]);
}

#[test]
fn functions_agree_with_tabulated_values() {
    // ln 2.5, ln 3.5, e^2.5, √2.5 from the CRC tables.
    check("log(x)", [Some(0.916_290_731_874_155_1), None, None]);
    check("log1p(x)", [Some(1.252_762_968_495_368), None, None]);
    check("exp(x)", [Some(12.182_493_960_703_473), None, None]);
    check("sqrt(x)", [Some(1.581_138_830_084_189_8), None, None]);
    check("abs(n)", [Some(7.0), None, Some(1.0)]);
    check("floor(-2.5)", [Some(-3.0); 3]);
    check("round(x)", [Some(3.0), None, None]);
    check("round(-2.5)", [Some(-3.0); 3]);
    check("min(n, 3, 5)", [Some(3.0), None, Some(-1.0)]);
    check("max(n, 3)", [Some(7.0), None, Some(3.0)]);
    check("clip(n, 0, 5)", [Some(5.0), None, Some(0.0)]);
    check("clip(n, 5, 0)", [Some(0.0), None, Some(0.0)]);
    check("length(city)", [Some(6.0), None, Some(0.0)]);
    assert_eq!(
        evaluate("lower(city)"),
        Column::Text(vec![Some("zürich".to_owned()), None, Some(String::new())])
    );
}

#[test]
fn a_number_that_does_not_exist_is_missing() {
    for text in [
        "1 / 0",
        "0 / 0",
        "1 % 0",
        "log(0)",
        "log(-1)",
        "log1p(-1)",
        "sqrt(-1)",
        "exp(1000)",
        "1e300 * 1e300",
    ] {
        check(text, [None; 3]);
    }
    check("x", [Some(2.5), None, None]);
    check("1 / `total amount`", [Some(0.025), None, None]);
    holds("x > 1", [Some(true), None, None]);
    holds("is_missing(x)", [Some(false), Some(true), Some(true)]);
}

#[test]
fn missing_propagates_except_where_the_language_says_so() {
    check("n + 1", [Some(8.0), None, Some(0.0)]);
    check("fill(n, 0)", [Some(7.0), Some(0.0), Some(-1.0)]);
    check("coalesce(x, n, 9)", [Some(2.5), Some(9.0), Some(-1.0)]);
    check("if(flag, 1, 2)", [Some(1.0), None, Some(2.0)]);
    check("if(is_missing(n), 5, missing)", [None, Some(5.0), None]);
    check("if(flag, missing, n)", [None, None, Some(-1.0)]);
    holds("flag and false", [Some(false); 3]);
    holds("flag or true", [Some(true); 3]);
    holds("flag and true", [Some(true), None, Some(false)]);
    holds("not flag", [Some(false), None, Some(true)]);
    holds("not not flag", [Some(true), None, Some(false)]);
    holds("city == \"\"", [Some(false), None, Some(true)]);
}

#[test]
fn comparisons_bind_looser_than_arithmetic_and_tighter_than_not() {
    holds("not n + 1 > 7 and true", [Some(false), None, Some(true)]);
    holds("n >= 7 or n < 0", [Some(true), None, Some(true)]);
    holds("n != 7", [Some(false), None, Some(true)]);
    holds("flag == true", [Some(true), None, Some(false)]);
    holds("built < \"2000-01-01\"", [Some(false), None, Some(true)]);
    holds("\"2024-02-29\" == built", [Some(true), None, Some(false)]);
    holds("seen > built", [Some(true), None, Some(true)]);
}

#[test]
fn parts_of_dates_agree_with_the_calendar() {
    check("year(built)", [Some(2024.0), None, Some(1969.0)]);
    check("month(built)", [Some(2.0), None, Some(12.0)]);
    check("day(built)", [Some(29.0), None, Some(31.0)]);
    // 2024-02-29 was a Thursday, 1969-12-31 a Wednesday.
    check("weekday(built)", [Some(4.0), None, Some(3.0)]);
    check("hour(seen)", [Some(9.0), None, Some(23.0)]);
    check("minute(seen)", [Some(41.0), None, Some(59.0)]);
    check("year(seen)", [Some(2026.0), None, Some(1969.0)]);
    check("seconds_between(\"2026-11-23T09:41:00Z\", seen)", [Some(30.0), None, Some(-1_795_426_860.001)]);
    // 2024-03-02 is day 19 784, and 2026-11-23 day 20 780, since the epoch.
    check("days_between(built, \"2024-03-02\")", [Some(2.0), None, Some(19_785.0)]);
    let last = (-20_780.0 * 86_400_000.0 - 1.0) / 60_000.0;
    check("days_between(\"2026-11-23\", seen) * 24 * 60", [Some(581.5), None, Some(last)]);
}

#[test]
fn extreme_moments_have_a_date() {
    let schema = Arc::new(Schema::of([("t", Kind::Timestamp)]));
    let batch = Batch::new(schema.clone(), vec![Column::Timestamp(vec![Some(i64::MIN), Some(i64::MAX)])]);
    for part in ["year", "month", "day", "weekday", "hour", "minute"] {
        let parsed = Expression::parse(&format!("{part}(t)"), &schema).unwrap();
        assert!(
            matches!(parsed.evaluate(&batch).unwrap(), Column::Number(values) if values.iter().all(Option::is_some))
        );
    }
}

#[test]
fn maps_pick_by_constant_keys() {
    check("map(city, \"Zürich\", 1, \"Bern\", 2, 0)", [Some(1.0), None, Some(0.0)]);
    check("map(city, \"Bern\", 2)", [None; 3]);
    check("map(n, 7, x * 2, -1, 4)", [Some(5.0), None, Some(4.0)]);
    check("map(flag, true, 1, false, 0)", [Some(1.0), None, Some(0.0)]);
    check("map(built, \"2024-02-29\", 1, 0)", [Some(1.0), None, Some(0.0)]);
    assert_eq!(
        evaluate("map(n, 7, 'seven', missing)"),
        Column::Text(vec![Some("seven".to_owned()), None, None])
    );
}

#[test]
fn a_bare_column_keeps_its_kind() {
    let batch = batch();
    for field in &batch.schema().fields {
        let text = written_column(&field.name).unwrap();
        let parsed = Expression::parse(&text, batch.schema()).unwrap();
        assert_eq!(parsed.kind(), field.kind);
        assert_eq!(parsed.evaluate(&batch).unwrap().kind(), field.kind);
    }
    assert_eq!(Expression::parse("n + 0", batch.schema()).unwrap().kind(), Kind::Number);
}

#[test]
fn faults_name_the_place_and_the_remedy() {
    let cases = [
        ("", "empty expression"),
        ("x +", "unexpected: found the end at character 4"),
        ("log(citi)", "unknown column: found `citi` at character 5 of `log(citi)`"),
        ("logg(x)", "did you mean log(…)?"),
        ("x = 1", "equality is written =="),
        ("1 < x < 3", "join two comparisons with `and`"),
        ("city + 1", "wrong kind: found a text at character 1"),
        ("flag * 2", "write if(x, 1, 0)"),
        ("if(x, 1, 2)", "compare it, as in x > 0"),
        ("if(flag, 1, city)", "branches of two kinds"),
        ("if(flag, missing, missing)", "always missing"),
        ("missing", "missing without a kind"),
        ("hour(built)", "a date has no hour"),
        ("built == \"soon\"", "not a date"),
        ("city < \"b\"", "no order"),
        ("x == city", "comparison of two kinds"),
        ("map(city, 1, 2)", "key of a map"),
        ("map(city, \"a\", 1, \"a\", 2)", "key listed twice"),
        ("log(x, 2)", "expected log(x)"),
        ("fill(x)", "expected fill(x, value)"),
        ("\"open", "a text without its end"),
        ("`open", "a name without its end"),
        ("(x", "expected `)` for what begins at character 1"),
        ("x y", "unexpected: found `y` at character 3"),
        ("1e999", "not a number"),
        ("x ; y", "unknown character"),
        ("and", "unexpected"),
    ];
    for (text, expected) in cases {
        let problem = problem(text).to_string();
        assert!(problem.contains(expected), "{text}: {problem}");
    }
}

#[test]
fn hostile_depth_and_length_are_refused() {
    let deep = [
        "(".repeat(2_000) + "x" + &")".repeat(2_000),
        "-".repeat(2_000) + "x",
        "not ".repeat(1_000) + "flag",
        "x".to_owned() + &"+x".repeat(2_000),
        "abs(".repeat(500) + "x" + &")".repeat(500),
    ];
    for text in deep {
        assert_eq!(problem(&text).rule, "expression too deep");
    }
    assert_eq!(problem(&"x".repeat(5_000)).rule, "expression too long");
    // Each level reads its subject once, so nesting costs no more than length.
    let nested = "map(".repeat(90) + "n" + &", 7, 7, 0)".repeat(90);
    check(&nested, [Some(7.0), None, Some(0.0)]);
}

#[test]
fn no_text_makes_the_parser_panic() {
    // Every prefix, and every single deletion, of texts that use all of the grammar.
    let texts = [
        "if(is_missing(`total amount`) and not flag, map(city, \"Zü\\\"r\", 1e3, 'b', -2.5, 0), clip(x, 0, 1) % 2)",
        "days_between(built, \"2024-01-01\") >= 3 or seen != \"2026-11-23T09:00:00Z\"",
    ];
    for text in texts {
        for (at, character) in text.char_indices() {
            let _ = Expression::parse(&text[..at], batch().schema());
            let without = text[..at].to_owned() + &text[at + character.len_utf8()..];
            let _ = Expression::parse(&without, batch().schema());
            let _ = columns_read(&without);
        }
    }
}

#[test]
fn the_columns_read_are_known_without_a_schema() {
    let read = columns_read("log(`total amount` / distance) + if(city == \"not_a_column\", 1, 0)").unwrap();
    assert_eq!(read.into_iter().collect::<Vec<_>>(), ["city", "distance", "total amount"]);
}

#[test]
fn a_batch_of_another_shape_is_refused() {
    let parsed = Expression::parse("x + 1", batch().schema()).unwrap();
    let other = |kind, column| Batch::new(Arc::new(Schema::of([("x", kind)])), vec![column]);
    let integers = other(Kind::Integer, Column::Integer(vec![Some(1)]));
    assert_eq!(parsed.evaluate(&integers).unwrap(), Column::Number(vec![Some(2.0)]));
    assert!(parsed.evaluate(&other(Kind::Text, Column::Text(vec![None]))).is_err());
    assert!(parsed.evaluate(&Batch::new(Arc::new(Schema::of([])), vec![])).is_err());
}

#[test]
fn a_row_alone_gives_what_it_gives_in_a_batch() {
    let batch = batch();
    let texts = ["log(x) + n % 3", "fill(map(city, \"Zürich\", x), n)", "hour(seen) * if(flag, 1, 2)"];
    for text in texts {
        let parsed = Expression::parse(text, batch.schema()).unwrap();
        let whole = parsed.evaluate(&batch).unwrap();
        for row in 0..batch.rows() {
            let keep: Vec<bool> = (0..batch.rows()).map(|other| other == row).collect();
            assert_eq!(parsed.evaluate(&batch.filtered(&keep)).unwrap(), whole.filtered(&keep), "{text}");
        }
    }
}
