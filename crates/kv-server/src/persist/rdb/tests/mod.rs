//! Tests of whole files and payloads.

mod fixtures;
mod hostile;
mod interop;
mod old;
mod pack;
mod round_trip;
mod speed;
mod streams;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{law::Key, *};

fn write_file(keys: &[Key], options: Options) -> Vec<u8> {
    law::write(keys, options).expect("a Vec takes everything")
}

fn read_items(file: &[u8]) -> Result<Vec<Item>> {
    let mut reader = Reader::new(file)?;
    let mut items = Vec::new();
    while let Some(item) = reader.next()? {
        items.push(item);
    }
    Ok(items)
}

/// The keys of a file, without what is about the file or the database.
fn read_keys(file: &[u8]) -> Result<Vec<Key>> {
    let items = read_items(file)?;
    Ok(items
        .into_iter()
        .filter_map(|item| match item {
            Item::Entry(entry) => Some((entry.key, entry.expire_ms, entry.value)),
            _ => None,
        })
        .collect())
}

/// Strings of every kind that is stored in its own way.
fn string() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        (-200..200_i32).prop_map(|number| number.to_string().into_bytes()),
        ("[ab]{1,4}", 1..200_usize).prop_map(|(word, times)| word.repeat(times).into_bytes()),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("not a score", |score| !score.is_nan()),
        (-100..100_i32).prop_map(f64::from),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
}

/// Values as a server could hold them: collections are not empty, members differ.
fn value() -> impl Strategy<Value = RdbValue> {
    use proptest::collection::{btree_map, btree_set, vec};
    prop_oneof![
        string().prop_map(RdbValue::String),
        vec(string(), 1..20).prop_map(RdbValue::List),
        btree_set(string(), 1..20).prop_map(|set| RdbValue::Set(set.into_iter().collect())),
        btree_map(string(), string(), 1..20)
            .prop_map(|hash| RdbValue::Hash(hash.into_iter().collect())),
        btree_map(
            string(),
            (string(), proptest::option::of(1..i64::MAX)),
            1..20
        )
        .prop_map(expiring_hash),
        btree_map(string(), score(), 1..20)
            .prop_map(|zset| RdbValue::Zset(zset.into_iter().collect())),
        streams::stream(),
    ]
}

fn expiring_hash(hash: BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>) -> RdbValue {
    let fields = hash
        .into_iter()
        .map(|(field, (value, at))| (field, value, at));
    let fields: Vec<_> = fields.collect();
    if fields.iter().any(|(_, _, at)| at.is_some()) {
        return RdbValue::ExpiringHash(fields);
    }
    let plain = fields.into_iter().map(|(field, value, _)| (field, value));
    RdbValue::Hash(plain.collect())
}

/// Keys of a file, all different.
fn keys() -> impl Strategy<Value = Vec<Key>> {
    let about = (proptest::option::of(any::<i64>()), value());
    proptest::collection::btree_map(string(), about, 0..12).prop_map(|keys| {
        keys.into_iter()
            .map(|(key, (expire, value))| (key, expire, value))
            .collect()
    })
}

/// A file of the given version around `body`, with a checksum from version 5 on.
fn raw_file(version: u16, body: &[u8]) -> Vec<u8> {
    let mut file = format!("REDIS{version:04}").into_bytes();
    file.extend_from_slice(body);
    file.push(opcode::EOF);
    if version >= 5 {
        let crc = crc64::update(0, &file);
        file.extend_from_slice(&crc.to_le_bytes());
    }
    file
}

/// A string as stored without any encoding.
fn raw_string(string: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    length::write(&mut out, string.len() as u64).expect("a Vec takes everything");
    out.extend_from_slice(string);
    out
}

/// A key of the given kind whose value is stored as `value`.
fn raw_key(kind: u8, key: &str, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &raw_string(key.as_bytes()), value].concat()
}
