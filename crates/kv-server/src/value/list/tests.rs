//! The list against a vector, with packs small enough for a tree of some levels.

use proptest::prelude::*;

use super::*;
use crate::value::pack::tests::{remove_equal, text};

#[derive(Debug, Clone)]
enum Edit {
    Push(End, Vec<Vec<u8>>),
    Pop(End),
    Set(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    RemoveEqual(usize, End, usize),
    Shrink,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Left), Just(End::Right)]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => (end(), prop::collection::vec(text(), 1..40)).prop_map(|(end, texts)| Edit::Push(end, texts)),
        3 => end().prop_map(Edit::Pop),
        3 => (any::<usize>(), text()).prop_map(|(at, text)| Edit::Set(at, text)),
        3 => (any::<usize>(), text()).prop_map(|(at, text)| Edit::Insert(at, text)),
        2 => (any::<usize>(), 0..60_usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        2 => (any::<usize>(), end(), 0..5_usize).prop_map(|(at, end, max)| Edit::RemoveEqual(at, end, max)),
        1 => Just(Edit::Shrink),
    ]
}

fn check(list: &List, model: &[Vec<u8>]) {
    assert_eq!(list.len(), model.len());
    let all: Vec<_> = list.iter().map(Item::to_vec).collect();
    assert_eq!(all, model);
    let middle = model.len() / 2;
    let back: Vec<_> = list.iter_back_from(middle).map(Item::to_vec).collect();
    let expected: Vec<_> = model.iter().take(middle + 1).rev().cloned().collect();
    assert_eq!(back, expected);
    for (index, element) in model.iter().enumerate() {
        assert_eq!(list.get(index).map(Item::to_vec).as_ref(), Some(element));
    }
    assert!(list.get(model.len()).is_none());
    if let List::Tree(tree) = list {
        assert_eq!(tree.memory(), tree.memory_added_up());
    }
}

/// One edit of both.
fn apply(list: &mut List, model: &mut Vec<Vec<u8>>, edit: Edit, limits: Limits) {
    let len = model.len();
    match edit {
        Edit::Push(end, texts) => {
            list.expect(texts.len(), texts.iter().map(Vec::len).sum(), limits);
            for text in texts {
                list.push(end, &text, limits);
                model.insert(if end == End::Left { 0 } else { model.len() }, text);
            }
        }
        Edit::Pop(end) => {
            let mut popped = None;
            list.pop(end, limits, |item| popped = Some(item.to_vec()));
            let expected = match end {
                End::Left if len > 0 => Some(model.remove(0)),
                _ => model.pop(),
            };
            assert_eq!(popped, expected);
        }
        Edit::Set(at, text) if len > 0 => {
            list.expect(1, text.len(), limits);
            list.set(at % len, &text, limits);
            model[at % len] = text;
        }
        Edit::Set(..) => {}
        Edit::Insert(at, text) => {
            list.expect(1, text.len(), limits);
            list.insert(at % (len + 1), &text, limits);
            model.insert(at % (len + 1), text);
        }
        Edit::Remove(at, count) => {
            let from = at % (len + 1);
            list.remove(from, count, limits);
            model.drain(from..len.min(from + count));
        }
        Edit::RemoveEqual(at, end, max) => {
            let text = model.get(at % (len + 1)).cloned().unwrap_or_default();
            let taken = list.remove_equal(&text, end, max, limits);
            assert_eq!(taken, remove_equal(model, &text, end == End::Right, max));
        }
        Edit::Shrink => list.shrink(limits),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_list_does_what_a_vector_does(
        fill in prop_oneof![1..4_i32, Just(-1), Just(-2)],
        depth in prop_oneof![2 => Just(0), 1 => 1..4_usize],
        alone in prop_oneof![2 => Just(1 << 30), 1 => 1..80_usize],
        edits in prop::collection::vec(edit(), 1..60),
    ) {
        let (mut list, mut model) = (List::default(), Vec::new());
        let limits = Limits { size: fill, depth, alone };
        for edit in edits {
            apply(&mut list, &mut model, edit, limits);
            check(&list, &model);
            if let List::Tree(tree) = &list {
                let inner = tree.packs().count.saturating_sub(2 * depth);
                let most = if depth > 0 { inner } else { 0 };
                prop_assert!(tree.squeezed() <= most);
            }
            if depth == 2 {
                list.close(0..model.len());
            }
        }
    }
}

#[test]
fn a_tree_of_three_levels_finds_every_element() {
    let limits = Limits::new(1);
    let mut list = List::default();
    list.expect(10_000, 50_000, limits);
    for n in 0..5_000_u32 {
        list.push(End::Right, n.to_string().as_bytes(), limits);
    }
    for n in 1..=5_000_i32 {
        list.push(End::Left, (-n).to_string().as_bytes(), limits);
    }
    for index in 0..10_000 {
        let number = i64::try_from(index).unwrap() - 5_000;
        assert_eq!(list.get(index).unwrap().integer(), Some(number));
    }
    list.remove(1, 9_998, limits);
    let left: Vec<_> = list.iter().map(|item| item.integer().unwrap()).collect();
    assert_eq!(left, [-5_000, 4_999]);
    assert!(
        list.memory() < 8_000,
        "{} bytes for two elements",
        list.memory()
    );
}

#[test]
fn a_list_leaves_the_compact_form_above_its_limit_and_returns_at_half_of_it() {
    let mut list = List::default();
    let text = [b'x'; 100];
    for _ in 0..78 {
        list.expect(1, 100, Limits::new(-2));
        list.push(End::Right, &text, Limits::new(-2));
    }
    assert_eq!(
        (list.len(), list.encoding()),
        (78, "listpack"),
        "7 + 78 * 103 bytes"
    );
    list.expect(1, 179, Limits::new(-2));
    assert_eq!(list.encoding(), "quicklist", "8041 + 179 bytes");
    list.remove(0, 38, Limits::new(-2));
    list.shrink(Limits::new(-2));
    assert_eq!(
        list.encoding(),
        "quicklist",
        "40 * 103 + 7 bytes are above 4096"
    );
    list.remove(0, 1, Limits::new(-2));
    list.shrink(Limits::new(-2));
    assert_eq!(list.encoding(), "listpack");
    list.expect(90, 90, Limits::new(128));
    assert_eq!(list.encoding(), "quicklist", "39 + 90 elements");
}

#[test]
fn a_long_element_shares_its_pack_with_no_other() {
    let limits = Limits {
        alone: 10,
        ..Limits::default()
    };
    let mut list = List::Tree(Box::default());
    for text in ["a", "b", "a long element", "c", "d"] {
        list.push(End::Right, text.as_bytes(), limits);
    }
    list.push(End::Left, b"another long one", limits);
    list.insert(2, b"between", limits);
    let packs = |list: &List| match list {
        List::Tree(tree) => tree.packs().count,
        List::Pack(_) => panic!("no tree"),
    };
    assert_eq!(packs(&list), 4);
    list.set(3, b"long instead of short", limits);
    assert_eq!(packs(&list), 5);
    list.remove(0, 1, limits);
    let left: Vec<_> = list.iter().map(Item::to_vec).collect();
    let expected = [
        "a",
        "between",
        "long instead of short",
        "a long element",
        "c",
        "d",
    ];
    assert_eq!(left, expected.map(|text| text.as_bytes().to_vec()));
}

#[test]
fn inner_packs_are_compressed_and_the_ends_are_not() {
    let limits = Limits {
        depth: 2,
        ..Limits::default()
    };
    let text = |n: usize| format!("{n:05} {}", "text ".repeat(60)).into_bytes();
    let check = |list: &List, from: usize| {
        for (index, n) in (from..1000).enumerate().step_by(7) {
            assert_eq!(list.get(index).unwrap().to_vec(), text(n), "{index}");
        }
    };
    let state = |list: &List| match list {
        List::Tree(tree) => (tree.packs().count, tree.squeezed()),
        List::Pack(_) => panic!("no tree"),
    };
    let mut list = List::default();
    for n in 0..1000 {
        list.expect(1, 306, limits);
        list.push(End::Right, &text(n), limits);
    }
    let (packs, squeezed) = state(&list);
    assert!(packs > 30, "{packs}");
    assert_eq!(squeezed, packs - 4);
    let memory = list.memory();
    assert!(memory < 1000 * 306 / 4, "{memory}");
    check(&list, 0);
    let copy = list.clone();
    list.close(0..list.len());
    assert_eq!(list.memory(), memory);
    // In the middle, at the ends, and over all of them.
    list.set(500, b"another", limits);
    assert_eq!(state(&list), (packs, squeezed));
    list.set(500, &text(500), limits);
    for n in 0..700 {
        assert!(list.pop(End::Left, limits, |item| assert_eq!(item.to_vec(), text(n))));
    }
    check(&list, 700);
    let (packs, squeezed) = state(&list);
    assert_eq!(squeezed, packs - 4);
    check(&copy, 0);
    let mut all = 0;
    copy.for_each(|item| {
        assert_eq!(item.to_vec(), text(all));
        all += 1;
    });
    assert_eq!(all, 1000);
    // Without compression, what is edited becomes plain, and the rest stays readable.
    let plain = Limits::default();
    list.set(150, &text(850), plain);
    assert_eq!(state(&list).1, squeezed - 1);
    check(&list, 700);
    list.remove(1, 298, plain);
    assert_eq!(list.len(), 2);
    assert_eq!(list.get(1).unwrap().to_vec(), text(999));
}
