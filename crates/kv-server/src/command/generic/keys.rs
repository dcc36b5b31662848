//! Which keys there are, and away with them.

use crate::command::Args;
use crate::context::Context;
use crate::error::Result;
use crate::glob::Glob;
use crate::keyspace::entry::Entry;
use crate::keyspace::table::Entry as _;

pub(super) fn del(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let removed = args.rest().filter(|key| cx.remove(key)).count();
    cx.out.len(removed);
    Ok(())
}

/// Values that take long to free are left to the engine's [garbage](crate::garbage::Garbage).
pub(super) fn unlink(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mut removed = 0;
    for key in args.rest() {
        if let Some(entry) = cx.take(key) {
            cx.shared.garbage.bury(entry);
            removed += 1;
        }
    }
    cx.out.len(removed);
    Ok(())
}

pub(super) fn exists(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let count = args.rest().filter(|key| cx.db.look(key).is_some()).count();
    cx.out.len(count);
    Ok(())
}

pub(super) fn touch(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    // What CLIENT NO-TOUCH asks for does not hold for the command that is there to touch.
    cx.db.set_touching(true);
    let count = args.rest().filter(|key| cx.db.read(key).is_some()).count();
    cx.out.len(count);
    Ok(())
}

pub(super) fn type_of(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let name = cx.db.look(key).map_or("none", Entry::type_name);
    cx.out.simple(name);
    Ok(())
}

pub(super) fn dbsize(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.len(cx.db.len());
    Ok(())
}

pub(super) fn randomkey(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let rng = &mut cx.shared.rng;
    let entry = cx.db.random(|| rng.next());
    cx.out.bulk_or_null(entry.map(Entry::key));
    Ok(())
}

pub(super) fn keys(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let pattern = Glob::new(args.next()?);
    if let Some(key) = pattern.literal() {
        let found = cx.db.contains(key);
        cx.out.array(found.into());
        if found {
            cx.out.bulk(key);
        }
        return Ok(());
    }
    let (start, longest) = (cx.out.position(), cx.longest_output());
    let mut count = 0;
    for key in cx.db.iter().map(Entry::key) {
        if cx.out.position() > longest {
            cx.session.cut_off = true;
            break;
        }
        if pattern.is_any() || pattern.matches(key) {
            cx.out.bulk(key);
            count += 1;
        }
    }
    cx.out.put_before(start, |out| out.array(count));
    Ok(())
}
