//! The pack against a vector.

use proptest::prelude::*;

use super::*;

/// Texts on both sides of every limit of the encoding.
pub(crate) fn text() -> impl Strategy<Value = Vec<u8>> {
    let edge = (0..64_u32, -1..=1_i64)
        .prop_map(|(bit, off)| (1_i64 << bit).wrapping_add(off).to_string().into_bytes());
    let len = prop_oneof![0..20_usize, 60..70_usize, 120..140_usize, 4090..4100_usize];
    prop_oneof![
        4 => edge,
        2 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        4 => (-200..200_i64).prop_map(|number| number.to_string().into_bytes()),
        4 => "[a-c]{0,3}".prop_map(String::into_bytes),
        1 => len.prop_map(|len| vec![b'x'; len]),
        1 => Just(b"007".to_vec()),
    ]
}

#[derive(Debug, Clone)]
enum Edit {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    Insert(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    RemoveRange(usize, usize),
    RemoveEqual(usize, bool, usize),
    SplitAndAppend(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => text().prop_map(Edit::PushBack),
        3 => text().prop_map(Edit::PushFront),
        2 => (any::<usize>(), text()).prop_map(|(at, text)| Edit::Insert(at, text)),
        2 => (any::<usize>(), text()).prop_map(|(at, text)| Edit::Replace(at, text)),
        3 => (any::<usize>(), 0..4_usize).prop_map(|(at, count)| Edit::RemoveRange(at, count)),
        1 => (any::<usize>(), any::<bool>(), 0..3_usize).prop_map(|(at, back, max)| Edit::RemoveEqual(at, back, max)),
        1 => any::<usize>().prop_map(Edit::SplitAndAppend),
    ]
}

/// `model` after taking up to `max` equal elements from one side.
pub(crate) fn remove_equal(
    model: &mut Vec<Vec<u8>>,
    text: &[u8],
    from_back: bool,
    max: usize,
) -> usize {
    let mut removed = 0;
    while removed < max {
        let found = if from_back {
            model.iter().rposition(|element| element == text)
        } else {
            model.iter().position(|element| element == text)
        };
        let Some(at) = found else { break };
        model.remove(at);
        removed += 1;
    }
    removed
}

fn check(pack: &Pack, model: &[Vec<u8>]) {
    assert_eq!(pack.len(), model.len());
    assert_eq!(pack.is_empty(), model.is_empty());
    let forward: Vec<_> = pack.iter().map(Item::to_vec).collect();
    assert_eq!(forward, model);
    let mut at = pack.behind();
    for element in model.iter().rev() {
        at = pack.previous(at).unwrap();
        assert_eq!(&pack.at(at).to_vec(), element);
    }
    assert_eq!(pack.previous(at), None);
    for (index, element) in model.iter().enumerate() {
        assert_eq!(&pack.at(pack.nth(index).unwrap()).to_vec(), element);
        let first = model.iter().position(|other| other == element);
        assert_eq!(
            pack.find(pack.first(), element, 1),
            pack.nth(first.unwrap())
        );
    }
    assert_eq!(pack.nth(model.len()), None);
    assert_eq!(pack.find(pack.first(), b"not in there", 1), None);
    assert!(
        pack.memory() >= pack.bytes().len() && pack.memory() <= 48 + pack.bytes().len() * 5 / 2
    );
}

proptest! {
    #[test]
    fn a_pack_does_what_a_vector_does(edits in prop::collection::vec(edit(), 1..80)) {
        let (mut pack, mut model) = (Pack::default(), Vec::<Vec<u8>>::new());
        for edit in edits {
            let len = model.len();
            match edit {
                Edit::PushBack(text) => {
                    pack.push_back(&text);
                    model.push(text);
                }
                Edit::PushFront(text) => {
                    pack.push_front(&text);
                    model.insert(0, text);
                }
                Edit::Insert(at, text) => {
                    let index = at % (len + 1);
                    let at = pack.nth(index).unwrap_or_else(|| pack.behind());
                    let at = pack.insert(at, Item::of(&text));
                    prop_assert_eq!(pack.at(at).to_vec(), text.clone());
                    model.insert(index, text);
                }
                Edit::Replace(at, text) if len > 0 => {
                    let at_pack = pack.nth(at % len).unwrap();
                    let at_pack = pack.replace(at_pack, Item::of(&text));
                    prop_assert_eq!(pack.at(at_pack).to_vec(), text.clone());
                    model[at % len] = text;
                }
                Edit::Replace(..) => {}
                Edit::RemoveRange(at, count) => {
                    let from = at % (len + 1);
                    let taken = pack.remove_range(from, count);
                    prop_assert_eq!(taken, model.drain(from..len.min(from + count)).count());
                }
                Edit::RemoveEqual(at, back, max) => {
                    let text = model.get(at % (len + 1)).cloned().unwrap_or_default();
                    let taken = pack.remove_equal(&text, back, max);
                    prop_assert_eq!(taken, remove_equal(&mut model, &text, back, max));
                }
                Edit::SplitAndAppend(at) => {
                    let behind = pack.split_off(at % (len + 1));
                    check(&behind, &model[at % (len + 1)..]);
                    check(&pack, &model[..at % (len + 1)]);
                    pack.append(&behind);
                }
            }
            check(&pack, &model);
        }
    }

    #[test]
    fn any_bytes_come_back(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut pack = Pack::default();
        texts.iter().for_each(|text| pack.push_back(text));
        check(&pack, &texts);
    }
}

#[test]
fn elements_are_encoded_as_in_a_listpack() {
    for (text, bytes) in [
        (&b"0"[..], &b"\x00\x01"[..]),
        (b"127", b"\x7f\x01"),
        (b"128", b"\xc0\x80\x02"),
        (b"-1", b"\xdf\xff\x02"),
        (b"-4096", b"\xd0\x00\x02"),
        (b"4096", b"\xf1\x00\x10\x03"),
        (b"65535", b"\xf2\xff\xff\x00\x04"),
        (b"8388608", b"\xf3\x00\x00\x80\x00\x05"),
        (b"-2147483649", b"\xf4\xff\xff\xff\x7f\xff\xff\xff\xff\x09"),
        (b"", b"\x80\x01"),
        (b"ab", b"\x82ab\x03"),
        (b"01", b"\x8201\x03"),
    ] {
        let mut pack = Pack::default();
        pack.push_back(text);
        assert_eq!(pack.bytes(), bytes, "{}", String::from_utf8_lossy(text));
    }
    let mut pack = Pack::default();
    pack.push_back(&[b'x'; 64]);
    assert_eq!(
        (&pack.bytes()[..2], pack.bytes().len(), pack.bytes()[66]),
        (&b"\xe0\x40"[..], 67, 66)
    );
    pack.push_back(&[b'x'; 4096]);
    assert_eq!(pack.bytes()[67..72], *b"\xf0\x00\x10\x00\x00");
    assert_eq!(pack.bytes()[67 + 4101..], *b"\x20\x85");
}

#[test]
fn a_queue_in_a_pack_moves_little_and_does_not_grow() {
    let mut pack = Pack::default();
    (0..100).for_each(|n: u32| pack.push_back(format!("element {n}").as_bytes()));
    let before = pack.memory();
    for n in 100..10_000_u32 {
        pack.push_back(format!("element {n}").as_bytes());
        pack.remove(pack.first(), 1);
    }
    assert!(
        pack.memory() <= before * 3 / 2,
        "{} after {before}",
        pack.memory()
    );
}
