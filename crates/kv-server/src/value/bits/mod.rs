//! Bits of byte strings. The first bit is the highest one of the first byte.

mod field;
#[cfg(test)]
mod tests;

pub(crate) use field::{Field, Overflow};

use std::ops::Range;

/// A bit of a string; those behind its end are 0.
pub(crate) fn get(bytes: &[u8], at: u64) -> bool {
    let byte = usize::try_from(at / 8).ok().and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte & mask(at) != 0)
}

/// Sets or clears a bit that is there. Returns what it was.
pub(crate) fn set(byte: &mut u8, at: u64, on: bool) -> bool {
    let was = *byte & mask(at) != 0;
    if on {
        *byte |= mask(at);
    } else {
        *byte &= !mask(at);
    }
    was
}

fn mask(at: u64) -> u8 {
    0x80 >> (at % 8)
}

/// How many bits of a string are set.
pub(crate) fn count(bytes: &[u8]) -> u64 {
    /// Bytes whose sum fits into 64 bits by far, and long enough for the loop inside to be vectors.
    const BLOCK: usize = 4096;
    let blocks = bytes.chunks(BLOCK).map(|block| {
        let mut words = block.chunks_exact(8);
        let sum: u64 = words.by_ref().map(|word| ones(word_of(word))).sum();
        sum + ones(word_of(words.remainder()))
    });
    blocks.sum()
}

/// The set bits among those from `range.start` to `range.end`, which is not beyond the end of the string.
pub(crate) fn count_in(bytes: &[u8], range: Range<u64>) -> u64 {
    let Some((whole, first, last)) = split(bytes, &range) else {
        return 0;
    };
    let outside = (whole[0] & first).count_ones() + (whole[whole.len() - 1] & last).count_ones();
    count(whole) - u64::from(outside)
}

/// The first bit from `range.start` to `range.end`, which is not beyond the end of the string, that is `on`.
pub(crate) fn position(bytes: &[u8], on: bool, range: Range<u64>) -> Option<u64> {
    let (whole, first, _) = split(bytes, &range)?;
    // With zeros where nothing is to be found, the search is for a 1.
    let flip = |byte: u8| if on { byte } else { !byte };
    let start = range.start / 8 * 8;
    let begin = flip(whole[0]) & !first;
    let found = if begin != 0 {
        start + u64::from(begin.leading_zeros())
    } else {
        let rest = &whole[1..];
        let skipped = blank_bytes(rest, if on { 0 } else { 0xff });
        let byte = flip(*rest.get(skipped)?);
        start + 8 * (1 + skipped as u64) + u64::from(byte.leading_zeros())
    };
    Some(found).filter(|&at| at < range.end)
}

/// How many bytes at the beginning are `blank`.
fn blank_bytes(bytes: &[u8], blank: u8) -> usize {
    let word = u64::from_ne_bytes([blank; 8]);
    // Several words at a time, so that the comparison is one of vectors.
    let blocks = bytes
        .chunks_exact(64)
        .take_while(|block| {
            let differing = block
                .chunks_exact(8)
                .fold(0, |bits, chunk| bits | (word_of(chunk) ^ word));
            differing == 0
        })
        .count();
    let rest = &bytes[blocks * 64..];
    let within = rest.iter().take_while(|&&byte| byte == blank).count();
    blocks * 64 + within
}

/// The bytes that hold a range of bits, with masks of the bits in the first and in the last one that are outside; `None` if it is empty.
fn split<'b>(bytes: &'b [u8], range: &Range<u64>) -> Option<(&'b [u8], u8, u8)> {
    if range.is_empty() {
        return None;
    }
    let start = usize::try_from(range.start / 8).ok()?;
    let end = usize::try_from(range.end.div_ceil(8)).ok()?;
    let whole = bytes.get(start..end)?;
    let first = !(0xff >> (range.start % 8));
    let last = match range.end % 8 {
        0 => 0,
        bits => 0xff >> bits,
    };
    Some((whole, first, last))
}

/// Up to eight bytes as a number; its bits may be anywhere.
fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_ne_bytes(word)
}

fn ones(word: u64) -> u64 {
    word.count_ones().into()
}

/// What BITOP does to several strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    And,
    Or,
    Xor,
    /// Of the first one.
    Not,
}

/// The result of an operation, as long as the longest of the strings; shorter ones are as if zeros followed.
pub(crate) fn combine(operation: Operation, strings: &[&[u8]]) -> Vec<u8> {
    let len = strings.iter().map(|text| text.len()).max().unwrap_or(0);
    let mut result = Vec::with_capacity(len);
    let Some((first, others)) = strings.split_first() else {
        return result;
    };
    result.extend_from_slice(first);
    result.resize(len, 0);
    // Byte by byte in the source; the compiler makes vectors of it.
    let apply = |result: &mut [u8], text: &[u8], f: fn(u8, u8) -> u8| {
        result
            .iter_mut()
            .zip(text)
            .for_each(|(byte, other)| *byte = f(*byte, *other));
    };
    for text in others {
        match operation {
            Operation::And => {
                apply(&mut result, text, |one, two| one & two);
                result[text.len()..].fill(0);
            }
            Operation::Or => apply(&mut result, text, |one, two| one | two),
            Operation::Xor => apply(&mut result, text, |one, two| one ^ two),
            Operation::Not => {}
        }
    }
    if operation == Operation::Not {
        result.iter_mut().for_each(|byte| *byte = !*byte);
    }
    result
}
