//! SLOWLOG: what took long.

use resp_codec::number;

use crate::command::{Args, Command, Flags, Keys, row};
use crate::context::Context;
use crate::error::{ReplyError, Result};

const FLAGS: Flags = Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE);

#[rustfmt::skip] // a table reads best in columns
pub(super) const SUBCOMMANDS: &[Command] = &[
    row("GET", -2, FLAGS, Keys::NONE, get)
        .docs("2.2.12", "[count]", "Returns the latest entries of the slow log.", "O(N) where N is the number of entries returned").tips("request_policy:all_nodes nondeterministic_output"),
    row("HELP", 2, Flags::LOADING.and(Flags::STALE), Keys::NONE, help)
        .docs("6.2.0", "", "Lists the subcommands.", "O(1)"),
    row("LEN", 2, FLAGS, Keys::NONE, len)
        .docs("2.2.12", "", "Returns the number of entries in the slow log.", "O(1)").tips("request_policy:all_nodes response_policy:agg_sum nondeterministic_output"),
    row("RESET", 2, FLAGS, Keys::NONE, reset)
        .docs("2.2.12", "", "Empties the slow log.", "O(N) where N is the number of entries in the slowlog").tips("request_policy:all_nodes response_policy:all_succeeded"),
];

/// Entries that GET returns unless it is told how many.
const COUNT: usize = 10;

/// SLOWLOG GET \[count]
fn get(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let count = match args.remaining() {
        0 => COUNT,
        1 => match args.next()? {
            b"-1" => usize::MAX,
            count => number::parse_i64(count)
                .and_then(|count| usize::try_from(count).ok())
                .ok_or_else(|| {
                    ReplyError::text("ERR count should be greater than or equal to -1")
                })?,
        },
        _ => return Err(ReplyError::subcommand_syntax(&args)),
    };
    let entries = cx.shared.slowlog.iter();
    cx.out.array(entries.len().min(count));
    for entry in entries.take(count) {
        cx.out.array(6);
        cx.out.unsigned(entry.id);
        cx.out.integer(entry.at_s);
        cx.out.unsigned(entry.us);
        cx.out.array(entry.args.len());
        entry.args.iter().for_each(|arg| cx.out.bulk(arg));
        cx.out.bulk(entry.addr.as_bytes());
        cx.out.bulk(&entry.name);
    }
    Ok(())
}

fn len(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.len(cx.shared.slowlog.len());
    Ok(())
}

fn reset(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.shared.slowlog.clear();
    cx.out.ok();
    Ok(())
}

fn help(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return the latest <count> entries (default: 10, -1: all): id, time, duration in",
            "    microseconds, arguments, address and name of the client.",
            "LEN",
            "    Return the number of entries.",
            "RESET",
            "    Empty the slow log.",
        ],
    );
    Ok(())
}
