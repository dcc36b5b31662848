//! Ids and ranges of ids among the arguments.

use crate::command::Args;
use crate::error::{ReplyError, Result};
use crate::value::stream::Id;

pub(super) fn invalid_id() -> ReplyError {
    ReplyError::text("ERR Invalid stream ID specified as stream command argument")
}

/// An id; `ms` alone stands for its first one.
pub(super) fn id(text: &[u8]) -> Result<Id> {
    Id::parse(text, 0).ok_or_else(invalid_id)
}

/// Ids up to the end of the arguments.
pub(super) fn ids(args: &mut Args<'_>) -> Result<Vec<Id>> {
    args.rest().map(id).collect()
}

/// The first id of a range: `-`, an id, or `(` and the id before it.
pub(super) fn start(text: &[u8]) -> Result<Id> {
    let bound = bound(text, 0)?;
    match bound {
        (id, true) => id
            .next()
            .ok_or_else(|| ReplyError::text("ERR invalid start ID for the interval")),
        (id, false) => Ok(id),
    }
}

/// The last id of a range: `+`, an id, or `(` and the id behind it.
pub(super) fn end(text: &[u8]) -> Result<Id> {
    let bound = bound(text, u64::MAX)?;
    match bound {
        (id, true) => id
            .previous()
            .ok_or_else(|| ReplyError::text("ERR invalid end ID for the interval")),
        (id, false) => Ok(id),
    }
}

/// An end of a range, and whether that is left out.
fn bound(text: &[u8], missing_seq: u64) -> Result<(Id, bool)> {
    match text {
        [b'(', exclusive @ ..] if !exclusive.is_empty() => {
            let id = Id::parse(exclusive, missing_seq).ok_or_else(invalid_id)?;
            Ok((id, true))
        }
        _ => Ok((unbounded_id(text, missing_seq)?, false)),
    }
}

/// An id, or one of `-` and `+`, which stand for the ends of all ids.
pub(super) fn unbounded_id(text: &[u8], missing_seq: u64) -> Result<Id> {
    match text {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => Id::parse(text, missing_seq).ok_or_else(invalid_id),
    }
}

/// The error for a group that is not there.
pub(super) fn no_group(key: &[u8], group: &[u8]) -> ReplyError {
    ReplyError::text(format!(
        "NOGROUP No such key '{}' or consumer group '{}'",
        shown(key),
        shown(group)
    ))
}

/// A name within an error. As for Redis, a zero byte ends it.
pub(super) fn shown(name: &[u8]) -> String {
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}
