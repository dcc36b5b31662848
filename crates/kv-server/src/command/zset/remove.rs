//! Taking members out by name or range.

use super::bounds::{Bounds, By};
use crate::command::Args;
use crate::context::Context;
use crate::error::Result;
use crate::keyspace::notify::Class;
use crate::value::Zset;

pub(super) fn zrem(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let Some(zset) = cx.db.get_mut::<Zset>(key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let removed = args.rest().filter(|member| zset.remove(member)).count();
    let is_empty = zset.len() == 0;
    finish(key, "zrem", removed, is_empty, cx);
    Ok(())
}

pub(super) fn zremrangebyrank(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    range(By::Rank, "zremrangebyrank", args, cx)
}

pub(super) fn zremrangebyscore(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    range(By::Score, "zremrangebyscore", args, cx)
}

pub(super) fn zremrangebylex(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    range(By::Lex, "zremrangebylex", args, cx)
}

fn range(by: By, event: &'static str, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let bounds = Bounds::parse(by, false, &mut args)?;
    let Some(zset) = cx.db.get_mut::<Zset>(key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let (from, to) = bounds.ranks(zset, false);
    if to - from == zset.len() {
        // Whoever has time frees the whole of it.
        cx.db.changed(Class::SORTED_SET, event, key);
        cx.db.remove(key);
        cx.db.event(Class::GENERIC, "del", key);
        cx.out.len(to - from);
        return Ok(());
    }
    zset.remove_range(from, to - from);
    finish(key, event, to - from, false, cx);
    Ok(())
}

fn finish(key: &[u8], event: &'static str, removed: usize, is_empty: bool, cx: &mut Context<'_>) {
    if removed > 0 {
        cx.db.changed(Class::SORTED_SET, event, key);
    }
    if is_empty {
        cx.remove_emptied(key);
    }
    cx.out.len(removed);
}
