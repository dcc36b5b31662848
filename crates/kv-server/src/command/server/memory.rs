//! MEMORY: what takes how much.

use crate::command::{Args, Command, Flags, KeySpec, Keys, row};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::info;
use crate::keyspace::entry::Entry;
use crate::keyspace::table::Slot as _;

#[rustfmt::skip] // a table reads best in columns
pub(super) const SUBCOMMANDS: &[Command] = &[
    row("DOCTOR", 2, Flags::NONE, Keys::NONE, doctor)
        .docs("4.0.0", "", "Describes problems of memory, for people.", "O(1)").tips("nondeterministic_output request_policy:all_shards response_policy:special"),
    row("HELP", 2, Flags::LOADING.and(Flags::STALE), Keys::NONE, help)
        .docs("4.0.0", "", "Lists the subcommands.", "O(1)"),
    row("MALLOC-STATS", 2, Flags::NONE, Keys::NONE, malloc_stats)
        .docs("4.0.0", "", "Returns what the allocator says about itself.", "Depends on how much memory is allocated, could be slow").tips("nondeterministic_output request_policy:all_shards response_policy:special"),
    row("PURGE", 2, Flags::NONE, Keys::NONE, purge)
        .docs("4.0.0", "", "Does nothing: the allocator is the program's.", "Depends on how much memory is allocated, could be slow").tips("request_policy:all_shards response_policy:all_succeeded"),
    row("STATS", 2, Flags::NONE, Keys::NONE, stats)
        .docs("4.0.0", "", "Returns what takes how much memory.", "O(1)").tips("nondeterministic_output request_policy:all_shards response_policy:special"),
    row("USAGE", -3, Flags::READONLY, Keys::new(&[KeySpec::range(2, 0, 1, "RO")]), usage)
        .docs("4.0.0", "key [SAMPLES count]", "Estimates the memory that a key takes.", "O(N) where N is the number of samples."),
];

/// MEMORY USAGE key \[SAMPLES count]
///
/// Collections count themselves exactly, so the number of samples makes no difference.
fn usage(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    while args.remaining() > 0 {
        if !args.take("SAMPLES") {
            return Err(ReplyError::Syntax);
        }
        if args.integer()? < 0 {
            return Err(ReplyError::Syntax);
        }
    }
    let bytes = cx
        .db
        .peek(key)
        .map(|entry| size_of::<Entry>() + entry.memory());
    match bytes {
        Some(bytes) => cx.out.len(bytes),
        None => cx.out.null(),
    }
    Ok(())
}

/// MEMORY STATS: a field that this server has no figure for is left out.
fn stats(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let memory = info::Memory::of(cx);
    let keys = cx.others.with(cx.db).map(|(_, db)| db.len()).sum::<usize>();
    let tables: Vec<_> = cx
        .others
        .with(cx.db)
        .filter(|(_, db)| db.len() > 0)
        .map(|(number, db)| (number, db.table_memory()))
        .collect();
    let per_key = memory.dataset().checked_div(keys).unwrap_or(0);
    let sums = [
        ("total.allocated", memory.used()),
        ("clients.normal", memory.clients),
    ];
    let rest = [
        ("overhead.total", memory.overhead()),
        ("keys.count", keys),
        ("keys.bytes-per-key", per_key),
        ("dataset.bytes", memory.dataset()),
    ];
    cx.out.map(sums.len() + tables.len() + rest.len() + 1);
    let field = |cx: &mut Context<'_>, name: &str, value: usize| {
        cx.out.bulk(name.as_bytes());
        cx.out.len(value);
    };
    for (name, value) in sums {
        field(cx, name, value);
    }
    for (number, bytes) in tables {
        cx.out.bulk(format!("db.{number}").as_bytes());
        cx.out.map(1);
        field(cx, "overhead.hashtable.main", bytes);
    }
    for (name, value) in rest {
        field(cx, name, value);
    }
    cx.out.bulk(b"dataset.percentage");
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    let part = memory.dataset() as f64 * 100.0 / memory.used().max(1) as f64;
    cx.out.double(part);
    Ok(())
}

fn doctor(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    /// Less than this is not worth a word.
    const SMALL: usize = 5 << 20;
    let memory = info::Memory::of(cx);
    let mut text = String::new();
    if memory.used() < SMALL {
        text.push_str("This server holds less than 5 MB: there is nothing to say.\n");
    } else {
        if memory.clients > memory.used() / 2 {
            text.push_str(
                "More than half of the memory is for connections, and for what they have not read yet: see `maxmemory-clients`, `client-output-buffer-limit`.\n",
            );
        }
        if memory.resident.is_some_and(|rss| rss > 2 * memory.used()) {
            text.push_str(
                "The process takes more than twice what the server holds: the allocator keeps what was freed, or the program needs it for itself.\n",
            );
        }
        if text.is_empty() {
            text.push_str("Nothing stands out.\n");
        }
    }
    cx.out.text(&text);
    Ok(())
}

/// The allocator is the program's; a library can neither ask it nor tell it anything.
fn malloc_stats(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.text("Stats not supported for the current allocator");
    Ok(())
}

/// The same: what commands left to be freed goes by itself, and how the allocator keeps it is the program's choice.
fn purge(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.ok();
    Ok(())
}

fn help(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "MEMORY",
        &[
            "DOCTOR",
            "    Return memory problems reports.",
            "MALLOC-STATS",
            "    Return internal statistics report from the memory allocator.",
            "PURGE",
            "    Do nothing: the allocator is the program's.",
            "STATS",
            "    Return information about the memory usage of the server.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return memory in bytes used by <key> and its value.",
        ],
    );
    Ok(())
}
