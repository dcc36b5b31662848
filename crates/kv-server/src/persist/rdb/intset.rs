//! Intsets: the packed encoding of small sets of integers.
//!
//! A header (u32 bytes per integer: 2, 4 or 8; u32 number of integers), then the integers in ascending order.

use super::packed::{Cursor, Malformed};

/// Calls `each` with every integer of `bytes`.
pub(super) fn integers<E: From<Malformed>>(
    bytes: &[u8],
    mut each: impl FnMut(i64) -> Result<(), E>,
) -> Result<(), E> {
    let mut cursor = Cursor::new("intset", bytes);
    let width = cursor.len_u32()?;
    let len = cursor.len_u32()?;
    if !matches!(width, 2 | 4 | 8) {
        return Err(cursor.malformed("unknown width of integers").into());
    }
    if len.checked_mul(width).and_then(|size| size.checked_add(8)) != Some(bytes.len()) {
        return Err(cursor.malformed("wrong total length").into());
    }
    let mut last = None;
    for _ in 0..len {
        let number = match width {
            2 => i16::from_le_bytes(cursor.array()?).into(),
            4 => i32::from_le_bytes(cursor.array()?).into(),
            _ => i64::from_le_bytes(cursor.array()?),
        };
        if last.is_some_and(|last| last >= number) {
            return Err(cursor.malformed("integers out of order").into());
        }
        last = Some(number);
        each(number)?;
    }
    Ok(())
}
