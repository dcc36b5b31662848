//! Random members.

use std::collections::HashSet;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::rng::Rng;
use crate::value::{Item, Set};

pub(super) fn spop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    if args.remaining() == 0 {
        return pop_one(key, cx);
    }
    if args.remaining() > 1 {
        return Err(ReplyError::Syntax);
    }
    let count = args.count(0, ReplyError::MustBePositive)?;
    let Some(set) = cx.db.get_mut::<Set>(key)?.filter(|_| count > 0) else {
        cx.out.set(0);
        return Ok(());
    };
    let len = set.len();
    if count >= len {
        cx.out.set(len);
        set.iter().for_each(|member| cx.out.item(member));
        cx.db.changed_by(len as u64, Class::SET, "spop", key);
        cx.db.remove(key);
        cx.db.event(Class::GENERIC, "del", key);
        cx.propagate(&[b"DEL", key]);
        return Ok(());
    }
    cx.out.set(count);
    let followed = cx.shared.effects.are_followed();
    let mut popped = Vec::new();
    for _ in 0..count {
        set.pop(
            || cx.shared.rng.next(),
            |member| {
                cx.out.item(member);
                if followed {
                    popped.push(member.to_vec());
                }
            },
        );
    }
    cx.db.changed_by(count as u64, Class::SET, "spop", key);
    // As many at a time as Redis propagates.
    for members in popped.chunks(1024) {
        let head: [&[u8]; 2] = [b"SREM", key];
        let command: Vec<_> = head
            .into_iter()
            .chain(members.iter().map(Vec::as_slice))
            .collect();
        cx.propagate(&command);
    }
    Ok(())
}

fn pop_one(key: &[u8], cx: &mut Context<'_>) -> Result {
    let Some(set) = cx.db.get_mut::<Set>(key)? else {
        cx.out.null();
        return Ok(());
    };
    let effects = &mut cx.shared.effects;
    let out = &mut cx.out;
    set.pop(
        || cx.shared.rng.next(),
        |member| {
            out.item(member);
            effects.rewrite(&[b"SREM", key, member.bytes(&mut Default::default())]);
        },
    );
    let is_empty = set.len() == 0;
    cx.db.changed(Class::SET, "spop", key);
    if is_empty {
        cx.remove_emptied(key);
    }
    Ok(())
}

pub(super) fn srandmember(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    if args.remaining() == 0 {
        let set = cx.db.get::<Set>(key)?;
        match set.and_then(|set| set.random(|| cx.shared.rng.next())) {
            Some(member) => cx.out.item(member),
            None => cx.out.null(),
        }
        return Ok(());
    }
    if args.remaining() > 1 {
        return Err(ReplyError::Syntax);
    }
    let count = args.integer_in(-i64::MAX, i64::MAX)?;
    let longest = cx.longest_output();
    let Some(set) = cx.db.get::<Set>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let rng = &mut cx.shared.rng;
    if count < 0 {
        cx.out.array(wanted);
        for _ in 0..wanted {
            if cx.out.position() > longest {
                cx.session.cut_off = true;
                break;
            }
            if let Some(member) = set.random(|| rng.next()) {
                cx.out.item(member);
            }
        }
        return Ok(());
    }
    let chosen = choose(set, wanted, rng);
    cx.out.array(chosen.len());
    chosen.iter().for_each(|member| cx.out.item(*member));
    Ok(())
}

/// `count` different members, or all if there are no more.
fn choose<'a>(set: &'a Set, count: usize, rng: &mut Rng) -> Vec<Item<'a>> {
    /// A set that is so many times larger than what is wanted is not copied.
    const FEW: usize = 3;
    let len = set.len();
    match set {
        Set::Table(_) if count.saturating_mul(FEW) < len => {
            let mut seen = HashSet::with_capacity(count);
            let mut chosen = Vec::with_capacity(count);
            while chosen.len() < count {
                if let Some(Item::Text(member)) = set.random(|| rng.next()) {
                    if seen.insert(member) {
                        chosen.push(Item::Text(member));
                    }
                }
            }
            chosen
        }
        _ => {
            let mut members: Vec<_> = set.iter().collect();
            if count < len {
                rng.choose(&mut members, count);
                members.truncate(count);
            }
            members
        }
    }
}
