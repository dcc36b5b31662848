//! The schedule: values that are due at a time, read in that order. A sorted set of the engine.
//!
//! `ADD time value`, `READ [time]` (what is due by then, or by now; it is removed), `LENGTH_SCHEDULE`, `FLUSH_SCHEDULE`. Times are Unix times in
//! seconds, with fractions if need be.

use kv_server::{Args, Builder, Command, Context, Flags, Keys, Result};

use crate::value;

/// A key that no client means.
const SCHEDULE: &[u8] = b"\0schedule";
/// The same, for how many values there have been.
const COUNT: &[u8] = b"\0scheduled";
const KEYS: [&[u8]; 2] = [SCHEDULE, COUNT];

pub fn add(builder: Builder) -> Builder {
    let write = Flags::WRITE;
    builder
        .command(Command::new("ADD", 3, write, Keys::NONE, put))
        .command(Command::new("READ", -1, write, Keys::NONE, read))
        .command(Command::new(
            "LENGTH_SCHEDULE",
            1,
            Flags::READONLY,
            Keys::NONE,
            length,
        ))
        .command(Command::new("FLUSH_SCHEDULE", 1, write, Keys::NONE, flush))
}

/// `ADD time value`: 1.
fn put(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let time = args.float()?.to_string();
    let kept = value::take(&mut args)?;
    let number = value::call(cx, [b"INCR", COUNT])?.as_i64().unwrap_or(0);
    // The number keeps equal values apart and those of the same time in order.
    let member = [format!("{number:0NUMBER$}").as_bytes(), &kept].concat();
    let reply = value::call(cx, [b"ZADD", SCHEDULE, time.as_bytes(), &member])?;
    cx.reply().frame(&reply);
    Ok(())
}

/// Digits before a value.
const NUMBER: usize = 20;

/// `READ [time]`
fn read(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    #[expect(
        clippy::cast_precision_loss,
        reason = "good for milliseconds until the year 287,396"
    )]
    let time = match args.remaining() {
        0 => cx.now_ms() as f64 / 1000.0,
        _ => args.float()?,
    };
    args.finish()?;
    let time = time.to_string();
    let due = value::call(
        cx,
        [b"ZRANGE", SCHEDULE, b"-inf", time.as_bytes(), b"BYSCORE"],
    )?;
    let due = due.as_slice().unwrap_or_default();
    if !due.is_empty() {
        let range: [&[u8]; 4] = [b"ZREMRANGEBYSCORE", SCHEDULE, b"-inf", time.as_bytes()];
        value::call(cx, range)?;
    }
    cx.reply().array(due.len());
    for member in due {
        let kept = member.as_bytes().and_then(|member| member.get(NUMBER..));
        value::reply(cx, kept.unwrap_or_default());
    }
    Ok(())
}

/// `LENGTH_SCHEDULE`
fn length(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let reply = value::call(cx, [b"ZCARD", SCHEDULE])?;
    cx.reply().frame(&reply);
    Ok(())
}

/// `FLUSH_SCHEDULE`: how many values were removed.
fn flush(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let removed = value::call(cx, [b"ZCARD", SCHEDULE])?;
    for key in KEYS {
        cx.remove(key);
    }
    cx.reply().frame(&removed);
    Ok(())
}

/// Removes all keys but the schedule, and returns how many there were.
pub fn clear_others(cx: &mut Context<'_>) -> Result<usize> {
    let mut kept = Vec::new();
    for key in KEYS {
        let dump = value::call(cx, [b"DUMP", key])?;
        kept.extend(dump.into_bytes().map(|payload| (key, payload)));
    }
    let removed = cx.clear() - kept.len();
    for (key, payload) in &kept {
        value::call(cx, [b"RESTORE", *key, b"0", payload])?;
    }
    Ok(removed)
}
