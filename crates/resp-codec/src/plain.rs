//! The usual case ahead of the general one: values and lengths that are plain, whole and without fault.
//!
//! `None` means nothing but that the general path is to look.

use crate::{
    limits::Limits,
    tape::{Entry, Kind, Tag, narrow},
    word,
};

/// The value at `pos`, an integer, a string, a short line, null or a boolean, and where it ends.
///
/// `next` is the place on the tape behind the entry.
#[inline(always)]
pub(crate) fn value(buf: &[u8], pos: usize, next: u32, limits: &Limits) -> Option<(Entry, usize)> {
    let word = word::at(buf, pos)?;
    let (kind, header, len, end) = if type_byte(word) == b'$' {
        match string(buf, pos, word, limits.bulk_bytes) {
            Some((header, len, end)) => (Kind::BulkString, header, len, end),
            None if word & FIVE_BYTES == NULL => (Kind::Null, 5, 0, pos.wrapping_add(5)),
            None => return None,
        }
    } else {
        let (kind, len, end) = short_line(buf, pos, word, limits)?;
        (kind, if kind == Kind::Null { 3 } else { 1 }, len, end)
    };
    let entry = Entry {
        tag: Tag::Plain(kind),
        header,
        start: narrow(pos.wrapping_add(usize::from(header))), // inside `buf`
        len: narrow(len),
        next,
    };
    Some((entry, end))
}

/// `$-1\r\n`
const NULL: u64 = 0x0a_0d31_2d24;
const FIVE_BYTES: u64 = 0xff_ffff_ffff;
/// `+OK\r\n`
const OK: u64 = 0x0a_0d4b_4f2b;

/// A type that takes one line: what it is, the bytes behind the type byte, and where it ends.
#[inline(always)]
fn short_line(buf: &[u8], pos: usize, word: u64, limits: &Limits) -> Option<(Kind, usize, usize)> {
    let kind = match type_byte(word) {
        b':' => {
            let digits = match word::number(word >> 8) {
                Some((digits, _)) => digits,
                None => long_integer(buf, pos.wrapping_add(1))?,
            };
            return Some((
                Kind::Integer,
                digits,
                pos.wrapping_add(digits).wrapping_add(3),
            ));
        }
        b'+' if word & FIVE_BYTES == OK => {
            return Some((Kind::SimpleString, 2, pos.wrapping_add(5)));
        }
        b'+' => Kind::SimpleString,
        b'-' => Kind::Error,
        b'_' if word >> 8 & 0xffff == word::CRLF => {
            return Some((Kind::Null, 0, pos.wrapping_add(3)));
        }
        b'#' if word >> 16 & 0xffff == word::CRLF && matches!(second_byte(word), b't' | b'f') => {
            return Some((Kind::Boolean, 1, pos.wrapping_add(4)));
        }
        _ => return None,
    };
    let end = match word::control(word) {
        Some(ahead) => pos.wrapping_add(ahead),
        None => line_end(buf, pos, limits.line_cap())?,
    };
    let len = end.wrapping_sub(pos).wrapping_sub(1); // behind the type byte
    closed_at(buf, end).then_some((kind, len, end.wrapping_add(2)))
}

/// How far a line is searched here; most errors are shorter.
const LOOKAHEAD: usize = 80;

/// Where the line at `pos`, which does not end in its first eight bytes, has its first control character.
#[inline(never)]
fn line_end(buf: &[u8], pos: usize, limit: usize) -> Option<usize> {
    let line = buf.get(pos..)?;
    let line = line.get(..LOOKAHEAD.min(limit)).unwrap_or(line);
    let mut at = 8usize;
    for word in line.get(8..)?.chunks_exact(8) {
        if let Some(ahead) = word::control(u64::from_le_bytes(word.try_into().ok()?)) {
            return pos.checked_add(at)?.checked_add(ahead);
        }
        at = at.checked_add(8)?;
    }
    // The last few, with some of those before them, which are no control characters.
    let ahead = word::control(u64::from_le_bytes(*line.last_chunk()?))?;
    pos.checked_add(line.len())?
        .checked_sub(8)?
        .checked_add(ahead)
}

/// The digits, with a minus sign, of an integer that is negative or has more than five of them, but not above 18.
#[inline(never)]
fn long_integer(buf: &[u8], start: usize) -> Option<usize> {
    let line = buf.get(start..)?;
    let digits = match line {
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
    let rest = digits.get(more.wrapping_add(1)..)?;
    let len = line.len().wrapping_sub(rest.len()); // `rest` is an end of `line`
    matches!(rest, [b'\r', b'\n', ..]).then_some(len)
}

/// The bulk string at `pos`, where `word` stands: the size of its header, its length, and where it ends.
///
/// `None` also if it is longer than `limit`.
#[inline(always)]
pub(crate) fn string(
    buf: &[u8],
    pos: usize,
    word: u64,
    limit: usize,
) -> Option<(u8, usize, usize)> {
    let (header, len) = length(buf, pos, word)?;
    if len > limit {
        return None;
    }
    let end = pos.wrapping_add(usize::from(header)).checked_add(len)?; // the header is inside `buf`
    closed_at(buf, end).then_some((header, len, end.wrapping_add(2)))
}

/// The header at `pos`, where `word` stands: its size with its type byte, which is not looked at, and its number.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "three digits at most")]
pub(crate) fn length(buf: &[u8], pos: usize, word: u64) -> Option<(u8, usize)> {
    let digit = |place: u32| (word >> (8 * place) & 0xff).wrapping_sub(u64::from(b'0'));
    let line_end = |place: u32| word >> (8 * place) & 0xffff == word::CRLF;
    let first = || digit(1).wrapping_sub(1) < 9; // no zeros ahead
    // Where the next element begins waits for this number, but not for a branch that is foreseen.
    let (header, number) = if line_end(2) && digit(1) <= 9 {
        (4, digit(1))
    } else if line_end(3) && first() && digit(2) <= 9 {
        (5, 10 * digit(1) + digit(2))
    } else if line_end(4) && first() && digit(2) <= 9 && digit(3) <= 9 {
        (6, 10 * (10 * digit(1) + digit(2)) + digit(3))
    } else {
        return long_length(buf, pos, word);
    };
    usize::try_from(number).ok().map(|number| (header, number))
}

/// Four to ten digits.
#[inline(always)]
fn long_length(buf: &[u8], pos: usize, word: u64) -> Option<(u8, usize)> {
    let Some((digits, number)) = word::number(word >> 8) else {
        return very_long_length(buf.get(pos..)?.get(1..)?);
    };
    let header = u8::try_from(digits).ok()?.wrapping_add(3); // five digits at most
    usize::try_from(number).ok().map(|number| (header, number))
}

/// Six to ten digits.
#[inline(never)]
fn very_long_length(line: &[u8]) -> Option<(u8, usize)> {
    if !matches!(line, [b'1'..=b'9', ..]) {
        return None;
    }
    let mut value: u64 = 0; // ten digits always fit
    let mut rest = line;
    for header in 3..=13 {
        match rest {
            [digit @ b'0'..=b'9', tail @ ..] => {
                value = value.wrapping_mul(10).wrapping_add(u64::from(digit & 15));
                rest = tail;
            }
            [b'\r', b'\n', ..] => return Some((header, usize::try_from(value).ok()?)),
            _ => return None,
        }
    }
    None
}

/// Whether a line end stands at `at`.
#[inline(always)]
fn closed_at(buf: &[u8], at: usize) -> bool {
    buf.get(at..)
        .and_then(|rest| rest.first_chunk())
        .is_some_and(|end| end == b"\r\n")
}

#[inline(always)]
pub(crate) fn type_byte(word: u64) -> u8 {
    word.to_le_bytes()[0]
}

#[inline(always)]
fn second_byte(word: u64) -> u8 {
    word.to_le_bytes()[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length_of(bytes: &[u8]) -> Option<(u8, usize)> {
        length(bytes, 0, word::at(bytes, 0)?)
    }

    #[test]
    fn a_length_is_read_whatever_the_number_of_its_digits() {
        for digits in 1..=10 {
            let smallest = 10usize.pow(digits - 1);
            for len in [smallest, 2 * smallest + 7, 10 * smallest - 1] {
                let text = len.to_string();
                let header = u8::try_from(text.len() + 3).unwrap();
                let line = format!("${text}\r\n");
                let expected = Some((header, len));
                assert_eq!(length_of(line.as_bytes()), expected, "{line:?}");
                let followed = format!("{line}the rest");
                assert_eq!(length_of(followed.as_bytes()), expected, "{followed:?}");
                for cut in 0..line.len() {
                    let part = line.as_bytes().get(..cut).unwrap();
                    assert_eq!(length_of(part), None, "{part:?}");
                }
                for fault in [
                    format!("${text}\rx"),
                    format!("${text}x\r\n"),
                    format!("$0{text}\r\n"),
                    format!("$-{text}\r\n"),
                ] {
                    assert_eq!(length_of(fault.as_bytes()), None, "{fault:?}");
                    let fault = fault + "the rest";
                    assert_eq!(length_of(fault.as_bytes()), None, "{fault:?}");
                }
            }
        }
    }

    #[test]
    fn a_line_is_read_up_to_the_lookahead_and_whole_only() {
        for len in 0..LOOKAHEAD + 20 {
            let line = format!("-{}\r\n", "x".repeat(len));
            let read = |bytes: &[u8]| {
                value(bytes, 0, 1, &Limits::client()).map(|(entry, end)| (entry.len, end))
            };
            let expected = (line.len() >= 4 && len + 1 < LOOKAHEAD)
                .then(|| (u32::try_from(len).unwrap(), line.len()));
            assert_eq!(read(line.as_bytes()), expected, "{len} bytes");
            for cut in 0..line.len() {
                let part = line.as_bytes().get(..cut).unwrap();
                assert_eq!(read(part), None, "{cut} of {len} bytes");
            }
            for control in ["\r", "\n", "\t"] {
                let line = format!("-{control}{}\r\n", "x".repeat(len));
                assert_eq!(
                    read(line.as_bytes()),
                    None,
                    "{len} bytes behind {control:?}"
                );
            }
        }
    }
}
