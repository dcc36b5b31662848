//! Setting fields, and taking them out.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::Hash;

pub(super) fn hset(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let added = set("hset", args, cx)?;
    cx.out.len(added);
    Ok(())
}

pub(super) fn hmset(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    set("hmset", args, cx)?;
    cx.out.ok();
    Ok(())
}

/// Sets pairs of field and value; returns how many fields are new.
fn set(name: &'static str, mut args: Args<'_>, cx: &mut Context<'_>) -> Result<usize> {
    let key = args.next()?;
    if args.remaining() % 2 != 0 {
        return Err(ReplyError::Arity(name.into()));
    }
    let limits = cx.shared.config.hash;
    let hash: &mut Hash = cx.db.get_or_default(key)?;
    let texts = args.rest();
    hash.expect(texts.len() / 2, texts.clone(), &limits);
    let pairs = texts.len() as u64 / 2;
    let mut texts = texts;
    let mut added = 0;
    while let (Some(field), Some(value)) = (texts.next(), texts.next()) {
        added += usize::from(hash.set(field, value, &limits));
    }
    cx.db.changed_by(pairs, Class::HASH, "hset", key);
    Ok(added)
}

pub(super) fn hsetnx(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let (field, value) = (args.next()?, args.next()?);
    let limits = cx.shared.config.hash;
    let hash: &mut Hash = cx.db.get_or_default(key)?;
    let is_new = !hash.contains(field);
    if is_new {
        hash.expect(1, [field, value].into_iter(), &limits);
        hash.set(field, value, &limits);
        cx.db.changed(Class::HASH, "hset", key);
    }
    cx.out.flag(is_new);
    Ok(())
}

pub(super) fn hdel(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let Some(hash) = cx.db.get_mut::<Hash>(key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let removed = args.rest().filter(|field| hash.remove(field)).count();
    let is_empty = hash.is_empty();
    if removed > 0 {
        cx.db.changed_by(removed as u64, Class::HASH, "hdel", key);
    }
    if is_empty {
        cx.remove_emptied(key);
    }
    cx.out.len(removed);
    Ok(())
}
