//! XCLAIM and XAUTOCLAIM: entries that change hands.

use super::parse;
use crate::command::Args;
use crate::context::Context;
use crate::effect::Effects;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{Group, Id, Owner, Pending};

/// The command that makes an entry pending just as it is now.
pub(super) fn effect(key: &[u8], name: &[u8], group: &Group, id: Id) -> Vec<Vec<u8>> {
    let Some(pending) = group.pending(id) else {
        return Vec::new();
    };
    let (id, last) = (id.to_string(), group.last.to_string());
    let (time, count) = (
        pending.delivered_ms.to_string(),
        pending.deliveries.to_string(),
    );
    [
        &b"XCLAIM"[..],
        key,
        name,
        group.consumer(pending.owner).name(),
        b"0",
        id.as_bytes(),
        b"TIME",
        time.as_bytes(),
        b"RETRYCOUNT",
        count.as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last.as_bytes(),
    ]
    .map(<[u8]>::to_vec)
    .into()
}

pub(super) fn publish(words: &[Vec<u8>], effects: &mut Effects) {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    effects.rewrite(&words);
}

/// How entries change hands.
#[derive(Debug)]
struct Claim<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    /// Only what was delivered so many milliseconds ago.
    min_idle: i64,
    /// Unix time in milliseconds.
    now: i64,
    /// When they count as delivered, and how often; one more time than before if that is not given.
    delivered_ms: i64,
    deliveries: Option<u64>,
    /// Also what is not pending.
    force: bool,
    just_ids: bool,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Claimed,
    /// It is not in the stream any more, so it is not pending any more.
    Gone,
    Refused,
}

impl<'a> Claim<'a> {
    /// As if they were delivered now, one more time.
    fn new([key, group, consumer]: [&'a [u8]; 3], min_idle: i64, now: i64) -> Self {
        Self {
            key,
            group,
            consumer,
            min_idle,
            now,
            delivered_ms: now,
            deliveries: None,
            force: false,
            just_ids: false,
        }
    }

    /// The consumer, who is created if need be; and whether that was.
    fn open(&self, group: &mut Group) -> Option<(Owner, bool)> {
        let created = group.add(self.consumer, self.now);
        let owner = created.or_else(|| group.find(self.consumer))?;
        group.consumer_mut(owner).seen_ms = self.now;
        Some((owner, created.is_some()))
    }

    /// Gives one entry to the consumer, and replies with it.
    fn claim(
        &self,
        id: Id,
        owner: Owner,
        stream: &mut Stream,
        out: &mut Reply<'_>,
        effects: &mut Effects,
    ) -> Outcome {
        let Some(group) = stream.groups.get_mut(self.group) else {
            return Outcome::Refused;
        };
        let before = group.pending(id).copied();
        let Some(entry) = stream.log.get(id) else {
            if before.is_none() {
                return Outcome::Refused;
            }
            if effects.are_followed() {
                publish(&effect(self.key, self.group, group, id), effects);
            }
            group.acknowledge(id);
            return Outcome::Gone;
        };
        let deliveries = match before {
            None if !self.force => return Outcome::Refused,
            None => 1,
            Some(before) => {
                let idle = self.now.saturating_sub(before.delivered_ms);
                if self.min_idle > 0 && idle < self.min_idle {
                    return Outcome::Refused;
                }
                before.deliveries
            }
        };
        let more = u64::from(!self.just_ids);
        let deliveries = match self.deliveries {
            Some(deliveries) => deliveries,
            None => deliveries.saturating_add(more),
        };
        group.assign(
            id,
            Pending {
                delivered_ms: self.delivered_ms,
                deliveries,
                owner,
            },
        );
        group.consumer_mut(owner).active_ms = Some(self.now);
        if self.just_ids {
            out.stream_id(id);
        } else {
            out.stream_entry(entry);
        }
        if effects.are_followed() {
            publish(&effect(self.key, self.group, group, id), effects);
        }
        Outcome::Claimed
    }

    /// Notes how much has changed.
    fn finish(&self, created: bool, changes: u64, cx: &mut Context<'_>) {
        if created {
            let event = "xgroup-createconsumer";
            cx.db.changed_aside(1, Class::STREAM, event, self.key);
        }
        cx.db.changes.count += changes;
    }
}

fn has_group(key: &[u8], name: &[u8], cx: &mut Context<'_>) -> Result {
    let stream = cx.db.get::<Stream>(key)?;
    if stream.is_some_and(|stream| stream.groups.contains_key(name)) {
        Ok(())
    } else {
        Err(parse::no_group(key, name))
    }
}

/// The next argument as an integer, or the error that names it.
fn named(args: &mut Args<'_>, name: &str) -> Result<i64> {
    let number = resp_codec::number::parse_i64(args.next()?);
    number.ok_or_else(|| ReplyError::text(format!("ERR Invalid {name}")))
}

pub(super) fn xclaim(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, group, consumer) = (args.next()?, args.next()?, args.next()?);
    // Without the group nobody cares about the rest.
    has_group(key, group, cx)?;
    let now = cx.now_ms();
    let min_idle = named(&mut args, "min-idle-time argument for XCLAIM")?;
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(|text| Id::parse(text, 0)) {
        ids.push(id);
        args.next()?;
    }
    let mut claim = Claim::new([key, group, consumer], min_idle, now);
    let mut last = Id::MIN;
    while args.remaining() > 0 {
        let more = args.remaining() > 1;
        if args.take("FORCE") {
            claim.force = true;
        } else if args.take("JUSTID") {
            claim.just_ids = true;
        } else if more && args.take("IDLE") {
            let idle = named(&mut args, "IDLE option argument for XCLAIM")?;
            claim.delivered_ms = now.wrapping_sub(idle);
        } else if more && args.take("TIME") {
            claim.delivered_ms = named(&mut args, "TIME option argument for XCLAIM")?;
        } else if more && args.take("RETRYCOUNT") {
            let count = named(&mut args, "RETRYCOUNT option argument for XCLAIM")?;
            claim.deliveries = u64::try_from(count).ok();
        } else if more && args.take("LASTID") {
            last = parse::id(args.next()?)?;
        } else {
            return Err(ReplyError::text(format!(
                "ERR Unrecognized XCLAIM option '{}'",
                parse::shown(args.next()?)
            )));
        }
    }
    // A time that cannot be is now.
    if !(0..=now).contains(&claim.delivered_ms) {
        claim.delivered_ms = now;
    }
    let effects = &mut cx.shared.effects;
    effects.only_rewritten();
    let Some(stream) = cx.db.get_mut::<Stream>(key)? else {
        return Err(parse::no_group(key, group));
    };
    let Some(state) = stream.groups.get_mut(group) else {
        return Err(parse::no_group(key, group));
    };
    let mut moved = last > state.last;
    state.last = state.last.max(last);
    let Some((owner, created)) = claim.open(state) else {
        return Err(parse::no_group(key, group));
    };
    let position = cx.out.position();
    let (mut changes, mut count) = (0, 0);
    for id in ids {
        let outcome = claim.claim(id, owner, stream, &mut cx.out, effects);
        count += usize::from(outcome == Outcome::Claimed);
        if outcome != Outcome::Refused {
            changes += 1;
            // The entry's own effect says it too.
            moved = false;
        }
    }
    cx.out.put_before(position, |out| out.array(count));
    if moved {
        changes += 1;
        if let Some(state) = stream.groups.get(group) {
            publish(&super::group::progress(key, group, state), effects);
        }
    }
    claim.finish(created, changes, cx);
    Ok(())
}

/// Entries that XAUTOCLAIM claims without COUNT, and how many it looks at for each.
const COUNT: i64 = 100;
const ATTEMPTS: u64 = 10;
/// What Redis takes as COUNT at most.
const COUNT_MAX: i64 = i64::MAX / 16;

pub(super) fn xautoclaim(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let (key, group, consumer) = (args.next()?, args.next()?, args.next()?);
    let min_idle = named(&mut args, "min-idle-time argument for XAUTOCLAIM")?;
    let mut next = Some(parse::start(args.next()?)?);
    let (mut count, mut just_ids) = (COUNT, false);
    while args.remaining() > 0 {
        if args.remaining() > 1 && args.take("COUNT") {
            let given = resp_codec::number::parse_i64(args.next()?);
            let given = given.filter(|count| (1..=COUNT_MAX).contains(count));
            count = given.ok_or_else(|| ReplyError::text("ERR COUNT must be > 0"))?;
        } else if args.take("JUSTID") {
            just_ids = true;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    has_group(key, group, cx)?;
    let now = cx.now_ms();
    let mut claim = Claim::new([key, group, consumer], min_idle, now);
    claim.just_ids = just_ids;
    let effects = &mut cx.shared.effects;
    effects.only_rewritten();
    let Some(stream) = cx.db.get_mut::<Stream>(key)? else {
        return Err(parse::no_group(key, group));
    };
    let opened = stream.groups.get_mut(group);
    let Some((owner, created)) = opened.and_then(|state| claim.open(state)) else {
        return Err(parse::no_group(key, group));
    };
    let pending = |stream: &Stream, from: Option<Id>| {
        let state = stream.groups.get(group)?;
        state.pending_from(from?).next().map(|(id, _)| id)
    };
    let position = cx.out.position();
    let mut claimed = 0;
    let mut gone = Vec::new();
    let mut left = count.unsigned_abs();
    let mut attempts = left * ATTEMPTS;
    while attempts > 0 && left > 0 {
        let Some(id) = pending(stream, next) else {
            break;
        };
        next = id.next();
        attempts -= 1;
        match claim.claim(id, owner, stream, &mut cx.out, effects) {
            Outcome::Claimed => claimed += 1,
            Outcome::Gone => gone.push(id),
            Outcome::Refused => continue,
        }
        left -= 1;
    }
    let next = pending(stream, next).unwrap_or(Id::MIN);
    cx.out.put_before(position, |out| {
        out.array(3);
        out.stream_id(next);
        out.array(claimed);
    });
    cx.out.array(gone.len());
    gone.iter().for_each(|id| cx.out.stream_id(*id));
    let changes = (claimed + gone.len()) as u64;
    claim.finish(created, changes, cx);
    Ok(())
}
