//! How a row is an item of DynamoDB, and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Key;
use ports::{Error, ErrorKind, Record, Result, Version};

/// The attribute of the partition: its name is a reserved word in expressions.
pub(super) const PARTITION: &str = "partition";
/// The attribute of the sort key.
pub(super) const SORT: &str = "sort";
/// The attribute of the version.
pub(super) const VERSION: &str = "version";
/// The attribute of the value.
pub(super) const VALUE: &str = "value";
/// The attribute that says when DynamoDB may remove the item, in seconds since 1970.
pub(super) const EXPIRES: &str = "expires";

/// An item of DynamoDB.
pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The key of a row.
pub(super) fn key(key: &Key) -> Item {
    Item::from([(PARTITION.into(), text(&key.partition)), (SORT.into(), text(&key.sort))])
}

/// A whole row. The value is its JSON text: DynamoDB's own numbers do not hold every double.
pub(super) fn row(at: &Key, version: Version, value: String) -> Item {
    let mut item = key(at);
    item.insert(VERSION.into(), number(version));
    item.insert(VALUE.into(), AttributeValue::S(value));
    item
}

/// The sort key of an item.
pub(super) fn sort(item: &Item) -> Result<String> {
    texts(item, SORT).map(str::to_owned)
}

/// The row of an item.
pub(super) fn record(item: &Item) -> Result<Record> {
    let key = Key { partition: texts(item, PARTITION)?.to_owned(), sort: sort(item)? };
    let wrong =
        |why: String| Error::new(ErrorKind::Invalid, format!("read {}/{}: {why}", key.partition, key.sort));
    let version = item
        .get(VERSION)
        .and_then(|version| version.as_n().ok())
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| wrong("it has no version".into()))?;
    let value = texts(item, VALUE)?;
    let value = serde_json::from_str(value).map_err(|error| wrong(format!("not JSON: {error}")))?;
    Ok(Record { key, version, value })
}

fn texts<'a>(item: &'a Item, name: &str) -> Result<&'a str> {
    let found = item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str);
    found.ok_or_else(|| Error::new(ErrorKind::Invalid, format!("read an item: it has no text {name:?}")))
}
