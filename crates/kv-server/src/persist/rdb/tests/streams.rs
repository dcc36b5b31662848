//! Streams: of the three kinds, and broken ones.

use proptest::prelude::*;

use super::*;
use crate::value::Stream;
use crate::value::stream::{Group, Id, Limits, Log, Pending};

/// Few entries in a node, so that small streams have some nodes.
const LIMITS: Limits = Limits {
    bytes: 300,
    entries: 4,
};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn filled(entries: &[(u64, Fields)], deleted: &[usize]) -> Log {
    let mut log = Log::default();
    let mut ids = Vec::new();
    for (step, fields) in entries {
        let id = Id::new(log.last.ms + step, step % 3 + 1);
        let id = id.max(log.last.next().expect("far from the end"));
        let texts: Vec<&[u8]> = fields.iter().flat_map(|(f, v)| [&f[..], v]).collect();
        log.append(id, texts.iter().copied(), LIMITS);
        ids.push(id);
    }
    for at in deleted {
        log.delete(ids[at % ids.len()]);
    }
    log
}

fn group(last: u64, read: Option<u64>, owned: &[(u64, u8)]) -> Group {
    let mut group = Group::new(Id::new(last, 0), read);
    for (ms, number) in owned {
        let name = [b'c', b'0' + number % 4];
        let owner = group.add(&name, i64::from(*number));
        let owner = owner.or_else(|| group.find(&name)).expect("it is there");
        // What the kind of Redis 7.0 does not say is taken from what it says.
        let consumer = group.consumer_mut(owner);
        consumer.active_ms = Some(consumer.seen_ms);
        group.assign(
            Id::new(*ms, 1),
            Pending {
                delivered_ms: i64::from(*number) * 1_000_000,
                deliveries: *ms,
                owner,
            },
        );
    }
    group
}

/// Streams, empty ones too, and some with deleted entries and groups.
pub(super) fn stream() -> impl Strategy<Value = RdbValue> {
    use proptest::collection::{btree_map, vec};
    let fields = prop_oneof![
        string().prop_map(|value| vec![(b"field".to_vec(), value)]),
        vec((string(), string()), 1..4),
    ];
    let entries = vec((0..5_u64, fields), 1..20);
    let owned = vec((0..1_000_u64, any::<u8>()), 0..10);
    let group = (0..1_000_u64, proptest::option::of(0..1_000_u64), owned)
        .prop_map(|(last, read, owned)| Box::new(group(last, read, &owned)));
    let groups = btree_map(string().prop_map(Vec::into_boxed_slice), group, 0..3);
    (entries, vec(any::<usize>(), 0..25), groups).prop_map(|(entries, deleted, groups)| {
        RdbValue::Stream(Box::new(Stream {
            log: filled(&entries, &deleted),
            groups,
        }))
    })
}

fn number(number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    length::write(&mut out, number).expect("a Vec takes everything");
    out
}

/// Items of a listpack: numbers, and names in letters.
fn items(line: &str) -> Vec<packed::Entry<'_>> {
    line.split(' ')
        .map(|word| match word.parse() {
            Ok(number) => packed::Entry::Integer(number),
            Err(_) => packed::Entry::String(word.as_bytes()),
        })
        .collect()
}

fn node(base: Id, line: &str) -> Vec<u8> {
    let listpack = pack::listpack(&items(line));
    [raw_string(&base.to_bytes()), raw_string(&listpack)].concat()
}

/// Two entries, of which the second has a field of its own.
const TWO: &str = "2 0 1 name 0 2 0 0 one 4 0 5 0 2 name a other b 8";

/// A stream of one node and one group of one consumer, as `stored` has it.
fn whole(stored: u8, line: &str, len: u64) -> Vec<u8> {
    let base = Id::new(7, 1);
    let is_newer = stored != kind::STREAM;
    let mut body = [
        number(1),
        node(base, line),
        number(len),
        number(12),
        number(1),
    ]
    .concat();
    if is_newer {
        // The first id, the greatest deleted one, the number of all.
        body.extend([7, 1, 3, 2, 9].map(number).concat());
    }
    body.extend([number(1), raw_string(b"group"), number(7), number(1)].concat());
    if is_newer {
        body.extend(number(6));
    }
    body.extend([number(1), base.to_bytes().into()].concat());
    body.extend(1_000_i64.to_le_bytes());
    body.extend([number(3), number(1), raw_string(b"consumer")].concat());
    body.extend(2_000_i64.to_le_bytes());
    if stored == kind::STREAM_3 {
        body.extend((-1_i64).to_le_bytes());
    }
    body.extend([number(1), base.to_bytes().into()].concat());
    body
}

fn read(stored: u8, body: &[u8]) -> Result<Stream> {
    let keys = read_keys(&raw_file(11, &raw_key(stored, "s", body)))?;
    match keys.into_iter().next() {
        Some((_, _, RdbValue::Stream(stream))) => Ok(*stream),
        other => panic!("no stream: {other:?}"),
    }
}

#[test]
fn each_kind_of_stream_is_read_with_what_it_says() {
    for stored in [kind::STREAM, kind::STREAM_2, kind::STREAM_3] {
        let Stream { log, groups } = read(stored, &whole(stored, TWO, 2)).expect("a stream");
        let texts: Vec<Vec<u8>> = log
            .range(Id::MIN, Id::MAX)
            .flat_map(|entry| entry.fields().flat_map(|(f, v)| [f.to_vec(), v.to_vec()]))
            .collect();
        let expected = ["name", "one", "name", "a", "other", "b"];
        assert_eq!(texts, expected.map(|text| text.as_bytes().to_vec()));
        assert_eq!((log.first, log.last), (Id::new(7, 1), Id::new(12, 1)));
        let group = &groups[&b"group"[..]];
        let consumer = group.consumers().next().expect("a consumer");
        // The older kinds lack what the newer ones have; there it is derived.
        let (added, deleted, read, active) = match stored {
            kind::STREAM => (2, Id::MIN, Some(1), Some(2_000)),
            kind::STREAM_2 => (9, Id::new(3, 2), Some(6), Some(2_000)),
            _ => (9, Id::new(3, 2), Some(6), None),
        };
        assert_eq!((log.added, log.max_deleted), (added, deleted));
        assert_eq!((group.read, consumer.active_ms), (read, active));
        let (id, pending) = group.pending_from(Id::MIN).next().expect("a pending entry");
        assert_eq!((id, pending.deliveries), (Id::new(7, 1), 3));
        assert_eq!(group.consumer(pending.owner).name(), b"consumer");
    }
}

#[test]
fn a_stream_that_contradicts_itself_is_an_error() {
    for (line, len) in [
        // The stream's number of entries, the node's, the deleted ones of the node.
        (TWO, 3),
        ("3 0 1 name 0 2 0 0 one 4 0 5 0 2 name a other b 8", 2),
        ("2 1 1 name 0 2 0 0 one 4 0 5 0 2 name a other b 8", 2),
        ("1 0 1 name 0 2 0 0 one 4 0 5 0 2 name a other b 8", 1),
        // No number where one must be.
        ("x 0 1 name 0 2 0 0 one 4", 1),
        ("1 0 x name 0 2 0 0 one 4", 1),
        ("1 0 1 name 0 x 0 0 one 4", 1),
        ("1 0 1 name 0 2 x 0 one 4", 1),
        ("1 0 1 name 0 2 0 x one 4", 1),
        ("1 0 1 name 0 0 0 0 x name a 6", 1),
        // The end of the names, flags, the number of items.
        ("1 0 1 name 1 2 0 0 one 4", 1),
        ("1 0 1 name 0 4 0 0 one 4", 1),
        ("1 0 1 name 0 -1 0 0 one 4", 1),
        ("1 0 1 name 0 2 0 0 one 5", 1),
        ("1 0 1 name 0 0 0 0 1 name a 5", 1),
        // Ids that do not ascend, or come before the node's.
        ("2 0 1 name 0 2 0 5 one 4 2 0 5 two 4", 2),
        ("1 0 1 name 0 2 -1 0 one 4", 1),
        // Behind the last id.
        ("1 0 1 name 0 2 100 0 one 4", 1),
        // They end too early.
        ("0", 0),
        ("0 0 1 name", 0),
        ("1 0 1 name 0 2 0 0 one", 1),
        ("1 0 1000000 name 0 2 0 0 one 4", 1),
        ("1 0 1 name 0 0 0 0 9223372036854775807 name a 6", 1),
    ] {
        let error = read(kind::STREAM_2, &whole(kind::STREAM_2, line, len));
        let error = error.expect_err(line);
        assert!(
            matches!(error.kind(), ErrorKind::Stream(_)),
            "{line}: {error}"
        );
    }
}

#[test]
fn a_count_that_could_overflow_is_an_error() {
    let body = [[0; 8].map(number).concat(), number(u64::MAX), number(0)].concat();
    let error = read(kind::STREAM_2, &body).expect_err("too many");
    assert!(matches!(error.kind(), ErrorKind::Stream(_)), "{error}");
    let body = [0, 0, 0, 0, 0, 0, 0, 0, 7, 0].map(number).concat();
    assert_eq!(
        read(kind::STREAM_2, &body)
            .expect("an empty stream")
            .log
            .added,
        7
    );
}

#[test]
fn nodes_that_are_not_in_order_are_an_error() {
    let line = "1 0 1 name 0 2 0 5 one 4";
    for (one, other) in [(7, 7), (8, 7)] {
        let (one, other) = (node(Id::new(one, 1), line), node(Id::new(other, 1), line));
        let body = [number(2), one, other, number(2)].concat();
        let error = read(kind::STREAM_2, &body).expect_err("out of order");
        assert!(matches!(error.kind(), ErrorKind::Stream(_)), "{error}");
    }
}

#[test]
fn what_is_pending_belongs_to_one_consumer() {
    let id = Id::new(7, 1).to_bytes();
    let start = [number(0), number(0), number(9), number(9)].concat();
    let counters = [0, 0, 0, 0, 5].map(number).concat();
    let group = [number(1), raw_string(b"g"), number(1), number(1), number(0)].concat();
    let start = [start, counters, group].concat();
    let pending = |times: u64| {
        let one = [&id[..], &[0; 8], &[1]].concat();
        [
            number(times),
            one.repeat(usize::try_from(times).expect("few")),
        ]
        .concat()
    };
    let consumer = |name: &[u8], owned: usize| {
        let owned = [number(owned as u64), id.repeat(owned)].concat();
        [raw_string(name), vec![0; 8], owned].concat()
    };
    for (what, rest) in [
        ("twice", [pending(2), number(0)].concat()),
        ("of nobody", [pending(1), number(0)].concat()),
        (
            "not pending",
            [pending(0), number(1), consumer(b"a", 1)].concat(),
        ),
        (
            "twice of one",
            [pending(1), number(1), consumer(b"a", 2)].concat(),
        ),
        (
            "of two",
            [pending(1), number(2), consumer(b"a", 1), consumer(b"b", 1)].concat(),
        ),
        (
            "a name twice",
            [pending(0), number(2), consumer(b"a", 0), consumer(b"a", 0)].concat(),
        ),
    ] {
        let body = [start.clone(), rest].concat();
        let error = read(kind::STREAM_2, &body).expect_err(what);
        let kind = error.kind();
        assert!(
            matches!(kind, ErrorKind::Stream(_) | ErrorKind::Duplicate),
            "{what}: {error}"
        );
    }
    let good = [start, pending(1), number(1), consumer(b"a", 1)].concat();
    let stream = read(kind::STREAM_2, &good).expect("one owner");
    assert_eq!(stream.groups[&b"g"[..]].pending_len(), 1);
}
