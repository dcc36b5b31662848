//! ZRANDMEMBER.

use std::collections::HashSet;

use super::{header, write_member};
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::rng::Rng;
use crate::value::Zset;
use crate::value::zset::Scored;

pub(super) fn zrandmember(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let longest = cx.longest_output();
    let rng = &mut cx.shared.rng;
    if args.remaining() == 0 {
        match cx.db.get::<Zset>(key)?.and_then(|zset| draw(zset, rng)) {
            Some((member, _)) => cx.out.item(member),
            None => cx.out.null(),
        }
        return Ok(());
    }
    let count = args.integer_in(-i64::MAX, i64::MAX)?;
    let with_scores = args.take("WITHSCORES");
    args.finish()?;
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(ReplyError::OutOfRange);
    }
    let Some(zset) = cx.db.get::<Zset>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let out = &mut cx.out;
    if count < 0 {
        header(wanted, with_scores, out);
        for _ in 0..wanted {
            if out.position() > longest {
                cx.session.cut_off = true;
                break;
            }
            if let Some(member) = draw(zset, rng) {
                write_member(member, with_scores, out);
            }
        }
        return Ok(());
    }
    let chosen = choose(zset, wanted, rng);
    header(chosen.len(), with_scores, out);
    for member in chosen {
        write_member(member, with_scores, out);
    }
    Ok(())
}

/// A member, each with the same chance.
fn draw<'a>(zset: &'a Zset, rng: &mut Rng) -> Option<Scored<'a>> {
    zset.iter_from(rng.below(zset.len())).next()
}

/// `count` different members, or all if there are no more.
fn choose<'a>(zset: &'a Zset, count: usize, rng: &mut Rng) -> Vec<Scored<'a>> {
    /// A set that is so many times larger than what is wanted is not copied.
    const FEW: usize = 3;
    let len = zset.len();
    if matches!(zset, Zset::Tree(_)) && count.saturating_mul(FEW) < len {
        let mut seen = HashSet::with_capacity(count);
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let rank = rng.below(len);
            if seen.insert(rank) {
                chosen.extend(zset.iter_from(rank).next());
            }
        }
        return chosen;
    }
    let mut members: Vec<_> = zset.iter().collect();
    if count < len {
        rng.choose(&mut members, count);
        members.truncate(count);
    }
    members
}
