//! The set against one of std, in all its forms.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::rng::Rng;
use crate::value::pack::tests::text;

const LIMITS: Limits = Limits {
    ints: 8,
    entries: 6,
    value: 10,
};

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    let members: Vec<_> = set.iter().map(Item::to_vec).collect();
    let distinct: BTreeSet<_> = members.iter().cloned().collect();
    assert_eq!(distinct.len(), members.len(), "a member twice");
    distinct
}

proptest! {
    #[test]
    fn a_set_does_what_a_set_does(
        edits in prop::collection::vec((any::<bool>(), text()), 1..60),
        limits in prop_oneof![Just(LIMITS), Just(Limits::default())],
        seed in any::<u64>(),
    ) {
        let (mut set, mut model, mut rng) = (Set::default(), BTreeSet::new(), Rng::new(seed));
        for (add, text) in edits {
            if add || model.is_empty() {
                prop_assert_eq!(set.insert(&text, &limits), model.insert(text.clone()));
            } else {
                prop_assert_eq!(set.remove(&text), model.remove(&text));
                let mut popped = None;
                set.pop(|| rng.next(), |item| popped = Some(item.to_vec()));
                if let Some(popped) = popped {
                    prop_assert!(model.remove(&popped));
                }
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(&members(&set), &model);
            prop_assert_eq!(set.contains(&text), model.contains(&text));
            prop_assert_eq!(set.random(|| rng.next()).map(Item::to_vec).is_some_and(|member| model.contains(&member)), !model.is_empty());
            set.compact(&limits);
            prop_assert_eq!(&members(&set), &model);
            let mut scanned = BTreeSet::new();
            let mut cursor = 0;
            loop {
                cursor = set.scan(cursor, |item| {
                    scanned.insert(item.to_vec());
                });
                if cursor == 0 {
                    break;
                }
            }
            prop_assert_eq!(&scanned, &model);
        }
    }
}

fn set_of(members: &[&str], limits: &Limits) -> Set {
    let mut set = Set::default();
    for member in members {
        assert!(set.insert(member.as_bytes(), limits));
    }
    set
}

#[test]
fn a_set_takes_the_form_that_redis_gives_it() {
    let numbers: Vec<_> = (0..9).map(|n| n.to_string()).collect();
    let numbers: Vec<_> = numbers.iter().map(String::as_str).collect();
    for (members, limits, encoding) in [
        (&numbers[..8], LIMITS, "intset"),
        (&numbers[..9], LIMITS, "hashtable"),
        (&["1", "2", "x"], LIMITS, "listpack"),
        (&["1", "2", "3", "4", "5", "x"], LIMITS, "listpack"),
        (&["1", "2", "3", "4", "5", "6", "x"], LIMITS, "hashtable"),
        (&["1", "a", "2", "3", "4", "5", "x"], LIMITS, "hashtable"),
        (&["0123456789"], LIMITS, "listpack"),
        (&["0123456789a"], LIMITS, "hashtable"),
        (&["x", "0123456789a"], LIMITS, "hashtable"),
        (&["12345678901", "x"], LIMITS, "hashtable"),
    ] {
        assert_eq!(set_of(members, &limits).encoding(), encoding, "{members:?}");
    }
    let encoding =
        |first: &str, count| Set::for_members(first.as_bytes(), count, &LIMITS).encoding();
    assert_eq!(
        [
            encoding("1", 8),
            encoding("1", 9),
            encoding("x", 6),
            encoding("x", 7)
        ],
        ["intset", "hashtable", "listpack", "hashtable"]
    );
}

#[test]
fn integers_come_in_order_and_take_no_more_than_they_need() {
    let mut ints = IntSet::default();
    for number in [3, -1, 32_767, 2, 1] {
        assert!(ints.insert(number));
    }
    assert!(!ints.insert(3));
    assert!(ints.memory() <= 16);
    ints.insert(-32_769);
    ints.insert(i64::MAX);
    ints.insert(i64::MIN);
    assert_eq!(
        ints.iter().collect::<Vec<_>>(),
        [i64::MIN, -32_769, -1, 1, 2, 3, 32_767, i64::MAX]
    );
    assert!(ints.remove(i64::MIN) && !ints.remove(i64::MIN));
    assert!(ints.contains(i64::MAX) && !ints.contains(0));
}
