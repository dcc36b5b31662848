//! Strings by length and position.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::Form;

pub(super) fn strlen(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let len = cx.db.string(key)?.map_or(0, <[u8]>::len);
    cx.out.len(len);
    Ok(())
}

pub(super) fn getrange(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let start = args.integer()?;
    let end = args.integer()?;
    let text = cx.db.string(key)?.unwrap_or_default();
    cx.out.bulk(part(text, start, end));
    Ok(())
}

/// The bytes from `start` to `end`, both included; negative numbers count from the end.
fn part(text: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let len = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let from_front = |index: i64| match index {
        ..0 => (len + index).max(0),
        _ => index,
    };
    let start = from_front(start);
    let end = from_front(end).min(len - 1);
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) => text.get(start..=end).unwrap_or_default(),
        _ => b"",
    }
}

pub(super) fn append(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let tail = args.next()?;
    let len = match cx.db.find_string(key)? {
        Some(at) => {
            let len = checked_len(cx.db.string_at(at).len(), tail.len(), cx)?;
            cx.db.edit_string(at, |text| text.extend_from_slice(tail));
            len
        }
        None => {
            cx.db.put_string(None, key, tail, Form::Plain);
            tail.len()
        }
    };
    cx.db.changed(Class::STRING, "append", key);
    cx.out.len(len);
    Ok(())
}

pub(super) fn setrange(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let offset = args.integer()?;
    let piece = args.next()?;
    let offset = usize::try_from(offset).map_err(|_| ReplyError::OffsetOutOfRange)?;
    let place = cx.db.find_string(key)?;
    let len = place.map_or(0, |at| cx.db.string_at(at).len());
    if piece.is_empty() {
        cx.out.len(len);
        return Ok(());
    }
    let end = checked_len(offset, piece.len(), cx)?;
    match place {
        Some(at) if end <= len => cx.db.string_bytes_at(at)[offset..end].copy_from_slice(piece),
        Some(at) => cx
            .db
            .edit_string(at, |text| write_beyond(text, offset, piece)),
        None => {
            let at = cx.db.put_string(None, key, b"", Form::Edited);
            cx.db
                .edit_string(at, |text| write_beyond(text, offset, piece));
        }
    }
    cx.db.changed(Class::STRING, "setrange", key);
    cx.out.len(len.max(end));
    Ok(())
}

/// Writes a piece that ends behind the text; a gap before it becomes zeros.
fn write_beyond(text: &mut Vec<u8>, offset: usize, piece: &[u8]) {
    if text.is_empty() {
        // Zeroed memory comes from the system, which does not write it before it is used.
        *text = vec![0; offset + piece.len()];
        text[offset..].copy_from_slice(piece);
    } else {
        text.resize(offset, 0);
        text.extend_from_slice(piece);
    }
}

/// The length of a string that grows to `len + more`, if that is allowed.
fn checked_len(len: usize, more: usize, cx: &Context<'_>) -> Result<usize> {
    len.checked_add(more)
        .filter(|&sum| sum <= cx.shared.config.max_bulk_bytes)
        .ok_or(ReplyError::StringTooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_cut_as_redis_cuts_it() {
        for (start, end, cut) in [
            (0, 3, "This"),
            (0, -1, "This is"),
            (-4, -1, "s is"),
            (5, 3, ""),
            (5, 5000, "is"),
            (-5000, 10000, "This is"),
            (0, -100, "T"),
            (-1, -100, ""),
            (-100, -100, "T"),
            (-100, -99, "T"),
            (7, 7, ""),
            (i64::MIN, i64::MAX, "This is"),
            (i64::MAX, i64::MIN, ""),
        ] {
            assert_eq!(
                part(b"This is", start, end),
                cut.as_bytes(),
                "{start} {end}"
            );
        }
        assert_eq!(part(b"", 0, -1), b"");
    }
}
