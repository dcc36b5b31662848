//! Keys to other names and other databases.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::Db;
use crate::keyspace::notify::Class;

pub(super) fn rename(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, new) = (args.next()?, args.next()?);
    if !cx.db.contains(key) {
        return Err(ReplyError::NoSuchKey);
    }
    if key != new {
        move_to(key, new, cx);
    }
    cx.out.ok();
    Ok(())
}

pub(super) fn renamenx(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, new) = (args.next()?, args.next()?);
    if !cx.db.contains(key) {
        return Err(ReplyError::NoSuchKey);
    }
    let is_free = key != new && !cx.db.contains(new);
    if is_free {
        move_to(key, new, cx);
    }
    cx.out.flag(is_free);
    Ok(())
}

fn move_to(key: &[u8], new: &[u8], cx: &mut Context<'_>) {
    let Some(entry) = cx.db.remove(key) else {
        return;
    };
    if let Some(old) = cx.db.remove(new) {
        cx.shared.garbage.bury(old);
    }
    cx.db.insert(entry.renamed(new));
    cx.db.changed(Class::GENERIC, "rename_from", key);
    cx.db.changed_too(Class::GENERIC, "rename_to", new);
}

/// Another database, with the time of the command, and the selected one.
fn two<'c>(cx: &'c mut Context<'_>, other: usize) -> Option<(&'c mut Db, &'c mut Db)> {
    let now = cx.now_ms();
    let other = cx.others.get(other)?;
    other.begin(now);
    Some((cx.db, other))
}

pub(super) fn move_key(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let target = cx.database(args.integer()?)?;
    let Some((db, target)) = two(cx, target) else {
        return Err(ReplyError::SameObject);
    };
    let moves = db.contains(key) && !target.contains(key);
    if let Some(entry) = Some(key).filter(|_| moves).and_then(|key| db.remove(key)) {
        target.insert(entry);
        db.changed(Class::GENERIC, "move_from", key);
        target.changed_too(Class::GENERIC, "move_to", key);
    }
    cx.out.flag(moves);
    Ok(())
}

pub(super) fn copy(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, new) = (args.next()?, args.next()?);
    let (mut index, mut replace) = (cx.db_index(), false);
    while args.remaining() > 0 {
        if args.take("REPLACE") {
            replace = true;
        } else if args.remaining() > 1 && args.take("DB") {
            index = cx.database(args.integer()?)?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    if index == cx.db_index() && key == new {
        return Err(ReplyError::SameObject);
    }
    if cx.db.read(key).is_none() {
        cx.out.flag(false);
        return Ok(());
    }
    let (source, mut other) = match two(cx, index) {
        Some((db, other)) => (db, Some(other)),
        None => (&mut *cx.db, None),
    };
    let is_taken = other
        .as_deref_mut()
        .map_or_else(|| source.contains(new), |db| db.contains(new));
    let copies = replace || !is_taken;
    if let Some(entry) = source
        .peek(key)
        .filter(|_| copies)
        .map(|entry| entry.copied(new))
    {
        let target = other.unwrap_or(source);
        let old = target.remove(new);
        target.insert(entry);
        target.changed(Class::GENERIC, "copy_to", new);
        if let Some(old) = old {
            cx.shared.garbage.bury(old);
        }
    }
    cx.out.flag(copies);
    Ok(())
}

pub(super) fn swapdb(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mut index = |error| match args.integer() {
        Ok(index) if i32::try_from(index).is_ok() => Ok(index),
        _ => Err(ReplyError::text(error)),
    };
    let first = index("ERR invalid first DB index")?;
    let second = index("ERR invalid second DB index")?;
    let (first, second) = (cx.database(first)?, cx.database(second)?);
    let selected = cx.db_index();
    if first != second {
        let pair = match (first == selected, second == selected) {
            (true, _) => cx.others.get(second).map(|db| (&mut *cx.db, db)),
            (_, true) => cx.others.get(first).map(|db| (&mut *cx.db, db)),
            _ => cx.others.pair(first, second),
        };
        if let Some((a, b)) = pair {
            a.swap_data(b);
        }
    }
    cx.db.changes.count += 1;
    cx.out.ok();
    Ok(())
}
