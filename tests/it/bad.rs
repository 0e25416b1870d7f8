//! What people see of tables that are wrong, in every way that we know of: each its own error,
//! and nothing half-written.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{root, run};

const CONTRACT: &str = "\
apiVersion: v3.1.0
kind: DataContract
id: a
version: 1.0.0
status: active
schema:
  - name: rows
    properties:
      - {name: id, logicalType: string, required: true, primaryKey: true}
      - {name: n, logicalType: integer}
      - {name: x, logicalType: number}
      - {name: day, logicalType: date}
";

const GOOD: &str = "id,n,x,day\na,1,0.5,2026-01-01\nb,,,\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A table that pyarrow wrote.
fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(root().join("shared/engine/tests/fixtures/tables").join(name)).unwrap()
}

fn names(place: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(place).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Holds a file against the contract; answers the exit code and everything that was said.
fn validated(bytes: &[u8]) -> (i32, String) {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("contract.yaml"), CONTRACT).unwrap();
    std::fs::write(place.path().join("t"), bytes).unwrap();
    let ran = run(place.path(), &["validate", "t", "--contract", "contract.yaml", "--html", "t.html"]);
    assert_eq!(names(place.path()), ["contract.yaml", "t", "t.html"], "a page that explains, and no more");
    let page = std::fs::read_to_string(place.path().join("t.html")).unwrap();
    assert!(page.ends_with("</html>\n") || page.trim_end().ends_with("</html>"), "a whole page");
    // The other commands may say less of it, but never break down.
    for arguments in [&["profile", "t"][..], &["drift", "t", "t"]] {
        let ran = run(place.path(), arguments);
        assert!([0, 1, 3].contains(&ran.code), "{arguments:?} ended with {}: {}", ran.code, ran.err);
        assert!(!ran.err.contains("panicked"), "{arguments:?}: {}", ran.err);
    }
    (ran.code, ran.out + &ran.err)
}

#[track_caller]
fn check(bytes: &[u8], code: i32, told: &[&str]) {
    let (found, said) = validated(bytes);
    assert_eq!(found, code, "{said}");
    for told in told {
        assert!(said.contains(told), "{told:?} is not in:\n{said}");
    }
}

#[test]
fn good_tables_are_accepted_whatever_their_line_ends_mark_or_packing() {
    for bytes in [
        GOOD.as_bytes().to_vec(),
        format!("\u{feff}{GOOD}").into_bytes(),
        GOOD.replace('\n', "\r\n").into_bytes(),
        GOOD.trim_end().as_bytes().to_vec(),
        gzip(GOOD.as_bytes()),
        b"{\"id\": \"a\", \"n\": 1, \"x\": 0.5, \"day\": \"2026-01-01\"}\n{\"id\": \"b\", \"n\": null}\n"
            .to_vec(),
    ] {
        check(&bytes, 0, &["accepted · 2 rows read, 2 good, 0 bad"]);
    }
}

#[test]
fn a_file_that_is_no_table_is_refused_with_what_it_is() {
    check(b"", 3, &["t: header: found an empty file, expected a line that names the columns"]);
    check(b"id,n,x,day\n", 3, &["there is no row below the header"]);
    let packed = gzip(GOOD.as_bytes());
    check(
        &packed[..packed.len() - 6],
        3,
        &["t: packing: found an end in the middle", "the file was cut off"],
    );
    check(b"\xff\xfei\0d\0", 3, &["t: encoding: found UTF-16", "save the file as UTF-8"]);
    check(b"PK\x03\x04\x14\0", 3, &["a zip archive or a spreadsheet", "export the table as CSV"]);
    check(b"[{\"id\": \"a\"}]\n", 3, &["t: format: found one JSON array", "one object a line"]);
    check(b"{\n  \"id\": \"a\"\n}\n", 3, &["t:1: format: found an object that is spread over lines"]);
    check(&gzip(&fixture("snappy.parquet")), 3, &["t: format: found Parquet packed with gzip"]);
    let parquet = fixture("snappy.parquet");
    check(&parquet[..parquet.len() - 9], 3, &["t: Parquet: found no Parquet footer", "the file is cut off"]);
    check(&parquet, 3, &["t: id, n, x: missing column: found columns flag, small, whole"]);
    check(&fixture("nested.parquet"), 3, &["missing column: found columns id, tags, at"]);
}

#[test]
fn a_packed_file_that_unpacks_without_end_is_refused() {
    // A thousand times the same member, each a thousand times smaller than what it unpacks to.
    let member = gzip(&vec![b'\n'; 1024 * 1024]);
    check(
        &member.repeat(300),
        3,
        &["t: packing: found", "bytes that unpack to more than", "at most 250 times as many"],
    );
}

#[test]
fn a_header_that_does_not_fit_is_refused_with_the_names() {
    check(b"id;n;x;day\na;1;2;\n", 3, &["t:1: missing header", "the fields are separated by ';'"]);
    check(b"id,n,x\na,1,2\n", 3, &["t:1: day: missing column: found columns id, n, x"]);
    check(b"id,n,x,Day\na,1,2,\n", 3, &["t:1: day: missing column", "the file has \"Day\""]);
    check(b"id,n,x,day,n\na,1,2,,3\n", 3, &["t:1: header: found two columns named \"n\""]);
    check(b"a,1,2,2026-01-01\n", 3, &["t:1: missing header"]);
    let wide = format!("id,n,x,day{}\n", ",c".repeat(10_000));
    check(wide.as_bytes(), 3, &["t:1: header, expected at most 2000 columns"]);
}

#[test]
fn rows_that_do_not_fit_are_told_one_by_one() {
    check(
        b"id,n,x,day\na,1,2\n",
        3,
        &["columns: 1 case", "row 1, line 2: \"3 fields\"", "1 of 1 rows are bad"],
    );
    check(
        b"id,n,x,day\na,1,NaN,\nb,1,inf,\n",
        3,
        &["x: type: 2 cases", "row 1, line 2: \"NaN\"", "a finite number"],
    );
    check(b"id,n,x,day\na\xff,1,2,\n", 3, &["encoding: 1 case", "bytes that are not UTF-8"]);
    check(b"id,n,x,day\na,1,2,\na,1,2,\n", 3, &["id: primaryKey: 1 case", "row 2, line 3: \"a\""]);
    check(b"id,n,x,day\n\"a,1,2,\nb,1,2,\n", 3, &["a quote that is opened and never closed"]);
    check(
        b"{\"id\": [\"a\"], \"n\": {\"x\": 1}}\n",
        3,
        &["id: type: 1 case", "row 1, line 1: \"[\\\"a\\\"]\""],
    );
    check(b"{\"id\": \"a\"}\n[\"b\"]\n", 3, &["a line that is not a JSON object", "1 of 2 rows are bad"]);
    check(b"{\"id\": \"a\", \"n\": \"1\"}\n", 3, &["n: type: 1 case", "expected an integer"]);
}

#[test]
fn a_field_of_a_hundred_megabytes_is_one_bad_row() {
    let mut bytes = b"id,n,x,day\n\"".to_vec();
    bytes.resize(bytes.len() + 100 * 1024 * 1024, b'x');
    bytes.extend_from_slice(b"\",1,2,\nb,1,2,\n");
    check(&bytes, 3, &["a field longer than 1048576 bytes", "1 of 2 rows are bad"]);
}

#[test]
fn hostile_names_and_cells_reach_neither_terminal_nor_page() {
    let place = tempfile::tempdir().unwrap();
    let contract = CONTRACT.replace("name: n,", "name: \"<img src=x onerror=alert(1)>\\e[2J\",");
    std::fs::write(place.path().join("contract.yaml"), contract).unwrap();
    let name = "<svg onload=alert(2)>\u{1b}[2J.csv";
    let table = "id,<img src=x onerror=alert(1)>\u{1b}[2J,x,day,<u>\u{202e}\n\
                 \u{1b}]0;owned\u{7}<script>,<b>,<i>,\u{9b}31m,\n\u{1b}]0;owned\u{7}<script>,1,2,,\n";
    std::fs::write(place.path().join(name.replace('/', "_")), table).unwrap();
    let arguments = ["validate", name, "--contract", "contract.yaml", "--html", "t.html"];
    let ran = run(place.path(), &arguments);
    assert_eq!(ran.code, 3, "{}", ran.err);
    let said = ran.out + &ran.err;
    let page = std::fs::read_to_string(place.path().join("t.html")).unwrap();
    for told in [&said, &page] {
        let commands = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!told.contains(commands), "{told:?}");
    }
    for tag in ["<img", "<svg onload", "<script>", "<u>"] {
        assert!(!page.contains(tag), "{tag} stands in the page");
    }
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"), "what was there is shown as text");
}

/// A contract with one mistake, and what is said of it, with the mark below its place.
#[test]
fn each_mistake_of_a_contract_is_pointed_at() {
    let cases: [(&str, &str, &str, &str); 10] = [
        ("logicalType: integer", "logicalType: integre", "contract.yaml:10:", "integre"),
        ("required: true", "required: maybe", "contract.yaml:9:", "maybe"),
        ("required: true", "requierd: true", "contract.yaml:9:", "requierd: true"),
        ("kind: DataContract", "kind: Data", "contract.yaml:2:7:", "Data"),
        ("apiVersion: v3.1.0", "apiVersion: v1", "contract.yaml:1:13:", "v1"),
        ("name: x,", "name: n,", "contract.yaml:11:", "{name: n,"),
        (
            "logicalType: number}",
            "logicalType: number, logicalTypeOptions: {minimum: low}}",
            "contract.yaml:11:",
            "low",
        ),
        (
            "logicalType: date}",
            "logicalType: date, logicalTypeOptions: {format: QQ}}",
            "contract.yaml:12:",
            "QQ",
        ),
        (
            "logicalType: string,",
            "logicalType: string, logicalTypeOptions: {pattern: '('},",
            "contract.yaml:9:",
            "'('",
        ),
        ("version: 1.0.0", "version: 1.0.0\nversion: 2.0.0", "contract.yaml:5:", "version: 2.0.0"),
    ];
    for (right, wrong, place_told, marked) in cases {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("contract.yaml"), CONTRACT.replacen(right, wrong, 1)).unwrap();
        std::fs::write(place.path().join("t.csv"), GOOD).unwrap();
        let ran = run(place.path(), &["validate", "t.csv", "--contract", "contract.yaml"]);
        assert_eq!(ran.code, 1, "{wrong}: {}", ran.out);
        assert!(ran.err.contains(place_told), "{wrong}: {}", ran.err);
        assert_eq!(
            marked_text(&ran.err).as_deref().map(|text| text.starts_with(marked)),
            Some(true),
            "{}",
            ran.err
        );
    }
}

/// The text that the first mark points at.
pub(crate) fn marked_text(told: &str) -> Option<String> {
    let lines: Vec<&str> = told.lines().collect();
    let mark = lines.iter().position(|line| line.trim_end().ends_with('^'))?;
    let place = lines[mark].chars().position(|c| c == '^')?;
    Some(lines[mark - 1].chars().skip(place).collect())
}

#[test]
fn a_file_of_settings_that_is_too_large_or_no_yaml_is_named() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("t.csv"), GOOD).unwrap();
    let cases: [(&[u8], &str); 5] = [
        (b"", "contract.yaml"),
        (b"a: [1, 2\n", "contract.yaml:"),
        (b"- 1\n- 2\n", "contract.yaml"),
        (&[b' '; 1024 * 1024 + 1], "contract.yaml: size: found 1048577 bytes, expected at most 1048576"),
        (b"a: &a [x]\nb: &b [*a, *a]\nc: *b\n\xff\xfe", "contract.yaml"),
    ];
    for (bytes, told) in cases {
        std::fs::write(place.path().join("contract.yaml"), bytes).unwrap();
        let ran = run(place.path(), &["validate", "t.csv", "--contract", "contract.yaml"]);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert!(ran.err.contains(told) && !ran.err.contains("panicked"), "{}", ran.err);
    }
}
