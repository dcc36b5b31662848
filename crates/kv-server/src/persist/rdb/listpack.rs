//! Listpacks: the packed encoding of small collections since Redis 7.0.
//!
//! A header (u32 total bytes, u16 entries), the entries, the byte 255. An entry is its encoding, its data and, for
//! walking backwards, the length of both.

use super::packed::{Cursor, Entry, Malformed};

/// Calls `each` with every entry of `bytes`.
pub(super) fn entries<'a, E: From<Malformed>>(
    bytes: &'a [u8],
    mut each: impl FnMut(Entry<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut cursor = Cursor::new("listpack", bytes);
    if cursor.len_u32()? != bytes.len() {
        return Err(cursor.malformed("wrong total length").into());
    }
    let announced = u16::from_le_bytes(cursor.array()?);
    let mut count = 0_usize;
    loop {
        let start = cursor.at();
        let first = cursor.byte()?;
        if first == END {
            break;
        }
        let entry = entry(&mut cursor, first)?;
        skip_back_length(&mut cursor, start)?;
        count += 1;
        each(entry)?;
    }
    if !cursor.is_at_end() {
        return Err(cursor.malformed("bytes after the end mark").into());
    }
    if announced != UNKNOWN_COUNT && usize::from(announced) != count {
        return Err(cursor.malformed("wrong number of entries").into());
    }
    Ok(())
}

#[expect(clippy::cast_possible_wrap, reason = "all eight bytes of an i64")]
fn entry<'a>(cursor: &mut Cursor<'a>, first: u8) -> Result<Entry<'a>, Malformed> {
    Ok(match first {
        0x00..=0x7f => Entry::Integer(i64::from(first)),
        0x80..=0xbf => Entry::String(cursor.take(usize::from(first & 0x3f))?),
        0xc0..=0xdf => {
            let bits = u16::from_be_bytes([first & 0x1f, cursor.byte()?]);
            let number = i64::from(bits);
            Entry::Integer(if bits < 1 << 12 {
                number
            } else {
                number - (1 << 13)
            })
        }
        0xe0..=0xef => {
            let len = u16::from_be_bytes([first & 0x0f, cursor.byte()?]);
            Entry::String(cursor.take(usize::from(len))?)
        }
        0xf0 => {
            let len = cursor.len_u32()?;
            Entry::String(cursor.take(len)?)
        }
        0xf1 => Entry::Integer(i16::from_le_bytes(cursor.array()?).into()),
        0xf2 => Entry::Integer(cursor.i24()?),
        0xf3 => Entry::Integer(i32::from_le_bytes(cursor.array()?).into()),
        0xf4 => Entry::Integer(u64::from_le_bytes(cursor.array()?) as i64),
        0xf5..=0xff => return Err(cursor.malformed("unknown entry encoding")),
    })
}

/// Skips the length of the entry that began at `start`: seven bits a byte, the highest first, all but the first byte
/// marked by their upper bit.
fn skip_back_length(cursor: &mut Cursor<'_>, start: usize) -> Result<(), Malformed> {
    let len = cursor.at() - start;
    let stored = match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let mut read = 0;
    for (index, byte) in cursor.take(stored)?.iter().enumerate() {
        if (byte & 0x80 != 0) != (index > 0) {
            return Err(cursor.malformed("wrong length behind an entry"));
        }
        read = (read << 7) | usize::from(byte & 0x7f);
    }
    if read != len {
        return Err(cursor.malformed("wrong length behind an entry"));
    }
    Ok(())
}

const END: u8 = 0xff;
/// The number of entries of a listpack with too many to count in the header.
const UNKNOWN_COUNT: u16 = u16::MAX;
