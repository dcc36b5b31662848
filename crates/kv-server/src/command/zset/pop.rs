//! Taking members from an end.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::Zset;

/// One end of a sorted set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Min,
    Max,
}

impl End {
    fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }

    /// The command that takes from this end without waiting.
    pub(super) fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }
}

pub(super) fn zpopmin(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    pop(End::Min, args, cx)
}

pub(super) fn zpopmax(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    pop(End::Max, args, cx)
}

fn pop(end: End, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let count = match args.remaining() {
        0 => None,
        1 => Some(args.count(0, ReplyError::MustBePositive)?),
        _ => return Err(ReplyError::Syntax),
    };
    let wanted = count.unwrap_or(1);
    let Some(zset) = cx.db.get_mut::<Zset>(key)?.filter(|_| wanted > 0) else {
        cx.out.array(0);
        return Ok(());
    };
    let taken = wanted.min(zset.len());
    // Pairs are nested only if a number was asked for, in RESP3.
    let nested = count.is_some() && cx.out.is_resp3();
    cx.out.array(if nested {
        taken
    } else {
        taken.saturating_mul(2)
    });
    take(key, end, taken, nested, cx)
}

/// Replies with up to `count` members and their scores, one by one, and takes them out.
pub(super) fn take(
    key: &[u8],
    end: End,
    count: usize,
    nested: bool,
    cx: &mut Context<'_>,
) -> Result {
    let Some(zset) = cx.db.get_mut::<Zset>(key)? else {
        return Ok(());
    };
    let len = zset.len();
    let count = count.min(len);
    let out = &mut cx.out;
    let write = |(member, score)| {
        if nested {
            out.array(2);
        }
        out.item(member);
        out.score(score);
    };
    match end {
        End::Min => zset.iter().take(count).for_each(write),
        End::Max => zset.iter_back_from(len).take(count).for_each(write),
    }
    if count < len {
        let from = if end == End::Min { 0 } else { len - count };
        zset.remove_range(from, count);
        cx.db.changed(Class::SORTED_SET, end.event(), key);
    } else {
        // Whoever has time frees the whole of it.
        cx.db.changed(Class::SORTED_SET, end.event(), key);
        cx.db.remove(key);
        cx.db.event(Class::GENERIC, "del", key);
    }
    Ok(())
}

/// What ZMPOP and BZMPOP take behind the timeout.
#[derive(Debug)]
pub(super) struct Pop<'a> {
    pub(super) keys: Vec<&'a [u8]>,
    end: End,
    count: usize,
}

impl<'a> Pop<'a> {
    pub(super) fn parse(args: &mut Args<'a>) -> Result<Self> {
        let keys = args.counted_keys()?;
        let end = if args.take("MIN") {
            End::Min
        } else if args.take("MAX") {
            End::Max
        } else {
            return Err(ReplyError::Syntax);
        };
        let count = args.last_count()?;
        Ok(Self { keys, end, count })
    }

    /// Serves the first sorted set that has members. `false` if none has.
    pub(super) fn serve(&self, cx: &mut Context<'_>) -> Result<bool> {
        for key in &self.keys {
            let Some(zset) = cx.db.get_mut::<Zset>(key)? else {
                continue;
            };
            let count = self.count.min(zset.len());
            cx.out.array(2);
            cx.out.bulk(key);
            cx.out.array(count);
            take(key, self.end, count, true, cx)?;
            cx.propagate(&[self.end.command(), key, count.to_string().as_bytes()]);
            return Ok(true);
        }
        Ok(false)
    }
}

pub(super) fn zmpop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let pop = Pop::parse(&mut args)?;
    if !pop.serve(cx)? {
        cx.out.null_array();
    }
    Ok(())
}
