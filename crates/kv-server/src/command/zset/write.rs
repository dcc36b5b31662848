//! ZADD and ZINCRBY.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::Zset;

/// What ZADD may do.
#[derive(Debug, Default, Clone, Copy)]
struct Options {
    only_new: bool,
    only_present: bool,
    only_greater: bool,
    only_less: bool,
    count_changed: bool,
    increment: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Self {
        let mut options = Self::default();
        let words = [
            ("NX", &mut options.only_new),
            ("XX", &mut options.only_present),
            ("CH", &mut options.count_changed),
            ("INCR", &mut options.increment),
            ("GT", &mut options.only_greater),
            ("LT", &mut options.only_less),
        ];
        let mut words = words;
        while let Some((_, option)) = words.iter_mut().find(|(word, _)| args.take(word)) {
            **option = true;
        }
        options
    }

    /// The options that go together, with so many members.
    fn check(self, members: usize) -> Result {
        if self.only_new && self.only_present {
            return Err(ReplyError::text(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        let exclusive = [self.only_new, self.only_greater, self.only_less];
        if exclusive.into_iter().filter(|&option| option).count() > 1 {
            return Err(ReplyError::text(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.increment && members > 1 {
            return Err(ReplyError::text(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }

    /// The new score of a member that has this one; `None` leaves it alone. A sum may be NaN.
    fn decide(self, old: Option<f64>, given: f64) -> Option<f64> {
        let Some(old) = old else {
            return (!self.only_present).then_some(given);
        };
        let score = if self.increment { old + given } else { given };
        let refused =
            self.only_new || self.only_greater && score <= old || self.only_less && score >= old;
        (!refused).then_some(score)
    }
}

/// What became of a member.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    old: Option<f64>,
    new: Option<f64>,
}

pub(super) fn zadd(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let options = Options::parse(&mut args);
    let members = args.remaining() / 2;
    if members == 0 || args.remaining() % 2 != 0 {
        return Err(ReplyError::Syntax);
    }
    options.check(members)?;
    if members == 1 {
        let (score, member) = (args.float()?, args.next()?);
        let outcome = add_one(key, score, member, options, cx)?;
        match (options.increment, outcome.new) {
            (true, Some(score)) => cx.out.score(score),
            (true, None) => cx.out.null(),
            (false, new) => {
                let is_update = new.is_some() && new != outcome.old;
                cx.out
                    .flag(is_update && (outcome.old.is_none() || options.count_changed));
            }
        }
        return Ok(());
    }
    // All scores first: either the whole command is done or nothing.
    let mut scores = args;
    for _ in 0..members {
        scores.float()?;
        scores.next()?;
    }
    let limits = cx.shared.config.zset;
    let zset: &mut Zset = if options.only_present {
        match cx.db.get_mut(key)? {
            Some(zset) => zset,
            None => {
                cx.out.integer(0);
                return Ok(());
            }
        }
    } else {
        let mut first = args;
        first.next()?;
        let longest = first.next()?.len();
        cx.db
            .get_or_insert(key, || Zset::for_members(members, longest, &limits))?
    };
    zset.expect(members, &limits);
    let (mut added, mut updated) = (0, 0);
    for _ in 0..members {
        let (score, member) = (args.float()?, args.next()?);
        zset.update(member, &limits, |old| {
            let new = options.decide(old, score)?;
            match old {
                None => added += 1,
                Some(old) => updated += usize::from(new != old),
            }
            Some(new)
        });
    }
    if added + updated > 0 {
        cx.db.changed(Class::SORTED_SET, "zadd", key);
    }
    cx.out.len(if options.count_changed {
        added + updated
    } else {
        added
    });
    Ok(())
}

fn add_one(
    key: &[u8],
    score: f64,
    member: &[u8],
    options: Options,
    cx: &mut Context<'_>,
) -> Result<Outcome> {
    let limits = cx.shared.config.zset;
    let mut outcome = Outcome {
        old: None,
        new: None,
    };
    let zset: &mut Zset = if options.only_present {
        match cx.db.get_mut(key)? {
            Some(zset) => zset,
            None => return Ok(outcome),
        }
    } else {
        cx.db
            .get_or_insert(key, || Zset::for_members(1, member.len(), &limits))?
    };
    zset.expect(1, &limits);
    zset.update(member, &limits, |old| {
        let new = options.decide(old, score);
        outcome = Outcome { old, new };
        new.filter(|new| !new.is_nan())
    });
    if outcome.new.is_some_and(f64::is_nan) {
        return Err(ReplyError::text(
            "ERR resulting score is not a number (NaN)",
        ));
    }
    if outcome.new.is_some() && outcome.new != outcome.old {
        let event = if options.increment { "zincr" } else { "zadd" };
        cx.db.changed(Class::SORTED_SET, event, key);
    }
    Ok(outcome)
}

pub(super) fn zincrby(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let (increment, member) = (args.float()?, args.next()?);
    let options = Options {
        increment: true,
        ..Options::default()
    };
    if let Some(score) = add_one(key, increment, member, options, cx)?.new {
        cx.out.score(score);
    }
    Ok(())
}
