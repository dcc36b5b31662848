//! String commands.

use crate::command::{Args, Command, Flags, Keys, row};
use crate::context::Context;
use crate::error::Result;
use crate::keyspace::entry::NEVER;
use crate::keyspace::notify::Class;

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("GET", 2, Flags::READONLY.and(Flags::FAST), Keys::READ_ONE, get).docs("1.0.0", "key", "Returns the value of a string.", "O(1)"),
    row("SET", -3, Flags::WRITE.and(Flags::DENYOOM), Keys::ONE, set).docs("1.0.0", "key value", "Sets a string.", "O(1)"),
];

fn get(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    cx.out.bulk_or_null(cx.db.string(key)?);
    Ok(())
}

fn set(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let value = args.next()?;
    args.finish()?;
    cx.db.set_string(key, value, NEVER);
    cx.db.changed(Class::STRING, "set", key);
    cx.out.ok();
    Ok(())
}
