//! A small sorted set: a pack of members, each with its score behind it, in order.

use std::cmp::Ordering;

use resp_codec::number::{F64_LEN, format_f64};

use super::{Cut, Scored};
use crate::value::pack::{Item, Pack};

/// Room for a score that is no integer.
type ScoreText = [u8; F64_LEN];

/// A score as a pack holds it: an integer if it is one, else the shortest of its decimal form, of [`MARK`] with a single-precision
/// number, and of its own eight bytes.
fn encode(score: f64, text: &mut ScoreText) -> Item<'_> {
    /// Doubles beyond may be integers that an `i64` cannot hold, or print with an exponent; as in Redis.
    const MAX: f64 = (i64::MAX / 2) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    let number = score as i64;
    if score.abs() <= MAX && number as f64 == score {
        return Item::Int(number);
    }
    let len = format_f64(score, text).len();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "taken only if nothing is lost"
    )]
    let single = score as f32;
    if len > MARKED && f64::from(single) == score {
        text[0] = MARK;
        text[1..MARKED].copy_from_slice(&single.to_le_bytes());
        return Item::Text(&text[..MARKED]);
    }
    if len < RAW {
        return Item::Text(&text[..len]);
    }
    text[..RAW].copy_from_slice(&score.to_le_bytes());
    Item::Text(&text[..RAW])
}

fn decode(item: Item<'_>) -> f64 {
    match item {
        Item::Int(number) => number as f64,
        Item::Text(&[MARK, a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).into(),
        Item::Text(text) => match text.try_into() {
            Ok(bytes) => f64::from_le_bytes(bytes),
            Err(_) => std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        },
    }
}

/// Bytes of a double; no decimal form in a pack has as many.
const RAW: usize = 8;
/// In front of a single-precision number; no decimal form begins with it.
const MARK: u8 = 0;
/// Bytes of the two.
const MARKED: usize = 5;

/// Compares a member, in bytes.
fn compare(member: Item<'_>, text: &[u8]) -> Ordering {
    member.bytes(&mut Default::default()).cmp(text)
}

/// Whether an entry comes before a cut.
fn is_before((member, score): Scored<'_>, cut: Cut<'_>) -> bool {
    match cut {
        Cut::Start => false,
        Cut::BeforeScore(edge) => score < edge,
        Cut::AfterScore(edge) => score <= edge,
        Cut::BeforeMember(text) => compare(member, text).is_lt(),
        Cut::AfterMember(text) => compare(member, text).is_le(),
        Cut::End => true,
    }
}

/// Where a member is, and its score.
pub(super) fn find(pack: &Pack, member: &[u8]) -> Option<(usize, f64)> {
    let at = pack.find(pack.first(), member, 2)?;
    let score = pack.next(at)?;
    Some((at, decode(pack.at(score))))
}

/// The entries in order.
pub(super) fn iter(pack: &Pack) -> impl Iterator<Item = Scored<'_>> {
    iter_at(pack, pack.first())
}

fn iter_at(pack: &Pack, at: usize) -> impl Iterator<Item = Scored<'_>> {
    let mut items = pack.iter_from(at);
    std::iter::from_fn(move || Some((items.next()?, decode(items.next()?))))
}

/// The entries from number `rank` on.
pub(super) fn iter_from(pack: &Pack, rank: usize) -> impl Iterator<Item = Scored<'_>> {
    iter_at(pack, pack.nth(2 * rank).unwrap_or_else(|| pack.behind()))
}

/// The entries before number `rank`, the last one first.
pub(super) fn iter_back_from(pack: &Pack, rank: usize) -> impl Iterator<Item = Scored<'_>> {
    let mut at = pack.nth(2 * rank).unwrap_or_else(|| pack.behind());
    std::iter::from_fn(move || {
        let score = pack.previous(at)?;
        at = pack.previous(score)?;
        Some((pack.at(at), decode(pack.at(score))))
    })
}

/// How many entries are before a member's place.
pub(super) fn rank_of(pack: &Pack, member: &[u8]) -> Option<(usize, f64)> {
    let (at, score) = find(pack, member)?;
    let (mut rank, mut place) = (0, pack.first());
    while place < at {
        place = pack.next(pack.next(place)?)?;
        rank += 1;
    }
    Some((rank, score))
}

/// How many entries are before a cut.
pub(super) fn count_before(pack: &Pack, cut: Cut<'_>) -> usize {
    match cut {
        Cut::End => pack.len() / 2,
        _ => iter(pack)
            .take_while(|&entry| is_before(entry, cut))
            .count(),
    }
}

/// Adds a member that is not there.
pub(super) fn insert(pack: &mut Pack, member: &[u8], score: f64) {
    let at = place_for(pack, member, score);
    let mut text = [0; F64_LEN];
    let at = pack.insert(at, Item::of(member));
    let behind = pack.next(at).unwrap_or_else(|| pack.behind());
    pack.insert(behind, encode(score, &mut text));
}

/// Where a member with this score belongs.
fn place_for(pack: &Pack, member: &[u8], score: f64) -> usize {
    let is_before = |(other, other_score): Scored<'_>| {
        other_score < score || other_score == score && compare(other, member).is_lt()
    };
    // Many sets are filled in order.
    if iter_back_from(pack, pack.len() / 2)
        .next()
        .is_none_or(is_before)
    {
        return pack.behind();
    }
    let mut at = pack.first();
    for entry in iter(pack) {
        if !is_before(entry) {
            break;
        }
        let score = pack.next(at).unwrap_or_else(|| pack.behind());
        at = pack.next(score).unwrap_or_else(|| pack.behind());
    }
    at
}

/// Gives the member at a place another score.
pub(super) fn set_score(pack: &mut Pack, at: usize, score: f64) {
    let member = pack.at(at).to_vec();
    pack.remove(at, 2);
    insert(pack, &member, score);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_come_back_as_they_went_in() {
        for score in [
            0.0,
            1.0,
            -3.0,
            0.1,
            1.5,
            -2.25,
            1e300,
            f64::MAX,
            f64::MIN_POSITIVE,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e17,
            9.3e18,
            1.0 / 3.0,
            1234.567,
            12345.678,
            123456.5,
            -1e-20,
            0.099_999_994,
            -1234.56,
            5e-324,
        ] {
            let mut text = [0; F64_LEN];
            let item = encode(score, &mut text);
            assert_eq!(decode(item).to_bits(), score.to_bits(), "{score}");
            let text = format_f64(score, &mut [0; F64_LEN]).len();
            assert!(item.len() <= text.max(RAW), "{score}");
        }
        assert_eq!(
            encode(-0.0, &mut [0; F64_LEN]).integer(),
            Some(0),
            "as in Redis"
        );
    }
}
