//! Files that Debian's redis-server 7.0.15 wrote, one for each family, and what they hold.
//!
//! To write them anew, for another version of the server for instance:
//! `cargo test -p kv-server --lib fixtures -- --ignored`

use super::*;
use crate::reference::{Reference, Reply};

struct Fixture {
    name: &'static str,
    file: &'static [u8],
    /// What is sent to the server before it saves, a command a line.
    setup: Vec<Vec<Vec<u8>>>,
    /// How OBJECT ENCODING names the key's value, the database, and the key.
    keys: Vec<(&'static str, u64, Key)>,
}

fn fixtures() -> [Fixture; 4] {
    [strings(), lists(), hashes_and_zsets(), sets()]
}

/// The files alone.
pub(super) fn files() -> [&'static [u8]; 4] {
    fixtures().map(|fixture| fixture.file)
}

fn strings() -> Fixture {
    let values: [(&str, &str, Vec<u8>); 10] = [
        ("int8", "int", b"-128".to_vec()),
        ("int16", "int", b"32767".to_vec()),
        ("int32", "int", b"-2147483648".to_vec()),
        ("int64", "int", b"9223372036854775807".to_vec()),
        ("empty", "embstr", Vec::new()),
        ("not an integer", "embstr", b"007".to_vec()),
        ("binary\0\r\né", "embstr", (0..=43).rev().collect()),
        ("compressed", "raw", b"abc".repeat(1_000)),
        ("incompressible", "raw", (0..=255).collect()),
        ("0", "embstr", b"the key is an integer".to_vec()),
    ];
    let mut setup = Vec::new();
    let mut keys = Vec::new();
    for (key, encoding, value) in values {
        setup.push(vec![b"SET".to_vec(), key.into(), value.clone()]);
        keys.push((encoding, 0, (key.into(), None, RdbValue::String(value))));
    }
    for (db, expire_ms) in [(1, 4_102_444_800_123), (15, 32_503_680_000_000)] {
        setup.push(command(&format!("SELECT {db}")));
        setup.push(command(&format!("SET expires yes PXAT {expire_ms}")));
        setup.push(command("SET stays yes"));
        let yes = RdbValue::String(b"yes".to_vec());
        keys.push((
            "embstr",
            db,
            (b"expires".to_vec(), Some(expire_ms), yes.clone()),
        ));
        keys.push(("embstr", db, (b"stays".to_vec(), None, yes)));
    }
    let file = include_bytes!("fixtures/dump-7.0-strings.bin");
    Fixture {
        name: "dump-7.0-strings.bin",
        file,
        setup,
        keys,
    }
}

fn lists() -> Fixture {
    let small = vec![
        b"a".to_vec(),
        b"".to_vec(),
        b"-1".to_vec(),
        b"70000".to_vec(),
        vec![0xff; 100],
    ];
    let many = numbered("element:", 2_000);
    let large = vec![b"small".to_vec(), vec![b'L'; 5_000], b"small".to_vec()];
    let setup = vec![
        // Several nodes for the long list, and a node of its own for the large element.
        command("CONFIG SET list-max-listpack-size 128"),
        command("DEBUG QUICKLIST-PACKED-THRESHOLD 1000b"),
        with_key("RPUSH", "small", small.clone()),
        with_key("RPUSH", "many", many.clone()),
        with_key("RPUSH", "large", large.clone()),
    ];
    let keys = [("small", small), ("many", many), ("large", large)]
        .map(|(key, list)| ("quicklist", 0, (key.into(), None, RdbValue::List(list))));
    let file = include_bytes!("fixtures/dump-7.0-lists.bin");
    Fixture {
        name: "dump-7.0-lists.bin",
        file,
        setup,
        keys: keys.into(),
    }
}

fn hashes_and_zsets() -> Fixture {
    let hash = |count| -> Vec<_> {
        numbered("field:", count)
            .into_iter()
            .zip(numbered("", count))
            .collect()
    };
    let scores = [
        1.0,
        -0.1,
        1e300,
        3e-310,
        f64::INFINITY,
        f64::NEG_INFINITY,
        9_007_199_254_740_993.0,
    ];
    let zset = |count| -> Vec<_> {
        numbered("member:", count)
            .into_iter()
            .zip(scores.into_iter().cycle())
            .collect()
    };
    let mut setup = Vec::new();
    let mut keys = Vec::new();
    for (name, encoding, hash) in [
        ("hash", "listpack", hash(20)),
        ("large hash", "hashtable", hash(600)),
    ] {
        setup.push(with_key(
            "HSET",
            name,
            hash.iter().flat_map(|(f, v)| [f.clone(), v.clone()]),
        ));
        keys.push((encoding, 0, (name.into(), None, RdbValue::Hash(hash))));
    }
    for (name, encoding, zset) in [
        ("zset", "listpack", zset(7)),
        ("large zset", "skiplist", zset(200)),
    ] {
        let arguments = zset
            .iter()
            .flat_map(|(member, score)| [format!("{score:?}").into_bytes(), member.clone()]);
        setup.push(with_key("ZADD", name, arguments));
        keys.push((encoding, 0, (name.into(), None, RdbValue::Zset(zset))));
    }
    let file = include_bytes!("fixtures/dump-7.0-hashes-and-zsets.bin");
    Fixture {
        name: "dump-7.0-hashes-and-zsets.bin",
        file,
        setup,
        keys,
    }
}

fn sets() -> Fixture {
    let sets = [
        ("16 bits", "intset", vec!["-32768", "0", "32767"]),
        ("32 bits", "intset", vec!["-32769", "0", "2147483647"]),
        (
            "64 bits",
            "intset",
            vec!["-9223372036854775808", "0", "2147483648"],
        ),
        ("strings", "hashtable", vec!["a", "", "1", "01"]),
    ];
    let mut setup = Vec::new();
    let mut keys = Vec::new();
    for (name, encoding, set) in sets {
        let set: Vec<Vec<u8>> = set.into_iter().map(Into::into).collect();
        setup.push(with_key("SADD", name, set.clone()));
        keys.push((encoding, 0, (name.into(), None, RdbValue::Set(set))));
    }
    let large = numbered("", 600);
    setup.push(with_key("SADD", "large", large.clone()));
    keys.push((
        "hashtable",
        0,
        (b"large".to_vec(), None, RdbValue::Set(large)),
    ));
    let file = include_bytes!("fixtures/dump-7.0-sets.bin");
    Fixture {
        name: "dump-7.0-sets.bin",
        file,
        setup,
        keys,
    }
}

#[test]
fn files_of_a_real_server_are_read_exactly() {
    for Fixture {
        name, file, keys, ..
    } in fixtures()
    {
        let mut expected: Vec<_> = keys
            .into_iter()
            .map(|(_, db, (key, expire, value))| (db, key, expire, interop::sorted_value(value)))
            .collect();
        let mut found = Vec::new();
        for item in read_items(file).expect(name) {
            if let Item::Entry(entry) = item {
                found.push((
                    entry.db,
                    entry.key,
                    entry.expire_ms,
                    interop::sorted_value(entry.value),
                ));
            }
        }
        for keys in [&mut expected, &mut found] {
            keys.sort_by(|(db_a, a, ..), (db_b, b, ..)| (db_a, a).cmp(&(db_b, b)));
        }
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn the_facts_about_a_real_file_are_reported() {
    let items = read_items(strings().file).expect("a file of a real server");
    let version = Item::Aux {
        name: b"redis-ver".to_vec(),
        value: b"7.0.15".to_vec(),
    };
    assert_eq!(items[0], version);
    let sizes: Vec<_> = items
        .into_iter()
        .filter(|item| matches!(item, Item::Size { .. }))
        .collect();
    assert_eq!(
        sizes,
        [
            Item::Size {
                db: 0,
                keys: 10,
                expires: 0
            },
            Item::Size {
                db: 1,
                keys: 2,
                expires: 1
            },
            Item::Size {
                db: 15,
                keys: 2,
                expires: 1
            },
        ]
    );
    assert_eq!(Reader::new(strings().file).expect("a header").version(), 10);
}

#[test]
fn use_counts_and_functions_of_a_real_server_are_reported() {
    let Some(mut redis) = Reference::start(None) else {
        return;
    };
    let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    redis.call(["FUNCTION", "LOAD", library]);
    redis.call(["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]);
    redis.call(["SET", "k", "v"]);
    let items = read_items(&redis.save()).expect("a file of a real server");
    assert!(items.contains(&Item::Function(library.into())), "{items:?}");
    let Some(Item::Entry(entry)) = items.last() else {
        panic!("no key: {items:?}")
    };
    assert_eq!(
        (entry.frequency, entry.idle_s),
        (Some(5), None),
        "5 is where Redis starts to count"
    );

    redis.call(["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let restored = redis.call([
        &b"RESTORE"[..],
        b"k",
        b"0",
        &Dump::new(true).string(b"v").expect("a value"),
        b"REPLACE",
        b"IDLETIME",
        b"1000",
    ]);
    assert_eq!(restored, Reply::Simple("OK".into()));
    let items = read_items(&redis.save()).expect("a file of a real server");
    let Some(Item::Entry(entry)) = items.last() else {
        panic!("no key: {items:?}")
    };
    assert!(matches!(entry.idle_s, Some(1_000..=1_060)), "{entry:?}");
    assert_eq!(entry.frequency, None);
}

#[test]
#[ignore = "writes the fixtures anew; needs redis-server"]
fn write_fixtures() {
    let dir =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/persist/rdb/tests/fixtures");
    for Fixture {
        name, setup, keys, ..
    } in fixtures()
    {
        let mut redis = Reference::start(None).expect("redis-server");
        for command in setup {
            let reply = redis.call(&command);
            assert!(
                !matches!(reply, Reply::Error(_)),
                "{command:?} failed: {reply:?}"
            );
        }
        for (encoding, db, (key, ..)) in keys {
            redis.call(["SELECT", &db.to_string()]);
            assert_eq!(
                redis.call([&b"OBJECT"[..], b"ENCODING", &key]),
                Reply::bulk(encoding),
                "{key:?}"
            );
        }
        std::fs::write(dir.join(name), redis.save()).expect("the fixture");
    }
}

fn command(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(Into::into).collect()
}

fn with_key(
    command: &str,
    key: &str,
    arguments: impl IntoIterator<Item = Vec<u8>>,
) -> Vec<Vec<u8>> {
    [command.into(), key.into()]
        .into_iter()
        .chain(arguments)
        .collect()
}

fn numbered(prefix: &str, count: u32) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| format!("{prefix}{number}").into_bytes())
        .collect()
}
