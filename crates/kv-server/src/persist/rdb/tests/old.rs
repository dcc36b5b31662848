//! Encodings that no program at hand still writes: each as we build it, read by us and by a real server.

use super::*;
use crate::persist::rdb::packed::Entry;
use crate::reference::Reference;

/// One key for each kind that a real server of 7.0 reads and does not write, or writes in fewer forms.
fn old_kinds() -> Vec<(Vec<u8>, Key)> {
    let long = vec![b'x'; 20_000];
    let entries = pack::every_form(&long);
    let texts = pack::texts(&entries);
    let few = [
        Entry::String(b"one"),
        Entry::Integer(1),
        Entry::String(b"half"),
        Entry::String(b"-0.5"),
    ];
    let scores = vec![(b"one".to_vec(), 1.0), (b"half".to_vec(), -0.5)];
    let fields = vec![
        (b"one".to_vec(), b"1".to_vec()),
        (b"half".to_vec(), b"-0.5".to_vec()),
    ];
    let pair: [(&[u8], &[u8]); 2] = [(b"one", b"1"), (b"half", b"-0.5")];
    let wide = [(&b"field"[..], &long[..]), (&long[..300], &b"v"[..])];
    let wide_texts = wide
        .iter()
        .map(|(field, value)| (field.to_vec(), value.to_vec()))
        .collect();
    let half = entries.len() / 2;
    let text_scores = [
        &[4][..],
        &raw_string(b"a"),
        b"\x04-0.5",
        &raw_string(b"b"),
        b"\xfe",
        &raw_string(b"c"),
        b"\xff",
        &raw_string(b"d"),
        b"\x1617.10000000000000e+100",
    ]
    .concat();
    let inf = f64::INFINITY;
    let parsed: Vec<_> = [("a", -0.5), ("b", inf), ("c", -inf), ("d", 17.1e100)]
        .map(|(member, score)| (member.into(), score))
        .into();
    let numbers = |numbers: &[i64]| {
        numbers
            .iter()
            .map(|number| number.to_string().into_bytes())
            .collect()
    };
    let key = |kind, key: &str, stored: &[u8], value| {
        (raw_key(kind, key, stored), (key.into(), None, value))
    };
    let packed =
        |kind, name: &str, stored: Vec<u8>, value| key(kind, name, &raw_string(&stored), value);
    vec![
        packed(
            kind::LIST_ZIPLIST,
            "ziplist",
            pack::ziplist(&entries),
            RdbValue::List(texts.clone()),
        ),
        key(
            kind::LIST_QUICKLIST,
            "quicklist",
            &[
                &[3][..],
                &raw_string(&pack::ziplist(&entries[..half])),
                &raw_string(&pack::ziplist(&[])),
                &raw_string(&pack::ziplist(&entries[half..])),
            ]
            .concat(),
            RdbValue::List(texts.clone()),
        ),
        key(
            kind::LIST_QUICKLIST_2,
            "quicklist2",
            &[
                &[3, 2][..],
                &raw_string(&pack::listpack(&entries[..half])),
                &[2],
                &raw_string(&pack::listpack(&entries[half..entries.len() - 1])),
                &[1],
                &raw_string(&long),
            ]
            .concat(),
            RdbValue::List(texts),
        ),
        packed(
            kind::HASH_ZIPLIST,
            "hash-ziplist",
            pack::ziplist(&few),
            RdbValue::Hash(fields.clone()),
        ),
        packed(
            kind::HASH_LISTPACK,
            "hash-listpack",
            pack::listpack(&few),
            RdbValue::Hash(fields.clone()),
        ),
        packed(
            kind::HASH_ZIPMAP,
            "zipmap",
            pack::zipmap(&pair, 0),
            RdbValue::Hash(fields.clone()),
        ),
        packed(
            kind::HASH_ZIPMAP,
            "zipmap-unused",
            pack::zipmap(&pair, 3),
            RdbValue::Hash(fields),
        ),
        packed(
            kind::HASH_ZIPMAP,
            "zipmap-long",
            pack::zipmap(&wide, 0),
            RdbValue::Hash(wide_texts),
        ),
        packed(
            kind::ZSET_ZIPLIST,
            "zset-ziplist",
            pack::ziplist(&few),
            RdbValue::Zset(scores.clone()),
        ),
        packed(
            kind::ZSET_LISTPACK,
            "zset-listpack",
            pack::listpack(&few),
            RdbValue::Zset(scores),
        ),
        key(
            kind::ZSET,
            "zset-text",
            &text_scores,
            RdbValue::Zset(parsed),
        ),
        packed(
            kind::SET_INTSET,
            "intset-16",
            pack::intset(2, &[-32_768, 7]),
            RdbValue::Set(numbers(&[-32_768, 7])),
        ),
        packed(
            kind::SET_INTSET,
            "intset-32",
            pack::intset(4, &[-70_000, 7]),
            RdbValue::Set(numbers(&[-70_000, 7])),
        ),
        packed(
            kind::SET_INTSET,
            "intset-64",
            pack::intset(8, &[i64::MIN, 0, i64::MAX]),
            RdbValue::Set(numbers(&[i64::MIN, 0, i64::MAX])),
        ),
    ]
}

/// One key for each kind, in a few bytes.
pub(super) fn small_kinds() -> Vec<(&'static str, Vec<u8>)> {
    let entries = [
        Entry::String(b"one"),
        Entry::Integer(1),
        Entry::String(b"half"),
        Entry::String(b"-0.5"),
    ];
    let (ziplist, listpack) = (
        raw_string(&pack::ziplist(&entries)),
        raw_string(&pack::listpack(&entries)),
    );
    let zipmap = raw_string(&pack::zipmap(&[(b"one", b"1"), (b"half", b"-0.5")], 1));
    let intset = |width| raw_string(&pack::intset(width, &[-5, 5]));
    let score = 0.5_f64.to_le_bytes();
    vec![
        ("string", raw_key(kind::STRING, "k", &raw_string(b"value"))),
        (
            "string_int",
            raw_key(kind::STRING, "k", b"\xc2\x00\x80\x00\x00"),
        ),
        (
            "string_lzf",
            raw_key(kind::STRING, "k", b"\xc3\x05\x15\x00a\xe0\x0b\x00"),
        ),
        ("list", raw_key(kind::LIST, "k", b"\x02\x01a\xc0\x05")),
        ("list_ziplist", raw_key(kind::LIST_ZIPLIST, "k", &ziplist)),
        (
            "list_quicklist",
            raw_key(kind::LIST_QUICKLIST, "k", &[&[1], &ziplist[..]].concat()),
        ),
        (
            "list_quicklist_2",
            raw_key(
                kind::LIST_QUICKLIST_2,
                "k",
                &[&[2, 1, 1, b'a', 2], &listpack[..]].concat(),
            ),
        ),
        ("set", raw_key(kind::SET, "k", b"\x02\x01a\xc0\x05")),
        ("set_intset_16", raw_key(kind::SET_INTSET, "k", &intset(2))),
        ("set_intset_64", raw_key(kind::SET_INTSET, "k", &intset(8))),
        ("set_listpack", raw_key(kind::SET_LISTPACK, "k", &listpack)),
        ("hash", raw_key(kind::HASH, "k", b"\x01\x01f\x01v")),
        ("hash_zipmap", raw_key(kind::HASH_ZIPMAP, "k", &zipmap)),
        ("hash_ziplist", raw_key(kind::HASH_ZIPLIST, "k", &ziplist)),
        (
            "hash_listpack",
            raw_key(kind::HASH_LISTPACK, "k", &listpack),
        ),
        (
            "zset",
            raw_key(kind::ZSET, "k", b"\x02\x01a\x030.5\x01b\xfe"),
        ),
        (
            "zset_2",
            raw_key(kind::ZSET_2, "k", &[&b"\x01\x01a"[..], &score].concat()),
        ),
        ("zset_ziplist", raw_key(kind::ZSET_ZIPLIST, "k", &ziplist)),
        (
            "zset_listpack",
            raw_key(kind::ZSET_LISTPACK, "k", &listpack),
        ),
    ]
}

/// All of them, one after another.
pub(super) fn every_kind() -> Vec<u8> {
    old_kinds()
        .into_iter()
        .flat_map(|(stored, _)| stored)
        .collect()
}

#[test]
fn every_old_encoding_is_read() {
    for (stored, key) in old_kinds() {
        let file = raw_file(10, &stored);
        assert_eq!(read_keys(&file).expect("a file we built"), [key]);
    }
}

#[test]
fn a_real_server_reads_the_old_encodings_likewise() {
    let (stored, keys): (Vec<_>, Vec<_>) = old_kinds().into_iter().unzip();
    let file = raw_file(
        10,
        &[&[opcode::SELECT_DB, 0][..], &stored.concat()].concat(),
    );
    let Some(mut redis) = Reference::start(Some(&file)) else {
        return;
    };
    let saved = read_keys(&redis.save()).expect("a file of a real server");
    assert_eq!(interop::sorted(saved), interop::sorted(keys));
}

#[test]
fn sets_in_listpacks_of_redis_7_2_are_read() {
    let members = [Entry::String(b"a"), Entry::Integer(-5)];
    let stored = raw_key(
        kind::SET_LISTPACK,
        "s",
        &raw_string(&pack::listpack(&members)),
    );
    let set = RdbValue::Set(vec![b"a".to_vec(), b"-5".to_vec()]);
    assert_eq!(
        read_keys(&raw_file(11, &stored)).expect("a file we built"),
        [(b"s".to_vec(), None, set)]
    );
}

#[test]
fn packed_collections_too_long_to_count_are_read() {
    let entries = vec![Entry::Integer(1); 70_000];
    for (kind, stored) in [
        (kind::LIST_ZIPLIST, raw_string(&pack::ziplist(&entries))),
        (
            kind::LIST_QUICKLIST_2,
            [&[1, 2], &raw_string(&pack::listpack(&entries))[..]].concat(),
        ),
    ] {
        let keys = read_keys(&raw_file(10, &raw_key(kind, "k", &stored))).expect("a file we built");
        assert!(matches!(&keys[..], [(_, _, RdbValue::List(list))] if list.len() == 70_000));
    }
}

#[test]
fn files_before_version_5_have_no_checksum() {
    let stored = raw_key(kind::STRING, "k", &raw_string(b"v"));
    let body = [
        &[opcode::EXPIRE_S][..],
        &1_700_000_000_u32.to_le_bytes(),
        &stored,
    ]
    .concat();
    let key = (
        b"k".to_vec(),
        Some(1_700_000_000_000),
        RdbValue::String(b"v".to_vec()),
    );
    assert_eq!(
        read_keys(&raw_file(2, &body)).expect("a file we built"),
        [key]
    );
}

/// A key with everything that can stand before it.
pub(super) fn sections() -> Vec<u8> {
    [
        &[opcode::SLOT_INFO, 1, 2, 3, opcode::SELECT_DB, 5][..],
        // A module's id, "when" as an unsigned number, then one value of each kind.
        &[
            opcode::MODULE_AUX,
            9,
            2,
            1,
            1,
            4,
            2,
            4,
            3,
            0,
            0,
            0,
            0,
            4,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            5,
            1,
            b'x',
            0,
        ],
        &[
            opcode::IDLE,
            60,
            opcode::FREQ,
            200,
            kind::STRING,
            1,
            b'k',
            1,
            b'v',
        ],
    ]
    .concat()
}

#[test]
fn what_stands_between_keys_is_reported_or_skipped() {
    let entry = crate::persist::rdb::Entry {
        db: 5,
        key: b"k".to_vec(),
        expire_ms: None,
        idle_s: Some(60),
        frequency: Some(200),
        value: RdbValue::String(b"v".to_vec()),
    };
    let items = read_items(&raw_file(12, &sections())).expect("a file we built");
    assert_eq!(
        items,
        [Item::ModuleAux { module_id: 9 }, Item::Entry(entry)]
    );
}

#[test]
fn empty_collections_are_skipped_with_what_was_said_about_them() {
    let body = [
        &[opcode::EXPIRE_MS, 1, 0, 0, 0, 0, 0, 0, 0][..],
        &raw_key(kind::SET, "empty", &[0]),
        &raw_key(
            kind::HASH_ZIPLIST,
            "empty too",
            &raw_string(&pack::ziplist(&[])),
        ),
        &raw_key(kind::LIST_QUICKLIST, "and this", &[0]),
        &raw_key(kind::STRING, "k", &[0]),
    ]
    .concat();
    let file = raw_file(9, &body);
    let mut reader = Reader::new(&file[..]).expect("a header");
    let Some(Item::Entry(entry)) = reader.next().expect("a key") else {
        panic!("no key")
    };
    assert_eq!((entry.key, entry.expire_ms), (b"k".to_vec(), None));
    assert_eq!(reader.next().expect("the end"), None);
    assert_eq!(reader.empty_keys(), 3);
}

#[test]
fn hashes_with_fields_that_expire_are_read_in_all_four_kinds() {
    let triples = [
        Entry::String(b"f"),
        Entry::String(b"v"),
        Entry::Integer(0),
        Entry::String(b"g"),
        Entry::Integer(7),
        Entry::Integer(1_700_000_000_123),
    ];
    let triples = raw_string(&pack::listpack(&triples));
    let first = 1_700_000_000_123_u64.to_le_bytes();
    let absolute = [&[0x81][..], &1_700_000_000_123_u64.to_be_bytes()].concat();
    let fields = |at: &[u8]| [&b"\x02\x00\x01f\x01v"[..], at, b"\x01g\x017"].concat();
    let expected = RdbValue::ExpiringHash(vec![
        (b"f".to_vec(), b"v".to_vec(), None),
        (b"g".to_vec(), b"7".to_vec(), Some(1_700_000_000_123)),
    ]);
    for (kind, body) in [
        (kind::HASH_METADATA_PRE_GA, fields(&absolute)),
        (kind::HASH_METADATA, [&first[..], &fields(b"\x01")].concat()),
        (kind::HASH_LISTPACK_EX_PRE_GA, triples.clone()),
        (kind::HASH_LISTPACK_EX, [&first[..], &triples].concat()),
    ] {
        let keys = read_keys(&raw_file(12, &raw_key(kind, "k", &body))).expect("a hash");
        assert_eq!(
            keys,
            [(b"k".to_vec(), None, expected.clone())],
            "kind {kind}"
        );
    }
    let beyond = [&[0x81][..], &u64::MAX.to_be_bytes()].concat();
    let body = [&first[..], &fields(&beyond)].concat();
    let error = read_keys(&raw_file(12, &raw_key(kind::HASH_METADATA, "k", &body)));
    let error = error.expect_err("a time beyond all others");
    assert!(matches!(error.kind(), ErrorKind::FieldExpiry), "{error}");
    let odd = [Entry::String(b"f"), Entry::String(b"v")];
    let odd = raw_string(&pack::listpack(&odd));
    let error = read_keys(&raw_file(
        12,
        &raw_key(kind::HASH_LISTPACK_EX_PRE_GA, "k", &odd),
    ));
    let error = error.expect_err("a field without a time");
    assert!(matches!(error.kind(), ErrorKind::Packed { .. }), "{error}");
}

#[test]
fn kinds_that_are_not_supported_are_named_with_their_key() {
    let module = raw_key(kind::MODULE_2, "k\n", &[0]);
    let error = read_keys(&raw_file(12, &module)).expect_err("not supported");
    assert_eq!(error.key(), Some(&b"k\n"[..]));
    assert_eq!(
        error.to_string(),
        "a value of a module is not supported at byte 13, in the value of key \"k\\n\""
    );
    for unknown in [8, 26, 100, 243] {
        let error = read_keys(&raw_file(12, &raw_key(unknown, "k", &[0]))).expect_err("unknown");
        assert!(
            matches!(error.kind(), ErrorKind::Opcode(byte) if *byte == unknown),
            "{error}"
        );
    }
}

#[test]
fn headers_of_other_versions_and_files_are_refused() {
    for header in ["REDIS0000", "REDIS0013", "REDIS9999"] {
        let error = read_keys(header.as_bytes()).expect_err("a version we do not know");
        assert!(
            matches!(error.kind(), ErrorKind::Version { max: 12, .. }),
            "{error}"
        );
    }
    for header in ["RESP00001", "REDIS+001", "REDIS 001"] {
        let error = read_keys(header.as_bytes()).expect_err("another file");
        assert!(matches!(error.kind(), ErrorKind::Magic), "{error}");
    }
    assert!(matches!(
        read_keys(b"REDIS").expect_err("too short").kind(),
        ErrorKind::UnexpectedEnd
    ));
}
