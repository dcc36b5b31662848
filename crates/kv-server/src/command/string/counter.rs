//! Strings that hold numbers.

use resp_codec::number::{I64_LEN, format_i64, parse_i64};

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::long_double::LongDouble;
use crate::value::Form;

pub(super) fn incr(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    add(key, 1, cx)
}

pub(super) fn decr(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    add(key, -1, cx)
}

pub(super) fn incrby(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let increment = args.integer()?;
    add(key, increment, cx)
}

pub(super) fn decrby(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let decrement = args.integer()?;
    let Some(increment) = decrement.checked_neg() else {
        return Err(ReplyError::text("ERR decrement would overflow"));
    };
    add(key, increment, cx)
}

fn add(key: &[u8], increment: i64, cx: &mut Context<'_>) -> Result {
    let place = cx.db.find_string(key)?;
    let value = match place {
        Some(at) => parse_i64(cx.db.string_at(at)).ok_or(ReplyError::NotInteger)?,
        None => 0,
    };
    let sum = value.checked_add(increment).ok_or(ReplyError::Overflow)?;
    let mut digits = [0; I64_LEN];
    cx.db
        .put_string(place, key, format_i64(sum, &mut digits), Form::Plain);
    cx.db.changed(Class::STRING, "incrby", key);
    cx.out.integer(sum);
    Ok(())
}

pub(super) fn incrbyfloat(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let increment = args.next()?;
    let place = cx.db.find_string(key)?;
    let value = match place {
        Some(at) => LongDouble::parse(cx.db.string_at(at)).ok_or(ReplyError::NotFloat)?,
        None => LongDouble::ZERO,
    };
    let increment = LongDouble::parse(increment).ok_or(ReplyError::NotFloat)?;
    let sum = value.add(increment).ok_or(ReplyError::NanOrInfinity)?;
    let text = sum.to_decimal();
    cx.db.put_string(place, key, &text, Form::Text);
    cx.db.changed(Class::STRING, "incrbyfloat", key);
    cx.propagate(&[b"SET", key, &text, b"KEEPTTL"]);
    cx.out.bulk(&text);
    Ok(())
}
