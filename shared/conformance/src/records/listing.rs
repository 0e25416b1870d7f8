//! How rows are listed.

use domain::Key;
use ports::{Records, Write};

use super::{all, commit, get, name, now, value};

/// Writes working rows with these ids under `waiting/`.
async fn write(records: &dyn Records, ids: &[String]) {
    for (number, some) in ids.chunks(50).enumerate() {
        let writes = some.iter().map(|id| Write::insert(key(id), id)).collect();
        now(records, &commit(&format!("write {number}"), writes, &[])).await;
    }
}

fn key(id: &str) -> Key {
    Key::of(&name(), format!("waiting/{id}"))
}

async fn listed(records: &dyn Records, prefix: &str) -> Vec<String> {
    let rows = all(records, &Key::partition(&name()), prefix).await;
    rows.into_iter().map(|row| row.key.sort.trim_start_matches("waiting/").to_owned()).collect()
}

/// 250 rows come on pages, each row once and in order, however they were written.
pub async fn pages_hold_every_row_once_and_in_order(records: &dyn Records) {
    let ids: Vec<String> = (0..250).map(|number| format!("{number:03}")).collect();
    let shuffled: Vec<String> = (0..250).map(|number| format!("{:03}", number * 77 % 250)).collect();
    write(records, &shuffled).await;
    assert_eq!(listed(records, "waiting/").await, ids);
    assert_eq!(listed(records, "waiting/1").await, ids[100..200]);
    assert_eq!(listed(records, "waiting/13").await, ids[130..140]);
    assert_eq!(listed(records, "waiting/3").await, [""; 0]);
}

/// A prefix means its characters: no wildcard, no folding of cases, no whole segments.
pub async fn a_prefix_is_plain_text(records: &dyn Records) {
    let ids = ["A", "a", "a%", "a%b", "a*", "a_", "a_b", "ab", "a\u{10FFFF}", "b", "é"].map(String::from);
    write(records, &ids).await;
    for (prefix, expected) in [
        ("A", &["A"][..]),
        ("a", &["a", "a%", "a%b", "a*", "a_", "a_b", "ab", "a\u{10FFFF}"]),
        ("a%", &["a%", "a%b"]),
        ("a_", &["a_", "a_b"]),
        ("a*", &["a*"]),
        ("a\u{10FFFF}", &["a\u{10FFFF}"]),
        ("é", &["é"]),
        ("c", &[]),
    ] {
        assert_eq!(listed(records, &format!("waiting/{prefix}")).await, expected, "{prefix}");
    }
}

/// `after` need not be a row's key, nor begin with the prefix.
pub async fn a_listing_starts_after_any_text(records: &dyn Records) {
    write(records, &["b", "d", "f"].map(String::from)).await;
    let partition = Key::partition(&name());
    for (after, expected) in [
        ("waiting/b", &["waiting/d", "waiting/f"][..]),
        ("waiting/c", &["waiting/d", "waiting/f"]),
        ("waiting/", &["waiting/b", "waiting/d", "waiting/f"]),
        ("a", &["waiting/b", "waiting/d", "waiting/f"]),
        ("waiting/f", &[]),
        ("waiting/z", &[]),
        ("z", &[]),
    ] {
        let page = records.list(&partition, "waiting/", Some(after)).await.expect("a page can be read");
        let sorts: Vec<&str> = page.records.iter().map(|row| row.key.sort.as_str()).collect();
        assert_eq!(sorts, expected, "after {after}");
    }
}

/// A partition whose name begins like another's is another.
pub async fn partitions_are_apart(records: &dyn Records) {
    let partitions = ["p", "p/", "pp", "P", "p%"];
    let writes = partitions.map(|partition| {
        let key = Key { partition: partition.into(), sort: "waiting/row".into() };
        Write::insert(key, &partition)
    });
    now(records, &commit("write", writes.to_vec(), &[])).await;
    for partition in partitions {
        let rows = all(records, partition, "").await;
        assert_eq!(rows.len(), 1, "{partition}");
        assert_eq!(rows[0].value, serde_json::json!(partition));
    }
    assert_eq!(all(records, "p_", "").await, []);
}

/// Spaces, signs and all of Unicode are characters like others, ordered by their UTF-8 bytes.
pub async fn odd_keys_are_keys(records: &dyn Records) {
    let mut ids = [
        " ", "a b", "a+b", "a%20b", "a%2Bb", "a/b", "a//b", "../b", "a\\b", "a'b", "a\"b", "a;--", "a#b",
        "a?b", "a\tb", "a\nb", "ä", "a\u{308}", "日本", "\u{FFFD}", "😀", "ß", "SS", "",
    ]
    .map(String::from)
    .to_vec();
    ids.push("long".repeat(200));
    write(records, &ids).await;
    for id in &ids {
        assert_eq!(value(records, &key(id)).await, Some(serde_json::json!(id)), "{id:?}");
    }
    assert_eq!(get(records, &key("a  b")).await, None);
    assert_eq!(get(records, &key("Ä")).await, None);
    let rows = all(records, &Key::partition(&name()), "waiting/").await;
    let mut expected: Vec<String> = ids.iter().map(|id| format!("waiting/{id}")).collect();
    expected.sort();
    assert_eq!(rows.into_iter().map(|row| row.key.sort).collect::<Vec<_>>(), expected);
    // The id of a commit is any text, too.
    for id in &ids {
        let id = format!("commit {id}");
        now(records, &commit(&id, Vec::new(), &[])).await;
        let again = records.commit(&commit(&id, Vec::new(), &[])).await.expect("a repeat is no error");
        assert_eq!(again, ports::Committed::Before, "{id:?}");
    }
}
