//! Lines and the lengths that stand on them.

use crate::tape::{Entry, Kind, Tag, narrow};

/// How a line ends in the bytes that are there.
pub(crate) enum Line {
    /// `\r\n` begins here.
    Ends(usize),
    /// Not yet; everything before this place has been searched.
    Partial(usize),
    /// A `\r` without `\n`, or a `\n` without `\r`, stands here.
    Broken(usize),
}

/// Searches `buf` for the end of a line, beginning at `from`.
#[inline(always)]
pub(crate) fn find(buf: &[u8], from: usize) -> Line {
    let near = buf
        .get(from..)
        .and_then(|rest| rest.first_chunk())
        .and_then(|word| line_end_in(*word));
    match near {
        Some(ahead) => ends_at(buf, from.wrapping_add(ahead)), // inside `buf`
        None => find_far(buf, from),
    }
}

#[inline(never)]
fn find_far(buf: &[u8], from: usize) -> Line {
    let rest = buf.get(from..).unwrap_or_default();
    let mut words = rest.chunks_exact(8);
    let mut offset = from;
    for word in &mut words {
        if let Some(ahead) = word.try_into().ok().and_then(line_end_in) {
            return ends_at(buf, offset.saturating_add(ahead));
        }
        offset = offset.saturating_add(8);
    }
    match words
        .remainder()
        .iter()
        .position(|&byte| byte == b'\r' || byte == b'\n')
    {
        Some(ahead) => ends_at(buf, offset.saturating_add(ahead)),
        None => Line::Partial(buf.len()),
    }
}

/// What the `\r` or `\n` at `at` means.
#[inline]
fn ends_at(buf: &[u8], at: usize) -> Line {
    match buf.get(at..) {
        Some([b'\r', b'\n', ..]) => Line::Ends(at),
        Some([b'\r']) => Line::Partial(at),
        _ => Line::Broken(at),
    }
}

/// Where the first `\r` or `\n` of eight bytes stands.
#[inline]
fn line_end_in(word: [u8; 8]) -> Option<usize> {
    let word = u64::from_le_bytes(word);
    let hits = zeros(word ^ CR) | zeros(word ^ LF);
    if hits == 0 {
        None
    } else {
        usize::try_from(hits.trailing_zeros() / 8).ok()
    }
}

const CR: u64 = 0x0d0d_0d0d_0d0d_0d0d;
const LF: u64 = 0x0a0a_0a0a_0a0a_0a0a;

/// The top bit of every zero byte. Above the lowest one there may be others that are not zero.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
}

/// The length of the plain integer that `line` begins with, and what follows its line.
///
/// Only the plain case, at most 18 digits with an optional minus sign; for all others the caller looks at the line.
#[inline]
fn integer(line: &[u8]) -> Option<(usize, &[u8])> {
    let digits = match line {
        [b'0', b'\r', b'\n', rest @ ..] => return Some((1, rest)),
        [b'-', digits @ ..] => digits,
        digits => digits,
    };
    let [b'1'..=b'9', more @ ..] = digits else {
        return None;
    };
    let more = more
        .iter()
        .take(18)
        .position(|byte| !byte.is_ascii_digit())?;
    let [b'\r', b'\n', rest @ ..] = digits.get(more.wrapping_add(1)..)? else {
        return None;
    };
    Some((line.len().wrapping_sub(rest.len()).wrapping_sub(2), rest)) // `rest` is an end of `line`
}

/// The plain value that `buf` begins with, as the first entry of a tape, and what follows it.
///
/// Only a line that is not long, an integer, a bulk string or null, whole and without fault: the usual reply or element,
/// ahead of the general path.
#[inline(always)]
pub(crate) fn single(buf: &[u8], bulk_limit: usize) -> Option<(Entry, &[u8])> {
    let (kind, header, len, rest) = match buf {
        [b'$', b'-', b'1', b'\r', b'\n', rest @ ..] => (Kind::Null, 5, 0, rest),
        [b'$', ..] => {
            let (header, len, rest) = bulk(buf, bulk_limit)?;
            (Kind::BulkString, header, len, rest)
        }
        [b':', line @ ..] => {
            let (len, rest) = integer(line)?;
            (Kind::Integer, 1, len, rest)
        }
        [b'+', line @ ..] => {
            let (len, rest) = words(line)?;
            (Kind::SimpleString, 1, len, rest)
        }
        [b'-', line @ ..] => {
            let (len, rest) = words(line)?;
            (Kind::Error, 1, len, rest)
        }
        [b'_', b'\r', b'\n', rest @ ..] => (Kind::Null, 3, 0, rest),
        _ => return None,
    };
    let tag = Tag::Plain(kind);
    Some((
        Entry {
            tag,
            header,
            start: u32::from(header),
            len: narrow(len),
            next: 1,
        },
        rest,
    ))
}

/// The length of a line of text that ends within [`LOOKAHEAD`], and what follows it.
#[inline(always)]
fn words(line: &[u8]) -> Option<(usize, &[u8])> {
    let len = match line_end_in(*line.first_chunk()?) {
        Some(len) => len,
        None => longer(line)?,
    };
    if let [b'\r', b'\n', rest @ ..] = line.get(len..)? {
        Some((len, rest))
    } else {
        None
    }
}

#[inline(never)]
fn longer(line: &[u8]) -> Option<usize> {
    let mut offset = 8usize;
    for word in line.get(8..LOOKAHEAD)?.chunks_exact(8) {
        if let Some(ahead) = word.try_into().ok().and_then(line_end_in) {
            return offset.checked_add(ahead);
        }
        offset = offset.checked_add(8)?;
    }
    None
}

/// How far ahead of the general path a line may be searched. Below the smallest limit of a line.
const LOOKAHEAD: usize = 24;

/// The plain bulk string at the start of `bytes`: the size of its header, its length, and what follows it.
///
/// `None` if it is anything else, not whole, or longer than `limit`.
#[inline]
pub(crate) fn bulk(bytes: &[u8], limit: usize) -> Option<(u8, usize, &[u8])> {
    let [b'$', header @ ..] = bytes else {
        return None;
    };
    let (len, taken, body) = length(header)?;
    if len > limit {
        return None;
    }
    let [b'\r', b'\n', next @ ..] = body.get(len..)? else {
        return None;
    };
    Some((taken, len, next))
}

/// Where the plain bulk string at `pos` has its body, if that has at most 99 bytes.
///
/// `None` if it is anything else, not whole, longer than `limit`, or among the last few bytes of `buf`.
#[inline(always)]
pub(crate) fn short_bulk(buf: &[u8], pos: usize, limit: usize) -> Option<(usize, usize)> {
    /// `$`, a digit, `\r\n`; and the bits that tell them.
    const ONE: u64 = 0x0a0d_0024;
    const ONE_MASK: u64 = 0xffff_00ff;
    /// `$`, two digits, `\r\n`.
    const TWO: u64 = 0x0a_0d00_0024;
    const TWO_MASK: u64 = 0xff_ff00_00ff;
    let word = u64::from_le_bytes(*buf.get(pos..)?.first_chunk()?);
    let digit = |shift: u32| (word >> shift & 0xff).wrapping_sub(u64::from(b'0'));
    let (header, len) = if word & ONE_MASK == ONE {
        (4, digit(8))
    } else if word & TWO_MASK == TWO && digit(8).wrapping_sub(1) < 9 {
        (5, digit(8).wrapping_mul(10).wrapping_add(digit(16)))
    } else {
        return None;
    };
    let last = if header == 4 { digit(8) } else { digit(16) };
    let len = usize::try_from(len).ok()?;
    if last > 9 || len > limit {
        return None;
    }
    let start = pos.wrapping_add(header); // inside `buf`
    let end = start.wrapping_add(len); // two digits more than that
    matches!(buf.get(end..), Some([b'\r', b'\n', ..])).then_some((start, end))
}

/// The length at the start of `bytes`, the size of the header that it makes with its type byte, and what follows.
///
/// Only the plain case, complete and without fault; for all others the caller looks at the whole line.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "three digits at most")]
pub(crate) fn length(bytes: &[u8]) -> Option<(usize, u8, &[u8])> {
    match bytes {
        [a @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => Some((digit(*a), 4, rest)),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => {
            Some((10 * digit(*a) + digit(*b), 5, rest))
        }
        [
            a @ b'1'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            b'\r',
            b'\n',
            rest @ ..,
        ] => Some((100 * digit(*a) + 10 * digit(*b) + digit(*c), 6, rest)),
        [b'1'..=b'9', ..] => long_length(bytes),
        _ => None,
    }
}

#[inline]
fn digit(byte: u8) -> usize {
    usize::from(byte & 15)
}

/// Lengths of 4 to 10 digits; those of 4 and 5 without a loop.
#[expect(clippy::arithmetic_side_effects, reason = "five digits at most")]
fn long_length(bytes: &[u8]) -> Option<(usize, u8, &[u8])> {
    let thousands =
        |[a, b, c, d]: [u8; 4]| 1000 * digit(a) + 100 * digit(b) + 10 * digit(c) + digit(d);
    match bytes {
        [
            a @ b'1'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            d @ b'0'..=b'9',
            b'\r',
            b'\n',
            rest @ ..,
        ] => return Some((thousands([*a, *b, *c, *d]), 7, rest)),
        [
            a @ b'1'..=b'9',
            b @ b'0'..=b'9',
            c @ b'0'..=b'9',
            d @ b'0'..=b'9',
            e @ b'0'..=b'9',
            b'\r',
            b'\n',
            rest @ ..,
        ] => return Some((10 * thousands([*a, *b, *c, *d]) + digit(*e), 8, rest)),
        _ => {}
    }
    let mut value: u64 = 0; // ten digits always fit
    let mut rest = bytes;
    for header in 3..=13 {
        match rest {
            [digit @ b'0'..=b'9', tail @ ..] => {
                value = value.wrapping_mul(10).wrapping_add(u64::from(digit & 15));
                rest = tail;
            }
            [b'\r', b'\n', tail @ ..] => return Some((usize::try_from(value).ok()?, header, tail)),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_whatever_the_number_of_its_digits() {
        for digits in 1..=10 {
            let smallest = 10usize.pow(digits - 1);
            for len in [smallest, 2 * smallest + 7, 10 * smallest - 1] {
                let text = len.to_string();
                let header = u8::try_from(text.len() + 3).unwrap();
                let line = format!("{text}\r\nrest");
                let expected = Some((len, header, &b"rest"[..]));
                assert_eq!(length(line.as_bytes()), expected, "{line:?}");
                for cut in 0..header - 1 {
                    let part = line.as_bytes().get(..usize::from(cut)).unwrap();
                    assert_eq!(length(part), None, "{part:?}");
                }
                for fault in [
                    format!("{text}\rx"),
                    format!("{text}x\r\n"),
                    format!("0{text}\r\n"),
                ] {
                    assert_eq!(length(fault.as_bytes()), None, "{fault:?}");
                }
            }
        }
    }
}
