//! The hash against a map of std, in both forms.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;
use crate::value::pack::tests::text;

fn pairs(hash: &Hash) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let pairs: BTreeMap<_, _> = hash
        .iter()
        .map(|(field, value)| (field.to_vec(), value.to_vec()))
        .collect();
    assert_eq!(pairs.len(), hash.len(), "a field twice");
    pairs
}

proptest! {
    #[test]
    fn a_hash_does_what_a_map_does(
        edits in prop::collection::vec((any::<bool>(), text(), text()), 1..60),
        limits in prop_oneof![Just(Limits { entries: 5, value: 10 }), Just(Limits::default())],
        seed in any::<u64>(),
    ) {
        let (mut hash, mut model, mut rng) = (Hash::default(), BTreeMap::new(), Rng::new(seed));
        for (add, field, value) in edits {
            if add {
                hash.expect(1, [&field[..], &value].into_iter(), &limits);
                prop_assert_eq!(hash.set(&field, &value, &limits), model.insert(field.clone(), value).is_none());
            } else {
                prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some());
            }
            prop_assert_eq!(&pairs(&hash), &model);
            prop_assert_eq!(hash.contains(&field), model.contains_key(&field));
            prop_assert_eq!(hash.get(&field).map(Item::to_vec), model.get(&field).cloned());
            match hash.random(&mut || rng.next()) {
                Some((field, value)) => prop_assert_eq!(model.get(&field.to_vec()), Some(&value.to_vec())),
                None => prop_assert!(model.is_empty()),
            }
            let mut scanned = BTreeMap::new();
            let mut cursor = 0;
            loop {
                cursor = hash.scan(cursor, &mut |field, value| {
                    scanned.insert(field.to_vec(), value.to_vec());
                });
                if cursor == 0 {
                    break;
                }
            }
            prop_assert_eq!(&scanned, &model);
        }
    }
}

#[test]
fn a_hash_takes_the_form_that_redis_gives_it() {
    let limits = Limits {
        entries: 2,
        value: 4,
    };
    let hash_of = |pairs: &[(&str, &str)]| {
        let mut hash = Hash::default();
        for (field, value) in pairs {
            hash.expect(1, [field.as_bytes(), value.as_bytes()].into_iter(), &limits);
            hash.set(field.as_bytes(), value.as_bytes(), &limits);
        }
        hash.encoding()
    };
    assert_eq!(
        hash_of(&[("a", "1234"), ("b", "1"), ("b", "2")]),
        "listpack"
    );
    assert_eq!(hash_of(&[("a", "12345")]), "hashtable");
    assert_eq!(hash_of(&[("abcde", "1")]), "hashtable");
    assert_eq!(hash_of(&[("a", "1"), ("b", "1"), ("c", "1")]), "hashtable");
}

#[derive(Debug, Clone)]
enum Edit {
    Set(u8),
    SetKeeping(u8),
    Remove(u8),
    ExpireAt(u8, i64),
    Persist(u8),
    /// Time passes.
    Pass(i64),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => any::<u8>().prop_map(Edit::Set),
        2 => any::<u8>().prop_map(Edit::SetKeeping),
        2 => any::<u8>().prop_map(Edit::Remove),
        6 => (any::<u8>(), 0..100_i64).prop_map(|(field, after)| Edit::ExpireAt(field, after)),
        2 => any::<u8>().prop_map(Edit::Persist),
        1 => (0..30_i64).prop_map(Edit::Pass),
    ]
}

proptest! {
    #[test]
    fn fields_expire_as_those_of_a_map_with_times(
        edits in prop::collection::vec(edit(), 1..400),
        limits in prop_oneof![Just(Limits { entries: 5, value: 10 }), Just(Limits::default())],
    ) {
        let (mut hash, mut model, mut now) = (Hash::default(), BTreeMap::<Vec<u8>, (Vec<u8>, Option<i64>)>::new(), 1_000);
        for (n, edit) in edits.into_iter().enumerate() {
            let (name, value) = (|field: u8| format!("field:{field}").into_bytes(), n.to_string().into_bytes());
            match edit {
                Edit::Set(field) => {
                    hash.expect(1, [&name(field)[..], &value].into_iter(), &limits);
                    let is_new = model.insert(name(field), (value.clone(), None)).is_none();
                    prop_assert_eq!(hash.set(&name(field), &value, &limits), is_new);
                }
                Edit::SetKeeping(field) => {
                    hash.expect(1, [&name(field)[..], &value].into_iter(), &limits);
                    let at = model.get(&name(field)).and_then(|(_, at)| *at);
                    let is_new = model.insert(name(field), (value.clone(), at)).is_none();
                    prop_assert_eq!(hash.set_keeping_expiry(&name(field), &value, &limits), is_new);
                }
                Edit::Remove(field) => {
                    prop_assert_eq!(hash.remove(&name(field)), model.remove(&name(field)).is_some());
                }
                Edit::ExpireAt(field, after) => if let Some((_, at)) = model.get_mut(&name(field)) {
                    *at = Some(now + after);
                    hash.set_expire_at(&name(field), now + after);
                },
                Edit::Persist(field) => {
                    let at = model.get_mut(&name(field)).and_then(|(_, at)| at.take());
                    prop_assert_eq!(hash.persist(&name(field)), at.is_some());
                }
                Edit::Pass(ms) => {
                    now += ms;
                    let mut expired = Vec::new();
                    hash.expire(now, |field| expired.push(field.to_vec()));
                    let due = |(_, at): &(Vec<u8>, Option<i64>)| at.is_some_and(|at| at < now);
                    let mut expected: Vec<_> = model.iter().filter(|(_, value)| due(value)).map(|(field, _)| field.clone()).collect();
                    model.retain(|_, value| !due(value));
                    expired.sort();
                    expected.sort();
                    prop_assert_eq!(expired, expected);
                }
            }
            let first = model.values().filter_map(|(_, at)| *at).min();
            prop_assert_eq!(hash.first_expiry(), first);
            prop_assert!(hash.next_expiry() <= first.unwrap_or(i64::MAX));
            prop_assert_eq!(matches!(hash.form(), Form::Expiring(_)), first.is_some(), "only a hash with times pays for them");
            let all: BTreeMap<_, _> = hash.iter_with_expiry().map(|(field, value, at)| (field.to_vec(), (value.to_vec(), at))).collect();
            prop_assert_eq!(&all, &model);
            prop_assert_eq!(hash.len(), model.len());
        }
    }
}

#[test]
fn what_exceeds_the_budget_is_hidden_until_it_is_taken_out() {
    const FIELDS: usize = 5_000;
    let limits = Limits::default();
    let mut hash = Hash::default();
    let name = |n: usize| format!("field:{n}").into_bytes();
    for n in 0..FIELDS {
        hash.expect(n, std::iter::empty(), &limits);
        hash.set(&name(n), b"value", &limits);
        if n % 5 > 0 {
            hash.set_expire_at(&name(n), 10);
        }
    }
    let mut expired = 0;
    hash.expire(11, |_| expired += 1);
    assert!(
        (500..FIELDS * 4 / 5).contains(&expired),
        "{expired} at once"
    );
    assert_eq!((hash.len(), hash.iter().count()), (FIELDS / 5, FIELDS / 5));
    assert!(!hash.is_table(), "a random choice has to look at all");
    let mut rng = Rng::new(1);
    for n in 0..FIELDS {
        assert_eq!(hash.contains(&name(n)), n % 5 == 0, "{n}");
        assert_eq!(hash.get(&name(n)).is_some(), n % 5 == 0, "{n}");
        if n % 100 == 0 {
            let (field, _) = hash.random(&mut || rng.next()).unwrap();
            assert!(hash.contains(&field.to_vec()));
        }
    }
    let (mut cursor, mut scanned) = (0, 0);
    loop {
        cursor = hash.scan(cursor, &mut |_, _| scanned += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned, FIELDS / 5);
    // One that is hidden comes as a new one, and one that is removed was not there.
    let hidden: Vec<_> = (0..FIELDS).filter(|n| n % 5 > 0).map(name).collect();
    assert!(
        hidden
            .iter()
            .all(|field| !hash.remove(field) || field.is_empty())
    );
    assert_eq!(hash.len(), FIELDS / 5);
    while hash.next_expiry() < 11 {
        hash.expire(11, |_| expired += 1);
    }
    assert_eq!(hash.len(), FIELDS / 5);
    assert!(hash.set_keeping_expiry(&name(1), b"again", &limits));
    assert_eq!(hash.expire_at(&name(1)), None);
    assert_eq!(hash.encoding(), "hashtable");
}
