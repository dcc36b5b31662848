//! Damaged and hostile files: never a panic, never more memory than their bytes account for.

use std::sync::LazyLock;

use super::*;
use crate::persist::rdb::packed::Entry as Packed;
use crate::value::Stream;
use crate::value::stream::Id;

/// Counts what it is given instead of keeping it.
#[derive(Default)]
pub(super) struct Count {
    elements: usize,
    bytes: usize,
    reserved: usize,
}

impl Count {
    fn add(&mut self, elements: &[&[u8]]) {
        self.elements += elements.len();
        self.bytes += elements.iter().map(|element| element.len()).sum::<usize>();
    }
}

impl Build for Count {
    type Value = ();

    fn string(&mut self, value: Vec<u8>) {
        self.add(&[&value]);
        self.reserved = self.reserved.max(value.capacity());
    }

    fn begin(&mut self, _kind: Collection, hint: usize) {
        self.reserved = self.reserved.max(hint);
    }

    fn list(&mut self, element: &[u8]) {
        self.add(&[element]);
    }

    fn set(&mut self, member: &[u8]) -> std::result::Result<(), Duplicate> {
        self.add(&[member]);
        Ok(())
    }

    fn hash(&mut self, field: &[u8], value: &[u8]) -> std::result::Result<(), Duplicate> {
        self.add(&[field, value]);
        Ok(())
    }

    fn expiring_hash(
        &mut self,
        field: &[u8],
        value: &[u8],
        expire_ms: i64,
    ) -> std::result::Result<(), Duplicate> {
        assert!(expire_ms > 0, "a time that stands for none");
        self.hash(field, value)
    }

    fn zset(&mut self, member: &[u8], score: f64) -> std::result::Result<(), Duplicate> {
        assert!(!score.is_nan(), "a score that is not a number");
        self.add(&[member]);
        Ok(())
    }

    fn stream(&mut self, stream: Stream) {
        let log = &stream.log;
        let entries = log.range(Id::MIN, Id::MAX);
        let read: usize = entries.map(|entry| entry.fields().count()).sum();
        let back = log.range_back(Id::MIN, Id::MAX);
        assert_eq!(
            read,
            back.map(|entry| entry.fields().count()).sum::<usize>()
        );
        self.elements += log.nodes();
        self.bytes += stream.memory();
    }

    fn finish(&mut self) {}
}

/// Reads `file` to its end or to the first error, and holds what came out against the bounds.
fn survive(file: &[u8]) {
    let Ok(reader) = Reader::new(file) else {
        return;
    };
    let mut reader = reader.ignore_checksum();
    let mut count = Count::default();
    while let Ok(Some(_)) = reader.next_with(&mut count) {}
    // A byte of a compressed string may stand for 88, and two bytes of an intset for a number of six digits.
    assert!(
        count.elements <= 88 * file.len(),
        "{} elements",
        count.elements
    );
    assert!(count.bytes <= 3 * 88 * file.len(), "{} bytes", count.bytes);
    assert!(
        count.reserved <= 2 * 88 * file.len() + 2 * 64 * 1_024,
        "{} reserved",
        count.reserved
    );
}

/// Files with every kind of value, from a real server and built by us.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut files: Vec<_> = fixtures::files().map(<[u8]>::to_vec).into();
    files.push(raw_file(11, &old::every_kind()));
    files.push(write_file(&interop::sample()[..40], Options::default()));
    files
});

#[test]
fn a_file_cut_at_any_byte_is_an_error() {
    for file in FILES.iter() {
        // Each byte of the short files, and a few hundred places of the longer ones.
        for len in (0..file.len()).step_by(1 + file.len() / 600) {
            let error = read_items(&file[..len]).expect_err("a file without its end");
            assert!(
                matches!(error.kind(), ErrorKind::UnexpectedEnd),
                "cut at byte {len}: {error}"
            );
        }
    }
}

#[test]
fn announced_lengths_reserve_nothing() {
    let huge = b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff";
    for kind in [
        kind::STRING,
        kind::LIST,
        kind::SET,
        kind::HASH,
        kind::ZSET,
        kind::ZSET_2,
        kind::LIST_QUICKLIST,
    ] {
        let file = raw_file(8, &raw_key(kind, "k", huge));
        survive(&file);
        read_items(&file).expect_err("the elements are missing");
    }
}

#[test]
fn damaged_packed_collections_say_what_is_wrong() {
    let entries = [Packed::String(b"ab"), Packed::Integer(300)];
    let (ziplist, listpack) = (pack::ziplist(&entries), pack::listpack(&entries));
    let set = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        bytes
    };
    for (kind, packed, problem) in [
        (
            kind::HASH_ZIPLIST,
            set(&ziplist, 0, 99),
            "bad ziplist: wrong total length (its byte 4)",
        ),
        (
            kind::HASH_ZIPLIST,
            set(&ziplist, 8, 3),
            "bad ziplist: wrong number of entries (its byte 19)",
        ),
        (
            kind::HASH_ZIPLIST,
            set(&ziplist, 11, 63),
            "bad ziplist: entry beyond the end (its byte 12)",
        ),
        (
            kind::HASH_ZIPLIST,
            set(&ziplist, 11, 0xff),
            "bad ziplist: unknown entry encoding (its byte 12)",
        ),
        (
            kind::HASH_ZIPLIST,
            pack::ziplist(&entries[..1]),
            "bad ziplist: an odd number of entries (its byte 15)",
        ),
        (
            kind::ZSET_LISTPACK,
            set(&listpack, 0, 99),
            "bad listpack: wrong total length (its byte 4)",
        ),
        (
            kind::ZSET_LISTPACK,
            set(&listpack, 6, 0xf5),
            "bad listpack: unknown entry encoding (its byte 7)",
        ),
        (
            kind::ZSET_LISTPACK,
            set(&listpack, 9, 4),
            "bad listpack: wrong length behind an entry (its byte 10)",
        ),
        (
            kind::ZSET_LISTPACK,
            pack::listpack(&[entries[1], entries[0]]),
            "score is not a number",
        ),
        (
            kind::SET_INTSET,
            pack::intset(3, &[]),
            "bad intset: unknown width of integers (its byte 8)",
        ),
        (
            kind::SET_INTSET,
            pack::intset(2, &[2, 1]),
            "bad intset: integers out of order (its byte 12)",
        ),
        (
            kind::SET_INTSET,
            set(&pack::intset(2, &[1]), 4, 2),
            "bad intset: wrong total length (its byte 8)",
        ),
        (
            kind::HASH_ZIPMAP,
            b"\x01\x01f".to_vec(),
            "bad zipmap: entry beyond the end (its byte 3)",
        ),
        (
            kind::HASH_ZIPMAP,
            b"\x01\x01f\xff".to_vec(),
            "bad zipmap: field without a value (its byte 4)",
        ),
        (
            kind::HASH_ZIPMAP,
            b"\x01\xff".to_vec(),
            "bad zipmap: wrong number of pairs (its byte 2)",
        ),
    ] {
        let file = raw_file(10, &raw_key(kind, "k", &raw_string(&packed)));
        let error = read_items(&file).expect_err("a damaged collection");
        let expected = format!(
            "{problem} at byte {}, in the value of key \"k\"",
            file.len() - 9
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_member_that_the_caller_has_already_is_an_error() {
    struct OnlyOnce(Vec<Vec<u8>>);
    impl Build for OnlyOnce {
        type Value = ();
        fn string(&mut self, _value: Vec<u8>) {}
        fn begin(&mut self, _kind: Collection, _hint: usize) {
            self.0.clear();
        }
        fn list(&mut self, _element: &[u8]) {}
        fn set(&mut self, member: &[u8]) -> std::result::Result<(), Duplicate> {
            if self.0.iter().any(|known| known == member) {
                return Err(Duplicate);
            }
            self.0.push(member.to_vec());
            Ok(())
        }
        fn hash(&mut self, field: &[u8], _value: &[u8]) -> std::result::Result<(), Duplicate> {
            self.set(field)
        }
        fn expiring_hash(
            &mut self,
            field: &[u8],
            _value: &[u8],
            _expire_ms: i64,
        ) -> std::result::Result<(), Duplicate> {
            self.set(field)
        }
        fn zset(&mut self, member: &[u8], _score: f64) -> std::result::Result<(), Duplicate> {
            self.set(member)
        }
        fn stream(&mut self, _stream: Stream) {}
        fn finish(&mut self) {}
    }
    let twice = [
        Packed::String(b"m"),
        Packed::Integer(1),
        Packed::String(b"m"),
        Packed::Integer(2),
    ];
    let pairs = raw_string(&pack::listpack(&twice));
    let mut dump = Dump::new(true);
    for stored in [
        raw_key(kind::SET, "k", b"\x02\x01m\x01m"),
        raw_key(kind::HASH, "k", b"\x02\x01m\x01v\x01m\x01v"),
        raw_key(kind::HASH_LISTPACK, "k", &pairs),
        raw_key(kind::ZSET_LISTPACK, "k", &pairs),
    ] {
        let file = raw_file(10, &stored);
        let mut reader = Reader::new(&file[..]).expect("a header");
        let error = reader
            .next_with(&mut OnlyOnce(Vec::new()))
            .expect_err("the same member twice");
        assert!(matches!(error.kind(), ErrorKind::Duplicate), "{error}");
    }
    let payload = dump.set(2, ["m", "m"]).expect("a payload");
    assert!(restore(&payload, &mut OnlyOnce(Vec::new())).is_err());
}

#[test]
fn a_payload_is_one_value_that_is_not_empty() {
    let sealed = |body: &[u8]| {
        let mut payload = [body, &VERSION.to_le_bytes()].concat();
        let crc = crc64::update(0, &payload);
        payload.extend_from_slice(&crc.to_le_bytes());
        payload
    };
    let kind_of = |body: &[u8]| restore_value(&sealed(body)).expect_err("a bad payload");
    assert!(matches!(kind_of(&[kind::SET, 0]).kind(), ErrorKind::Empty));
    assert!(matches!(
        kind_of(&[kind::STRING, 1, b'v', 0]).kind(),
        ErrorKind::TrailingBytes
    ));
    assert!(matches!(kind_of(&[]).kind(), ErrorKind::UnexpectedEnd));
    assert!(matches!(
        kind_of(&[opcode::AUX]).kind(),
        ErrorKind::Opcode(opcode::AUX)
    ));
    assert!(matches!(
        kind_of(&[kind::ZSET_2, 1, 1, b'm', 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]).kind(),
        ErrorKind::Score
    ));
}

/// A change to a file: at which part of it, and what.
fn damage() -> impl Strategy<Value = Vec<(proptest::sample::Index, u8, u8)>> {
    proptest::collection::vec(
        (any::<proptest::sample::Index>(), 0..4_u8, any::<u8>()),
        1..6,
    )
}

#[test]
fn the_law_of_any_bytes_holds_for_the_corpus() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rdb");
    let mut count = 0;
    for file in std::fs::read_dir(&folder).expect("the corpus is checked in") {
        let path = file.expect("a readable folder").path();
        println!("{}", path.display()); // shown when the law fails
        law::any_bytes(&std::fs::read(path).expect("a readable file"));
        count += 1;
    }
    assert!(count >= 10, "{} holds {count} files", folder.display());
}

/// One small file for each kind of value and of section, for the fuzzer to start from.
#[test]
#[ignore = "writes the fuzz target's corpus anew"]
fn write_corpus() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rdb");
    std::fs::create_dir_all(&folder).expect("a folder");
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("a file");
    for (name, stored) in old::small_kinds() {
        write(name, &raw_file(11, &stored));
    }
    write("sections", &raw_file(12, &old::sections()));
    write(
        "version_2",
        &raw_file(
            2,
            &raw_key(kind::STRING, "k", b"\xc3\x05\x15\x00a\xe0\x0b\x00"),
        ),
    );
    write(
        "payload",
        &Dump::new(true)
            .zset(2, [("a", 1.0), ("b", f64::INFINITY)])
            .expect("a payload"),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_never_panic(which: proptest::sample::Index, damage in damage()) {
        let mut file = which.get(&FILES).clone();
        for (at, how, value) in damage {
            let at = at.index(file.len());
            match how {
                0 => file[at] = value,
                1 => file[at] ^= 1 << (value % 8),
                2 => {
                    file.remove(at);
                }
                _ => file.insert(at, value),
            }
        }
        survive(&file);
        law::any_bytes(&file);
    }

    #[test]
    fn arbitrary_bytes_never_panic(version in 1..=12_u16, body: Vec<u8>) {
        survive(&[format!("REDIS{version:04}").as_bytes(), &body].concat());
    }

    #[test]
    fn arbitrary_values_never_panic(kind in 0..26_u8, body: Vec<u8>) {
        survive(&raw_file(12, &raw_key(kind, "k", &raw_string(&body))));
        survive(&raw_file(12, &raw_key(kind, "k", &body)));
    }
}
