//! What the finished program has beyond the first six commands: lists, hashes, sets, expiry, a schedule, and data on disk.
//!
//! Lists, hashes and sets are the engine's own commands, with values that may nest.

use std::path::PathBuf;
use std::sync::Arc;

use kv_server::{Args, Builder, Command, Context, Existing, Flags, Keys, ReplyError, Result};

use crate::{schedule, value};

/// A built-in command: the name, whether it writes, and which arguments are values rather than names or numbers.
type Row = (&'static str, bool, fn(usize) -> bool);

#[rustfmt::skip] // a table reads best in columns
const BUILT_IN: &[Row] = &[
    ("EXISTS",      false, none),
    ("EXPIRE",      true,  none),
    ("PERSIST",     true,  none),
    ("TTL",         false, none),
    ("HDEL",        true,  none),
    ("HEXISTS",     false, none),
    ("HGET",        false, none),
    ("HKEYS",       false, none),
    ("HLEN",        false, none),
    ("HMGET",       false, none),
    ("HSET",        true,  every_second),
    ("HSETNX",      true,  every_second),
    ("HVALS",       false, none),
    ("LINDEX",      false, none),
    ("LLEN",        false, none),
    ("LPOP",        true,  none),
    ("LPUSH",       true,  all_behind_the_key),
    ("LRANGE",      false, none),
    ("LREM",        true,  every_second),
    ("LSET",        true,  every_second),
    ("LTRIM",       true,  none),
    ("RPOP",        true,  none),
    ("RPOPLPUSH",   true,  none),
    ("RPUSH",       true,  all_behind_the_key),
    ("SADD",        true,  all_behind_the_key),
    ("SCARD",       false, none),
    ("SDIFF",       false, none),
    ("SDIFFSTORE",  true,  none),
    ("SINTER",      false, none),
    ("SINTERSTORE", true,  none),
    ("SISMEMBER",   false, all_behind_the_key),
    ("SMEMBERS",    false, none),
    ("SPOP",        true,  none),
    ("SREM",        true,  all_behind_the_key),
    ("SUNION",      false, none),
    ("SUNIONSTORE", true,  none),
];

fn none(_: usize) -> bool {
    false
}

fn all_behind_the_key(at: usize) -> bool {
    at >= 1
}

/// `key field value field value`, `key index value`
fn every_second(at: usize) -> bool {
    at >= 2 && at % 2 == 0
}

/// Adds the later commands; files are read and written in `dir`.
pub fn add(builder: Builder, dir: PathBuf) -> Builder {
    let dir = Arc::new(dir);
    let builder = builder.only_builtin_commands(["QUIT", "SHUTDOWN"]);
    let builder = BUILT_IN
        .iter()
        .fold(builder, |builder, &(name, writes, is_value)| {
            let flags = if writes {
                Flags::WRITE
            } else {
                Flags::READONLY
            };
            builder.command(Command::new(name, -1, flags, Keys::ONE, move |args, cx| {
                built_in(name, is_value, args, cx)
            }))
        });
    let builder = schedule::add(builder);
    let (saved, restored, merged) = (dir.clone(), dir.clone(), dir);
    let write = Flags::WRITE;
    builder
        .command(Command::new("POP", 2, write, Keys::ONE, pop))
        .command(Command::new("MPOP", -2, write, Keys::ALL, mpop))
        .command(Command::new(
            "HGETALL",
            2,
            Flags::READONLY,
            Keys::READ_ONE,
            hgetall,
        ))
        .command(Command::new("LFLUSH", 2, write, Keys::ONE, lflush))
        .command(Command::new(
            "SAVE",
            2,
            Flags::ADMIN,
            Keys::NONE,
            move |mut args, cx| {
                cx.save_snapshot(file(&saved, &mut args)?)?;
                cx.reply().integer(1);
                Ok(())
            },
        ))
        .command(Command::new(
            "RESTORE",
            2,
            write,
            Keys::NONE,
            move |mut args, cx| read(file(&restored, &mut args)?, Existing::Remove, cx),
        ))
        .command(Command::new(
            "MERGE",
            2,
            write,
            Keys::NONE,
            move |mut args, cx| read(file(&merged, &mut args)?, Existing::Replace, cx),
        ))
}

fn built_in(
    name: &str,
    is_value: fn(usize) -> bool,
    mut args: Args<'_>,
    cx: &mut Context<'_>,
) -> Result {
    let mut command = vec![name.as_bytes().to_vec()];
    for at in 0..args.remaining() {
        command.push(if is_value(at) {
            value::take(&mut args)?.into_owned()
        } else {
            args.next()?.to_vec()
        });
    }
    let reply = value::call(cx, command)?;
    value::reply_all(cx, &reply);
    Ok(())
}

/// `HGETALL key`: a dictionary.
fn hgetall(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let reply = value::call(cx, [b"HGETALL", args.next()?])?;
    let parts = reply.as_slice().unwrap_or_default();
    cx.reply()
        .raw(format!("%{}\r\n", parts.len() / 2).as_bytes());
    for pair in parts.chunks_exact(2) {
        cx.reply().frame(&pair[0]);
        value::reply_all(cx, &pair[1]);
    }
    Ok(())
}

/// `POP key`: the value, which is removed.
fn pop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let reply = value::call(cx, [b"GETDEL", args.next()?])?;
    value::reply_all(cx, &reply);
    Ok(())
}

/// `MPOP key ...`
fn mpop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    // All are strings, or none is removed.
    let keys = args.rest();
    for key in keys.clone() {
        cx.get(key)?;
    }
    cx.reply().array(keys.len());
    for key in keys {
        let reply = value::call(cx, [b"GETDEL", key])?;
        value::reply_all(cx, &reply);
    }
    Ok(())
}

/// `LFLUSH key`: how many elements the list had.
fn lflush(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let length = value::call(cx, [b"LLEN", key])?;
    cx.remove(key);
    cx.reply().frame(&length);
    Ok(())
}

/// 1, or 0 if there is no such file.
fn read(file: PathBuf, existing: Existing, cx: &mut Context<'_>) -> Result {
    let found = cx.load_snapshot(file, existing)?.is_some();
    cx.reply().flag(found);
    Ok(())
}

/// A file in the server's directory; names that lead elsewhere are refused.
fn file(dir: &std::path::Path, args: &mut Args<'_>) -> Result<PathBuf> {
    let name = args.next()?;
    let is_plain = !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    if !is_plain || name.starts_with(b".") {
        return Err(ReplyError::text(
            "A file's name has letters, digits, '-', '_' and '.' only",
        ));
    }
    Ok(dir.join(String::from_utf8_lossy(name).as_ref()))
}
