//! When keys expire.

use resp_codec::number::{I64_LEN, format_i64};

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{LATEST, NEVER};
use crate::keyspace::notify::Class;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// Counted from now.
    Now,
    /// Counted from the Unix epoch.
    Epoch,
}

/// Which expiries the new one may replace.
#[derive(Debug, Default, Clone, Copy)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(args: &mut Args<'_>) -> Result<Self> {
        let mut condition = Self::default();
        while let Some(word) = args.peek() {
            let flag = if args.take("NX") {
                &mut condition.nx
            } else if args.take("XX") {
                &mut condition.xx
            } else if args.take("GT") {
                &mut condition.gt
            } else if args.take("LT") {
                &mut condition.lt
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(ReplyError::text(format!("ERR Unsupported option {word}")));
            };
            *flag = true;
        }
        let Self { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(ReplyError::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if gt && lt {
            return Err(ReplyError::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(condition)
    }

    /// A key that never expires has a later expiry than any other.
    fn allows(self, old: i64, new: i64) -> bool {
        !(self.nx && old != NEVER
            || self.xx && old == NEVER
            || self.gt && new <= old
            || self.lt && new >= old)
    }
}

pub(super) fn expire(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_expiry(args, cx, Base::Now, Unit::Seconds)
}

pub(super) fn pexpire(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_expiry(args, cx, Base::Now, Unit::Milliseconds)
}

pub(super) fn expireat(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_expiry(args, cx, Base::Epoch, Unit::Seconds)
}

pub(super) fn pexpireat(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set_expiry(args, cx, Base::Epoch, Unit::Milliseconds)
}

fn set_expiry(mut args: Args<'_>, cx: &mut Context<'_>, base: Base, unit: Unit) -> Result {
    let key = args.next()?;
    let number = args.next()?;
    // Redis reads the options before it reads the number.
    let condition = Condition::parse(&mut args)?;
    let number = resp_codec::number::parse_i64(number).ok_or(ReplyError::NotInteger)?;
    let base = match base {
        Base::Now => cx.now_ms(),
        Base::Epoch => 0,
    };
    let scale = match unit {
        Unit::Seconds => 1000,
        Unit::Milliseconds => 1,
    };
    let at = number
        .checked_mul(scale)
        .and_then(|ms| ms.checked_add(base))
        .ok_or_else(|| ReplyError::InvalidExpire(cx.command_name().into()))?
        .min(LATEST);
    let goes_ahead = cx
        .db
        .expire_at(key)
        .is_some_and(|old| condition.allows(old, at));
    if goes_ahead && at <= cx.now_ms() {
        cx.remove(key);
        cx.propagate(&[b"DEL", key]);
    } else if goes_ahead {
        cx.db.set_expire_at(key, at);
        cx.db.changed(Class::GENERIC, "expire", key);
        cx.propagate(&[b"PEXPIREAT", key, format_i64(at, &mut [0; I64_LEN])]);
    }
    cx.out.flag(goes_ahead);
    Ok(())
}

pub(super) fn ttl(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    show_expiry(args, cx, Base::Now, Unit::Seconds)
}

pub(super) fn pttl(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    show_expiry(args, cx, Base::Now, Unit::Milliseconds)
}

pub(super) fn expiretime(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    show_expiry(args, cx, Base::Epoch, Unit::Seconds)
}

pub(super) fn pexpiretime(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    show_expiry(args, cx, Base::Epoch, Unit::Milliseconds)
}

/// -2 without a key, -1 without an expiry; seconds are rounded to the nearest.
fn show_expiry(mut args: Args<'_>, cx: &mut Context<'_>, base: Base, unit: Unit) -> Result {
    let key = args.next()?;
    let now = cx.now_ms();
    let shown = match cx.db.look(key).map(|entry| entry.expire_at()) {
        None => -2,
        Some(NEVER) => -1,
        Some(at) => {
            let ms = match base {
                Base::Now => at.saturating_sub(now).max(0),
                Base::Epoch => at,
            };
            match unit {
                Unit::Seconds => ms.saturating_add(500) / 1000,
                Unit::Milliseconds => ms,
            }
        }
    };
    cx.out.integer(shown);
    Ok(())
}

pub(super) fn persist(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let had_expiry = cx.db.expire_at(key).is_some_and(|at| at != NEVER);
    if had_expiry {
        cx.db.set_expire_at(key, NEVER);
        cx.db.changed(Class::GENERIC, "persist", key);
    }
    cx.out.flag(had_expiry);
    Ok(())
}
