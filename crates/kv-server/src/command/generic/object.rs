//! OBJECT: a look inside of values. None of it counts as a use of the key, though it is a lookup for `keyspace_hits`.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::eviction::Worth;
use crate::keyspace::entry::Entry;

/// Redis keeps one object for each of these integers, and shares it.
const SHARED_INTEGERS: i64 = 10_000;
/// The reference count of a shared object.
const SHARED: i64 = i32::MAX as i64;

pub(super) fn encoding(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let name = cx.db.inspect(key).map(Entry::encoding);
    cx.out.bulk_or_null(name.map(str::as_bytes));
    Ok(())
}

/// Nothing is shared here; small integers answer what they answer in Redis, which does not share them under a
/// policy that looks at the use of each key.
pub(super) fn refcount(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let is_shared = |entry: &Entry| {
        entry.encoding() == "int"
            && entry
                .as_string()
                .and_then(resp_codec::number::parse_i64)
                .is_some_and(|number| (0..SHARED_INTEGERS).contains(&number))
    };
    let shares = cx.shared.config.maxmemory == 0 || !cx.shared.config.policy.needs_clocks();
    match cx.db.inspect(key).map(|entry| shares && is_shared(entry)) {
        Some(shared) => cx.out.integer(if shared { SHARED } else { 1 }),
        None => cx.out.null(),
    }
    Ok(())
}

pub(super) fn idletime(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    cx.db.inspect(key);
    let idle = cx.db.idle_seconds(key);
    if idle.is_some() && cx.shared.config.policy.worth == Worth::Frequency {
        return Err(ReplyError::text(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    match idle {
        Some(seconds) => cx.out.integer(seconds.into()),
        None => cx.out.null(),
    }
    Ok(())
}

/// Frequencies are counted under an LFU policy of `maxmemory-policy` only.
pub(super) fn freq(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let is_there = cx.db.inspect(key).is_some();
    if let Some(frequency) = cx.db.frequency(key) {
        cx.out.integer(frequency.into());
        return Ok(());
    }
    if is_there {
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
