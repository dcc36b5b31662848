//! SET and its older forms.

use resp_codec::number::{I64_LEN, format_i64};

use crate::command::Args;
use crate::command::string::expiry::{Expiry, Unit};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::NEVER;
use crate::keyspace::notify::Class;

/// The options of SET.
#[derive(Debug, Default)]
struct Options<'a> {
    only_if: Option<OnlyIf>,
    ttl: Ttl<'a>,
    get: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnlyIf {
    Missing,
    Present,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Ttl<'a> {
    #[default]
    Clear,
    Keep,
    Set(Expiry<'a>),
}

impl<'a> Options<'a> {
    /// An option may be repeated: the last value counts.
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while args.remaining() > 0 {
            if args.take("NX") {
                options.require(OnlyIf::Missing)?;
            } else if args.take("XX") {
                options.require(OnlyIf::Present)?;
            } else if args.take("GET") {
                options.get = true;
            } else if args.take("KEEPTTL") {
                if matches!(options.ttl, Ttl::Set(_)) {
                    return Err(ReplyError::Syntax);
                }
                options.ttl = Ttl::Keep;
            } else if let Some(unit) = Unit::take(args) {
                options.ttl = match options.ttl {
                    Ttl::Clear => Ttl::Set(Expiry::next(unit, args)?),
                    Ttl::Set(old) if old.unit == unit => Ttl::Set(Expiry::next(unit, args)?),
                    _ => return Err(ReplyError::Syntax),
                };
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(options)
    }

    fn require(&mut self, only_if: OnlyIf) -> Result {
        match self.only_if.replace(only_if) {
            Some(other) if other != only_if => Err(ReplyError::Syntax),
            _ => Ok(()),
        }
    }
}

pub(super) fn set(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let value = args.next()?;
    if args.remaining() == 0 {
        store(cx, key, value, NEVER);
        cx.out.ok();
        return Ok(());
    }
    let options = Options::parse(&mut args)?;
    let expire_at = match options.ttl {
        Ttl::Set(expiry) => Some(expiry.at(cx)?),
        Ttl::Clear | Ttl::Keep => None,
    };
    if options.get {
        cx.out.bulk_or_null(cx.db.string(key)?);
    }
    let goes_ahead = match options.only_if {
        None => true,
        Some(OnlyIf::Missing) => !cx.db.contains(key),
        Some(OnlyIf::Present) => cx.db.contains(key),
    };
    if !goes_ahead {
        if !options.get {
            cx.out.null();
        }
        return Ok(());
    }
    match (options.ttl, expire_at) {
        (_, Some(at)) => {
            store_with_expiry(cx, key, value, at);
            // The old value is of no use to a follower, and `PXAT` is what it needs already.
            let is_exact =
                matches!(options.ttl, Ttl::Set(expiry) if expiry.unit == Unit::UnixMilliseconds);
            if !is_exact || options.get {
                propagate_with_expiry(cx, key, value, at);
            }
        }
        (Ttl::Keep, None) => {
            cx.db.set_string_keeping_expiry(key, value);
            cx.db.changed(Class::STRING, "set", key);
            if options.get {
                cx.propagate(&[b"SET", key, value, b"KEEPTTL"]);
            }
        }
        (_, None) => {
            store(cx, key, value, NEVER);
            if options.get {
                cx.propagate(&[b"SET", key, value]);
            }
        }
    }
    if !options.get {
        cx.out.ok();
    }
    Ok(())
}

pub(super) fn setnx(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let value = args.next()?;
    let is_new = !cx.db.contains(key);
    if is_new {
        store(cx, key, value, NEVER);
    }
    cx.out.flag(is_new);
    Ok(())
}

pub(super) fn setex(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_for(Unit::Seconds, args, cx)
}

pub(super) fn psetex(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_for(Unit::Milliseconds, args, cx)
}

fn set_for(unit: Unit, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let expiry = Expiry::next(unit, &mut args)?;
    let value = args.next()?;
    let at = expiry.at(cx)?;
    store_with_expiry(cx, key, value, at);
    propagate_with_expiry(cx, key, value, at);
    cx.out.ok();
    Ok(())
}

pub(super) fn getset(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let value = args.next()?;
    cx.out.bulk_or_null(cx.db.string(key)?);
    store(cx, key, value, NEVER);
    cx.propagate(&[b"SET", key, value]);
    Ok(())
}

pub(super) fn mset(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    store_pairs(args, cx)?;
    cx.out.ok();
    Ok(())
}

pub(super) fn msetnx(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let pairs = args;
    if args.remaining() % 2 != 0 {
        return Err(ReplyError::Arity(cx.command_name().into()));
    }
    let is_new = args.rest().step_by(2).all(|key| !cx.db.contains(key));
    if is_new {
        store_pairs(pairs, cx)?;
    }
    cx.out.flag(is_new);
    Ok(())
}

fn store_pairs(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if args.remaining() % 2 != 0 {
        return Err(ReplyError::Arity(cx.command_name().into()));
    }
    while args.remaining() > 0 {
        let key = args.next()?;
        store(cx, key, args.next()?, NEVER);
    }
    Ok(())
}

#[inline]
fn store(cx: &mut Context<'_>, key: &[u8], value: &[u8], expire_at: i64) {
    cx.db.set_string(key, value, expire_at);
    cx.db.changed(Class::STRING, "set", key);
}

fn store_with_expiry(cx: &mut Context<'_>, key: &[u8], value: &[u8], at: i64) {
    store(cx, key, value, at);
    cx.db.event(Class::GENERIC, "expire", key);
}

fn propagate_with_expiry(cx: &mut Context<'_>, key: &[u8], value: &[u8], at: i64) {
    let mut digits = [0; I64_LEN];
    cx.propagate(&[b"SET", key, value, b"PXAT", format_i64(at, &mut digits)]);
}
