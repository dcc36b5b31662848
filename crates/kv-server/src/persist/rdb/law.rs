//! What holds for any bytes, for the fuzz target and the tests.

use std::io::{self, Write};

use super::{Item, Options, RdbValue, Reader, Writer, restore_value};

/// A key, when it expires, and its value.
pub(super) type Key = (Vec<u8>, Option<i64>, RdbValue);

/// Whatever `data` is, reading it ends without a panic; the keys that it holds survive being written and read again.
///
/// The checksum is ignored, so that a fuzzer gets behind it.
pub(crate) fn any_bytes(data: &[u8]) {
    let _ = restore_value(data);
    let keys = keys(data);
    for compress in [true, false] {
        let options = Options {
            compress,
            ..Options::default()
        };
        let file = write(&keys, options).expect("a Vec takes everything");
        assert_eq!(self::keys(&file), keys, "written and read again");
    }
}

/// Writes a file with these keys in database 0.
pub(super) fn write(keys: &[Key], options: Options) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new(), options)?;
    writer.aux("redis-ver", b"7.2.0")?;
    let expires = keys
        .iter()
        .filter(|(_, expire_ms, _)| expire_ms.is_some())
        .count();
    writer.database(0, keys.len() as u64, expires as u64)?;
    for (key, expire_ms, value) in keys {
        write_key(&mut writer, key, *expire_ms, value)?;
    }
    writer.finish()
}

fn write_key(
    writer: &mut Writer<impl Write>,
    key: &[u8],
    expire_ms: Option<i64>,
    value: &RdbValue,
) -> io::Result<()> {
    match value {
        RdbValue::String(value) => writer.string(key, expire_ms, value),
        RdbValue::List(list) => writer.list(key, expire_ms, list.len(), list),
        RdbValue::Set(set) => writer.set(key, expire_ms, set.len(), set),
        RdbValue::Hash(hash) => {
            let fields = hash.iter().map(|(field, value)| (field, value));
            writer.hash(key, expire_ms, hash.len(), fields)
        }
        RdbValue::ExpiringHash(hash) => {
            let times = hash.iter().filter_map(|(_, _, at)| *at);
            let first = times.min().unwrap_or_default();
            let fields = hash.iter().map(|(field, value, at)| (field, value, *at));
            writer.expiring_hash(key, expire_ms, hash.len(), first, fields)
        }
        RdbValue::Zset(zset) => {
            let members = zset.iter().map(|(member, score)| (member, *score));
            writer.zset(key, expire_ms, zset.len(), members)
        }
        RdbValue::Stream(stream) => writer.stream(key, expire_ms, stream),
    }
}

/// The keys up to the end or the first error.
fn keys(file: &[u8]) -> Vec<Key> {
    let Ok(reader) = Reader::new(file) else {
        return Vec::new();
    };
    let mut reader = reader.ignore_checksum();
    let mut keys = Vec::new();
    while let Ok(Some(item)) = reader.next() {
        if let Item::Entry(entry) = item {
            keys.push((entry.key, entry.expire_ms, entry.value));
        }
    }
    keys
}
