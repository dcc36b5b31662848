//! XREAD and XREADGROUP.

use super::parse;
use crate::call::Words;
use crate::command::Args;
use crate::connection::session::OnTimeout;
use crate::context::{Context, Wait};
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{Group, Id, Log, Owner, Pending};

/// What both commands take.
#[derive(Debug)]
struct Read<'a> {
    /// The group and the consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    /// Entries of each stream; 0 for all.
    count: usize,
    /// Until when to wait for one: `Some(None)` is for ever, `None` not at all.
    wait: Option<Option<i64>>,
    noack: bool,
    keys: Vec<&'a [u8]>,
    ids: Vec<&'a [u8]>,
}

impl<'a> Read<'a> {
    fn parse(name: &str, mut args: Args<'a>, now_ms: i64) -> Result<Self> {
        let grouped = name == "xreadgroup";
        let mut read = Self {
            group: None,
            count: 0,
            wait: None,
            noack: false,
            keys: Vec::new(),
            ids: Vec::new(),
        };
        let only_grouped = |option| {
            let text = format!(
                "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
            );
            if grouped {
                Ok(())
            } else {
                Err(ReplyError::text(text))
            }
        };
        while args.remaining() > 0 {
            let more = args.remaining() - 1;
            if more > 0 && args.take("BLOCK") {
                read.wait = Some(deadline(args.next()?, now_ms)?);
            } else if more > 0 && args.take("COUNT") {
                read.count = usize::try_from(args.integer()?).unwrap_or(0);
            } else if more > 0 && args.take("STREAMS") {
                if args.remaining() % 2 != 0 {
                    let symbol = if grouped { '>' } else { '$' };
                    return Err(ReplyError::text(format!(
                        "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{symbol}' must be specified."
                    )));
                }
                read.keys = args.rest().collect();
                read.ids = read.keys.split_off(read.keys.len() / 2);
            } else if more > 1 && args.take("GROUP") {
                only_grouped("GROUP")?;
                read.group = Some((args.next()?, args.next()?));
            } else if args.take("NOACK") {
                only_grouped("NOACK")?;
                read.noack = true;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        if read.keys.is_empty() {
            return Err(ReplyError::Syntax);
        }
        if grouped && read.group.is_none() {
            return Err(ReplyError::text("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(read)
    }

    /// Replies with what `serve` has of each stream, key by key; `false` if that is nothing.
    fn reply(
        &self,
        ids: &[Id],
        cx: &mut Context<'_>,
        mut serve: impl FnMut(&[u8], Id, &mut Context<'_>) -> bool,
    ) -> bool {
        let position = cx.out.position();
        let mut count = 0;
        for (key, id) in self.keys.iter().zip(ids) {
            let start = cx.out.position();
            if !serve(key, *id, cx) {
                continue;
            }
            count += 1;
            let nested = !cx.out.is_resp3();
            cx.out.put_before(start, |out| {
                if nested {
                    out.array(2);
                }
                out.bulk(key);
            });
        }
        if count == 0 {
            return false;
        }
        cx.out.put_before(position, |out| {
            if out.is_resp3() {
                out.map(count);
            } else {
                out.array(count);
            }
        });
        true
    }

    /// Waits, or says that there is nothing.
    fn finish(&self, again: Option<Words>, cx: &mut Context<'_>) {
        let Some(deadline) = self.wait else {
            cx.out.null_array();
            return;
        };
        cx.wait_for(Wait {
            keys: self.keys.iter().copied().map(Box::from).collect(),
            deadline,
            on_timeout: OnTimeout::NullArray,
            // Who reads for a group is told when the group is gone, with its key or without.
            wants: self.group.is_none().then_some("stream"),
            again,
        });
    }
}

/// Until when to wait, for so many milliseconds; 0 is for ever.
fn deadline(ms: &[u8], now_ms: i64) -> Result<Option<i64>> {
    let ms = resp_codec::number::parse_i64(ms)
        .ok_or_else(|| ReplyError::text("ERR timeout is not an integer or out of range"))?;
    match ms {
        0 => Ok(None),
        ..0 => Err(ReplyError::text("ERR timeout is negative")),
        _ => now_ms
            .checked_add(ms)
            .map(Some)
            .ok_or_else(|| ReplyError::text("ERR timeout is out of range")),
    }
}

pub(super) fn xread(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let read = Read::parse("xread", args, cx.now_ms())?;
    let mut ids = Vec::with_capacity(read.ids.len());
    for (key, id) in read.keys.iter().zip(&read.ids) {
        let stream = cx.db.get::<Stream>(key)?;
        ids.push(match *id {
            b"$" => stream.map_or(Id::MIN, |stream| stream.log.last),
            b">" => {
                return Err(ReplyError::text(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                ));
            }
            id => parse::id(id)?,
        });
    }
    let longest = cx.longest_output();
    let any = read.reply(&ids, cx, |key, after, cx| {
        if cx.out.position() > longest {
            cx.session.cut_off = true;
            return false;
        }
        let stream = cx.db.view::<Stream>(key);
        let Some(stream) = stream.filter(|stream| stream.log.reaches_behind(after)) else {
            return false;
        };
        let start = after.next().unwrap_or(Id::MAX);
        let entries = stream.log.range(start, Id::MAX);
        cx.out.stream_entries(entries, read.count);
        true
    });
    if !any {
        let open = read.wait.is_some() && read.ids.contains(&&b"$"[..]);
        let again = open.then(|| fixed(args, &ids)).transpose()?;
        read.finish(again, cx);
    }
    Ok(())
}

/// The request with ids in the place of each `$`.
fn fixed(args: Args<'_>, ids: &[Id]) -> Result<Words> {
    let mut words: Vec<Vec<u8>> = args.all().map(<[u8]>::to_vec).collect();
    let first = words.len() - ids.len();
    for (word, id) in words[first..].iter_mut().zip(ids) {
        *word = id.to_string().into_bytes();
    }
    Words::new(words)
}

pub(super) fn xreadgroup(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let read = Read::parse("xreadgroup", args, cx.now_ms())?;
    let (group, consumer) = read.group.unwrap_or_default();
    let mut ids = Vec::with_capacity(read.ids.len());
    for (key, id) in read.keys.iter().zip(&read.ids) {
        let stream = cx.db.get::<Stream>(key)?;
        if stream.is_none_or(|stream| !stream.groups.contains_key(group)) {
            return Err(ReplyError::text(format!(
                "{} in XREADGROUP with GROUP option",
                parse::no_group(key, group)
            )));
        }
        ids.push(match *id {
            b"$" => {
                return Err(ReplyError::text(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
                ));
            }
            // The new ones come behind whatever has been.
            b">" => Id::MAX,
            id => parse::id(id)?,
        });
    }
    cx.shared.effects.only_rewritten();
    let any = read.reply(&ids, cx, |key, after, cx| {
        let reader = Reader {
            key,
            group,
            consumer,
            count: read.count,
            noack: read.noack,
        };
        reader.serve(after, cx)
    });
    if !any {
        read.finish(None, cx);
    }
    Ok(())
}

/// A consumer who reads one stream.
#[derive(Debug)]
struct Reader<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    count: usize,
    noack: bool,
}

impl Reader<'_> {
    /// Replies with entries; `false` if there are none that were not delivered before.
    fn serve(&self, after: Id, cx: &mut Context<'_>) -> bool {
        let now = cx.now_ms();
        let Ok(Some(Stream { log, groups })) = cx.db.get_mut::<Stream>(self.key) else {
            return false;
        };
        let Some(group) = groups.get_mut(self.group) else {
            return false;
        };
        let created = group.add(self.consumer, now);
        let Some(owner) = created.or_else(|| group.find(self.consumer)) else {
            return false;
        };
        group.consumer_mut(owner).seen_ms = now;
        let effects = &mut cx.shared.effects;
        if created.is_some() && self.noack {
            // Without entries that somebody owns, nothing else tells of the consumer.
            effects.rewrite(&[
                b"XGROUP",
                b"CREATECONSUMER",
                self.key,
                self.group,
                self.consumer,
            ]);
        }
        let is_new = after == Id::MAX;
        let any = !is_new || log.reaches_behind(group.last);
        if !is_new {
            let max = if self.count == 0 {
                usize::MAX
            } else {
                self.count
            };
            history(log, group, owner, after, max, now, &mut cx.out);
        } else if any {
            let start = group.last.next().unwrap_or(Id::MAX);
            let entries = log.range(start, Id::MAX);
            // What is written and what is noted are the same entries.
            let max = if self.count == 0 {
                usize::MAX
            } else {
                self.count
            };
            for entry in entries.clone().take(max) {
                log.deliver(entry.id, group);
                if self.noack {
                    continue;
                }
                let pending = Pending {
                    delivered_ms: now,
                    deliveries: 1,
                    owner,
                };
                group.assign(entry.id, pending);
                group.consumer_mut(owner).active_ms = Some(now);
                if effects.are_followed() {
                    let claim = super::claim::effect(self.key, self.group, group, entry.id);
                    super::claim::publish(&claim, effects);
                }
            }
            cx.out.stream_entries(entries, self.count);
            if self.noack && effects.are_followed() {
                let progress = super::group::progress(self.key, self.group, group);
                super::claim::publish(&progress, effects);
            }
        }
        if created.is_some() {
            let event = "xgroup-createconsumer";
            cx.db.changed_aside(1, Class::STREAM, event, self.key);
        }
        cx.db.changes.count += u64::from(any);
        any
    }
}

/// Replies with what a consumer was given and has not acknowledged, behind an id; that counts as delivered once more.
fn history(
    log: &Log,
    group: &mut Group,
    owner: Owner,
    after: Id,
    max: usize,
    now_ms: i64,
    out: &mut Reply<'_>,
) {
    let start = after.next().unwrap_or(Id::MAX);
    let pending = group.consumer(owner).pending_from(start);
    let ids: Vec<Id> = pending.take(max).collect();
    out.array(ids.len());
    for id in ids {
        match log.get(id) {
            Some(entry) => {
                out.stream_entry(entry);
                if let Some(pending) = group.pending(id).copied() {
                    group.assign(
                        id,
                        Pending {
                            delivered_ms: now_ms,
                            deliveries: pending.deliveries.saturating_add(1),
                            owner,
                        },
                    );
                }
            }
            None => {
                out.array(2);
                out.stream_id(id);
                out.null_array();
            }
        }
    }
}
