//! XDEL, XTRIM, and the options for trimming.

use super::parse;
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;
use crate::value::Stream;
use crate::value::stream::{Keep, Limits, Log, Trim, Trimmed};

/// `MAXLEN` or `MINID`, `=` or `~`, `LIMIT`.
#[derive(Debug, Default)]
pub(super) struct Trimming {
    /// With the place of the threshold among the arguments.
    keep: Option<(Keep, usize)>,
    roughly: bool,
    limit: Option<u64>,
}

/// Without LIMIT, entries that `~` takes out in one go: so many nodes of entries, or so many entries, within bounds.
const LIMIT_NODES: u64 = 100;
const LIMIT_DEFAULT: u64 = 10_000;
const LIMIT_MAX: u64 = 1_000_000;

impl Trimming {
    /// Takes an option if one comes next.
    pub(super) fn take(&mut self, args: &mut Args<'_>) -> Result<bool> {
        // As the last argument such a word is none of these.
        if args.remaining() < 2 {
            return Ok(false);
        }
        let by_length = args.take("MAXLEN");
        if by_length || args.take("MINID") {
            if self.keep.is_some() {
                return Err(ReplyError::text(
                    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
            self.roughly = false;
            if args.remaining() > 1 {
                self.roughly = args.take("~");
                if !self.roughly {
                    args.take("=");
                }
            }
            let at = args.all().len() - args.remaining();
            let keep = if by_length {
                let max = u64::try_from(args.integer()?);
                Keep::Last(
                    max.map_err(|_| ReplyError::text("ERR The MAXLEN argument must be >= 0."))?,
                )
            } else {
                Keep::From(parse::id(args.next()?)?)
            };
            self.keep = Some((keep, at));
            return Ok(true);
        }
        if args.take("LIMIT") {
            let limit = u64::try_from(args.integer()?);
            self.limit =
                Some(limit.map_err(|_| ReplyError::text("ERR The LIMIT argument must be >= 0."))?);
            return Ok(true);
        }
        Ok(false)
    }

    /// What the options come to, if they go together.
    pub(super) fn finish(&self, limits: Limits) -> Result<Option<Trim>> {
        let error = |text| Err(ReplyError::text(text));
        if self.keep.is_none() && self.limit.is_some_and(|limit| limit > 0) {
            return error(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            );
        }
        if self.limit.is_some() && !self.roughly {
            return error("ERR syntax error, LIMIT cannot be used without the special ~ option");
        }
        let by_default = match limits.entries.saturating_mul(LIMIT_NODES) {
            0 => LIMIT_DEFAULT,
            limit => limit.min(LIMIT_MAX),
        };
        Ok(self.keep.map(|(keep, _)| Trim {
            keep,
            roughly: self.roughly,
            limit: match self.limit {
                Some(limit) => limit,
                None if self.roughly => by_default,
                None => 0,
            },
        }))
    }

    /// Puts what was done exactly in the place of `~`, whose outcome depends on the nodes.
    pub(super) fn make_exact(&self, words: &mut [Vec<u8>], log: &Log) {
        let Some((keep, at)) = self.keep.filter(|_| self.roughly) else {
            return;
        };
        words[at - 1] = b"=".to_vec();
        words[at] = match keep {
            Keep::Last(_) => log.len().to_string(),
            Keep::From(_) => log.first_or_max().to_string(),
        }
        .into_bytes();
    }
}

pub(super) fn xtrim(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let mut trimming = Trimming::default();
    while args.remaining() > 0 {
        if !trimming.take(&mut args)? {
            return Err(ReplyError::Syntax);
        }
    }
    // A LIMIT of 0 says nothing.
    trimming.limit = trimming
        .limit
        .filter(|&limit| limit > 0 || trimming.keep.is_some());
    let Some(trim) = trimming.finish(cx.shared.config.stream)? else {
        return Err(ReplyError::text(
            "ERR syntax error, XTRIM must be called with a trimming strategy",
        ));
    };
    let Some(stream) = cx.db.get_mut::<Stream>(key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let trimmed = stream.log.trim(trim);
    let count = trimmed.count;
    if count > 0 && trim.roughly && cx.shared.effects.are_followed() {
        let mut words = words_of(&args);
        trimming.make_exact(&mut words, &stream.log);
        propagate(&words, cx);
    }
    if count > 0 {
        cx.db.changed_by(count, Class::STREAM, "xtrim", key);
    }
    bury(trimmed, cx);
    cx.out.unsigned(count);
    Ok(())
}

/// All words of a request, the name of the command first.
pub(super) fn words_of(args: &Args<'_>) -> Vec<Vec<u8>> {
    args.all().map(<[u8]>::to_vec).collect()
}

pub(super) fn propagate(words: &[Vec<u8>], cx: &mut Context<'_>) {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    cx.propagate(&words);
}

/// Leaves what was taken out to whoever has the time to free it.
pub(super) fn bury(trimmed: Trimmed, cx: &mut Context<'_>) {
    if !trimmed.nodes.is_empty() {
        let entry = Entry::object(b"", trimmed.into(), NEVER);
        cx.shared.garbage.bury(entry);
    }
}

pub(super) fn xdel(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let ids = parse::ids(&mut args);
    let Some(stream) = cx.db.get_mut::<Stream>(key)? else {
        // Whatever the ids are.
        cx.out.integer(0);
        return Ok(());
    };
    let ids = ids?;
    let deleted = ids.into_iter().filter(|id| stream.log.delete(*id)).count();
    if deleted > 0 {
        cx.db.changed_by(deleted as u64, Class::STREAM, "xdel", key);
    }
    cx.out.len(deleted);
    Ok(())
}
