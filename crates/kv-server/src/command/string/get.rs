//! GET, and the commands that read a string and change its key.

use resp_codec::number::{I64_LEN, format_i64};

use crate::command::Args;
use crate::command::string::expiry::{Expiry, Unit};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;

pub(super) fn get(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    cx.out.bulk_or_null(cx.db.string(key)?);
    Ok(())
}

pub(super) fn mget(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let longest = cx.longest_output();
    cx.out.array(args.remaining());
    for key in args.rest() {
        if cx.out.position() > longest {
            cx.session.cut_off = true;
            break;
        }
        cx.out
            .bulk_or_null(cx.db.read(key).and_then(Entry::as_string));
    }
    Ok(())
}

pub(super) fn getdel(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let value = cx.db.string(key)?;
    let found = value.is_some();
    cx.out.bulk_or_null(value);
    if found {
        delete(cx, key);
    }
    Ok(())
}

fn delete(cx: &mut Context<'_>, key: &[u8]) {
    cx.remove(key);
    cx.propagate(&[b"DEL", key]);
}

/// What GETEX does to the expiry.
#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Nothing,
    Persist,
    Expire(Expiry<'a>),
}

impl<'a> Change<'a> {
    /// The same option may be repeated: the last value counts.
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut change = Self::Nothing;
        while args.remaining() > 0 {
            if matches!(change, Self::Nothing | Self::Persist) && args.take("PERSIST") {
                change = Self::Persist;
                continue;
            }
            let unit = Unit::take(args).ok_or(ReplyError::Syntax)?;
            match change {
                Self::Nothing => {}
                Self::Expire(old) if old.unit == unit => {}
                _ => return Err(ReplyError::Syntax),
            }
            change = Self::Expire(Expiry::next(unit, args)?);
        }
        Ok(change)
    }
}

pub(super) fn getex(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let change = Change::parse(&mut args)?;
    let Some(value) = cx.db.string(key)? else {
        cx.out.null();
        return Ok(());
    };
    cx.out.bulk(value);
    match change {
        Change::Nothing => {}
        Change::Persist => {
            if cx.db.expire_at(key) != Some(NEVER) {
                cx.db.set_expire_at(key, NEVER);
                cx.db.changed(Class::GENERIC, "persist", key);
                cx.propagate(&[b"PERSIST", key]);
            }
        }
        Change::Expire(expiry) => {
            let at = expiry.at(cx)?;
            if expiry.unit.is_absolute() && at <= cx.now_ms() {
                delete(cx, key);
                return Ok(());
            }
            cx.db.set_expire_at(key, at);
            cx.db.changed(Class::GENERIC, "expire", key);
            cx.propagate(&[b"PEXPIREAT", key, format_i64(at, &mut [0; I64_LEN])]);
        }
    }
    Ok(())
}
