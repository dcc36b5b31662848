//! Encoders for the packed encodings that we only read, in every form their entries can have.

use super::*;
use crate::persist::rdb::packed::Entry;

/// Entries that take each form of a ziplist and of a listpack, those with long strings apart.
pub(super) fn every_form(long: &[u8]) -> Vec<Entry<'_>> {
    let edges = [
        0,
        1,
        12,
        13,
        127,
        128,
        4_095,
        4_096,
        32_767,
        32_768,
        8_388_607,
        8_388_608,
        2_147_483_647,
        2_147_483_648,
    ];
    let integers = edges
        .into_iter()
        .flat_map(|edge: i64| [edge, -edge, -edge - 1])
        .chain([i64::MAX, i64::MIN]);
    let strings = [
        0,
        1,
        63,
        64,
        120,
        130,
        4_095,
        4_096,
        16_383,
        16_384,
        long.len(),
    ];
    let strings = strings
        .into_iter()
        .filter(|len| *len <= long.len())
        .map(|len| Entry::String(&long[..len]));
    integers.map(Entry::Integer).chain(strings).collect()
}

/// The entries as the strings they stand for.
pub(super) fn texts(entries: &[Entry<'_>]) -> Vec<Vec<u8>> {
    entries
        .iter()
        .map(|entry| entry.bytes(&mut packed::IntBuf::new()).to_vec())
        .collect()
}

pub(super) fn ziplist(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    let (mut previous, mut last) = (0, 0);
    for entry in entries {
        last = body.len();
        match u8::try_from(previous) {
            Ok(previous @ 0..=253) => body.push(previous),
            _ => {
                body.push(0xfe);
                body.extend_from_slice(&u32_of(previous).to_le_bytes());
            }
        }
        match *entry {
            Entry::String(bytes) => ziplist_string(bytes, &mut body),
            Entry::Integer(number) => ziplist_integer(number, &mut body),
        }
        previous = body.len() - last;
    }
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    let mut out = u32_of(body.len() + 11).to_le_bytes().to_vec();
    out.extend_from_slice(&u32_of(last + 10).to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&body);
    out.push(0xff);
    out
}

fn ziplist_string(bytes: &[u8], out: &mut Vec<u8>) {
    match u32_of(bytes.len()) {
        len @ 0..=63 => out.extend_from_slice(&len.to_be_bytes()[3..]),
        len @ 64..=16_383 => out.extend_from_slice(&(len | 0x4000).to_be_bytes()[2..]),
        len => {
            out.push(0x80);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

fn ziplist_integer(number: i64, out: &mut Vec<u8>) {
    let bytes = number.to_le_bytes();
    let (mark, len) = match number {
        0..=12 => (0xf1 + bytes[0], 0),
        -0x80..=0x7f => (0xfe, 1),
        -0x8000..=0x7fff => (0xc0, 2),
        -0x80_0000..=0x7f_ffff => (0xf0, 3),
        -0x8000_0000..=0x7fff_ffff => (0xd0, 4),
        _ => (0xe0, 8),
    };
    out.push(mark);
    out.extend_from_slice(&bytes[..len]);
}

pub(super) fn listpack(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        let start = body.len();
        match *entry {
            Entry::String(bytes) => listpack_string(bytes, &mut body),
            Entry::Integer(number) => listpack_integer(number, &mut body),
        }
        back_length(body.len() - start, &mut body);
    }
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    let mut out = u32_of(body.len() + 7).to_le_bytes().to_vec();
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&body);
    out.push(0xff);
    out
}

fn listpack_string(bytes: &[u8], out: &mut Vec<u8>) {
    match u32_of(bytes.len()) {
        len @ 0..=63 => out.extend_from_slice(&(len | 0x80).to_be_bytes()[3..]),
        len @ 64..=4_095 => out.extend_from_slice(&(len | 0xe000).to_be_bytes()[2..]),
        len => {
            out.push(0xf0);
            out.extend_from_slice(&len.to_le_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

fn listpack_integer(number: i64, out: &mut Vec<u8>) {
    let bytes = number.to_le_bytes();
    match number {
        0..=127 => out.push(bytes[0]),
        -4_096..=4_095 => out.extend_from_slice(&[0xc0 | (bytes[1] & 0x1f), bytes[0]]),
        -0x8000..=0x7fff => out.extend_from_slice(&[&[0xf1], &bytes[..2]].concat()),
        -0x80_0000..=0x7f_ffff => out.extend_from_slice(&[&[0xf2], &bytes[..3]].concat()),
        -0x8000_0000..=0x7fff_ffff => out.extend_from_slice(&[&[0xf3], &bytes[..4]].concat()),
        _ => out.extend_from_slice(&[&[0xf4][..], &bytes].concat()),
    }
}

fn back_length(len: usize, out: &mut Vec<u8>) {
    let mut groups: Vec<u8> = (0..5)
        .rev()
        .map(|group| ((len >> (7 * group)) & 0x7f).to_le_bytes()[0])
        .collect();
    let used = match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        _ => 4,
    };
    groups.drain(..5 - used);
    groups[1..].iter_mut().for_each(|group| *group |= 0x80);
    out.extend_from_slice(&groups);
}

pub(super) fn intset(width: usize, numbers: &[i64]) -> Vec<u8> {
    let mut out = u32_of(width).to_le_bytes().to_vec();
    out.extend_from_slice(&u32_of(numbers.len()).to_le_bytes());
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes()[..width]);
    }
    out
}

/// `unused`: how many bytes are left free behind each value.
pub(super) fn zipmap(pairs: &[(&[u8], &[u8])], unused: u8) -> Vec<u8> {
    let mut out = vec![u8::try_from(pairs.len()).map_or(254, |len| len.min(254))];
    for (field, value) in pairs {
        zipmap_length(field.len(), &mut out);
        out.extend_from_slice(field);
        zipmap_length(value.len(), &mut out);
        out.push(unused);
        out.extend_from_slice(value);
        out.extend_from_slice(&vec![0; usize::from(unused)]);
    }
    out.push(255);
    out
}

fn zipmap_length(len: usize, out: &mut Vec<u8>) {
    match u8::try_from(len) {
        Ok(len @ 0..=253) => out.push(len),
        _ => {
            out.push(254);
            out.extend_from_slice(&u32_of(len).to_le_bytes());
        }
    }
}

fn u32_of(len: usize) -> u32 {
    u32::try_from(len).expect("a short test value")
}
