//! Zipmaps: the packed encoding of small hashes before Redis 2.6.
//!
//! A byte with the number of pairs (254: unknown), the pairs, the byte 255. A pair is the field behind its length and
//! the value behind its length and the number of unused bytes that follow it.

use super::packed::{Cursor, Malformed};

/// Calls `each` with every field and value of `bytes`.
pub(super) fn pairs<'a, E: From<Malformed>>(
    bytes: &'a [u8],
    mut each: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut cursor = Cursor::new("zipmap", bytes);
    let announced = cursor.byte()?;
    let mut count = 0_usize;
    loop {
        let first = cursor.byte()?;
        if first == END {
            break;
        }
        let len = length(&mut cursor, first)?;
        let field = cursor.take(len)?;
        let first = cursor.byte()?;
        let len = length(&mut cursor, first)?;
        let unused = cursor.byte()?;
        let value = cursor.take(len)?;
        cursor.take(usize::from(unused))?;
        count += 1;
        each(field, value)?;
    }
    if !cursor.is_at_end() {
        return Err(cursor.malformed("bytes after the end mark").into());
    }
    if announced != UNKNOWN_COUNT && usize::from(announced) != count {
        return Err(cursor.malformed("wrong number of pairs").into());
    }
    Ok(())
}

fn length(cursor: &mut Cursor<'_>, first: u8) -> Result<usize, Malformed> {
    match first {
        0..=253 => Ok(usize::from(first)),
        LONG => cursor.len_u32(),
        END => Err(cursor.malformed("field without a value")),
    }
}

const END: u8 = 0xff;
/// Announces a length of four bytes.
const LONG: u8 = 0xfe;
/// The number of pairs of a zipmap with too many to count in one byte.
const UNKNOWN_COUNT: u8 = 254;
