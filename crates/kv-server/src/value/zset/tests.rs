//! The sorted set against a sorted vector.

use proptest::prelude::*;

use super::*;
use crate::value::pack::tests::text;

/// Few entries in a pack, so that most sets get to be trees.
const SMALL: Limits = Limits {
    entries: 8,
    value: 64,
};

type Model = Vec<(Vec<u8>, f64)>;

#[derive(Debug, Clone)]
enum Edit {
    Insert(Vec<(Vec<u8>, f64)>),
    /// As many members as a tree of some levels needs, from a number on.
    Fill(u16, u16, f64),
    Remove(usize),
    RemoveRange(usize, usize),
    Drain(usize),
    Move(usize, f64),
    Compact,
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-4..4_i32).prop_map(f64::from),
        2 => any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => (0..1_000_i32).prop_map(|n| f64::from(n) / 8.0),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => prop::collection::vec((text(), score()), 1..30).prop_map(Edit::Insert),
        2 => (any::<u16>(), 1..700_u16, score()).prop_map(|(from, count, score)| Edit::Fill(from, count, score)),
        3 => any::<usize>().prop_map(Edit::Remove),
        2 => (any::<usize>(), 0..300_usize).prop_map(|(at, count)| Edit::RemoveRange(at, count)),
        1 => (0..20_usize).prop_map(Edit::Drain),
        3 => (any::<usize>(), score()).prop_map(|(at, score)| Edit::Move(at, score)),
        1 => Just(Edit::Compact),
    ]
}

/// What -0 is: the two zeros are one score, and a pack keeps the positive one.
fn plain(score: f64) -> f64 {
    if score == 0.0 { 0.0 } else { score }
}

fn sort(model: &mut Model) {
    model.sort_by(|one, two| one.1.total_cmp(&two.1).then_with(|| one.0.cmp(&two.0)));
}

fn set(model: &mut Model, member: &[u8], score: f64) -> bool {
    let found = model.iter_mut().find(|(other, _)| other == member);
    let is_new = found.is_none();
    match found {
        Some(entry) => entry.1 = score,
        None => model.push((member.to_vec(), score)),
    }
    is_new
}

fn apply(zset: &mut Zset, model: &mut Model, edit: Edit) {
    let len = model.len();
    match edit {
        Edit::Insert(entries) => {
            for (member, score) in entries {
                let score = plain(score);
                let is_new = zset.insert(&member, score, &SMALL);
                assert_eq!(is_new, set(model, &member, score));
            }
        }
        Edit::Fill(from, count, score) => {
            for n in from..from.saturating_add(count) {
                // In order, all the same, or scattered.
                let score = match from % 3 {
                    0 => f64::from(n),
                    1 => plain(score),
                    _ => f64::from(n.wrapping_mul(7919) % 1024),
                };
                let member = format!("member:{n:05}");
                let is_new = zset.insert(member.as_bytes(), score, &SMALL);
                assert_eq!(is_new, set(model, member.as_bytes(), score));
            }
        }
        Edit::Remove(at) if len > 0 => {
            let (member, _) = model.remove(at % len);
            assert!(zset.remove(&member));
            assert!(!zset.remove(&member));
        }
        Edit::Remove(_) => assert!(!zset.remove(b"nobody")),
        Edit::RemoveRange(at, count) => {
            let from = at % (len + 1);
            zset.remove_range(from, count);
            model.drain(from..len.min(from + count));
        }
        Edit::Drain(rest) => {
            zset.remove_range(rest, usize::MAX);
            model.truncate(rest);
        }
        Edit::Move(at, score) if len > 0 => {
            let (member, old) = model[at % len].clone();
            let mut seen = None;
            zset.update(&member, &SMALL, |now| {
                seen = now;
                Some(plain(score))
            });
            assert_eq!(seen, Some(old));
            model[at % len].1 = plain(score);
        }
        Edit::Move(..) => {}
        Edit::Compact => zset.compact(&SMALL),
    }
    sort(model);
}

fn owned((member, score): Scored<'_>) -> (Vec<u8>, f64) {
    (member.to_vec(), score)
}

fn check(zset: &Zset, model: &Model) {
    assert_eq!(zset.len(), model.len());
    let all: Model = zset.iter().map(owned).collect();
    assert_eq!(&all, model);
    if let Zset::Tree(tree) = zset {
        assert_eq!(tree.memory(), tree.memory_added_up());
    }
    let middle = model.len() / 2;
    let behind: Model = zset.iter_from(middle).map(owned).collect();
    assert_eq!(behind, model[middle..]);
    let mut before: Model = zset.iter_back_from(middle).map(owned).collect();
    before.reverse();
    assert_eq!(before, model[..middle]);
    for (rank, (member, score)) in model.iter().enumerate().step_by(model.len() / 40 + 1) {
        assert_eq!(zset.score(member), Some(*score));
        assert_eq!(zset.rank(member), Some((rank, *score)));
        let before = model.iter().filter(|entry| entry.1 < *score).count();
        assert_eq!(zset.count_before(Cut::BeforeScore(*score)), before);
        let upto = model.iter().filter(|entry| entry.1 <= *score).count();
        assert_eq!(zset.count_before(Cut::AfterScore(*score)), upto);
    }
    let (mut scanned, mut cursor) = (Model::new(), 0);
    loop {
        cursor = zset.scan(cursor, |entry| scanned.push(owned(entry)));
        if cursor == 0 {
            break;
        }
    }
    sort(&mut scanned);
    assert_eq!(&scanned, model);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_sorted_set_does_what_a_sorted_vector_does(edits in prop::collection::vec(edit(), 1..40)) {
        let (mut zset, mut model) = (Zset::default(), Model::new());
        for edit in edits {
            apply(&mut zset, &mut model, edit);
            check(&zset, &model);
        }
        check(&zset.clone(), &model);
    }

    #[test]
    fn places_by_member_are_those_of_a_sorted_vector(members in prop::collection::btree_set(text(), 0..40), wanted in text()) {
        for limits in [SMALL, Limits::default()] {
            let mut zset = Zset::default();
            for member in members.iter().rev() {
                zset.insert(member, 0.0, &limits);
            }
            let before = members.iter().filter(|member| **member < wanted).count();
            let upto = members.iter().filter(|member| **member <= wanted).count();
            assert_eq!(zset.count_before(Cut::BeforeMember(&wanted)), before);
            assert_eq!(zset.count_before(Cut::AfterMember(&wanted)), upto);
            assert_eq!(zset.count_before(Cut::Start), 0);
            assert_eq!(zset.count_before(Cut::End), members.len());
        }
    }
}

#[test]
fn what_members_leave_behind_is_used_or_given_back() {
    let mut zset = Zset::default();
    for n in 0..100_000_u32 {
        let n = n.wrapping_mul(0x9e37_79b1) >> 8;
        zset.insert(format!("{n}").as_bytes(), f64::from(n % 1_000), &SMALL);
    }
    let (len, full) = (zset.len(), zset.memory());
    let mut turn = 0_usize;
    while zset.len() > 1_000 {
        turn += 1;
        let rank = turn.wrapping_mul(0x9e37_79b9) % zset.len();
        zset.remove_range(rank, 1);
    }
    assert!(
        zset.memory() < full / 20,
        "{} bytes for 1,000 members, {full} for {len}",
        zset.memory()
    );
    let ranks: Vec<_> = zset
        .iter()
        .map(|(member, _)| zset.rank(&member.to_vec()).unwrap().0)
        .collect();
    assert_eq!(ranks, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn who_fills_a_set_in_order_leaves_no_gaps() {
    for descending in [false, true] {
        let mut tree = tree::Tree::default();
        for n in 0..100_000_u32 {
            let score = if descending {
                -f64::from(n)
            } else {
                f64::from(n)
            };
            let place = tree::Place {
                score,
                id: members::Id::of_number(n),
            };
            tree.insert(place, |other| other.score < score);
        }
        let bytes = tree.memory() as f64 / 100_000.0;
        assert!(
            bytes < 14.0,
            "{bytes} bytes an entry, of which 12 are unavoidable"
        );
    }
}
