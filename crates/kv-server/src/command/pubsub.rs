//! Publish and subscribe: channels, patterns, shard channels.

use crate::command::{Args, Command, Flags, KeySpec, Keys, container, row};
use crate::connection::session::ReplyMode;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::glob;
use crate::pubsub::Kind;
use crate::reply::Reply;

const ASK: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);
const SUBSCRIBE: Flags = ASK.and(Flags::NOSCRIPT);
const PUBLISH: Flags = ASK.and(Flags::FAST).and(Flags::MAY_REPLICATE);
/// Shard channels are routed like keys, but are none.
const SHARD_CHANNEL: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "not_key")]);
const SHARD_CHANNELS: Keys = Keys::new(&[KeySpec::range(1, -1, 1, "not_key")]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("PSUBSCRIBE",   -2, SUBSCRIBE, Keys::NONE, psubscribe)
        .docs("2.0.0", "pattern [pattern ...]", "Listens to the channels that match a pattern.", "O(N) where N is the number of patterns to subscribe to."),
    row("PUBLISH",       3, PUBLISH, Keys::NONE, publish)
        .docs("2.0.0", "channel message", "Sends a message to those who listen to a channel.", "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client)."),
    container("PUBSUB", SUBCOMMANDS)
        .docs("2.8.0", "", "Commands about channels.", "Depends on subcommand."),
    row("PUNSUBSCRIBE", -1, SUBSCRIBE, Keys::NONE, punsubscribe)
        .docs("2.0.0", "[pattern [pattern ...]]", "Stops listening to patterns.", "O(N) where N is the number of patterns to unsubscribe."),
    row("SPUBLISH",      3, PUBLISH, SHARD_CHANNEL, spublish)
        .docs("7.0.0", "shardchannel message", "Sends a message to those who listen to a shard channel.", "O(N) where N is the number of clients subscribed to the receiving shard channel."),
    row("SSUBSCRIBE",   -2, SUBSCRIBE, SHARD_CHANNELS, ssubscribe)
        .docs("7.0.0", "shardchannel [shardchannel ...]", "Listens to shard channels.", "O(N) where N is the number of shard channels to subscribe to."),
    row("SUBSCRIBE",    -2, SUBSCRIBE, Keys::NONE, subscribe)
        .docs("2.0.0", "channel [channel ...]", "Listens to channels.", "O(N) where N is the number of channels to subscribe to."),
    row("SUNSUBSCRIBE", -1, SUBSCRIBE, SHARD_CHANNELS, sunsubscribe)
        .docs("7.0.0", "[shardchannel [shardchannel ...]]", "Stops listening to shard channels.", "O(N) where N is the number of shard channels to unsubscribe."),
    row("UNSUBSCRIBE",  -1, SUBSCRIBE, Keys::NONE, unsubscribe)
        .docs("2.0.0", "[channel [channel ...]]", "Stops listening to channels.", "O(N) where N is the number of channels to unsubscribe."),
];

#[rustfmt::skip] // a table reads best in columns
const SUBCOMMANDS: &[Command] = &[
    row("CHANNELS",      -2, ASK, Keys::NONE, |args, cx| channels(args, cx, Kind::Channel))
        .docs("2.8.0", "[pattern]", "Lists the channels that somebody listens to.", "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)"),
    row("HELP",           2, Flags::LOADING.and(Flags::STALE), Keys::NONE, help)
        .docs("6.2.0", "", "Describes the subcommands.", "O(1)"),
    row("NUMPAT",         2, ASK, Keys::NONE, numpat)
        .docs("2.8.0", "", "Counts the patterns that somebody listens to.", "O(1)"),
    row("NUMSUB",        -2, ASK, Keys::NONE, |args, cx| numsub(args, cx, Kind::Channel))
        .docs("2.8.0", "[channel [channel ...]]", "Counts the listeners of channels.", "O(N) for the NUMSUB subcommand, where N is the number of requested channels"),
    row("SHARDCHANNELS", -2, ASK, Keys::NONE, |args, cx| channels(args, cx, Kind::Shard))
        .docs("7.0.0", "[pattern]", "Lists the shard channels that somebody listens to.", "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels)."),
    row("SHARDNUMSUB",   -2, ASK, Keys::NONE, |args, cx| numsub(args, cx, Kind::Shard))
        .docs("7.0.0", "[shardchannel [shardchannel ...]]", "Counts the listeners of shard channels.", "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels"),
];

fn subscribe(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    add(args, cx, Kind::Channel)
}

fn psubscribe(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    add(args, cx, Kind::Pattern)
}

fn ssubscribe(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    add(args, cx, Kind::Shard)
}

fn unsubscribe(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    remove(args, cx, Kind::Channel)
}

fn punsubscribe(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    remove(args, cx, Kind::Pattern)
}

fn sunsubscribe(args: Args<'_>, cx: &mut Context<'_>) -> Result {
    remove(args, cx, Kind::Shard)
}

fn add(mut args: Args<'_>, cx: &mut Context<'_>, kind: Kind) -> Result {
    for name in args.rest() {
        cx.shared.pubsub.subscribe(kind, name, cx.session);
        confirm(cx, kind.subscribed(), Some(name), kind);
    }
    Ok(())
}

fn remove(mut args: Args<'_>, cx: &mut Context<'_>, kind: Kind) -> Result {
    let names = if args.remaining() > 0 {
        args.rest().map(Box::from).collect()
    } else {
        Vec::from_iter(cx.session.subscriptions.of(kind).iter().cloned())
    };
    for name in &names {
        cx.shared.pubsub.unsubscribe(kind, name, cx.session);
        confirm(cx, kind.unsubscribed(), Some(name), kind);
    }
    if names.is_empty() {
        confirm(cx, kind.unsubscribed(), None, kind);
    }
    Ok(())
}

/// Tells the connection about one name. It is a push, so CLIENT REPLY does not keep it back.
fn confirm(cx: &mut Context<'_>, what: &str, name: Option<&[u8]>, kind: Kind) {
    let count = cx.session.subscriptions.counted_with(kind);
    let write = |out: &mut Reply<'_>| {
        out.push(3);
        out.bulk(what.as_bytes());
        out.bulk_or_null(name);
        out.len(count);
    };
    if cx.session.reply_mode == ReplyMode::On {
        write(&mut cx.out);
    } else {
        let version = cx.out.version;
        cx.session
            .peer
            .deliver(usize::MAX, |buf| write(&mut Reply { buf, version }));
    }
}

fn publish(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let channel = args.next()?;
    let message = args.next()?;
    let receivers = cx.shared.publish(channel, message);
    cx.out.len(receivers);
    Ok(())
}

fn spublish(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let channel = args.next()?;
    let message = args.next()?;
    let receivers = cx.shared.publish_shard(channel, message);
    cx.out.len(receivers);
    Ok(())
}

fn channels(mut args: Args<'_>, cx: &mut Context<'_>, kind: Kind) -> Result {
    let pattern = match args.remaining() {
        0 => None,
        1 => Some(args.next()?),
        _ => return Err(ReplyError::subcommand_syntax(&args)),
    };
    let channels = cx.shared.pubsub.channels(kind);
    let mut matching: Vec<_> = channels
        .filter(|channel| pattern.is_none_or(|pattern| glob::matches(pattern, channel)))
        .collect();
    matching.sort_unstable();
    cx.out.array(matching.len());
    matching.iter().for_each(|channel| cx.out.bulk(channel));
    Ok(())
}

fn numsub(mut args: Args<'_>, cx: &mut Context<'_>, kind: Kind) -> Result {
    let names = args.rest();
    cx.out.array(names.len() * 2);
    for name in names {
        cx.out.bulk(name);
        cx.out.len(cx.shared.pubsub.listeners(kind, name));
    }
    Ok(())
}

fn numpat(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.len(cx.shared.pubsub.pattern_count());
    Ok(())
}

fn help(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    The channels that somebody listens to and that match <pattern> (default: '*').",
            "NUMPAT",
            "    How many patterns somebody listens to.",
            "NUMSUB [<channel> ...]",
            "    How many listen to each of these channels, patterns left out.",
            "SHARDCHANNELS [<pattern>]",
            "    The shard channels that somebody listens to and that match <pattern> (default: '*').",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    How many listen to each of these shard channels.",
        ],
    );
    Ok(())
}
