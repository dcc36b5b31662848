//! XADD and XSETID.

use super::parse;
use super::trim::{Trimming, bury, propagate, words_of};
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::Stream;
use crate::value::stream::{ENTRY_MAX, Given, Id, Log};

/// The id of the new entry, for which the stream has the last word; `None` if it is not greater than the last one.
fn choose(given: Option<Given>, log: &Log, now_ms: i64) -> Option<Id> {
    let last = log.last;
    let id = match given {
        Some(Given { ms, seq: Some(seq) }) => Id::new(ms, seq),
        Some(Given { ms, seq: None }) if ms == last.ms => Id::new(ms, last.seq.checked_add(1)?),
        Some(Given { ms, seq: None }) => Id::new(ms, 0),
        None => {
            let now = u64::try_from(now_ms).unwrap_or(0);
            if now > last.ms {
                Id::new(now, 0)
            } else {
                last.next()?
            }
        }
    };
    (id > last).then_some(id)
}

pub(super) fn xadd(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let mut trimming = Trimming::default();
    let mut create = true;
    // `None` for `*`.
    let mut given = None;
    let mut id_at = args.all().len();
    while args.remaining() > 0 {
        id_at = args.all().len() - args.remaining();
        if args.take("*") {
            break;
        }
        if trimming.take(&mut args)? {
            continue;
        }
        if args.take("NOMKSTREAM") {
            create = false;
            continue;
        }
        given = Some(Given::parse(args.next()?).ok_or_else(parse::invalid_id)?);
        break;
    }
    let trim = trimming.finish(cx.shared.config.stream)?;
    let fields = args.rest();
    if fields.len() < 2 || fields.len() % 2 == 1 {
        return Err(ReplyError::Arity("xadd".into()));
    }
    if matches!(
        given,
        Some(Given {
            ms: 0,
            seq: Some(0)
        })
    ) {
        return Err(ReplyError::text(
            "ERR The ID specified in XADD must be greater than 0-0",
        ));
    }
    let too_large = fields.clone().map(<[u8]>::len).sum::<usize>() > ENTRY_MAX;
    let now = cx.now_ms();
    let limits = cx.shared.config.stream;
    let stream: &mut Stream = if create && !too_large {
        cx.db.get_or_default(key)?
    } else {
        match cx.db.get_mut(key)? {
            Some(stream) => stream,
            None if create => {
                return Err(ReplyError::text("ERR Elements are too large to be stored"));
            }
            None => {
                cx.out.null();
                return Ok(());
            }
        }
    };
    if stream.log.last == Id::MAX {
        return Err(ReplyError::text(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = choose(given, &stream.log, now).ok_or_else(|| {
        ReplyError::text(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        )
    })?;
    if too_large {
        return Err(ReplyError::text("ERR Elements are too large to be stored"));
    }
    stream.log.append(id, fields, limits);
    cx.out.stream_id(id);
    let trimmed = trim.map(|trim| stream.log.trim(trim));
    let is_fixed = matches!(given, Some(Given { seq: Some(_), .. }));
    let is_exact = trim.is_none_or(|trim| !trim.roughly);
    if !(is_fixed && is_exact) && cx.shared.effects.are_followed() {
        let mut words = words_of(&args);
        words[id_at] = id.to_string().into_bytes();
        trimming.make_exact(&mut words, &stream.log);
        propagate(&words, cx);
    }
    cx.db.changed(Class::STREAM, "xadd", key);
    if let Some(trimmed) = trimmed {
        if trimmed.count > 0 {
            cx.db.event(Class::STREAM, "xtrim", key);
        }
        bury(trimmed, cx);
    }
    Ok(())
}

pub(super) fn xsetid(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let error = |text| Err(ReplyError::text(text));
    let key = args.next()?;
    let id = parse::id(args.next()?)?;
    let (mut added, mut max_deleted) = (None, Id::MIN);
    while args.remaining() > 0 {
        if args.remaining() < 2 {
            return Err(ReplyError::Syntax);
        }
        if args.take("ENTRIESADDED") {
            let Ok(count) = u64::try_from(args.integer()?) else {
                return error("ERR entries_added must be positive");
            };
            added = Some(count);
        } else if args.take("MAXDELETEDID") {
            max_deleted = parse::id(args.next()?)?;
            if id < max_deleted {
                return error(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                );
            }
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    let Some(stream) = cx.db.get_mut::<Stream>(key)? else {
        return Err(ReplyError::NoSuchKey);
    };
    let log = &mut stream.log;
    if id < log.max_deleted {
        return error(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        );
    }
    if let Some(top) = log.top() {
        if id < top {
            return error(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            );
        }
        if added.is_some_and(|added| log.len() > added) {
            return error(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            );
        }
    }
    log.last = id;
    log.added = added.unwrap_or(log.added);
    if max_deleted != Id::MIN {
        log.max_deleted = max_deleted;
    }
    cx.out.ok();
    // As for Redis, nobody who watches the key is told.
    cx.db.changed_aside(1, Class::STREAM, "xsetid", key);
    Ok(())
}
