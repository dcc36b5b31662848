//! XACK and XPENDING.

use super::parse;
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{Group, Id};

pub(super) fn xack(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, name) = (args.next()?, args.next()?);
    let ids = parse::ids(&mut args);
    // In Redis this lookup counts for `keyspace_hits`, unlike those of other writes.
    cx.db.get::<Stream>(key)?;
    let stream = cx.db.get_mut::<Stream>(key)?;
    let Some(group) = stream.and_then(|stream| stream.groups.get_mut(name)) else {
        // Whatever the ids are.
        cx.out.integer(0);
        return Ok(());
    };
    let ids = ids?.into_iter();
    let count = ids.filter(|id| group.acknowledge(*id)).count();
    cx.db.changes.count += count as u64;
    cx.out.len(count);
    Ok(())
}

/// The range that the long form of XPENDING shows.
#[derive(Debug)]
struct Shown<'a> {
    min_idle: i64,
    start: Id,
    end: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Shown<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut min_idle = 0;
        let words = args.remaining();
        if args.take("IDLE") {
            min_idle = args.integer()?;
            if words < 5 {
                return Err(ReplyError::Syntax);
            }
        }
        let (start, end) = (args.next()?, args.next()?);
        let count = usize::try_from(args.integer()?).unwrap_or(0);
        Ok(Self {
            min_idle,
            start: parse::start(start)?,
            end: parse::end(end)?,
            count,
            consumer: args.next().ok(),
        })
    }
}

pub(super) fn xpending(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, name) = (args.next()?, args.next()?);
    let shown = match args.remaining() {
        0 => None,
        3..=6 => Some(Shown::parse(&mut args)?),
        _ => return Err(ReplyError::Syntax),
    };
    let now = cx.now_ms();
    let stream = cx.db.get::<Stream>(key)?;
    let group = stream.and_then(|stream| stream.groups.get(name));
    let group = group.ok_or_else(|| parse::no_group(key, name))?;
    match shown {
        None => summary(group, &mut cx.out),
        Some(shown) => list(group, &shown, now, &mut cx.out),
    }
    Ok(())
}

fn summary(group: &Group, out: &mut Reply<'_>) {
    out.array(4);
    out.len(group.pending_len());
    let mut pending = group.pending_from(Id::MIN).map(|(id, _)| id);
    let Some(first) = pending.next() else {
        out.null();
        out.null();
        out.null_array();
        return;
    };
    out.stream_id(first);
    out.stream_id(pending.next_back().unwrap_or(first));
    let owners = || group.consumers().filter(|consumer| consumer.pending() > 0);
    out.array(owners().count());
    for consumer in owners() {
        out.array(2);
        out.bulk(consumer.name());
        out.bulk_integer(i64::try_from(consumer.pending()).unwrap_or(i64::MAX));
    }
}

fn list(group: &Group, shown: &Shown<'_>, now_ms: i64, out: &mut Reply<'_>) {
    let owner = match shown.consumer {
        Some(name) => match group.find(name) {
            Some(owner) => Some(owner),
            None => {
                out.array(0);
                return;
            }
        },
        None => None,
    };
    let all = |id: Id| group.pending(id).map(|pending| (id, pending));
    let of_owner = owner.map(|owner| group.consumer(owner).pending_from(shown.start));
    let of_group = group.pending_from(shown.start);
    let of_group = of_group.filter(|_| owner.is_none());
    let pending = of_owner.into_iter().flatten().filter_map(all);
    let pending = pending.chain(of_group);
    let position = out.position();
    let mut count = 0;
    for (id, pending) in pending {
        if count == shown.count || id > shown.end {
            break;
        }
        let idle = now_ms.saturating_sub(pending.delivered_ms);
        if shown.min_idle != 0 && idle < shown.min_idle {
            continue;
        }
        count += 1;
        out.array(4);
        out.stream_id(id);
        out.bulk(group.consumer(pending.owner).name());
        out.integer(idle.max(0));
        out.unsigned(pending.deliveries);
    }
    out.put_before(position, |out| out.array(count));
}
