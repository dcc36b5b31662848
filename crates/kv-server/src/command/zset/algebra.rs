//! Intersection, union and difference, of sorted sets and sets.

use super::range::store;
use super::{header, write_member};
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::Db;
use crate::value::set::asking_is_less;
use crate::value::zset::{Limits, Scored};
use crate::value::{Set, Value, Zset};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What becomes of the scores that a member has in several sets.
#[derive(Debug, Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn apply(self, one: f64, two: f64) -> f64 {
        match self {
            Self::Sum => or_zero(one + two),
            Self::Min => {
                if two < one {
                    two
                } else {
                    one
                }
            }
            Self::Max => {
                if two > one {
                    two
                } else {
                    one
                }
            }
        }
    }
}

/// Infinities that cancel each other, or times 0, are 0.
fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// One input. The members of a set have the score 1.
#[derive(Debug, Clone, Copy)]
enum Source<'d> {
    Missing,
    Set(&'d Set),
    Zset(&'d Zset),
}

impl<'d> Source<'d> {
    fn len(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Set(set) => set.len(),
            Self::Zset(zset) => zset.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Set(set) => set.contains(member).then_some(1.0),
            Self::Zset(zset) => zset.score(member),
        }
    }

    fn iter(self) -> impl Iterator<Item = Scored<'d>> {
        let (set, zset) = match self {
            Self::Missing => (None, None),
            Self::Set(set) => (Some(set), None),
            Self::Zset(zset) => (None, Some(zset)),
        };
        let set = set.into_iter().flat_map(Set::iter);
        set.map(|member| (member, 1.0))
            .chain(zset.into_iter().flat_map(Zset::iter))
    }
}

/// What is to be combined, and how.
#[derive(Debug)]
struct Request<'a> {
    keys: Vec<&'a [u8]>,
    /// One for each key.
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    /// 0 is no limit.
    limit: usize,
}

/// Which options a command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reply,
    Store,
    Count,
}

impl<'a> Request<'a> {
    /// The keys come first: a wrong type is found before a wrong option.
    fn parse(
        operation: Operation,
        kind: Kind,
        args: &mut Args<'a>,
        cx: &mut Context<'_>,
    ) -> Result<Self> {
        let number = args.integer()?;
        let number = usize::try_from(number)
            .ok()
            .filter(|&number| number > 0)
            .ok_or_else(|| {
                let name = cx.command_name();
                ReplyError::text(format!(
                    "ERR at least 1 input key is needed for '{name}' command"
                ))
            })?;
        if number > args.remaining() {
            return Err(ReplyError::Syntax);
        }
        let keys: Vec<_> = (0..number).map(|_| args.next()).collect::<Result<_>>()?;
        for key in &keys {
            if let Some(entry) = cx.db.read(key) {
                if !matches!(entry.value(), Some(Value::Set(_) | Value::Zset(_))) {
                    return Err(ReplyError::WrongType);
                }
            }
        }
        let mut request = Self {
            weights: vec![1.0; number],
            keys,
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: 0,
        };
        let scored = operation != Operation::Difference && kind != Kind::Count;
        while args.remaining() > 0 {
            if scored && args.remaining() > number && args.take("WEIGHTS") {
                for weight in &mut request.weights {
                    *weight = args
                        .float()
                        .map_err(|_| ReplyError::text("ERR weight value is not a float"))?;
                }
            } else if scored && args.remaining() > 1 && args.take("AGGREGATE") {
                request.aggregate = if args.take("SUM") {
                    Aggregate::Sum
                } else if args.take("MIN") {
                    Aggregate::Min
                } else if args.take("MAX") {
                    Aggregate::Max
                } else {
                    return Err(ReplyError::Syntax);
                };
            } else if kind == Kind::Reply && args.take("WITHSCORES") {
                request.with_scores = true;
            } else if kind == Kind::Count && args.remaining() > 1 && args.take("LIMIT") {
                request.limit = args.count(0, ReplyError::text("ERR LIMIT can't be negative"))?;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(request)
    }

    /// The inputs with their weights. [`parse`](Self::parse) has looked at them.
    fn sources<'d>(&self, db: &'d Db) -> Vec<(Source<'d>, f64)> {
        let keys = self.keys.iter().zip(&self.weights);
        keys.map(|(key, &weight)| {
            let source = match (db.view(key), db.view(key)) {
                (Some(zset), _) => Source::Zset(zset),
                (None, Some(set)) => Source::Set(set),
                (None, None) => Source::Missing,
            };
            (source, weight)
        })
        .collect()
    }

    /// The members that all inputs have with their scores, until `f` returns `false`: those of the smallest one, in its order.
    fn intersect<'d>(&self, db: &'d Db, mut f: impl FnMut(Scored<'d>) -> bool) {
        let mut sources = self.sources(db);
        sources.sort_by_key(|(source, _)| source.len());
        let Some((&(smallest, weight), others)) = sources.split_first() else {
            return;
        };
        for (member, score) in smallest.iter() {
            let mut digits = Default::default();
            let text = member.bytes(&mut digits);
            let first = Some(or_zero(score * weight));
            let score = others.iter().try_fold(first, |score, (other, weight)| {
                let found = other.score(text)? * weight;
                Some(score.map(|score| self.aggregate.apply(score, found)))
            });
            if let Some(Some(score)) = score {
                if !f((member, score)) {
                    break;
                }
            }
        }
    }

    fn run(&self, operation: Operation, db: &Db, limits: &Limits) -> Zset {
        // While it grows it has the large form, which does not care for the order.
        let mut result = Zset::Tree(Box::default());
        let mut insert = |(member, score): Scored<'_>| {
            result.insert(member.bytes(&mut Default::default()), score, limits);
        };
        match operation {
            Operation::Intersection => self.intersect(db, |member| {
                insert(member);
                true
            }),
            Operation::Union => {
                let mut sources = self.sources(db);
                sources.sort_by_key(|(source, _)| source.len());
                for (source, weight) in sources {
                    for (member, score) in source.iter() {
                        let score = or_zero(score * weight);
                        let mut digits = Default::default();
                        result.update(member.bytes(&mut digits), limits, |old| {
                            Some(old.map_or(score, |old| self.aggregate.apply(old, score)))
                        });
                    }
                }
            }
            Operation::Difference => {
                let mut sources = self.sources(db);
                if let Some((&mut (first, _), others)) = sources.split_first_mut() {
                    others.sort_by_key(|(source, _)| std::cmp::Reverse(source.len()));
                    let lens = others.iter().map(|(source, _)| source.len());
                    let asking = asking_is_less(first.len(), lens);
                    for (member, score) in first.iter() {
                        let mut digits = Default::default();
                        let text = member.bytes(&mut digits);
                        if !asking || others.iter().all(|(other, _)| other.score(text).is_none()) {
                            insert((member, score));
                        }
                    }
                    if !asking {
                        for (member, _) in others.iter().flat_map(|(source, _)| source.iter()) {
                            result.remove(member.bytes(&mut Default::default()));
                        }
                    }
                }
            }
        }
        result
    }
}

fn reply(operation: Operation, mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let request = Request::parse(operation, Kind::Reply, &mut args, cx)?;
    let result = request.run(operation, cx.db, &cx.shared.config.zset);
    header(result.len(), request.with_scores, &mut cx.out);
    for member in result.iter() {
        write_member(member, request.with_scores, &mut cx.out);
    }
    Ok(())
}

fn reply_stored(
    operation: Operation,
    event: &'static str,
    mut args: Args<'_>,
    cx: &mut Context<'_>,
) -> Result {
    let destination = args.next()?;
    let request = Request::parse(operation, Kind::Store, &mut args, cx)?;
    let limits = cx.shared.config.zset;
    let mut result = request.run(operation, cx.db, &limits);
    result.compact(&limits);
    store(destination, event, result, cx);
    Ok(())
}

pub(super) fn zunion(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply(Operation::Union, args, cx)
}

pub(super) fn zunionstore(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply_stored(Operation::Union, "zunionstore", args, cx)
}

pub(super) fn zinter(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply(Operation::Intersection, args, cx)
}

pub(super) fn zinterstore(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply_stored(Operation::Intersection, "zinterstore", args, cx)
}

pub(super) fn zdiff(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply(Operation::Difference, args, cx)
}

pub(super) fn zdiffstore(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    reply_stored(Operation::Difference, "zdiffstore", args, cx)
}

pub(super) fn zintercard(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let request = Request::parse(Operation::Intersection, Kind::Count, &mut args, cx)?;
    let mut count = 0;
    request.intersect(cx.db, |_| {
        count += 1;
        count != request.limit
    });
    cx.out.len(count);
    Ok(())
}
