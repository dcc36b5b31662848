//! OBJECT: a look inside of values. None of it counts as a use of the key.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::Entry;

/// Redis keeps one object for each of these integers, and shares it.
const SHARED_INTEGERS: i64 = 10_000;
/// The reference count of a shared object.
const SHARED: i64 = i32::MAX as i64;

pub(super) fn encoding(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let name = cx.db.peek(key).map(Entry::encoding);
    cx.out.bulk_or_null(name.map(str::as_bytes));
    Ok(())
}

/// Nothing is shared here; small integers answer what they answer in Redis.
pub(super) fn refcount(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let is_shared = |entry: &Entry| {
        entry.encoding() == "int"
            && entry
                .as_string()
                .and_then(resp_codec::number::parse_i64)
                .is_some_and(|number| (0..SHARED_INTEGERS).contains(&number))
    };
    match cx.db.peek(key).map(is_shared) {
        Some(shared) => cx.out.integer(if shared { SHARED } else { 1 }),
        None => cx.out.null(),
    }
    Ok(())
}

pub(super) fn idletime(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    match cx.db.idle_seconds(key) {
        Some(seconds) => cx.out.integer(seconds.into()),
        None => cx.out.null(),
    }
    Ok(())
}

/// Frequencies are counted under an LFU policy of `maxmemory-policy` only, and there is none.
pub(super) fn freq(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    if cx.db.contains(key) {
        return Err(ReplyError::text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    cx.out.null();
    Ok(())
}

pub(super) fn help(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "OBJECT",
        &[
            "ENCODING <key>",
            "    Return the kind of internal representation used in order to store the value",
            "    associated with a <key>.",
            "FREQ <key>",
            "    Return the access frequency index of the <key>. The returned integer is",
            "    proportional to the logarithm of the recent access frequency of the key.",
            "IDLETIME <key>",
            "    Return the idle time of the <key>, that is the approximated number of",
            "    seconds elapsed since the last access to the key.",
            "REFCOUNT <key>",
            "    Return the number of references of the value associated with the specified",
            "    <key>.",
        ],
    );
    Ok(())
}
