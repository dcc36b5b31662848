//! LATENCY: how long commands take, and what took longest.

use std::fmt::Write;

use crate::command::{Args, Command, Flags, Keys, RowId, row};
use crate::context::Context;
use crate::error::{ReplyError, Result};

const FLAGS: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE);

#[rustfmt::skip] // a table reads best in columns
pub(super) const SUBCOMMANDS: &[Command] = &[
    row("DOCTOR", 2, FLAGS, Keys::NONE, doctor)
        .docs("2.8.13", "", "Describes what took long, for people.", "O(1)").tips("nondeterministic_output request_policy:all_nodes response_policy:special"),
    row("GRAPH", 3, FLAGS, Keys::NONE, graph)
        .docs("2.8.13", "event", "Draws the spikes of an event.", "O(1)").tips("nondeterministic_output request_policy:all_nodes response_policy:special"),
    row("HELP", 2, Flags::LOADING.and(Flags::STALE), Keys::NONE, help)
        .docs("2.8.13", "", "Lists the subcommands.", "O(1)"),
    row("HISTOGRAM", -2, FLAGS, Keys::NONE, histogram)
        .docs("7.0.0", "[command [command ...]]", "Returns how long the calls of commands took.", "O(N) where N is the number of commands with latency information being retrieved.").tips("nondeterministic_output request_policy:all_nodes response_policy:special"),
    row("HISTORY", 3, FLAGS, Keys::NONE, history)
        .docs("2.8.13", "event", "Returns the spikes of an event.", "O(1)").tips("nondeterministic_output request_policy:all_nodes response_policy:special"),
    row("LATEST", 2, FLAGS, Keys::NONE, latest)
        .docs("2.8.13", "", "Returns the latest spike of each event.", "O(1)").tips("nondeterministic_output request_policy:all_nodes response_policy:special"),
    row("RESET", -2, FLAGS, Keys::NONE, reset)
        .docs("2.8.13", "[event [event ...]]", "Forgets the spikes.", "O(1)").tips("request_policy:all_nodes response_policy:agg_sum"),
];

fn latest(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let events = cx.shared.spikes.iter();
    cx.out.array(events.len());
    for (name, spiky) in events {
        let last = spiky.samples.back();
        cx.out.array(4);
        cx.out.bulk(name.as_bytes());
        cx.out.integer(last.map_or(0, |spike| spike.at_s));
        cx.out.unsigned(last.map_or(0, |spike| spike.ms));
        cx.out.unsigned(spiky.max_ms);
    }
    Ok(())
}

fn history(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let Some(spiky) = cx.shared.spikes.get(args.next()?) else {
        cx.out.array(0);
        return Ok(());
    };
    cx.out.array(spiky.samples.len());
    for spike in &spiky.samples {
        cx.out.array(2);
        cx.out.integer(spike.at_s);
        cx.out.unsigned(spike.ms);
    }
    Ok(())
}

fn reset(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let named: Vec<&[u8]> = args.rest().collect();
    let is_meant = |event: &str| {
        let is_named = |name: &&[u8]| name.eq_ignore_ascii_case(event.as_bytes());
        named.is_empty() || named.iter().any(is_named)
    };
    let forgotten = cx.shared.spikes.forget(is_meant);
    cx.out.len(forgotten);
    Ok(())
}

fn graph(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let event = args.next()?;
    let event_name = String::from_utf8_lossy(event);
    let spiky = cx.shared.spikes.get(event).ok_or_else(|| {
        ReplyError::text(format!(
            "ERR No samples available for event '{event_name:.128}'"
        ))
    })?;
    let graph = spiky.graph(&event_name, cx.now_ms().div_euclid(1000));
    cx.out.text(&graph);
    Ok(())
}

fn doctor(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let threshold = cx.shared.config.latency_threshold_ms;
    let mut text = String::new();
    if threshold == 0 && cx.shared.spikes.iter().len() == 0 {
        text.push_str(
            "Nothing is watched: set `latency-monitor-threshold` to the milliseconds from which on something takes too long.\n",
        );
    } else if cx.shared.spikes.iter().len() == 0 {
        let _ = writeln!(text, "Nothing took {threshold} ms or longer.");
    }
    for (name, spiky) in cx.shared.spikes.iter() {
        let count = spiky.samples.len();
        let sum: u64 = spiky.samples.iter().map(|spike| spike.ms).sum();
        let mean = sum / count.max(1) as u64;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{name}: {count} spikes, {mean} ms on average, {} ms at most.",
            spiky.max_ms
        );
        text.push_str(match name {
            "command" => "  SLOWLOG GET shows which commands took long; they hold up all others.\n",
            "expire-cycle" => "  Many keys expire at once; a lower `hz` makes the turns rarer.\n",
            "eviction-cycle" => "  Keys are evicted faster than they are freed; see `maxmemory-eviction-tenacity`.\n",
            _ => "  Constant work took long: the machine was busy, or the command had very many arguments.\n",
        });
    }
    cx.out.text(&text);
    Ok(())
}

/// LATENCY HISTOGRAM \[command ...]: of a container, its subcommands.
fn histogram(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let commands = cx.shared.commands.clone();
    let mut found: Vec<RowId> = Vec::new();
    if args.remaining() == 0 {
        found.extend(commands.iter().map(|(id, _)| id));
    }
    for name in args.rest() {
        let mut words = name.splitn(2, |&byte| byte == b'|');
        let top = words.next().and_then(|word| commands.find(word));
        match (top, words.next()) {
            (Some(top), Some(sub)) => found.extend(commands.find_sub(top, sub)),
            (Some(top), None) => {
                found.push(top);
                found.extend(&commands.row(top).subcommands);
            }
            (None, _) => {}
        }
    }
    found.retain(|&id| cx.shared.stats.histogram(id).is_some());
    cx.out.map(found.len());
    for id in found {
        let Some(histogram) = cx.shared.stats.histogram(id) else {
            continue;
        };
        cx.out.bulk(commands.row(id).full_name.as_bytes());
        cx.out.map(2);
        cx.out.bulk(b"calls");
        cx.out.unsigned(histogram.calls);
        cx.out.bulk(b"histogram_usec");
        let buckets = histogram.cumulative();
        cx.out.map(buckets.clone().count());
        for (end_us, calls) in buckets {
            cx.out.unsigned(end_us);
            cx.out.unsigned(calls);
        }
    }
    Ok(())
}

fn help(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "LATENCY",
        &[
            "DOCTOR",
            "    Describe what took long.",
            "GRAPH <event>",
            "    Draw the spikes of <event>.",
            "HISTOGRAM [<command> ...]",
            "    Return how many calls took up to how many microseconds. Calls of one command",
            "    in a row count with their mean if the command takes constant time.",
            "HISTORY <event>",
            "    Return the spikes of <event>: time and milliseconds.",
            "LATEST",
            "    Return the latest spike of each event, and the longest.",
            "RESET [<event> ...]",
            "    Forget the spikes of the events, or of all.",
        ],
    );
    Ok(())
}
