//! Extensions: further commands that are loaded by name when the server starts (`--extension NAME`).
//!
//! To write one, add a row to [`ALL`] and a function that adds commands to the builder.

use crate::value;
use kv_server::{Args, Builder, Command, Context, Flags, Keys, Result};

/// The name, what it adds, and how.
type Extension = (&'static str, &'static str, fn(Builder) -> Builder);

pub const ALL: &[Extension] = &[
    (
        "counter",
        "INCR key, DECR key, INCRBY key n, DECRBY key n",
        counter,
    ),
    ("text", "APPEND key text, LEN key, UPPER key", text),
];

/// Adds the extension of this name.
pub fn load(builder: Builder, name: &str) -> std::result::Result<Builder, String> {
    let found = ALL.iter().find(|(known, ..)| *known == name);
    let names = || ALL.iter().map(|(name, ..)| *name).collect::<Vec<_>>();
    found
        .map(|(_, _, add)| add(builder))
        .ok_or_else(|| format!("no extension '{name}'; there are: {}", names().join(", ")))
}

fn counter(builder: Builder) -> Builder {
    let rows = [("INCR", 2), ("DECR", 2), ("INCRBY", 3), ("DECRBY", 3)];
    rows.into_iter().fold(builder, |builder, (name, arity)| {
        pass_on(builder, name, name, arity)
    })
}

fn text(builder: Builder) -> Builder {
    let builder = pass_on(builder, "APPEND", "APPEND", 3);
    let builder = pass_on(builder, "LEN", "STRLEN", 2);
    builder.command(Command::new(
        "UPPER",
        2,
        Flags::READONLY,
        Keys::READ_ONE,
        upper,
    ))
}

/// Adds a built-in command under a name of its own.
fn pass_on(builder: Builder, name: &str, built_in: &'static str, arity: i16) -> Builder {
    let run = move |mut args: Args<'_>, cx: &mut Context<'_>| {
        let reply = value::call(cx, std::iter::once(built_in.as_bytes()).chain(args.rest()))?;
        cx.reply().frame(&reply);
        Ok(())
    };
    builder.command(Command::new(name, arity, Flags::WRITE, Keys::ONE, run))
}

/// `UPPER key`: the text in capital letters, or null.
fn upper(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let value = cx.get(args.next()?)?.map(<[u8]>::to_ascii_uppercase);
    cx.reply().bulk_or_null(value.as_deref());
    Ok(())
}
