//! Bits one by one, and what all commands say of offsets.

use resp_codec::number::parse_i64;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::keyspace::table::Position;
use crate::value::{Form, bits};

/// The number of a bit that a string may have.
pub(super) fn offset(text: &[u8], cx: &Context<'_>) -> Result<u64> {
    parse_i64(text)
        .and_then(|offset| check(offset, cx))
        .ok_or(ReplyError::BitOffset)
}

/// A bit inside of the longest string that there may be.
pub(super) fn check(offset: i64, cx: &Context<'_>) -> Option<u64> {
    let max = cx.shared.config.max_bulk_bytes as u64;
    u64::try_from(offset).ok().filter(|offset| offset / 8 < max)
}

/// Makes a string long enough for a bit. Returns where it is, and whether it has grown.
pub(super) fn reach(key: &[u8], bit: u64, cx: &mut Context<'_>) -> Result<(Position, bool)> {
    let place = cx.db.find_string(key)?;
    let old = place.map_or(0, |at| cx.db.string_at(at).len());
    let len = usize::try_from(bit / 8).map_err(|_| ReplyError::BitOffset)? + 1;
    let at = match place {
        Some(at) => at,
        None => cx.db.put_string(None, key, b"", Form::Edited),
    };
    if old < len {
        cx.db.edit_string(at, |text| match old {
            // Zeroed memory comes from the system, which does not write it before it is used.
            0 => *text = vec![0; len],
            _ => text.resize(len, 0),
        });
    }
    Ok((at, old < len))
}

pub(super) fn setbit(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let offset = offset(args.next()?, cx)?;
    let on = match parse_i64(args.next()?) {
        Some(bit @ 0..=1) => bit == 1,
        _ => {
            return Err(ReplyError::text(
                "ERR bit is not an integer or out of range",
            ));
        }
    };
    let (at, has_grown) = reach(key, offset, cx)?;
    let bytes = cx.db.string_bytes_at(at);
    let byte = usize::try_from(offset / 8).ok();
    let was = byte
        .and_then(|byte| bytes.get_mut(byte))
        .is_some_and(|byte| bits::set(byte, offset, on));
    if has_grown || was != on {
        cx.db.changed(Class::STRING, "setbit", key);
    }
    cx.out.flag(was);
    Ok(())
}

pub(super) fn getbit(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let offset = offset(args.next()?, cx)?;
    let bytes = cx.db.string(key)?.unwrap_or_default();
    cx.out.flag(bits::get(bytes, offset));
    Ok(())
}
