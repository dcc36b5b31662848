//! Reading fields: one, several, all, some at a time.

use crate::command::Args;
use crate::command::generic::scan::{self, parse_cursor};
use crate::context::Context;
use crate::error::Result;
use crate::value::{Hash, Item};

pub(super) fn hget(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let field = args.next()?;
    let hash: Option<&Hash> = cx.db.get(key)?;
    match hash.and_then(|hash| hash.get(field)) {
        Some(value) => cx.out.item(value),
        None => cx.out.null(),
    }
    Ok(())
}

pub(super) fn hmget(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let longest = cx.longest_output();
    let hash: Option<&Hash> = cx.db.get(key)?;
    cx.out.array(args.remaining());
    for field in args.rest() {
        if cx.out.position() > longest {
            cx.session.cut_off = true;
            break;
        }
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => cx.out.item(value),
            None => cx.out.null(),
        }
    }
    Ok(())
}

pub(super) fn hgetall(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let Some(hash) = cx.db.get::<Hash>(key)? else {
        cx.out.map(0);
        return Ok(());
    };
    cx.out.map(hash.len());
    hash.iter().for_each(|(field, value)| {
        cx.out.item(field);
        cx.out.item(value);
    });
    Ok(())
}

pub(super) fn hkeys(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    halves(args, cx, |(field, _)| field)
}

pub(super) fn hvals(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    halves(args, cx, |(_, value)| value)
}

/// One half of every pair.
fn halves(
    mut args: Args<'_>,
    cx: &mut Context<'_>,
    half: for<'a> fn((Item<'a>, Item<'a>)) -> Item<'a>,
) -> Result {
    let key = args.next()?;
    let Some(hash) = cx.db.get::<Hash>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    cx.out.array(hash.len());
    hash.iter().for_each(|pair| cx.out.item(half(pair)));
    Ok(())
}

pub(super) fn hlen(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let len = cx.db.get(key)?.map_or(0, Hash::len);
    cx.out.len(len);
    Ok(())
}

pub(super) fn hexists(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let field = args.next()?;
    let hash: Option<&Hash> = cx.db.get(key)?;
    cx.out.flag(hash.is_some_and(|hash| hash.contains(field)));
    Ok(())
}

pub(super) fn hstrlen(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let field = args.next()?;
    let hash: Option<&Hash> = cx.db.get(key)?;
    let value = hash.and_then(|hash| hash.get(field));
    cx.out.len(value.map_or(0, Item::len));
    Ok(())
}

pub(super) fn hscan(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let cursor = parse_cursor(args.next()?)?;
    let Some(hash) = cx.db.get::<Hash>(key)? else {
        // As in Redis, the options matter only where there is something to walk over.
        scan::nothing(&mut cx.out);
        return Ok(());
    };
    let options = scan::Options::parse(&mut args, false)?;
    scan::reply(&mut cx.out, cursor, options.count, |cursor, out| {
        let mut step = scan::Step::default();
        step.cursor = hash.scan(cursor, &mut |field, value| {
            step.seen += 1;
            if options.matches(field.bytes(&mut Default::default())) {
                step.written += 2;
                out.item(field);
                out.item(value);
            }
        });
        step
    });
    Ok(())
}
