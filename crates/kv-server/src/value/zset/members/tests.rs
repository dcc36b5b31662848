//! The store of members against a map.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Edit {
    Insert(u16),
    /// In the order in which they came, or in the opposite one.
    Remove(u16, bool),
    Scatter(u16),
    Tighten,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => (1..1_500_u16).prop_map(Edit::Insert),
        2 => (1..1_500_u16, any::<bool>()).prop_map(|(count, newest)| Edit::Remove(count, newest)),
        2 => (1..1_500_u16).prop_map(Edit::Scatter),
        1 => Just(Edit::Tighten),
    ]
}

/// Who has which id, by the number in its text.
type Model = HashMap<u32, Id>;

fn text(number: u32) -> Vec<u8> {
    // Some are stored inside of their record.
    format!("member:{number:0width$}", width = (number % 30) as usize).into_bytes()
}

fn number(text: &[u8]) -> u32 {
    let digits = text.strip_prefix(b"member:").unwrap();
    std::str::from_utf8(digits).unwrap().parse().unwrap()
}

fn tighten(members: &mut Members, model: &mut Model) {
    while let Some((last, to)) = members.loose() {
        let number = number(members.text(last));
        assert_eq!(model.insert(number, to), Some(last));
        members.relocate(last, to);
    }
    let most = members.len * 2 + 2 * CHUNK;
    assert!(members.room <= most, "{} for {}", members.room, members.len);
}

fn check(members: &Members, model: &Model) {
    assert_eq!(members.len, model.len());
    for (&number, &id) in model {
        assert_eq!(members.text(id), text(number));
        assert_eq!(members.score(id).to_bits(), f64::from(number).to_bits());
    }
    assert_eq!(members.memory(), members.memory_added_up());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn members_keep_their_ids_until_they_move(edits in prop::collection::vec(edit(), 1..20)) {
        let (mut members, mut model, mut next) = (Members::default(), Model::new(), 0);
        for edit in edits {
            match edit {
                Edit::Insert(count) => {
                    for _ in 0..count {
                        let id = members.insert(&text(next), f64::from(next));
                        model.insert(next, id);
                        next += 1;
                    }
                }
                Edit::Remove(count, newest) => {
                    let mut numbers: Vec<u32> = model.keys().copied().collect();
                    numbers.sort_unstable();
                    if newest {
                        numbers.reverse();
                    }
                    numbers.truncate(count.into());
                    numbers.iter().for_each(|number| members.remove(model.remove(number).unwrap()));
                }
                Edit::Scatter(count) => {
                    let mut numbers: Vec<u32> = model.keys().copied().collect();
                    numbers.sort_unstable_by_key(|number| number.wrapping_mul(0x9e37_79b1));
                    numbers.truncate(count.into());
                    numbers.iter().for_each(|number| members.remove(model.remove(number).unwrap()));
                }
                Edit::Tighten => tighten(&mut members, &mut model),
            }
            check(&members, &model);
        }
        check(&members.clone(), &model);
    }
}

#[test]
fn members_that_leave_in_the_order_in_which_they_came_leave_nothing_to_move() {
    let mut members = Members::default();
    let mut ids: std::collections::VecDeque<Id> = (0..20_000)
        .map(|number| members.insert(&text(number), 0.0))
        .collect();
    while ids.len() > 1_000 {
        members.remove(ids.pop_front().unwrap());
        assert!(members.loose().is_none(), "{} are left", ids.len());
    }
    assert!(members.room <= 1_000 + 2 * CHUNK, "{}", members.room);
    // What was given back is used again.
    let chunks = members.chunks.len();
    ids.extend((0..19_000).map(|number| members.insert(&text(number), 0.0)));
    assert_eq!(members.chunks.len(), chunks);
    ids.drain(..).for_each(|id| members.remove(id));
    assert_eq!((members.room, members.chunks.len()), (0, 0));
}
