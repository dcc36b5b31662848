//! Transactions: commands are queued behind MULTI, and EXEC runs all of them or none.

use crate::command::{Args, Command, Flags, KeySpec, Keys, exec, row};
use crate::connection::session::{Multi, Watched};
use crate::context::Context;
use crate::error::{ReplyError, Result};

const ANYTIME: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);
const QUICK: Flags = ANYTIME.and(Flags::FAST).and(Flags::ALLOW_BUSY);
const WATCHED_KEYS: Keys = Keys::new(&[KeySpec::range(1, -1, 1, "RO")]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("DISCARD", 1, QUICK, Keys::NONE, discard)
        .docs("2.0.0", "", "Forgets the commands that were queued.", "O(N), when N is the number of queued commands"),
    exec("EXEC",      ANYTIME.and(Flags::SKIP_SLOWLOG))
        .docs("1.2.0", "", "Runs the commands that were queued.", "Depends on commands in the transaction"),
    row("MULTI",   1, QUICK, Keys::NONE, multi)
        .docs("1.2.0", "", "Begins to queue commands.", "O(1)"),
    row("UNWATCH", 1, QUICK, Keys::NONE, unwatch)
        .docs("2.2.0", "", "Forgets the watched keys.", "O(1)"),
    row("WATCH",  -2, QUICK, WATCHED_KEYS, watch)
        .docs("2.2.0", "key [key ...]", "Makes EXEC fail if one of the keys changes before it.", "O(1) for every key."),
];

fn multi(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if cx.session.multi.is_some() {
        return Err(ReplyError::NestedMulti);
    }
    cx.session.multi = Some(Multi::default());
    cx.out.ok();
    Ok(())
}

fn discard(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if cx.session.multi.take().is_none() {
        return Err(ReplyError::WithoutMulti("DISCARD"));
    }
    cx.unwatch();
    cx.out.ok();
    Ok(())
}

fn watch(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if cx.session.multi.is_some() {
        return Err(ReplyError::WatchInMulti);
    }
    for key in args.rest() {
        // A key that has expired already goes away now, if it may: later that would look like a change.
        cx.db.contains(key);
        if cx.db.watch(key, &cx.session.peer) {
            cx.session.watched.push(Watched {
                db: cx.session.db,
                key: key.into(),
            });
        }
    }
    cx.out.ok();
    Ok(())
}

fn unwatch(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.unwatch();
    cx.out.ok();
    Ok(())
}
