//! What an intake makes of good, bad and hostile files.

use bytes::Bytes;

use super::*;

const CONTRACT: &str = r#"
apiVersion: v3.1.0
kind: DataContract
id: a
version: 1.0.0
status: active
schema:
  - name: homes
    properties:
      - {name: id, logicalType: string, required: true, primaryKey: true}
      - {name: area, logicalType: number, required: true, logicalTypeOptions: {exclusiveMinimum: 0, maximum: 1000}}
      - {name: wall, logicalType: string, quality: [{metric: invalidValues, arguments: {validValues: [brick, stone]}, mustBe: 0}]}
      - {name: secret, logicalType: string, classification: restricted, logicalTypeOptions: {maxLength: 3}}
      - {name: sold, logicalType: date}
customProperties:
  - {property: maxQuarantinePercent, value: 50}
"#;

fn contract() -> Arc<Contract> {
    Arc::new(Contract::parse("contract.yaml", CONTRACT).unwrap())
}

fn intake_in_pieces(text: &[u8], piece: usize) -> (Outcome, Vec<u8>, Vec<u8>) {
    let split = Some(SplitKey { entity: vec!["id".into()], salt: "homes".into() });
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let mut intake = Intake::new(&contract(), IntakeOptions { file: "homes.csv".into(), split, now });
    let (mut part, mut quarantine) = (Vec::new(), Vec::new());
    for bytes in text.chunks(piece) {
        intake.push(bytes);
        part.extend(intake.take_part());
        quarantine.extend(intake.take_quarantine());
    }
    let outcome = intake.finish();
    part.extend(&outcome.part_tail);
    quarantine.extend(&outcome.quarantine_tail);
    (outcome, part, quarantine)
}

fn intake(text: &[u8]) -> Outcome {
    intake_in_pieces(text, 64 * 1024).0
}

const FILE: &[u8] = b"sold,id,area,wall,secret,extra\n\
2026-01-01,a,50,brick,x,1\n\
,b,60.5,,,2\n\
2026-01-02,a,70,stone,y,3\n\
soon,c,80,brick,z,4\n\
2026-01-03,d,-1,gold,toolong,5\n\
2026-01-03,e\n\
2026-01-04,f,,brick,w,6\n\
2026-01-05,g,90,stone,v,7\n";

#[test]
fn good_rows_and_bad_rows_are_all_rows_and_each_bad_row_says_why() {
    let (outcome, part, quarantine) = intake_in_pieces(FILE, 64 * 1024);
    assert_eq!((outcome.rows_read, outcome.rows_good, outcome.rows_bad), (8, 3, 5));
    assert_eq!(outcome.verdict, Verdict::Rejected);
    assert_eq!(outcome.reasons, ["5 of 8 rows are bad (62.5 %), the contract tolerates 50 %"]);
    assert_eq!(outcome.unknown_columns, ["extra"]);
    let part = part::read_all("part", &Bytes::from(part)).unwrap();
    assert_eq!(
        part.column("id").unwrap(),
        &Column::Text(["a", "b", "g"].map(|id| Some(id.to_owned())).to_vec())
    );
    assert_eq!(part.column(part::ROW).unwrap(), &Column::Integer(vec![Some(1), Some(2), Some(8)]));
    let bad = part::read_all("quarantine", &Bytes::from(quarantine)).unwrap();
    let Column::Text(reasons) = bad.column("reasons").unwrap() else { panic!("texts") };
    let reasons: Vec<&str> = reasons.iter().flatten().map(String::as_str).collect();
    assert_eq!(
        reasons,
        [
            "id: primaryKey: found \"a\" again",
            "sold: type: found \"soon\", expected a date such as 2026-11-23",
            "area: range: found \"-1\", expected above 0 and at most 1000; \
             wall: invalidValues: found \"gold\", expected one of brick, stone; \
             secret: length: found \"(hidden)\", expected at most 3 characters",
            "columns: found 2 fields, expected 6 fields",
            "area: required: found nothing, expected a value",
        ]
    );
    assert_eq!(bad.column("source_line").unwrap(), &Column::Integer([4, 5, 6, 7, 8].map(Some).to_vec()));
}

#[test]
fn the_outcome_does_not_depend_on_how_the_bytes_arrive() {
    let whole = intake_in_pieces(FILE, 64 * 1024);
    for piece in [1, 2, 7, 64] {
        let pieces = intake_in_pieces(FILE, piece);
        assert_eq!((&whole.1, &whole.2), (&pieces.1, &pieces.2), "pieces of {piece}");
        assert_eq!(whole.0.profile, pieces.0.profile);
        assert_eq!(whole.0.violations, pieces.0.violations);
    }
}

#[test]
fn the_content_digest_is_that_of_the_bytes() {
    assert_eq!(intake(FILE).content, Digest::of(FILE));
    assert_eq!(intake(FILE).bytes, FILE.len() as u64);
}

#[test]
fn one_entity_falls_into_one_bucket_however_it_is_written() {
    let text = CONTRACT.replace(
        "{name: id, logicalType: string, required: true, primaryKey: true}",
        "{name: id, logicalType: number}",
    );
    let contract = Arc::new(Contract::parse("contract.yaml", &text).unwrap());
    let split = Some(SplitKey { entity: vec!["id".into(), "wall".into()], salt: "homes".into() });
    let options = IntakeOptions { file: "homes.csv".into(), split, now: Time::default() };
    let mut intake = Intake::new(&contract, options);
    intake
        .push(b"id,area,wall,secret,sold\n1,5,brick,,\n1.0,6,brick,,\n1e0,7,brick,,\n2.50,8,,,\n2.5,9,,,\n");
    let mut part = intake.take_part();
    let outcome = intake.finish();
    part.extend(&outcome.part_tail);
    let rows = part::read_all("part", &Bytes::from(part)).unwrap();
    let buckets = rows.columns().last().unwrap();
    // The formula of `split::bucket` in Python, of ["1", "brick"] and ["2.5", ""].
    let (one, two) = (Some(2359), Some(8511));
    assert_eq!(*buckets, Column::Integer(vec![one, one, one, two, two]));
}

const LINES: &[u8] = b"{\"sold\": \"2026-01-01\", \"id\": \"a\", \"area\": 50, \"wall\": \"brick\", \"secret\": \"x\", \"extra\": 1}
{\"id\": \"b\", \"area\": 60.5}
{\"id\": \"c\", \"area\": \"70\"}
{\"id\": 4, \"area\": 80, \"wall\": [\"brick\"]}
{\"id\": \"e\", \"area\": 80, \"sold\": true}
{\"id\": \"f\", \"area\": 80
{\"id\": \"g\", \"area\": 90.0, \"wall\": \"stone\", \"secret\": \"v\", \"sold\": \"2026-01-05\"}
";

#[test]
fn json_lines_are_held_against_the_contract_as_typed_as_they_are() {
    let (outcome, part, quarantine) = intake_in_pieces(LINES, 10);
    assert_eq!((outcome.rows_read, outcome.rows_good, outcome.rows_bad), (7, 3, 4));
    assert_eq!(outcome.unknown_columns, ["extra"]);
    let part = part::read_all("part", &Bytes::from(part)).unwrap();
    assert_eq!(part.column("area").unwrap(), &Column::Number([50.0, 60.5, 90.0].map(Some).to_vec()));
    let bad = part::read_all("quarantine", &Bytes::from(quarantine)).unwrap();
    let Column::Text(reasons) = bad.column("reasons").unwrap() else { panic!("texts") };
    let reasons: Vec<&str> = reasons.iter().flatten().map(String::as_str).collect();
    assert_eq!(
        reasons,
        [
            "area: type: found the text \"70\", expected a finite number",
            "id: type: found the number 4, expected text; \
             wall: type: found the array [\"brick\"], expected text",
            "sold: type: found the boolean true, expected a date such as 2026-11-23",
            "record: found a line that is not JSON, from column 22 on, expected one JSON object a line",
        ]
    );
    let Column::Text(texts) = bad.column("text").unwrap() else { panic!("texts") };
    assert_eq!(texts[3].as_deref(), Some("{\"id\": \"f\", \"area\": 80"));
    assert_eq!(bad.column("source_line").unwrap(), &Column::Integer([3, 4, 5, 6].map(Some).to_vec()));
}

/// What pyarrow wrote of `tests/fixtures/tables/rows.csv`.
fn parquet_intake(contract: &str) -> (Outcome, Vec<u8>, Vec<u8>) {
    let contract = Arc::new(Contract::parse("contract.yaml", contract).unwrap());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tables/snappy.parquet");
    let bytes = std::fs::read(path).unwrap();
    let options = IntakeOptions { file: "rows.parquet".into(), split: None, now: Time::default() };
    let mut intake = Intake::new(&contract, options);
    intake.push(&bytes);
    let (mut part, mut quarantine) = (Vec::new(), Vec::new());
    while let Some(range) = intake.wants() {
        intake.give(Bytes::copy_from_slice(&bytes[range.start as usize..range.end as usize]));
        part.extend(intake.take_part());
        quarantine.extend(intake.take_quarantine());
    }
    let outcome = intake.finish();
    assert_eq!(outcome.content, Digest::of(&bytes));
    part.extend(&outcome.part_tail);
    quarantine.extend(&outcome.quarantine_tail);
    (outcome, part, quarantine)
}

#[test]
fn parquet_is_held_against_the_contract_and_its_bad_rows_can_be_read() {
    let contract = "
apiVersion: v3.1.0
kind: DataContract
id: a
version: 1.0.0
status: active
schema:
  - name: rows
    properties:
      - {name: small, logicalType: integer, required: true, logicalTypeOptions: {maximum: 2}}
      - {name: text, logicalType: string}
      - {name: day, logicalType: date}
customProperties:
  - {property: maxQuarantinePercent, value: 50}
";
    let (outcome, part, quarantine) = parquet_intake(contract);
    assert_eq!((outcome.verdict, outcome.rows_read, outcome.rows_bad), (Verdict::Accepted, 7, 2));
    assert_eq!(outcome.unknown_columns, ["flag", "whole", "unsigned", "single", "double", "at"]);
    let part = part::read_all("part", &Bytes::from(part)).unwrap();
    assert_eq!(part.column("small").unwrap(), &Column::Integer([-3, -2, 0, 1, 2].map(Some).to_vec()));
    let bad = part::read_all("quarantine", &Bytes::from(quarantine)).unwrap();
    let texts = [
        "{\"day\":\"1969-12-31\",\"text\":\"a \\\"quoted\\\", text\"}",
        "{\"day\":\"1970-01-04\",\"small\":3}",
    ];
    assert_eq!(bad.column("text").unwrap(), &Column::Text(texts.map(|text| Some(text.to_owned())).to_vec()));
    assert_eq!(bad.column("source_row").unwrap(), &Column::Integer([3, 7].map(Some).to_vec()));
    assert_eq!(outcome.violations[0].examples[0].place(), "row 7");
}

#[test]
fn a_first_line_that_is_no_header_is_not_shown() {
    let outcome = intake(b"a,50,brick,s3cr3t,2026-01-01\nb,60,stone,s3cr4t,2026-01-02\n");
    let told = outcome.reasons.join("\n");
    assert!(told.starts_with("homes.csv:1: missing header: found a first line of 5 fields"), "{told}");
    assert!(told.contains("id, area, wall, secret, sold") && !told.contains("s3cr3t"), "{told}");
}

#[test]
fn files_that_cannot_be_tables_are_rejected_with_the_reason() {
    let cases: [(&[u8], &str); 7] = [
        (b"", "homes.csv: header: found an empty file"),
        (b"id,area\n", "wall, secret, sold: missing column"),
        (b"id,id,area,wall,secret,sold\n", "two columns named \"id\""),
        (b"id;area;wall;secret;sold\n1;2;brick;x;\n", "separated by ';'; write the file with commas"),
        (b"id,area,wall,secret,sold\n", "there is no row below the header"),
        (b"id,area,wall,secret,sold\na,1,brick,x,\xff\xfe\n", "1 of 1 rows are bad"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "homes.csv"),
    ];
    for (bytes, complaint) in cases {
        let outcome = intake(bytes);
        assert_eq!(outcome.verdict, Verdict::Rejected);
        assert!(outcome.reasons.join("\n").contains(complaint), "{:?}", outcome.reasons);
        assert_eq!(outcome.rows_good + outcome.rows_bad, outcome.rows_read);
    }
}

#[test]
fn windows_files_are_read_as_they_are_meant() {
    let outcome = intake(b"\xef\xbb\xbfid,area,wall,secret,sold\r\na,1,\"brick\",\"x\ny\",\r\n");
    assert_eq!(outcome.verdict, Verdict::Accepted, "{:?}", outcome.reasons);
    assert_eq!(outcome.rows_good, 1);
}

#[test]
fn a_masked_value_appears_nowhere_but_in_quarantine() {
    let (outcome, ..) = intake_in_pieces(FILE, 64 * 1024);
    let told = format!("{:?} {:?} {:?}", outcome.violations, outcome.reasons, outcome.profile);
    assert!(!told.contains("toolong"));
}
