//! Ziplists: the packed encoding of small collections before Redis 7.0.
//!
//! A header (u32 total bytes, u32 offset of the last entry, u16 entries), the entries, the byte 255. An entry is the
//! length of the one before it (for walking backwards), its encoding and its data.

use super::packed::{Cursor, Entry, Malformed};

/// Calls `each` with every entry of `bytes`.
///
/// What only serves walking backwards, or finding the last entry at once, is skipped unread.
pub(super) fn entries<'a, E: From<Malformed>>(
    bytes: &'a [u8],
    mut each: impl FnMut(Entry<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut cursor = Cursor::new("ziplist", bytes);
    if cursor.len_u32()? != bytes.len() {
        return Err(cursor.malformed("wrong total length").into());
    }
    cursor.take(4)?;
    let announced = u16::from_le_bytes(cursor.array()?);
    let mut count = 0_usize;
    loop {
        match cursor.byte()? {
            END => break,
            LONG_PREVIOUS => {
                cursor.take(4)?;
            }
            _ => {}
        }
        let entry = entry(&mut cursor)?;
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

fn entry<'a>(cursor: &mut Cursor<'a>) -> Result<Entry<'a>, Malformed> {
    let first = cursor.byte()?;
    Ok(match first {
        0x00..=0x3f => Entry::String(cursor.take(usize::from(first))?),
        0x40..=0x7f => {
            let len = u16::from_be_bytes([first & 0x3f, cursor.byte()?]);
            Entry::String(cursor.take(usize::from(len))?)
        }
        0x80 => {
            let len = u32::from_be_bytes(cursor.array()?);
            let len = usize::try_from(len).map_err(|_| cursor.malformed("entry beyond the end"))?;
            Entry::String(cursor.take(len)?)
        }
        0xc0 => Entry::Integer(i16::from_le_bytes(cursor.array()?).into()),
        0xd0 => Entry::Integer(i32::from_le_bytes(cursor.array()?).into()),
        0xe0 => Entry::Integer(i64::from_le_bytes(cursor.array()?)),
        0xf0 => Entry::Integer(cursor.i24()?),
        0xf1..=0xfd => Entry::Integer(i64::from(first & 0x0f) - 1),
        0xfe => Entry::Integer(i8::from_le_bytes(cursor.array()?).into()),
        _ => return Err(cursor.malformed("unknown entry encoding")),
    })
}

const END: u8 = 0xff;
/// Announces that four bytes follow with the length of the entry before.
const LONG_PREVIOUS: u8 = 0xfe;
/// The number of entries of a ziplist with too many to count in the header.
const UNKNOWN_COUNT: u16 = u16::MAX;
