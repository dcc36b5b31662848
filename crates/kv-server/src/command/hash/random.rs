//! HRANDFIELD.

use std::collections::HashMap;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::reply::Reply;
use crate::rng::Rng;
use crate::value::{Hash, Item};

type Pair<'a> = (Item<'a>, Item<'a>);

pub(super) fn hrandfield(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    if args.remaining() == 0 {
        let hash = cx.db.get::<Hash>(key)?;
        match hash.and_then(|hash| hash.random(&mut || cx.shared.rng.next())) {
            Some((field, _)) => cx.out.item(field),
            None => cx.out.null(),
        }
        return Ok(());
    }
    let count = args.integer_in(-i64::MAX, i64::MAX)?;
    let with_values = args.take("WITHVALUES");
    args.finish()?;
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(ReplyError::OutOfRange);
    }
    let longest = cx.longest_output();
    // All its fields may be due, and not taken out yet.
    let Some(hash) = cx
        .db
        .get::<Hash>(key)?
        .filter(|hash| hash.iter().next().is_some())
    else {
        cx.out.array(0);
        return Ok(());
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let rng = &mut cx.shared.rng;
    if count < 0 {
        header(wanted, with_values, &mut cx.out);
        // To pass over fields that are due takes a walk, which is made once.
        let live = hash.hides_any().then(|| Vec::from_iter(hash.iter()));
        for _ in 0..wanted {
            if cx.out.position() > longest {
                cx.session.cut_off = true;
                break;
            }
            let pair = match &live {
                Some(live) => live.get(rng.below(live.len())).copied(),
                None => hash.random(&mut || rng.next()),
            };
            let Some(pair) = pair else { break };
            write(pair, with_values, &mut cx.out);
        }
        return Ok(());
    }
    let chosen = choose(hash, wanted, rng);
    header(chosen.len(), with_values, &mut cx.out);
    for pair in chosen {
        write(pair, with_values, &mut cx.out);
    }
    Ok(())
}

/// In RESP3 each pair is an array of its own.
fn header(pairs: usize, with_values: bool, out: &mut Reply<'_>) {
    let flat = with_values && !out.is_resp3();
    out.array(if flat { pairs.saturating_mul(2) } else { pairs });
}

fn write((field, value): Pair<'_>, with_values: bool, out: &mut Reply<'_>) {
    if with_values && out.is_resp3() {
        out.array(2);
    }
    out.item(field);
    if with_values {
        out.item(value);
    }
}

/// `count` different pairs, or all if there are no more.
fn choose<'a>(hash: &'a Hash, count: usize, rng: &mut Rng) -> Vec<Pair<'a>> {
    /// A hash that is so many times larger than what is wanted is not copied.
    const FEW: usize = 3;
    let len = hash.len();
    match hash.is_table() {
        true if count.saturating_mul(FEW) < len && !hash.hides_any() => {
            let mut chosen = HashMap::with_capacity(count);
            while chosen.len() < count {
                if let Some((Item::Text(field), value)) = hash.random(&mut || rng.next()) {
                    chosen.insert(field, value);
                }
            }
            chosen
                .into_iter()
                .map(|(field, value)| (Item::Text(field), value))
                .collect()
        }
        _ => {
            let mut pairs: Vec<_> = hash.iter().collect();
            if count < len {
                rng.choose(&mut pairs, count);
                pairs.truncate(count);
            }
            pairs
        }
    }
}
