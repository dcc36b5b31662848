//! XINFO.

use super::group::unknown;
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{Consumer, Group, Id, Log};

const HELP: &[&str] = &[
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
];

/// What FULL shows of each list without COUNT.
const SHOWN: usize = 10;

pub(super) fn help(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help("XINFO", HELP);
    Ok(())
}

fn open<'d, 'c>(key: &[u8], cx: &'d mut Context<'c>) -> Result<(&'d Stream, &'d mut Reply<'c>)> {
    let stream = cx.db.get::<Stream>(key)?.ok_or(ReplyError::NoSuchKey)?;
    Ok((stream, &mut cx.out))
}

impl Reply<'_> {
    fn name(&mut self, name: &str) {
        self.bulk(name.as_bytes());
    }

    fn named(&mut self, name: &str, value: usize) {
        self.name(name);
        self.len(value);
    }

    fn named_id(&mut self, name: &str, id: Id) {
        self.name(name);
        self.stream_id(id);
    }

    fn unsigned_or_null(&mut self, value: Option<u64>) {
        match value {
            Some(value) => self.unsigned(value),
            None => self.null(),
        }
    }
}

/// `entries-read` and `lag` of a group.
fn progress(log: &Log, group: &Group, out: &mut Reply<'_>) {
    out.name("entries-read");
    out.unsigned_or_null(group.read);
    out.name("lag");
    match log.lag(group) {
        Some(lag) => out.integer(lag),
        None => out.null(),
    }
}

pub(super) fn consumers(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, name) = (args.next()?, args.next()?);
    let now = cx.now_ms();
    let (stream, out) = open(key, cx)?;
    let group = stream.groups.get(name).ok_or_else(|| unknown(key, name))?;
    out.array(group.consumers().len());
    for consumer in group.consumers() {
        out.map(4);
        out.name("name");
        out.bulk(consumer.name());
        out.named("pending", consumer.pending());
        out.name("idle");
        out.integer(now.saturating_sub(consumer.seen_ms).max(0));
        out.name("inactive");
        let inactive = consumer.active_ms.map(|active| now.saturating_sub(active));
        out.integer(inactive.unwrap_or(-1));
    }
    Ok(())
}

pub(super) fn groups(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (stream, out) = open(args.next()?, cx)?;
    out.array(stream.groups.len());
    for (name, group) in &stream.groups {
        out.map(6);
        out.name("name");
        out.bulk(name);
        out.named("consumers", group.consumers().len());
        out.named("pending", group.pending_len());
        out.named_id("last-delivered-id", group.last);
        progress(&stream.log, group, out);
    }
    Ok(())
}

pub(super) fn stream(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let (stream, out) = open(key, cx)?;
    if args.remaining() == 0 {
        brief(stream, out);
        return Ok(());
    }
    let syntax = |args: &Args<'_>| Err(ReplyError::subcommand_syntax(args));
    if !matches!(args.remaining(), 1 | 3) || !args.take("FULL") {
        return syntax(&args);
    }
    let mut max = SHOWN;
    if args.remaining() > 0 {
        if !args.take("COUNT") {
            return syntax(&args);
        }
        max = usize::try_from(args.integer()?).unwrap_or(SHOWN);
    }
    full(stream, max, out);
    Ok(())
}

fn counters(log: &Log, out: &mut Reply<'_>) {
    out.name("length");
    out.unsigned(log.len());
    out.named("radix-tree-keys", log.nodes());
    out.named("radix-tree-nodes", log.radix_nodes());
    out.named_id("last-generated-id", log.last);
    out.named_id("max-deleted-entry-id", log.max_deleted);
    out.name("entries-added");
    out.unsigned(log.added);
    out.named_id("recorded-first-entry-id", log.first);
}

fn brief(stream: &Stream, out: &mut Reply<'_>) {
    let log = &stream.log;
    out.map(10);
    counters(log, out);
    out.named("groups", stream.groups.len());
    let first = log.range(Id::MIN, Id::MAX).next();
    let last = log.range_back(Id::MIN, Id::MAX).next();
    for (name, entry) in [("first-entry", first), ("last-entry", last)] {
        out.name(name);
        match entry {
            Some(entry) => out.stream_entry(entry),
            None => out.null(),
        }
    }
}

/// All there is to know, but for lists that are longer than `max`, if that is not 0.
fn full(stream: &Stream, max: usize, out: &mut Reply<'_>) {
    out.map(9);
    counters(&stream.log, out);
    out.name("entries");
    out.stream_entries(stream.log.range(Id::MIN, Id::MAX), max);
    out.name("groups");
    out.array(stream.groups.len());
    let max = if max == 0 { usize::MAX } else { max };
    for (name, group) in &stream.groups {
        out.map(7);
        out.name("name");
        out.bulk(name);
        out.named_id("last-delivered-id", group.last);
        progress(&stream.log, group, out);
        out.named("pel-count", group.pending_len());
        out.name("pending");
        out.array(group.pending_len().min(max));
        for (id, pending) in group.pending_from(Id::MIN).take(max) {
            out.array(4);
            out.stream_id(id);
            out.bulk(group.consumer(pending.owner).name());
            out.integer(pending.delivered_ms);
            out.unsigned(pending.deliveries);
        }
        out.name("consumers");
        out.array(group.consumers().len());
        for consumer in group.consumers() {
            describe(consumer, group, max, out);
        }
    }
}

fn describe(consumer: &Consumer, group: &Group, max: usize, out: &mut Reply<'_>) {
    out.map(5);
    out.name("name");
    out.bulk(consumer.name());
    out.name("seen-time");
    out.integer(consumer.seen_ms);
    out.name("active-time");
    out.integer(consumer.active_ms.unwrap_or(-1));
    out.named("pel-count", consumer.pending());
    out.name("pending");
    out.array(consumer.pending().min(max));
    for id in consumer.pending_from(Id::MIN).take(max) {
        let Some(pending) = group.pending(id) else {
            continue;
        };
        out.array(3);
        out.stream_id(id);
        out.integer(pending.delivered_ms);
        out.unsigned(pending.deliveries);
    }
}
