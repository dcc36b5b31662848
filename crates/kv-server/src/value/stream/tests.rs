//! The stream against maps.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::value::pack::tests::text;

/// Few entries in a node, so that streams have many.
const SMALL: Limits = Limits {
    bytes: 200,
    entries: 5,
};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;
type Model = BTreeMap<Id, Fields>;

#[derive(Debug, Clone)]
enum Edit {
    /// How far the id is from the last one, and the fields.
    Append((u64, u64), Fields),
    /// As many entries with the same fields.
    Fill(u8, u8),
    Delete(usize),
    DeleteAbsent((u64, u64)),
    KeepLast(u64, bool, u64),
    KeepFrom(usize, bool, u64),
    /// Through the form that snapshots have.
    Save,
}

fn step() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![
        4 => (Just(0), 1..4_u64),
        4 => (1..1000_u64, 0..3_u64),
        1 => (0..1_u64 << 40, 1..u64::MAX),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    prop_oneof![
        3 => (text(), text()).prop_map(|(one, two)| vec![(b"one".to_vec(), one), (b"two".to_vec(), two)]),
        3 => text().prop_map(|one| vec![(b"7".to_vec(), one)]),
        2 => prop::collection::vec((text(), text()), 1..6),
        1 => Just(vec![(b"large".to_vec(), vec![b'x'; 16_378])]),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let limit = prop_oneof![3 => Just(0_u64), 1 => 1..20_u64];
    prop_oneof![
        6 => (step(), fields()).prop_map(|(step, fields)| Edit::Append(step, fields)),
        2 => (1..60_u8, any::<u8>()).prop_map(|(count, value)| Edit::Fill(count, value)),
        4 => any::<usize>().prop_map(Edit::Delete),
        1 => step().prop_map(Edit::DeleteAbsent),
        1 => (0..100_u64, any::<bool>(), limit.clone()).prop_map(|(max, rough, limit)| Edit::KeepLast(max, rough, limit)),
        1 => (any::<usize>(), any::<bool>(), limit).prop_map(|(at, rough, limit)| Edit::KeepFrom(at, rough, limit)),
        1 => Just(Edit::Save),
    ]
}

fn append(log: &mut Log, model: &mut Model, id: Id, fields: &Fields) {
    let texts: Vec<&[u8]> = fields
        .iter()
        .flat_map(|(name, value)| [name.as_slice(), value])
        .collect();
    log.append(id, texts.iter().copied(), SMALL);
    model.insert(id, fields.clone());
}

fn behind(id: Id, (ms, seq): (u64, u64)) -> Option<Id> {
    if ms == 0 {
        return Some(Id::new(id.ms, id.seq.checked_add(seq)?));
    }
    Some(Id::new(id.ms.checked_add(ms)?, seq))
}

fn nth(model: &Model, at: usize) -> Option<Id> {
    model.keys().nth(at.checked_rem(model.len())?).copied()
}

/// What must be left: all that was to be kept, and what a limit or whole nodes keep beyond.
fn trimmed(log: &mut Log, model: &mut Model, trim: Trim) {
    let before = log.len();
    let wanted = match trim.keep {
        Keep::Last(max) => before.saturating_sub(max),
        Keep::From(id) => model.range(..id).count() as u64,
    };
    let done = log.trim(trim);
    assert_eq!(before - log.len(), done.count);
    assert!(done.count <= wanted);
    if trim.limit > 0 {
        assert!(done.count <= trim.limit);
    }
    if !trim.roughly && trim.limit == 0 {
        assert_eq!(done.count, wanted);
    }
    for _ in 0..done.count {
        model.pop_first();
    }
}

fn apply(log: &mut Log, model: &mut Model, edit: Edit) {
    match edit {
        Edit::Append(step, fields) => {
            if let Some(id) = behind(log.last, step) {
                append(log, model, id, &fields);
            }
        }
        Edit::Fill(count, value) => {
            for n in 0..count {
                let fields = vec![(
                    b"n".to_vec(),
                    (u32::from(n) * u32::from(value)).to_string().into(),
                )];
                if let Some(id) = log.last.next() {
                    append(log, model, id, &fields);
                }
            }
        }
        Edit::Delete(at) => {
            if let Some(id) = nth(model, at) {
                assert!(log.delete(id));
                assert!(!log.delete(id));
                assert!(log.max_deleted >= id);
                model.remove(&id);
            }
        }
        Edit::DeleteAbsent(step) => {
            let absent = behind(log.last, step);
            assert!(absent.is_none_or(|id| !log.delete(id)));
        }
        Edit::KeepLast(max, roughly, limit) => trimmed(
            log,
            model,
            Trim {
                keep: Keep::Last(max),
                roughly,
                limit,
            },
        ),
        Edit::KeepFrom(at, roughly, limit) => {
            let keep = Keep::From(nth(model, at).unwrap_or(log.last));
            let trim = Trim {
                keep,
                roughly,
                limit,
            };
            trimmed(log, model, trim);
        }
        Edit::Save => {
            let stream = Stream {
                log: std::mem::take(log),
                ..Stream::default()
            };
            let payload = crate::persist::rdb::Dump::new(false)
                .stream(&stream)
                .expect("a Vec takes everything");
            let restored = crate::persist::rdb::restore_value(&payload).expect("as written");
            assert_eq!(
                restored,
                crate::persist::rdb::RdbValue::Stream(Box::new(stream.clone()))
            );
            *log = stream.log;
        }
    }
}

fn shown(entry: Entry<'_>) -> (Id, Fields) {
    let id = entry.id;
    let len = entry.len;
    let fields = entry.fields();
    let fields: Fields = fields
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect();
    assert_eq!(fields.len(), len);
    (id, fields)
}

fn check(log: &Log, model: &Model) {
    let all: Vec<_> = log.range(Id::MIN, Id::MAX).map(shown).collect();
    let expected: Vec<_> = model
        .iter()
        .map(|(id, fields)| (*id, fields.clone()))
        .collect();
    assert_eq!(all, expected);
    let mut back: Vec<_> = log.range_back(Id::MIN, Id::MAX).map(shown).collect();
    back.reverse();
    assert_eq!(back, expected);
    assert_eq!(log.len(), model.len() as u64);
    assert_eq!(log.first, model.keys().next().copied().unwrap_or(Id::MIN));
    assert_eq!(log.top(), model.keys().next_back().copied());
    let bytes: usize = log.nodes.iter().map(|(_, node)| node.memory()).sum();
    assert_eq!(log.bytes, bytes);
    let ids: Vec<Id> = model.keys().copied().collect();
    for pair in ids.windows(2).step_by(7) {
        let (one, two) = (pair[0], pair[1]);
        assert_eq!(log.get(one).map(|entry| entry.id), Some(one));
        for (start, end) in [
            (one, two),
            (two, one),
            (one, one),
            (Id::MIN, one),
            (two, Id::MAX),
        ] {
            let found: Vec<_> = log.range(start, end).map(|entry| entry.id).collect();
            let mut back: Vec<_> = log.range_back(start, end).map(|entry| entry.id).collect();
            back.reverse();
            let inside = |id: &&Id| **id >= start && **id <= end;
            let expected: Vec<_> = ids.iter().filter(inside).copied().collect();
            assert_eq!(found, expected);
            assert_eq!(back, expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 150 }))]

    #[test]
    fn a_stream_is_a_map_by_id(edits in prop::collection::vec(edit(), 1..60)) {
        let (mut log, mut model) = (Log::default(), Model::new());
        let mut added = 0;
        for edit in edits {
            let before = model.len();
            let grows = matches!(edit, Edit::Append(..) | Edit::Fill(..));
            apply(&mut log, &mut model, edit);
            if grows {
                added += model.len() - before;
            }
        }
        check(&log, &model);
        prop_assert_eq!(log.added, added as u64);
    }

    #[test]
    fn whatever_is_pending_has_one_owner(edits in prop::collection::vec((0..5_u8, 0..6_u64, 0..4_usize), 1..200)) {
        let names = [&b"a"[..], b"b", b"c", b"d"];
        let mut group = Group::default();
        let mut model: BTreeMap<Id, usize> = BTreeMap::new();
        for (kind, number, name) in edits {
            let id = Id::new(1, number);
            match kind {
                0 | 1 => {
                    let owner = group.add(names[name], 0).or_else(|| group.find(names[name])).unwrap();
                    group.assign(id, Pending { delivered_ms: 0, deliveries: 1, owner });
                    model.insert(id, name);
                }
                2 => prop_assert_eq!(group.acknowledge(id), model.remove(&id).is_some()),
                3 => {
                    let owned = model.values().filter(|owner| **owner == name).count();
                    let removed = group.remove(names[name]);
                    prop_assert_eq!(removed.unwrap_or(0), owned);
                    prop_assert_eq!(group.find(names[name]), None);
                    model.retain(|_, owner| *owner != name);
                }
                _ => {
                    let added = group.add(names[name], 0);
                    prop_assert_eq!(added.is_none() && group.find(names[name]).is_none(), false);
                }
            }
            prop_assert_eq!(group.pending_len(), model.len());
            for consumer in group.consumers() {
                let own: Vec<Id> = consumer.pending_from(Id::MIN).collect();
                let expected = model.iter().filter(|(_, owner)| names[**owner] == consumer.name());
                let expected: Vec<Id> = expected.map(|(id, _)| *id).collect();
                prop_assert_eq!(own, expected);
            }
        }
    }
}

fn filled(entries: u64, limits: Limits) -> Log {
    let mut log = Log::default();
    for n in 1..=entries {
        let value = n.to_string();
        log.append(
            Id::new(n, 0),
            [&b"field"[..], value.as_bytes()].into_iter(),
            limits,
        );
    }
    log
}

#[test]
fn a_huge_entry_leaves_no_room_of_its_size_behind() {
    let mut log = Log::default();
    let huge = vec![b'x'; 1 << 20];
    log.append(
        Id::new(1, 0),
        [&b"f"[..], &huge].into_iter(),
        Limits::default(),
    );
    log.append(
        Id::new(2, 0),
        [&b"f"[..], b"v"].into_iter(),
        Limits::default(),
    );
    assert!(log.delete(Id::new(1, 0)));
    assert!(log.memory() < 16 << 10, "{} bytes", log.memory());
}

#[test]
fn a_full_node_is_followed_by_another() {
    assert_eq!(filled(100, Limits::default()).nodes(), 1);
    assert_eq!(filled(101, Limits::default()).nodes(), 2);
    let unlimited = Limits {
        bytes: 0,
        entries: 0,
    };
    assert_eq!(filled(5000, unlimited).nodes(), 1);
    let bytes = Limits {
        bytes: 1000,
        entries: 0,
    };
    let log = filled(1000, bytes);
    assert!(
        log.nodes
            .iter()
            .all(|(_, node)| node.listpack_len() < 1000 + 5)
    );
    assert!(log.nodes() < 15, "{}", log.nodes());
}

#[test]
fn what_trimming_takes_out_is_handed_over_node_by_node() {
    let mut log = filled(1000, Limits::default());
    let trim = Trim {
        keep: Keep::Last(250),
        roughly: false,
        limit: 0,
    };
    let trimmed = log.trim(trim);
    assert_eq!((trimmed.count, trimmed.nodes.len()), (750, 7));
    assert_eq!(
        (log.len(), log.nodes(), log.first),
        (250, 3, Id::new(751, 0))
    );
    // Trimmed entries are not deleted ones.
    assert_eq!(log.max_deleted, Id::MIN);
}

#[test]
fn a_lag_is_known_until_an_entry_is_deleted_in_the_middle() {
    let mut log = filled(10, Limits::default());
    let mut group = Group::new(Id::MIN, None);
    assert_eq!(log.lag(&group), Some(10));
    log.deliver(Id::new(1, 0), &mut group);
    assert_eq!((group.read, log.lag(&group)), (Some(1), Some(9)));
    log.delete(Id::new(5, 0));
    assert_eq!(log.lag(&group), None);
    log.deliver(Id::new(2, 0), &mut group);
    assert_eq!((group.read, log.lag(&group)), (None, None));
    // At the end there is no doubt.
    log.deliver(Id::new(10, 0), &mut group);
    assert_eq!((group.read, log.lag(&group)), (Some(10), Some(0)));
}

#[test]
fn a_large_stream_is_freed_in_parts() {
    let mut stream = Stream {
        log: filled(100_000, Limits::default()),
        ..Stream::default()
    };
    let mut parts = 1;
    while stream.free_some() {
        parts += 1;
    }
    assert_eq!((parts, stream.log.nodes()), (4, 0));
}
