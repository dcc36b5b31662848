//! Fields that hold numbers.

use resp_codec::number::{I64_LEN, format_i64};

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::long_double::LongDouble;
use crate::value::{Hash, Item};

pub(super) fn hincrby(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let field = args.next()?;
    let increment = args.integer()?;
    let value = cx
        .db
        .get_mut::<Hash>(key)?
        .and_then(|hash| hash.get(field))
        .map_or(Some(0), Item::integer)
        .ok_or_else(|| ReplyError::text("ERR hash value is not an integer"))?;
    let sum = value.checked_add(increment).ok_or(ReplyError::Overflow)?;
    put(key, field, format_i64(sum, &mut [0; I64_LEN]), cx)?;
    cx.db.changed(Class::HASH, "hincrby", key);
    cx.out.integer(sum);
    Ok(())
}

pub(super) fn hincrbyfloat(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let field = args.next()?;
    let increment = LongDouble::parse(args.next()?).ok_or(ReplyError::NotFloat)?;
    if increment == LongDouble::Infinite {
        return Err(ReplyError::text("ERR value is NaN or Infinity"));
    }
    let value = cx
        .db
        .get_mut::<Hash>(key)?
        .and_then(|hash| hash.get(field))
        .map_or(Some(LongDouble::ZERO), |value| {
            LongDouble::parse(value.bytes(&mut [0; I64_LEN]))
        })
        .ok_or_else(|| ReplyError::text("ERR hash value is not a float"))?;
    let sum = value.add(increment).ok_or(ReplyError::NanOrInfinity)?;
    let expires = cx
        .db
        .view::<Hash>(key)
        .is_some_and(|hash| hash.expire_at(field).is_some());
    let text = sum.to_decimal();
    put(key, field, &text, cx)?;
    cx.db.changed(Class::HASH, "hincrbyfloat", key);
    if expires {
        // HSET would let the field live for ever.
        cx.propagate(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, &text]);
    } else {
        cx.propagate(&[b"HSET", key, field, &text]);
    }
    cx.out.bulk(&text);
    Ok(())
}

fn put(key: &[u8], field: &[u8], value: &[u8], cx: &mut Context<'_>) -> Result {
    let limits = cx.shared.config.hash;
    let hash: &mut Hash = cx.db.get_or_default(key)?;
    hash.expect(1, [field, value].into_iter(), &limits);
    hash.set_keeping_expiry(field, value, &limits);
    Ok(())
}
