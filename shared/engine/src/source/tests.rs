//! Is a table the same table in every format? And what is said of a file that is none?
//!
//! The files of `tests/fixtures/tables` were written by pyarrow and Polars (`tables.py`).

use std::io::Write as _;
use std::sync::Arc;

use domain::limit;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::profile::Inference;
use crate::table::{Batch, Column, Kind, Schema};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/tables/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Feeds a whole file, its bytes in pieces of a size.
fn feed<F: Feed<Error = Problem>>(into: &mut F, bytes: &[u8], piece: usize) -> Result<(), Problem> {
    for piece in bytes.chunks(piece) {
        into.push(piece)?;
    }
    while let Some(range) = into.wants()? {
        into.give(Bytes::copy_from_slice(&bytes[range.start as usize..range.end as usize]))?;
    }
    Ok(())
}

fn table(bytes: &[u8], schema: &Arc<Schema>, piece: usize) -> Result<Batch, Problem> {
    let mut table = Table::new("t", schema.clone());
    feed(&mut table, bytes, piece)?;
    Ok(crate::part::joined(schema, table.finish()?))
}

fn inferred(bytes: &[u8]) -> Result<Schema, Problem> {
    let mut inference = Inference::new("t");
    feed(&mut inference, bytes, 64 * 1024)?;
    inference.finish()
}

fn rows_schema() -> Arc<Schema> {
    Arc::new(Schema::of([
        ("flag", Kind::Boolean),
        ("small", Kind::Integer),
        ("whole", Kind::Integer),
        ("unsigned", Kind::Integer),
        ("single", Kind::Number),
        ("double", Kind::Number),
        ("text", Kind::Text),
        ("day", Kind::Date),
        ("at", Kind::Timestamp),
    ]))
}

/// CSV cannot tell an empty text from none.
fn without_empty_texts(batch: Batch) -> Batch {
    let schema = batch.schema().clone();
    let columns = batch.columns().iter().cloned().map(|column| match column {
        Column::Text(texts) => {
            Column::Text(texts.into_iter().map(|text| text.filter(|text| !text.is_empty())).collect())
        }
        other => other,
    });
    Batch::new(schema, columns.collect())
}

#[test]
fn a_table_is_the_same_in_every_format_however_its_bytes_arrive() {
    let schema = rows_schema();
    let expected = table(&fixture("rows.csv"), &schema, 1000).unwrap();
    assert_eq!(expected.rows(), 7);
    for name in [
        "rows.csv.gz",
        "rows.csv.zst",
        "rows.jsonl",
        "rows.jsonl.gz",
        "snappy.parquet",
        "zstd-v2.parquet",
        "gzip.parquet",
        "lz4.parquet",
        "plain.parquet",
        "polars.parquet",
    ] {
        let bytes = fixture(name);
        for piece in [1, 3, 100, 100_000] {
            let found = table(&bytes, &schema, piece).unwrap_or_else(|problem| panic!("{name}: {problem}"));
            assert_eq!(without_empty_texts(found), expected, "{name} in pieces of {piece}");
        }
    }
}

#[test]
fn an_empty_text_is_a_text_where_the_format_tells_it_from_none() {
    let schema = Arc::new(Schema::of([("text", Kind::Text)]));
    for (name, empty) in [("rows.csv", None), ("rows.jsonl", Some("")), ("snappy.parquet", Some(""))] {
        let batch = table(&fixture(name), &schema, 1000).unwrap();
        let Column::Text(texts) = &batch.columns()[0] else { panic!("texts") };
        assert_eq!((texts[0].as_deref(), texts[6].as_deref()), (empty, None), "{name}");
    }
}

#[test]
fn the_types_of_parquet_mean_what_their_writer_meant() {
    let schema = Arc::new(Schema::of([
        ("micros", Kind::Timestamp),
        ("nanos", Kind::Timestamp),
        ("midnight", Kind::Date),
        ("price", Kind::Number),
        ("code", Kind::Text),
        ("large", Kind::Text),
        ("id", Kind::Text),
    ]));
    let int96 = Arc::new(Schema::of([("int96", Kind::Timestamp)]));
    let csv = String::from_utf8(fixture("clothes.csv")).unwrap();
    // Midnight is a time there, and a day here.
    let csv = csv.replace("T00:00:00.000Z,", ",");
    for (name, schema) in [("clothes.parquet", schema), ("int96.parquet", int96)] {
        let expected = table(csv.as_bytes(), &schema, 1000).unwrap();
        assert_eq!(without_empty_texts(table(&fixture(name), &schema, 1000).unwrap()), expected, "{name}");
    }
}

#[test]
fn the_kinds_of_a_file_are_told_by_its_cells_in_every_format() {
    for name in ["rows.csv", "rows.jsonl", "snappy.parquet", "polars.parquet"] {
        let found = inferred(&fixture(name)).unwrap();
        for field in &rows_schema().fields {
            let position = found.position(&field.name).unwrap();
            assert_eq!(found.fields[position].kind, field.kind, "{name}: {}", field.name);
        }
    }
    let mixed = inferred(b"{\"a\": 1, \"b\": \"2\"}\n{\"b\": \"x\", \"c\": 1.5}\n{\"a\": \"u\"}\n").unwrap();
    let expected = [("a", Kind::Text), ("b", Kind::Text), ("c", Kind::Number)];
    assert_eq!(mixed, Schema::of(expected));
    let batch = table(b"{\"a\": 1}\n{\"a\": [1, \"x\"]}\n", &Arc::new(Schema::of([("a", Kind::Text)])), 5);
    let texts = ["1", "[1,\"x\"]"].map(|text| Some(text.to_owned())).to_vec();
    assert_eq!(batch.unwrap().columns(), [Column::Text(texts)]);
}

/// What a file says of itself, record by record.
fn records(bytes: &[u8], piece: usize) -> Result<Vec<String>, Problem> {
    let names = ["a", "b"].map(str::to_owned).to_vec();
    let mut source = Source::new("t", &Dialect::default(), Columns::Named(names));
    let mut told = Vec::new();
    let mut each = |record: &Record<'_>| {
        let cells: Vec<String> = (0..record.len())
            .map(|index| {
                format!("{:?} {:?}", record.shape(index), record.text().map(|t| &t[record.span(index)]))
            })
            .collect();
        let fault = record.fault.map(|fault| format!(" {fault}")).unwrap_or_default();
        told.push(format!("{}:{}{fault} {}", record.number, record.line, cells.join(", ")));
        Ok(())
    };
    for piece in bytes.chunks(piece) {
        source.push(piece, &mut each)?;
    }
    assert_eq!(source.wants(&mut each)?, None);
    Ok(told)
}

#[test]
fn each_line_of_json_lines_is_a_record_or_says_what_is_wrong_with_it() {
    let text = "\u{feff}\n{\"a\": 1, \"b\": null}\r\n\n{\"b\": \"\\u00e9\\n\"} \n[1]\n{\"a\": 1,}\n{\"a\": 1, \"a\": 2}\n\
                {\"a\": \"\\ud800\"}\n{\"a\": 1} {\"b\": 2}\n{\"x\": {\"a\": 1}, \"b\": [ ]}\n7";
    let expected = [
        "0:1 Written Some(\"a\"), Written Some(\"b\")",
        "1:2 Number Some(\"1\"), Null Some(\"\")",
        "2:4 Null Some(\"\"), Text Some(\"é\\n\")",
        "3:5 a line that is not a JSON object ",
        "4:6 a line that is not JSON, from column 9 on ",
        "5:7 an object that says one name twice, at column 12 ",
        "6:8 a line that is not JSON, from column 14 on ",
        "7:9 a line that is not JSON, from column 10 on ",
        "8:10 Null Some(\"\"), Nested Some(\"[]\")",
        "9:11 a line that is not a JSON object ",
    ];
    for piece in [1, 2, 7, 1000] {
        assert_eq!(records(text.as_bytes(), piece).unwrap(), expected, "in pieces of {piece}");
    }
}

#[test]
fn a_line_beyond_the_limit_is_a_fault_and_what_follows_is_read() {
    let long = format!("{{\"a\": \"{}\"}}\n{{\"a\": 2}}\n", "x".repeat(limit::RECORD_BYTES_MAX));
    let told = records(long.as_bytes(), 64 * 1024).unwrap();
    assert!(told[1].starts_with("1:1 a field longer than"), "{}", told[1]);
    assert_eq!(told[2], "2:2 Number Some(\"2\"), Null Some(\"\")");
    let field = format!("{{\"a\": \"{}\"}}\n", "x".repeat(limit::FIELD_BYTES_MAX + 1));
    assert!(records(field.as_bytes(), 64 * 1024).unwrap()[1].contains("a field longer than"));
}

#[test]
fn what_is_no_table_is_named_with_what_to_do_about_it() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let packed = fixture("rows.csv.gz");
    let zstd = fixture("rows.csv.zst");
    let parquet = fixture("snappy.parquet");
    let mut flipped = packed.clone();
    flipped[30] ^= 0x55;
    let mut footless = parquet.clone();
    let end = footless.len() - 20;
    footless[end] ^= 0xff;
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("an array", b"[{\"a\": 1}]".to_vec(), "format: found one JSON array, expected JSON Lines"),
        (
            "one object",
            b"{\n  \"a\": 1\n}\n".to_vec(),
            "t:1: format: found an object that is spread over lines",
        ),
        (
            "cut gzip",
            packed[..packed.len() - 5].to_vec(),
            "found an end in the middle, expected a whole gzip file",
        ),
        (
            "cut zstd",
            zstd[..zstd.len() - 5].to_vec(),
            "found an end in the middle, expected a whole zstd file",
        ),
        ("damaged gzip", flipped, "packing: found damage after"),
        ("gzip of gzip", gzip(&packed), "encoding: found gzip"),
        ("packed Parquet", gzip(&parquet), "format: found Parquet packed with gzip"),
        ("cut Parquet", parquet[..parquet.len() - 5].to_vec(), "Parquet: found no Parquet footer"),
        ("damaged Parquet", footless, "Parquet: found"),
        ("Parquet's mark alone", b"PAR1".to_vec(), "Parquet: found no Parquet footer"),
        ("zip", b"PK\x03\x04rest".to_vec(), "encoding: found a zip archive or a spreadsheet"),
        ("UTF-16", b"\xff\xfea\0,\0".to_vec(), "encoding: found UTF-16"),
        ("brotli", fixture("brotli.parquet"), "flag: Parquet: found row group 0:"),
        ("nothing", Vec::new(), "header: found an empty file"),
    ];
    for (name, bytes, expected) in cases {
        for piece in [1, 100_000] {
            let told = table(&bytes, &rows_schema(), piece).unwrap_err().to_string();
            assert!(told.contains(expected), "{name}: {told}");
        }
    }
}

#[test]
fn a_column_that_is_not_flat_is_refused_only_where_it_is_wanted() {
    let bytes = fixture("nested.parquet");
    let wanted =
        |name| table(&bytes, &Arc::new(Schema::of([("id", Kind::Integer), (name, Kind::Text)])), 1000);
    let told = wanted("tags").unwrap_err().to_string();
    assert!(told.contains("t: tags: Parquet: found a nested column, expected a flat column"), "{told}");
    let told = wanted("at").unwrap_err().to_string();
    assert!(told.contains("t: at: Parquet: found a column of Time"), "{told}");
    let told = wanted("none").unwrap_err().to_string();
    assert!(told.contains("t: none: missing column: found columns id, tags, at"), "{told}");
    let plain = table(&bytes, &Arc::new(Schema::of([("id", Kind::Integer)])), 1000).unwrap();
    assert_eq!(plain.columns(), [Column::Integer(vec![Some(1), Some(2)])]);
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let zeros = vec![b'0'; 1024 * 1024];
    let pieces = 5 * limit::UNPACKED_BYTES_MIN / 4 / zeros.len() as u64;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    (0..pieces).for_each(|_| encoder.write_all(&zeros).unwrap());
    let gzip = encoder.finish().unwrap();
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    (0..pieces).for_each(|_| encoder.write_all(&zeros).unwrap());
    for bomb in [gzip, encoder.finish().unwrap()] {
        let mut source = Source::new("t", &Dialect::default(), Columns::All);
        let told = source.push(&bomb, &mut |_| Ok(())).unwrap_err().to_string();
        assert!(told.contains("bytes that unpack to more than"), "{told}");
    }
}

#[test]
fn damaged_parquet_is_a_problem_never_a_panic() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut noticed = 0;
    for name in ["zstd-v2.parquet", "clothes.parquet"] {
        let good = fixture(name);
        let schema = Arc::new(inferred(&good).unwrap());
        for position in 0..good.len() {
            for flip in [0x01, 0xff] {
                let mut bad = good.clone();
                bad[position] ^= flip;
                noticed += usize::from(table(&bad, &schema, 100_000).is_err());
            }
        }
    }
    std::panic::set_hook(hook);
    assert!(noticed > 0);
}
