//! Any sequence of calls: against a hash map, under a scan, under expiry.

use std::collections::{BTreeSet, HashMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Action {
    Insert(u16, Option<u8>),
    /// As `Insert`, by position.
    Upsert(u16, Option<u8>),
    Remove(u16),
    Clock(u16, u32),
    /// Adds numbers from here.
    Fill(u16, u16),
    /// Removes numbers from here.
    Empty(u16, u16),
    Expire(u8, u8),
    Clear,
}

fn action() -> impl Strategy<Value = Action> {
    let expiry = || prop_oneof![3 => Just(None), 1 => any::<u8>().prop_map(Some)];
    prop_oneof![
        8 => (0..3_000_u16, expiry()).prop_map(|(n, at)| Action::Insert(n, at)),
        8 => (0..3_000_u16, expiry()).prop_map(|(n, at)| Action::Upsert(n, at)),
        8 => (0..3_000_u16).prop_map(Action::Remove),
        4 => (0..3_000_u16, any::<u32>()).prop_map(|(n, clock)| Action::Clock(n, clock)),
        4 => (0..3_000_u16, 0..3_000_u16).prop_map(|(n, count)| Action::Fill(n, count)),
        3 => (0..3_000_u16, 0..3_000_u16).prop_map(|(n, count)| Action::Empty(n, count)),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(now, budget)| Action::Expire(now, budget)),
        1 => Just(Action::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn does_what_a_hash_map_does(seed in any::<[u64; 2]>(), actions in prop::collection::vec(action(), 1..60)) {
        let mut table = Table::with_seed(Seed::new(seed[0], seed[1]));
        let mut model: HashMap<Vec<u8>, (Item, u32)> = HashMap::new();
        let mut cursor = ExpiryCursor::default();
        let item = |n: u16, at: Option<u8>| Item::new(n.to_le_bytes(), u64::from(n) + 1, at.map(i64::from));
        for action in actions {
            match action {
                Action::Insert(n, at) => {
                    let old = model.get(n.to_le_bytes().as_slice()).cloned();
                    let clock = old.as_ref().map_or(0, |old| old.1);
                    model.insert(n.to_le_bytes().into(), (item(n, at), clock));
                    prop_assert_eq!(table.insert(item(n, at)), old.map(|old| old.0));
                }
                Action::Upsert(n, at) => {
                    let key = n.to_le_bytes();
                    let hash = table.hash(&key);
                    let position = match table.find_hashed(hash, &key) {
                        Some(position) => {
                            *table.at_mut(position) = item(n, at);
                            if let Some(at) = at {
                                table.note_expiry(position, i64::from(at));
                            }
                            position
                        }
                        None => table.insert_unique(hash, item(n, at)),
                    };
                    prop_assert_eq!(table.at(position), &item(n, at));
                    model.entry(key.into()).or_default().0 = item(n, at);
                }
                Action::Remove(n) => {
                    let old = model.remove(n.to_le_bytes().as_slice()).map(|old| old.0);
                    prop_assert_eq!(table.remove(&n.to_le_bytes()), old);
                }
                Action::Clock(n, clock) => {
                    if let Some(position) = table.find(&n.to_le_bytes()) {
                        table.set_clock(position, clock);
                        model.get_mut(n.to_le_bytes().as_slice()).unwrap().1 = clock & 0xff_ffff;
                    }
                }
                Action::Fill(n, count) => for n in n..n + count {
                    let new = !model.contains_key(n.to_le_bytes().as_slice());
                    if new {
                        model.insert(n.to_le_bytes().into(), (item(n, None), 0));
                        prop_assert_eq!(table.insert(item(n, None)), None);
                    }
                },
                Action::Empty(n, count) => for n in n..n + count {
                    let old = model.remove(n.to_le_bytes().as_slice()).map(|old| old.0);
                    prop_assert_eq!(table.remove(&n.to_le_bytes()), old);
                },
                Action::Expire(now, budget) => {
                    let sweep = table.expired(now.into(), &mut cursor, budget.into(), |item| {
                        assert!(item.expire_at().unwrap() <= i64::from(now));
                        assert_eq!(model.remove(item.key()).unwrap().0, item);
                    });
                    if sweep.finished {
                        prop_assert!(model.values().all(|(item, _)| item.expire_at().is_none_or(|at| at > now.into())));
                    }
                }
                Action::Clear => {
                    prop_assert_eq!(table.clear().len(), model.len());
                    model.clear();
                }
            }
            prop_assert_eq!(table.entry_bytes(), table.iter().map(Item::memory).sum::<usize>());
            prop_assert_eq!(table.len(), model.len());
        }
        check(&table);
        prop_assert_eq!(table.iter().count(), model.len());
        for (key, (item, clock)) in &model {
            let position = table.find(key).expect("in the model");
            prop_assert_eq!(table.at(position), item);
            prop_assert_eq!(table.clock(position), *clock);
        }
    }

    #[test]
    fn a_scan_returns_whatever_stays_from_start_to_end_exactly_once(
        seed in any::<u64>(),
        staying in 1..2_000_u32,
        // How many entries come (or, below 0, go) after each step of the scan.
        changes in prop::collection::vec(-400..400_i32, 1..200),
        initial in 0..20_000_u32,
    ) {
        let mut table = Table::with_seed(Seed::new(seed, 1));
        for n in 0..staying {
            table.insert(Item::numbered(n));
        }
        let mut visitors: Vec<u32> = (0..initial).map(|n| 1_000_000 + n).collect();
        for n in &visitors {
            table.insert(Item::numbered(*n));
        }
        let mut next = 2_000_000;
        let mut seen = HashSet::new();
        let (mut cursor, mut steps) = (0, 0);
        loop {
            cursor = table.scan(cursor, |item| { assert!(seen.insert(item.number()), "{item:?} twice"); });
            if cursor == 0 {
                break;
            }
            let change = changes[steps % changes.len()];
            steps += 1;
            if change < 0 {
                for _ in change..0 {
                    let Some(n) = visitors.pop() else { break };
                    prop_assert!(table.remove(&n.to_le_bytes()).is_some());
                }
            } else if visitors.len() < 20_000 {
                for _ in 0..change {
                    visitors.push(next);
                    table.insert(Item::numbered(next));
                    next += 1;
                }
            }
            prop_assert!(steps < 100_000, "the scan does not end");
        }
        let missed: Vec<_> = (0..staying).filter(|n| !seen.contains(n)).collect();
        prop_assert!(missed.is_empty(), "missed {:?}", missed);
    }

    #[test]
    fn expiry_hands_over_all_that_is_due_once_and_nothing_else(
        expiries in prop::collection::vec(prop_oneof![Just(None), (0..1_000_i64).prop_map(Some)], 0..3_000),
        nows in prop::collection::vec(0..1_200_i64, 1..8),
        budget in 1..500_usize,
    ) {
        let mut table = Table::with_seed(SEED);
        for (n, at) in (0_u32..).zip(&expiries) {
            table.insert(Item::new(n.to_le_bytes(), 0, *at));
        }
        let (mut cursor, mut gone, mut latest) = (ExpiryCursor::default(), BTreeSet::new(), -1);
        for now in nows {
            latest = latest.max(now);
            let mut calls = 0;
            loop {
                let mut handed_over = 0;
                let sweep = table.expired(now, &mut cursor, budget, |item| {
                    assert!(item.expire_at().is_some_and(|at| at <= now), "{item:?} is not due at {now}");
                    assert!(gone.insert(item.number()), "{item:?} twice");
                    handed_over += 1;
                });
                prop_assert_eq!(sweep.removed, handed_over);
                calls += 1;
                // Two rounds do it, each bucket taking at least one look.
                prop_assert!(calls <= 2 * (expiries.len() + table.buckets()) / budget + 4, "{} calls", calls);
                if sweep.finished {
                    break;
                }
            }
            check(&table);
        }
        let due: BTreeSet<_> = (0_u32..).zip(&expiries).filter(|(_, at)| at.is_some_and(|at| at <= latest)).collect();
        prop_assert!(due.iter().map(|(n, _)| *n).eq(gone.iter().copied()));
        prop_assert_eq!(table.len(), expiries.len() - gone.len());
    }
}
