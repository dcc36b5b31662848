//! Ranges: returned, counted, stored.

use super::bounds::{Bounds, By};
use super::{header, write_member};
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;
use crate::value::Zset;

/// What each of the commands fixes; what it leaves open are options.
#[derive(Debug, Clone, Copy)]
struct Form {
    by: Option<By>,
    reverse: Option<bool>,
    /// ZRANGESTORE takes no WITHSCORES.
    stores: bool,
}

/// A range of one sorted set.
#[derive(Debug, Clone, Copy)]
struct Query<'a> {
    key: &'a [u8],
    bounds: Bounds<'a>,
    reverse: bool,
    offset: i64,
    /// Negative is no limit.
    count: i64,
    with_scores: bool,
}

impl<'a> Query<'a> {
    fn parse(form: Form, args: &mut Args<'a>) -> Result<Self> {
        let key = args.next()?;
        let (first, second) = (args.next()?, args.next()?);
        let (mut by, mut reverse) = (form.by, form.reverse);
        let (mut offset, mut count, mut with_scores) = (0, -1, false);
        while args.remaining() > 0 {
            if !form.stores && args.take("WITHSCORES") {
                with_scores = true;
            } else if args.remaining() > 2 && args.take("LIMIT") {
                (offset, count) = (args.integer()?, args.integer()?);
            } else if reverse.is_none() && args.take("REV") {
                reverse = Some(true);
            } else if by.is_none() && args.take("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && args.take("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if count != -1 && by == By::Rank {
            return Err(ReplyError::text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(ReplyError::text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        if by == By::Rank {
            offset = 0;
        }
        Ok(Self {
            key,
            bounds: Bounds::read(by, reverse, first, second)?,
            reverse,
            offset,
            count,
            with_scores,
        })
    }

    /// The ranks to return, the first one and the one behind the last.
    fn ranks(&self, zset: &Zset) -> (usize, usize) {
        let (from, to) = self.bounds.ranks(zset, self.reverse);
        let all = to - from;
        // A negative offset leaves nothing, as in Redis.
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX).min(all);
        let taken = usize::try_from(self.count)
            .unwrap_or(usize::MAX)
            .min(all - skipped);
        if self.reverse {
            (to - skipped - taken, to - skipped)
        } else {
            (from + skipped, from + skipped + taken)
        }
    }
}

fn reply(form: Form, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let query = Query::parse(form, &mut args)?;
    let Some(zset) = cx.db.get::<Zset>(query.key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let (from, to) = query.ranks(zset);
    let (count, with_scores, out) = (to - from, query.with_scores, &mut cx.out);
    header(count, with_scores, out);
    if query.reverse {
        let members = zset.iter_back_from(to).take(count);
        members.for_each(|member| write_member(member, with_scores, out));
    } else {
        let members = zset.iter_from(from).take(count);
        members.for_each(|member| write_member(member, with_scores, out));
    }
    Ok(())
}

pub(super) fn zrange(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let form = Form {
        by: None,
        reverse: None,
        stores: false,
    };
    reply(form, args, cx)
}

fn fixed(by: By, reverse: bool, args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let form = Form {
        by: Some(by),
        reverse: Some(reverse),
        stores: false,
    };
    reply(form, args, cx)
}

pub(super) fn zrevrange(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    fixed(By::Rank, true, args, cx)
}

pub(super) fn zrangebyscore(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    fixed(By::Score, false, args, cx)
}

pub(super) fn zrevrangebyscore(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    fixed(By::Score, true, args, cx)
}

pub(super) fn zrangebylex(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    fixed(By::Lex, false, args, cx)
}

pub(super) fn zrevrangebylex(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    fixed(By::Lex, true, args, cx)
}

pub(super) fn zrangestore(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let destination = args.next()?;
    let form = Form {
        by: None,
        reverse: None,
        stores: true,
    };
    let query = Query::parse(form, &mut args)?;
    let limits = cx.shared.config.zset;
    let mut result = Zset::default();
    if let Some(zset) = cx.db.get::<Zset>(query.key)? {
        let (from, to) = query.ranks(zset);
        // As in Redis, the size is known beforehand only where ranks are asked for.
        if matches!(query.bounds, Bounds::Ranks(..)) {
            result.expect(to - from, &limits);
        }
        for (member, score) in zset.iter_from(from).take(to - from) {
            result.insert(member.bytes(&mut Default::default()), score, &limits);
        }
    }
    store(destination, "zrangestore", result, cx);
    Ok(())
}

/// The result replaces whatever the destination holds; an empty one removes it.
pub(super) fn store(destination: &[u8], event: &'static str, result: Zset, cx: &mut Context<'_>) {
    let len = result.len();
    if len > 0 {
        cx.db
            .insert(Entry::object(destination, result.into(), NEVER));
        cx.db.changed(Class::SORTED_SET, event, destination);
    } else {
        cx.remove(destination);
    }
    cx.out.len(len);
}

pub(super) fn zcount(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    count(By::Score, args, cx)
}

pub(super) fn zlexcount(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    count(By::Lex, args, cx)
}

fn count(by: By, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let bounds = Bounds::parse(by, false, &mut args)?;
    let zset = cx.db.get::<Zset>(key)?;
    let count = zset.map_or(0, |zset| {
        let (from, to) = bounds.ranks(zset, false);
        to - from
    });
    cx.out.len(count);
    Ok(())
}
