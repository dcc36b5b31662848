//! DEBUG: what test suites need to bring a server into a state. Off unless `enable-debug-command` allows it.

mod digest;
mod look;
mod reload;

use std::time::Duration;

use resp_codec::write;
use tracing::warn;

use crate::command::Args;
use crate::config::{Protection, memory_size};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{Entry, NEVER};
use crate::reply::Reply;
use crate::sha1::hex;
use crate::value::list;

/// A subcommand: name, handler, and what HELP says of it.
type Subcommand = (
    &'static str,
    fn(Args<'_>, &mut Context<'_>) -> Result,
    &'static [&'static str],
);

#[rustfmt::skip] // a table reads best in columns
const SUBCOMMANDS: &[Subcommand] = &[
    ("CHANGE-REPL-ID", change_repl_id, &["CHANGE-REPL-ID", "    Change the replication ID of the instance."]),
    ("DIGEST", digest_all, &["DIGEST", "    Output a hex signature representing the current DB content."]),
    ("DIGEST-VALUE", digest_value, &["DIGEST-VALUE <key> [<key> ...]", "    Output a hex signature of the values of all the specified keys."]),
    ("ERROR", error, &["ERROR <string>", "    Return a Redis protocol error with <string> as message."]),
    ("HELP", help, &[]),
    ("HTSTATS", look::htstats, &["HTSTATS <dbid> [full]", "    Return hash table statistics of the specified database."]),
    ("HTSTATS-KEY", look::htstats_key, &["HTSTATS-KEY <key> [full]", "    Like HTSTATS but for the hash table stored at <key>'s value."]),
    ("LOADAOF", loadaof, &["LOADAOF", "    Reload the AOF in memory."]),
    ("LOG", log, &["LOG <message>", "    Write <message> to the server log."]),
    ("OBJECT", look::object, &["OBJECT <key>", "    Show low level info about `key` and associated value."]),
    ("PAUSE-CRON", pause_cron, &["PAUSE-CRON <0|1>", "    Stop periodic jobs: active expiry, closing idle clients, saving by itself."]),
    ("POPULATE", populate, &["POPULATE <count> [<prefix>] [<size>]", "    Create <count> string keys named key:<num>. If <prefix> is specified then", "    it is used instead of the 'key' prefix. These are not propagated."]),
    ("PROTOCOL", protocol, &["PROTOCOL <type>", "    Reply with a test value of the specified type. <type> can be: string,", "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,", "    true, false."]),
    ("QUICKLIST-PACKED-THRESHOLD", quicklist_packed_threshold, &["QUICKLIST-PACKED-THRESHOLD <size>", "    Sets from which length on an element of a quicklist gets a node of its own.", "    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default."]),
    ("RELOAD", reload::reload, &["RELOAD [MERGE] [NOFLUSH] [NOSAVE]", "    Save the RDB on disk (unless NOSAVE) and load it back to memory: in the place of", "    the data, or in addition to it (NOFLUSH), where it wins (MERGE) or must not", "    hold keys that are there."]),
    ("SET-ACTIVE-EXPIRE", set_active_expire, &["SET-ACTIVE-EXPIRE <0|1>", "    Setting it to 0 disables expiring keys in background when they are not", "    accessed. Setting it to 1 reenables back the default."]),
    ("SLEEP", sleep, &["SLEEP <seconds>", "    Stop the server for <seconds>. Decimals allowed."]),
];

/// DEBUG subcommand \[arg ...]
pub(super) fn debug(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let allowed = match cx.shared.config.debug_command {
        Protection::No => false,
        Protection::Yes => true,
        Protection::Local => cx.session.origin.is_local(),
    };
    if !allowed {
        return Err(ReplyError::text(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
        ));
    }
    let found = SUBCOMMANDS.iter().find(|(name, ..)| args.take(name));
    let Some((_, run, _)) = found else {
        return Err(ReplyError::subcommand_syntax(&args));
    };
    run(args, cx).map_err(|error| match error {
        // An argument too few or too many.
        ReplyError::Syntax => ReplyError::subcommand_syntax(&args),
        other => other,
    })
}

fn help(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    args.finish()?;
    let lines: Vec<_> = SUBCOMMANDS
        .iter()
        .flat_map(|(_, _, lines)| *lines)
        .copied()
        .collect();
    cx.out.help("DEBUG", &lines);
    Ok(())
}

/// Nobody is served meanwhile: that is what it is for.
fn sleep(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let seconds = args.float()?;
    args.finish()?;
    let pause = Duration::try_from_secs_f64(seconds).map_err(|_| ReplyError::OutOfRange)?;
    std::thread::sleep(pause);
    cx.shared.slept = true;
    cx.out.ok();
    Ok(())
}

/// A number that is not 0.
fn switch(args: &mut Args<'_>) -> Result<bool> {
    let on = args.integer()? != 0;
    args.finish()?;
    Ok(on)
}

fn set_active_expire(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.shared.active_expiry = switch(&mut args)?;
    cx.out.ok();
    Ok(())
}

fn pause_cron(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.shared.cron_paused = switch(&mut args)?;
    cx.out.ok();
    Ok(())
}

fn quicklist_packed_threshold(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    /// Redis counts the bytes of an element in 32 bits.
    const MAX: usize = u32::MAX as usize;
    let size = memory_size(args.next()?).filter(|&size| size <= MAX);
    args.finish()?;
    cx.shared.config.list.alone = match size {
        Some(0) => list::Limits::default().alone,
        Some(size) => size,
        None => {
            return Err(ReplyError::text(
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
            ));
        }
    };
    cx.out.ok();
    Ok(())
}

fn change_repl_id(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    args.finish()?;
    cx.shared.replication_id = cx.shared.rng.hex_id();
    cx.out.ok();
    Ok(())
}

fn loadaof(args: Args<'_>, _: &mut Context<'_>) -> Result {
    args.finish()?;
    Err(ReplyError::text("ERR there is no append-only file to load"))
}

fn log(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let message = args.next()?;
    args.finish()?;
    warn!(message = %message.escape_ascii(), "DEBUG LOG");
    cx.out.ok();
    Ok(())
}

fn error(mut args: Args<'_>, _: &mut Context<'_>) -> Result {
    let text = String::from_utf8_lossy(args.next()?).into_owned();
    args.finish()?;
    // The writer of errors leaves out what would end the line.
    Err(ReplyError::text(text))
}

fn digest_all(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    args.finish()?;
    let digest = digest::of_all(cx.others.with(cx.db));
    cx.out.simple(&hex(&digest));
    Ok(())
}

fn digest_value(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.array(args.remaining());
    for key in args.rest() {
        let digest = digest::of_value(cx.db.peek(key));
        cx.out.simple(&hex(&digest));
    }
    Ok(())
}

/// DEBUG POPULATE count \[prefix] \[size]
fn populate(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let count = args.count(0, ReplyError::MustBePositive)?;
    let prefix = match args.remaining() {
        0 => b"key",
        _ => args.next()?,
    };
    let size = match args.remaining() {
        0 => 0,
        _ => args.count(0, ReplyError::MustBePositive)?,
    };
    args.finish()?;
    if size > cx.shared.config.max_bulk_bytes {
        return Err(ReplyError::StringTooLong);
    }
    for number in 0..count {
        let key = [prefix, format!(":{number}").as_bytes()].concat();
        if cx.db.contains(&key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        cx.db.insert(Entry::string_from(&key, value, NEVER));
        // No change to count and none to propagate, but one that others notice.
        cx.db.touched(&key);
    }
    cx.out.ok();
    Ok(())
}

fn protocol(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let kind = args.next()?.to_ascii_lowercase();
    args.finish()?;
    let out = &mut cx.out;
    let numbers = |out: &mut Reply<'_>| (0..3).for_each(|number| out.integer(number));
    match &kind[..] {
        b"string" => out.bulk(b"Hello World"),
        b"integer" => out.integer(12345),
        #[expect(clippy::approx_constant, reason = "Redis's words")]
        b"double" => out.double(3.141),
        b"bignum" => write::big_number(
            out.buf,
            out.version,
            b"1234567999999999999999999999999999999",
        ),
        b"null" => out.null(),
        b"array" => {
            out.array(3);
            numbers(out);
        }
        b"set" => {
            out.set(3);
            numbers(out);
        }
        b"map" => {
            out.map(3);
            for number in 0..3 {
                out.integer(number);
                out.boolean(number == 1);
            }
        }
        b"attrib" => {
            if out.is_resp3() {
                write::attribute_header(out.buf, 1);
                out.bulk(b"key-popularity");
                out.array(2);
                out.bulk(b"key:123");
                out.integer(90);
            }
            // An attribute is no reply.
            out.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if !out.is_resp3() {
                return Err(ReplyError::text(
                    "ERR RESP2 is not supported by this command",
                ));
            }
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.integer(42);
            // Nor is a push.
            out.bulk(b"Some real reply following the push reply");
        }
        b"true" => out.boolean(true),
        b"false" => out.boolean(false),
        b"verbatim" => out.text("This is a verbatim\nstring"),
        _ => {
            return Err(ReplyError::text(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}
