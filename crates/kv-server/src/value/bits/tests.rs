//! Bits against a vector of booleans.

use proptest::prelude::*;

use super::*;

fn spread(bytes: &[u8]) -> Vec<bool> {
    let bits = |byte: &u8| -> [bool; 8] { std::array::from_fn(|bit| byte >> (7 - bit) & 1 == 1) };
    bytes.iter().flat_map(bits).collect()
}

fn pressed(bits: &[bool]) -> Vec<u8> {
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    bits.chunks(8).map(byte).collect()
}

/// Random bytes, and such with long runs of zeros or ones.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let run = (prop_oneof![Just(0), Just(0xff)], 0..300_usize, any::<u8>());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(run, 0..4).prop_map(|runs| {
            let run = |(byte, len, last)| vec![byte; len].into_iter().chain([last]);
            runs.into_iter().flat_map(run).collect()
        }),
    ]
}

fn number(bits: &[bool], signed: bool) -> i64 {
    let start = if signed && bits[0] { -1 } else { 0 };
    bits.iter()
        .fold(start, |number: i64, &bit| number << 1 | i64::from(bit))
}

proptest! {
    #[test]
    fn ranges_are_counted_and_searched_like_a_vector(text in text(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let bits = spread(&text);
        let (from, to) = (from.index(bits.len() + 1), to.index(bits.len() + 1));
        let range = from as u64..to as u64;
        let part = bits.get(from..to).unwrap_or_default();
        prop_assert_eq!(count(&text), bits.iter().filter(|&&bit| bit).count() as u64);
        prop_assert_eq!(count_in(&text, range.clone()), part.iter().filter(|&&bit| bit).count() as u64);
        for on in [false, true] {
            let found = part.iter().position(|&bit| bit == on).map(|at| (from + at) as u64);
            prop_assert_eq!(position(&text, on, range.clone()), found);
        }
    }

    #[test]
    fn a_bit_is_read_and_written_like_one_of_a_vector(mut text in text(), at in any::<prop::sample::Index>(), on in any::<bool>()) {
        let mut bits = spread(&text);
        prop_assert!(!get(&text, bits.len() as u64));
        if !bits.is_empty() {
            let at = at.index(bits.len());
            prop_assert_eq!(get(&text, at as u64), bits[at]);
            prop_assert_eq!(set(&mut text[at / 8], at as u64, on), bits[at]);
            bits[at] = on;
            prop_assert_eq!(spread(&text), bits);
        }
    }

    #[test]
    fn strings_are_combined_bit_by_bit(texts in prop::collection::vec(text(), 1..4)) {
        let strings: Vec<_> = texts.iter().map(Vec::as_slice).collect();
        let all: Vec<_> = texts.iter().map(|text| spread(text)).collect();
        let len = all.iter().map(Vec::len).max().unwrap();
        let bit = |bits: &Vec<bool>, at: usize| bits.get(at).copied().unwrap_or(false);
        for (operation, expected) in [
            (Operation::And, (0..len).map(|at| all.iter().all(|bits| bit(bits, at))).collect::<Vec<_>>()),
            (Operation::Or, (0..len).map(|at| all.iter().any(|bits| bit(bits, at))).collect()),
            (Operation::Xor, (0..len).map(|at| all.iter().filter(|bits| bit(bits, at)).count() % 2 == 1).collect()),
        ] {
            prop_assert_eq!(combine(operation, &strings), pressed(&expected), "{:?}", operation);
        }
        let not: Vec<_> = all[0].iter().map(|bit| !bit).collect();
        prop_assert_eq!(combine(Operation::Not, &strings[..1]), pressed(&not));
    }

    #[test]
    fn fields_are_read_and_written_like_parts_of_a_vector(mut text in text(), at in 0..400_usize, signed in any::<bool>(), width in 1..=64_u8, value in any::<i64>()) {
        let Some(field) = Field::new(signed, width.into()) else {
            prop_assert!(width == 64 && !signed);
            return Ok(());
        };
        let width = usize::from(width);
        let mut bits = spread(&text);
        let len = bits.len();
        bits.resize(len.max(at + width), false);
        prop_assert_eq!(field.read(&text, at as u64), number(&bits[at..at + width], signed));
        if at + width <= len {
            field.write(&mut text, at as u64, value);
            for bit in 0..width {
                bits[at + bit] = value >> (width - 1 - bit) & 1 == 1;
            }
            prop_assert_eq!(&spread(&text), &bits);
        }
    }

    #[test]
    fn sums_wrap_saturate_or_fail(signed in any::<bool>(), width in 1..=64_i64, value in any::<i64>(), more in any::<i64>(), narrow in 0..64_u32) {
        let Some(field) = Field::new(signed, width) else {
            return Ok(());
        };
        let value = field.fit(value, Overflow::Wrap).unwrap();
        let more = more >> narrow;
        let (min, max) = if signed { (-(1_i128 << (width - 1)), (1_i128 << (width - 1)) - 1) } else { (0, (1_i128 << width) - 1) };
        prop_assert!((min..=max).contains(&i128::from(value)));
        let sum = i128::from(value) + i128::from(more);
        let wrapped = (sum - min).rem_euclid(max - min + 1) + min;
        prop_assert_eq!(field.add(value, more, Overflow::Wrap).map(i128::from), Some(wrapped));
        prop_assert_eq!(field.add(value, more, Overflow::Saturate).map(i128::from), Some(sum.clamp(min, max)));
        let exact = Some(sum).filter(|sum| (min..=max).contains(sum));
        prop_assert_eq!(field.add(value, more, Overflow::Fail).map(i128::from), exact);
    }
}

#[test]
fn a_negative_number_without_sign_is_a_large_one() {
    let field = Field::new(false, 8).unwrap();
    assert_eq!(field.fit(-1, Overflow::Wrap), Some(255));
    assert_eq!(field.fit(-256, Overflow::Wrap), Some(0));
    assert_eq!(field.fit(-256, Overflow::Saturate), Some(255));
    assert_eq!(field.fit(-1, Overflow::Fail), None);
}
