//! Eight bytes at a time, in a register: what most headers and many whole lines fit in.
//!
//! The first byte stands lowest.

/// The bytes of `buf` from `pos` on. Zeros stand for those behind the end; `None` if fewer than four are there.
#[inline(always)]
pub(crate) fn at(buf: &[u8], pos: usize) -> Option<u64> {
    let rest = buf.get(pos..)?;
    match rest.first_chunk() {
        Some(word) => Some(u64::from_le_bytes(*word)),
        None => few(rest),
    }
}

/// Four to seven bytes, as two halves that may overlap.
#[inline(never)]
fn few(bytes: &[u8]) -> Option<u64> {
    let half = |half: &[u8; 4]| u64::from(u32::from_le_bytes(*half));
    let ahead = bytes.len().checked_sub(4)?.wrapping_mul(8) & 63; // bits
    let (low, high) = (half(bytes.first_chunk()?), half(bytes.last_chunk()?));
    Some(low | high << ahead)
}

/// Where the first byte below 16 stands: the end of a line, or a control character.
#[inline(always)]
pub(crate) fn control(word: u64) -> Option<usize> {
    place(zeros(word & UPPER_HALVES))
}

/// Where the first `\r` or `\n` stands.
#[inline(always)]
pub(crate) fn line_end(word: u64) -> Option<usize> {
    place(zeros(word ^ CARRIAGE_RETURNS) | zeros(word ^ LINE_FEEDS))
}

/// The number on a line of one to six digits without zeros ahead, and how many those are.
#[inline(always)]
pub(crate) fn number(line: u64) -> Option<(usize, u64)> {
    let digits = line ^ ZEROS;
    let others = (digits.wrapping_add(0x76 * ONES) | digits) & TOP_BITS; // exact up to the first that is none
    let bits = (others.trailing_zeros() & !7) & 63; // of all digits; none at all count as eight
    let closed = (line >> bits) & 0xffff == CRLF;
    if closed && ((digits & 0xff).wrapping_sub(1) < 9 || line & 0xff_ffff == 0x0a_0d30) {
        let value = digits_value(digits << (bits.wrapping_neg() & 63));
        usize::try_from(bits / 8).ok().map(|count| (count, value))
    } else {
        None
    }
}

/// The value of the first `count` bytes, up to seven, all of which are digits but for the first, which may be a sign; then
/// `None`.
#[inline(always)]
pub(crate) fn digits(line: u64, count: u32) -> Option<i64> {
    let digits = line ^ ZEROS;
    if digits & 0xff > 9 {
        return None;
    }
    let missing = count.wrapping_mul(8).wrapping_neg() & 63; // bits
    i64::try_from(digits_value(digits << missing)).ok()
}

/// The value of eight digits, each of which is a byte from 0 to 9.
#[inline(always)]
fn digits_value(digits: u64) -> u64 {
    const FIRST_OF_FOUR: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let ahead = (pairs & FIRST_OF_FOUR).wrapping_mul(100 + (1_000_000 << 32));
    let behind = (pairs >> 16 & FIRST_OF_FOUR).wrapping_mul(1 + (10_000 << 32));
    ahead.wrapping_add(behind) >> 32
}

/// The type byte `kind`, `value` in decimal, and a line end, in the first bytes of sixteen; and how many those are.
#[inline]
pub(crate) fn number_line(kind: u8, value: u32) -> Option<(u128, usize)> {
    let digits = digits_of(value)?;
    let ahead = (digits.trailing_zeros() & !7).min(56); // bits of the zeros ahead, the last of which may be the number
    let text = (digits | ZEROS) >> ahead;
    let end = 72u32.wrapping_sub(ahead); // bits of the type byte and the digits
    let line = u128::from(kind) | u128::from(text) << 8 | u128::from(CRLF) << end;
    Some((line, usize::try_from(end / 8).ok()?.wrapping_add(2)))
}

/// The eight digits of `value`, each a byte from 0 to 9, if it has no more.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "no part exceeds its bits")]
fn digits_of(value: u32) -> Option<u64> {
    if value > 99_999_999 {
        return None;
    }
    let fours = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f; // of each four digits
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f; // of each two digits
    Some(tens | (twos - 10 * tens) << 8)
}

/// A line end, in the lowest two bytes.
pub(crate) const CRLF: u64 = 0x0a0d;
/// Eight times `0`.
const ZEROS: u64 = 0x30 * ONES;
const ONES: u64 = 0x0101_0101_0101_0101;
const CARRIAGE_RETURNS: u64 = 0x0d * ONES;
const LINE_FEEDS: u64 = 0x0a * ONES;
const UPPER_HALVES: u64 = 0xf0 * ONES;
const TOP_BITS: u64 = 0x80 * ONES;

/// The top bit of every zero byte. Above the lowest one there may be others that are not zero.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & TOP_BITS
}

/// The byte of the lowest bit.
#[inline(always)]
fn place(bits: u64) -> Option<usize> {
    if bits == 0 {
        None
    } else {
        usize::try_from(bits.trailing_zeros() / 8).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_what_is_there_and_zeros() {
        let bytes = b"abcdefghij";
        assert_eq!(at(bytes, 1), Some(u64::from_le_bytes(*b"bcdefghi")));
        assert_eq!(at(bytes, 3), Some(u64::from_le_bytes(*b"defghij\0")));
        assert_eq!(at(bytes, 6), Some(u64::from_le_bytes(*b"ghij\0\0\0\0")));
        assert_eq!(at(bytes, 7), None);
        assert_eq!(at(bytes, 11), None);
    }

    #[test]
    fn a_number_is_read_if_it_is_plain_and_its_line_is_there() {
        let read = |text: &[u8; 8]| number(u64::from_le_bytes(*text));
        for (text, expected) in [
            (b"0\r\n\0\0\0\0\0", Some((1, 0))),
            (b"9\r\n$1\r\n1", Some((1, 9))),
            (b"10\r\n1234", Some((2, 10))),
            (b"12345\r\nx", Some((5, 12345))),
            (b"123456\r\n", Some((6, 123_456))),
            (b"1234567\r", None),
            (b"12345678", None),
            (b"12\rx\r\n\0\0", None),
            (b"1x2\r\n\0\0\0", None),
            (b"01\r\n\0\0\0\0", None),
            (b"00\r\n\0\0\0\0", None),
            (b"\r\n\0\0\0\0\0\0", None),
            (b"-1\r\n\0\0\0\0", None),
            (b"1/\r\n\0\0\0\0", None),
            (b"1:\r\n\0\0\0\0", None),
            (b"1\xb0\r\n\0\0\0\0", None),
            (b"\xb11\r\n\0\0\0\0", None),
        ] {
            assert_eq!(
                read(text),
                expected,
                "{:?}",
                text.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn eight_digits_have_their_value() {
        for value in [0u64, 7, 10, 99, 12_345_678, 90_000_001, 99_999_999] {
            let text = format!("{value:08}");
            let word = u64::from_le_bytes(text.as_bytes().try_into().unwrap());
            assert_eq!(digits_value(word ^ ZEROS), value);
            assert_eq!(digits_of(u32::try_from(value).unwrap()), Some(word ^ ZEROS));
        }
        assert_eq!(digits_of(100_000_000), None);
    }

    #[test]
    fn a_line_has_the_digits_of_its_number() {
        let edges = (0..8).flat_map(|digits| [10u32.pow(digits), 10u32.pow(digits) - 1]);
        for value in edges.chain((0..100_000_000).step_by(9973)) {
            let (line, len) = number_line(b'$', value).unwrap();
            let text: Vec<u8> = line.to_le_bytes().into_iter().take(len).collect();
            assert_eq!(text, format!("${value}\r\n").as_bytes());
        }
    }
}
