//! Members one by one: adding, removing, asking, walking.

use crate::command::Args;
use crate::command::generic::scan::{self, parse_cursor};
use crate::context::Context;
use crate::error::Result;
use crate::keyspace::notify::Class;
use crate::value::Set;

pub(super) fn sadd(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let (first, count) = (args.peek().unwrap_or_default(), args.remaining());
    let limits = cx.shared.config.set;
    let set: &mut Set = cx
        .db
        .get_or_insert(key, || Set::for_members(first, count, &limits))?;
    set.expect(count, &limits);
    let added = args
        .rest()
        .filter(|member| set.insert(member, &limits))
        .count();
    if added > 0 {
        cx.db.changed_by(added as u64, Class::SET, "sadd", key);
    }
    cx.out.len(added);
    Ok(())
}

pub(super) fn srem(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let Some(set) = cx.db.get_mut::<Set>(key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let removed = args.rest().filter(|member| set.remove(member)).count();
    let is_empty = set.len() == 0;
    if removed > 0 {
        cx.db.changed_by(removed as u64, Class::SET, "srem", key);
    }
    if is_empty {
        cx.remove_emptied(key);
    }
    cx.out.len(removed);
    Ok(())
}

pub(super) fn smove(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (source, destination) = (args.next()?, args.next()?);
    let member = args.next()?;
    if !cx.db.contains(source) {
        cx.out.integer(0);
        return Ok(());
    }
    // The types first: nothing may change if one is wrong.
    let is_member = cx
        .db
        .get_mut::<Set>(source)?
        .is_some_and(|set| set.contains(member));
    cx.db.get_mut::<Set>(destination)?;
    cx.out.flag(is_member);
    if !is_member || source == destination {
        return Ok(());
    }
    if let Some(set) = cx.db.get_mut::<Set>(source)? {
        set.remove(member);
    }
    cx.db.changed(Class::SET, "srem", source);
    cx.remove_emptied(source);
    let limits = cx.shared.config.set;
    let set: &mut Set = cx
        .db
        .get_or_insert(destination, || Set::for_members(member, 1, &limits))?;
    if set.insert(member, &limits) {
        cx.db.changed(Class::SET, "sadd", destination);
    }
    Ok(())
}

pub(super) fn scard(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let len = cx.db.get(key)?.map_or(0, Set::len);
    cx.out.len(len);
    Ok(())
}

pub(super) fn sismember(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let member = args.next()?;
    let set: Option<&Set> = cx.db.get(key)?;
    cx.out.flag(set.is_some_and(|set| set.contains(member)));
    Ok(())
}

pub(super) fn smismember(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let set: Option<&Set> = cx.db.get(key)?;
    cx.out.array(args.remaining());
    for member in args.rest() {
        cx.out.flag(set.is_some_and(|set| set.contains(member)));
    }
    Ok(())
}

pub(super) fn smembers(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let Some(set) = cx.db.get::<Set>(key)? else {
        cx.out.set(0);
        return Ok(());
    };
    cx.out.set(set.len());
    set.iter().for_each(|member| cx.out.item(member));
    Ok(())
}

pub(super) fn sscan(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let cursor = parse_cursor(args.next()?)?;
    let Some(set) = cx.db.get::<Set>(key)? else {
        // As in Redis, the options matter only where there is something to walk over.
        scan::nothing(&mut cx.out);
        return Ok(());
    };
    let options = scan::Options::parse(&mut args, false)?;
    scan::reply(&mut cx.out, cursor, options.count, |cursor, out| {
        let mut step = scan::Step::default();
        step.cursor = set.scan(cursor, |member| {
            step.seen += 1;
            if options.matches(member.bytes(&mut Default::default())) {
                step.written += 1;
                out.item(member);
            }
        });
        step
    });
    Ok(())
}
