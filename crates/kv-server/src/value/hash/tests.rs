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
            match hash.random(|| rng.next()) {
                Some((field, value)) => prop_assert_eq!(model.get(&field.to_vec()), Some(&value.to_vec())),
                None => prop_assert!(model.is_empty()),
            }
            let mut scanned = BTreeMap::new();
            let mut cursor = 0;
            loop {
                cursor = hash.scan(cursor, |field, value| {
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
