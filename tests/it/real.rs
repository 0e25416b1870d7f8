//! The same life on real tables, where they are: trips of New York's taxis.

use crate::command::{place, root, run};

#[test]
fn the_taxi_story_comes_true_where_its_files_are() {
    let months = root().join("../shared/data/nyc-taxi");
    if !months.exists() {
        println!("skipped: {} is not there", months.display());
        return;
    }
    let place = place(&[]);
    let told = run(place.path(), &["demo", "--taxi", months.to_str().unwrap(), "--into", "taxi"]);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    assert!(!told.out.contains('✕'), "{}", told.out);
}
