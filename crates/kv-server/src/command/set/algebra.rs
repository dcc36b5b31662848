//! Intersection, union and difference.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::Db;
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;
use crate::value::set::{Limits, asking_is_less};
use crate::value::{Item, Set};

/// The sets of these keys, `None` for those that do not exist.
///
/// All of them are looked at, so a wrong type is an error even where the result is clear without it.
fn sets<'d>(db: &'d mut Db, keys: &[&[u8]]) -> Result<Vec<Option<&'d Set>>> {
    for key in keys {
        db.get::<Set>(key)?;
    }
    let db = &*db;
    Ok(keys.iter().map(|key| db.view(key)).collect())
}

/// The members that all sets have, until `f` returns `false`: those of the smallest set, in its order.
fn intersect<'d>(sets: &mut [&'d Set], mut f: impl FnMut(Item<'d>) -> bool) {
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else {
        return;
    };
    for member in smallest.iter() {
        let mut digits = Default::default();
        let text = member.bytes(&mut digits);
        if others.iter().all(|set| set.contains(text)) && !f(member) {
            break;
        }
    }
}

pub(super) fn sinter(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let keys: Vec<_> = args.rest().collect();
    let sets = sets(cx.db, &keys)?;
    let mut count = 0;
    let start = cx.out.position();
    if let Some(mut sets) = sets.into_iter().collect::<Option<Vec<_>>>() {
        intersect(&mut sets, |member| {
            cx.out.item(member);
            count += 1;
            true
        });
    }
    cx.out.put_before(start, |out| out.set(count));
    Ok(())
}

pub(super) fn sintercard(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let few = ReplyError::text("ERR numkeys should be greater than 0");
    let count = args.count(1, few)?;
    if count > args.remaining() {
        return Err(ReplyError::text(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    let keys: Vec<_> = (0..count).map(|_| args.next()).collect::<Result<_>>()?;
    let mut limit = 0;
    while args.remaining() > 0 {
        if args.remaining() == 1 || !args.take("LIMIT") {
            return Err(ReplyError::Syntax);
        }
        limit = args.count(0, ReplyError::text("ERR LIMIT can't be negative"))?;
    }
    let sets = sets(cx.db, &keys)?;
    let mut count = 0;
    if let Some(mut sets) = sets.into_iter().collect::<Option<Vec<_>>>() {
        intersect(&mut sets, |_| {
            count += 1;
            count != limit
        });
    }
    cx.out.len(count);
    Ok(())
}

pub(super) fn sinterstore(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let destination = args.next()?;
    let keys: Vec<_> = args.rest().collect();
    let limits = cx.shared.config.set;
    let sets = sets(cx.db, &keys)?;
    let mut result = Set::default();
    if let Some(mut sets) = sets.into_iter().collect::<Option<Vec<_>>>() {
        if sets.iter().all(|set| !matches!(set, Set::Ints(_))) {
            result = Set::Pack(Default::default());
        }
        intersect(&mut sets, |member| insert(&mut result, member, &limits));
        result.compact(&limits);
    }
    store(destination, "sinterstore", result, cx);
    Ok(())
}

/// Always `true`, to go on.
fn insert(set: &mut Set, member: Item<'_>, limits: &Limits) -> bool {
    set.insert(member.bytes(&mut Default::default()), limits);
    true
}

/// The result replaces whatever the destination holds; an empty one removes it.
fn store(destination: &[u8], event: &'static str, result: Set, cx: &mut Context<'_>) {
    let len = result.len();
    if len > 0 {
        cx.db
            .insert(Entry::object(destination, result.into(), NEVER));
        cx.db.changed(Class::SET, event, destination);
    } else {
        cx.remove(destination);
    }
    cx.out.len(len);
}

/// What is made of several sets that may have members in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Difference,
}

fn combine(operation: Operation, sets: &[Option<&Set>], mut result: Set, limits: &Limits) -> Set {
    match (operation, sets.split_first()) {
        (Operation::Union, _) => {
            for member in sets.iter().flatten().flat_map(|set| set.iter()) {
                insert(&mut result, member, limits);
            }
        }
        (Operation::Difference, Some((Some(first), others))) => {
            let mut others: Vec<_> = others.iter().flatten().copied().collect();
            if asking_is_less(first.len(), others.iter().map(|set| set.len())) {
                others.sort_by_key(|set| std::cmp::Reverse(set.len()));
                for member in first.iter() {
                    let mut digits = Default::default();
                    let text = member.bytes(&mut digits);
                    if !others.iter().any(|set| set.contains(text)) {
                        result.insert(text, limits);
                    }
                }
            } else {
                for member in first.iter() {
                    insert(&mut result, member, limits);
                }
                for member in others.iter().flat_map(|set| set.iter()) {
                    result.remove(member.bytes(&mut Default::default()));
                }
            }
        }
        (Operation::Difference, _) => {}
    }
    result
}

fn reply(operation: Operation, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let keys: Vec<_> = args.rest().collect();
    let limits = cx.shared.config.set;
    let sets = sets(cx.db, &keys)?;
    let all_ints = sets.iter().flatten().all(|set| matches!(set, Set::Ints(_)));
    let empty = if all_ints {
        Set::default()
    } else {
        Set::Table(Box::default())
    };
    let result = combine(operation, &sets, empty, &limits);
    cx.out.set(result.len());
    result.iter().for_each(|member| cx.out.item(member));
    Ok(())
}

fn reply_stored(
    operation: Operation,
    event: &'static str,
    mut args: Args<'_>,
    cx: &mut Context<'_>,
) -> Result {
    let destination = args.next()?;
    let keys: Vec<_> = args.rest().collect();
    let limits = cx.shared.config.set;
    let sets = sets(cx.db, &keys)?;
    let result = combine(operation, &sets, Set::default(), &limits);
    store(destination, event, result, cx);
    Ok(())
}

pub(super) fn sunion(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply(Operation::Union, args, cx)
}

pub(super) fn sunionstore(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply_stored(Operation::Union, "sunionstore", args, cx)
}

pub(super) fn sdiff(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply(Operation::Difference, args, cx)
}

pub(super) fn sdiffstore(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply_stored(Operation::Difference, "sdiffstore", args, cx)
}
