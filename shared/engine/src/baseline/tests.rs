//! Baselines freeze exact counts, and a window is counted into the same cells.

use std::sync::Arc;

use super::{Baseline, BaselineBuilder, Cells, ColumnBaseline, Counter, LossCounter, short};
use crate::metrics::Loss;
use crate::table::{Batch, Column, Kind, Schema};

fn batch(columns: Vec<(&str, Column)>) -> Batch {
    let schema = Schema::of(columns.iter().map(|(name, column)| (*name, column.kind())));
    Batch::new(Arc::new(schema), columns.into_iter().map(|(_, column)| column).collect())
}

fn table() -> Batch {
    let rows = 0..1000_i32;
    batch(vec![
        (
            "price",
            Column::Number(rows.clone().map(|row| (row % 10 != 9).then_some(f64::from(row) * 1.5)).collect()),
        ),
        ("rooms", Column::Integer(rows.clone().map(|row| Some(i64::from(row % 4))).collect())),
        (
            "town",
            Column::Text(
                rows.clone().map(|row| Some(["Bern", "Genf", "Basel"][(row % 3) as usize].into())).collect(),
            ),
        ),
        ("id", Column::Text(rows.clone().map(|row| Some(format!("id-{row}"))).collect())),
        ("sold", Column::Date(rows.clone().map(Some).collect())),
        ("garden", Column::Boolean(rows.map(|row| Some(row % 2 == 0)).collect())),
    ])
}

fn baseline_of(batch: &Batch) -> Baseline {
    let mut builder = BaselineBuilder::new(batch.schema());
    builder.push(batch);
    builder.finish()
}

#[test]
fn each_kind_of_column_gets_its_cells() {
    let baseline = baseline_of(&table());
    let cells = |name: &str| &baseline.column(name).unwrap().cells;
    assert!(matches!(cells("price"), Cells::Bins { edges } if edges.len() == 9));
    assert!(matches!(cells("rooms"), Cells::Categories { names } if names == &["0", "1", "2", "3"]));
    assert!(matches!(cells("town"), Cells::Categories { names } if names == &["Bern", "Basel", "Genf"]));
    assert_eq!(cells("id"), &Cells::Distinct);
    assert_eq!(cells("sold"), &Cells::Times);
    let price = &baseline.column("price").unwrap().counts;
    assert_eq!((price.missing, price.present(), price.rows()), (100, 900, 1000));
    assert_eq!(price.cells[..10], [90; 10]);
    let moments = price.moments.unwrap();
    // Mean of 1.5 × (0..1000 without those ending in 9): 1.5 × 499.
    assert!((moments.mean - 748.5).abs() < 1e-9 && moments.min == 0.0 && moments.max == 1497.0);
}

#[test]
fn the_reference_counted_again_gives_its_own_counts() {
    let table = table();
    let baseline = baseline_of(&table);
    let mut counter = Counter::new(&baseline);
    counter.push(&table);
    let counts = counter.finish();
    for column in &baseline.columns {
        let again = &counts.columns[&column.name];
        assert_eq!(
            (again.cells.as_slice(), again.missing),
            (column.counts.cells.as_slice(), column.counts.missing),
            "{}",
            column.name
        );
    }
}

#[test]
fn batches_of_any_size_give_the_same_bytes_and_json_keeps_them() {
    let whole = table();
    let baseline = baseline_of(&whole);
    let mut builder = BaselineBuilder::new(whole.schema());
    for start in (0..1000).step_by(37) {
        let keep: Vec<bool> = (0..1000).map(|row| (start..start + 37).contains(&row)).collect();
        builder.push(&whole.filtered(&keep));
    }
    let pieces = builder.finish();
    assert_eq!(pieces.written(), baseline.written());
    let read = Baseline::read("baseline.json", &baseline.written()).unwrap();
    assert_eq!(read, baseline);
    assert_eq!(read.written(), baseline.written());
}

#[test]
fn a_file_changed_by_hand_is_refused() {
    let text = String::from_utf8(baseline_of(&table()).written()).unwrap();
    let problem = |text: &str| Baseline::read("b.json", text.as_bytes()).unwrap_err().to_string();
    assert!(problem("{").starts_with("b.json: a baseline: found "));
    assert_eq!(
        problem(&text.replacen("\"version\":1", "\"version\":9", 1)),
        "b.json: a baseline: found version 9, expected version 1"
    );
    assert!(problem(&text.replacen("[90,90,", "[90,", 1)).contains("price"));
}

#[test]
fn odd_values_have_cells_of_their_own() {
    let values = (0..100).map(f64::from).chain([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    let column = Column::Number(values.map(Some).chain([None]).collect());
    let reference = ColumnBaseline::of("x", &column);
    let bins = reference.cells.bins();
    assert_eq!(reference.counts.cells[bins..], [1, 1, 1, 0]);
    assert_eq!(reference.counts.missing, 1);
    let baseline = Baseline { predictions: None, columns: vec![reference], ..baseline_of(&table()) };
    let mut counter = Counter::new(&baseline);
    counter.push(&batch(vec![(
        "x",
        Column::Text(["-1e9", " 5 ", "many", "NaN"].map(|text| Some(text.into())).to_vec()),
    )]));
    let counts = &counter.finish().columns["x"];
    assert_eq!((counts.cells[0], counts.cells[bins], counts.cells[bins + 3]), (2, 1, 1));
}

#[test]
fn what_the_window_lacks_or_adds_is_named() {
    let baseline = baseline_of(&table());
    let mut counter = Counter::new(&baseline);
    let rooms = Column::Integer(vec![Some(1), Some(7), Some(7), None]);
    counter.push(&batch(vec![("rooms", rooms), ("colour", Column::Text(vec![None; 4]))]));
    let counts = counter.finish();
    assert_eq!(counts.absent.iter().collect::<Vec<_>>(), ["garden", "id", "price", "sold", "town"]);
    assert_eq!(counts.unknown.iter().collect::<Vec<_>>(), ["colour"]);
    let rooms = &counts.columns["rooms"];
    assert_eq!((rooms.cells.as_slice(), rooms.missing), ([0, 1, 0, 0, 2].as_slice(), 1));
    assert_eq!(rooms.others["7"], 2);
}

#[test]
fn hidden_columns_never_show_a_value() {
    let table = table();
    let mut builder = BaselineBuilder::new(table.schema()).hide(["town", "rooms"]);
    builder.push(&table);
    let baseline = builder.finish();
    let text = String::from_utf8(baseline.written()).unwrap();
    assert!(!text.contains("Bern") && !text.contains("Genf"));
    let mut counter = Counter::new(&baseline);
    counter.push(&table);
    let counts = counter.finish();
    assert_eq!(counts.columns["town"].cells, baseline.column("town").unwrap().counts.cells);
    assert_eq!(counts.columns["rooms"].cells, baseline.column("rooms").unwrap().counts.cells);
}

#[test]
fn losses_are_kept_by_cell() {
    let table = table();
    let baseline = baseline_of(&table);
    let losses: Vec<f64> = (0..1000).map(|row| f64::from(row % 3)).collect();
    let mut counter = LossCounter::new(&baseline, Loss::SquaredError);
    counter.push(&table, &losses);
    let found = counter.finish().unwrap();
    assert_eq!(found.rows, 1000);
    assert!((found.mean - 0.999).abs() < 1e-12);
    // Bern has rows 0, 3, 6 …: loss 0; Basel loss 2; Genf loss 1.
    let town: Vec<(u64, f64)> = found.columns["town"].iter().map(|cell| (cell.rows, cell.sum)).collect();
    assert_eq!(town, [(334, 0.0), (333, 666.0), (333, 333.0), (0, 0.0), (0, 0.0)]);
    assert!(LossCounter::new(&baseline, Loss::LogLoss).finish().is_none());
}

#[test]
fn an_empty_reference_is_a_baseline_too() {
    let empty =
        BaselineBuilder::new(&Schema::of([("a", Kind::Number), ("b", Kind::Text), ("c", Kind::Date)]))
            .finish();
    assert_eq!(empty.rows, 0);
    assert_eq!(Baseline::read("b.json", &empty.written()).unwrap(), empty);
}

#[test]
fn numbers_in_labels_are_short() {
    for (value, expected) in [
        (0.0, "0"),
        (1234.567, "1235"),
        (-73.98214, "-73.98"),
        (0.00123456, "0.001235"),
        (12000.0, "12000"),
        (1e20, "1.000e20"),
    ] {
        assert_eq!(short(value), expected);
    }
}
