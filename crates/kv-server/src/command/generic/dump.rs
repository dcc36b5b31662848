//! DUMP and RESTORE: values on their way from one server to another.

use resp_codec::number::{I64_LEN, format_i64, parse_i64};
use tracing::error;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{LATEST, NEVER};
use crate::keyspace::notify::Class;
use crate::persist;

pub(super) fn dump(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let Some(entry) = cx.db.read(key) else {
        cx.out.null();
        return Ok(());
    };
    let payload = persist::dump(entry, &cx.shared.config).map_err(|failed| {
        error!(error = %failed, "DUMP");
        ReplyError::text("ERR the value cannot be written")
    })?;
    cx.out.bulk(&payload);
    cx.db.close_list(key, 0..usize::MAX);
    Ok(())
}

/// The options of RESTORE.
#[derive(Debug, Default)]
struct Options {
    replace: bool,
    /// The time to live is a Unix time.
    absolute: bool,
    idle_seconds: Option<i64>,
    /// For LFU policies; no other has a use for it. They have none for `idle_seconds`.
    frequency: Option<i64>,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Self> {
        let mut options = Self::default();
        while args.remaining() > 0 {
            let has_value = args.remaining() > 1;
            if args.take("REPLACE") {
                options.replace = true;
            } else if args.take("ABSTTL") {
                options.absolute = true;
            } else if has_value && options.frequency.is_none() && args.take("IDLETIME") {
                let seconds = args.integer()?;
                if seconds < 0 {
                    return Err(ReplyError::text("ERR Invalid IDLETIME value, must be >= 0"));
                }
                options.idle_seconds = Some(seconds);
            } else if has_value && options.idle_seconds.is_none() && args.take("FREQ") {
                let frequency = args.integer()?;
                if !(0..=255).contains(&frequency) {
                    return Err(ReplyError::text(
                        "ERR Invalid FREQ value, must be >= 0 and <= 255",
                    ));
                }
                options.frequency = Some(frequency);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(options)
    }
}

/// RESTORE key ttl serialized-value \[REPLACE] \[ABSTTL] \[IDLETIME seconds] \[FREQ frequency]
pub(super) fn restore(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, ttl, payload) = (args.next()?, args.next()?, args.next()?);
    let options = Options::parse(&mut args)?;
    // As in Redis, a key that is in the way is told of before the rest is looked at.
    if !options.replace && cx.db.contains(key) {
        return Err(ReplyError::BusyKey);
    }
    let ttl = parse_i64(ttl).ok_or(ReplyError::NotInteger)?;
    let expire_at = match ttl {
        ..0 => return Err(ReplyError::text("ERR Invalid TTL value, must be >= 0")),
        0 => NEVER,
        _ if options.absolute => ttl.min(LATEST),
        _ => ttl
            .checked_add(cx.now_ms())
            .ok_or_else(|| ReplyError::InvalidExpire("restore".into()))?
            .min(LATEST),
    };
    let entry = persist::restore(payload, key, expire_at, &cx.shared.config)?;
    let old = cx.db.remove(key);
    let was_there = old.is_some();
    if let Some(old) = old {
        cx.shared.garbage.bury(old);
    }
    cx.out.ok();
    if expire_at <= cx.now_ms() {
        if was_there {
            cx.db.changed(Class::GENERIC, "del", key);
            cx.propagate(&[b"DEL", key]);
        }
        return Ok(());
    }
    cx.db.insert(entry);
    if let Some(seconds) = options.idle_seconds {
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        cx.db.set_idle_seconds(key, seconds);
    }
    if let Some(frequency) = options.frequency {
        let frequency = u8::try_from(frequency).unwrap_or(u8::MAX);
        cx.db.set_frequency(key, frequency);
    }
    cx.db.changed(Class::GENERIC, "restore", key);
    if ttl > 0 && !options.absolute {
        let mut digits = [0; I64_LEN];
        let at = format_i64(expire_at, &mut digits);
        let mut command: Vec<&[u8]> = vec![b"RESTORE", key, at, payload, b"ABSTTL"];
        command.extend(args.all().skip(4));
        cx.propagate(&command);
    }
    Ok(())
}
