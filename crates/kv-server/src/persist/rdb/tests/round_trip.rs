//! What we write, we read.

use std::io::{self, Read};

use super::*;

#[test]
fn an_empty_file_is_header_end_and_checksum() {
    let file = Writer::new(Vec::new(), Options::default())
        .and_then(Writer::finish)
        .expect("a Vec takes everything");
    assert_eq!(file[..10], *b"REDIS0008\xff");
    assert_eq!(file.len(), 18);
    assert_eq!(read_items(&file).expect("our own file"), []);
}

#[test]
fn items_come_in_the_order_written() {
    let mut writer = Writer::new(Vec::new(), Options::default()).expect("a Vec takes everything");
    writer
        .aux("ctime", b"1700000000")
        .expect("a Vec takes everything");
    writer.database(3, 1, 1).expect("a Vec takes everything");
    writer
        .list(b"k", Some(-5), 2, [&b"a"[..], b"b"])
        .expect("a Vec takes everything");
    let file = writer.finish().expect("a Vec takes everything");

    let entry = Entry {
        db: 3,
        key: b"k".to_vec(),
        expire_ms: Some(-5),
        idle_s: None,
        frequency: None,
        value: RdbValue::List(vec![b"a".to_vec(), b"b".to_vec()]),
    };
    let aux = Item::Aux {
        name: b"ctime".to_vec(),
        value: b"1700000000".to_vec(),
    };
    let size = Item::Size {
        db: 3,
        keys: 1,
        expires: 1,
    };
    assert_eq!(
        read_items(&file).expect("our own file"),
        [aux, size, Item::Entry(entry)]
    );
}

#[test]
fn what_follows_the_file_is_handed_on() {
    let mut file = write_file(&[], Options::default());
    file.extend_from_slice(b"*1\r\n");
    let mut reader = Reader::new(&file[..]).expect("a header");
    while reader.next().expect("our own file").is_some() {}
    let mut rest = Vec::new();
    reader.into_rest().read_to_end(&mut rest).expect("a slice");
    assert_eq!(rest, b"*1\r\n");
}

#[test]
fn values_longer_than_every_buffer_pass_the_checksum() {
    let bytes: Vec<u8> = (0..300_000_u32)
        .map(|number| number.wrapping_mul(0x9e37_79b1).to_be_bytes()[0])
        .collect();
    let long = RdbValue::String(bytes.clone());
    let keys = [
        (b"long".to_vec(), None, long.clone()),
        (
            b"list".to_vec(),
            None,
            RdbValue::List(vec![b"short".to_vec(), bytes]),
        ),
        (b"longer".to_vec(), None, long),
    ];
    let file = write_file(
        &keys,
        Options {
            compress: false,
            ..Options::default()
        },
    );
    assert_eq!(read_keys(&file).expect("our own file"), keys);
    let mut damaged = file;
    damaged[200_000] ^= 1;
    let error = read_keys(&damaged).expect_err("damaged");
    assert!(
        matches!(error.kind(), ErrorKind::Checksum { .. }),
        "{error}"
    );
}

/// Yields a few bytes at a time, interrupted now and then, and fails behind the last.
struct Trickle<'a> {
    bytes: &'a [u8],
    calls: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls % 5 == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.bytes.is_empty() {
            return Err(io::Error::other("the disk is gone"));
        }
        let len = (self.calls % 3 + 1).min(self.bytes.len()).min(out.len());
        self.bytes.read(&mut out[..len])
    }
}

#[test]
fn a_file_that_arrives_in_small_pieces_is_read_alike() {
    let keys = interop::sample();
    let file = write_file(&keys, Options::default());
    let mut reader = Reader::new(Trickle {
        bytes: &file,
        calls: 0,
    })
    .expect("a header");
    let mut items = Vec::new();
    while let Some(item) = reader.next().expect("our own file") {
        items.push(item);
    }
    assert_eq!(items, read_items(&file).expect("our own file"));
    assert_eq!(reader.offset(), file.len() as u64);
}

#[test]
fn an_error_of_the_reader_is_handed_on_as_the_source() {
    let file = write_file(&[], Options::default());
    let cut = Trickle {
        bytes: &file[..file.len() - 1],
        calls: 0,
    };
    let mut reader = Reader::new(cut).expect("a header");
    let error = loop {
        match reader.next() {
            Ok(item) => assert!(item.is_some(), "the last byte is missing"),
            Err(error) => break error,
        }
    };
    assert_eq!(
        error.to_string(),
        format!("reading failed at byte {}", file.len() - 1)
    );
    let source = std::error::Error::source(&error).expect("the error of the reader");
    assert_eq!(source.to_string(), "the disk is gone");
}

#[test]
fn a_collection_of_another_length_than_announced_is_not_written() {
    let mut writer = Writer::new(Vec::new(), Options::default()).expect("a Vec takes everything");
    let error = writer
        .set(b"k", None, 2, ["a"])
        .expect_err("one element is missing");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "collection of 2 elements yielded 1");
    let error = Dump::new(true)
        .zset(1, [("a", f64::NAN)])
        .expect_err("not a score");
    assert_eq!(error.to_string(), "score is not a number");
}

#[test]
fn every_damaged_byte_is_noticed_by_the_checksum() {
    let keys = [(
        b"key".to_vec(),
        None,
        RdbValue::String(b"some value".to_vec()),
    )];
    let file = write_file(&keys, Options::default());
    for at in 9..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        assert!(read_keys(&damaged).is_err(), "byte {at}");
    }
    let unchecked = write_file(
        &keys,
        Options {
            checksum: false,
            ..Options::default()
        },
    );
    assert!(unchecked.ends_with(&[0; 8]));
    assert_eq!(
        read_keys(&unchecked).expect("a file without a checksum"),
        keys
    );
}

proptest! {
    #[test]
    fn files_come_back_as_written(keys in keys(), compress: bool, checksum: bool) {
        let file = write_file(&keys, Options { compress, checksum });
        prop_assert_eq!(read_keys(&file).expect("our own file"), keys);
    }

    #[test]
    fn payloads_come_back_as_dumped(value in value(), compress: bool) {
        let payload = dump(&value, compress);
        prop_assert_eq!(restore_value(&payload).expect("our own payload"), value);
    }
}

#[test]
fn the_end_of_a_payload_is_checked_before_its_value() {
    let payload = Dump::new(true).string(b"v").expect("a value");
    assert!(matches!(
        restore_value(&payload[..9]).expect_err("too short").kind(),
        ErrorKind::Footer
    ));
    let mut damaged = payload.clone();
    damaged[0] = 99;
    assert!(matches!(
        restore_value(&damaged).expect_err("damaged").kind(),
        ErrorKind::Checksum { .. }
    ));
    let mut newer = payload;
    let version = newer.len() - 10;
    newer[version] = 13;
    let error = restore_value(&newer).expect_err("a later version");
    assert!(matches!(
        error.kind(),
        ErrorKind::Version {
            version: 13,
            max: 12
        }
    ));
}

pub(super) fn dump(value: &RdbValue, compress: bool) -> Vec<u8> {
    let mut dump = Dump::new(compress);
    match value {
        RdbValue::String(value) => dump.string(value),
        RdbValue::List(value) => dump.list(value.len(), value),
        RdbValue::Set(value) => dump.set(value.len(), value),
        RdbValue::Hash(value) => dump.hash(value.len(), value.iter().map(|(f, v)| (f, v))),
        RdbValue::ExpiringHash(value) => {
            let first = value.iter().filter_map(|(_, _, at)| *at).min();
            let fields = value.iter().map(|(f, v, at)| (f, v, *at));
            dump.expiring_hash(value.len(), first.unwrap_or_default(), fields)
        }
        RdbValue::Zset(value) => dump.zset(value.len(), value.iter().map(|(m, s)| (m, *s))),
        RdbValue::Stream(stream) => dump.stream(stream),
    }
    .expect("a value")
}
