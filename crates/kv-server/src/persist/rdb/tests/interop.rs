//! Files and payloads that go to a real `redis-server` and come back.

use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::reference::{Reference, Reply};

#[test]
fn a_real_server_loads_what_we_write_and_we_read_what_it_saves() {
    for options in [true, false].map(|compress| Options {
        compress,
        ..Options::default()
    }) {
        let keys = sample();
        let Some(mut redis) = Reference::start(Some(&write_file(&keys, options))) else {
            return;
        };
        assert_eq!(
            sorted(read_keys(&redis.save()).expect("a file of a real server")),
            keys
        );
    }
}

#[test]
fn a_real_server_saves_the_same_in_the_encodings_of_large_collections() {
    let keys = sample();
    let Some(mut redis) = Reference::start(None) else {
        return;
    };
    for parameter in [
        "hash-max-listpack-entries",
        "zset-max-listpack-entries",
        "set-max-intset-entries",
    ] {
        redis.call(["CONFIG", "SET", parameter, "0"]);
    }
    redis.call(["CONFIG", "SET", "list-max-listpack-size", "1"]);
    for (key, _, value) in &keys {
        let payload = round_trip::dump(value, true);
        assert_eq!(
            redis.call([&b"RESTORE"[..], key, b"0", &payload]),
            Reply::Simple("OK".into())
        );
        if matches!(value, RdbValue::List(_)) {
            let encoding = redis.call([&b"OBJECT"[..], b"ENCODING", key]);
            assert_eq!(encoding, Reply::bulk("quicklist"));
        }
    }
    let without_expiry: Vec<Key> = keys
        .into_iter()
        .map(|(key, _, value)| (key, None, value))
        .collect();
    assert_eq!(
        sorted(read_keys(&redis.save()).expect("a file of a real server")),
        without_expiry
    );
}

#[test]
fn payloads_go_to_a_real_server_and_back() {
    let Some(mut redis) = Reference::start(None) else {
        return;
    };
    for (key, _, value) in sample() {
        let payload = round_trip::dump(&value, true);
        let restored = redis.call([&b"RESTORE"[..], &key, b"0", &payload]);
        assert_eq!(restored, Reply::Simple("OK".into()), "{value:?}");
        let dumped = redis.call([&b"DUMP"[..], &key]).bytes();
        let back = restore_value(&dumped).expect("a payload of a real server");
        assert_eq!(sorted_value(back), value);
    }
}

/// The same few hundred keys each time, in order, some with an expiry far ahead.
pub(super) fn sample() -> Vec<Key> {
    let mut runner = TestRunner::deterministic();
    // The reference is Redis 7.0, whose hashes have no fields that expire.
    let value = value().prop_filter("newer", |value| !matches!(value, RdbValue::ExpiringHash(_)));
    let strategy = (string(), any::<bool>(), value);
    let keys = (0..400).map(|_| {
        let (key, expires, value) = strategy.new_tree(&mut runner).expect("a key").current();
        (
            key,
            expires.then_some(4_102_444_800_123),
            sorted_value(value),
        )
    });
    let mut keys = sorted(keys.collect());
    keys.dedup_by(|(a, ..), (b, ..)| a == b);
    keys
}

/// In an order that does not depend on hash tables.
pub(super) fn sorted(keys: Vec<Key>) -> Vec<Key> {
    let mut keys: Vec<Key> = keys
        .into_iter()
        .map(|(key, expire, value)| (key, expire, sorted_value(value)))
        .collect();
    keys.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    keys
}

pub(super) fn sorted_value(mut value: RdbValue) -> RdbValue {
    match &mut value {
        RdbValue::String(_) | RdbValue::List(_) | RdbValue::Stream(_) => {}
        RdbValue::Set(set) => set.sort(),
        RdbValue::Hash(hash) => hash.sort(),
        RdbValue::ExpiringHash(hash) => hash.sort(),
        RdbValue::Zset(zset) => zset.sort_by(|(a, _), (b, _)| a.cmp(b)),
    }
    value
}
